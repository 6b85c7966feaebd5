"""Measures of synergy in a two by two design: neither pathway, excitability, synapses, both.

The first three take outcomes on a scale from 0 to 1 as arrays of replicates, both, E, S and, where it is used,
neither, and reduce over an axis, so that `cemrnn.measures.intervals.estimate_statistic` can resample them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LEAST_ROOM = 0.05  # of the scale, by which perfect combined networks have to exceed what they are compared with


def beyond_best(both, excitability, synaptic, neither=None, *, axis: int) -> np.ndarray:
    """both - max(E, S), of means: what combining adds to the better single pathway.

    The better one is chosen from the same sample, which leans against synergy: see `estimate_difference`.
    """
    return both.mean(axis=axis) - np.maximum(excitability.mean(axis=axis), synaptic.mean(axis=axis))


def beyond_sum(both, excitability, synaptic, neither, *, axis: int) -> np.ndarray:
    """both - E - S + neither, of means: the interaction of the design."""
    single = excitability.mean(axis=axis) + synaptic.mean(axis=axis)
    return both.mean(axis=axis) - single + neither.mean(axis=axis)


def beyond_bliss(both, excitability, synaptic, neither=None, *, axis: int) -> np.ndarray:
    """both - (E + S - E S), of means: what combining adds to two pathways that fail independently.

    Source: Bliss 1939, "The toxicity of poisons applied jointly".
    """
    e, s = excitability.mean(axis=axis), synaptic.mean(axis=axis)
    return both.mean(axis=axis) - (e + s - e * s)


SYNERGY = {"beyond_best": beyond_best, "beyond_sum": beyond_sum, "beyond_bliss": beyond_bliss}


def lesion_excess(intact: np.ndarray, without_e: np.ndarray, without_s: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Loss from clamping both pathways minus the losses from clamping each alone, per network.

    Args:
        intact, without_e, without_s, without: (M,) accuracy with nothing, excitability, synapses, or both clamped.

    Returns:
        (M,): positive if either pathway can stand in for the other, negative if each needs the other.
    """
    return (intact - without) - (intact - without_e) - (intact - without_s)


def swap_statistic(
    robust_e: np.ndarray, robust_s: np.ndarray, packed_e: np.ndarray, packed_s: np.ndarray
) -> Callable[..., np.ndarray]:
    """The statistic of complementarity, with its units taken from these samples.

    Args:
        robust_e, robust_s: (M,) robustness of networks with excitability and with synaptic modulation.
        packed_e, packed_s: (M,) tasks packed by such networks.

    Returns:
        (the four samples, axis) -> the smaller of the two differences, in pooled standard deviations; positive
        where the pathways swap places, negative where one is better at both. NaN where replicates do not differ.
    """
    robust_sd, packed_sd = _pooled_sd(robust_e, robust_s), _pooled_sd(packed_e, packed_s)

    def statistic(r_e: np.ndarray, r_s: np.ndarray, p_e: np.ndarray, p_s: np.ndarray, *, axis: int) -> np.ndarray:
        robust = (r_e.mean(axis=axis) - r_s.mean(axis=axis)) / robust_sd
        packed = (p_e.mean(axis=axis) - p_s.mean(axis=axis)) / packed_sd
        return -np.sign(robust * packed) * np.minimum(np.abs(robust), np.abs(packed))

    return statistic


def _pooled_sd(first: np.ndarray, second: np.ndarray) -> float:
    """Standard deviation within samples; NaN where there is none."""
    first, second = (sample[~np.isnan(sample)] for sample in (first, second))
    if len(first) < 2 or len(second) < 2:
        return np.nan
    freedom = len(first) + len(second) - 2
    squares = ((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum()
    return float(np.sqrt(squares / freedom)) or np.nan
