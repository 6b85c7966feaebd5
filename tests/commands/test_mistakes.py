"""Whatever a user gets wrong is told in one line that says what, on every command; nothing is started."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cemrnn.commands.main import main
from cemrnn.figures import config_class
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.fixtures.copies import REPOSITORY, add_figures, copy_tiny_project

COMMANDS = (["run", "fig1_tiny"], ["params", "fig1_tiny"], ["sweep"], ["claims"], ["verify"], ["book"])
READ_PROFILES = (["run", "fig1_tiny"], ["params", "fig1_tiny"], ["sweep"], ["store", "gc", "--yes"])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The tiny project as the current folder."""
    add_figures(monkeypatch)
    monkeypatch.setenv("CEMRNN_STORE", "")
    monkeypatch.chdir(copy_tiny_project(tmp_path / "tiny"))
    return tmp_path / "tiny"


def tell_lines(text):
    """The lines of standard error, without those that say what a run is doing, which come after a second."""
    return [line for line in text.splitlines() if line and not line.startswith("fig1_tiny: ")]


def check(arguments, *messages):
    result = CliRunner().invoke(main, [*arguments])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    for message in messages:
        assert message in result.stderr
    assert "Traceback" not in result.output
    (line,) = [line for line in tell_lines(result.stderr) if not line.startswith(("Usage:", "Try "))]
    assert line.startswith("Error: ")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_profile_is_refused_by_every_command(project, command):
    check([*command, "--profile", "qiuck"], "unknown profile 'qiuck'; did you mean 'quick'?")
    check([*command, "--profile", "../quick"], "unknown profile '../quick'")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_another_folder_than_a_clone_is_named(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    check(command, f"no profiles in {tmp_path}/notebooks/params; run this in the folder of the clone")
    check(["bench"], "run this in the folder of the clone")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", READ_PROFILES, ids=" ".join)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fig1_tiny:\n\tseed: 1", "quick.yml, line 2: found character '\\t' that cannot start any token"),
        ("networks: 3", "quick.yml: networks: expected names with their values, got 3"),
        ("- 3", "quick.yml: expected names of figures, or networks, with their values, got [3]"),
        ("fig1_tiny: {seed: 1, seed: 2}", "quick.yml, line 1: expected each key once, got 'seed' again"),
        ("fig1_tiny: {}\nfig1_tiny: {}", "quick.yml, line 2: expected each key once, got 'fig1_tiny' again"),
        ("fig1_tiny:\n  seed: 064", "quick.yml, line 2: expected a number that does not begin with 0, got 064"),
        ("fig1_tiny: {seed: 010}", "expected a number that does not begin with 0, got 010"),
        ("fig1_tiny: [", "quick.yml, line 1: "),
        ("fig1_tiny: !!python/name:os.system", "quick.yml, line 1: could not determine a constructor"),
        ("fig91_own: {seed: 1}", "a figure of your own is known where CEMRNN_FIGURES names its folder"),
        ("fig1_tiny: {1: 2}", "unknown parameter in section fig1_tiny of quick.yml: '1'"),
    ],
)
def test_a_profile_that_cannot_be_read_is_named_with_the_line(project, command, text, message):
    (project / "notebooks" / "params" / "quick.yml").write_text(text)
    check(command, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("n_points=0", "n_points: expected at least 1, because it is a number of things; got 0"),
        ("n_points=064", "n_points: expected int, got '064'"),
        ("n_replicates=-1", "n_replicates: expected at least 1"),
        ("seed=-1", "seed: expected 0 to 2.14748e+09, because random streams are numbered; got -1"),
        ("rate=.nan", "rate: expected float, got '.nan'"),
        ("rate=.inf", "rate: expected float, got '.inf'"),
        ("levels=", "levels: expected one or more, each once, got none"),
        ("levels=1,2,1", "levels: expected one or more, each once, got 1.0,2.0,1.0"),
        ("seed=1 seed=2", "seed: expected one value, got it twice"),
        ("seed", "parameter override: expected name=value, got 'seed'"),
        ("fails=yes", "fails: expected bool, got 'yes'"),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_the_reason(project, changes, message):
    check(["run", "fig1_tiny", "--parameters", changes], message)
    assert not (project / "build").exists()


@pytest.mark.parametrize(
    ("stem", "changes", "message"),
    [
        ("fig1_tasks", "learning_rate=0", "learning_rate: expected more than 0, because a step of the optimiser"),
        ("fig1_tasks", "target_score=2", "target_score: expected 0 to 1, because it is a share; got 2"),
        ("fig1_tasks", "arms=", "arms: expected one or more, each once, got none"),
        ("fig1_tasks", "arms=plain,combined,plain", "arms: expected one or more, each once, got plain,combined,plain"),
        ("fig1_tasks", "tasks=delay_pro,delay_pro", "expected one or more"),
        ("fig1_tasks", "n_units=0", "n_units: expected at least 1"),
        ("fig6_timescales", "taus_ms=0,20", "taus_ms: expected"),
        ("fig7_images", "models=plain,plain,combined,gru", "models: expected"),
        ("fig8_text", "registers=prose,prose", "registers: expected"),
        ("fig8_text", "corpus=/no where/my*book #1.txt", "/no where/my*book #1.txt cannot be read"),
        ("fig9_overhead_scaling", "packing.n_updates=0", "packing.n_updates: expected at least 1"),
        ("fig11_network", "tasks=integrate_1,integrate_2", "tasks: expected some that are answered by a direction"),
    ],
)
def test_what_a_figure_cannot_compute_is_refused_before_anything_starts(tmp_path, monkeypatch, stem, changes, message):
    folder = tmp_path / "notebooks"
    shutil.copytree(REPOSITORY / "notebooks", folder)
    monkeypatch.chdir(tmp_path)
    check(["run", stem, "--parameters", changes], message)
    assert [path.name for path in tmp_path.iterdir()] == ["notebooks"]


@pytest.mark.parametrize("change", ["sigmas=-1,0", "passing_score=2", "seed=-1", "packing.n_updates=0"])
def test_a_value_out_of_its_range_is_refused_before_anything_slow_is_loaded(change):
    code = (
        "import sys; from cemrnn.reproduce.settings import check_texts\n"
        f"try: check_texts('fig5_synergy', [{change!r}])\n"
        "except ValueError as error: print(error)\n"
        "print({'torch', 'scipy', 'papermill', 'nbformat'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    message, loaded = told.stdout.splitlines()
    assert message.startswith(f"fig5_synergy: {change.partition('=')[0]}: expected ")
    assert loaded == "set()"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fourteen chars", "text: expected more than 20 held-out characters, got 6"),
        ("\n".join(f"{k} lines, short" for k in range(60)), "text: expected more than"),
    ],
)
def test_a_corpus_that_is_too_short_is_named_before_anything_starts(tmp_path, monkeypatch, text, message):
    shutil.copytree(REPOSITORY / "notebooks", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my line.txt").write_text(text)
    check(["run", "fig8_text", "--profile", "smoke", "--parameters", "corpus=my line.txt"], f"my line.txt: {message}")
    assert not (tmp_path / "build").exists()


def test_figures_that_name_each_other_in_a_circle_are_told(tmp_path, monkeypatch):
    shutil.copytree(REPOSITORY / "notebooks", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    profile = tmp_path / "notebooks" / "params" / "mine.yml"
    for value, message in (("fig5_synergy", "fig5_synergy -> fig5_synergy"), ("3", "expected the name of a figure")):
        profile.write_text(f"fig5_synergy: {{packing: {value}}}")
        check(["params", "fig5_synergy", "--profile", "mine"], message)


def test_what_a_store_does_not_have_is_refused(project):
    check(["store", "ls", "--status", "finished"], "'finished' is not one of 'reached', 'exhausted'")
    check(["store", "show", "zz"], "zz")
    entry = project / "build" / "store" / "00" / ("00" * 32)
    entry.mkdir(parents=True)
    check(["store", "ls", "--arm", "combinde"], "unknown arm in ")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sweep", "--scheduler", ""], "expected an address such as tcp://node1:8786, got ''"),
        (["sweep", "--scheduler-file", ""], "expected the file of a scheduler, got ''"),
        (["sweep", "--shard", "0/0"], "expected 1/n to n/n with a number n of shares, 1 or more, got '0/0'"),
        (["sweep", "--shard", "1/-1"], "expected 1/n to n/n with a number n of shares, 1 or more, got '1/-1'"),
        (["sweep", "--shard", "3/2"], "expected 1/2 to 2/2, got '3/2'"),
        (["store", "gc", "--days", "nan"], "expected a finite number, got nan"),
        (["store", "gc", "--checkpoint-days", "inf"], "expected a finite number, got inf"),
        (["store", "ls", "--arm", ""], "expected the name of an arm, got ''"),
        (["bench", "--seconds", "nan"], "expected a finite number, got nan"),
        (["bench", "--seconds", "-1"], "-1.0 is not in the range x>0"),
        (["bench", "--pip-arg", ""], "expected an argument, got ''"),
        (["validate", "--yang", ""], "expected a folder, got ''"),
    ],
    ids=str,
)
def test_a_variable_that_is_not_set_and_numbers_that_are_none_are_refused(project, command, message):
    check(command, message)
    assert not (project / "build").exists()


