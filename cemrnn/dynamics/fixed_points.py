"""Fixed points of autonomous systems: found from many starts at once, told apart, and followed along a parameter.

A start ends at a fixed point (speed at most `tolerance`), at a slow point (the speed falls no further but is at most
`slow_tolerance`: a ghost or a slow manifold, not a fixed point), or is lost. Speeds are norms of dr/dt per tau.

Source: minimising the speed from many starts, Sussillo & Barak 2013 (Neural Comput. 25, 626), where a general
optimiser minimises half its square; here `newton`, and for a `Flow` on the CPU `descent`, use the
analytic Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cemrnn.dynamics.descent import minimise_flow_speed
from cemrnn.dynamics.flow import Flow
from cemrnn.dynamics.merging import find_distinct
from cemrnn.dynamics.newton import CHUNK_NUMBERS, MOST_STATES, System, minimise_speed
from cemrnn.system.threads import run_on_threads, split_evenly

__all__ = ["FixedPoints", "NotConvergedError", "System", "carry", "find_fixed_points", "follow_fixed_points"]

LEAST_CONVERGED = 0.05  # share of all starts that have to end at a fixed or slow point
# Time, in tau, for which starts are carried along the flow, in turn. From a visited state itself the descent of the
# speed often ends at a kink of the activation: two thirds of the starts were lost, and a fifth of those carried on.
CARRIED = (5.0, 25.0, 50.0)
EULER_STEP = 0.25  # tau
SLOW_MERGE = 100  # slow points lie in flat valleys: they are merged over so many times the distance of fixed ones


@dataclass(frozen=True)
class FixedPoints:
    """Q distinct points of P systems of N variables, sorted by condition, then fixed before slow, then by falling hits.

    Attributes:
        states: (Q, N).
        which: (Q,) int64, the condition of each.
        speed: (Q,) norm of the velocity at the point, per tau.
        slow: (Q,) bool, not fixed: the speed is between the two tolerances and falls no further nearby.
        eigenvalues: (Q, N) complex, of the Jacobian at the point, in units of 1 / tau, sorted by falling real part.
        hits: (Q,) int64, starts that ended there.
        first: (Q,) int64, how many starts of the condition, in the order given, came before the first that did.
        n_starts: (P,) int64.
        n_lost: (P,) int64, starts that ended at neither a fixed nor a slow point.
        step: share of tau of the step r + step dr/dt that is simulated and decides what is stable; 0 for the flow.
    """

    states: np.ndarray
    which: np.ndarray
    speed: np.ndarray
    slow: np.ndarray
    eigenvalues: np.ndarray
    hits: np.ndarray
    first: np.ndarray
    n_starts: np.ndarray
    n_lost: np.ndarray
    step: float = 0.0

    def __len__(self) -> int:
        """Q."""
        return len(self.which)

    @property
    def growth(self) -> np.ndarray:
        """(Q, N) rates, per tau, at which small deviations grow.

        Re lambda in the flow, ln |1 + h lambda| / h in steps of h: a point that the flow spirals into fast, with a
        large imaginary part, may be unstable in long steps.
        """
        if self.step == 0:
            return self.eigenvalues.real
        with np.errstate(divide="ignore"):  # a direction that one step forgets
            return np.log(np.abs(1 + self.step * self.eigenvalues)) / self.step

    @property
    def stable(self) -> np.ndarray:
        """(Q,) bool, whether all deviations decay."""
        return self.n_unstable == 0

    @property
    def n_unstable(self) -> np.ndarray:
        """(Q,) int64, directions in which deviations do not decay."""
        return (self.growth >= 0).sum(axis=1)

    @property
    def slowest(self) -> np.ndarray:
        """(Q,) time constant of the direction in which deviations change least, -1 / growth, in units of tau.

        Positive where that direction decays, negative where it grows, infinite where it does neither. On a continuum
        of fixed points it is huge and its sign is rounding.
        """
        growth = self.growth
        least = np.take_along_axis(growth, np.abs(growth).argmin(axis=1)[:, None], axis=1)[:, 0]
        return np.divide(-1.0, least, out=np.full(len(least), np.inf), where=least != 0)

    @property
    def unseen(self) -> np.ndarray:
        """(P,) estimated probability that one more start would end at a fixed point that none has reached.

        A share of starts, not of points: points with small basins may be many and hardly count. Fixed points hit once
        over starts that ended at a fixed point; NaN where none did. It holds for starts that were drawn independently
        from one distribution. Near 1 on a continuum, which no number of starts exhausts.
        Source: Good 1953 (Biometrika 40, 237), eq. 9.
        """
        once, ended = np.zeros(len(self.n_starts)), np.zeros(len(self.n_starts))
        np.add.at(once, self.which, (self.hits == 1) & ~self.slow)
        np.add.at(ended, self.which, self.hits * ~self.slow)
        return np.divide(once, ended, out=np.full(len(ended), np.nan), where=ended > 0)

    def of(self, p: int) -> FixedPoints:
        """The points of condition p alone, which becomes condition 0 of 1.

        Raises:
            IndexError: there is no such condition.
        """
        if not 0 <= p < len(self.n_starts):
            raise IndexError(f"p: expected a condition from 0 to {len(self.n_starts) - 1}, got {p}")
        chosen = self.take(self.which == p)
        counts = {"n_starts": self.n_starts[p : p + 1], "n_lost": self.n_lost[p : p + 1]}
        return replace(chosen, which=np.zeros_like(chosen.which), **counts)

    def take(self, index: np.ndarray) -> FixedPoints:
        """Some of the points, by mask (Q,) bool or by position; the conditions and their counts stay."""
        per_point = ("states", "which", "speed", "slow", "eigenvalues", "hits", "first")
        return replace(self, **{name: getattr(self, name)[index] for name in per_point})


class NotConvergedError(RuntimeError):
    """Too few starts ended at a fixed or slow point; `partial` (FixedPoints) is what was found."""

    def __init__(self, message: str, partial: FixedPoints) -> None:
        super().__init__(message)
        self.partial = partial


def find_fixed_points(
    system: System,
    starts: Tensor,
    which: Tensor,
    *,
    tolerance: float = 1e-9,
    slow_tolerance: float = 1e-2,
    max_iterations: int = 200,
    merge_distance: float = 1e-4,
) -> FixedPoints:
    """Distinct fixed and slow points that the starts end at.

    Args:
        system: P systems of N variables.
        starts: (B, N) states, one or more, on any device.
        which: (B,) int64, the system of each.
        tolerance: speed, per tau, up to which a point is fixed.
        slow_tolerance: speed, per tau, up to which a point where the speed falls no further is slow.
        max_iterations: most steps of a start.
        merge_distance: points nearer to each other than this (Euclidean) are one.

    Raises:
        ValueError: a shape, a condition or a tolerance is wrong.
        NotConvergedError: of all starts, fewer than `LEAST_CONVERGED` ended at a fixed or slow point. A condition
            that lost all its starts among others that did not is no error; `n_lost` tells.
    """
    _check(system, starts, which)
    if not 0 < tolerance <= slow_tolerance:
        raise ValueError(f"tolerance: expected 0 < tolerance <= slow_tolerance, got {tolerance} and {slow_tolerance}")
    order = torch.argsort(which, stable=True)
    starts, which = starts[order], which[order]
    settings = dict(tolerance=tolerance, slow_tolerance=slow_tolerance, max_iterations=max_iterations)
    on_cpu = isinstance(system, Flow) and system.weights.device.type == "cpu"
    minimise = minimise_flow_speed if on_cpu else minimise_speed
    states, speed = (x.cpu().numpy() for x in minimise(system, *_bring(system, starts, which), **settings))
    points = _gather(system, states, which.cpu().numpy(), speed, tolerance, slow_tolerance, merge_distance)
    n_ended = len(which) - points.n_lost.sum()
    if n_ended < max(1, LEAST_CONVERGED * len(which)):
        raise NotConvergedError(
            f"starts: {n_ended} of {len(which)} ended at a point of speed at most {slow_tolerance:g} per tau, "
            f"expected at least {LEAST_CONVERGED:.0%}",
            points,
        )
    return points


def carry(system: System, starts: np.ndarray, times: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Starts (P, n, N) after some time in the flow, as states (P * n, N), and the condition (P * n,) of each."""
    n_conditions, n_starts = starts.shape[:2]
    states = torch.as_tensor(starts, dtype=torch.float64, device=device).flatten(0, 1)
    which = torch.arange(n_conditions, device=device).repeat_interleave(n_starts)
    duration = torch.tensor([times[i % len(times)] for i in range(n_starts)], device=device).repeat(n_conditions)
    for step in range(round(max(times) / EULER_STEP)):
        left = torch.nonzero(duration > step * EULER_STEP)[:, 0]
        states[left] += EULER_STEP * system.velocity(states[left], which[left])
    return states, which


