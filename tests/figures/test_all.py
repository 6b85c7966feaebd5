"""Experiments and their figures, on small networks that are really trained, and on answers made by hand."""

import dataclasses
import importlib
import itertools
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from cemrnn.figures import find_figure, list_figures, load_experiment, load_plot, style
from cemrnn.figures.fig1_tasks import experiment as fig1_tasks
from cemrnn.figures.fig1_tasks.experiment import TasksConfig
from cemrnn.figures.fig2_ambiguity import experiment as fig2_ambiguity
from cemrnn.figures.fig2_ambiguity.trained import TrainedConfig
from cemrnn.figures.remember import from_document, to_document
from cemrnn.figures.shared.ambiguity import ArmCurves, draw_conflicts
from cemrnn.figures.shared.battery import draw_test_trials, load_populations
from cemrnn.figures.shared.frames import summarise
from cemrnn.figures.shared.packing import SEPARATE
from cemrnn.figures.style import LOOKS, draw_narrow, list_parts
from cemrnn.network.pathways import ARMS
from cemrnn.reproduce.claims import load_claims
from cemrnn.reproduce.finding import FIELD, TEMPLATE, write_finding
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.store.entry import seal, unseal
from cemrnn.store.store import Store
from cemrnn.sweep import run as sweep
from cemrnn.sweep.run import train_missing
from cemrnn.tasks import TrialStream, conflict_pairs
from cemrnn.tasks.encoding import decode_inputs
from cemrnn.tasks.scores import answer_outputs, score_trials
from tests.drawn import find_faults, legends_of, letters_of, panels_of

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
AMBIGUITY = TrainedConfig.from_params(
    NETWORKS
    | dict(lambdas=[0, 0.25, 0.5, 0.75, 1], sigmas=[0, 0.4, 1.6], kappas=[0, 0.5, 1], pair_trials=60, chance_trials=500)
    | dict(compared=["excitability", "synaptic", "combined"], trained_sigma=0.6, trained_replicates=2)
    | dict(trained_kinds=["mixture"], kind_replicates=2, trained_weak_sigma=0.3, train_at_units=True)
    | dict(test_sigma=0.4, test_step_sigma=1.0, test_mixture=0.35, test_strength=0.4, test_ms=400.0)
)
CPU = torch.device("cpu")
recorder = importlib.import_module("cemrnn.reproduce.record")
ROOT = Path(__file__).parents[2]
CLAIMS = load_claims(list_figures())


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder for the networks of this file; results are not kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMRNN_STORE", str(tmp_path_factory.mktemp("store")))
        patch.delenv("CEMRNN_RESULTS", raising=False)
        yield Store.default()


@pytest.fixture(scope="module")
def results(store):
    """Networks that have learned, so that what figures 1 and 2 say can be checked."""
    return {"fig1_tasks": fig1_tasks.run(TASKS), "fig2_ambiguity": fig2_ambiguity.run(AMBIGUITY)}


def shrink(stem):
    """The config of an experiment at the profile smoke, with hardly any training."""
    config = make_config(Project(ROOT), stem, "smoke")
    fields = {field.name for field in dataclasses.fields(config)}
    return dataclasses.replace(config, device="cpu", **{name: 8 for name in fields if name.endswith("n_updates")})


@pytest.fixture(scope="module", params=list_figures())
def result(request, store):
    """The result of every registered experiment; it may use no networks but those that it lists."""
    experiment, config = load_experiment(request.param), shrink(request.param)
    train_missing(experiment.conditions(config), store, device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "train_missing", lambda configs, *_, **__: pytest.fail(f"not in conditions: {configs[0]}"))
        return experiment.run(config)


@pytest.fixture(scope="module")
def figures(result):
    """Every part of the figure of every registered experiment, by its name."""
    return list_parts(load_plot(result.stem).plot(result))


def test_every_arm_has_a_look_of_its_own():
    assert set(LOOKS) == {*ARMS, SEPARATE, "gru", "lstm"}
    assert len({look.colour for look in LOOKS.values()}) == len({look.marker for look in LOOKS.values()}) == len(LOOKS)


def test_the_finding_has_its_numbers_and_reads_as_text(result):
    template = (find_figure(result.stem) / TEMPLATE).read_text(encoding="utf-8")
    assert len(FIELD.findall(template)) > 3
    text = write_finding(result)
    assert not re.search(r"\{[a-z]|<arm>|<model>|nan", text)


@pytest.mark.parametrize("stem", ["fig2_ambiguity", "fig3_packing", "fig4_dynamics"])
def test_the_finding_is_told_though_an_arm_is_lacking(store, stem):
    arms = {"arms": ("plain", "synaptic")} | ({"side_arms": ("bias",)} if stem == "fig3_packing" else {})
    result = load_experiment(stem).run(dataclasses.replace(shrink(stem), **arms))
    assert "excitability_minus_synaptic" in " ".join(result.scalars) and "nan" not in write_finding(result)
    assert all(figure.get_axes() for figure in list_parts(load_plot(stem).plot(result)).values())


