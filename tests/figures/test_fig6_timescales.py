"""Figure 6 on small networks that are really trained, and on answers made by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from cemrnn.figures.fig6_timescales import cueing as switching
from cemrnn.figures.fig6_timescales import experiment as fig6_timescales
from cemrnn.figures.fig6_timescales.config import Condition, TimescalesConfig
from cemrnn.figures.fig6_timescales.cueing import Responses, draw_switches, measure_condition
from cemrnn.figures.fig6_timescales.experiment import compare_slow_and_fast
from cemrnn.figures.fig6_timescales.plot import plot
from cemrnn.figures.style import LOOKS
from cemrnn.measures.evidence import N_HALVES
from cemrnn.measures.robustness import Threshold
from cemrnn.network.config import count_parameters
from cemrnn.network.model import CEMRNN
from cemrnn.tasks.scores import answer_outputs
from tests.drawn import panels_of

CONFIG = TimescalesConfig.from_params(
    dict(
        taus_ms=[20, 500],
        n_tasks=2,
        preset="fast",
        n_units=24,
        rank=4,
        activation="relu",
        n_replicates=4,
        seed=901,
        n_updates=80,
        batch_trials=16,
        learning_rate=0.01,
        switch_share=0.5,
        settle_ms=200,
        carry_share=0,
        noise_sigma=0.3,
        passing_score=0.6,
        test_trials=20,
        switch_ages_ms=[0, 120, 240, 360, 480, 600],
        sigmas=[0, 0.5, 1, 2, 4],
        durations_ms=[0, 400, 800, 1360],
        interval_arms=["excitability", "synaptic", "combined"],
        interval_units=16,
        interval_contexts=3,
        interval_updates=20,
        interval_replicates=2,
        device="cpu",
    )
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMRNN_STORE", str(tmp_path_factory.mktemp("store")))
        yield fig6_timescales.run(CONFIG)


def test_conditions_are_both_single_pathways_and_all_pairs_at_equal_budgets():
    configs = fig6_timescales.conditions(CONFIG)
    cued = [config for config in configs if config.tasks == CONFIG.task_set]
    assert len(configs) - len(cued) == 3 * 2  # of intervals
    networks = [config.network for config in cued]
    assert len(networks) == 8 * 4
    shapes = {(n.arm, n.tau_excitability_ms, n.tau_synaptic_ms) for n in networks}
    assert shapes == {
        *(("excitability", e, 0.0) for e in (20.0, 500.0)),
        *(("synaptic", 0.0, s) for s in (20.0, 500.0)),
        *(("combined", e, s) for e in (20.0, 500.0) for s in (20.0, 500.0)),
    }
    counts = [count_parameters(network) for network in networks]
    assert max(counts) / min(counts) < 1.08
    assert all(config.cue == CONFIG.cue and not config.cue.is_plain for config in cued)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(taus_ms=[0.0, 20.0]), "taus_ms: expected positive"),
        (dict(taus_ms=[500.0, 20.0]), "taus_ms: expected 2 or more increasing"),
        (dict(sigmas=[0.5]), "sigmas: expected 2 or more increasing"),
        (dict(n_tasks=1), "n_tasks: expected at least 2"),
        (dict(switch_ages_ms=[0.0, 640.0]), "switch_ages_ms: expected less than the shortest trial, 640 ms"),
        (dict(switch_share=2.0), "switch_share: expected a share"),
    ],
)
def test_configs_refuse_what_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        TimescalesConfig.from_params(CONFIG.to_dict() | change).cue  # noqa: B018


def test_the_other_task_comes_round_in_turn():
    switches = draw_switches(dataclasses.replace(CONFIG, n_tasks=4, test_trials=6), CPU)
    shift = (switches.other.argmax(-1) - switches.trials.task) % 4
    assert torch.bincount(shift.ravel(), minlength=4).tolist() == [0, 32, 32, 32]
    assert switches.noise.shape == (4, 24, switches.trials.inputs.shape[2], 4)


class Follower(CEMRNN):
    """A network made by hand: it does, at once and always right, the task that a leaky mean of the cue names."""

    def __init__(self, config, condition, trials, decay):
        super().__init__(config.network(condition), config.seeds)
        self.trials, self.decay = trials, decay

    def simulate(self, inputs, context, *, previous=None, **others):
        context = context[:, :, None] if context.ndim == 3 else context
        context = context.expand(-1, -1, inputs.shape[2], -1)
        seen = torch.zeros_like(context[:, :, 0]) if previous is None else previous
        states = []
        for step in range(inputs.shape[2]):
            seen = self.decay * seen + (1 - self.decay) * context[:, :, step]
            states.append(seen)
        last = torch.stack(states, 2).take_along_dim(self.trials.end_steps[..., None, None] - 1, dim=2)[:, :, 0]
        named = last.argmax(-1)
        answer = self.trials.alternative.gather(2, named[..., None])[..., 0]
        away = (self.trials.response + np.pi / 2) % (2 * np.pi)  # belongs to neither of the two tasks
        nothing = last.abs().amax(-1) < 0.05
        return answer_outputs(self.trials, torch.where(nothing, away, answer)), None


@pytest.mark.parametrize("decay", [0.0, 0.8])
def test_answers_made_by_hand_have_their_thresholds(decay):
    condition = Condition("combined", 20.0, 500.0)
    switches = draw_switches(CONFIG, CPU)
    response = measure_condition(Follower(CONFIG, condition, switches.trials, decay), condition, switches, CONFIG)
    assert response.passed.all()
    assert (response.clear == 1).all()
    switch, carry = response.normalised("switch"), response.normalised("carry")
    np.testing.assert_allclose(switch[:, 0], (0 - 0.2) / 0.8)  # the other task, wrong: no right cue was there
    np.testing.assert_allclose(carry, 1)
    # After n of T steps with the right cue the other one weighs decay^n - decay^T: without decay one step is enough,
    # with .8 four steps are (.8^3 > 1/2 > .8^4 for long trials), and the grid has three and six of them.
    np.testing.assert_allclose(switch[:, 2], 1)
    if decay == 0:
        np.testing.assert_allclose(switch[:, 1], 1)
    else:
        assert (switch[:, 1] < 0.9).all()
    measures = response.measures()
    expected = 120 * (0.9 + 0.25) / 1.25 if decay == 0 else 120 + 120 * (0.9 - switch[:, 1]) / (1 - switch[:, 1])
    np.testing.assert_allclose(measures["latency"], expected)
    np.testing.assert_allclose(measures["carry_loss"], 0, atol=1e-12)
    noise = response.normalised("noise")
    assert (noise[:, 0] == 1).all()
    assert (np.diff(noise.mean(0)) <= 0).all()
    assert (noise[:, -1] < 0.9).all()
    brief = response.normalised("brief")
    np.testing.assert_allclose(brief[:, 0], (0 - 0.2) / 0.8)  # without a cue it answers neither task
    np.testing.assert_allclose(brief[:, 3], 1)  # the longest trial is over
    if decay:  # it remembers for some steps what the other forgets at once
        assert (brief[:, 2] > 0.5).all()


def test_a_network_that_averages_tolerates_more_noise_and_is_slower():
    condition, switches = Condition("combined", 20.0, 500.0), draw_switches(CONFIG, CPU)
    fast, slow = (
        measure_condition(Follower(CONFIG, condition, switches.trials, decay), condition, switches, CONFIG).measures()
        for decay in (0.0, 0.8)
    )
    assert (slow["sigma75"] > 1.5 * fast["sigma75"]).all()
    assert (slow["latency"] > fast["latency"]).all()
    assert (slow["brief75"] < fast["brief75"]).all()


def make_response(passed):
    levels = {"switch": np.array([0.0, 100.0, 200.0]), "noise": np.array([0.0, 1.0]), "brief": np.array([0.0, 800.0])}
    rising, falling = np.array([[0.2, 0.6, 1.0]] * 2), np.array([[1.0, 0.2]] * 2)
    accuracy = {"switch": rising, "noise": falling, "brief": falling[:, ::-1], "carry": np.array([[0.6]] * 2)}
    return Responses(
        condition=Condition("synaptic", None, 20.0),
        worst=np.where(passed, 0.9, 0.1),
        clear=np.ones(2),
        levels=levels | {"carry": np.array([1.0])},
        accuracy=accuracy,
        passing_score=0.8,
    )


def test_measures_have_their_closed_forms_and_failed_networks_none():
    measures = make_response([True, False]).measures()
    # Normalised by (a - .2) / .8: 0, .5, 1 over the ages; 1, 0 over noise; .5 after a carried-over context.
    for name, expected in dict(latency=180.0, sigma75=0.25, brief75=600.0, carry_loss=0.5).items():
        np.testing.assert_allclose(measures[name], [expected, np.nan])


def test_slow_minus_fast_is_averaged_over_pathways():
    def column(*means):
        level = np.array(means) + np.array([-1.0, 0.0, 1.0])[:, None]
        return Threshold(level=level, censored=np.zeros(level.shape, int))

    interval = compare_slow_and_fast(column(10.0, 30.0, 50.0), column(10.0, 99.0, 20.0), seed=0)
    assert interval.value == pytest.approx((40 + 10) / 2)
    assert interval.low < 25 < interval.high
    few = column(10.0, 30.0, 50.0)
    few.level[1:, 2] = np.nan  # one slowest network is not enough
    assert compare_slow_and_fast(few, column(10.0, 20.0), seed=0).value == pytest.approx((20 + 10) / 2)
    hidden = column(10.0, 20.0)
    hidden.censored[:] = 1
    assert np.isnan(compare_slow_and_fast(hidden, column(10.0, 20.0), seed=0).value)
    lone = column(10.0)
    assert np.isnan(compare_slow_and_fast(lone, lone, seed=0).value)


def test_tables_and_scalars_are_about_the_same_networks(result):
    networks, measures = result.tables["networks"], result.tables["measures"]
    assert len(networks) == 8 * 4
    assert networks["passed"].mean() > 0.8  # they learn
    keys = ["arm", "tau_excitability_ms", "tau_synaptic_ms"]
    for name in ("latency", "sigma75", "brief75", "carry_loss"):
        expected = networks.groupby(keys, sort=False, dropna=False)[name].mean()
        rows = measures[measures["measure"] == name].set_index(keys)["value"]
        pd.testing.assert_series_equal(rows, expected, check_names=False)
    single = networks.fillna({key: 0.0 for key in keys[1:]}).groupby(keys)["latency"].mean()
    slow_minus_fast = [
        single["excitability", 500.0, 0.0] - single["excitability", 20.0, 0.0],
        single["synaptic", 0.0, 500.0] - single["synaptic", 0.0, 20.0],
    ]
    assert result.scalars["latency_slow_minus_fast"] == pytest.approx(np.mean(slow_minus_fast))
    for claim in ("sigma75_slow_minus_fast", "latency_slow_minus_fast", "beyond_front"):
        assert {f"{claim}{end}" for end in ("", "_low", "_high", "_n", "_p")} <= result.scalars.keys()
        assert len(result.scalars[f"{claim}_halves"]) == N_HALVES
    assert result.scalars["latency_slow_minus_fast"] > 40  # what a low-pass does, on networks that learned


def test_curves_start_and_end_where_they_must(result):
    curves = result.tables["curves"].set_index(["manipulation", "level"])["normalised"]
    assert curves["noise", 0.0].to_numpy() == pytest.approx(1)
    assert curves["brief", 1360.0].to_numpy() == pytest.approx(1)
    assert curves["switch", 0.0].max() < 0.1


def test_results_repeat_exactly(result, monkeypatch, tmp_path):
    switches = draw_switches(CONFIG, CPU)
    condition = CONFIG.grid[-1]
    model = CEMRNN(CONFIG.network(condition), CONFIG.seeds)
    first, again = (measure_condition(model, condition, switches, CONFIG) for _ in range(2))
    for name, values in first.accuracy.items():
        np.testing.assert_array_equal(values, again.accuracy[name])


def test_untrained_networks_are_at_chance():
    switches, condition = draw_switches(CONFIG, CPU), CONFIG.grid[-1]
    untrained = CEMRNN(CONFIG.network(condition), CONFIG.seeds)
    assert measure_condition(untrained, condition, switches, CONFIG).clear.max() < switching.CHANCE + 0.2


def test_the_figure_shows_the_tables(result):
    panels, others = (panels_of(plot(result), part) for part in ("", "b"))
    assert set(panels) == set("abcd") and set(others) == set("abc")
    assert all(a.get_xlabel() and a.get_ylabel() for a in [*panels.values(), *others.values()])
    measures = result.tables["measures"]
    for letter, name in (("a", "latency"), ("b", "sigma75")):
        cells = np.asarray(panels[letter].get_images()[0].get_array())
        rows = measures[measures["measure"] == name].fillna({"tau_excitability_ms": 0, "tau_synaptic_ms": 0})
        value = rows.set_index(["arm", "tau_excitability_ms", "tau_synaptic_ms"])["value"].to_dict()
        assert np.isnan(cells[0, 0])
        assert cells[2, 1] == value["combined", 500.0, 20.0]
        assert cells[1, 0] == value["excitability", 20.0, 0.0]
        assert cells[0, 2] == value["synaptic", 0.0, 500.0]
        texts = {t.get_text() for t in panels[letter].texts}
        assert len(texts) > 1
    colours = {to_hex(line.get_color()) for line in others["a"].get_lines() if len(line.get_xdata()) == 6}
    assert colours <= {to_hex(LOOKS[arm].colour) for arm in ("excitability", "synaptic", "combined")}
    drawn = [line.get_ydata() for line in others["a"].get_lines() if len(line.get_xdata()) == 6]
    curves = result.tables["curves"]
    fast = curves[(curves["manipulation"] == "switch") & (curves["arm"] == "excitability")].iloc[:6]["normalised"]
    assert any(np.array_equal(line, fast) for line in drawn)


def test_a_figure_without_comparable_networks_says_so(result):
    tables = {name: table.copy() for name, table in result.tables.items()}
    tables["measures"][["value", "low", "high"]] = np.nan
    tables["curves"][["normalised", "low", "high"]] = np.nan
    panels = panels_of(plot(dataclasses.replace(result, tables=tables)))
    assert {text.get_text() for text in panels["a"].texts} == {"n.c."}