def follow_fixed_points(
    make_system: Callable[[float], System],
    points: FixedPoints,
    lambdas: Sequence[float],
    *,
    fresh: tuple[Tensor, Tensor] | None = None,
    **settings: float,
) -> list[FixedPoints]:
    """Points at every value of a parameter, each search started from the points at the value before.

    All conditions advance in one search per value. A point that ceases to exist leaves a slow point, joins another, or
    is lost; points that appear elsewhere are found from fresh starts alone. Nothing is raised when few starts end
    at a point, because a branch may end.

    Args:
        make_system: lambda -> P systems of N variables.
        points: where to start, of P conditions; slow points count as starts too.
        lambdas: values in the order in which they are followed.
        fresh: states (B, N) and conditions (B,) that are started from at every value as well.
        settings: see `find_fixed_points`.

    Returns:
        A FixedPoints per value. Where starts are warm, `hits` and `unseen` do not speak of basins.
    """
    found = []
    for value in lambdas:
        system = make_system(value)
        starts, which = torch.as_tensor(points.states), torch.as_tensor(points.which)
        if fresh is not None:
            starts, which = torch.cat([starts, fresh[0].to(starts)]), torch.cat([which, fresh[1].to(which)])
        if len(which) == 0:
            none = np.zeros_like(points.n_starts)
            points = replace(points, n_starts=none, n_lost=none)
        else:
            try:
                points = find_fixed_points(system, starts, which, **settings)
            except NotConvergedError as error:
                points = error.partial
        found.append(points)
    return found


