"""How long everything takes: README says what the file says, and the file what a finished build says."""

import json
import os
from pathlib import Path

import pytest
import yaml

from cemrnn.figures import list_figures
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.times import (
    BEGIN,
    END,
    FILE,
    Times,
    describe_notebook,
    describe_totals,
    load_times,
    measure_notebooks,
    measure_training,
    replace_times,
    round_duration,
    write_times,
)

ROOT = Path(__file__).parents[2]
TIMES = Times(
    machine="M, 2 cores", date="2026-01-02", profile="quick", networks=1240, training_s=1200.0, reproduce_s=2400.0,
    test_s=1080.0, notebooks=("fig1_tasks", "fig2_ambiguity"), notebooks_s=(22.0, 119.0),
)  # fmt: skip
ROW = "| 1 | which | one? | `notebooks/fig1_tasks.ipynb` | 9 h |\n| 3 | two | `notebooks/fig3_packing.ipynb` | 9 h |"


def test_readme_says_what_was_measured():
    times, readme = load_times(ROOT), (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(times.notebooks) == set(list_figures())
    assert f"{BEGIN}\n{describe_totals(times)}\n{END}" in readme
    assert replace_times(readme, times) == readme
    slower = Times.from_params(times.to_dict() | {"notebooks_s": [10 * s + 99 for s in times.notebooks_s]})
    assert replace_times(readme, slower) != readme


def test_what_is_written_is_what_is_read_and_told(tmp_path):
    (tmp_path / "book").mkdir()
    readme = tmp_path / "README.md"
    readme.write_text(f"A\n{BEGIN}\nold\n{END}\n{ROW}\n")
    write_times(tmp_path, TIMES)
    assert load_times(tmp_path) == TIMES
    text = readme.read_text()
    assert "about 40 min" in text and "20 min of it while 1,240 small networks are trained" in text
    assert "2026-01-02" in text and "M, 2 cores" in text and "old" not in text
    assert "fig1_tasks.ipynb` | 20 s |\n" in text and "fig3_packing.ipynb` | 9 h |" in text
    broken = yaml.safe_load((tmp_path / FILE).read_text()) | {"seconds": {"fig1_tasks": "long"}}
    (tmp_path / FILE).write_text(yaml.safe_dump(broken))
    with pytest.raises(ValueError, match=r"notebooks_s\[0\]: expected float"):
        load_times(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "5 s"), (12.6, "15 s"), (89, "90 s"), (91, "2 min"), (2400, "40 min"), (5400, "2 h"), (10000, "3 h")],
)
def test_durations_are_coarse(seconds, words):
    assert round_duration(seconds) == words


def test_a_page_tells_the_time_of_its_own_notebook_if_it_was_measured(tmp_path):
    (tmp_path / "book").mkdir()
    assert describe_notebook(tmp_path, TIMES.notebooks[1]) == ""
    write_times(tmp_path, TIMES)
    told = describe_notebook(tmp_path, TIMES.notebooks[1])
    assert round_duration(TIMES.notebooks_s[1]) in told and TIMES.machine in told
    assert round_duration(TIMES.notebooks_s[0]) not in told
    assert describe_notebook(tmp_path, "fig0_mine") == ""


def test_seconds_come_from_a_finished_build_alone(tmp_path):
    for folder in ("notebooks/params", "build/quick/notebooks", ".venv"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notebooks" / "fig1_tasks.ipynb").touch()
    clone = Project(tmp_path)
    with pytest.raises(ValueError, match="expected a finished build at profile quick, got no fig1_tasks"):
        measure_notebooks(clone, "quick")
    ran = tmp_path / "build" / "quick" / "notebooks" / "fig1_tasks.ipynb"
    ran.write_text(json.dumps({"metadata": {"papermill": {"duration": 5.04}}}))
    assert measure_notebooks(clone, "quick") == {"fig1_tasks": 5.0}
    assert measure_training(clone, "quick") is None
    for name, at_s in ((".venv/.installed", 1000), ("build/quick/trained", 1090.5)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at_s, at_s))
    assert measure_training(clone, "quick") == 90.5
    os.utime(tmp_path / ".venv" / ".installed", (2000, 2000))
    assert measure_training(clone, "quick") is None
