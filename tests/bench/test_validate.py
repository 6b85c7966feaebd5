"""Comparing our trials with those of a made-up generator, which draws the same ones or others."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
from click.testing import CliRunner

from cemrnn.bench.generators import find_module, load_generator, rule_name
from cemrnn.bench.validate import FEWEST_P, compare, describe_validation, weigh
from cemrnn.commands.main import main
from cemrnn.tasks import BATTERY
from tests.generator import write_generator


@pytest.fixture
def write(tmp_path):
    return functools.partial(write_generator, tmp_path / "a copy")


def compared(folder, n_trials=1500):
    rows = compare("driscoll", load_generator(find_module("driscoll", folder)), n_trials, lambda line: None)
    return {(row["task"], row["quantity"]): row["p"] for row in rows}


def test_a_generator_of_the_same_trials_agrees(write):
    state = np.random.get_state()[1].copy()
    p = compared(write())
    assert len(p) > 45 and min(p.values()) >= FEWEST_P
    assert {"decide_multi_sequential", "memory_pro", "delay_pro", "reaction_pro"} == {task for task, _ in p}
    quantities = {quantity for task, quantity in p if task == "decide_multi_sequential"}
    assert {"opposed", "coherence 1", "coherence of the sum", "distance (rad)", "delay2 (steps)"} <= quantities
    assert (np.random.get_state()[1] == state).all() and np.load.__module__ == "numpy"


MULTI = "decide_multi_sequential"
QUIET_CUE = (
    'trial.x += hp["rng"].randn(*trial.x.shape)',
    'trial.x[..., :5] += hp["rng"].randn(*trial.x[..., :5].shape)',
)


@pytest.mark.parametrize(
    "change, task, quantity",
    [
        (("rng.uniform(200, 1500) / dt", "rng.choice([200, 1500]) / dt"), "delay_pro", "stimulus1 (steps)"),
        (("int(rng.uniform(*map", "round(rng.uniform(*map"), MULTI, "delay2 (steps)"),
        (("np.random.uniform(0.005, 0.8, batch", "np.random.uniform(0.2, 0.8, batch"), MULTI, "modalities apart"),
        (("1.5 * np.pi, batch_size)", "1.2 * np.pi, batch_size)"), MULTI, "distance (rad)"),
        (('hp["sigma_x"]', '0.8 * hp["sigma_x"]'), "delay_pro", "noise of the inputs (size)"),
        (QUIET_CUE, "delay_pro", "noise of the cue (size)"),
        (("np.where(whole[0] > whole[1]", "np.where(whole[0] < whole[1]"), MULTI, "answer is that of our rule"),
        (('"out", theta, ons=go', '"out", theta + 0.1, ons=go'), "reaction_pro", "answer is that of our rule"),
        (("offs=ends[4]", "offs=ends[3]"), MULTI, "inputs are those we would show"),
        (("2 * mod - 1] += strength", "2 * mod - 1] -= strength"), "memory_pro", "inputs are those we would show"),
        (('"delay2", "go1")', '"delay2")'), MULTI, "response (steps)"),
    ],
)
def test_a_difference_in_one_distribution_is_found(write, change, task, quantity):
    assert compared(write(change), 2000)[task, quantity] < FEWEST_P


def test_what_one_lacks_differs_and_constants_are_compared():
    some, none, ones = np.arange(500), np.empty(0), np.ones(500)
    p = [weigh("yang", "delay_pro", "", *pair)["p"] for pair in ((some, none), (ones, 2 * ones), (ones, ones))]
    assert p == [0, 0, 1]


def test_names_are_theirs():
    dm = "dm1 dm2 contextdm1 contextdm2 multidm delaydm1 delaydm2 contextdelaydm1 contextdelaydm2 multidelaydm"
    names = f"fdgo fdanti reactgo reactanti delaygo delayanti {dm} dmsgo dmsnogo dmcgo dmcnogo"
    assert " ".join(rule_name(task) for task in BATTERY) == names
    assert rule_name("rotate_1_of_4") == rule_name("map_0_of_8") == ""  # which they have not


def test_the_command_writes_what_the_page_shows(write, tmp_path, monkeypatch):
    monkeypatch.setattr("cemrnn.reproduce.project.Project.build", tmp_path / "build")
    monkeypatch.setenv("CEMRNN_STORE", str(tmp_path / "no store"))
    ran = CliRunner().invoke(main, ["validate", "--driscoll", str(write()), "--trials", "200", "--profile", "smoke"])
    assert ran.exit_code == 0, ran.output
    assert f"not scored: expected 11 trained networks in {tmp_path / 'no store'}, got 0;" in ran.output
    path = tmp_path / "build" / "bench" / "validation.json"
    table = describe_validation(path)
    assert json.loads(path.read_text())["date"] in table and "| `driscoll` | opposed | 1 of 1 |" in table
    assert "had not been trained" in table
    assert "Not compared" in describe_validation(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "expected --yang FOLDER or --driscoll FOLDER"),
        (["--yang", "nowhere"], "yang: expected a copy of its public repository, with task.py; got nowhere"),
        (["--driscoll", "{broken}"], "expected a module of tasks, got ZeroDivisionError"),
        (["--driscoll", "{empty}"], "got one without Trial, generate_trials, rule_mapping"),
    ],
)
def test_what_is_no_copy_is_refused(tmp_path, arguments, message):
    for name, text in (("broken", "1 / 0"), ("empty", "")):
        (tmp_path / name / "stepnet").mkdir(parents=True)
        (tmp_path / name / "stepnet" / "task.py").write_text(text)
    arguments = [a.format(broken=tmp_path / "broken", empty=tmp_path / "empty") for a in arguments]
    ran = CliRunner().invoke(main, ["validate", *arguments])
    assert ran.exit_code != 0 and "Traceback" not in ran.output
    assert message in " ".join(ran.output.split())
