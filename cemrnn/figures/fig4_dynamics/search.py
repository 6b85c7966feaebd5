"""Fixed and slow points of the networks of one arm: under every context and constant input, and between contexts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cemrnn.dynamics.fixed_points import (
    CARRIED,
    FixedPoints,
    NotConvergedError,
    System,
    carry,
    find_fixed_points,
    follow_fixed_points,
)
from cemrnn.dynamics.flow import Flow
from cemrnn.dynamics.merging import find_distinct
from cemrnn.figures.shared.states import Visited
from cemrnn.network.model import CEMRNN

MERGE_DISTANCE = 1e-4  # points nearer to each other than this are one, as in `find_fixed_points`
FIXED_ALONE = {"tolerance": 1e-9, "slow_tolerance": 1e-9}  # along paths, where slow points do not count


@dataclass(frozen=True)
class Searched:
    """Points that were found under P conditions."""

    # P rows: network, task of the context, input and its epoch, again; unseen, the estimated chance that one more start
    # would lead to a fixed point not found; lost, the share of starts that led to no point; starts, their number;
    # settled, whether the second half of them led to no other fixed point.
    conditions: pd.DataFrame
    points: pd.DataFrame  # a row per point: condition, kind (stable, unstable, or slow: not quite fixed), time_constant
    states: np.ndarray  # (Q, N) the points

    def under(self, **condition) -> Iterator[tuple[pd.Series, np.ndarray]]:
        """The conditions with these values, each with its points (Q, N)."""
        chosen = self.conditions
        for name, value in condition.items():
            chosen = chosen[chosen[name] == value]
        for index, row in chosen.iterrows():
            yield row, self.states[(self.points["condition"] == index).to_numpy()]

    def counts(self) -> pd.DataFrame:
        """The conditions with their numbers of stable, unstable and slow points."""
        kinds = pd.crosstab(self.points["condition"], self.points["kind"])
        kinds = kinds.reindex(index=self.conditions.index, columns=["stable", "unstable", "slow"], fill_value=0)
        return pd.concat([self.conditions, kinds], axis="columns")


def make_flow(model: CEMRNN, network: np.ndarray, inputs: np.ndarray, context: np.ndarray) -> Flow:
    """The flow of P conditions from arrays (P,), (P, I) and (P, K)."""
    u, c = (torch.as_tensor(x, dtype=torch.float64, device=model.flat.device) for x in (inputs, context))
    return Flow.of(model, torch.tensor(np.array(network), device=model.flat.device), u, c)


def _find(system: System, starts: Tensor, which: Tensor, **settings: float) -> FixedPoints:
    """Points from the starts; where few of them lead to one, those that do: how many is part of the result."""
    try:
        return find_fixed_points(system, starts, which, **settings)
    except NotConvergedError as error:
        return error.partial


def search_epochs(model: CEMRNN, visited: Visited, shown: pd.DataFrame, n_starts: tuple[int, int]) -> Searched:
    """Points of every network in every context under every constant input, from states visited in that context.

    Fixation is searched a second time, from other states (column `again`): how far its points are from the first ones
    in the same context is the floor of what a difference between contexts can mean.

    Args:
        model: M networks.
        visited: their states.
        shown: the inputs, see `constant_inputs`.
        n_starts: per condition, at least and at most: twice as many where the second half led to a new fixed point.
    """
    searches = [(i, False) for i in range(len(shown))] + [(0, True)]
    cells = list(itertools.product(range(model.n_networks), range(model.config.n_contexts), searches))
    rows = [
        {"network": m, "task": k, "input": i, "epoch": shown["epoch"][i], "again": again} for m, k, (i, again) in cells
    ]
    least, most = n_starts
    drawn = [visited.draw(m, k, most, "other starts" if again else "starts")[0] for m, k, (_, again) in cells]
    starts = np.stack(drawn)
    conditions = pd.DataFrame(rows).assign(unseen=np.nan, lost=np.nan, starts=0, settled=False)
    inputs, cue = np.stack(shown["inputs"].to_list()), np.eye(model.config.n_contexts)
    points, places, left, n = [], [], np.arange(len(conditions)), least
    while len(left):
        some = conditions.loc[left]
        flow = make_flow(model, some["network"], inputs[some["input"]], cue[some["task"]])
        found = _find(flow, *carry(flow, starts[left, :n], CARRIED, model.flat.device))
        added = np.bincount(found.which, weights=(found.first >= n // 2) & ~found.slow, minlength=len(left))
        ended = (added == 0) | (n >= most)
        told = {"unseen": found.unseen, "lost": found.n_lost / found.n_starts, "starts": n, "settled": added == 0}
        conditions.loc[left, list(told)] = pd.DataFrame(told, index=left)
        kept = found.take(ended[found.which])
        kind = np.where(kept.slow, "slow", np.where(kept.stable, "stable", "unstable"))
        columns = {"condition": left[kept.which], "kind": kind, "time_constant": kept.slowest}
        points.append(pd.DataFrame(columns))
        places.append(kept.states)
        left, n = left[~ended], min(2 * n, most)
    return Searched(conditions, pd.concat(points, ignore_index=True), np.concatenate(places))


def follow_paths(
    model: CEMRNN,
    visited: Visited,
    pairs: list[tuple[int, int]],
    lambdas: np.ndarray,
    inputs: np.ndarray,
    n_starts: int,
) -> pd.DataFrame:
    """Number of stable points of every network under mixtures (1 - lambda) c_i + lambda c_j.

    Points are followed from 0 to 1 and back, and those of both ways are put together. On the way there, states that
    were visited in either task and carried far along the flow are started from as well.

    Args:
        model: M networks.
        visited: their states.
        pairs: of tasks i and j.
        lambdas: (L,) increasing shares of the second task's context.
        inputs: (I,) constant input.
        n_starts: per mixture, half of them from each task.

    Returns:
        Columns network, first, second, lambda, stable.
    """
    cells = list(itertools.product(range(model.n_networks), pairs))
    paths = pd.DataFrame([{"network": m, "first": i, "second": j} for m, (i, j) in cells])
    own, other = np.eye(model.config.n_contexts)[[paths["first"], paths["second"]]]  # (P, K) each

    def mix(share: float) -> Flow:
        held = np.tile(inputs, (len(paths), 1))
        return make_flow(model, paths["network"], held, (1 - share) * own + share * other)

    half = (n_starts + 1) // 2
    starts = np.stack([np.concatenate([visited.draw(m, k, half, "starts")[0] for k in pair]) for m, pair in cells])
    there, back = _follow(mix, starts, lambdas, model.flat.device)
    counts = {level: _count_stable(*both, len(paths)) for level, *both in zip(lambdas, there, back, strict=True)}
    parts = [paths.assign(**{"lambda": level, "stable": stable}) for level, stable in counts.items()]
    return pd.concat(parts, ignore_index=True)


def _follow(
    mix: Callable[[float], Flow], starts: np.ndarray, lambdas: np.ndarray, device: torch.device
) -> tuple[list[FixedPoints], list[FixedPoints]]:
    """The points at every mixture, followed from the first to the last, and back."""
    points, there = None, []
    for share in lambdas:
        flow = mix(share)
        fresh = carry(flow, starts, CARRIED[-1:], device)  # those that are there, and stable
        if points is None:
            points = _find(flow, *fresh, **FIXED_ALONE)
        else:
            points = follow_fixed_points(mix, points, [share], fresh=fresh, **FIXED_ALONE)[0]
        there.append(points)
    return there, [*reversed(follow_fixed_points(mix, points, lambdas[-2::-1], **FIXED_ALONE)), points]


def _count_stable(first: FixedPoints, second: FixedPoints, n_conditions: int) -> np.ndarray:
    """Number (P,) of different stable fixed points in two searches of the same conditions."""
    found = [points.take(points.stable & ~points.slow) for points in (first, second)]
    states, which = (np.concatenate([getattr(points, name) for points in found]) for name in ("states", "which"))
    kept = find_distinct(states, which, MERGE_DISTANCE) == np.arange(len(states))
    return np.bincount(which[kept], minlength=n_conditions)