def test_both_figures_use_the_same_networks():
    assert set(fig1_tasks.conditions(TASKS)) < set(fig2_ambiguity.conditions(AMBIGUITY))
    assert len(fig1_tasks.conditions(TASKS)) == 4 * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(arms=["exitability"]), "unknown arm 'exitability'; did you mean 'excitability'"),
        (dict(lambdas=[0.0, 1.0]), "lambdas: expected 3 or more increasing levels that include"),
        (dict(tasks=["reaction_pro", "match_location_go"]), "tasks: expected tasks that can conflict"),
        (dict(n_unit=3), "unknown parameter of TrainedConfig 'n_unit'; did you mean 'n_units'"),
    ],
)
def test_configs_refuse_what_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        TrainedConfig.from_params(AMBIGUITY.to_dict() | change)


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
        silent={name: (1 - own) / 4 for name in ("mixture", "noise", "strength")},
        chance=np.array([0.2]),
        pairs=np.array([[0, 1]]),
    )


def test_measures_have_their_closed_forms():
    networks = make_curves().networks()
    # normalised accuracy is (a - .2) / .8: 1, .875, .5, .125, 0 and 1, 1, .5, 0, 0
    np.testing.assert_allclose(networks["auc"], [(1 + 2 * 0.875 + 0.5) / 4, (1 + 2 * 1 + 0.5) / 4])
    # it falls to .75 a third of the way from .875 to .5, and half-way from 1 to .5
    np.testing.assert_allclose(networks["sigma75"], [0.25 + 0.25 / 3, 0.375])
    np.testing.assert_allclose(networks["kappa75"], [0.75 - 0.25 / 3, 0.625])
    np.testing.assert_allclose(networks["blends"], [1 - 0.6 - 0.2] * 2)
    np.testing.assert_allclose(networks["noise"], [(0.5 + 0.875 + 0.5 + 0.125) / 4, (0.5 + 1 + 0.5) / 4])
    curves = make_curves().curves()
    curves = curves[curves["manipulation"] != "strength"]
    np.testing.assert_allclose(curves[["own", "other", "silent", "astray"]].sum(axis=1), 1)
    np.testing.assert_allclose(curves["astray"], curves["silent"])


def test_networks_that_did_not_pass_are_left_out():
    networks = make_curves(passed=(True, False)).networks()
    assert networks["auc"].notna().tolist() == [True, False]
    assert make_curves(passed=(True, False)).curves().groupby("network")["own"].count().tolist() == [15, 0]


def test_a_swapped_cue_swaps_the_task_and_no_cue_does_neither(results):
    tables = results["fig2_ambiguity"].tables
    answers = tables["answers"].set_index(["group", "arm", "manipulation", "level", "answer"])["share"].sort_index()
    curves = tables["curves"].set_index(["group", "arm", "manipulation", "level"])["normalised"]
    for arm in ("excitability", "synaptic", "combined"):
        shares = answers["parameters", arm, "mixture"]
        assert shares[0.0, "own"] > 0.7 > 0.2 > shares[0.0, "other"]
        assert shares[1.0, "other"] > 0.7 > 0.2 > shares[1.0, "own"]
        assert shares[0.5].sum() == pytest.approx(1)
        for start in (("mixture", 0.0), ("noise", 0.0), ("strength", 1.0)):
            assert curves[("parameters", arm, *start)] == pytest.approx(1)  # the same trials with the right cue
        assert curves["parameters", arm, "noise", 1.6] < 0.8
    assert np.isnan(curves["parameters", "plain", "mixture", 0.0])  # it did not learn and is not compared


def test_training_with_noise_helps_against_it(results):
    tests = results["fig2_ambiguity"].tables["tests"].set_index(["group", "test", "arm"])["accuracy"].sort_index()
    assert np.allclose(tests.xs("clean", level="test"), 1)
    for test in ("frozen noise", "step noise"):
        assert tests["trained", test].mean() > tests["parameters", test].mean()


def test_controls_fail_as_they_must(results):
    assert abs(results["fig2_ambiguity"].scalars["plain_favours_cued"]) < 0.1
    assert results["fig2_ambiguity"].scalars["largest_lead_over_ideal"] < 0.1
    assert results["fig2_ambiguity"].scalars["largest_lead_in_errors"] < 4  # of hundreds of networks and levels


def test_results_repeat_exactly(results):
    again = fig2_ambiguity.run(AMBIGUITY)
    for name, table in results["fig2_ambiguity"].tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])
    for name, value in results["fig2_ambiguity"].scalars.items():
        assert json.dumps(again.scalars[name]) == json.dumps(value)  # NaN and halves included


def test_intervals_are_over_networks():
    table = pd.DataFrame({"arm": ["bias"] * 6, "score": [0.1, 0.2, 0.3, 0.4, 0.5, np.nan]})
    row = summarise(table, ["arm"], "score").iloc[0]
    assert row["score"] == pytest.approx(0.3)
    assert row["n"] == 5
    assert 0.1 < row["low"] < 0.3 < row["high"] < 0.5


