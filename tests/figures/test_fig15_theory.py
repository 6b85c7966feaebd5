"""Figure 15 on networks that are linear, against finite differences, and with verdicts that are known."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cemrnn.figures.fig15_theory import experiment as fig15_theory
from cemrnn.figures.fig15_theory import intervention, mixtures, slopes
from cemrnn.figures.fig15_theory.plot import plot
from cemrnn.figures.shared.ambiguity import draw_conflicts
from cemrnn.figures.shared.conflict_groups import PopulationKey, conditions
from cemrnn.figures.shared.frames import lay_out
from cemrnn.network.model import CEMRNN
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.drawn import panels_of
from tests.verdicts import judge_result

ROOT = Path(__file__).parents[2]
CONFIG = dataclasses.replace(make_config(Project(ROOT), "fig15_theory", "smoke"), device="cpu", pair_trials=4)
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of networks


@pytest.mark.parametrize("arm", ["excitability", "synaptic", "combined", "gating"])
def test_slopes_are_finite_differences(arm):
    config = dataclasses.replace(CONFIG, activation="softplus")  # smooth
    model = CEMRNN(config.network(arm), config.seeds, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    model.flat += 0.1 * torch.randn(model.flat.shape, generator=generator, dtype=model.flat.dtype)
    conflicts = draw_conflicts(config, torch.device("cpu"))
    double = dataclasses.replace(conflicts.trials, inputs=conflicts.trials.inputs.double())
    conflicts = dataclasses.replace(conflicts, trials=double, own=conflicts.own.double())
    cue, step = 0.7 * conflicts.own + 0.2, 1e-6
    outputs, by_cue = slopes.differentiate(model, conflicts, cue)
    for k in range(cue.shape[-1]):
        moved = cue.clone()
        moved[..., k] += step
        ahead = slopes.run_to_last(model, conflicts, moved).detach().numpy()
        np.testing.assert_allclose((ahead - outputs) / step, by_cue[..., k], rtol=1e-3, atol=1e-5)


def make_points(shift, error, common, gained, off=0.01, missed=0.01):
    """Points of eight networks, three arms and six pairs: predictions are off by noise and by a shift."""
    generator, rows = np.random.default_rng(3), []
    for group in ("parameters", "units", "trained"):
        for arm, share in common.items():
            for m in range(8):
                for p in range(6):
                    measured = 0.5 + 0.04 * p - 0.1 * (arm == "excitability") + 0.02 * JITTER[m]
                    predicted = measured + shift + error * generator.standard_normal()
                    row = dict(group=group, arm=arm, network=m, pair=f"a / {p}", measured=measured)
                    row |= dict(predicted=predicted, common=share + 0.02 * JITTER[m])
                    row |= dict(without_nothing=0.35, without_another=0.3, switch=0.4 + 0.04 * p + 0.02 * JITTER[m])
                    row |= dict(predicted_switch=row["switch"] + off * generator.standard_normal(), ends_switch=0.5)
                    gain = gained[arm] + 0.005 * JITTER[m] + 0.02 * (p - 2.5)
                    row |= dict(without_shift=0.35 + gain, gain=gain, sigma75=2 * measured)
                    row |= dict(sigma75_beyond=0.0, predicted_sigma75_beyond=0.5 * (group == "trained"))
                    row["predicted_sigma75"] = 2 * measured + shift + error * generator.standard_normal()
                    rows.append(row | dict(predicted_gain=gain + missed * generator.standard_normal()))
    return pd.DataFrame(rows)


GAINED = {"excitability": 0.3, "synaptic": 0.1, "combined": 0.2}


def run(monkeypatch, shift=0.0, error=0.01, common=None, gained=GAINED, off=0.01, missed=0.01):
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    common = common or {"excitability": 0.6, "synaptic": 0.2, "combined": 0.5}
    points = make_points(shift, error, common, gained, off, missed)
    monkeypatch.setattr(fig15_theory, "load_arm", lambda config, trainings: trainings)
    monkeypatch.setattr(
        fig15_theory,
        "_measure",
        lambda key, *_: points[(points["group"] == key.group) & (points["arm"] == key.arm)],
    )
    return fig15_theory.run(CONFIG)


CLAIMS = (
    "theory-predicts-noise",
    "theory-predicts-sigma75",
    "theory-excitability-adds-alike",
    "theory-predicts-pathways",
)


@pytest.mark.parametrize(
    ("made", "verdicts"),
    [
        (dict(), ("supported",) * 4),
        (dict(shift=0.3), ("opposite", "opposite", "supported", "supported")),  # worse than the mean of all
        (
            dict(common={"excitability": 0.3, "synaptic": 0.3, "combined": 0.3}),
            ("supported", "supported", "equivalent", "supported"),
        ),
        (
            dict(common={"excitability": 0.1, "synaptic": 0.5, "combined": 0.3}),
            ("supported", "supported", "opposite", "supported"),
        ),
    ],
)
def test_known_points_get_their_verdict(monkeypatch, tmp_path, made, verdicts):
    rows = judge_result(run(monkeypatch, **made), tmp_path)
    assert rows.loc[list(CLAIMS), "verdict"].to_list() == list(verdicts)


@pytest.mark.parametrize(("off", "verdict"), [(0.01, "supported"), (0.15, "opposite")])
def test_known_switches_get_their_verdict(monkeypatch, tmp_path, off, verdict):
    result = run(monkeypatch, off=off)
    assert judge_result(result, tmp_path).loc["theory-predicts-mixture", "verdict"] == verdict
    assert result.scalars["switch_error"] == pytest.approx(off, rel=0.2)
    within = result.tables["points"].groupby("pair")["switch"].var(ddof=0).mean()  # networks differ less than pairs
    assert result.scalars["switch_explained_within"] == pytest.approx(1 - off**2 / within, rel=0.3, abs=0.1)


def plant_mixtures(weigh, conflicts, monkeypatch):
    """Networks whose outputs go from one task's to the other's, by a function of the share of the later task's cue."""

    def lay_out(response):
        response = response.numpy()
        held = np.isnan(response)
        return np.stack([held, ~held * np.cos(response), ~held * np.sin(response)], axis=-1) * 1.0

    first, second = (np.nan_to_num(lay_out(x)) for x in (conflicts.trials.response, conflicts.other_response))
    is_later = np.resize(conflicts.pairs[:, 0] < conflicts.pairs[:, 1], conflicts.own.shape[1])[:, None]  # the other

    def mixed(share):
        return first + np.where(is_later, weigh(share), 1 - weigh(1 - share)) * (second - first)

    def read_share(cue):
        return cue.gather(2, conflicts.other.argmax(2, keepdim=True)).numpy()

    def simulate(model, trials, cue, config, name):
        outputs = torch.as_tensor(mixed(read_share(cue)), dtype=torch.float32)
        return outputs[:, :, None].repeat(1, 1, trials.inputs.shape[2], 1)

    def differentiate(model, conflicts, cue):
        share = read_share(cue)
        slope = (mixed(share + 1e-4) - mixed(share - 1e-4)) / 2e-4
        return mixed(share), slope[..., None] * conflicts.other.numpy()[:, :, None]

    monkeypatch.setattr("cemrnn.figures.shared.ambiguity.simulate", simulate)
    monkeypatch.setattr(mixtures, "differentiate", differentiate)