@pytest.mark.parametrize("command", ["store ls", "store gc --yes", "store verify", "store show 0", "sweep"])
def test_a_file_in_the_place_of_the_store_is_named(project, monkeypatch, command):
    (project / "file").write_text("")
    monkeypatch.setenv("CEMRNN_STORE", str(project / "file"))
    check(command.split(), f"{project}/file: expected a folder, got a file")


def test_a_figure_of_ones_own_says_its_ranges_itself(project, monkeypatch):
    monkeypatch.setattr(config_class("fig1_tiny"), "ranges", {"n_points": (5, 9), "seed": None})
    assert make_config(Project(), "fig1_tiny", "quick", {"n_points": 5, "seed": -3}).seed == -3
    check(["run", "fig1_tiny", "-p", "n_points=4"], "n_points: expected 5 to 9, because TinyConfig says so; got 4")


@pytest.mark.parametrize("command", [["run", "fig1_tiny"], ["book"], ["sweep"]], ids=" ".join)
def test_a_folder_that_cannot_be_written_is_named_in_one_line(project, command):
    (project / "build").write_text("a file where a folder belongs")
    result = CliRunner().invoke(main, command)
    if command != ["sweep"]:  # which has nothing to train, and nothing to write
        assert isinstance(result.exception, SystemExit)
        assert f"Error: {project}/build" in result.stderr and len(tell_lines(result.stderr)) == 1


