"""Damped Newton descent of the speed of many states of autonomous systems at once, in float64.

A step solves J d = -v for the velocity v and its Jacobian J, and is shortened until the speed |v| falls by a fair share
of what the linear model promises. Where no length does, because J is almost singular or the system has a kink, the
state takes a step of Levenberg and Marquardt, (J^T J + mu |v| I) d = -J^T v, with mu raised until the speed falls.
States that converged or stalled leave the batch.

This is the way for any `System` and on any device, in batched products. `descent` is the same rules for networks on
the CPU, where it replaces this: there, products of many small matrices leave the caches at every step.

Source: Newton's method with step control, Dennis & Schnabel 1996, chapter 6; damping in proportion to the residual,
Fan & Yuan 2005 (Computing 74, 23), which keeps convergence quadratic on a continuum of fixed points.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

CHUNK_NUMBERS = 2**19  # of one array of Jacobians: 4 MiB, of which about six exist at a time
MOST_STATES = 8192  # in a chunk, where Jacobians are small
LENGTHS = (1.0, 0.5, 0.25, 0.125)  # of a Newton step that are tried
FAIR_SHARE = 0.1  # of the fall that the linear model promises, which a step has to give
DAMPINGS = 4  # that are tried in one iteration, each ten times the one before
LEAST_DAMPED_FALL = 1e-6  # share of the speed that a damped step has to take away
LEAST_DAMPING, FIRST_DAMPING, MOST_DAMPING = 1e-8, 1e-2, 1e8
PATIENCE = 4  # iterations between two looks at whether the speed still falls
LEAST_FALL, LEAST_SLOW_FALL = 0.05, 1e-4  # the share by which it has to, and where it is below the slow tolerance


class System(Protocol):
    """P autonomous systems of N variables each.

    Attributes:
        n_conditions: P.
        n_units: N.

    A system that is simulated in steps says in `step` (float) what share of tau they are; one that is not on the CPU
    says in `device` where its states have to be.
    """

    n_conditions: int
    n_units: int

    def velocity(self, states: Tensor, which: Tensor) -> Tensor:
        """dr/dt (B, N) in units of 1 / tau, of states (B, N) float64 of the systems (B,) int64."""

    def jacobian(self, states: Tensor, which: Tensor) -> Tensor:
        """Derivative (B, N, N) of the velocity, [b, i, j] of its element i by state j."""


class Descent(NamedTuple):
    """Where states came to rest: states (B, N) and the speed there (B,), per tau; not finite where a system is not."""

    states: Tensor
    speed: Tensor


class _Batch:
    """States on their way, and what is remembered of each."""

    def __init__(self, system: System, starts: Tensor, which: Tensor) -> None:
        self.system, self.which = system, which
        self.states = starts.detach().to(torch.float64).clone()
        self.velocity = torch.zeros_like(self.states)
        for part in torch.arange(len(which)).split(MOST_STATES):
            self.velocity[part] = system.velocity(self.states[part], which[part])
        self.speed = self.velocity.norm(dim=1)
        self.damping = torch.full_like(self.speed, FIRST_DAMPING)
        self.stuck = ~self.speed.isfinite()

    def move(self, index: Tensor, step: Tensor, fall: float) -> Tensor:
        """Which (b,) of the indexed states moved by their steps (b, N), because the speed falls by that share."""
        states = self.states[index] + step
        velocity = self.system.velocity(states, self.which[index])
        speed = velocity.norm(dim=1)
        moves = speed <= (1 - fall) * self.speed[index]  # false where the speed is not a number
        moved = index[moves]
        self.states[moved], self.velocity[moved], self.speed[moved] = states[moves], velocity[moves], speed[moves]
        return moves


def minimise_speed(
    system: System, starts: Tensor, which: Tensor, *, tolerance: float, slow_tolerance: float, max_iterations: int
) -> Descent:
    """Where the starts come to rest: at a fixed point, or where the speed falls no further.

    Args:
        system: P systems of N variables.
        starts: (B, N) states. Fastest when those of one system are neighbours.
        which: (B,) int64, the system of each.
        tolerance: speed, per tau, at which a state counts as converged.
        max_iterations: most steps of a state.

    Returns:
        States (B, N) float64 and speeds (B,).
    """
    batch = _Batch(system, starts, which)
    size = max(1, min(MOST_STATES, CHUNK_NUMBERS // system.n_units**2))
    earlier = batch.speed.clone()
    for iteration in range(1, max_iterations + 1):
        active = torch.nonzero((batch.speed > tolerance) & ~batch.stuck)[:, 0]
        if len(active) == 0:
            break
        for part in active.split(size):
            _advance(batch, part)
        if iteration % PATIENCE == 0:
            least = torch.where(batch.speed <= slow_tolerance, LEAST_SLOW_FALL, LEAST_FALL)
            batch.stuck |= batch.speed > (1 - least) * earlier
            earlier = batch.speed.clone()
    return Descent(batch.states, batch.speed)


def _advance(batch: _Batch, part: Tensor) -> None:
    """Move the states of a chunk (b,) by one step each, or mark them as stuck."""
    jacobian, velocity = batch.system.jacobian(batch.states[part], batch.which[part]), batch.velocity[part]
    factors, pivots, info = torch.linalg.lu_factor_ex(jacobian)
    step = torch.linalg.lu_solve(factors, pivots, -velocity[:, :, None])[:, :, 0]  # (b, N)
    can = (info == 0) & step.isfinite().all(dim=1)
    left = torch.nonzero(can)[:, 0]
    for length in LENGTHS:
        left = left[~batch.move(part[left], length * step[left], FAIR_SHARE * length)]
    left = torch.cat([left, torch.nonzero(~can)[:, 0]])
    if len(left):
        _advance_damped(batch, part[left], jacobian.mT[left], velocity[left])


def _advance_damped(batch: _Batch, part: Tensor, transposed: Tensor, velocity: Tensor) -> None:
    normal, gradient = transposed @ transposed.mT, transposed @ velocity[:, :, None]  # (b, N, N), (b, N, 1)
    left = torch.arange(len(part), device=part.device)
    for _ in range(DAMPINGS):
        index = part[left]
        damped = normal[left]
        damped.diagonal(dim1=1, dim2=2).add_((batch.damping[index] * batch.speed[index])[:, None])
        factor, info = torch.linalg.cholesky_ex(damped)
        step = -torch.cholesky_solve(gradient[left], factor)[:, :, 0]
        step[(info != 0) | ~step.isfinite().all(dim=1)] = 0  # the speed does not fall, and the damping is raised
        moves = batch.move(index, step, LEAST_DAMPED_FALL)
        batch.damping[index] *= torch.where(moves, 0.1, 10.0)
        left = left[~moves]
        if len(left) == 0:
            break
    batch.damping.clamp_(min=LEAST_DAMPING)
    batch.stuck[part[left]] = batch.damping[part[left]] > MOST_DAMPING
