"""Robustness of networks that are made by hand, whose thresholds are known in closed form."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from cemrnn.figures.fig5_synergy import pathways_apart
from cemrnn.figures.fig15_theory import intervention, slopes
from cemrnn.figures.shared import ambiguity
from cemrnn.figures.shared.ambiguity import lead_in_errors, list_pairs, measure_ideal
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import Told
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.tasks import TaskSet, conflict_pairs

CONFIG = dataclasses.replace(
    make_config(Project(Path(__file__).parents[3]), "fig2_ambiguity", "smoke"),
    device="cpu",
    tasks=("delay_pro", "delay_anti"),
    encoding="cosine",
    n_replicates=4,
    pair_trials=500,
    sigmas=(0.0, *np.linspace(0.2, 3, 15).tolist()),
    lambdas=tuple(np.linspace(0, 1, 21).tolist()),
)


def build_switch(offset):
    """Networks made by hand whose gain on the stimulus is c_1 - c_2 - offset: its sign turns the answer round."""
    network = dataclasses.replace(CONFIG.network("gain"), n_units=3, activation="tanh", sigma_rec=0.0)
    model = CEMRNN(network, [0] * CONFIG.n_replicates)
    p = {name: values.data.zero_() for name, values in model.parameters.items()}
    p["input"][:, 0, 0] = 1  # fixation
    p["input"][:, [1, 3], 1] = p["input"][:, [2, 4], 2] = 0.1  # cosine and sine, in the range where tanh is linear
    p["readout"][:, 0, 0], p["readout"][:, 1, 1], p["readout"][:, 2, 2] = 1.3, 10, 10
    p["gain_modulation"][:, 0, 1:], p["gain_modulation"][:, 1, 1:] = -offset, -2 - offset
    return model


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_the_thresholds_of_networks_made_by_hand_are_the_ones_that_were_built_in(offset):
    zero, n_networks, n_tasks = 0.2, CONFIG.n_replicates, len(CONFIG.tasks)
    networks = [SimpleNamespace(status="reached")] * n_networks
    population = ambiguity.Population("gain", build_switch(offset), networks, np.ones((n_networks, n_tasks)))
    curves = ambiguity.measure_ambiguity(population, CONFIG, np.full(n_tasks, zero))

    def right(sigma):  # of both tasks: the difference of two noisy cues has the standard deviation sigma sqrt(2)
        return stats.norm.cdf(np.array([1 - offset, 1 + offset]) / sigma / np.sqrt(2)).mean()

    np.testing.assert_allclose(
        curves.own["noise"].mean(axis=(0, 1))[1:], [right(s) for s in CONFIG.sigmas[1:]], atol=0.02
    )
    built_in = optimize.brentq(lambda sigma: (right(sigma) - zero) / (1 - zero) - 0.75, 0.1, 5)
    np.testing.assert_allclose(curves.sigma75.level.mean(), built_in, rtol=0.06)
    switched = curves.own["mixture"].mean(axis=0)  # (P, L): the first task gives way earlier, the second one later
    np.testing.assert_allclose([np.interp(-0.5, -of_pair, CONFIG.lambdas) for of_pair in switched],
                               [(1 - offset) / 2, (1 + offset) / 2], atol=0.03)  # fmt: skip
    ideal = measure_ideal(CONFIG, np.full(n_tasks, zero))
    errors = lead_in_errors(curves.own["noise"], ideal.shares, CONFIG.pair_trials)
    assert errors.shape == (n_networks, len(CONFIG.sigmas)) and errors.max() < 4
    assert np.abs(errors).max() < 4 or offset > 0  # the network without an offset is such an observer itself
    peeks = curves.own["noise"][..., -1:] + 0.1  # is right more often than a noisy cue allows
    assert (lead_in_errors(peeks, ideal.shares[..., -1:], CONFIG.pair_trials) > 4).all() or offset > 0
    lead = curves.normalised["noise"].mean(axis=0) - ideal.normalised
    assert (np.abs(lead) < 0.03).all() if offset == 0 else (lead < 0.03).all() and lead.min() < -0.03


def test_tasks_are_a_pair_where_the_answers_conflict_on_the_trials_of_either():
    tasks = TaskSet(names=("delay_pro", "delay_anti", "map_1_of_8", "map_2_of_8", "memory_pro"), preset="fast")
    assert (2, 0) in conflict_pairs(tasks) and (0, 2) not in conflict_pairs(tasks)  # sites are among all directions
    assert list_pairs(tasks).tolist() == [[0, 1], [1, 0], [2, 3], [3, 2]]
    assert list_pairs(TaskSet(names=("delay_pro", "memory_pro"), preset="fast")).shape == (0, 2)


def test_a_late_context_is_not_shown_before_its_trial_shows_it_in_training():
    config = dataclasses.replace(CONFIG, tasks=("integrate_late_1", "integrate_late_2"), n_replicates=2, pair_trials=3)
    conflicts = ambiguity.draw_conflicts(config, torch.device("cpu"))
    clean, onset = conflicts.trials.cue(), conflicts.trials.context_onset_steps
    assert clean.ndim == 4 and (onset > 5).all()
    torch.testing.assert_close(conflicts.shown(conflicts.own), clean)
    noisy = conflicts.own + ambiguity.draw_cue_noise(config, conflicts.own)
    moving = noisy[:, :, None].expand_as(clean)
    torch.testing.assert_close(conflicts.shown(noisy), conflicts.shown(moving))
    shown = conflicts.shown(noisy).abs().sum(-1) > 0  # (M, B, T)
    assert torch.equal(shown.int().argmax(-1), onset)
    seen = []

    def simulate(model, trials, cue, config, name):
        seen.append(cue)
        return trials.targets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ambiguity, "simulate", simulate)
        ambiguity.answer_shares(None, conflicts, [conflicts.own], config)
    torch.testing.assert_close(seen[0], clean)


def test_early_contexts_are_shown_as_they_are():
    conflicts = ambiguity.draw_conflicts(dataclasses.replace(CONFIG, n_replicates=2), torch.device("cpu"))
    assert conflicts.shown(conflicts.own) is conflicts.own or torch.equal(conflicts.shown(conflicts.own), conflicts.own)


def test_lesions_slopes_and_corrections_see_a_late_context_late_as_well(monkeypatch):
    config = dataclasses.replace(CONFIG, tasks=("integrate_late_1", "integrate_late_2"), n_replicates=2, pair_trials=3)
    conflicts = ambiguity.draw_conflicts(config, torch.device("cpu"))
    onset, seen = conflicts.trials.context_onset_steps, []

    def simulate(model, trials, cue, config, name):
        seen.extend(cue if isinstance(cue, Told) else [cue])
        return trials.targets

    def run(inputs, cue, lengths):
        seen.append(cue)
        return conflicts.trials.targets, None

    for module in (pathways_apart, intervention):
        monkeypatch.setattr(module, "simulate", simulate)
    network = SimpleNamespace(flat=torch.zeros(1), run=run)
    passing = ambiguity.Population("gain", network, [SimpleNamespace(status="reached")] * 2, np.ones((2, 2)))
    pathways_apart.score_conflict(passing, config)
    pathways_apart.score_pathway_lesions(passing, config, np.zeros(2))
    intervention.measure_correction(network, conflicts, 0.1, 2, np.zeros(2), config)
    slopes.run_to_last(network, conflicts, conflicts.own)
    assert len(seen) == 2 + 2 * 4 + 3 + 1
    for cue in seen:
        there = cue.abs().sum(-1) > 0  # (M, B, T)
        assert torch.equal(there.int().argmax(-1), onset)
