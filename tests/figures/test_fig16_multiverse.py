"""Figure 16 on made-up networks whose effects are known in every setting."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cemrnn.figures.fig16_multiverse import experiment as multiverse
from cemrnn.figures.fig16_multiverse.config import CHOICES
from cemrnn.figures.fig16_multiverse.plot import plot
from cemrnn.figures.shared.battery import draw_fresh
from cemrnn.network.config import count_parameters
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.drawn import find_faults, panels_of
from tests.verdicts import judge_result

JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of replicates; both halves keep their mean
CONFIG = dataclasses.replace(
    make_config(Project(Path(__file__).parents[2]), "fig16_multiverse", "smoke"),
    device="cpu",
    n_replicates=8,
    units_per_component=(2, 3),
    spectral_radii=(0.5,),
)
EXPECTED = dict(combined=0.8, excitability=0.6, synaptic=0.4)
OPPOSITE = dict(combined=0.4, excitability=0.6, synaptic=0.8)
ALIKE = dict(combined=0.6, excitability=0.6, synaptic=0.6)
ROBUST = dict(combined=0.7, excitability=0.5, synaptic=0.7)
FRAGILE = dict(combined=0.7, excitability=0.9, synaptic=0.7)


def make_networks(level, robust, spread, *, turned=()):
    """Networks of every setting; where activation, rank and updates are turned combined ones hold less."""

    def measure(trainings, config):
        network, n_updates = trainings[0].network, trainings[0].n_updates
        less = 0.5 * (network.arm == "combined" and (network.activation, network.rank, n_updates) in turned)
        sign = {"excitability": 1, "synaptic": -1, "combined": 1}[network.arm]
        columns = {"accuracy": level[network.arm] - less, "robustness": robust[network.arm]}
        return {name: mean + sign * spread * JITTER for name, mean in columns.items()}

    return measure


def run(monkeypatch, level=EXPECTED, robust=ROBUST, spread=0.02, **more):
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    monkeypatch.setattr(multiverse, "measure", make_networks(level, robust, spread, **more))
    return multiverse.run(CONFIG)


def test_every_combination_of_choices_is_a_setting_and_trains_what_it_says():
    settings = CONFIG.settings()
    assert len(set(settings)) == len(settings) == 2 * 1 * 2 * 1 * 2
    for key, networks in CONFIG.populations():
        network = networks[0].network
        assert len({training.seed for training in networks}) == CONFIG.n_replicates
        assert (networks[0].n_updates, networks[0].learning_rate) == (key.setting.n_updates, key.setting.learning_rate)
        assert (network.activation, network.spectral_radius) == (key.setting.activation, key.setting.spectral_radius)
        if key.arm == "combined":
            assert network.rank == max(2, CONFIG.n_units // key.setting.units_per_component)
        if key.match == "units":
            assert network.n_units == CONFIG.n_units
    distinct = 4 * len(settings) + len(settings) // 2  # combined once; excitability at equal units has no components
    assert len(multiverse.conditions(CONFIG)) == distinct * CONFIG.n_replicates


def test_parameters_are_equal_where_they_are_meant_to_be():
    config = dataclasses.replace(CONFIG, n_units=24)
    counts = {}
    for key, networks in config.populations():
        if key.match == "parameters":
            counts.setdefault(key.setting, []).append(count_parameters(networks[0].network))
    assert all(max(of_one) / min(of_one) < 1.06 for of_one in counts.values())


def test_effects_are_those_of_each_setting_and_counted(monkeypatch):
    turned = [("relu", 3, CONFIG.update_counts[1]), ("tanh", 3, CONFIG.update_counts[1])]  # of the first N / R
    result = run(monkeypatch, turned=turned)
    effects = result.tables["effects"]
    name = "accuracy_units_combined_minus_best_single"
    rows = effects[(effects["measure"] == "accuracy") & (effects["match"] == "units")].set_index("setting")
    synergy = rows[rows["contrast"] == "combined_minus_best_single"]["value"]
    np.testing.assert_allclose(synergy, [0.2, -0.3, 0.2, 0.2, 0.2, -0.3, 0.2, 0.2])
    pathways = rows[rows["contrast"] == "excitability_minus_synaptic"]["value"]
    np.testing.assert_allclose(pathways, 0.2)
    counts = [result.scalars[f"{name}_{end}"] for end in ("told", "positive", "above", "below")]
    assert counts == [8, 6, 6, 2]
    assert result.scalars[name] == pytest.approx((6 * 0.2 - 2 * 0.3) / 8)
    assert "in 6 of 8 settings, clearly in 6" in result.scalars["title"]
    words = [result.scalars[name] for name in ("varied", "not_varied")]
    assert words == [
        "activation, number of synaptic components, number of updates",
        ", learning rate, scale of the initial recurrent weights",
    ]
    choices = result.tables["choices"].set_index(["measure", "match", "contrast", "choice", "level"])["value"]
    where = "accuracy", "units", "combined_minus_best_single"
    expected = rows[rows["contrast"] == "combined_minus_best_single"].groupby("n_updates")["value"].mean()
    for level, value in expected.items():
        assert choices[(*where, "n_updates", str(level))] == pytest.approx(value)
    assert set(choices.index.get_level_values("choice")) == set(CHOICES)


def test_the_joint_score_is_the_mean_of_bits_and_of_what_noise_leaves(monkeypatch):
    scalars = run(monkeypatch, level=dict.fromkeys(ALIKE, 1.0), spread=0.0).scalars  # all bits are held
    assert scalars["joint_units_combined_minus_synaptic"] == pytest.approx(0)
    assert scalars["joint_units_excitability_minus_synaptic"] == pytest.approx(-0.2 / 2)
    at_chance = dict.fromkeys(ALIKE, 1.0) | {"combined": 1 / CONFIG.n_sites}  # holds no bit, and is not asked for more
    scalars = run(monkeypatch, level=at_chance, robust=ALIKE | {"combined": np.nan}, spread=0.0).scalars
    assert scalars["joint_parameters_combined_minus_synaptic"] == pytest.approx(-(1 + 0.6) / 2)
    assert scalars["joint_parameters_n_settings"] == 8
    assert scalars["joint_parameters_combined_minus_best_single_below"] == 8
    assert scalars["accuracy_parameters_combined_minus_synaptic"] == pytest.approx(1 / CONFIG.n_sites - 1)


def test_an_effect_that_its_interval_does_not_tell_from_zero_is_counted_on_neither_side(monkeypatch):
    scalars = run(monkeypatch, spread=0.5).scalars
    name = "accuracy_units_combined_minus_best_single"
    assert [scalars[f"{name}_{end}"] for end in ("told", "positive", "above", "below")] == [8, 8, 0, 0]


def test_robustness_is_the_share_that_noise_leaves_of_what_a_network_knows(monkeypatch):
    """Networks that answer as many trials right as planted for the size of the noise that they are told."""
    config = dataclasses.replace(CONFIG, n_replicates=3, sigmas=(0.0, 0.3, 0.6), least_clean=0.5)
    clean, told = draw_fresh(config.task_set, config.seeds, config.test_trials).cue(), []
    planted = {0.0: [1.0, 0.4, 1.0], 0.3: [0.75, 0.4, 1.0], 0.6: [0.5, 0.4, 1.0]}

    def simulate(inputs, cue, **_):
        told.append((cue - clean).square().mean().sqrt().item())
        return None, None

    def score_trials(outputs, trials, rule):
        share = torch.tensor(planted[config.sigmas[len(told) - 1]])
        return torch.arange(clean.shape[1]) < share[:, None] * clean.shape[1]

    model = SimpleNamespace(flat=torch.zeros(1), simulate=simulate)
    networks = [SimpleNamespace(status=status) for status in ("exhausted", "exhausted", "failed")]
    monkeypatch.setattr(multiverse, "load_population", lambda *_, **__: (model, networks))
    monkeypatch.setattr(multiverse, "score_trials", score_trials)
    measured = multiverse.measure([], config)
    np.testing.assert_allclose(measured["accuracy"], [1.0, 0.4, np.nan])
    chance = 1 / config.n_sites
    np.testing.assert_allclose(measured["robustness"], [(0.625 - chance) / (1 - chance), np.nan, np.nan])
    assert told[0] == 0 and told[2] == pytest.approx(2 * told[1])


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        ({}, "supported"),
        (dict(level=OPPOSITE, robust=FRAGILE), "opposite"),
        (dict(level=ALIKE, robust=ALIKE, spread=0.005), "equivalent"),
        (dict(level=ALIKE, robust=ALIKE, spread=0.5), "undecided"),
        (dict(level=dict.fromkeys(ALIKE, np.nan), robust=dict.fromkeys(ALIKE, np.nan)), "no evidence"),
    ],
)
def test_known_effects_get_their_verdict(monkeypatch, tmp_path, made, verdict):
    rows = judge_result(run(monkeypatch, **made), tmp_path)
    assert len(rows) == 4
    assert rows["verdict"].to_dict() == dict.fromkeys(rows.index, verdict)


def test_robustness_counts_settings_in_which_all_networks_learned(monkeypatch):
    measure, seen = make_networks(EXPECTED, ROBUST, 0.02), []

    def with_gaps(trainings, config):
        columns, network = measure(trainings, config), trainings[0].network
        seen.append(tuple(trainings))
        if (network.arm, network.activation, network.rank) == ("synaptic", "relu", 2) and trainings[0].n_updates == 20:
            columns["robustness"][0] = np.nan
        return columns

    monkeypatch.setattr(multiverse, "measure", with_gaps)
    scalars = multiverse.run(CONFIG).scalars
    assert len(set(seen)) == len(seen)  # what is in several populations is run once
    assert (scalars["robustness_units_n_settings"], scalars["accuracy_units_n_settings"]) == (7, 8)
    assert scalars["robustness_parameters_excitability_minus_synaptic"] == pytest.approx(-0.2)


@pytest.mark.parametrize("level", [EXPECTED, dict.fromkeys(ALIKE, np.nan)])
def test_all_parts_are_drawn_and_can_be_read(monkeypatch, level):
    result = run(monkeypatch, level=level)
    figures = plot(result)
    assert set(figures) == {"", "b", "c", "d", "e"}
    for part, figure in figures.items():
        assert set(panels_of(figures, part)) == set("abcdef")
        assert not find_faults(figure)
    if level is EXPECTED:
        (points,) = panels_of(figures)["a"].collections[1:2]
        assert len(points.get_offsets()) == 8
