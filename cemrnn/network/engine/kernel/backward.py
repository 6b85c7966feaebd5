"""Back in time: gradients of the weights summed over a block, and of everything that varies over trials."""

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

CHUNK_STEPS = 8  # steps between two sums of the gradients of weights: their operands stay in cache


def _compile(sources: str):
    @entry
    def run_backward(tasks, n_blocks, block, alpha, one, code, operands, kept, incoming, returning, gradients):
        """Fills the gradients (where not empty) for some tasks; a task is a block of trials."""
        _ = sources
        for i in tasks:
            _backward_block(i, n_blocks, block, alpha, one, code, operands, kept, incoming, returning, gradients)

    return run_backward


@inlined
def _backward_block(i, n_blocks, block, alpha, one, code, o, kept, incoming, returning, gradients):
    m, rows = i // n_blocks, rows_of(i, n_blocks, block, o)
    n_rows, _, _, _ = sizes_of(rows, o)
    n_steps = steps_of(m, rows, o)
    xs = states_of(i, n_steps, n_rows, columns_of(o), kept)
    dys = _gather(m, rows, n_steps, o, incoming)
    retreat(i, i, m, rows, xs, dys, alpha, one, code, o, kept, incoming, returning, gradients)


@shared
def retreat(i, place, m, rows, xs, dys, alpha, one, code, o, kept, incoming, returning, gradients):
    """Fills the gradients of task i from those of its outputs, dys (T, rows, O or more), and from what is kept."""
    n_rows, n_units, n_components, n_stacked = sizes_of(rows, o)
    n_steps, n_outputs = len(xs) - 1, o.readout_bias.shape[2]
    _clear(i, m, rows, gradients)
    das = np.empty((CHUNK_STEPS, n_rows, o.stacked.shape[2]), xs.dtype)
    d_components = np.empty((CHUNK_STEPS, n_rows, o.synaptic_in.shape[2]), xs.dtype)
    carry = np.zeros((n_rows, returning.stacked.shape[2]), xs.dtype)
    dx = np.empty_like(carry) if o.scale.size else carry  # without a scale it is added where it goes
    scaled = np.empty((CHUNK_STEPS if o.scale.size else 0, n_rows, xs.shape[2]), xs.dtype)
    d_shifts = np.empty((CHUNK_STEPS, n_rows, o.bias_modulation.shape[2]), xs.dtype)
    d_gains = np.empty((CHUNK_STEPS, n_rows, o.gain_modulation.shape[2]), xs.dtype)
    d_encodings = np.empty((CHUNK_STEPS, n_rows, o.encoder_state.shape[2]), xs.dtype)
    sensitivity = np.empty((n_rows, o.gain_modulation.shape[2]), xs.dtype)
    last = n_steps
    while last > 0:
        first = max(0, last - CHUNK_STEPS)
        for t in range(last - 1, first - 1, -1):
            da = das[t - first]
            if o.encoder_state.size:
                set_synapses(xs[t], m, t, rows, o)
            multiply(dys[t][:, :n_outputs], returning.readout[m][:, :], carry[:, : returning.readout.shape[2]], True)
            if incoming.rates.size:
                _add_rates(carry, n_units, m, t, rows, o, incoming)
            _slope(da, carry, xs[t + 1], xs[t], n_rows, n_units, alpha, one, code)
            if o.bias_modulation.size:
                copy(d_shifts[t - first], da[:, :n_units])
            _modulate_back(place, m, t, rows, n_units, da, carry, one - alpha, o, kept, gradients)
            if o.gain_modulation.size:
                products, d_gain = kept.products[place, t], d_gains[t - first]
                _sensitise_back(da, modulators_of(xs[t], o), products, d_gain, sensitivity, n_rows, n_units, m, o)
            multiply(da[:, :n_units], returning.stacked[m][:, :], dx[:, :], not o.scale.size)
            if gradients.inputs.size:
                _input_back(m, t, rows, n_units + n_components, dx, gradients)
            if n_components:
                d_component, n_padded = d_components[t - first], returning.synaptic_in.shape[2]
                _strength_back(place, m, t, rows, n_units, n_components, dx, d_component, o, kept, gradients)
                multiply(d_component[:, :n_components], returning.synaptic_in[m][:, :], dx[:, :n_padded], True)
            if o.scale.size:
                _scale_back(carry, dx, xs[t], n_units, one, m, t, rows, o, gradients)
                scale(scaled[t - first], xs[t], n_units, m, t, rows, o)
            if o.encoder_state.size:
                d_e, n_padded = d_encodings[t - first], returning.encoder_state.shape[2]
                d_e[:] = 0
                _add_modulators(d_e, d_shifts[t - first], d_gains[t - first], n_units, m, o, returning)
                _infer_back(i, d_e, modulators_of(xs[t], o), one, m, t, rows, o, gradients)
                multiply(d_e[:, : o.modulator.shape[3]], returning.encoder_state[m][:, :], carry[:, :n_padded], True)
        x = flatten(scaled, 0, last - first) if o.scale.size else flatten(xs, first, last)
        _sum_over_chunk(i, x, das, d_components, first, last, n_steps, n_units, n_components, n_stacked, gradients)
        if o.modulator.size:
            d_shift, d_gain = flatten(d_shifts, 0, last - first), flatten(d_gains, 0, last - first)
            _sum_modulation(i, xs, d_shift, d_gain, first, last, n_steps, o, gradients)
            if o.encoder_state.size:
                d_e, total = (
                    flatten(d_encodings, 0, last - first)[:, : o.modulator.shape[3]],
                    gradients.encoder_state[i],
                )
                rates = flatten(xs, first, last)[:, : total.shape[1]]
                multiply(d_e.T[:, :], rates[:, :], total[:, :], last < n_steps)
            else:
                _modulator_back(m, rows, xs, d_shift, d_gain, first, last, n_units, o, returning, gradients)
        dy, rates = flatten(dys, first, last)[:, :n_outputs], flatten(xs, first + 1, last + 1)
        total = gradients.readout[i]
        multiply(dy.T[:, :], rates[:, : total.shape[1]], total[:, :], last < n_steps)
        for row in range(len(dy)):
            for k in range(n_outputs):
                gradients.readout_bias[i, 0, k] += dy[row, k]
        last = first
    if gradients.initial.size:
        for b in range(n_rows):
            row = rows[b]
            for j in range(n_units):
                gradients.initial[m, row, j] = carry[b, j]


