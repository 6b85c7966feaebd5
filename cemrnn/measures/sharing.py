"""Measures of what modulators learned, from arrays: sharing between tasks, selectivity of lesions, use of units.

Symbols: K tasks, F features of a modulation, R synaptic components, N units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from cemrnn.tasks.family import Task


def share_blocks(tasks: Sequence[Task]) -> np.ndarray:
    """Share of building blocks that two tasks have in common, (K, K) with ones on the diagonal.

    The six blocks of a task are the distribution of its stimuli, its timing, the modalities that are shown, whether
    the fixation input is the go cue, the kind of its rule, and its rule. They are read from the definitions of the
    tasks, so that no network has a say.
    """
    blocks = [
        (id(f.draw), id(f.timing), f.shown, f.go_cue, id(task.rule), (id(task.rule), task.parameters))
        for task in tasks
        for f in [task.family]
    ]
    return np.array([[np.mean([a == b for a, b in zip(x, y, strict=True)]) for y in blocks] for x in blocks])


def compare_modulations(modulation: np.ndarray) -> np.ndarray:
    """Cosine (K, K) of the modulations (K, F) of every two tasks, without the mean that all tasks share.

    NaN for a task whose modulation is the mean. The cosines of one task with the others sum to less than zero: what
    counts is which pairs are nearer than others.
    """
    centred = modulation - modulation.mean(axis=0)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = centred / norms
    return np.clip(unit @ unit.T, -1, 1)


def permute_relation(
    tasks: np.ndarray, modulations: np.ndarray, *, n_permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Mean correlation of a similarity of tasks with those of several networks over pairs, and its p value.

    The p value is the share of relabellings of the tasks, the same for all networks, with at least that correlation:
    pairs that share a task are not independent, so that whole tasks are permuted. All relabellings are used if there
    are no more than `n_permutations`.
    Source: Mantel 1967, "The detection of disease clustering and a generalized regression approach".

    Args:
        tasks: (K, K) similarity of the tasks.
        modulations: (M, K, K) similarity of their modulations in each network.
        n_permutations: relabellings, at most.
        rng: of the relabellings.

    Returns:
        Correlation and p value; NaN with fewer than three tasks, or where a similarity is constant or not defined.
    """
    pairs = np.triu_indices(len(tasks), k=1)
    known, found = tasks[pairs], modulations[:, *pairs]  # (P,), (M, P)
    if len(known) < 3 or not np.ptp(known) > 0 or not (np.ptp(found, axis=1) > 0).all():
        return np.nan, np.nan
    standard = (tasks - known.mean()) / known.std()  # of all relabellings, which hold the same numbers
    target = stats.zscore(found, axis=1).mean(axis=0)

    def correlate(order: np.ndarray) -> float:
        return (standard[np.ix_(order, order)][pairs] * target).mean()

    options = {"permutation_type": "pairings", "alternative": "greater", "vectorized": False, "rng": rng}
    tested = stats.permutation_test((np.arange(len(tasks)),), correlate, n_resamples=n_permutations, **options)
    return float(tested.statistic), float(tested.pvalue)


def concentrate(losses: np.ndarray) -> float:
    """On how few tasks the losses of lesions (L, K) are concentrated, from 1 / K, all tasks alike, to 1, one task.

    For a lesion it is sum_k l_k^2 / (sum_k l_k)^2, with gains counted as no loss. Lesions are
    weighted by the sum of their losses, because one that costs little says little. NaN if none costs anything.
    """
    losses = np.maximum(losses, 0)
    total = losses.sum(axis=1)
    if not total.any():
        return np.nan
    some = total > 0
    return float((np.square(losses[some]).sum(axis=1) / total[some]).sum() / total.sum())


def active_fraction(rates: np.ndarray) -> float:
    """Share of units that carry the activity: squared mean over units of rates (N,) over the mean of their squares.

    From 1 / N, a single unit, to 1, all alike; n of N equal rates give n / N. NaN if all are silent.
    Source: Treves & Rolls 1991, "What determines the capacity of autoassociative memories in the brain?".
    """
    square = np.square(rates).mean()
    return float(np.square(rates.mean()) / square) if square > 0 else np.nan


def count_effective(energies: np.ndarray) -> float:
    """Effective number of components with these energies (R,): squared sum over sum of squares; NaN without any."""
    square = np.square(energies).sum()
    return float(np.square(energies.sum()) / square) if square > 0 else np.nan


def follow_use(gain: np.ndarray, variance: np.ndarray) -> float:
    """Correlation of gain and use over tasks and units, each without the unit's mean over tasks.

    Args:
        gain: (K, N) gain of each unit in each task.
        variance: (K, N) task variance; each unit's is taken relative to its largest.

    Returns:
        From -1 to 1; NaN if nothing varies.
    """
    used = variance.max(axis=0) > 0
    use = variance[:, used] / variance[:, used].max(axis=0)
    a, b = (x - x.mean(axis=0) for x in (gain[:, used], use))
    scale = np.sqrt(np.square(a).sum() * np.square(b).sum())
    return float((a * b).sum() / scale) if scale > 0 else np.nan