@pytest.mark.parametrize(
    ("weigh", "switch", "predicted"),
    [
        (
            lambda x: 0.8 * x,
            0.6,
            0.6,
        ),  # the later task is never quite done: its lack moves the mean, of the ends as well
        (lambda x: x, 0.5, 0.5),  # the solvable case of synapses: outputs are a straight line
        (lambda x: x**2 * (2 - x), 0.6, 0.6),  # any cubic is followed exactly
        (lambda x: 1 / (1 + np.exp(-40 * (x - 0.2))), 0.2, 0.5),  # flat at both ends, which do not tell where it turns
    ],
)
def test_the_switch_is_predicted_as_far_as_both_ends_tell(monkeypatch, weigh, switch, predicted):
    config = dataclasses.replace(CONFIG, pair_trials=40, lambdas=tuple(np.linspace(0, 1, 101)))
    conflicts = draw_conflicts(config, torch.device("cpu"))
    plant_mixtures(weigh, conflicts, monkeypatch)
    pairs = list(fig15_theory.list_unordered(conflicts.pairs))
    found = mixtures.locate_switches(
        None, conflicts, mixtures.differentiate(None, conflicts, conflicts.own), pairs, config
    )
    assert found["switch"].shape == found["predicted_switch"].shape == (len(config.seeds), len(pairs))
    np.testing.assert_allclose(found["switch"], switch, atol=0.06)
    np.testing.assert_allclose(found["predicted_switch"], predicted, atol=0.06)