def test_a_full_disk_is_one_line_that_names_the_folder(project):
    """No file may grow beyond 4 kB, in a process of its own."""
    code = "import resource as r, sys; from cemrnn.commands.main import main; r.setrlimit(r.RLIMIT_FSIZE, (4096, 4096))"
    command = [sys.executable, "-c", f"{code}; main()", "run", "fig1_tiny"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    assert done.returncode == 1
    expected = f"Error: notebook fig1_tiny failed: nothing more can be written in {project}/build"
    (line,) = tell_lines(done.stderr)
    assert line.startswith(expected)


def write_empty_result(project):
    """Leave a result of the tiny figure without any number."""
    path = project / "build" / "quick" / "results" / "fig1_tiny.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")


@pytest.mark.parametrize(
    ("folder", "text", "message"),
    [
        ("results", "{", "fig1_tiny.json: expected JSON"),
        ("results", "[]", "fig1_tiny.json: expected names with their values, got []; run its notebook again"),
        ("provenance", "3", "fig1_tiny.json: expected names with their values, got 3"),
        (
            "results",
            '{"change": "a", "change_low": 0, "change_high": 1, "change_n": 3}',
            "fig1_tiny.json: change: could",
        ),
        ("results", '{"change": 1, "change_low": [], "change_high": 1, "change_n": 3}', "fig1_tiny.json: change: "),
        ("results", '{"change_halves": 3}', "fig1_tiny.json: change: "),
    ],
)
def test_a_broken_result_is_named(project, folder, text, message):
    write_empty_result(project)
    path = project / "build" / "quick" / folder / "fig1_tiny.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    check(["claims"], message)


def test_results_that_are_not_there_are_not_accepted(project):
    expected = project / "book" / "expected.yml"
    expected.write_text("quick: {decay: {verdict: undecided}}\n")
    before = expected.read_text()
    check(["verify", "--accept"], "nothing was made at profile quick yet: make reproduce PROFILE=quick")
    write_empty_result(project)
    check(["verify", "--accept"], "build/quick/results: expected evidence from every figure, got none from fig1_tiny")
    assert expected.read_text() == before


LISTED = """
import sys
from click.testing import CliRunner
from cemrnn.commands.main import main
done = [CliRunner().invoke(main, command).exit_code for command in (["--help"], ["claims"], ["store", "ls"])]
print(done, "numba" in sys.modules)
"""


def test_where_neither_package_nor_home_can_be_written_commands_work_and_what_lists_compiles_nothing(project):
    """A pod under another UID: root without the right to write what is not writable, or any other user."""
    copied = project.parent / "package"
    shutil.copytree(REPOSITORY / "cemrnn", copied / "cemrnn", ignore=shutil.ignore_patterns("__pycache__"))
    (home := project.parent / "home").mkdir()
    for folder in (home, copied, *(path for path in copied.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    if drop and not shutil.which("setpriv"):
        pytest.skip("root can write everything, and setpriv (util-linux) is not there to take that from it")
    places = {"HOME": str(home), "TMPDIR": str(project.parent), "PYTHONPATH": str(copied), "PATH": os.environ["PATH"]}
    places["CEMRNN_FIGURES"] = os.environ["CEMRNN_FIGURES"]
    options = dict(cwd=project, env=places, capture_output=True, text=True)
    write_empty_result(project)
    listed = subprocess.run([*drop, sys.executable, "-c", LISTED], **options)
    assert listed.stdout == "[0, 0, 0] False\n", listed.stderr
    code = "import os, json, cemrnn.random, cemrnn; print(json.dumps([os.environ['NUMBA_CACHE_DIR'], cemrnn.__file__]))"
    done = subprocess.run([*drop, sys.executable, "-c", code], **options)
    cache, file = json.loads(done.stdout or "[]") or pytest.fail(done.stderr)
    assert cache == str(project.parent / f"cemrnn-{os.getuid()}" / "numba_cache_dir") and file.startswith(str(copied))
    for folder in (home, copied, *(path for path in copied.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
