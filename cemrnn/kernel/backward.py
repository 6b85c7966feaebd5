"""Back in time: gradients of the weights summed over a block, and of everything that varies over trials."""

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
from cemrnn.kernel.product import multiply, round_up

CHUNK_STEPS = 8  # steps between two sums of the gradients of weights: their operands stay in cache


def _compile(sources: str):
    @entry
    def run_backward(tasks, n_blocks, block, alpha, one, code, operands, kept, incoming, gradients):
        """Fills the gradients (where not empty) for some tasks; a task is a block of trials."""
        _ = sources
        for i in tasks:
            _backward_block(i, n_blocks, block, alpha, one, code, operands, kept, incoming, gradients)

    return run_backward


@inlined
def _backward_block(i, n_blocks, block, alpha, one, code, o, kept, incoming, gradients):
    m, rows = i // n_blocks, rows_of(i, n_blocks, block, o)
    n_rows, n_units, n_components, n_stacked = sizes_of(rows, o)
    n_steps = steps_of(m, rows, o)
    xs, states = start(m, rows, n_steps, o)
    _rebuild(i, m, rows, xs, states, n_units, alpha, o, kept)
    _clear(m, rows, gradients)
    das = np.empty((CHUNK_STEPS, n_rows, o.stacked.shape[2]), xs.dtype)
    local = np.empty((CHUNK_STEPS, n_rows, o.stacked.shape[2]), xs.dtype)
    d_components = np.empty((CHUNK_STEPS, n_rows, o.synaptic_in.shape[2]), xs.dtype)
    carry = np.zeros((n_rows, n_units), xs.dtype)
    # Unless the inputs ask for a gradient, their columns are left out.
    dx = np.empty((n_rows, round_up(n_stacked if gradients.inputs.size else n_units + n_components)), xs.dtype)
    last = n_steps
    while last > 0:
        first = max(0, last - CHUNK_STEPS)
        _gather_output_gradients(i, m, rows, first, last, n_steps, states, local, n_units, o, incoming, gradients)
        for t in range(last - 1, first - 1, -1):
            da, delta = das[t - first], local[t - first]
            _descend(i, m, t, rows, da, delta, carry, n_units, alpha, one, code, o, kept, gradients)
            multiply(da[:, :n_units], incoming.stacked[m][:, : dx.shape[1]], dx[:, :], False)
            if gradients.inputs.size:
                for b in range(n_rows):
                    row = rows[b]
                    for j in range(o.inputs.shape[3]):
                        gradients.inputs[m, t, row, j] = dx[b, n_units + n_components + j]
            if n_components:
                d_component = d_components[t - first]
                _strength_back(i, m, t, rows, n_units, n_components, dx, d_component, o, kept, gradients)
                multiply(
                    d_component[:, :n_components],
                    incoming.synaptic_in[m][:, :],
                    dx[:, : incoming.synaptic_in.shape[2]],
                    True,
                )
            _carry_back(carry, dx, states[t], delta, n_units, alpha, one, m, t, rows, o, gradients)
        _sum_over_chunk(i, first, last, n_steps, xs, das, d_components, n_units, n_components, n_stacked, gradients)
        last = first
    for b in range(n_rows):
        row = rows[b]
        for j in range(n_units):
            gradients.initial[m, row, j] = carry[b, j]


@inlined
def _rebuild(i, m, rows, xs, states, n_units, alpha, o, kept):
    """Fills states and xs as forward had them, from the values of phi and the components that it kept."""
    for t in range(len(xs) - 1):
        scale(xs[t], states[t], n_units, m, t, rows, o)
        if o.strength.size:
            weigh(xs[t], kept.components[i, t], n_units, m, t, rows, o)
        for b in range(len(rows)):
            leak(states[t + 1], states[t], kept.values[i, t], b, n_units, alpha)


@inlined
def _clear(m, rows, gradients):
    """Zeros in the gradients that the steps add to."""
    for gradient in (gradients.inputs, gradients.bias, gradients.gain, gradients.strength, gradients.scale):
        if gradient.size:
            for t in range(gradient.shape[1]):
                for b in range(len(rows)):
                    row = rows[b]
                    for j in range(gradient.shape[3]):
                        gradient[m, t, row, j] = 0


