"""Measures of how many tasks fit into a network, and of the information that it holds when they do.

Scores have the number of tasks K on their last axis, in the order of `task_counts`; the replicate comes first.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from cemrnn.measures.robustness import Threshold, threshold_level
from cemrnn.random import stream
from cemrnn.tasks.maps import bits_per_map


def octaves_packed(task_counts: np.ndarray, scores: np.ndarray, criterion: float) -> Threshold:
    """log2 of the number of tasks K* at which each replicate's score first falls to the criterion.

    Found between the tested numbers, on a logarithmic axis; at their bounds, with a flag, where it lies outside.

    Args:
        task_counts: (L,) increasing numbers of tasks.
        scores: (M, L).
        criterion: score to reach.

    Returns:
        Threshold of shape (M,), in octaves: 3 means 8 tasks.

    Raises:
        ValueError: scores and numbers of tasks do not fit.
    """
    counts, scores = np.asarray(task_counts), np.asarray(scores, float)
    if scores.ndim != 2 or scores.shape[1:] != counts.shape:
        raise ValueError(f"scores: expected (replicate, {len(counts)} numbers of tasks), got shape {scores.shape}")
    return threshold_level(np.log2(counts), scores, criterion, "falling")


def octaves_needed(units: np.ndarray, scores: np.ndarray, criterion: float) -> Threshold:
    """log2 of the number of units N at which each replicate's score first rises to the criterion.

    Found between the tested sizes, on a logarithmic axis; at their bounds, with a flag, where it lies outside.

    Args:
        units: (L,) increasing sizes.
        scores: (M, L).
        criterion: score to reach.

    Returns:
        Threshold of shape (M,), in octaves: 4 means 16 units.
    """
    return threshold_level(np.log2(np.asarray(units)), np.asarray(scores, float), criterion, "rising")


def kept_share(accuracy: np.ndarray, n_sites: int) -> np.ndarray:
    """Share of the information of a map that answers with some accuracy hold, in [0, 1].

    Mutual information of answer and right answer, over its value for perfect answers, if every wrong site is as likely
    as another: 1 + (a log a + (1 - a) log((1 - a) / (S - 1))) / log S. At chance, a = 1 / S, and below it is 0.
    It is convex in a: of the mean accuracy over tasks it is the least that answers with that mean can hold.

    Args:
        accuracy: (...,) share of answers at the right site.
        n_sites: S.
    """
    a = np.clip(np.asarray(accuracy, float), 1 / n_sites, 1)
    entropy = special.entr(a) + special.entr(1 - a) + (1 - a) * math.log(n_sites - 1)
    return 1 - entropy / math.log(n_sites)


def bits_stored(accuracy: np.ndarray, n_tasks: int, n_sites: int) -> np.ndarray:
    """Bits (...,) that a network holds of K random maps that it answers with this accuracy.

    All of K log2 S! for perfect answers, else the share of it that `kept_share` gives.
    """
    return n_tasks * bits_per_map(n_sites) * kept_share(accuracy, n_sites)


def worst_of_halves(right: np.ndarray) -> np.ndarray:
    """Score (M,) on the worst task, without the bias of a minimum over noisy means.

    The worst task is found in one half of the trials, and scored in the other, in which its noise is independent of
    the choice; then the other way round. Between equal tasks the result is their common score, where a plain minimum
    falls with the number of tasks.

    Args:
        right: (M, n, K) whether each of n trials of every task was answered right.
    """
    halves = np.asarray(right, float)[:, 0::2].mean(1), np.asarray(right, float)[:, 1::2].mean(1)  # (M, K) each
    scored = [np.take_along_axis(other, chosen.argmin(1)[:, None], 1)[:, 0] for chosen, other in (halves, halves[::-1])]
    return np.mean(scored, axis=0)


def late_rise(share: np.ndarray, scores: np.ndarray, until: float) -> float:
    """By how much the score rose over the last doubling of the updates before `until`.

    The mean score over the tenth of the updates that ends there, less that over the tenth that ends at half of it.

    Args:
        share: (H,) share of the updates that was done at every look.
        scores: (H,) at every look.
        until: share of the updates at which the learning rate begins to fall, which raises the score by itself.

    Returns:
        NaN if one of the two has no look.
    """
    share, scores, rounding = np.asarray(share, float), np.asarray(scores, float), 1e-9
    first, last = (scores[(share > end - 0.1 + rounding) & (share <= end + rounding)] for end in (until / 2, until))
    return float(last.mean() - first.mean()) if len(first) and len(last) else math.nan


def predict_bits(demand: np.ndarray, n_parameters: np.ndarray, bits_per_parameter: float) -> np.ndarray:
    """Bits that a network holds if each trained number holds so many at most, and the tasks have no more than asked."""
    return np.minimum(np.asarray(demand, float), bits_per_parameter * np.asarray(n_parameters, float))


def fit_bits_per_parameter(demand: np.ndarray, n_parameters: np.ndarray, stored: np.ndarray) -> float:
    """Bits per trained number with which `predict_bits` comes nearest to what is stored, in least squares of logs.

    Args:
        demand: (C,) bits of the tasks of every network.
        n_parameters: (C,) its trained numbers.
        stored: (C,) bits that it holds, positive.

    Returns:
        NaN if no network is given.
    """
    if not len(stored):
        return math.nan

    def misfit(log_bits: float) -> float:
        return float(np.sum(np.log(predict_bits(demand, n_parameters, math.exp(log_bits)) / stored) ** 2))

    # Piecewise quadratic: the best of a fine grid, refined around it.
    grid = np.linspace(math.log(1e-3), math.log(1e2), 200)
    best = grid[int(np.argmin([misfit(x) for x in grid]))]
    step = grid[1] - grid[0]
    return math.exp(optimize.minimize_scalar(misfit, bounds=(best - step, best + step), method="bounded").x)


def predict_packed(n_shared: int, n_per_context: int, bits_of_task: float, bits_per_parameter: float) -> float:
    """K*: how many tasks fit if each trained number holds so many bits; infinite if a context brings enough of its own.

    K bits_of_task = bits_per_parameter (n_shared + K n_per_context), solved for K.

    Args:
        n_shared: trained numbers without those of contexts.
        n_per_context: trained numbers that a context adds.
        bits_of_task: that one task asks for.
        bits_per_parameter: that a number holds.
    """
    lacking = bits_of_task - bits_per_parameter * n_per_context
    return bits_per_parameter * n_shared / lacking if lacking > 0 else math.inf


def majority_share(maps: np.ndarray) -> float:
    """Largest accuracy over maps of answers that depend on the shown site alone, and not on the task.

    Args:
        maps: (K, S) answered site of every shown site.
    """
    maps = np.asarray(maps)
    most = [np.bincount(column).max() for column in maps.T]
    return float(np.mean(most) / len(maps))


def draw_separate(right: np.ndarray, n_tasks: int, n_replicates: int, *, seed: int) -> np.ndarray:
    """Answers (M, n, K) of K networks with one task each, for every replicate.

    Args:
        right: (P, n) whether each of n trials was answered right, by a pool of networks that learned one task each.
        n_tasks: K.
        n_replicates: M.
        seed: of the draws: K networks of the pool for each replicate, with replacement.
    """
    chosen = stream(seed, "separate", str(n_tasks)).choice(len(right), (n_replicates, n_tasks))
    return np.moveaxis(np.asarray(right)[chosen], 1, 2)
