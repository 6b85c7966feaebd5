"""What the live model runs on: the right networks and times, as a script, or one line on why there is none."""

import base64
import json
import logging

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.fig1_tasks.experiment import TasksConfig
from cemrnn.network.model import CEMRNN
from cemrnn.reproduce import play
from cemrnn.reproduce.project import Project
from cemrnn.store.entry import entry_key
from cemrnn.store.store import Store
from cemrnn.tasks import PRESETS, TaskSet
from cemrnn.tasks.respond import DELAY, MEMORY, REACTION
from tests.entries import make_network
from tests.fixtures.copies import REPOSITORY

TASKS = ("memory_pro", "memory_anti", "delay_pro", "rotate_1_of_4", "decide_ctx1_sequential", "decide_ctx2_sequential")


def config(**changes):
    """Settings of figure 1 with two small networks per arm."""
    settings = dict(
        n_replicates=2, seed=3, device="cpu", preset="fast", activation="relu", n_updates=5, batch_trials=4,
        learning_rate=0.01, test_trials=4, arms=play.ARMS_SHOWN, target_score=0.9, tasks=TASKS, encoding="cosine",
        n_units=8, rank=2, passing_score=0.5, example_arm="combined", chance_trials=10,
    )  # fmt: skip
    return TasksConfig(**settings | changes)


@pytest.fixture
def scores(tmp_path, monkeypatch):
    """Path of the table of networks, all of which lie in a store; the second of each arm is the better one."""
    monkeypatch.setenv("CEMRNN_STORE", str(tmp_path / "store"))
    rows = []
    for arm in play.ARMS_SHOWN:
        for m, training in enumerate(config().training(arm)):
            network = make_network(training, seed=training.seed)
            columns = ["update", "loss", *TASKS]
            history = pd.DataFrame(np.ones((1, len(columns)), np.float32), columns=columns)
            Store.default().save(training, network.__class__(network.flat, "reached", 5, history))
            rows.append({"arm": arm, "network": m, "status": "reached", "worst_score": 0.4 + 0.2 * m})
    pd.DataFrame(rows).to_csv(tmp_path / "networks.csv", index=False)
    return tmp_path / "networks.csv"


def test_the_best_network_of_each_arm_is_shown_with_its_weights_and_key(scores):
    shown = play.find_networks(config(), scores)
    assert [(s.training.network.arm, s.training.seed, s.passed) for s in shown] == [
        (arm, 4, True) for arm in play.ARMS_SHOWN
    ]
    for of_arm, record in zip(shown, play.describe(config().task_set, shown)["networks"], strict=True):
        assert record["key"] == entry_key(of_arm.training)
        assert record["config"]["n_units"] == of_arm.training.network.n_units
        model = CEMRNN(of_arm.training.network, [0])
        model.load(of_arm.flat[None])
        for name, tensor in model.parameters.items():
            values = np.frombuffer(base64.b64decode(record["tensors"][name]), "<f4")
            np.testing.assert_array_equal(values, tensor[0].detach().numpy().ravel())


def test_a_network_that_failed_is_not_shown(scores):
    table = pd.read_csv(scores)
    table.loc[table["network"] == 1, "status"] = "failed"
    table.to_csv(scores, index=False)
    assert [(s.training.seed, s.passed) for s in play.find_networks(config(), scores)] == [(3, False)] * 3


def test_what_is_missing_is_named(scores, monkeypatch):
    with pytest.raises(play.NoNetworkError, match="fig1_tasks has not run"):
        play.find_networks(config(), scores.with_name("none.csv"))
    with pytest.raises(play.NoNetworkError, match="encoding cosine, and these have ring"):
        play.find_networks(config(encoding="ring"), scores)
    with pytest.raises(play.NoNetworkError, match="the store lacks excitability.*seed 4"):
        play.find_networks(config(n_updates=6), scores)
    table = pd.read_csv(scores)
    table[table["arm"] != "synaptic"].to_csv(scores, index=False)
    with pytest.raises(play.NoNetworkError, match="no network of the arm synaptic"):
        play.find_networks(config(), scores)


