"""Correction of p values for how many were looked at."""

from __future__ import annotations

import numpy as np


def adjust_holm(p: np.ndarray) -> np.ndarray:
    """p values (C,) corrected for having looked at all of them; NaN stays, and is not counted.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p, float)
    out, known = np.full(p.shape, np.nan), np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    steps = p[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return out
