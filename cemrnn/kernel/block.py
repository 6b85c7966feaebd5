"""What both directions share: the trials of a block, the rows of its steps, and how kernels are compiled.

Arrays are grouped in the named tuples of `cemrnn.compiled`; letters are those of the recurrence. The rows of a
step are x = [kappa r | (kappa r V) * s | u], padded to whole vectors, so that a step is one product with the
stacked weights [W; U^T; B]. Every local array is small enough for the caches of one core.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
from numba import njit

from cemrnn.kernel.product import round_up

# Contraction allows fused multiply-add; nothing here lets the compiler reorder sums.
_FASTMATH = {"contract", "nsz"}
entry = functools.partial(njit, cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
# Inlined before types are inferred: passing a group of arrays to a function costs more than a pass over a step,
# and to compile each function by itself takes thrice as long.
inlined = functools.partial(njit, nogil=True, error_model="numpy", fastmath=_FASTMATH, inline="always")


def sources_digest() -> str:
    """Hash of the files of this folder.

    Numba's cache looks for changes in the file of the cached function alone; a free variable is part of its key.
    """
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


@inlined
def rows_of(i, n_blocks, block, o):
    """Trials of the block: the i-th of the network's trials in the order of their lengths."""
    start = (i % n_blocks) * block
    return o.order[i // n_blocks, start : min(start + block, o.order.shape[1])]


@inlined
def steps_of(m, rows, o):
    """Steps until the block's longest trial ends."""
    n_steps = 0
    for b in range(len(rows)):
        n_steps = max(n_steps, o.lengths[m, rows[b]])
    return n_steps


@inlined
def sizes_of(rows, o):
    """Trials of the block, N, R, and the rows N + R + I of the stacked weights."""
    return len(rows), o.initial.shape[2], o.strength.shape[3], o.stacked.shape[1]


@inlined
def at(t, array):
    """Step of the array at t: an array with one step is constant within the trial."""
    return t if array.shape[1] > 1 else 0


@inlined
def start(m, rows, n_steps, o):
    """xs (T + 1, rows, columns) with the inputs in place, and states of the same shape with r_0 in place.

    Without a scale they are one array: x begins with r itself.
    """
    n_rows, n_units, n_components, n_stacked = sizes_of(rows, o)
    xs = np.empty((n_steps + 1, n_rows, round_up(n_stacked)), o.inputs.dtype)
    states = np.empty_like(xs) if o.scale.size else xs
    for t in range(n_steps):
        for b in range(n_rows):
            row = rows[b]
            for j in range(o.inputs.shape[3]):
                xs[t, b, n_units + n_components + j] = o.inputs[m, t, row, j]
    for b in range(n_rows):
        row = rows[b]
        for j in range(n_units):
            states[0, b, j] = o.initial[m, row, j]
    return xs, states


@inlined
def scale(x, h, n_units, m, t, rows, o):
    """The first columns of x become kappa r; without a scale they are r already."""
    if o.scale.size:
        for b in range(len(rows)):
            factor = o.scale[m, at(t, o.scale), rows[b], 0]
            for j in range(n_units):
                x[b, j] = factor * h[b, j]


@inlined
def weigh(x, component, n_units, m, t, rows, o):
    """The columns of x after the units become (kappa r V) * s."""
    strength = o.strength[m, at(t, o.strength)]
    for b in range(len(rows)):
        row = rows[b]
        for k in range(o.strength.shape[3]):
            x[b, n_units + k] = component[b, k] * strength[row, k]


@inlined
def leak(following, h, f, b, n_units, alpha):
    """r_t = (1 - alpha) r_{t-1} + alpha f_t, for one row."""
    for j in range(n_units):
        following[b, j] = h[b, j] + alpha * (f[b, j] - h[b, j])


@inlined
def flatten(values, first, last):
    """The steps from first to last of (T, rows, columns) as rows of one matrix."""
    return values[first:last].reshape((last - first) * values.shape[1], values.shape[2])