def _gather(
    system: System,
    states: np.ndarray,
    which: np.ndarray,
    speed: np.ndarray,
    tolerance: float,
    slow_tolerance: float,
    merge_distance: float,
) -> FixedPoints:
    """The distinct points among the ends (B, N) of all starts."""
    ended = np.flatnonzero(speed <= slow_tolerance)
    ended = ended[np.argsort(speed[ended], kind="stable")]  # the most exact ones are kept
    into = ended.copy()
    for slow, factor in ((False, 1), (True, SLOW_MERGE)):
        some = np.flatnonzero((speed[ended] > tolerance) == slow)
        index = ended[some]
        into[some] = index[find_distinct(states[index], which[index], factor * merge_distance)]
    kept, point, hits = np.unique(into, return_inverse=True, return_counts=True)
    first = np.full(len(kept), len(which))
    np.minimum.at(first, point, ended)
    slow = speed[kept] > tolerance
    order = np.lexsort((-hits, slow, which[kept]))
    kept, n_conditions = kept[order], system.n_conditions
    n_starts = np.bincount(which, minlength=n_conditions)
    return FixedPoints(
        states=states[kept],
        which=which[kept],
        speed=speed[kept],
        slow=slow[order],
        eigenvalues=find_eigenvalues(system, states[kept], which[kept]),
        hits=hits[order],
        first=first[order] - (n_starts.cumsum() - n_starts)[which[kept]],
        n_starts=n_starts,
        n_lost=n_starts - np.bincount(which[ended], minlength=n_conditions),
        step=getattr(system, "step", 0.0),
    )


def find_eigenvalues(system: System, states: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Eigenvalues (Q, N) complex of the Jacobian at states (Q, N), in units of 1 / tau, by falling real part."""
    values = np.empty(states.shape, complex)

    def solve(part: slice) -> None:
        found[part] = np.linalg.eigvals(jacobian[part])

    for chunk in _chunks(len(which), system.n_units):
        found = values[chunk]
        jacobian = system.jacobian(*_bring(system, torch.from_numpy(states[chunk]), torch.from_numpy(which[chunk])))
        jacobian = jacobian.detach().cpu().numpy()
        run_on_threads(solve, split_evenly(len(found)))
    order = np.lexsort((-values.imag, -values.real), axis=1)
    return np.take_along_axis(values, order, axis=1)


def _bring(system: System, *tensors: Tensor) -> list[Tensor]:
    """The tensors where the system is."""
    device = getattr(system, "device", "cpu")
    return [tensor.to(device) for tensor in tensors]


def _chunks(n_states: int, n_units: int) -> list[slice]:
    size = max(1, min(MOST_STATES, CHUNK_NUMBERS // n_units**2))
    return [slice(start, start + size) for start in range(0, n_states, size)]


def _check(system: System, starts: Tensor, which: Tensor) -> None:
    if starts.ndim != 2 or starts.shape[1] != system.n_units or which.shape != starts.shape[:1] or len(which) == 0:
        raise ValueError(
            f"starts, which: expected (start, unit {system.n_units}) and (start,) with one start or more, "
            f"got {tuple(starts.shape)} and {tuple(which.shape)}"
        )
    if which.dtype != torch.int64 or not 0 <= which.min() <= which.max() < system.n_conditions:
        raise ValueError(f"which: expected int64 conditions from 0 to {system.n_conditions - 1}, got {which}")
