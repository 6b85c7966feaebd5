"""Combined networks whose two pathways are told different things: a lesion, or another task."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from cemrnn.figures.shared.ambiguity import AmbiguityConfig, draw_conflicts
from cemrnn.figures.shared.battery import Population, simulate
from cemrnn.figures.shared.frames import lay_out
from cemrnn.measures.robustness import average_pairs, normalise_accuracy
from cemrnn.network.pathways import Told

LESIONS = ("intact", "excitability clamped", "synapses clamped", "both clamped")


def score_pathway_lesions(population: Population, config: AmbiguityConfig, chance: np.ndarray) -> pd.DataFrame:
    """One row per network and lesion: normalised accuracy on conflict trials; NaN for networks that are not compared.

    A clamped pathway receives the mean of all contexts in every trial; its modulation is linear in the context, so
    that this is its mean modulation.

    Args:
        population: trained networks with both pathways.
        config: tasks, seeds and number of trials.
        chance: (K,) accuracy on each task of answers that ignore the stimulus.
    """
    model, passed = population.model, population.passed(config.passing_score)
    conflicts = draw_conflicts(config, model.flat.device)
    told, mean = conflicts.own, torch.full_like(conflicts.own, 1 / conflicts.own.shape[-1])
    cues = dict(zip(LESIONS, ((told, told), (mean, told), (told, mean), (mean, mean)), strict=True))
    right = {}
    for lesion, each in cues.items():
        outputs = simulate(model, conflicts.trials, Told(*map(conflicts.shown, each)), config, "ambiguity")
        right[lesion], _ = conflicts.answers(outputs)  # (M, P)
    normal = {k: normalise_accuracy(own, chance[conflicts.pairs[:, 0]], right["intact"]) for k, own in right.items()}
    accuracy = np.stack([average_pairs(values[..., None], passed)[:, 0] for values in normal.values()])
    return lay_out({"lesion": LESIONS, "network": range(len(passed))}, accuracy=accuracy)


def score_conflict(population: Population, config: AmbiguityConfig) -> pd.DataFrame:
    """One row per network: shares of answers for the task that excitability is told and for that of the synapses.

    Each pathway is told one task of a pair that requires different answers to the stimulus. Every pair comes in both
    orders, so that a preference for a task is no preference for a pathway.
    """
    model, passed = population.model, population.passed(config.passing_score)
    conflicts = draw_conflicts(config, model.flat.device)
    told = Told(*map(conflicts.shown, (conflicts.own, conflicts.other)))
    outputs = simulate(model, conflicts.trials, told, config, "ambiguity")
    shares = [average_pairs(x[..., None], passed)[:, 0] for x in conflicts.answers(outputs)]
    table = pd.DataFrame({"network": np.arange(len(passed)), "excitability": shares[0], "synapses": shares[1]})
    return table.assign(neither=1 - table["excitability"] - table["synapses"])
