"""What both directions share: the trials of a block, the rows of its steps, and how kernels are compiled.

Arrays are grouped in the named tuples of `arrays`; letters are those of the recurrence. The rows of a
step are x = [kappa r | (kappa r V) * s | u | e], padded to whole vectors, so that a step is one product of all but the
modulator e with the stacked weights [W; U^T; B]. Where the state has a say in the modulator, tanh(e + r C_r) takes the
place of e before it sets anything. Every local array is small enough for the caches of one core.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
from numba import njit

from cemrnn.network.engine.kernel.product import round_up

# Contraction allows fused multiply-add; nothing here lets the compiler reorder sums.
_FASTMATH = {"contract", "nsz"}
entry = functools.partial(njit, cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
# Inlined before types are inferred: passing a group of arrays to a function costs more than a pass over a step,
# and to compile each function by itself takes thrice as long.
inlined = functools.partial(njit, nogil=True, error_model="numpy", fastmath=_FASTMATH, inline="always")
# Called once a block: passing the arrays costs nothing there, and kernels that share it compile it once.
shared = functools.partial(njit, nogil=True, error_model="numpy", fastmath=_FASTMATH)


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
    return len(rows), o.bias.shape[3], o.strength.shape[3], o.stacked.shape[1]


@inlined
def columns_of(o):
    """Columns of x."""
    return round_up(o.stacked.shape[1] + o.modulator.shape[3])


@inlined
def modulators_of(x, o):
    """The columns e of rows of x."""
    return x[:, o.stacked.shape[1] : o.stacked.shape[1] + o.modulator.shape[3]]


@inlined
def set_synapses(x, m, t, rows, o):
    """Strengths s = e S and scales kappa = 1 + e k of a step, where the kernel makes them."""
    e = modulators_of(x, o)
    for b in range(len(rows)):
        row = rows[b]
        if o.strength_modulation.size:
            for k in range(o.strength.shape[3]):
                o.strength[m, t, row, k] = 0
            for j in range(e.shape[1]):
                for k in range(o.strength.shape[3]):
                    o.strength[m, t, row, k] += e[b, j] * o.strength_modulation[m, j, k]
        if o.scale_modulation.size:
            o.scale[m, t, row, 0] = 1
            for j in range(e.shape[1]):
                o.scale[m, t, row, 0] += e[b, j] * o.scale_modulation[m, j, 0]


@inlined
def at(t, array):
    """Step of the array at t: an array with one step is constant within the trial."""
    return t if array.shape[1] > 1 else 0


@inlined
def states_of(i, n_steps, n_rows, n_columns, kept):
    """xs (T + 1, rows, columns) where forward keeps it, or an array of its own if nothing is kept.

    The first columns are r itself, which the scale, if there is one, multiplies on the way to the product.
    """
    n = (n_steps + 1) * n_rows * n_columns
    values = kept.states[i, :n] if kept.states.size else np.empty(n, kept.states.dtype)
    return values.reshape((n_steps + 1, n_rows, n_columns))


@inlined
def scale(scaled, x, n_units, m, t, rows, o):
    """scaled becomes x with kappa r in place of r."""
    for b in range(len(rows)):
        factor = o.scale[m, at(t, o.scale), rows[b], 0]
        for j in range(n_units):
            scaled[b, j] = factor * x[b, j]
        for j in range(n_units, x.shape[1]):
            scaled[b, j] = x[b, j]


@inlined
def flatten(values, first, last):
    """The steps from first to last of (T, rows, columns) as rows of one matrix."""
    return values[first:last].reshape((last - first) * values.shape[1], values.shape[2])


@inlined
def copy(into, values):
    """The columns of values (rows, columns) go into the first of another matrix; compiles faster than a slice."""
    for b in range(values.shape[0]):
        for j in range(values.shape[1]):
            into[b, j] = values[b, j]
