"""Experiments and their figures, on small networks that are really trained, and on answers made by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from cemrnn.experiments import EXPERIMENTS, fig1_tasks, fig2_ambiguity
from cemrnn.experiments.ambiguous import ArmCurves, _deal_cues, draw_conflicts
from cemrnn.experiments.battery import draw_test_trials, load_populations, summarise
from cemrnn.experiments.fig1_tasks import TasksConfig
from cemrnn.experiments.fig2_ambiguity import AmbiguityConfig
from cemrnn.figures import FIGURES
from cemrnn.figures.style import LOOKS
from cemrnn.metrics import answer_outputs, score_trials
from cemrnn.modulation import ARMS
from cemrnn.tasks import TrialStream, conflict_pairs
from cemrnn.tasks.encoding import decode_inputs

NETWORKS = dict(
    arms=["plain", "excitability", "synaptic", "combined"],
    tasks=["reaction_pro", "reaction_anti"],
    preset="fast",
    encoding="cosine",
    n_units=24,
    rank=4,
    activation="relu",
    n_replicates=2,
    seed=1,
    n_updates=200,
    batch_trials=32,
    learning_rate=0.01,
    target_score=0.95,
    passing_score=0.7,
    test_trials=40,
    device="cpu",
)
TASKS = TasksConfig.from_params(NETWORKS | dict(example_arm="combined", chance_trials=500))
AMBIGUITY = AmbiguityConfig.from_params(
    NETWORKS
    | dict(lambdas=[0, 0.25, 0.5, 0.75, 1], sigmas=[0, 0.4, 1.6], kappas=[0, 0.5, 1], pair_trials=60, chance_trials=500)
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMRNN_STORE", str(tmp_path_factory.mktemp("store")))
        yield {"fig1_tasks": fig1_tasks.run(TASKS), "fig2_ambiguity": fig2_ambiguity.run(AMBIGUITY)}


def test_every_experiment_has_its_figure():
    assert EXPERIMENTS.keys() == FIGURES.keys()
    assert set(LOOKS) == {*ARMS, "separate", "gru", "lstm"}
    assert len({look.colour for look in LOOKS.values()}) == len({look.marker for look in LOOKS.values()}) == len(LOOKS)


def test_both_figures_use_the_same_networks():
    assert fig1_tasks.conditions(TASKS) == fig2_ambiguity.conditions(AMBIGUITY)
    assert len(fig1_tasks.conditions(TASKS)) == 4 * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(arms=["exitability"]), "unknown arm 'exitability'; did you mean 'excitability'"),
        (dict(lambdas=[0.0, 1.0]), "lambdas: expected increasing levels that include"),
        (dict(tasks=["reaction_pro", "match_location_go"]), "tasks: expected tasks that can conflict"),
        (dict(n_unit=3), "unknown parameter of AmbiguityConfig 'n_unit'; did you mean 'n_units'"),
    ],
)
def test_configs_refuse_what_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        AmbiguityConfig.from_params(AMBIGUITY.to_dict() | change)


def test_scores_are_those_of_the_trained_networks(results):
    tables = results["fig1_tasks"].tables
    scores = tables["scores"].set_index(["arm", "task"])["score"]
    population = next(p for p in load_populations(TASKS) if p.arm == "combined")
    trials = draw_test_trials(TASKS)
    outputs, _ = population.model.simulate(trials.inputs, trials.cue(), noise=None)
    noiseless = score_trials(outputs, trials, "last36").mean().item()  # other noise, so only about the same
    assert scores["combined"].mean() == pytest.approx(noiseless, abs=0.1)
    assert scores["plain"].mean() < 0.6 < scores["excitability"].mean()  # without context pro and anti look alike
    networks = tables["networks"]
    assert (networks["n_updates"] <= 200).all()
    assert networks["n_parameters"].max() / networks["n_parameters"].min() < 1.04
    worst = networks.groupby("arm")["worst_score"].mean()
    assert results["fig1_tasks"].scalars["worst_combined"] == pytest.approx(worst["combined"])


def test_learning_curves_end_where_training_did(results):
    learning = results["fig1_tasks"].tables["learning"]
    networks = results["fig1_tasks"].tables["networks"]
    for arm, part in learning.groupby("arm"):
        assert part["update"].is_monotonic_increasing
        assert part["update"].max() == networks[networks["arm"] == arm]["n_updates"].max()


def test_example_trials_show_one_trial_of_each_task(results):
    examples = results["fig1_tasks"].tables["examples"]
    for _, part in examples.groupby("task"):
        assert (np.diff(part["time_ms"]) == 40).all()
        error = (part[["output_1", "output_2"]].iloc[-1].to_numpy() - part[["target_1", "target_2"]].iloc[-1]).abs()
        assert error.max() < 0.7  # the network answers; an opposite answer is 2 off


def test_answers_made_by_hand_are_counted():
    conflicts = draw_conflicts(AMBIGUITY, CPU)
    assert conflicts.pairs.tolist() == [[0, 1], [1, 0]] == [list(p) for p in conflict_pairs(AMBIGUITY.task_set)]
    own = answer_outputs(conflicts.trials, conflicts.trials.response)
    other = answer_outputs(conflicts.trials, conflicts.other_response)
    first, second = conflicts.answers(own)
    assert first.shape == (2, 2)
    assert (first == 1).all() and (second == 0).all()
    first, second = conflicts.answers(other)
    assert (first == 0).all() and (second == 1).all()
    half = torch.arange(own.shape[1]) < own.shape[1] // 2
    first, second = conflicts.answers(torch.where(half[:, None, None], own, other))
    np.testing.assert_allclose([first, second], 0.5)
    assert (conflicts.own.argmax(-1) == conflicts.trials.task).all()
    assert (conflicts.other.argmax(-1) == 1 - conflicts.trials.task).all()


def test_shuffled_cues_are_dealt_evenly():
    dealt = _deal_cues(n_trials=24, n_pairs=4)
    assert sorted(dealt) == list(range(24))  # every cue is used once
    counts = np.zeros((4, 4))
    np.add.at(counts, (np.arange(24) % 4, dealt % 4), 1)
    assert counts.min() >= 1 and counts.max() <= 2  # six trials of a pair get cues of all four pairs


def make_curves(passed=(True, True)):
    """Two networks, one pair: accuracy falls from 1 by steps; half of what is lost goes to the other task."""
    levels = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    own = np.array([[[1.0, 0.9, 0.6, 0.3, 0.2]], [[1.0, 1.0, 0.6, 0.2, 0.2]]])
    return ArmCurves(
        arm="bias",
        passed=np.array(passed),
        levels={name: levels for name in ("mixture", "noise", "strength")},
        own={"mixture": own, "noise": own, "strength": own[..., ::-1]},
        other={name: (1 - own) / 2 for name in ("mixture", "noise", "strength")},
        chance=np.array([0.2]),
    )


def test_measures_have_their_closed_forms():
    networks = make_curves().networks()
    # normalised accuracy is (a - .2) / .8: 1, .875, .5, .125, 0 and 1, 1, .5, 0, 0
    np.testing.assert_allclose(networks["auc"], [(1 + 2 * 0.875 + 0.5) / 4, (1 + 2 * 1 + 0.5) / 4])
    # it falls to .75 a third of the way from .875 to .5, and half-way from 1 to .5
    np.testing.assert_allclose(networks["sigma75"], [0.25 + 0.25 / 3, 0.375])
    np.testing.assert_allclose(networks["kappa75"], [0.75 - 0.25 / 3, 0.625])
    np.testing.assert_allclose(networks["blends"], [1 - 0.6 - 0.2] * 2)


def test_networks_that_did_not_pass_are_left_out():
    networks = make_curves(passed=(True, False)).networks()
    assert networks["auc"].notna().tolist() == [True, False]
    assert make_curves(passed=(True, False)).curves().groupby("network")["own"].count().tolist() == [15, 0]


def test_a_swapped_cue_swaps_the_task_and_no_cue_does_neither(results):
    choices = results["fig2_ambiguity"].tables["choices"].set_index(["arm", "level", "answer"])["share"]
    curves = results["fig2_ambiguity"].tables["curves"].set_index(["arm", "manipulation", "level"])["normalised"]
    for arm in ("excitability", "synaptic", "combined"):
        assert choices[arm, 0.0, "own"] > 0.7 > 0.2 > choices[arm, 0.0, "other"]
        assert choices[arm, 1.0, "other"] > 0.7 > 0.2 > choices[arm, 1.0, "own"]
        assert sum(choices[arm, 0.5, answer] for answer in ("own", "other", "neither")) == pytest.approx(1)
        for start in (("mixture", 0.0), ("noise", 0.0), ("strength", 1.0)):
            assert curves[(arm, *start)] == pytest.approx(1)  # the same trials with the right cue
        assert curves[arm, "noise", 1.6] < 0.8
    assert np.isnan(curves["plain", "mixture", 0.0])  # it did not learn and is not compared


def test_controls_fail_as_they_must(results):
    scalars = results["fig2_ambiguity"].scalars
    assert abs(scalars["accuracy_shuffled_normalised"]) < 0.1
    assert scalars["accuracy_untrained"] < scalars["chance"] + 0.1
    controls = results["fig2_ambiguity"].tables["controls"].set_index(["arm", "control"])["accuracy"]
    for arm in ("excitability", "synaptic", "combined"):
        assert controls[arm, "clean"] > controls[arm, "shuffled"] + 0.2
        assert controls[arm, "clean"] > controls[arm, "untrained"] + 0.4


def test_results_repeat_exactly(results):
    again = fig2_ambiguity.run(AMBIGUITY)
    for name, table in results["fig2_ambiguity"].tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])
    for name, value in results["fig2_ambiguity"].scalars.items():
        assert again.scalars[name] == value or (np.isnan(value) and np.isnan(again.scalars[name]))


def test_intervals_are_over_networks():
    table = pd.DataFrame({"arm": ["bias"] * 6, "score": [0.1, 0.2, 0.3, 0.4, 0.5, np.nan]})
    row = summarise(table, ["arm"], "score", seed=0).iloc[0]
    assert row["score"] == pytest.approx(0.3)
    assert row["n"] == 5
    assert 0.1 < row["low"] < 0.3 < row["high"] < 0.5


@pytest.mark.parametrize("stem", ["fig1_tasks", "fig2_ambiguity"])
def test_figures_label_every_axis_and_show_every_arm_in_its_colour(results, stem):
    figure = FIGURES[stem].plot(results[stem])
    axes = [a for a in figure.get_axes() if a.get_visible()]
    for a in axes:
        shows_x = a.xaxis.get_tick_params()["labelbottom"]
        assert not shows_x or a.get_xlabel() or not any(t.get_text().isdigit() for t in a.get_xticklabels())
    legends = [*figure.legends, *(legend for sub in figure.subfigs for legend in sub.legends)]
    colours = {
        text.get_text(): to_hex(handle.get_color())
        for legend in legends
        for text, handle in zip(legend.get_texts(), legend.get_lines(), strict=False)
    }
    for arm in NETWORKS["arms"]:
        assert colours[arm] == to_hex(LOOKS[arm].colour)
    letters = {a.get_title(loc="left") for a in axes} | {
        text.get_text() for sub in figure.subfigs for text in sub.texts
    }
    expected = "abc" if stem == "fig1_tasks" else "abcdefgh"
    assert set(expected) <= letters


def test_plotted_points_are_the_table(results):
    figure = FIGURES["fig2_ambiguity"].plot(results["fig2_ambiguity"])
    curves = results["fig2_ambiguity"].tables["curves"]
    panel = next(a for a in figure.get_axes() if a.get_title(loc="left") == "c")
    drawn = {line.get_label(): line.get_ydata() for line in panel.get_lines() if line.get_label() in NETWORKS["arms"]}
    assert set(drawn) == {"excitability", "synaptic", "combined"}
    for arm, values in drawn.items():
        expected = curves[(curves["arm"] == arm) & (curves["manipulation"] == "noise")]["normalised"]
        np.testing.assert_array_equal(values, expected)


def test_a_ring_is_shown_as_the_direction_it_encodes():
    shown = {}
    for encoding in ("cosine", "ring"):
        tasks = dataclasses.replace(TASKS, encoding=encoding).task_set
        trials = TrialStream(tasks, [0]).draw(20)
        last = trials.end_steps[0] - 1
        shown[encoding] = decode_inputs(trials.inputs[0].numpy(), tasks)[np.arange(20), last]
    assert shown["ring"].shape == (20, 5)
    np.testing.assert_allclose(shown["ring"], shown["cosine"], atol=0.35)  # the same stimuli, other noise
    assert np.abs(shown["ring"][:, 1:]).max() > 0.7
