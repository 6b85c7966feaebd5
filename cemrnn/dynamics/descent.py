"""The descent of `newton` for a `Flow` on the CPU, compiled: a start goes all its way alone, in a core's caches.

The rules and their numbers are those of `newton`, with one more: a Newton step that leaves at most `REUSE` of
the speed is followed by steps with the same factors, as long as each leaves as little. At N = 64 that saves a fifth of
the factorisations, which take most of the time. A result does not depend on the starts beside it or on the
number of threads. A GPU, and a system that is no `Flow`, cannot take this way; `newton` is theirs, and the tests hold
both to the same points.

The matrix is the Jacobian's transpose, M = J^T with M_ij = W_ij g_j phi'(p_j) - [i = j], so that all loops, those of
the triangular solves of M^T d = -v included, run along rows.

Source: elimination by panels with exchanged rows, Golub & Van Loan 2013, chapter 3; steps with the same factors,
Kelley 1995, chapter 5.
"""

from __future__ import annotations

import functools
import hashlib
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor

from cemrnn.dynamics import newton
from cemrnn.dynamics.flow import Flow
from cemrnn.dynamics.newton import (
    DAMPINGS,
    FAIR_SHARE,
    FIRST_DAMPING,
    LEAST_DAMPED_FALL,
    LEAST_DAMPING,
    LEAST_FALL,
    LEAST_SLOW_FALL,
    LENGTHS,
    MOST_DAMPING,
    PATIENCE,
    Descent,
)
from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.engine.kernel.block import entry, inlined, sources_digest
from cemrnn.network.engine.kernel.product import multiply
from cemrnn.system.threads import run_on_threads

_LOG2_E = 1 / math.log(2)
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fefap-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")  # k LN2_HIGH is exact
_TO_INTEGER = 1.5 * 2.0**52  # added to a number, leaves it rounded in the lowest bits
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (1 / math.factorial(n) for n in range(2, 14))
PANEL = 8  # columns that are eliminated before one product updates the others, and elements of a vector
REUSE = 0.1  # share of the speed that a step has to leave at most so that the next one takes the same factors
_function = functools.partial(inlined, inline="never")  # called more than once, and long


class _Condition(NamedTuple):
    """The flow that a start is in; N+ is N rounded up to a multiple of `PANEL`."""

    weights: np.ndarray  # (N, N+)
    gain: np.ndarray  # (N,)
    drive: np.ndarray  # (N,)
    code: int


class _Work(NamedTuple):
    """What a thread writes to."""

    state: np.ndarray  # (1, N+), where the start is
    rates: np.ndarray  # (1, N+), phi(p) there
    trial: np.ndarray  # (1, N+), where it may go
    trial_rates: np.ndarray  # (1, N+)
    step: np.ndarray  # (N,)
    pivots: np.ndarray  # (N,) int64
    matrix: np.ndarray  # (N, N+), the Jacobian's transpose or another matrix, and its factors
    jacobian: np.ndarray  # (N, N+)
    normal: np.ndarray  # (N, N+), J^T J


def minimise_flow_speed(
    flow: Flow, starts: Tensor, which: Tensor, *, tolerance: float, slow_tolerance: float, max_iterations: int
) -> Descent:
    """As `cemrnn.dynamics.newton.minimise_speed`, of a flow on the CPU."""
    states, speeds = starts.detach().to(torch.float64).numpy().copy(), np.empty(len(starts))
    weights = torch.nn.functional.pad(flow.weights, (0, -flow.n_units % PANEL))
    arrays = [x.contiguous().numpy() for x in (which, weights, flow.row, flow.gain, flow.drive)]
    settings = (ACTIVATIONS[flow.activation].code, tolerance, slow_tolerance, max_iterations)
    n_shares = min(torch.get_num_threads(), len(states))
    shares = [np.arange(k, len(states), n_shares) for k in range(n_shares)]  # neighbours take about the same time
    run_on_threads(lambda share: run_descent(share, states, speeds, *arrays, *settings), shares)
    return Descent(torch.from_numpy(states), torch.from_numpy(speeds))


def _compile(sources: str):
    @entry
    def run_descent(
        tasks, states, speeds, which, weights, row, gain, drive, code, tolerance, slow_tolerance, max_iterations
    ):
        """Moves some of the states (B, N) to where they come to rest, and fills the speeds there (B,)."""
        _ = sources
        n, n_padded = weights.shape[1:]
        one, square = (1, n_padded), (n, n_padded)
        w = _Work(
            np.zeros(one), np.zeros(one), np.zeros(one), np.zeros(one), np.empty(n), np.empty(n, np.int64),
            np.zeros(square), np.zeros(square), np.zeros(square),
        )  # fmt: skip
        for b in tasks:
            p = which[b]
            condition = _Condition(weights[row[p]], gain[p], drive[p], code)
            for j in range(n):
                w.state[0, j] = states[b, j]
            speeds[b] = _descend(w, condition, tolerance, slow_tolerance, max_iterations)
            for j in range(n):
                states[b, j] = w.state[0, j]

    return run_descent


