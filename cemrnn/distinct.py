"""Which of many points are the same, by hashing."""

from __future__ import annotations

import numpy as np

from cemrnn.streams import stream

CELL = 1.01  # width of a cell in merge distances: rounding cannot put two mergeable points two cells apart


def find_distinct(points: np.ndarray, which: np.ndarray, distance: float) -> np.ndarray:
    """Position (B,) of the point that each is merged into; a point that is kept names itself.

    A point is merged into the nearest kept one of its condition, if that lies within the distance, else kept. So kept
    points are farther apart than the distance, and a chain of near points does not collapse into one.

    A point's cell is where its projection on one fixed direction falls. Projections of two points are no farther apart
    than the points, so that whatever a point can be merged into lies in its own cell or in one of its two neighbours.

    Args:
        points: (B, N), finite; the better ones first, which are the ones that are kept.
        which: (B,) int64, condition; points of different conditions are never merged.
        distance: Euclidean.
    """
    direction = stream(0, "distinct", "direction").standard_normal(points.shape[1])
    cell = np.floor(points @ direction / (np.linalg.norm(direction) * distance * CELL)).astype(np.int64)
    kept: dict[tuple[int, int], list[int]] = {}
    into = np.arange(len(points))
    for i, (p, c) in enumerate(zip(which.tolist(), cell.tolist(), strict=True)):
        near = [k for d in (-1, 0, 1) for k in kept.get((p, c + d), ())]
        if near:
            apart = ((points[near] - points[i]) ** 2).sum(axis=1)
            nearest = int(apart.argmin())
            if apart[nearest] <= distance**2:
                into[i] = near[nearest]
                continue
        kept.setdefault((p, c), []).append(i)
    return into