@inlined
def _clear(i, m, rows, gradients):
    """Zeros in the gradients that the steps add to."""
    gradients.readout_bias[i] = 0
    if gradients.strength_modulation.size:
        gradients.strength_modulation[i] = 0
    if gradients.scale_modulation.size:
        gradients.scale_modulation[i] = 0
    for gradient in (
        gradients.inputs,
        gradients.bias,
        gradients.gain,
        gradients.strength,
        gradients.scale,
        gradients.modulator,
    ):
        if gradient.size:
            for t in range(gradient.shape[1]):
                for b in range(len(rows)):
                    row = rows[b]
                    for j in range(gradient.shape[3]):
                        gradient[m, t, row, j] = 0


@inlined
def _gather(m, rows, n_steps, o, incoming):
    """Gradients of the block's outputs (T, rows, O); 0 from a trial's end on."""
    dys = np.zeros((n_steps, len(rows), o.readout_bias.shape[2]), o.inputs.dtype)
    if incoming.outputs.size:
        for t in range(n_steps):
            for b in range(len(rows)):
                row = rows[b]
                if t < o.lengths[m, row]:
                    for k in range(dys.shape[2]):
                        dys[t, b, k] = incoming.outputs[m, t, row, k]
    return dys


@inlined
def _add_rates(carry, n_units, m, t, rows, o, incoming):
    """Adds the gradient of the rates themselves."""
    for b in range(len(rows)):
        row = rows[b]
        if t < o.lengths[m, row]:
            for j in range(n_units):
                carry[b, j] += incoming.rates[m, t, row, j]


@inlined
def _slope(da, delta, following, h, n_rows, n_units, alpha, one, code):
    """da = dL/dp_t = alpha delta phi'(p), with phi(p) found again from the states before and after.

    Where phi(p) was 0, the state after is exactly that of `fused` with 0.
    """
    zero, rate = one - one, one / alpha
    for b in range(n_rows):
        if code == 0:
            for j in range(n_units):
                silent = fused(alpha, -h[b, j], h[b, j])
                da[b, j] = alpha * delta[b, j] if following[b, j] > silent else zero
        elif code == 1:
            for j in range(n_units):
                f = fused(rate, following[b, j] - h[b, j], h[b, j])
                da[b, j] = alpha * delta[b, j] * (one - f * f)
        elif code == 2:
            for j in range(n_units):
                f = fused(rate, following[b, j] - h[b, j], h[b, j])
                da[b, j] = alpha * delta[b, j] * -math.expm1(-f)
        else:
            for j in range(n_units):
                silent = fused(alpha, -h[b, j], h[b, j])
                f = fused(rate, following[b, j] - h[b, j], h[b, j])
                da[b, j] = alpha * delta[b, j] * (one - f * f) if following[b, j] > silent else zero


@inlined
def _modulate_back(place, m, t, rows, n_units, da, carry, decay, o, kept, gradients):
    """Gradients of bias and gain; da turns from dL/dp into dL/da, carry from dL/dr_t into its part through the leak."""
    bias, gain = gradients.bias, o.gain
    for b in range(len(rows)):
        row = rows[b]
        d_bias = bias[m, at(t, bias), row]
        for j in range(n_units):
            d_bias[j] += da[b, j]
            carry[b, j] *= decay
        for j in range(n_units, carry.shape[1]):
            carry[b, j] = 0
        if gain.size:
            g, d_gain = gain[m, at(t, gain), row], gradients.gain[m, at(t, gradients.gain), row]
            product = kept.products[place, t, b]
            for j in range(n_units):
                d_gain[j] += da[b, j] * product[j]
                da[b, j] *= g[j]


