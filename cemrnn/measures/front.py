"""Two measures that trade off: whether some conditions reach beyond the front of others.

Every condition has a latency (less is better) and a tolerance (more is better), one pair per replicate network. The
front of the single-pathway conditions at a latency is the largest mean tolerance among those that are no slower. A
latency shorter than that of all of them is compared with the fastest.

Picking the combination that lies furthest beyond the front would overstate it: among many equal ones some lie
beyond it by chance. It is therefore chosen on one half of its replicates and measured on the other, and the other
way round; the two are averaged ("cross-fitting").
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from cemrnn.measures.intervals import LEVEL, N_RESAMPLES, Interval
from cemrnn.random import stream

# Comparable networks that a condition needs to count. A combination needs two in each half, for a spread. A single
# condition counts with one in each: leaving it out would lower the front.
MIN_COMBINED, MIN_SINGLE = 4, 2
LATENCY, TOLERANCE = 0, 1


def front_steps(single: np.ndarray, latency: np.ndarray, *, slack: float = 0.0) -> np.ndarray:
    """Largest tolerance among the single conditions that are no slower, or of the fastest if all are slower.

    Args:
        single: (S, 2, ...) latency and tolerance.
        latency: (C, ...) latencies at which the front is wanted, as the result.
        slack: difference in latency that does not count.
    """
    allowed = np.maximum(latency, single[:, LATENCY].min(axis=0)) + slack
    eligible = single[:, LATENCY] <= allowed[:, None]  # (C, S, ...)
    return np.where(eligible, single[:, TOLERANCE], -np.inf).max(axis=1)


def front_line(single: np.ndarray, latency: np.ndarray) -> np.ndarray:
    """The front with straight lines between the conditions on it, as if any latency between theirs could be had.

    Beyond the first and the last condition it is level. Arguments and result as in `front_steps`.
    """
    points, wanted = single.reshape(*single.shape[:2], -1), latency.reshape(len(latency), -1)
    line = np.empty(wanted.shape)
    for column in range(wanted.shape[1]):
        order = np.lexsort((-points[:, TOLERANCE, column], points[:, LATENCY, column]))
        x, y = points[order, :, column].T
        best_so_far = np.maximum.accumulate(y)
        on_front = np.append(True, y[1:] > best_so_far[:-1])
        line[:, column] = np.interp(wanted[:, column], x[on_front], y[on_front])
    return line.reshape(latency.shape)


def measure_beyond_front(
    combined: np.ndarray, single: np.ndarray, *, seed: int, slack: float = 0.0, straight: bool = False
) -> Interval:
    """How far the best combination lies beyond the front of the single conditions, by cross-fitting.

    Where it would lie if all conditions were alike is at zero or somewhat below: the front is the best of several
    noisy means in the half that measures, too. The bounds are Student's, with a standard error from resampling.

    Args:
        combined: (M, C, 2) latency and tolerance of every replicate of C combinations; NaN: not comparable.
        single: (M, S, 2) those of the single conditions.
        seed: of the resampling of replicates, within each half of each condition.
        slack: difference in latency that does not count.
        straight: measure against `front_line` instead of `front_steps`.

    Returns:
        Interval of one number; NaN if no condition of a kind has enough comparable networks. n is the smallest
        number of comparable networks among the conditions that count.
    """
    generator = stream(seed, "front")
    kinds = [_resample_halves(*kind, generator) for kind in ((combined, MIN_COMBINED), (single, MIN_SINGLE))]
    if any(len(halves) == 0 for halves, _ in kinds):
        return Interval(**dict.fromkeys(("value", "low", "high", "p"), np.array(np.nan)), n=np.array(0))
    (combinations, n_combined), (singles, n_single) = kinds
    gaps = []  # one per half: (C, 1 + resample)
    for half in range(2):
        ours, theirs = combinations[:, half], singles[:, half]
        latency = ours[:, LATENCY]
        front = front_line(theirs, latency) if straight else front_steps(theirs, latency, slack=slack)
        gaps.append(ours[:, TOLERANCE] - front)
    measured = [np.take_along_axis(b, a.argmax(axis=0)[None], axis=0)[0] for a, b in (gaps, gaps[::-1])]
    value, drawn = np.split(np.mean(measured, axis=0), [1])
    n = min(n_combined, n_single)
    in_half = max(n // 2, 2)  # a single condition may have one network in each
    error, freedom = drawn.std() * math.sqrt(in_half / (in_half - 1)), 2 * (in_half - 1)
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    p = 2 * stats.t.sf(abs(value[0]) / error, freedom) if error > 0 else float(value[0] == 0)
    return Interval(value=value[0], low=value[0] - half, high=value[0] + half, n=np.array(n), p=np.array(p))


def choose_beyond_front(combined: np.ndarray, single: np.ndarray, *, slack: float = 0.0) -> int | None:
    """Index of the combination that lies furthest beyond the front, over all replicates; None if none counts."""
    means = [_mean_comparable(*kind) for kind in ((combined, MIN_COMBINED), (single, MIN_SINGLE))]  # (C, 2)
    theirs = means[1][~np.isnan(means[1]).any(axis=1)]
    counts = ~np.isnan(means[0]).any(axis=1)
    if not counts.any() or len(theirs) == 0:
        return None
    gap = np.full(len(counts), -np.inf)
    ours = means[0][counts]
    gap[counts] = ours[:, TOLERANCE] - front_steps(theirs, ours[:, LATENCY], slack=slack)
    return int(gap.argmax())


def _mean_comparable(kind: np.ndarray, at_least: int) -> np.ndarray:
    """(C, 2) means over the comparable replicates of (M, C, 2); NaN where there are too few."""
    present = ~np.isnan(kind).any(axis=2)  # (M, C)
    count = present.sum(axis=0)[:, None]
    mean = np.where(present[..., None], kind, 0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count >= at_least, mean, np.nan)


def _resample_halves(kind: np.ndarray, at_least: int, generator: np.random.Generator) -> tuple[np.ndarray, int]:
    """(C', 2 halves, 2, 1 + resample) means of the conditions that count, the first as measured; and the least n."""
    means, counts = [], []
    for condition in np.moveaxis(kind, 1, 0):  # (M, 2)
        present = condition[~np.isnan(condition).any(axis=1)]
        if len(present) < at_least:
            continue
        counts.append(len(present))
        halves = []
        for half in (present[0::2], present[1::2]):
            drawn = half[generator.integers(len(half), size=(N_RESAMPLES, len(half)))].mean(axis=1)  # (resample, 2)
            halves.append(np.concatenate([half.mean(axis=0)[None], drawn]).T)
        means.append(halves)
    return np.array(means), min(counts, default=0)
