"""Measures of how many tasks fit into a network, from the score on the worst of them.

Scores have the number of tasks K on their last axis, in the order of `task_counts`; the replicate comes first.
"""

from __future__ import annotations

import numpy as np

from cemrnn.measures.robustness import Threshold, threshold_level
from cemrnn.random import stream


def largest_packed(task_counts: np.ndarray, worst: np.ndarray, criterion: float) -> int:
    """K*: the largest tested number of tasks at which the median replicate's worst task reaches the criterion, or 0.

    Args:
        task_counts: (L,) increasing numbers of tasks.
        worst: (M, L) score on the worst task.
        criterion: score to reach.

    Raises:
        ValueError: scores and numbers of tasks do not fit.
    """
    counts, worst = _check(task_counts, worst)
    reached = np.median(worst, axis=0) >= criterion
    return int(counts[reached].max(initial=0))


def octaves_packed(task_counts: np.ndarray, worst: np.ndarray, criterion: float) -> Threshold:
    """log2 of the number of tasks at which each replicate's worst-task score first falls to the criterion.

    Found between the tested numbers, on a logarithmic axis; at their bounds, with a flag, where it lies outside.

    Arguments and errors as in `largest_packed`; the result is a Threshold of shape (M,), in octaves: 3 means 8 tasks.
    """
    counts, worst = _check(task_counts, worst)
    return threshold_level(np.log2(counts), worst, criterion, "falling")


def average_thresholds(thresholds: list[Threshold]) -> Threshold:
    """Mean over conditions of each replicate's threshold (M,); flagged where it is flagged in most of them."""
    censored = np.stack([threshold.censored for threshold in thresholds])  # (condition, M)
    most = np.sign(censored.sum(axis=0)) * (np.abs(censored.sum(axis=0)) * 2 > len(thresholds))
    return Threshold(level=np.mean([t.level for t in thresholds], axis=0), censored=most.astype(int))


def packing_exponent(units: np.ndarray, octaves: np.ndarray) -> np.ndarray:
    """Slope of log K* against log N, by least squares, for every replicate.

    Args:
        units: (S,) numbers of units, at least two.
        octaves: (M, S) log2 of the number of tasks.

    Returns:
        (M,) exponents: 1 means that twice the units hold twice the tasks.
    """
    x = np.log2(np.asarray(units, float))
    x = x - x.mean()
    return np.asarray(octaves, float) @ x / (x @ x)


def interference(mean_scores: np.ndarray) -> np.ndarray:
    """What packing costs a task: score of a network that learned one alone minus the mean score when packed.

    Args:
        mean_scores: (M, L) mean over tasks, as the result, which is 0 in the first column; the first number is 1.
    """
    return mean_scores[:, :1] - mean_scores


def worst_of_separate(scores: np.ndarray, n_tasks: int, n_replicates: int, *, seed: int) -> np.ndarray:
    """Worst score (M,) among K networks with one task each, for every replicate.

    Args:
        scores: (P,) of a pool of networks that learned one task; tasks are equally hard.
        n_tasks: K.
        n_replicates: M.
        seed: of the draws: K networks of the pool for each replicate, with replacement.
    """
    return stream(seed, "separate", str(n_tasks)).choice(scores, (n_replicates, n_tasks)).min(axis=1)


def blind_share(n_tasks: int, tolerance_rad: float) -> float:
    """Largest share of rotations by 2 pi k / K that one turn of the stimulus answers, whatever the task.

    Args:
        n_tasks: K.
        tolerance_rad: how far an answer may be from the right one.
    """
    width = 2 * tolerance_rad * n_tasks / (2 * np.pi)  # of the open window, in steps between rotations
    return min(int(np.ceil(width - 1e-9)), n_tasks) / n_tasks


def _check(task_counts: np.ndarray, worst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts, worst = np.asarray(task_counts), np.asarray(worst, float)
    if worst.ndim != 2 or worst.shape[1:] != counts.shape:
        raise ValueError(f"worst: expected (replicate, {len(counts)} numbers of tasks), got shape {worst.shape}")
    return counts, worst