def test_what_clean_answers_lack_moves_the_switch_of_the_ends(monkeypatch):
    """The later task is right in four fifths of the earlier one's trials, and in three of its own; it turns at 1/4."""
    config = dataclasses.replace(CONFIG, lambdas=tuple(np.linspace(0, 1, 201)))
    conflicts = draw_conflicts(config, torch.device("cpu"))
    share, is_later = np.array(config.lambdas), (conflicts.pairs[:, 0] > conflicts.pairs[:, 1])[:, None]

    def predict_shares(model, conflicts, own, lambdas):
        later = np.where(is_later, 1 - share, share) > 0.25
        first, second = 1.0 * ~later, np.where(is_later, 0.6, 0.8) * later
        own, other = np.where(is_later, second, first), np.where(is_later, first, second)
        return own[None], other[None]

    monkeypatch.setattr(mixtures, "predict_shares", predict_shares)
    monkeypatch.setattr(mixtures, "answer_shares", lambda model, conflicts, cues, config: predict_shares(0, 0, 0, 0))
    found = mixtures.locate_switches(None, conflicts, None, list(fig15_theory.list_unordered(conflicts.pairs)), config)
    one, other = 0.5 * 1 + 0.5 * 0.1, 1 - (0.5 * 0.8 + 0.5 * 0)  # what trials of either task tell
    np.testing.assert_allclose(found["ends_switch"], (one + other) / 2, atol=0.005)
    one, other = 0.25 * 1 + 0.75 * 0.1, 1 - (0.75 * 0.8 + 0.25 * 0)
    np.testing.assert_allclose(found["switch"], (one + other) / 2, atol=0.005)


def test_what_the_ends_explain_and_in_which_pairs_is_told(monkeypatch):
    result = run(monkeypatch, off=0.03)
    points, scalars = result.tables["points"], result.scalars

    def explained(part, predicted):
        return 1 - np.mean((part["switch"] - part[predicted]) ** 2) / part["switch"].var(ddof=0)

    by_pair = {pair: explained(part, "predicted_switch") for pair, part in points.groupby("pair")}
    for which, choose in (("least", min), ("most", max)):
        pair = choose(by_pair, key=by_pair.get)
        assert scalars[f"switch_explained_{which}"] == pytest.approx(by_pair[pair])
        assert scalars[f"switch_pair_{which}"] == pair.replace("_", " ")
    assert scalars["switch_explained_ends"] == pytest.approx(explained(points, "ends_switch"))


@pytest.mark.parametrize(
    ("gained", "verdicts"),
    [
        (GAINED, ("supported", "supported")),
        (dict(excitability=0.3, synaptic=0.5, combined=0.3), ("supported", "opposite")),
        (dict(excitability=-0.3, synaptic=-0.3, combined=0.0), ("opposite", "equivalent")),
        (dict(excitability=0.0, synaptic=0.0, combined=0.0), ("equivalent", "equivalent")),
    ],
)
def test_known_effects_of_the_intervention_get_their_verdict(monkeypatch, tmp_path, gained, verdicts):
    result = run(monkeypatch, gained=gained)
    rows = judge_result(result, tmp_path)
    corrected = ["theory-correction-excitability", "theory-correction-pathways"]
    assert rows.loc[corrected, "verdict"].to_list() == list(verdicts)
    assert result.scalars["correction_excitability"] == pytest.approx(gained["excitability"])


@pytest.mark.parametrize(("missed", "verdict"), [(0.01, "supported"), (0.5, "opposite")])
def test_known_sizes_of_the_intervention_get_their_verdict(monkeypatch, tmp_path, missed, verdict):
    result = run(monkeypatch, missed=missed)
    assert judge_result(result, tmp_path).loc["theory-predicts-correction", "verdict"] == verdict
    assert result.scalars["predicted_sigma75_beyond"] == pytest.approx(0.5 * 3 / 8)
    assert result.scalars["gain_correlation_within"] == pytest.approx(result.scalars["gain_correlation"], abs=0.4)
    assert (result.scalars["gain_explained_parameters"] > 0.5) == (verdict == "supported")
    assert result.scalars["predicted_correction_synaptic"] == pytest.approx(0.1, abs=0.2 * missed + 0.01)


