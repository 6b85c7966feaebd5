"""Signs of life of a run: soon, often, with the cell that runs, and never of what is over."""

import io
import json
import re
import subprocess
import sys
import time

import nbformat
import pytest

from cemrnn.reproduce.run_progress import RunProgress, describe_cell, last_seconds
from tests.fixtures.copies import REPOSITORY, add_figures, copy_tiny_project, replace_source

STEM = "fig1_tiny"
SOON_S, OFTEN_S = 10, 25  # what is promised is 2 and 10; a loaded machine may take longer


@pytest.fixture
def project(tmp_path, monkeypatch):
    add_figures(monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return copy_tiny_project(tmp_path / "tiny")


def read_with_times(command, folder):
    """Lines of standard error of a process, each with the seconds after its start."""
    started, lines = time.monotonic(), []
    options = dict(cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **options) as process:
        for line in process.stderr:
            lines.append((time.monotonic() - started, line.rstrip("\n")))
    assert process.returncode == 0
    return lines, time.monotonic() - started


def test_a_run_tells_soon_and_often_which_cell_runs(project):
    replace_source(project / "notebooks" / f"{STEM}.ipynb", "result = run(config)",
                   "import time\ntime.sleep(11)\nresult = run(config)")  # fmt: skip
    command = [sys.executable, "-P", "-m", "cemrnn.commands.main", "run", STEM]
    lines, whole_s = read_with_times(command, project)
    told = [(at_s, line) for at_s, line in lines if line.startswith(f"{STEM}: ")]
    times = [0, *(at_s for at_s, _ in told), whole_s]
    assert times[1] < SOON_S
    assert max(b - a for a, b in zip(times[1:], times[2:], strict=False)) < OFTEN_S
    assert any(re.search(r"cell \d+ of \d+: import time, \d+ s$", line) for _, line in told)


def test_what_a_run_does_is_told_until_it_ends_and_nothing_while_it_is_silent():
    stream = io.StringIO()
    with RunProgress("fig", 7.4, stream, first_s=0.01, every_s=0.01) as progress:
        progress.doing = "thinking"
        time.sleep(0.2)
        progress.doing = ""
        time.sleep(0.05)
        silent_from = len(stream.getvalue())
        time.sleep(0.1)
        assert len(stream.getvalue()) == silent_from
    lines = stream.getvalue().splitlines()
    assert "fig: thinking, 0 s; the last time it took 7 s" in lines
    progress.doing = "over"
    time.sleep(0.05)
    assert stream.getvalue().splitlines() == lines


def test_a_mistake_comes_before_the_first_line():
    stream = io.StringIO()
    with pytest.raises(ValueError), RunProgress("fig", stream=stream):
        raise ValueError
    assert stream.getvalue() == ""


def test_the_cell_that_runs_is_told_by_number_and_first_line():
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in ("a = 1", "\nb = 2\nc = 3")])
    assert describe_cell(page) == ""
    page.cells[1].metadata["papermill"] = {"status": "running"}
    assert describe_cell(page) == "cell 2 of 2: b = 2"


def test_the_last_time_is_that_of_the_run_or_of_a_remembered_result(tmp_path):
    assert last_seconds(tmp_path, STEM) is None
    for folder in ("notebooks", "provenance"):
        (tmp_path / folder).mkdir()
    notebook = tmp_path / "notebooks" / f"{STEM}.ipynb"
    notebook.write_text(json.dumps({"metadata": {"papermill": {"duration": 5.0}}}))
    assert last_seconds(tmp_path, STEM) == 5.0
    (tmp_path / "provenance" / f"{STEM}.json").write_text(json.dumps({"wall_seconds": 60.0}))
    assert last_seconds(tmp_path, STEM) == 60.0
    notebook.write_text("the last good run")
    assert last_seconds(tmp_path, STEM) is None
