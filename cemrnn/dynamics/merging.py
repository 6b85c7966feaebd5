"""Which of many points are the same, by hashing."""

from __future__ import annotations

import numpy as np

from cemrnn.random import stream

CELL = 1.01  # width of a cell in merge distances: rounding cannot put two mergeable points two cells apart


def find_distinct(points: np.ndarray, which: np.ndarray, distance: float) -> np.ndarray:
    """Position (B,) of the point that each is merged into; a point that is kept names itself.

    In the order given, a point that is left is kept, and takes all that are left within the distance. So kept points
    are farther apart than the distance, and a chain of near points does not collapse into one.

    A point's cell is where its projection on one fixed direction falls. Projections of two points are no farther apart
    than the points, so that all that a point can take lie in its own cell or in one of its two neighbours.

    Args:
        points: (B, N), finite; the better ones first, which are the ones that are kept.
        which: (B,) int64, condition; points of different conditions are never merged.
        distance: Euclidean.
    """
    direction = stream(0, "distinct", "direction").standard_normal(points.shape[1])
    cell = np.floor(points @ direction / (np.linalg.norm(direction) * distance * CELL)).astype(np.int64)
    members, into = _hash(which, cell), np.full(len(points), -1)
    for i, (p, c) in enumerate(zip(which.tolist(), cell.tolist(), strict=True)):
        if into[i] < 0:
            near = np.concatenate([members[p, k] for k in (c - 1, c, c + 1) if (p, k) in members])
            near = near[into[near] < 0]
            apart = ((points[near] - points[i]) ** 2).sum(axis=1)
            into[near[apart <= distance**2]] = i
    return into


def _hash(which: np.ndarray, cell: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Positions of the points in every cell that has some, by condition and cell."""
    order = np.lexsort((cell, which))
    p, c = which[order], cell[order]
    borders = np.flatnonzero((np.diff(p) != 0) | (np.diff(c) != 0)) + 1
    firsts = np.concatenate([[0], borders])[: len(order)]  # none where there are no points
    keys = zip(p[firsts].tolist(), c[firsts].tolist(), strict=True)
    return dict(zip(keys, np.split(order, borders), strict=False))