def test_sigma75_is_where_each_curve_has_lost_a_quarter():
    config, levels = dataclasses.replace(CONFIG, sigmas=(0.0, 0.5, 1.0)), np.array([1.0, 0.5, 0.0])
    kept = np.ones(3)  # loses nothing, so that the largest noise counts
    found = fig15_theory.Predicted(levels[None, None], kept[None, None], np.array([[0.5]]))
    values = fig15_theory._average(found, np.zeros(1), config)
    assert (values["sigma75"].item(), values["predicted_sigma75"].item()) == (0.25, 1.0)
    assert (values["sigma75_beyond"].item(), values["predicted_sigma75_beyond"].item()) == (0, 1)
    assert (values["measured"].item(), values["predicted"].item(), values["common"].item()) == (0.5, 1.0, 0.5)


def test_shared_noise_is_the_same_in_all_trials_of_a_pair_and_adds_nothing_to_the_sum():
    conflicts = draw_conflicts(CONFIG, torch.device("cpu"))
    noise = intervention.draw_shared_noise(conflicts, 3, CONFIG)
    assert noise.shape == (3, *conflicts.own.shape)
    by_pair = noise.unflatten(2, (-1, len(conflicts.pairs)))
    assert (by_pair == by_pair[:, :, :1]).all()
    assert not torch.equal(noise[0], noise[1]) and not torch.equal(by_pair[..., 0, :], by_pair[..., 1, :])
    np.testing.assert_allclose(noise.sum(-1), 0, atol=1e-5)


def test_the_common_shift_is_that_of_the_other_trials_of_the_pair():
    moved = torch.as_tensor(np.random.default_rng(1).standard_normal((2, 3 * 5, 3)))  # trial b belongs to pair b % 5
    shift = intervention.common_shift(moved, 5)
    np.testing.assert_allclose(shift[1, 7], moved[1, [2, 12]].mean(0))


def test_what_is_taken_is_taken_at_the_last_step_alone():
    conflicts = draw_conflicts(CONFIG, torch.device("cpu"))
    outputs = torch.zeros(*conflicts.own.shape[:2], conflicts.trials.inputs.shape[2], 3)
    taken = intervention.take(outputs, torch.ones_like(outputs[:, :, 0]), conflicts)
    np.testing.assert_array_equal(intervention.read_last(taken, conflicts), -1)
    assert taken.sum() == -outputs[:, :, 0].numel()


@pytest.mark.parametrize("turned", [False, True])
def test_correction_restores_answers_where_noise_moves_all_of_them_alike(monkeypatch, turned):
    """A linear readout: noise adds a vector that depends on the context alone, or that the stimulus turns."""
    generator = np.random.default_rng(2)
    config = dataclasses.replace(CONFIG, pair_trials=40)
    conflicts = draw_conflicts(config, torch.device("cpu"))
    trials, k = conflicts.trials, conflicts.own.shape[-1]
    angle = 2 * np.pi * generator.random(trials.response.shape) * turned
    turn = np.moveaxis([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], (0, 1), (2, 3))
    pull = 2 * generator.standard_normal((2, k))
    response, go = trials.response.nan_to_num().numpy(), ~trials.response.isnan().numpy()

    def simulate(model, trials, cue, config, name):
        added = turn @ (pull @ (cue - conflicts.own).numpy()[..., None])
        answer = np.stack([1.0 - go, go * np.cos(response), go * np.sin(response)], axis=-1)
        answer[..., 1:] += added[..., 0]
        return torch.as_tensor(answer, dtype=torch.float32)[:, :, None].repeat(1, 1, trials.inputs.shape[2], 1)

    monkeypatch.setattr(intervention, "simulate", simulate)
    noise = 0.4, 4, np.zeros(len(conflicts.pairs)), config
    corrected = intervention.measure_correction(None, conflicts, *noise)
    clean = intervention.read_last(simulate(None, trials, conflicts.own, config, ""), conflicts).numpy()
    slopes = np.concatenate(
        [np.zeros((*clean.shape[:2], 1, k)), np.broadcast_to(turn @ pull, (*clean.shape[:2], 2, k))], 2
    )
    expected = intervention.predict_correction((clean, slopes.astype(np.float32)), conflicts, *noise)
    for name, values in expected.items():  # the network is linear, so that nothing is missed
        np.testing.assert_allclose(values, corrected[name], atol=0.03)
    assert set(expected) == {"nothing", "shift"}
    mean = {name: values.mean() for name, values in corrected.items()}
    assert mean["nothing"] < 0.7 and mean["another"] < 0.7
    assert mean["shift"] == pytest.approx(1) if not turned else abs(mean["shift"] - mean["nothing"]) < 0.1


