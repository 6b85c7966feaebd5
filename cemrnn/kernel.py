"""The compiled kernels behind `cemrnn.compiled`: a block of trials of one network, forward and back in time.

Arrays are grouped in the named tuples of `cemrnn.compiled`; letters are those of the recurrence. Every local
array is small enough for the caches of one core.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import njit

_LIMIT = np.float32(9)
_P0, _P1, _P2 = np.float32(0.9999999794487278), np.float32(0.13381017019154076), np.float32(0.003495577813694739)
_P3, _P4 = np.float32(2.060890984403969e-05), np.float32(1.3354418960681877e-08)
_Q0, _Q1, _Q2 = np.float32(1), np.float32(0.46714332610306836), np.float32(0.025876943162652124)
_Q3, _Q4 = np.float32(0.00032856178240245055), np.float32(7.77645969154734e-07)

# Contraction allows fused multiply-add; nothing here lets the compiler reorder sums.
_fused = functools.partial(njit, cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})


@_fused
def run_forward(tasks, n_blocks, block, alpha, one, code, single, operands, outputs, rates, kept):
    """Fills outputs, rates and kept (where not empty) for a range of tasks; a task is a block of trials."""
    for i in range(tasks[0], tasks[1]):
        _forward_block(i, n_blocks, block, alpha, one, code, single, operands, outputs, rates, kept)


@_fused
def run_backward(tasks, n_blocks, block, alpha, one, code, operands, kept, incoming, gradients):
    """Fills the gradients (where not empty) for a range of tasks; a task is a block of trials."""
    for i in range(tasks[0], tasks[1]):
        _backward_block(i, n_blocks, block, alpha, one, code, operands, kept, incoming, gradients)


@_fused
def _forward_block(i, n_blocks, block, alpha, one, code, single, o, outputs, rates, kept):
    m, rows = i // n_blocks, _rows_of(i, n_blocks, block, o)
    n_steps, n_units = _steps_of(m, rows, o), o.stacked.shape[2]
    first = n_units + o.inputs.shape[3]
    x = np.zeros((block, o.stacked.shape[1]), o.inputs.dtype)
    a = np.zeros((block, n_units), o.inputs.dtype)
    f = np.zeros((block, n_units), o.inputs.dtype)
    states = np.zeros((n_steps + 1, block, n_units), o.inputs.dtype)
    component = np.zeros((block, o.strength.shape[3]), o.inputs.dtype)
    _set_initial(states[0], m, rows, o)
    for t in range(n_steps):
        h = states[t]
        _extend(x, h, m, t, rows, o)
        if o.strength.size:
            scaled = _scaled(h, m, t, rows, o)
            np.dot(scaled, o.synaptic_in[m], component)
            strength = o.strength[m, _at(t, o.strength)]
            for b in range(len(rows)):
                for k in range(component.shape[1]):
                    x[b, first + k] = component[b, k] * strength[rows[b], k]
        np.dot(x, o.stacked[m], a)
        _excite(f, a, m, t, rows, o)
        _activate(code, single, f, one)
        _leak(states[t + 1], h, f, alpha)
        if kept.values.size:
            kept.values[i, t] = f
            if o.gain.size:
                kept.products[i, t] = a
            if o.strength.size:
                kept.components[i, t] = component
    _read(outputs, rates, states, m, rows, o)


@_fused
def _backward_block(i, n_blocks, block, alpha, one, code, o, kept, incoming, gradients):
    m, rows = i // n_blocks, _rows_of(i, n_blocks, block, o)
    n_steps, n_inputs = _steps_of(m, rows, o), o.inputs.shape[3]
    n_units, n_stacked = o.stacked.shape[2], o.stacked.shape[1]
    first, n_components = n_units + n_inputs, o.strength.shape[3]
    states = _rebuild_states(i, m, rows, n_steps, alpha, o, kept)
    local = _gather_output_gradients(i, m, rows, states, o, incoming, gradients)
    _clear(m, rows, gradients)
    xs = np.zeros((n_steps, block, n_stacked), o.inputs.dtype)
    das = np.zeros((n_steps, block, n_units), o.inputs.dtype)
    scaled_states = np.zeros((n_steps, block, n_units), o.inputs.dtype)
    d_components = np.zeros((n_steps, block, n_components), o.inputs.dtype)
    carry = np.zeros((block, n_units), o.inputs.dtype)
    dx = np.zeros((block, n_stacked), o.inputs.dtype)
    dh = np.zeros((block, n_units), o.inputs.dtype)
    for t in range(n_steps - 1, -1, -1):
        _extend(xs[t], states[t], m, t, rows, o)
        _descend(das[t], local[t], carry, kept.values[i, t], alpha, one, code)
        _modulate_back(i, m, t, rows, das[t], o, kept, gradients)
        np.dot(das[t], incoming.stacked[m], dx)
        if gradients.inputs.size:
            for b in range(len(rows)):
                for j in range(n_inputs):
                    gradients.inputs[m, t, rows[b], j] = dx[b, n_units + j]
        if o.strength.size:
            scaled_states[t] = _scaled(states[t], m, t, rows, o)
            _strength_back(i, m, t, rows, first, dx, xs[t], d_components[t], o, kept, gradients)
            np.dot(d_components[t], incoming.synaptic_in[m], dh)
            for b in range(block):
                for j in range(n_units):
                    dx[b, j] += dh[b, j]
        _carry_back(carry, dx, states[t], local[t], alpha, one, m, t, rows, o, gradients)
    for b in range(len(rows)):
        gradients.initial[m, rows[b]] = carry[b]
    flat = n_steps * block
    np.dot(xs.reshape(flat, n_stacked).T, das.reshape(flat, n_units), gradients.stacked[i])
    if o.strength.size:
        np.dot(
            scaled_states.reshape(flat, n_units).T,
            d_components.reshape(flat, n_components),
            gradients.synaptic_in[i],
        )


@_fused
def _rows_of(i, n_blocks, block, o):
    """Trials of the block: the i-th of the network's trials in the order of their lengths."""
    start = (i % n_blocks) * block
    return o.order[i // n_blocks, start : min(start + block, o.order.shape[1])]


@_fused
def _steps_of(m, rows, o):
    """Steps until the block's longest trial ends."""
    n_steps = 0
    for b in range(len(rows)):
        n_steps = max(n_steps, o.lengths[m, rows[b]])
    return n_steps


@_fused
def _set_initial(state, m, rows, o):
    if o.initial.size:
        for b in range(len(rows)):
            state[b] = o.initial[m, rows[b]]


@_fused(inline="always")
def _at(t, array):
    return t if array.shape[1] > 1 else 0


@_fused
def _scaled(h, m, t, rows, o):
    if not o.scale.size:
        return h
    scaled = np.zeros_like(h)
    for b in range(len(rows)):
        factor = o.scale[m, _at(t, o.scale), rows[b], 0]
        for j in range(h.shape[1]):
            scaled[b, j] = factor * h[b, j]
    return scaled


@_fused
def _extend(x, h, m, t, rows, o):
    """x = [kappa r | u | untouched]."""
    n_units, n_inputs = h.shape[1], o.inputs.shape[3]
    scaled = _scaled(h, m, t, rows, o)
    u = o.inputs[m, t]
    for b in range(len(rows)):
        for j in range(n_units):
            x[b, j] = scaled[b, j]
        for j in range(n_inputs):
            x[b, n_units + j] = u[rows[b], j]


@_fused
def _excite(p, a, m, t, rows, o):
    """p = g * a + b + noise."""
    bias = o.bias[m, _at(t, o.bias)]
    for b in range(len(rows)):
        out, drive, shift = p[b], a[b], bias[rows[b]]
        if o.gain.size:
            gain = o.gain[m, _at(t, o.gain), rows[b]]
            for j in range(len(out)):
                out[j] = gain[j] * drive[j] + shift[j]
        else:
            for j in range(len(out)):
                out[j] = drive[j] + shift[j]
        if o.noise.size:
            noise = o.noise[m, t, rows[b]]
            for j in range(len(out)):
                out[j] += noise[j]


@_fused(inline="always")
def tanh_single(x):
    """tanh to within 6 units of 2^-24, relative; plain arithmetic, so that a loop over units vectorises.

    x P(x^2) / Q(x^2), our own fit of least largest relative error to [0, 9], beyond which tanh rounds to 1.
    """
    x = min(max(x, -_LIMIT), _LIMIT)
    z = x * x
    p = (((_P4 * z + _P3) * z + _P2) * z + _P1) * z + _P0
    q = (((_Q4 * z + _Q3) * z + _Q2) * z + _Q1) * z + _Q0
    return min(max(x * p / q, -_Q0), _Q0)


@_fused
def _activate(code, single, f, one):
    zero = one - one
    for b in range(f.shape[0]):
        row = f[b]
        if code == 0:
            for j in range(len(row)):
                row[j] = max(row[j], zero)
        elif code == 2:
            for j in range(len(row)):
                row[j] = max(row[j], zero) + math.log1p(math.exp(-abs(row[j])))
        elif single:
            for j in range(len(row)):
                row[j] = tanh_single(row[j])
        else:
            for j in range(len(row)):
                row[j] = math.tanh(row[j])
        if code == 3:
            for j in range(len(row)):
                row[j] = max(row[j], zero)


@_fused
def _leak(following, h, f, alpha):
    for b in range(h.shape[0]):
        for j in range(h.shape[1]):
            following[b, j] = h[b, j] + alpha * (f[b, j] - h[b, j])


@_fused
def _read(outputs, rates, states, m, rows, o):
    """y = h C + d for all steps at once; nothing is written after a trial's end."""
    n_steps, block, n_units = states.shape[0] - 1, states.shape[1], states.shape[2]
    y = np.dot(states[1:].reshape(n_steps * block, n_units), o.readout[m])
    for b in range(len(rows)):
        for t in range(o.lengths[m, rows[b]]):
            for k in range(y.shape[1]):
                outputs[m, t, rows[b], k] = y[t * block + b, k] + o.readout_bias[m, 0, k]
        if rates.size:
            for t in range(o.lengths[m, rows[b]]):
                for j in range(n_units):
                    rates[m, t, rows[b], j] = states[t + 1, b, j]


@_fused
def _rebuild_states(i, m, rows, n_steps, alpha, o, kept):
    block, n_units = kept.values.shape[2:]
    states = np.zeros((n_steps + 1, block, n_units), o.inputs.dtype)
    _set_initial(states[0], m, rows, o)
    for t in range(n_steps):
        _leak(states[t + 1], states[t], kept.values[i, t], alpha)
    return states


@_fused
def _gather_output_gradients(i, m, rows, states, o, incoming, gradients):
    """dL/dr_t from the readout and from the rates themselves, (T, block, N); fills the readout's gradient."""
    n_steps, block, n_units = states.shape[0] - 1, states.shape[1], states.shape[2]
    n_outputs = o.readout.shape[2]
    local = np.zeros((n_steps, block, n_units), o.inputs.dtype)
    dy = np.zeros((n_steps * block, n_outputs), o.inputs.dtype)
    if incoming.outputs.size:
        for b in range(len(rows)):
            for t in range(o.lengths[m, rows[b]]):
                for k in range(n_outputs):
                    dy[t * block + b, k] = incoming.outputs[m, t, rows[b], k]
        np.dot(dy, incoming.readout[m], local.reshape(n_steps * block, n_units))
    np.dot(states[1:].reshape(n_steps * block, n_units).T, dy, gradients.readout[i])
    if incoming.rates.size:
        for b in range(len(rows)):
            for t in range(o.lengths[m, rows[b]]):
                for j in range(n_units):
                    local[t, b, j] += incoming.rates[m, t, rows[b], j]
    return local


@_fused
def _clear(m, rows, gradients):
    """Zeros in the gradients that the steps add to."""
    for gradient in (gradients.inputs, gradients.bias, gradients.gain, gradients.strength, gradients.scale):
        if gradient.size:
            for t in range(gradient.shape[1]):
                for b in range(len(rows)):
                    for j in range(gradient.shape[3]):
                        gradient[m, t, rows[b], j] = 0


@_fused
def _descend(da, local, carry, f, alpha, one, code):
    """local becomes delta = dL/dr_t in full; da becomes dL/dp_t = alpha delta phi'(p)."""
    zero = one - one
    for b in range(f.shape[0]):
        delta, value, out = local[b], f[b], da[b]
        for j in range(len(delta)):
            delta[j] += carry[b, j]
        if code == 0:
            for j in range(len(delta)):
                out[j] = alpha * delta[j] if value[j] > zero else zero
        elif code == 1:
            for j in range(len(delta)):
                out[j] = alpha * delta[j] * (one - value[j] * value[j])
        elif code == 2:
            for j in range(len(delta)):
                out[j] = alpha * delta[j] * -math.expm1(-value[j])
        else:
            for j in range(len(delta)):
                out[j] = alpha * delta[j] * (one - value[j] * value[j]) if value[j] > zero else zero


@_fused
def _modulate_back(i, m, t, rows, da, o, kept, gradients):
    """Gradients of bias and gain; da turns from dL/dp into dL/da."""
    d_bias = gradients.bias[m, _at(t, gradients.bias)]
    for b in range(len(rows)):
        into, d = d_bias[rows[b]], da[b]
        for j in range(len(d)):
            into[j] += d[j]
    if o.gain.size:
        gain, d_gain = o.gain[m, _at(t, o.gain)], gradients.gain[m, _at(t, gradients.gain)]
        product = kept.products[i, t]
        for b in range(len(rows)):
            into, g, a, d = d_gain[rows[b]], gain[rows[b]], product[b], da[b]
            for j in range(len(d)):
                into[j] += d[j] * a[j]
                d[j] *= g[j]


@_fused
def _strength_back(i, m, t, rows, first, dx, x, d_component, o, kept, gradients):
    """Completes x with the weighted components; fills the gradients of strength and of the components."""
    strength, d_strength = o.strength[m, _at(t, o.strength)], gradients.strength[m, _at(t, gradients.strength)]
    component = kept.components[i, t]
    for b in range(len(rows)):
        for k in range(component.shape[1]):
            d_weighted = dx[b, first + k]
            x[b, first + k] = component[b, k] * strength[rows[b], k]
            d_strength[rows[b], k] += d_weighted * component[b, k]
            d_component[b, k] = d_weighted * strength[rows[b], k]


@_fused
def _carry_back(carry, dx, h, delta, alpha, one, m, t, rows, o, gradients):
    """dL/dr_{t-1} through the leak and through the product; fills the gradient of the scale."""
    decay = one - alpha
    for b in range(len(rows)):
        factor = one
        if o.scale.size:
            total = one - one
            for j in range(h.shape[1]):
                total += dx[b, j] * h[b, j]
            gradients.scale[m, _at(t, gradients.scale), rows[b], 0] += total
            factor = o.scale[m, _at(t, o.scale), rows[b], 0]
        into, d, back = carry[b], delta[b], dx[b]
        for j in range(len(into)):
            into[j] = decay * d[j] + factor * back[j]