def test_a_result_is_complete_and_can_be_kept(result):
    assert result.config.device == "cpu" and result.stem in list_figures()
    assert result.n_replicates == result.config.n_replicates
    assert all(len(table) for table in result.tables.values())
    kept = from_document(unseal(seal(to_document(result))), result.config)
    assert kept.scalars.keys() == result.scalars.keys()
    for name, table in result.tables.items():
        pd.testing.assert_frame_equal(kept.tables[name], table, check_exact=True, check_dtype=False)


def test_every_claim_has_its_measure_from_all_and_from_halves(result):
    measures = [claim.measure for claim in CLAIMS if claim.figure == result.stem]
    ends = ("", "_low", "_high", "_n", "_p", "_halves")
    missing = {f"{name}{end}" for name in measures for end in ends} - result.scalars.keys()
    assert not missing


def test_what_a_measure_says_lies_in_its_interval(result):
    scalars, n_rounds = result.scalars, getattr(result.config, "n_repeats", 0)  # of a measurement of time
    measured = [name.removesuffix("_low") for name in scalars if name.endswith("_low")]
    for name in measured:
        assert np.isnan(scalars[f"{name}_low"]) or scalars[f"{name}_low"] <= scalars[f"{name}_high"], name
        assert scalars[f"{name}_n"] <= max(result.n_replicates, n_rounds), name


def labels_beside(axes):
    """Labels (x, y) that an axis of small multiples takes from its column and its row, or from the whole."""
    part, place = axes.get_figure(root=False), axes.get_subplotspec()
    is_multiple = place and not axes.get_title(loc="left")  # a panel with a letter has labels of its own
    others = [other for other in part.get_axes() if is_multiple and other.get_subplotspec()]
    column = [other.get_xlabel() for other in others if other.get_subplotspec().colspan == place.colspan]
    row = [other.get_ylabel() for other in others if other.get_subplotspec().rowspan == place.rowspan]
    return any([axes.get_xlabel(), part.get_supxlabel(), *column]), any([axes.get_ylabel(), part.get_supylabel(), *row])


def test_every_axis_with_numbers_says_what_they_are(figures):
    for axes in (a for figure in figures.values() for a in figure.get_axes() if a.get_visible()):
        for axis, is_labelled in zip((axes.xaxis, axes.yaxis), labels_beside(axes), strict=True):
            numbered = any(re.fullmatch(r"[-−\d.]+|\$.+\$", label.get_text()) for label in axis.get_ticklabels())
            assert is_labelled or not numbered, axes.get_title(loc="left")


def test_panels_have_letters_without_a_gap_which_the_captions_name(result, figures):
    notebook = nbformat.read(ROOT / "notebooks" / f"{result.stem}.ipynb", as_version=4)
    metadata = next(cell.metadata for cell in notebook.cells if cell.source.startswith("figure = show("))
    texts = {"": metadata.mystnb.figure | metadata.mystnb.image, **metadata.get("cemrnn", {})}
    assert texts.keys() == figures.keys()
    for part, figure in figures.items():
        letters = letters_of(figure)
        assert letters == list("abcdef"[: len(letters)])
        named = re.findall(r"\(([a-f](?:, [a-f])*)\)", texts[part]["caption"])
        assert sorted(", ".join(named).split(", "))[: len(letters)] == letters  # a small profile may have fewer sizes
        assert len(texts[part]["alt"]) > 30


def test_a_phone_has_the_same_panels_one_below_the_other(result, figures):
    narrow = draw_narrow(load_plot(result.stem).plot, result)
    assert set(narrow) == set(figures)
    for part, figure in narrow.items():
        assert letters_of(figure) == letters_of(figures[part])
        assert find_faults(figure) == []
        boxes = [axes.get_window_extent() for axes in panels_of(figure).values()]
        assert all(above.y0 > below.y1 for above, below in itertools.pairwise(boxes))
        assert min(box.width for box in boxes) > figure.get_dpi()  # an inch, beside long names of rows
    assert style.is_narrow() is False


def test_every_text_can_be_read(result, figures, monkeypatch):
    monkeypatch.setattr(recorder, "display", lambda shown: None)
    for figure in recorder.show(figures, result).values():
        assert find_faults(figure) == []


def test_every_arm_has_its_colour_in_the_legend(result, figures):
    colours = {
        text.get_text(): to_hex(line.get_color())
        for legend in legends_of(figures)
        for text, line in zip(legend.get_texts(), legend.get_lines(), strict=False)
    }
    shown = colours.keys() & LOOKS.keys()
    assert set(getattr(result.config, "arms", ())) <= shown
    assert {arm: colours[arm] for arm in shown} == {arm: to_hex(LOOKS[arm].colour) for arm in shown}


def test_plotted_points_are_the_table(results):
    panel = panels_of(load_plot("fig2_ambiguity").plot(results["fig2_ambiguity"]))["a"]
    curves = results["fig2_ambiguity"].tables["curves"]
    drawn = {line.get_label(): line.get_ydata() for line in panel.get_lines() if line.get_label() in NETWORKS["arms"]}
    assert set(drawn) == {"excitability", "synaptic", "combined"}
    for arm, values in drawn.items():
        kept = (curves["group"] == "parameters") & (curves["manipulation"] == "noise")
        expected = curves[kept & (curves["arm"] == arm)]["normalised"]
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
