"""Figure 17 on accuracies that were made up, with verdicts that are known, and the networks that it asks for."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.fig17_continual import experiment as fig17
from cemrnn.figures.fig17_continual.config import Method, conditions
from cemrnn.figures.fig17_continual.experiment import CONTEXT, SCRATCH, summarise_stages
from cemrnn.figures.fig17_continual.plot import plot
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.drawn import panels_of
from tests.verdicts import judge_result

CONFIG = dataclasses.replace(
    make_config(Project(Path(__file__).parents[2]), "fig17_continual", "smoke"), device="cpu", n_replicates=8
)
JITTER = 0.01 * np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of replicates; both halves keep their mean
KEPT = dict(bias=0.2, excitability=0.5, synaptic=0.3, combined=0.7, gating=0.6, bias_ewc=0.5, gating_ewc=0.8)
TURNED = dict(bias=0.6, excitability=0.3, synaptic=0.5, combined=0.3, gating=0.2, bias_ewc=0.3, gating_ewc=0.1)
EQUAL = dict.fromkeys(KEPT, 0.5)
ABLE = dict(bias=0.5, excitability=0.6, synaptic=0.4, combined=0.9, plain=1.0)
UNABLE = dict(bias=0.0, excitability=0.0, synaptic=0.4, combined=0.2, plain=1.0)
SAME = dict(bias=0.2, excitability=0.25, synaptic=0.2, combined=0.25, plain=1.0)


def run(monkeypatch, *, kept, added, together=0.95):
    """The experiment with networks that know a new map, and of all earlier ones so much; nothing is trained."""

    def load(trainings, store, device):
        return trainings, [SimpleNamespace(status="exhausted") for _ in trainings]

    def score(trainings, tasks, seeds, n_trials, rule):
        first = trainings[0]
        method = Method(first.network.arm, first.ewc_strength > 0)
        if rule == "last36":
            return np.tile(added[method.arm] + JITTER[:, None], (1, tasks.n_contexts))
        if first.n_updates > CONFIG.n_updates:
            return np.tile(together + JITTER[:, None], (1, tasks.n_contexts))
        scores = np.tile(kept[method.key] + JITTER[:, None], (1, tasks.n_contexts))
        scores[:, -1] = 0.9
        return scores

    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    monkeypatch.setattr(fig17, "load_population", load)
    monkeypatch.setattr(fig17, "score_fresh", score)
    monkeypatch.setattr(fig17, "chance_level", lambda tasks, *_, **__: [0.2] * tasks.n_contexts)
    return fig17.run(CONFIG)


@pytest.mark.parametrize(
    ("kept", "added", "together", "expected"),
    [
        (KEPT, ABLE, 0.95, "supported"),
        (TURNED, UNABLE, 0.2, "opposite"),
        (EQUAL, SAME, 0.63, "equivalent"),
    ],
)
def test_verdicts_are_those_that_were_made_up(monkeypatch, tmp_path, kept, added, together, expected):
    result = run(monkeypatch, kept=kept, added=added, together=together)
    verdicts = judge_result(result, tmp_path)["verdict"]
    assert len(verdicts) == 8
    assert set(verdicts) == {expected}, verdicts


def test_forgetting_and_final_accuracy_have_their_closed_forms():
    accuracy = {(1, 1): 0.9, (2, 1): 1.0, (2, 2): 0.8, (3, 1): 0.3, (3, 2): 0.6, (3, 3): 0.7}
    rows = [dict(method="bias", network=0, stage=s, map=m, accuracy=a) for (s, m), a in accuracy.items()]
    (row,) = summarise_stages(pd.DataFrame(rows)).to_dict(orient="records")
    assert row["forgetting"] == pytest.approx(((1.0 - 0.3) + (0.8 - 0.6)) / 2)  # the last map has no past
    assert row["final"] == pytest.approx((0.3 + 0.6 + 0.7) / 3)


def test_what_is_measured_is_what_was_made_up(monkeypatch):
    scalars = run(monkeypatch, kept=KEPT, added=ABLE).scalars
    assert scalars["forgetting_bias"] == pytest.approx(0.9 - 0.2)
    assert scalars["final_gating_ewc"] == pytest.approx((0.8 * 2 + 0.9) / 3)
    assert scalars["added_above_chance_excitability"] == pytest.approx(0.4)
    assert scalars["scratch_plain"] == pytest.approx(1.0)
    assert scalars["together_minus_final_bias"] == pytest.approx(0.95 - (0.2 * 2 + 0.9) / 3)
    assert scalars["title"].endswith("forgets less than a bias does, but its context alone takes up a new task")


def test_a_network_that_failed_has_no_score(monkeypatch):
    networks = [SimpleNamespace(status=status) for status in ("failed", *["exhausted"] * 7)]
    monkeypatch.setattr(fig17, "load_population", lambda *_, **__: (None, networks))
    monkeypatch.setattr(fig17, "score_fresh", lambda *_: np.ones((8, 2)))
    scores = fig17._score([], CONFIG.maps(2), CONFIG.rule, CONFIG)
    assert np.isnan(scores[0]).all() and (scores[1:] == 1).all()


def test_stages_form_a_chain_that_learns_the_new_map_alone():
    first, second, third = (stage[0] for stage in CONFIG.stages(Method("gating", True)))
    assert third.start == second and second.start == first and first.start is None
    assert third.goes_on and third.trained_tasks == (f"map_2_of_{CONFIG.n_sites}",)
    assert (third.ewc_strength, first.ewc_strength) == (CONFIG.ewc_strength, 0)
    assert CONFIG.stages(Method("gating", False))[2][0].ewc_strength == 0
    assert {c.network.n_units for c in conditions(CONFIG)} == {CONFIG.n_units}
    together = CONFIG.together("bias")[0]
    assert together.n_updates == CONFIG.n_maps * first.n_updates and together.batch_trials == first.batch_trials


def test_only_arms_whose_context_is_trained_get_a_left_out_task_and_its_context_is_all_they_train():
    assert CONFIG.adding_arms() == ["bias", "excitability", "synaptic", "combined"]
    added = CONFIG.added("synaptic", "reaction_anti")[0]
    assert added.trained_tasks == ("reaction_anti",) and not added.goes_on
    assert added.start.tasks.names == ("reaction_pro", "delay_pro", "delay_anti")
    alone = CONFIG.alone("reaction_anti")[0]
    assert (alone.network.arm, alone.tasks.names, alone.n_updates) == ("plain", ("reaction_anti",), added.n_updates)
    assert len(set(conditions(CONFIG))) == len(conditions(CONFIG))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(pulled_arms=("gain",)), "pulled_arms: expected some of arms, got gain"),
        (dict(left_out=("memory_pro",)), "left_out: expected tasks of the battery, got memory_pro"),
        (dict(n_maps=1), "n_maps: expected 2 or more, got 1"),
        (dict(arms=("biass",)), "unknown arm 'biass'; did you mean 'bias'"),
        (dict(n_sites=7), "n_sites: expected one of"),
    ],
)
def test_configs_refuse_what_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


def test_the_figure_shows_the_tables(monkeypatch):
    result = run(monkeypatch, kept=KEPT, added=ABLE)
    panels = panels_of(plot(result))
    assert list(panels) == list("abcd")
    curves = [line.get_ydata() for line in panels["a"].get_lines() if len(line.get_xdata()) == CONFIG.n_maps]
    expected = [part["accuracy"].to_numpy() for _, part in result.tables["first"].groupby("method", sort=False)]
    np.testing.assert_array_equal(curves, expected)
    assert len(curves) == 7
    shown = [label.get_text() for label in panels["c"].get_yticklabels()]
    assert shown == [*CONFIG.arms, "bias + EWC", "gating + EWC"]
    added = result.tables["added"]
    assert set(added["way"]) == {CONTEXT, SCRATCH}
    heights = sorted(float(line.get_ydata()[0]) for line in panels["d"].get_lines() if len(line.get_ydata()) == 1)
    np.testing.assert_allclose(heights, sorted(added[added["way"] == CONTEXT]["score"]))


def test_no_gain_is_told_where_the_best_single_pathway_leaves_no_room():
    both, near, far = (np.array([x, x + 0.01, x - 0.01]) for x in (0.99, 0.98, 0.9))
    told = fig17._compare_with_room(both, far, far - 0.2)
    assert told.value == pytest.approx(0.09) and told.low < told.value
    hidden = fig17._compare_with_room(both, near, far)
    assert np.isnan([hidden.value, hidden.low, hidden.high]).all() and hidden.n == 3