@inlined
def _sensitise_back(da, modulators, products, d_gain, sensitivity, n_rows, n_units, m, o):
    """Gradient of the gains that the modulators set; da turns from dL/dp into dL/da."""
    multiply(modulators, o.gain_modulation[m][:, :], sensitivity[:, :], False)
    for b in range(n_rows):
        for j in range(n_units):
            d_gain[b, j] = da[b, j] * products[b, j]
            da[b, j] += da[b, j] * sensitivity[b, j]


@inlined
def _sum_modulation(i, xs, d_shift, d_gain, first, last, n_steps, o, gradients):
    """Adds the chunk's part to the gradients of E and G."""
    e, add = modulators_of(flatten(xs, first, last), o), last < n_steps
    if o.bias_modulation.size:
        multiply(e.T[:, :], d_shift[:, :], gradients.bias_modulation[i][:, :], add)
    if o.gain_modulation.size:
        multiply(e.T[:, :], d_gain[:, :], gradients.gain_modulation[i][:, :], add)


@inlined
def _add_modulators(d_e, d_shift, d_gain, n_units, m, o, returning):
    """Adds the gradients of modulators (rows, K or more) through shifts and gains."""
    if o.bias_modulation.size:
        multiply(d_shift[:, :n_units], returning.bias_modulation[m][:, :], d_e[:, :], True)
    if o.gain_modulation.size:
        multiply(d_gain[:, :n_units], returning.gain_modulation[m][:, :], d_e[:, :], True)


@inlined
def _modulator_back(m, rows, xs, d_shift, d_gain, first, last, n_units, o, returning, gradients):
    """Gradients of the modulators of a chunk, where they are given."""
    n_columns = max(returning.bias_modulation.shape[2], returning.gain_modulation.shape[2])
    d_e = np.zeros(((last - first) * len(rows), n_columns), xs.dtype)
    _add_modulators(d_e, d_shift, d_gain, n_units, m, o, returning)
    for t in range(first, last):
        for b in range(len(rows)):
            for k in range(gradients.modulator.shape[3]):
                gradients.modulator[m, t, rows[b], k] = d_e[(t - first) * len(rows) + b, k]


@inlined
def _infer_back(i, d_e, e, one, m, t, rows, o, gradients):
    """d_e gets its part through the synapses and becomes the gradient before the tanh; S and k get theirs."""
    for b in range(len(rows)):
        row = rows[b]
        for j in range(e.shape[1]):
            for k in range(o.strength_modulation.shape[2]):
                d_strength = gradients.strength[m, t, row, k]
                d_e[b, j] += d_strength * o.strength_modulation[m, j, k]
                gradients.strength_modulation[i, j, k] += d_strength * e[b, j]
            if o.scale_modulation.size:
                d_scale = gradients.scale[m, t, row, 0]
                d_e[b, j] += d_scale * o.scale_modulation[m, j, 0]
                gradients.scale_modulation[i, j, 0] += d_scale * e[b, j]
            d_e[b, j] *= one - e[b, j] * e[b, j]
            gradients.modulator[m, t, row, j] = d_e[b, j]


@inlined
def _input_back(m, t, rows, n_before, dx, gradients):
    """Gradients of the inputs, whose columns come last."""
    for b in range(len(rows)):
        row = rows[b]
        for j in range(gradients.inputs.shape[3]):
            gradients.inputs[m, t, row, j] = dx[b, n_before + j]


@inlined
def _strength_back(place, m, t, rows, n_units, n_components, dx, d_component, o, kept, gradients):
    """Gradients of the strengths and of the components."""
    strength, d_strength = o.strength[m, at(t, o.strength)], gradients.strength[m, at(t, gradients.strength)]
    component = kept.components[place, t]
    for b in range(len(rows)):
        row = rows[b]
        for k in range(n_components):
            d_weighted = dx[b, n_units + k]
            d_strength[row, k] += d_weighted * component[b, k]
            d_component[b, k] = d_weighted * strength[row, k]


@inlined
def _scale_back(carry, dx, h, n_units, one, m, t, rows, o, gradients):
    """Gradient of the scale; carry gets its part through the product."""
    for b in range(len(rows)):
        row = rows[b]
        total = one - one
        for j in range(n_units):
            total += dx[b, j] * h[b, j]
        gradients.scale[m, at(t, gradients.scale), row, 0] += total
        factor = o.scale[m, at(t, o.scale), row, 0]
        for j in range(n_units):
            carry[b, j] += factor * dx[b, j]


@inlined
def _sum_over_chunk(i, x, das, d_components, first, last, n_steps, n_units, n_components, n_stacked, gradients):
    """Adds the chunk's part to the gradients of the weights, which the last chunk of the trial starts."""
    da, add = flatten(das, 0, last - first), last < n_steps
    multiply(x[:, :n_stacked].T[:, :], da[:, :], gradients.stacked[i][:, :], add)
    if n_components:
        d_component = flatten(d_components, 0, last - first)
        total = gradients.synaptic_in[i]
        multiply(d_component[:, :n_components].T[:, :], x[:, : total.shape[1]], total[:, :], add)


run_backward = _compile(sources_digest())