@inlined
def _descend(w, c, tolerance, slow_tolerance, max_iterations):
    """Speed where the state, which moves, comes to rest."""
    speed = _find_rates(w.state, w.rates, c)
    earlier, damping = speed, FIRST_DAMPING
    for iteration in range(1, max_iterations + 1):
        if not tolerance < speed < np.inf:
            break
        _differentiate(w.matrix, w.rates, c)
        reached = _advance(w, c, speed, tolerance)
        if reached == speed:
            reached, damping = _advance_damped(w, c, speed, damping)
            if reached == speed and damping > MOST_DAMPING:
                break
        speed = reached
        if iteration % PATIENCE == 0:
            least = LEAST_SLOW_FALL if speed <= slow_tolerance else LEAST_FALL
            if speed > (1 - least) * earlier:
                break
            earlier = speed
    return speed


@inlined
def tanh_double(x):
    """tanh to within 4 units of 2^-53, relative; plain arithmetic, so that a loop over units vectorises.

    -m / (2 + m) with m = exp(-2 |x|) - 1 = 2^k (e^r - 1) + 2^k - 1, and e^r - 1 as a Taylor series on |r| <= ln(2) / 2.
    """
    y = -2 * min(abs(x), 20.0)
    shifted = y * _LOG2_E + _TO_INTEGER
    k = shifted - _TO_INTEGER
    r = (y - k * _LN2_HIGH) - k * _LN2_LOW
    tail = _C7 + r * (_C8 + r * (_C9 + r * (_C10 + r * (_C11 + r * (_C12 + r * _C13)))))
    tail = r * r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * tail)))))
    exponent = np.float64(shifted).view(np.int64) + np.int64(1023)  # k in its lowest bits, as a float64 writes it
    power = np.int64(exponent << np.int64(52)).view(np.float64)  # 2^k
    m = power * (r + tail) + (power - 1)
    return math.copysign(-m / (2 + m), x)


@_function
def _find_rates(state, rates, c):
    """Speed at a state (1, N+); its rates (1, N+) are filled."""
    n, values = len(c.weights), rates[0]
    multiply(state[:, :n], c.weights[:, :], rates[:, :], False)
    for j in range(n):
        values[j] = c.gain[j] * values[j] + c.drive[j]
    if c.code == 2:
        for j in range(n):
            values[j] = max(values[j], 0.0) + math.log1p(math.exp(-abs(values[j])))
    elif c.code != 0:
        for j in range(len(values)):
            values[j] = tanh_double(values[j])
    total = 0.0
    for j in range(n):
        if values[j] < 0 and c.code != 1:  # not where it is not a number
            values[j] = 0.0
        total += (values[j] - state[0, j]) ** 2
    return math.sqrt(total)


@inlined
def _slope(f, code):
    """phi'(p) from f = phi(p), as in `cemrnn.network.engine.activation`."""
    if code == 2:
        return -math.expm1(-f)
    if code != 1 and not f > 0:
        return 0.0
    return 1.0 if code == 0 else 1 - f * f


@_function
def _differentiate(matrix, rates, c):
    """Fills the Jacobian's transpose."""
    n = len(c.weights)
    slope = np.empty(n)
    for j in range(n):
        slope[j] = _slope(rates[0, j], c.code) * c.gain[j]
    for i in range(n):
        for j in range(n):
            matrix[i, j] = c.weights[i, j] * slope[j]
        matrix[i, i] -= 1


@inlined
def _advance(w, c, speed, tolerance):
    """Speed after a Newton step, and more with the same factors as long as they pay; as before if none was made."""
    if _factorise(w.matrix, w.pivots) and _solve_for_step(w):
        for length in LENGTHS:
            reached = _move(w, c, length, (1 - FAIR_SHARE * length) * speed)
            if reached >= 0:
                while tolerance < reached <= REUSE * speed and _solve_for_step(w):
                    further = _move(w, c, 1.0, REUSE * reached)
                    if further < 0:
                        break
                    speed, reached = reached, further
                return reached
    return speed


@inlined
def _solve_for_step(w):
    """Whether the step that the factors give is finite."""
    for j in range(len(w.step)):
        w.step[j] = w.state[0, j] - w.rates[0, j]
    return _solve(w.matrix, w.pivots, w.step)


