"""Comparing our trials with a generator: one made up here, with the manners of the public ones, right and wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from cemrnn.bench.validate import FEWEST_P, compare, describe_validation, find_module, load_generator, rule_name
from cemrnn.commands.main import main
from cemrnn.tasks import BATTERY

# Three tasks as in the public code of Driscoll et al. 2024, and what its module does when it is imported.
GENERATOR = """
from __future__ import division
import six
import numpy as np
import tensorflow as tf
import getpass
from datetime import datetime

folder = {"laura": "/home/laura"}[getpass.getuser()]
np_load_old = np.load
np.load = lambda *a, **k: np_load_old(*a, allow_pickle=True, **k)
arm = np.load(folder + "/arm.npy").item()["outputs"]


class Trial(object):
    def __init__(self, config, tdim, batch_size):
        self.tdim, self.x = tdim, np.zeros((tdim, batch_size, config["n_input"]), "float32")
        self.y_loc = -np.ones((tdim, batch_size), "float32")

    def add(self, kind, locs=None, ons=None, offs=None, strengths=1, mods=None):
        if kind == "out":
            self.y_loc[ons:] = locs


def delaygo(config, mode, batch_size):
    rng, dt = config["rng"], config["dt"]
    theta = rng.rand(batch_size) * 2 * np.pi
    on = int(rng.uniform(300, 700) / dt)
    off = on + int(rng.uniform(200, 1600) / dt)
    go = off + int(rng.uniform(200, 1600) / dt)
    trial = Trial(config, go + int(rng.uniform(300, 700) / dt), batch_size)
    trial.add("stim", theta, ons=on, offs=off, mods=rng.choice([1, 2]))
    trial.add("out", theta, ons=go)
    trial.epochs = {"fix1": (None, on), "stim1": (on, off), "delay1": (off, go), "go1": (go, None)}
    return trial


def multidelaydm(config, mode, batch_size):
    rng, dt = config["rng"], config["dt"]
    first = rng.uniform(0, 2 * np.pi, batch_size)
    second = (first + rng.uniform(0.5 * np.pi, 1.5 * np.pi, batch_size) * rng.choice([-1, 1], batch_size)) % (2 * np.pi)
    mean = rng.uniform(0.8, 1.2, batch_size)
    half = rng.uniform(0.005, 0.8, batch_size) * rng.choice([1, -1], batch_size)
    whole = [mean + half, mean - half]
    part = [s * np.random.uniform(0.005, 0.8, batch_size) * np.random.choice([1, -1], batch_size) / 2 for s in whole]
    spans = ("200-600", "200-1600", "200-1600", "200-1600", "100-300", "300-700")
    ends = np.cumsum([int(rng.uniform(*map(float, span.split("-"))) / dt) for span in spans])
    trial = Trial(config, int(ends[-1]), batch_size)
    for mod, way in ((1, 1), (2, -1)):
        for theta, s, d in zip((first, second), whole, part):
            trial.add("stim", theta, ons=0, offs=1, strengths=s + way * d, mods=mod)
    trial.add("out", np.where(whole[0] > whole[1], first, second), ons=int(ends[4]))
    names = ("fix1", "stim1", "delay1", "stim2", "delay2", "go1")
    trial.epochs = dict(zip(names, zip([None, *ends[:-1]], [*ends[:-1], None])))
    return trial


def fdgo(config, mode, batch_size):
    rng, dt = config["rng"], config["dt"]
    theta, on = rng.rand(batch_size) * 2 * np.pi, int(rng.uniform(300, 700) / dt)
    go = on + int(rng.uniform(200, 1500) / dt)
    trial = Trial(config, go + int(rng.uniform(300, 700) / dt), batch_size)
    trial.add("stim", theta, ons=on, mods=rng.choice([1, 2]))
    trial.add("out", theta, ons=go)
    trial.epochs = {"fix1": (None, on), "stim1": (on, go), "go1": (go, None)}
    return trial


rule_mapping = {"delaygo": delaygo, "multidelaydm": multidelaydm, "fdgo": fdgo}


def generate_trials(rule, hp, mode, noise_on=True, **kwargs):
    trial = rule_mapping[rule](hp, mode, **kwargs)
    if rule is "testinit":
        return trial
    trial.x[:, :, hp["rule_start"]] = 1
    if noise_on:
        trial.x += hp["rng"].randn(*trial.x.shape) * hp["sigma_x"] * np.sqrt(2 / hp["alpha"])
    return trial
"""


@pytest.fixture
def write(tmp_path):
    def write(*changes):
        text = GENERATOR
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        folder = tmp_path / "a copy"
        (folder / "stepnet").mkdir(parents=True, exist_ok=True)
        (folder / "stepnet" / "task.py").write_text(text)
        return folder

    return write


def compared(folder, n_trials=1500):
    rows = compare("driscoll", load_generator(find_module("driscoll", folder)), n_trials, lambda line: None)
    return {(row["task"], row["quantity"]): row["p"] for row in rows}


def test_a_generator_of_the_same_trials_agrees(write):
    state = np.random.get_state()[1].copy()
    p = compared(write())
    assert len(p) > 30 and min(p.values()) >= FEWEST_P
    assert {"decide_multi_sequential", "memory_pro", "delay_pro"} == {task for task, _ in p}
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
    ],
)
def test_a_difference_in_one_distribution_is_found(write, change, task, quantity):
    assert compared(write(change), 2000)[task, quantity] < FEWEST_P


def test_names_are_theirs():
    dm = "dm1 dm2 contextdm1 contextdm2 multidm delaydm1 delaydm2 contextdelaydm1 contextdelaydm2 multidelaydm"
    names = f"fdgo fdanti reactgo reactanti delaygo delayanti {dm} dmsgo dmsnogo dmcgo dmcnogo"
    assert " ".join(rule_name(task) for task in BATTERY) == names


def test_the_command_writes_what_the_page_shows(write, tmp_path, monkeypatch):
    monkeypatch.setattr("cemrnn.reproduce.project.Project.build", tmp_path / "build")
    ran = CliRunner().invoke(main, ["validate", "--driscoll", str(write()), "--trials", "200"])
    assert ran.exit_code == 0, ran.output
    path = tmp_path / "build" / "bench" / "validation.json"
    table = describe_validation(path)
    assert json.loads(path.read_text())["date"] in table and "| `driscoll` | opposed | 1 of 1 |" in table
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
