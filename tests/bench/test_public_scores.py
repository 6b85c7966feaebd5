"""Figure 1's networks on trials of a generator: here a made-up one, and networks that answer what they were shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cemrnn.bench.generators import draw_theirs, find_module, load_generator
from cemrnn.bench.public_scores import RetimedTasks, score_generator, show_theirs
from cemrnn.bench.validate import FEWEST_P, describe_validation
from cemrnn.commands.main import main
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.generator import write_generator

TASKS = ("delay_pro", "memory_anti", "memory_pro", "reaction_pro")


class Reader:
    """Networks that remember what they were shown, and give it when fixation goes off or, without a cue, at once."""

    flat, n_networks = torch.zeros(2, 1), 2

    def __init__(self, at_once):
        self.at_once = at_once  # context without a cue

    def simulate(self, inputs, context, *, noise, lengths):
        shown = (inputs[..., 1:3] + inputs[..., 3:5]).cumsum(2)
        waits = (inputs[..., 0] > 0.5) & (context[:, :, None, self.at_once] < 0.5)
        return torch.cat([waits[..., None].float(), shown], -1), None


@pytest.fixture
def config():
    return make_config(Project(), "fig1_tasks", "smoke", {"tasks": list(TASKS)})


def load(folder, *changes):
    return load_generator(find_module("driscoll", write_generator(folder, *changes)))


def score(folder, config, *changes, n_trials=300):
    rows = score_generator(
        {"plain": Reader(TASKS.index("reaction_pro"))},
        config,
        "driscoll",
        load(folder, *changes),
        n_trials,
        lambda line: None,
    )
    return {(row["task"], row["quantity"]): row for row in rows}


def test_scores_are_those_on_our_trials_where_the_generator_draws_the_same(tmp_path, config):
    rows = score(tmp_path, config)
    assert {task for task, _ in rows} == {"delay_pro", "memory_pro", "reaction_pro"}  # it has no memory_anti
    assert {rule for _, rule in rows} == {"last36", "last18"} and {row["arm"] for row in rows.values()} == {"plain"}
    assert min(min(row["ours"], row["theirs"]) for row in rows.values()) > 0.95
    assert min(row["p"] for row in rows.values()) >= FEWEST_P


def test_scores_differ_where_the_generator_asks_for_other_answers(tmp_path, config):
    rows = score(tmp_path, config, ('"out", theta, ons=go', '"out", (theta + 0.45) % (2 * np.pi), ons=go'))
    assert rows["delay_pro", "last18"]["p"] < FEWEST_P and rows["delay_pro", "last18"]["theirs"] < 0.1
    assert rows["delay_pro", "last36"]["p"] >= FEWEST_P  # 0.45 rad are less than 36 degrees


def test_their_trials_have_the_steps_and_the_inputs_of_the_networks(tmp_path):
    generator = load(tmp_path)
    tasks = RetimedTasks(names=TASKS, preset="driscoll", learned="fast")
    drawn = draw_theirs(generator, "driscoll", "memory_pro", 400, tasks.settings)
    trials = show_theirs(generator, tasks, 2, 400, seed=1)
    assert tasks.dt_ms == 40 and tasks.sigma_x == 0.02 and (trials.task == 2).all()
    delays_ms = 40 * (trials.onsets[0, :, 3] - trials.onsets[0, :, 2])  # a delay of 200 to 1600 ms, halved
    assert delays_ms.min() < 140 and 700 < delays_ms.max() <= 800
    noise = trials.inputs[0, 0, : len(drawn.inputs[0])].numpy() - drawn.inputs[0]
    assert np.abs(noise).max() < 6 * 0.02 * np.sqrt(5) and (trials.end_steps[0].numpy() == drawn.onsets[:, -1]).all()


def test_the_command_scores_the_networks_of_the_store_for_the_page(tmp_path, monkeypatch):
    def load_networks(config):
        return dict.fromkeys(config.arms, Reader(config.tasks.index("reaction_pro")))

    monkeypatch.setattr("cemrnn.bench.public_scores.load_networks", load_networks)
    monkeypatch.setattr("cemrnn.reproduce.project.Project.build", tmp_path / "build")
    folder = str(write_generator(tmp_path / "copy"))
    ran = CliRunner().invoke(main, ["validate", "--driscoll", folder, "--trials", "100", "--profile", "smoke"])
    assert ran.exit_code == 0, ran.output
    assert "of 32 scores of figure 1's networks agree" in ran.output  # 8 arms, 2 rules, of the two tasks that both have
    table = describe_validation(tmp_path / "build" / "bench" / "validation.json")
    assert "| `driscoll` | `reaction_pro` | " in table and "16 networks of figure 1 at profile smoke" in table
