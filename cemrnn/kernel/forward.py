"""Forward in time: outputs, rates, and what the way back needs."""

from __future__ import annotations

import math

import numpy as np

from cemrnn.kernel.block import (
    at,
    entry,
    flatten,
    inlined,
    leak,
    rows_of,
    scale,
    sizes_of,
    sources_digest,
    start,
    steps_of,
    weigh,
)
from cemrnn.kernel.product import multiply

_LIMIT = np.float32(9)
_P0, _P1, _P2 = np.float32(0.9999999794487278), np.float32(0.13381017019154076), np.float32(0.003495577813694739)
_P3, _P4 = np.float32(2.060890984403969e-05), np.float32(1.3354418960681877e-08)
_Q0, _Q1, _Q2 = np.float32(1), np.float32(0.46714332610306836), np.float32(0.025876943162652124)
_Q3, _Q4 = np.float32(0.00032856178240245055), np.float32(7.77645969154734e-07)


def _compile(sources: str):
    @entry
    def run_forward(tasks, n_blocks, block, alpha, one, code, single, operands, outputs, rates, kept):
        """Fills outputs, rates and kept (where not empty) for some tasks; a task is a block of trials."""
        _ = sources
        for i in tasks:
            _forward_block(i, n_blocks, block, alpha, one, code, single, operands, outputs, rates, kept)

    return run_forward


@inlined
def _forward_block(i, n_blocks, block, alpha, one, code, single, o, outputs, rates, kept):
    m, rows = i // n_blocks, rows_of(i, n_blocks, block, o)
    n_rows, n_units, n_components, n_stacked = sizes_of(rows, o)
    n_steps = steps_of(m, rows, o)
    xs, states = start(m, rows, n_steps, o)
    a = np.empty((n_rows, o.stacked.shape[2]), xs.dtype)
    f = np.empty((n_rows, n_units), xs.dtype)
    component = np.empty((n_rows, o.synaptic_in.shape[2]), xs.dtype)
    for t in range(n_steps):
        x = xs[t]
        scale(x, states[t], n_units, m, t, rows, o)
        if n_components:
            multiply(x[:, :n_units], o.synaptic_in[m][:, :], component[:, :], False)
            weigh(x, component, n_units, m, t, rows, o)
            if kept.components.size:
                kept.components[i, t, :n_rows] = component[:, :n_components]
        multiply(x[:, :n_stacked], o.stacked[m][:, :], a[:, :], False)
        if kept.products.size:
            kept.products[i, t, :n_rows] = a[:, :n_units]
        value = kept.values[i, t] if kept.values.size else f
        _fire(value, a, states[t + 1], states[t], n_units, m, t, rows, o, alpha, one, code, single)
    _read(outputs, rates, states, n_units, m, rows, o)


@inlined
def _fire(f, a, following, h, n_units, m, t, rows, o, alpha, one, code, single):
    """a becomes p = g * a + b + noise, f = phi(p), and the following states leak towards it."""
    bias, gain, noise = o.bias[m, at(t, o.bias)], o.gain, o.noise
    for b in range(len(rows)):
        row = rows[b]
        if gain.size:
            g = gain[m, at(t, gain), row]
            for j in range(n_units):
                a[b, j] = g[j] * a[b, j] + bias[row, j]
        else:
            for j in range(n_units):
                a[b, j] += bias[row, j]
        if noise.size:
            e = noise[m, t, row]
            for j in range(n_units):
                a[b, j] += e[j]
        _activate(f, a, b, n_units, one, code, single)
        leak(following, h, f, b, n_units, alpha)


@entry(inline="always")
def tanh_single(x):
    """tanh to within 6 units of 2^-24, relative; plain arithmetic, so that a loop over units vectorises.

    x P(x^2) / Q(x^2), our own fit of least largest relative error to [0, 9], beyond which tanh rounds to 1.
    """
    x = min(max(x, -_LIMIT), _LIMIT)
    z = x * x
    p = (((_P4 * z + _P3) * z + _P2) * z + _P1) * z + _P0
    q = (((_Q4 * z + _Q3) * z + _Q2) * z + _Q1) * z + _Q0
    return min(max(x * p / q, -_Q0), _Q0)


@inlined
def _activate(f, p, b, n_units, one, code, single):
    """f = phi(p), for one row."""
    zero = one - one
    if code == 0:
        for j in range(n_units):
            f[b, j] = max(p[b, j], zero)
    elif code == 2:
        for j in range(n_units):
            f[b, j] = max(p[b, j], zero) + math.log1p(math.exp(-abs(p[b, j])))
    elif single:
        for j in range(n_units):
            f[b, j] = tanh_single(p[b, j])
    else:
        for j in range(n_units):
            f[b, j] = math.tanh(p[b, j])
    if code == 3:
        for j in range(n_units):
            f[b, j] = max(f[b, j], zero)


@inlined
def _read(outputs, rates, states, n_units, m, rows, o):
    """y = r C + d for all steps at once; nothing is written after a trial's end."""
    n_steps, n_rows = states.shape[0] - 1, len(rows)
    y = np.empty((n_steps * n_rows, o.readout.shape[2]), states.dtype)
    multiply(flatten(states, 1, n_steps + 1)[:, :n_units], o.readout[m][:, :], y[:, :], False)
    for t in range(n_steps):
        for b in range(n_rows):
            row = rows[b]
            if t < o.lengths[m, row]:
                for k in range(outputs.shape[3]):
                    outputs[m, t, row, k] = y[t * n_rows + b, k] + o.readout_bias[m, 0, k]
                if rates.size:
                    for j in range(n_units):
                        rates[m, t, row, j] = states[t + 1, b, j]


run_forward = _compile(sources_digest())