@inlined
def _advance_damped(w, c, speed, damping):
    """Speed after a step of Levenberg and Marquardt, as before if none was made; and the damping from then on."""
    n = len(w.step)
    _differentiate(w.matrix, w.rates, c)
    for i in range(n):
        for j in range(n):
            w.jacobian[j, i] = w.matrix[i, j]
    multiply(w.matrix[:, :n], w.jacobian[:, :], w.normal[:, :], False)
    for _ in range(DAMPINGS):
        for j in range(n):
            w.step[j] = 0.0
        for i in range(n):
            back = w.state[0, i] - w.rates[0, i]
            for j in range(n):
                w.matrix[i, j] = w.normal[i, j]
                w.step[j] += back * w.jacobian[i, j]
            w.matrix[i, i] += damping * speed
        if _factorise(w.matrix, w.pivots) and _solve(w.matrix, w.pivots, w.step):
            reached = _move(w, c, 1.0, (1 - LEAST_DAMPED_FALL) * speed)
            if reached >= 0:
                return reached, max(0.1 * damping, LEAST_DAMPING)
        damping *= 10.0
    return speed, max(damping, LEAST_DAMPING)


@inlined
def _move(w, c, length, most):
    """Speed after a step of some length; -1, and the state stays where it is, if the speed is above the most."""
    n = len(w.step)
    for j in range(n):
        w.trial[0, j] = w.state[0, j] + length * w.step[j]
    speed = _find_rates(w.trial, w.trial_rates, c)
    if not speed <= most:
        return -1.0
    for j in range(n):
        w.state[0, j], w.rates[0, j] = w.trial[0, j], w.trial_rates[0, j]
    return speed


@intrinsic
def _add_vector(typing_context, target, factor, source):
    """Adds a multiple of the first `PANEL` elements of an array (PANEL or more,) to those of another, as one vector."""

    def generate(context, builder, signature, arguments):
        vector = ir.VectorType(ir.DoubleType(), PANEL)
        places = [
            builder.bitcast(context.make_array(kind)(context, builder, array).data, vector.as_pointer())
            for kind, array in ((target, arguments[0]), (source, arguments[2]))
        ]
        old, added = (builder.load(place, align=8) for place in places)
        lane, lanes = ir.IntType(32), ir.VectorType(ir.IntType(32), PANEL)
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[1], ir.Constant(lane, 0))
        spread = builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), ir.Constant(lanes, None))
        kind = ir.FunctionType(vector, [vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{PANEL}f64")
        builder.store(builder.call(fused, [spread, added, old]), places[0], align=8)
        return context.get_dummy_value()

    return types.void(target, factor, source), generate


@inlined
def _exchange(one, other):
    """Swaps the elements of two rows."""
    for j in range(len(one)):
        one[j], other[j] = other[j], one[j]


@_function
def _factorise(matrix, pivots):
    """Whether no pivot is zero or not a number; the matrix becomes U and, below it, -L of its rows as exchanged."""
    n, row = len(matrix), np.empty(PANEL)  # of the pivot, in the panel
    for first in range(0, n, PANEL):
        last = min(first + PANEL, n)
        for k in range(first, last):
            p, largest = k, abs(matrix[k, k])
            for i in range(k + 1, n):
                if abs(matrix[i, k]) > largest:
                    p, largest = i, abs(matrix[i, k])
            pivots[k] = p
            if not largest > 0:
                return False
            if p != k:
                _exchange(matrix[k], matrix[p])
            for j in range(PANEL):
                row[j] = matrix[k, first + j] if first + j > k else 0.0
            scale = -1 / matrix[k, k]
            for i in range(k + 1, n):
                factor = scale * matrix[i, k]
                _add_vector(matrix[i, first:], factor, row)
                matrix[i, k] = factor
        if last < n:
            for i in range(first + 1, last):
                for k in range(first, i):
                    for j in range(last, matrix.shape[1], PANEL):
                        _add_vector(matrix[i, j:], matrix[i, k], matrix[k, j:])
            multiply(matrix[last:, first:last], matrix[first:last, last:], matrix[last:, last:], True)
    return True


@_function
def _solve(matrix, pivots, x):
    """Whether the solution of M^T x = b, which replaces b, is finite; M as `_factorise` leaves it."""
    n = len(matrix)
    for k in range(n):
        value = x[k] / matrix[k, k]
        x[k] = value
        for j in range(k + 1, n):
            x[j] -= value * matrix[k, j]
    for k in range(n - 1, 0, -1):
        value = x[k]
        for j in range(k):
            x[j] += value * matrix[k, j]
    total = 0.0
    for k in range(n - 1, -1, -1):
        p = pivots[k]
        x[k], x[p] = x[p], x[k]
        total += abs(x[p])
    return math.isfinite(total)


# Compiled again when a file changes that is not this one.
run_descent = _compile(sources_digest() + hashlib.sha256(Path(newton.__file__).read_bytes()).hexdigest())
