"""Forward in time: outputs, rates, and what the way back needs."""

from __future__ import annotations

import math

import numpy as np

from cemrnn.network.engine.kernel.block import (
    at,
    columns_of,
    copy,
    entry,
    flatten,
    inlined,
    modulators_of,
    rows_of,
    scale,
    set_synapses,
    shared,
    sizes_of,
    sources_digest,
    states_of,
    steps_of,
)
from cemrnn.network.engine.kernel.product import fused, multiply

_LIMIT = np.float32(9)
_P0, _P1, _P2 = np.float32(0.9999999794487278), np.float32(0.13381017019154076), np.float32(0.003495577813694739)
_P3, _P4 = np.float32(2.060890984403969e-05), np.float32(1.3354418960681877e-08)
_Q0, _Q1, _Q2 = np.float32(1), np.float32(0.46714332610306836), np.float32(0.025876943162652124)
_Q3, _Q4 = np.float32(0.00032856178240245055), np.float32(7.77645969154734e-07)


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
    n_rows, n_units, _, _ = sizes_of(rows, o)
    xs = states_of(i, steps_of(m, rows, o), n_rows, columns_of(o), kept)
    advance(i, m, rows, xs, alpha, one, code, single, o, kept)
    _write(outputs, rates, xs, read(xs, n_units, m, n_rows, o), n_units, m, rows, o)


@shared
def advance(place, m, rows, xs, alpha, one, code, single, o, kept):
    """Fills xs, and at a place what is kept besides."""
    n_rows, n_units, n_components, n_stacked = sizes_of(rows, o)
    _start(xs, m, rows, n_units, n_components, o)
    a = np.empty((n_rows, o.stacked.shape[2]), xs.dtype)
    component = np.empty((n_rows, o.synaptic_in.shape[2]), xs.dtype)
    sensitivity = np.empty((n_rows, o.gain_modulation.shape[2]), xs.dtype)
    scaled = np.empty((n_rows if o.scale.size else 0, xs.shape[2]), xs.dtype)
    inferred = np.empty((n_rows, o.encoder_state.shape[2]), xs.dtype)
    for t in range(len(xs) - 1):
        x = xs[t]
        if o.encoder_state.size:
            _infer(x, inferred, n_units, m, single, o)
            set_synapses(x, m, t, rows, o)
        if o.scale.size:
            scale(scaled, x, n_units, m, t, rows, o)
            x = scaled
        if n_components:
            if kept.components.size:
                component = kept.components[place, t, :n_rows]
            multiply(x[:, :n_units], o.synaptic_in[m][:, :], component[:, :], False)
            _weigh(x, component, n_units, n_components, m, t, rows, o)
            if o.scale.size:
                copy(xs[t, :, n_units:], x[:, n_units : n_units + n_components])
        multiply(x[:, :n_stacked], o.stacked[m][:, :], a[:, :], False)
        if kept.products.size:
            copy(kept.products[place, t], a[:, :n_units])
        if o.gain_modulation.size:
            _sensitise(a, modulators_of(xs[t], o), sensitivity, n_units, m, o)
        _excite(a, n_units, m, t, rows, o)
        if o.bias_modulation.size:
            multiply(modulators_of(xs[t], o), o.bias_modulation[m][:, :], a[:, :], True)
        _fire(xs[t + 1], xs[t], a, n_rows, n_units, alpha, one, code, single)


@shared
def read(xs, n_units, m, n_rows, o):
    """Outputs (T, rows, O or more), y = r C + d, for all steps at once."""
    n_steps = len(xs) - 1
    y = np.empty((n_steps * n_rows, o.readout.shape[2]), xs.dtype)
    multiply(flatten(xs, 1, n_steps + 1)[:, :n_units], o.readout[m][:, :], y[:, :], False)
    for row in range(len(y)):
        for k in range(o.readout_bias.shape[2]):
            y[row, k] += o.readout_bias[m, 0, k]
    return y.reshape((n_steps, n_rows, o.readout.shape[2]))


@inlined
def _start(xs, m, rows, n_units, n_components, o):
    """Puts the inputs, the modulators and r_0 in place."""
    n_before = n_units + n_components + o.inputs.shape[3]
    for t in range(len(xs) - 1):
        for b in range(len(rows)):
            row = rows[b]
            for j in range(o.inputs.shape[3]):
                xs[t, b, n_units + n_components + j] = o.inputs[m, t, row, j]
            for k in range(o.modulator.shape[3]):
                xs[t, b, n_before + k] = o.modulator[m, t, row, k]
    for b in range(len(rows)):
        row = rows[b]
        for j in range(n_units):
            xs[0, b, j] = o.initial[m, row, j] if o.initial.size else 0


@inlined
def _infer(x, inferred, n_units, m, single, o):
    """e becomes tanh(e + r C_r)."""
    multiply(x[:, :n_units], o.encoder_state[m][:, :], inferred[:, :], False)
    e = modulators_of(x, o)
    for b in range(e.shape[0]):
        for k in range(e.shape[1]):
            z = e[b, k] + inferred[b, k]
            e[b, k] = tanh_single(z) if single else math.tanh(z)


@inlined
def _weigh(x, component, n_units, n_components, m, t, rows, o):
    """The columns of x after the units become (kappa r V) * s."""
    strength = o.strength[m, at(t, o.strength)]
    for b in range(len(rows)):
        row = rows[b]
        for k in range(n_components):
            x[b, n_units + k] = component[b, k] * strength[row, k]


@inlined
def _sensitise(a, modulators, sensitivity, n_units, m, o):
    """a becomes (1 + e G) * a."""
    multiply(modulators, o.gain_modulation[m][:, :], sensitivity[:, :], False)
    for b in range(len(a)):
        for j in range(n_units):
            a[b, j] += sensitivity[b, j] * a[b, j]


@inlined
def _excite(a, n_units, m, t, rows, o):
    """a becomes p = g * a + b + noise."""
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


@inlined
def _fire(following, h, p, n_rows, n_units, alpha, one, code, single):
    """r_t = r_{t-1} + alpha (phi(p) - r_{t-1}), rounded as the way back expects (see backward._slope)."""
    zero = one - one
    for b in range(n_rows):
        if code == 0:
            for j in range(n_units):
                following[b, j] = fused(alpha, max(p[b, j], zero) - h[b, j], h[b, j])
        elif code == 2:
            for j in range(n_units):
                f = max(p[b, j], zero) + math.log1p(math.exp(-abs(p[b, j])))
                following[b, j] = fused(alpha, f - h[b, j], h[b, j])
        else:
            floor = zero if code == 3 else -one
            for j in range(n_units):
                f = tanh_single(p[b, j]) if single else math.tanh(p[b, j])
                following[b, j] = fused(alpha, max(f, floor) - h[b, j], h[b, j])


@inlined
def _write(outputs, rates, xs, ys, n_units, m, rows, o):
    """Outputs and rates of the block go to their trials; 0 from a trial's end on."""
    for t in range(outputs.shape[1]):
        for b in range(len(rows)):
            row = rows[b]
            ended = t >= o.lengths[m, row]
            for k in range(outputs.shape[3]):
                outputs[m, t, row, k] = 0 if ended else ys[t, b, k]
            if rates.size:
                for j in range(n_units):
                    rates[m, t, row, j] = 0 if ended else xs[t + 1, b, j]


run_forward = _compile(sources_digest())
