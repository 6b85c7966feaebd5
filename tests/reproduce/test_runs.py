"""Runs of notebooks: a target exists only if every cell succeeded."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from cemrnn.reproduce.assembly import BookError, assemble
from cemrnn.reproduce.notebooks import NotebookError, run_notebook
from cemrnn.reproduce.products import find_lost, write_products
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import parse_overrides
from cemrnn.system.files import new_temporary_name
from tests.fixtures.copies import ODD, SOURCES, add_figures, copy_tiny_project, replace_source, run_make

STEM = "fig1_tiny"
TARGET = f"build/quick/notebooks/{STEM}.ipynb"


def run(project, profile="quick", overrides=()):
    return run_notebook(project, STEM, profile, project.build / profile, parse_overrides(STEM, overrides))


@pytest.fixture
def project(tmp_path, monkeypatch):
    add_figures(monkeypatch)
    monkeypatch.delenv("CEMRNN_PROFILE", raising=False)
    return Project(copy_tiny_project(tmp_path / ODD))


def test_a_run_leaves_notebook_figure_data_and_origin(project):
    path = run(project, "smoke", ["label=curve", "levels=1,2,3"])
    assert path == project.root / f"build/smoke/notebooks/{STEM}.ipynb"
    made = {str(file.relative_to(project.build)) for file in (project.build / "smoke").rglob("*") if file.is_file()}
    images = {f"smoke/figures/{STEM}.{kind}" for kind in ("svg", "pdf", "png", "curves.csv")}
    tables = {f"smoke/{folder}/{STEM}.json" for folder in ("results", "provenance")}
    assert made == images | tables | {f"smoke/notebooks/{STEM}.{kind}" for kind in ("ipynb", "files")}
    listed = (project.build / f"smoke/notebooks/{STEM}.files").read_text().split()
    assert {f"smoke/{file}" for file in listed} == images | tables
    origin = json.loads((project.build / f"smoke/provenance/{STEM}.json").read_text())
    assert origin["profile"] == "custom"
    assert origin["config"]["levels"] == [1.0, 2.0, 3.0]
    assert origin["config"]["label"] == "curve"
    assert origin["config"]["rate"] == 0.1


def test_what_was_changed_is_folded_and_what_was_found_stands_below_the_title(project):
    compute = "result = run(config)\nresult.scalars['title'] = 'It <falls> by $3'"
    replace_source(project.notebook(STEM), "result = run(config)", compute)
    page = nbformat.read(run(project, overrides=["label=curve"]), as_version=4)
    (injected,) = [cell for cell in page.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert "hide-input" in injected.metadata.tags and "label = " in injected.source
    title, blank, found, *rest = page.cells[0].source.splitlines()
    assert title == nbformat.read(project.notebook(STEM), as_version=4).cells[0].source.splitlines()[0] and rest
    assert not blank and re.fullmatch(r"\*\*It \\<falls\\> by \\\$3\.\*\*", found)
    assert "<falls>" not in nbformat.read(project.notebook(STEM), as_version=4).cells[0].source


def test_a_failed_run_is_kept_apart_and_the_last_good_one_stays(project):
    target = project.root / TARGET
    target.parent.mkdir(parents=True)
    target.write_text("the last good run")
    with pytest.raises(NotebookError, match="RuntimeError: asked to fail") as caught:
        run(project, overrides=["fails=true"])
    assert target.read_text() == "the last good run"
    assert not (project.build / "quick" / "figures").exists()
    assert caught.value.path == project.build / "failed" / STEM
    assert (caught.value.path / "notebooks" / f"{STEM}.ipynb").exists()
    assert "CEMRNN_OUT" not in os.environ


def test_a_killed_kernel_is_a_failure_and_uses_this_python(project):
    # papermill saves the notebook of a killed kernel as if every cell had completed.
    kill = "pathlib.Path('python.txt').write_text(sys.executable); os.kill(os.getpid(), 9)"
    replace_source(project.notebook(STEM), "result = run(config)", f"import os, pathlib, sys\n{kill}")
    with pytest.raises(NotebookError, match="DeadKernelError"):
        run(project)
    assert not (project.root / TARGET).exists()
    assert (project.root / "python.txt").read_text() == sys.executable
    kept = nbformat.read(project.build / "failed" / STEM / "notebooks" / f"{STEM}.ipynb", as_version=4)
    assert not any(out.output_type == "error" for cell in kept.cells for out in cell.get("outputs", []))


def test_a_failed_notebook_never_satisfies_make(project):
    make = [TARGET, "-o", "build/quick/trained"]
    profile = project.root / "notebooks" / "params" / "quick.yml"
    good = profile.read_text()
    profile.write_text(f"{good}  fails: true\n")
    for _ in range(2):
        failed = run_make(project.root, *make)
        assert failed.returncode != 0
        assert "asked to fail" in failed.stderr
        assert not (project.root / TARGET).exists()
    profile.write_text(good)
    assert run_make(project.root, *make).returncode == 0
    assert (project.root / TARGET).exists()
    assert run_make(project.root, "-q", *make).returncode == 0


def test_a_notebook_whose_products_are_lost_is_run_again(project):
    make, out = [TARGET, "-o", "build/quick/trained"], project.build / "quick"
    assert run_make(project.root, *make).returncode == 0
    assert run_make(project.root, "-q", *make).returncode == 0
    for file in (
        f"results/{STEM}.json",
        f"figures/{STEM}.png",
        f"figures/{STEM}.curves.csv",
        f"notebooks/{STEM}.files",
    ):
        kept = (out / file).read_bytes()
        (out / file).unlink()
        assert find_lost(out, STEM) == [file]
        with pytest.raises(BookError, match=f"expected what {STEM} left, got no {file}: cemrnn run {STEM}"):
            assemble(project, "quick")
        assert run_make(project.root, "-q", *make).returncode == 1
        (out / file).write_bytes(kept)
    assert run_make(project.root, "-q", *make).returncode == 0
    for file in (f"results/{STEM}.json", f"figures/{STEM}.png"):
        (out / file).unlink()
    assert run_make(project.root, *make).returncode == 0
    assert (out / f"results/{STEM}.json").exists() and (out / f"figures/{STEM}.png").exists()
    assert find_lost(out, STEM) == [] and run_make(project.root, "-q", *make).returncode == 0


@pytest.mark.parametrize(
    "source, stale",
    [
        ("network/pathways.py", 1),
        ("figures/shared/battery.py", 1),
        ("figures/fig1_tiny/experiment.py", 1),
        ("figures/fig1_tiny/plot.py", 1),
        ("figures/fig2_other/plot.py", 0),
        ("commands/store.py", 0),
    ],
)
def test_a_notebook_is_stale_by_its_own_sources_alone(project, source, stale):
    target = project.root / TARGET
    write_products(project.build / "quick", STEM, [])
    target.touch()
    question = ["-q", TARGET, "-o", "build/quick/trained"]
    assert run_make(project.root, *question).returncode == 0
    os.utime(project.root / SOURCES / source, (2**32, 2**32))
    assert run_make(project.root, *question).returncode == stale


def test_nothing_of_a_readers_own_settings_reaches_a_run(project, monkeypatch):
    own = project.root.parent / "own"
    kernel, startup = own / "kernels" / "python3", own / ".ipython" / "profile_default" / "startup"
    for folder in (kernel, startup, own / "numpy"):
        folder.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["false"], "display_name": "Mine", "language": "python"}')
    (startup / "mine.py").write_text("import os; os._exit(1)")
    (own / "numpy" / "__init__.py").write_text("raise ImportError")
    (own / "matplotlibrc").write_text("text.usetex: True\naxes.grid: True\n")
    (project.root / "matplotlibrc").write_text("text.usetex: True\n")
    for name in ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "MATPLOTLIBRC", "PYTHONPATH", "HOME"):
        monkeypatch.setenv(name, str(own))
    monkeypatch.setenv("MPLBACKEND", "none")
    made = run_make(project.root, "figure", f"FIG={STEM}", "P=label=my book (1).txt  levels=1,2")
    assert made.returncode == 0, made.stderr
    config = json.loads((project.build / f"custom/latest/provenance/{STEM}.json").read_text())["config"]
    assert (config["label"], config["levels"]) == ("my book (1).txt", [1.0, 2.0])
    (project.root / "probe.mk").write_text('probe: ; @echo "[$$PYTHONPATH$${GIT_DIR:-}]"\n')
    asked = ["make", "-s", "-C", project.root, "-f", "Makefile", "-f", "probe.mk", "probe"]
    assert subprocess.run(asked, capture_output=True, text=True, env=os.environ | {"GIT_DIR": "x"}).stdout == "[]\n"


def test_a_signal_to_make_alone_ends_the_run_and_its_kernel(project):
    code = "import os, pathlib, time; pathlib.Path('kernel').write_text(str(os.getpid())); time.sleep(60)"
    replace_source(project.notebook(STEM), "result = run(config)", code)
    left = new_temporary_name().replace(f".{os.getpid()}.", ".2147483646.")  # by a run whose process is gone
    (project.build / ".tmp" / left).mkdir(parents=True)
    make = run_make(project.root, TARGET, "-o", "build/quick/trained", wait=False)
    kernel = project.root / "kernel"
    wait_until(lambda: kernel.exists() and kernel.read_text(), 60)
    make.send_signal(signal.SIGTERM)
    make.communicate(timeout=15)
    wait_until(lambda: not is_alive(int(kernel.read_text())), 15)
    assert not any((project.build / ".tmp").iterdir())


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_notebook_of_tomorrow_is_dated_anew_and_a_stray_one_is_left_alone(project):
    target, notebooks = project.root / TARGET, project.root / "notebooks"
    for path in (project.build / "quick" / "trained", target):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.utime(notebooks / f"{STEM}.ipynb", (2**32, 2**32))
    (notebooks / "Untitled 1.ipynb").touch()
    first, second = (run_make(project.root, "-n", "notebooks", "-o", "build/quick/trained") for _ in range(2))
    assert f"dated in the future, so dated anew: notebooks/{STEM}.ipynb" in first.stdout
    assert "dated" not in second.stdout and "Untitled" not in second.stdout
    assert f"main run {STEM}" in first.stdout


def test_clean_empties_a_folder_that_build_leads_to(project):
    scratch = project.root.parent / "scratch"
    for name in ("quick/html", "store/aa", "custom"):
        (scratch / name).mkdir(parents=True)
    project.build.symlink_to(scratch)
    assert run_make(project.root, "clean").returncode == 0
    assert [path.name for path in scratch.iterdir()] == ["store"]


def test_another_repository_is_another_book(project):
    target = project.root / TARGET
    target.parent.mkdir(parents=True)
    for name in ("notebooks/fig1_tiny.ipynb", "trained", "html/index.html"):
        path = project.build / "quick" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    write_products(project.build / "quick", STEM, [])
    book = ["build/quick/html/index.html", "-o", TARGET]

    def is_stale(repository):
        run_make(project.root, "-n", "book", f"REPOSITORY={repository}")
        return run_make(project.root, "-q", *book, f"REPOSITORY={repository}").returncode == 1

    def build():
        os.utime(project.build / "quick" / "html" / "index.html")

    build()
    assert not is_stale("")
    assert is_stale("https://github.com/some/name")
    build()
    assert not is_stale("https://github.com/some/name")
    assert is_stale("")
