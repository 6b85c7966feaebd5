"""The compiled kernels behind `cemrnn.compiled`: a block of trials of one network, forward and back in time.

Arrays are grouped in the named tuples of `cemrnn.compiled`; letters are those of the recurrence. Every local
array is small enough for the caches of one core.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import njit

# Contraction allows fused multiply-add; nothing here lets the compiler reorder sums.
_fused = functools.partial(njit, cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})


@_fused
def run_forward(tasks, n_blocks, block, alpha, one, code, operands, outputs, rates, kept):
    """Fills outputs, rates and kept (where not empty) for a range of tasks; a task is a block of trials."""
    for i in range(tasks[0], tasks[1]):
        _forward_block(i, n_blocks, block, alpha, one, code, operands, outputs, rates, kept)


@_fused
def run_backward(tasks, n_blocks, block, alpha, one, code, operands, kept, incoming, gradients):
    """Fills the gradients (where not empty) for a range of tasks; a task is a block of trials."""
    for i in range(tasks[0], tasks[1]):
        _backward_block(i, n_blocks, block, alpha, one, code, operands, kept, incoming, gradients)


@_fused
def _forward_block(i, n_blocks, block, alpha, one, code, o, outputs, rates, kept):
    m, start = i // n_blocks, (i % n_blocks) * block
    n_steps, n_trials, n_units = o.inputs.shape[1], o.inputs.shape[2], o.stacked.shape[2]
    n, first = min(block, n_trials - start), n_units + o.inputs.shape[3]
    x = np.zeros((block, o.stacked.shape[1]), o.inputs.dtype)
    a = np.zeros((block, n_units), o.inputs.dtype)
    f = np.zeros((block, n_units), o.inputs.dtype)
    states = np.zeros((n_steps + 1, block, n_units), o.inputs.dtype)
    component = np.zeros((block, o.strength.shape[3]), o.inputs.dtype)
    if o.initial.size:
        states[0, :n] = o.initial[m, start : start + n]
    for t in range(n_steps):
        h = states[t]
        _extend(x, h, m, t, start, n, o)
        if o.strength.size:
            scaled = _scaled(h, m, t, start, n, o)
            np.dot(scaled, o.synaptic_in[m], component)
            strength = o.strength[m, _at(t, o.strength)]
            for b in range(n):
                for k in range(component.shape[1]):
                    x[b, first + k] = component[b, k] * strength[start + b, k]
        np.dot(x, o.stacked[m], a)
        _excite(f, a, m, t, start, n, o)
        _activate(code, f, one)
        _leak(states[t + 1], h, f, alpha)
        if kept.values.size:
            kept.values[i, t] = f
            if o.gain.size:
                kept.products[i, t] = a
            if o.strength.size:
                kept.components[i, t] = component
        if rates.size:
            rates[m, t, start : start + n] = states[t + 1, :n]
    _read(outputs, states, m, start, n, o)


@_fused
def _backward_block(i, n_blocks, block, alpha, one, code, o, kept, incoming, gradients):
    m, start = i // n_blocks, (i % n_blocks) * block
    n_steps, n_trials, n_inputs = o.inputs.shape[1:]
    n_units, n_stacked = o.stacked.shape[2], o.stacked.shape[1]
    n, first, n_components = min(block, n_trials - start), n_units + n_inputs, o.strength.shape[3]
    states = _rebuild_states(i, m, start, n, alpha, o, kept)
    local = _gather_output_gradients(i, m, start, n, states, o, incoming, gradients)
    _clear_constant(m, start, n, gradients)
    xs = np.zeros((n_steps, block, n_stacked), o.inputs.dtype)
    das = np.zeros((n_steps, block, n_units), o.inputs.dtype)
    scaled_states = np.zeros((n_steps, block, n_units), o.inputs.dtype)
    d_components = np.zeros((n_steps, block, n_components), o.inputs.dtype)
    carry = np.zeros((block, n_units), o.inputs.dtype)
    dx = np.zeros((block, n_stacked), o.inputs.dtype)
    dh = np.zeros((block, n_units), o.inputs.dtype)
    for t in range(n_steps - 1, -1, -1):
        _extend(xs[t], states[t], m, t, start, n, o)
        _descend(das[t], local[t], carry, kept.values[i, t], alpha, one, code)
        _modulate_back(i, m, t, start, n, das[t], o, kept, gradients)
        np.dot(das[t], incoming.stacked[m], dx)
        if gradients.inputs.size:
            gradients.inputs[m, t, start : start + n] = dx[:n, n_units:first]
        if o.strength.size:
            scaled_states[t] = _scaled(states[t], m, t, start, n, o)
            _strength_back(i, m, t, start, n, first, dx, xs[t], d_components[t], o, kept, gradients)
            np.dot(d_components[t], incoming.synaptic_in[m], dh)
            for b in range(block):
                for j in range(n_units):
                    dx[b, j] += dh[b, j]
        _carry_back(carry, dx, states[t], local[t], alpha, one, m, t, start, n, o, gradients)
    gradients.initial[m, start : start + n] = carry[:n]
    rows = n_steps * block
    flat = das.reshape(rows, n_units)
    np.dot(xs.reshape(rows, n_stacked).T, flat, gradients.stacked[i])
    if o.strength.size:
        np.dot(
            scaled_states.reshape(rows, n_units).T,
            d_components.reshape(rows, n_components),
            gradients.synaptic_in[i],
        )


@_fused(inline="always")
def _at(t, array):
    return t if array.shape[1] > 1 else 0


@_fused
def _scaled(h, m, t, start, n, o):
    if not o.scale.size:
        return h
    scaled = np.zeros_like(h)
    for b in range(n):
        factor = o.scale[m, _at(t, o.scale), start + b, 0]
        for j in range(h.shape[1]):
            scaled[b, j] = factor * h[b, j]
    return scaled


@_fused
def _extend(x, h, m, t, start, n, o):
    """x = [kappa h | u | untouched]."""
    n_units, n_inputs = h.shape[1], o.inputs.shape[3]
    scaled = _scaled(h, m, t, start, n, o)
    u = o.inputs[m, t]
    for b in range(n):
        for j in range(n_units):
            x[b, j] = scaled[b, j]
        for j in range(n_inputs):
            x[b, n_units + j] = u[start + b, j]


@_fused
def _excite(p, a, m, t, start, n, o):
    """p = g * a + b + noise."""
    bias = o.bias[m, _at(t, o.bias)]
    n_units = a.shape[1]
    if o.gain.size:
        gain = o.gain[m, _at(t, o.gain)]
        for b in range(n):
            for j in range(n_units):
                p[b, j] = gain[start + b, j] * a[b, j] + bias[start + b, j]
    else:
        for b in range(n):
            for j in range(n_units):
                p[b, j] = a[b, j] + bias[start + b, j]
    if o.noise.size:
        noise = o.noise[m, t]
        for b in range(n):
            for j in range(n_units):
                p[b, j] += noise[start + b, j]


@_fused
def _activate(code, f, one):
    zero = one - one
    for b in range(f.shape[0]):
        for j in range(f.shape[1]):
            p = f[b, j]
            if code == 0:
                f[b, j] = max(p, zero)
            elif code == 2:
                f[b, j] = max(p, zero) + math.log1p(math.exp(-abs(p)))
            else:
                value = math.tanh(p)
                f[b, j] = value if code == 1 else max(value, zero)


@_fused
def _leak(following, h, f, alpha):
    for b in range(h.shape[0]):
        for j in range(h.shape[1]):
            following[b, j] = h[b, j] + alpha * (f[b, j] - h[b, j])


@_fused
def _read(outputs, states, m, start, n, o):
    """y = h C + d for all steps at once."""
    n_steps, block, n_units = states.shape[0] - 1, states.shape[1], states.shape[2]
    y = np.dot(states[1:].reshape(n_steps * block, n_units), o.readout[m]).reshape(n_steps, block, -1)
    for t in range(n_steps):
        for b in range(n):
            for k in range(y.shape[2]):
                outputs[m, t, start + b, k] = y[t, b, k] + o.readout_bias[m, 0, k]


@_fused
def _rebuild_states(i, m, start, n, alpha, o, kept):
    n_steps, block, n_units = kept.values.shape[1:]
    states = np.zeros((n_steps + 1, block, n_units), o.inputs.dtype)
    if o.initial.size:
        states[0, :n] = o.initial[m, start : start + n]
    for t in range(n_steps):
        _leak(states[t + 1], states[t], kept.values[i, t], alpha)
    return states


@_fused
def _gather_output_gradients(i, m, start, n, states, o, incoming, gradients):
    """dL/dh_t from the readout and from the rates themselves, (T, block, N); fills the readout's gradient."""
    n_steps, block, n_units = states.shape[0] - 1, states.shape[1], states.shape[2]
    n_outputs = o.readout.shape[2]
    local = np.zeros((n_steps, block, n_units), o.inputs.dtype)
    dy = np.zeros((n_steps * block, n_outputs), o.inputs.dtype)
    if incoming.outputs.size:
        for t in range(n_steps):
            for b in range(n):
                for k in range(n_outputs):
                    dy[t * block + b, k] = incoming.outputs[m, t, start + b, k]
        np.dot(dy, incoming.readout[m], local.reshape(n_steps * block, n_units))
    np.dot(states[1:].reshape(n_steps * block, n_units).T, dy, gradients.readout[i])
    if incoming.rates.size:
        for t in range(n_steps):
            local[t, :n] += incoming.rates[m, t, start : start + n]
    return local


