"""Exponents of power laws: slopes of logarithms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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