def test_trials_have_the_median_of_all_durations():
    # Durations of Yang et al. 2019, halved, in steps of 40 ms: memory 500, 400, median of 200, 400, 800, 1600, 500 ms.
    times = {name: play.place_events(family, PRESETS["fast"]) for name, family in
             {"memory": MEMORY, "delay": DELAY, "reaction": REACTION}.items()}  # fmt: skip
    assert times["memory"] == dict(stimulus_on=6, stimulus_off=11, fixation_off=19, go=19, end=25)
    assert times["delay"] == dict(stimulus_on=6, stimulus_off=24, fixation_off=18, go=18, end=24)
    assert times["reaction"] == dict(stimulus_on=19, stimulus_off=25, fixation_off=25, go=19, end=25)


def test_tasks_are_offered_that_turn_one_stimulus_by_different_angles():
    offered = {task["name"]: task for task in play.describe_tasks(config().task_set)}
    assert {name: task["others"] for name, task in offered.items()} == {
        "memory_pro": ["memory_anti"],
        "memory_anti": ["memory_pro"],
        "delay_pro": ["rotate_1_of_4"],
        "rotate_1_of_4": ["delay_pro"],
    }
    assert offered["rotate_1_of_4"]["turn_rad"] == pytest.approx(np.pi / 2)
    assert offered["rotate_1_of_4"]["index"] == 3
    lonely = TaskSet(names=("memory_pro", "decide_ctx1_sequential"), preset="fast")
    with pytest.raises(play.NoNetworkError, match="there are none"):
        play.describe(lonely, [])


def test_curves_are_those_of_equal_parameters(tmp_path):
    assert play.read_curves(tmp_path / "none.csv") == {}
    rows = [
        ("parameters", "combined", "mixture", 0.0, 1.0),
        ("parameters", "combined", "mixture", 1.0, np.nan),
        ("units", "combined", "mixture", 0.0, 0.5),
        ("parameters", "plain", "mixture", 0.0, 0.5),
        ("parameters", "synaptic", "noise", 0.5, 0.25),
    ]
    pd.DataFrame(rows, columns=["group", "arm", "manipulation", "level", "normalised"]).to_csv(tmp_path / "c.csv")
    assert play.read_curves(tmp_path / "c.csv") == {
        "mixture": {"excitability": [], "synaptic": [], "combined": [[0.0, 1.0]]},
        "noise": {"excitability": [], "synaptic": [[0.5, 0.25]], "combined": []},
    }


def test_a_script_that_is_too_large_is_refused():
    start, end = "(globalThis.cemrnnPlay ??= {}).data = ", ";\n"
    script = play.to_script({"profile": "quick"})
    assert json.loads(script.removeprefix(start).removesuffix(end)) == {"profile": "quick"}
    with pytest.raises(play.NoNetworkError, match="600 kB, and a page loads 500 at most"):
        play.to_script({"weights": "A" * 600_000})


def test_a_book_without_networks_says_so_and_is_built(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CEMRNN_STORE", str(tmp_path / "store"))
    project = Project(tmp_path)
    for folder in ("notebooks", "source", "tables"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "fig1_tasks.ipynb").touch()
    (tmp_path / "notebooks" / "params").symlink_to(REPOSITORY / "notebooks" / "params")
    with caplog.at_level(logging.WARNING):
        play.write_play(project, "smoke", tmp_path / "source", tmp_path / "tables")
    assert caplog.messages == ["the page Play has no network: fig1_tasks has not run"]
    assert (tmp_path / "tables" / "play.md").read_text() == "There is no network here: fig1_tasks has not run.\n"
    assert '{"missing": "fig1_tasks has not run"}' in (tmp_path / "source" / "play" / "data.js").read_text()
