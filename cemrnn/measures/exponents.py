"""Exponents of power laws: slopes of logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


class Exponent(NamedTuple):
    """Slope of log(y) on log(x), with its interval."""

    slope: float
    low: float
    high: float


def fit_slopes(x: Sequence[float], y: np.ndarray) -> np.ndarray:
    """Exponents (...,) of y = c x^slope, by least squares on logarithms.

    Args:
        x: (L,) two points or more, positive.
        y: (..., L) positive.

    Raises:
        ValueError: there are fewer points, or not one y for each.
    """
    u, v = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    if len(u) < 2 or v.shape[-1:] != u.shape:
        raise ValueError(f"y: expected (..., {len(u)}), one value for each of two points or more, got {v.shape}")
    u = u - u.mean()
    return (v * u).sum(-1) / (u**2).sum()


def fit_exponent(x: Sequence[float], y: Sequence[float]) -> Exponent:
    """Exponent of y = c x^slope by least squares on logarithms, with Student's 95 % interval.

    Args:
        x, y: three points or more, positive.

    Raises:
        ValueError: there are fewer.
    """
    if len(x) < 3:
        raise ValueError(f"x: expected three points or more, got {len(x)}")
    slope = float(fit_slopes(x, np.asarray(y, float)))
    u, v = np.log(x), np.log(y)
    residual = v - v.mean() - slope * (u - u.mean())
    error = math.sqrt(np.sum(residual**2) / (len(x) - 2) / np.sum((u - u.mean()) ** 2))
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(x) - 2) * error
    return Exponent(slope, float(slope - half), float(slope + half))