@inlined
def _gather_output_gradients(i, m, rows, first, last, n_steps, states, local, n_units, o, incoming, gradients):
    """local becomes dL/dr_t from the readout and from the rates themselves; adds to the readout's gradient."""
    n_rows, n_outputs = len(rows), o.readout_bias.shape[2]
    dy = np.zeros(((last - first) * n_rows, n_outputs), states.dtype)
    if incoming.outputs.size:
        for t in range(first, last):
            for b in range(n_rows):
                row = rows[b]
                if t < o.lengths[m, row]:
                    for k in range(n_outputs):
                        dy[(t - first) * n_rows + b, k] = incoming.outputs[m, t, row, k]
    multiply(dy[:, :], incoming.readout[m][:, :], flatten(local, 0, last - first)[:, :], False)
    rates, total = flatten(states, first + 1, last + 1), gradients.readout[i]
    multiply(dy.T[:, :], rates[:, : total.shape[1]], total[:, :], last < n_steps)
    if incoming.rates.size:
        for t in range(first, last):
            for b in range(n_rows):
                row = rows[b]
                if t < o.lengths[m, row]:
                    for j in range(n_units):
                        local[t - first, b, j] += incoming.rates[m, t, row, j]


@inlined
def _descend(i, m, t, rows, da, delta, carry, n_units, alpha, one, code, o, kept, gradients):
    """delta becomes dL/dr_t in full, da becomes dL/da_t; gradients of bias and gain."""
    bias, gain, f = gradients.bias, o.gain, kept.values[i, t]
    for b in range(len(rows)):
        row = rows[b]
        for j in range(n_units):
            delta[b, j] += carry[b, j]
        _slope(da, delta, f, b, n_units, alpha, one, code)
        d_bias = bias[m, at(t, bias), row]
        for j in range(n_units):
            d_bias[j] += da[b, j]
        if gain.size:
            g, d_gain = gain[m, at(t, gain), row], gradients.gain[m, at(t, gradients.gain), row]
            product = kept.products[i, t, b]
            for j in range(n_units):
                d_gain[j] += da[b, j] * product[j]
                da[b, j] *= g[j]


@inlined
def _slope(da, delta, f, b, n_units, alpha, one, code):
    """da = dL/dp_t = alpha delta phi'(p), for one row."""
    zero = one - one
    if code == 0:
        for j in range(n_units):
            da[b, j] = alpha * delta[b, j] if f[b, j] > zero else zero
    elif code == 1:
        for j in range(n_units):
            da[b, j] = alpha * delta[b, j] * (one - f[b, j] * f[b, j])
    elif code == 2:
        for j in range(n_units):
            da[b, j] = alpha * delta[b, j] * -math.expm1(-f[b, j])
    else:
        for j in range(n_units):
            da[b, j] = alpha * delta[b, j] * (one - f[b, j] * f[b, j]) if f[b, j] > zero else zero


@inlined
def _strength_back(i, m, t, rows, n_units, n_components, dx, d_component, o, kept, gradients):
    """Gradients of the strengths and of the components."""
    strength, d_strength = o.strength[m, at(t, o.strength)], gradients.strength[m, at(t, gradients.strength)]
    component = kept.components[i, t]
    for b in range(len(rows)):
        row = rows[b]
        for k in range(n_components):
            d_weighted = dx[b, n_units + k]
            d_strength[row, k] += d_weighted * component[b, k]
            d_component[b, k] = d_weighted * strength[row, k]


@inlined
def _carry_back(carry, dx, h, delta, n_units, alpha, one, m, t, rows, o, gradients):
    """dL/dr_{t-1} through the leak and through the product; fills the gradient of the scale."""
    decay = one - alpha
    for b in range(len(rows)):
        row = rows[b]
        if o.scale.size:
            total = one - one
            for j in range(n_units):
                total += dx[b, j] * h[b, j]
            gradients.scale[m, at(t, gradients.scale), row, 0] += total
            factor = o.scale[m, at(t, o.scale), row, 0]
            for j in range(n_units):
                dx[b, j] *= factor
        for j in range(n_units):
            carry[b, j] = decay * delta[b, j] + dx[b, j]


@inlined
def _sum_over_chunk(i, first, last, n_steps, xs, das, d_components, n_units, n_components, n_stacked, gradients):
    """Adds the chunk's part to the gradients of the weights, which the last chunk of the trial starts."""
    x, da, add = flatten(xs, first, last), flatten(das, 0, last - first), last < n_steps
    multiply(x[:, :n_stacked].T[:, :], da[:, :], gradients.stacked[i][:, :], add)
    if n_components:
        d_component = flatten(d_components, 0, last - first)
        multiply(x[:, :n_units].T[:, :], d_component[:, :], gradients.synaptic_in[i][:, :], add)


run_backward = _compile(sources_digest())
