"""A task that a file of one's own registers: it trains beside a built-in one, and figures 1 and 2 draw it."""

import dataclasses

import numpy as np
import pytest

from cemrnn.figures import load_experiment, load_plot
from cemrnn.figures.fig1_tasks.experiment import TasksConfig
from cemrnn.figures.fig2_ambiguity.trained import TrainedConfig
from cemrnn.figures.style import list_parts
from cemrnn.store.entry import entry_key
from cemrnn.tasks import TASKS, Family, Task, TaskSet, TrialStream, Window, choice, conflict_pairs, register_task
from cemrnn.tasks.registry import OWN
from tests.figures.test_all import NETWORKS
from tests.networks import small_config

# The whole of two tasks: a brief stimulus in the first modality, answer a quarter or three quarters of a turn away.
TURN = np.pi / 2
TIMING = {"yang": {"fixation": choice(200), "stimulus1": choice(400), "delay1": choice(200), "response": choice(600)}}


def draw_brief(rows, uniforms, stimuli, preset):
    stimuli.direction_rad[rows, 0] = 2 * np.pi * uniforms[rows, 0]
    stimuli.strength[rows, 0, 0] = 0.5 + uniforms[rows, 1]


def answer_aside(direction_rad, strength, parameters, answers, defined):
    answers[:] = (direction_rad[:, 0] + TURN * parameters) % (2 * np.pi)  # (rule, trial)
    defined[:] = np.isnan(direction_rad[:, 1])


def register():
    family = Family(TIMING, draw_brief, 2, (Window(1, 2), Window(6, 6)))
    for name, quarters in (("aside_left", 1.0), ("aside_right", 3.0)):
        register_task(name, Task(family, answer_aside, (quarters,)))


# The end of it: what follows tests it.
NAMES = ("aside_left", "aside_right", "reaction_pro")
SIZES = NETWORKS | dict(arms=["excitability", "combined"], tasks=NAMES, n_updates=300, target_score=0.9)


@pytest.fixture(autouse=True)
def registered(monkeypatch, tmp_path):
    monkeypatch.setenv("CEMRNN_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    register()
    yield
    for name in NAMES[:2]:
        TASKS.pop(name, None)
        OWN.discard(name)


def test_it_draws_its_trials_and_answers():
    tasks = TaskSet(names=NAMES, preset="fast")
    trials = TrialStream(tasks, [0]).draw(30, np.arange(30) % 3)
    left = trials.task[0] == 0
    np.testing.assert_array_equal(
        trials.end_steps[0][left].unique(), 2 + 5 + 2 + 8
    )  # 200, 400, 200, 600 ms, halved, in steps
    shown = trials.inputs[0, left, 6, 1:3].numpy()
    direction = np.arctan2(shown[:, 1], shown[:, 0])
    away = (trials.response[0][left].numpy() - direction) % (2 * np.pi)
    np.testing.assert_allclose(away, np.pi / 2, atol=0.4)  # the input is noisy
    assert conflict_pairs(tasks) == [(0, 1), (1, 0)]


def test_figures_compute_and_draw_it():
    sizes = SIZES | dict(chance_trials=200)
    levels = dict(lambdas=[0, 0.5, 1], sigmas=[0, 0.5], kappas=[0, 1], pair_trials=40)
    levels |= dict(compared=["combined"], trained_sigma=0.6, trained_replicates=1, test_sigma=0.4, test_step_sigma=1.0)
    levels |= dict(
        trained_kinds=[],
        kind_replicates=1,
        trained_weak_sigma=0.3,
        train_at_units=False,
        test_mixture=0.35,
        test_strength=0.4,
        test_ms=400.0,
    )
    configs = {
        "fig1_tasks": TasksConfig.from_params(sizes | dict(example_arm="combined")),
        "fig2_ambiguity": TrainedConfig.from_params(sizes | levels),
    }
    results = {stem: load_experiment(stem).run(config) for stem, config in configs.items()}
    scores = results["fig1_tasks"].tables["scores"].set_index(["arm", "task"])["score"]
    assert (scores["combined"] > 0.7).all()  # learned, the built-in one beside them
    answers = results["fig2_ambiguity"].tables["answers"]
    answers = answers.set_index(["group", "arm", "manipulation", "level", "answer"])["share"].sort_index()
    shares = answers["parameters", "combined", "mixture"]
    assert shares[0.0, "own"] > 0.7 and shares[1.0, "other"] > 0.7
    for stem, result in results.items():
        drawn = list_parts(load_plot(stem).plot(result)).values()
        texts = [text.get_text() for figure in drawn for text in figure.findobj() if hasattr(text, "get_text")]
        assert stem != "fig1_tasks" or "aside left" in texts


def test_its_code_is_in_the_key_of_its_networks(monkeypatch):
    def key(names=NAMES[:2]):
        return entry_key(small_config(tasks=TaskSet(names=names, preset="fast")))

    first, builtin = key(), key(("reaction_pro",))
    register()
    assert key() == first
    monkeypatch.setattr(f"{__name__}.TURN", 1.5)  # a number that the rule refers to
    assert key() != first
    monkeypatch.undo()
    family = dataclasses.replace(TASKS["aside_left"].family, timing={"yang": {"response": choice(600)}})
    register_task("aside_left", dataclasses.replace(TASKS["aside_left"], family=family))
    assert key() != first and key(("reaction_pro",)) == builtin


def test_what_is_no_task_is_refused():
    family = TASKS["aside_left"].family
    for make, message in (
        (lambda: register_task("zz", 3), "task: expected a Task of a family and a rule, got 3"),
        (lambda: register_task(3, TASKS["aside_left"]), "name: expected letters"),
        (lambda: Task(3, answer_aside, (1.0,)), "family: expected a Family, got 3"),
        (lambda: Task(family, "turn", (1.0,)), "rule: expected a function, got 'turn'"),
        (
            lambda: Task(family, answer_aside, (1.0,), "directon"),
            "unknown answer_kind 'directon'; did you mean",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            make()


@pytest.mark.parametrize("name", ["memory_pro", "rotate_0_of_2", "two words"])
def test_names_that_are_taken_or_none_are_refused(name):
    with pytest.raises(ValueError, match="name: expected"):
        register_task(name, TASKS["memory_pro"])