@_fused
def _clear_constant(m, start, n, gradients):
    """Zeros where a gradient is summed over time, because its tensor is constant within the trial."""
    for gradient in (gradients.bias, gradients.gain, gradients.strength, gradients.scale):
        if gradient.size and gradient.shape[1] == 1:
            gradient[m, 0, start : start + n] = 0


@_fused
def _descend(da, local, carry, f, alpha, one, code):
    """local becomes delta = dL/dh_t in full; da becomes dL/dp_t = alpha delta phi'(p)."""
    zero = one - one
    for b in range(f.shape[0]):
        for j in range(f.shape[1]):
            delta = local[b, j] + carry[b, j]
            local[b, j] = delta
            value = f[b, j]
            if code == 0:
                slope = one if value > zero else zero
            elif code == 1:
                slope = one - value * value
            elif code == 2:
                slope = -math.expm1(-value)
            else:
                slope = one - value * value if value > zero else zero
            da[b, j] = alpha * delta * slope


@_fused
def _store(gradient, m, t, start, b, j, value):
    if gradient.shape[1] > 1:
        gradient[m, t, start + b, j] = value
    else:
        gradient[m, 0, start + b, j] += value


@_fused
def _modulate_back(i, m, t, start, n, da, o, kept, gradients):
    """Gradients of bias and gain; da turns from dL/dp into dL/da."""
    for b in range(n):
        for j in range(da.shape[1]):
            _store(gradients.bias, m, t, start, b, j, da[b, j])
    if o.gain.size:
        gain = o.gain[m, _at(t, o.gain)]
        product = kept.products[i, t]
        for b in range(n):
            for j in range(da.shape[1]):
                _store(gradients.gain, m, t, start, b, j, da[b, j] * product[b, j])
                da[b, j] *= gain[start + b, j]


@_fused
def _strength_back(i, m, t, start, n, first, dx, x, d_component, o, kept, gradients):
    """Completes x with the weighted components; fills the gradients of strength and of the components."""
    strength = o.strength[m, _at(t, o.strength)]
    component = kept.components[i, t]
    for b in range(n):
        for k in range(component.shape[1]):
            d_weighted = dx[b, first + k]
            x[b, first + k] = component[b, k] * strength[start + b, k]
            _store(gradients.strength, m, t, start, b, k, d_weighted * component[b, k])
            d_component[b, k] = d_weighted * strength[start + b, k]


@_fused
def _carry_back(carry, dx, h, delta, alpha, one, m, t, start, n, o, gradients):
    """dL/dh_{t-1} through the leak and through the product; fills the gradient of the scale."""
    for b in range(n):
        factor = one
        if o.scale.size:
            total = one - one
            for j in range(h.shape[1]):
                total += dx[b, j] * h[b, j]
            _store(gradients.scale, m, t, start, b, 0, total)
            factor = o.scale[m, _at(t, o.scale), start + b, 0]
        for j in range(h.shape[1]):
            carry[b, j] = (one - alpha) * delta[b, j] + factor * dx[b, j]