def test_planted_errors_come_back_as_the_explained_share(monkeypatch):
    result = run(monkeypatch, error=0.03)
    points = result.tables["points"]
    spread = points["measured"].var(ddof=0)
    assert result.scalars["explained_all"] == pytest.approx(1 - 0.03**2 / spread, abs=0.05)
    assert result.scalars["signs"] == 1
    assert run(monkeypatch, error=0.0).scalars["explained_all"] == 1


def test_what_tells_populations_apart_is_no_correlation_within_them():
    """Two populations far apart; within them pairs are predicted the wrong way round, networks the right way."""
    axes = {"group": ["units", "trained"], "arm": ["synaptic"], "network": range(4), "pair": list("abc")}
    is_trained, network, pair = np.array([1.0, 0.0])[:, None, None], np.arange(4.0)[:, None], np.arange(3.0)
    planted = {"measured": 50 * is_trained + network + pair, "predicted": 80 * is_trained + network - pair}
    points = lay_out(axes, **{name: np.broadcast_to(x, (2, 4, 3)) for name, x in planted.items()})
    assert points["measured"].corr(points["predicted"]) > 0.99
    found = fig15_theory._correlate_within(points)
    assert (found["correlation_pairs"], found["correlation_networks"]) == pytest.approx((-1, 1))
    assert found["correlation_within"] == pytest.approx((1.25 - 2 / 3) / (1.25 + 2 / 3))  # of both variances


def test_the_solvable_cases_are_as_they_are_simulated():
    table = fig15_theory._solve(CONFIG)
    assert set(table["case"]) == {"synapses", "excitability, 0.5", "excitability, 1", "excitability, 2"}
    assert (table["exact"] - table["drawn"]).abs().max() < 4 * 0.5 / np.sqrt(4000)


def test_the_figure_shows_the_tables(monkeypatch):
    result = run(monkeypatch)
    panels = panels_of(plot(result))
    assert set(panels) == set("abcdef")
    pairs = result.tables["pairs"]
    for letter, (x, y) in {"b": ("predicted", "measured"), "c": ("predicted_switch", "switch")}.items():
        shown = np.concatenate(
            [line.get_xydata() for line in panels[letter].get_lines() if line.get_marker() != "None"]
        )
        np.testing.assert_allclose(shown, pairs[[x, y]].to_numpy())


@pytest.mark.parametrize("profile", ["smoke", "quick"])
def test_the_networks_are_some_of_those_of_figure_2(profile):
    own, others = (make_config(Project(ROOT), stem, profile) for stem in ("fig15_theory", "fig2_ambiguity"))
    others = dataclasses.replace(others, trained_kinds=("weak step noise",))  # figure 15 says nothing of other kinds
    assert {n.digest() for n in conditions(own)} <= {n.digest() for n in conditions(others)}


def test_networks_that_are_trained_with_weak_noise_are_those_of_figure_2():
    ambiguity = make_config(Project(ROOT), "fig2_ambiguity", "night")
    theory = make_config(Project(ROOT), "fig15_theory", "night")
    fewer = dataclasses.replace(theory, trained_replicates=5)
    assert {len(networks) for key, networks in fewer.populations() if key.group == fig15_theory.WEAKLY} == {5}
    assert fewer.count_networks(PopulationKey(fig15_theory.WEAKLY, "synaptic")) == 5 < theory.n_replicates
    weakly = {key.arm: networks for key, networks in theory.populations() if key.group == fig15_theory.WEAKLY}
    found = dict(ambiguity.populations())
    assert weakly == {arm: found["weak step noise", arm] for arm in theory.compared_arms}
    none = dataclasses.replace(theory, trained_weak_sigma=0.0)
    assert not any(key.group == fig15_theory.WEAKLY for key, _ in none.populations())
