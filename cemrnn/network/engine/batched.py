"""Back end for any device: one batched matrix product per step over the ensemble."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.engine.products import outer, project, stop_at_ends


def forward(settings, t, keep: bool):
    """Outputs (M, T, B, O), rates (M, T, B, N) and, with keep, the values that backward needs."""
    value = ACTIVATIONS[settings.activation].value
    n_steps, drive = t.inputs.shape[1], project(t.inputs, t.input)  # (M, T, B, N)
    rates = torch.empty_like(drive)
    values, products, components, modulators = [], [], [], []
    state = torch.zeros_like(drive[:, 0]) if t.initial is None else t.initial
    for step in range(n_steps):
        modulator = _infer(t, step, state)
        now = _modulate(t, step, modulator)
        h = state if now.scale is None else state * now.scale
        product = torch.baddbmm(drive[:, step], h, t.recurrent)  # (M, B, N)
        if now.strength is not None:
            component = torch.bmm(h, t.synaptic_in)  # (M, B, R)
            product += torch.bmm(component * now.strength, t.synaptic_out.mT)
            components.append(component)
        p = product * now.gain if now.gain is not None else product
        p = p + now.bias
        f = value(p if t.noise is None else p + t.noise[:, step])
        state = torch.lerp(state, f, settings.alpha)
        rates[:, step] = state
        if keep:
            values.append(f)
            products.append(product)
            modulators.append(modulator)
    outputs = project(rates, t.readout) + t.readout_bias[:, None, None]
    kept = (rates, *values, *products, *modulators, *components) if keep else ()
    return *(stop_at_ends(x, t.lengths) for x in (outputs, rates)), kept


def backward(settings, t, kept, outputs_grad, rates_grad, needed):
    """Gradients of every tensor of the call, in its order; see `cemrnn.network.engine.recurrence.Tensors`."""
    rates, n_steps = kept[0], t.inputs.shape[1]
    outputs_grad, rates_grad = (stop_at_ends(x, t.lengths) for x in (outputs_grad, rates_grad))
    values, products, modulators, components = (kept[1 + i * n_steps : 1 + (i + 1) * n_steps] for i in range(4))
    slope, alpha = ACTIVATIONS[settings.activation].slope, settings.alpha
    g = {name: torch.zeros_like(x) if x is not None else None for name, x in t._asdict().items()}
    local = torch.zeros_like(rates) if rates_grad is None else rates_grad.clone()
    if outputs_grad is not None:
        local += project(outputs_grad, t.readout.mT)
        g["readout"] = outer(rates, outputs_grad)
        g["readout_bias"] = outputs_grad.sum((1, 2))
    start = torch.zeros_like(rates[:, 0]) if t.initial is None else t.initial
    carry = torch.zeros_like(start)
    for step in reversed(range(n_steps)):
        previous, now = rates[:, step - 1] if step else start, _modulate(t, step, modulators[step])
        h = previous if now.scale is None else previous * now.scale
        delta = local[:, step] + carry
        dp = alpha * delta * slope(values[step])
        d = _Modulation(bias=dp, gain=None, strength=None, scale=None)
        da = dp
        if now.gain is not None:
            d = d._replace(gain=dp * products[step])
            da = dp * now.gain
        dh = torch.bmm(da, t.recurrent.mT)
        if now.strength is not None:
            component = components[step]
            d_weighted = torch.bmm(da, t.synaptic_out)  # (M, B, R)
            d_component = d_weighted * now.strength
            d = d._replace(strength=d_weighted * component)
            g["synaptic_out"].baddbmm_(da.mT, component * now.strength)
            g["synaptic_in"].baddbmm_(h.mT, d_component)
            dh += torch.bmm(d_component, t.synaptic_in.mT)
        g["recurrent"].baddbmm_(h.mT, da)
        g["input"].baddbmm_(t.inputs[:, step].mT, da)
        if needed.inputs:
            g["inputs"][:, step] = torch.bmm(da, t.input.mT)
        carry = (1 - alpha) * delta
        if now.scale is not None:
            d = d._replace(scale=(dh * previous).sum(-1, keepdim=True))
            dh = dh * now.scale
        for name, value in d._asdict().items():
            if g[name] is not None:
                _add(g[name], step, value)
        carry = carry + dh
        if t.encoder_state is not None:
            carry = carry + _infer_back(g, t, step, modulators[step], d, previous)
    g["initial"] = carry
    return tuple(g.values())


class _Modulation(NamedTuple):
    """What holds at one step: bias, gain (M, B, N), strength (M, B, R) and scale (M, B, 1), or None."""

    bias: Tensor
    gain: Tensor | None
    strength: Tensor | None
    scale: Tensor | None


def _infer(t, step: int, state: Tensor) -> Tensor:
    """The modulator (M, B, K) that the state has a say in; empty where there is none."""
    if t.encoder_state is None:
        return state.new_empty(0)
    return torch.tanh(torch.baddbmm(t.modulator[:, step], state, t.encoder_state))


def _modulate(t, step: int, modulator: Tensor) -> _Modulation:
    bias, gain, strength, scale = (None if x is None else _at(x, step) for x in (t.bias, t.gain, t.strength, t.scale))
    if t.encoder_state is not None:
        if t.bias_modulation is not None:
            bias = bias + modulator @ t.bias_modulation
        if t.gain_modulation is not None:
            gain = 1 + modulator @ t.gain_modulation
        if t.strength_modulation is not None:
            strength = modulator @ t.strength_modulation
        if t.scale_modulation is not None:
            scale = 1 + modulator @ t.scale_modulation
    return _Modulation(bias, gain, strength, scale)


def _infer_back(g, t, step: int, modulator: Tensor, d: _Modulation, state: Tensor) -> Tensor:
    """Part of the state's gradient (M, B, N) that comes through the modulator, whose weights get theirs."""
    d_modulator = torch.zeros_like(modulator)
    for name, value in d._asdict().items():
        weight = getattr(t, f"{name}_modulation")
        if weight is not None:
            d_modulator += value @ weight.mT
            g[f"{name}_modulation"].baddbmm_(modulator.mT, value)
    d_encoding = d_modulator * (1 - modulator**2)
    g["modulator"][:, step] = d_encoding
    g["encoder_state"].baddbmm_(state.mT, d_encoding)
    return d_encoding @ t.encoder_state.mT


def _at(tensor: Tensor, step: int) -> Tensor:
    return tensor[:, step if tensor.shape[1] > 1 else 0]


def _add(gradient: Tensor, step: int, value: Tensor) -> None:
    gradient[:, step if gradient.shape[1] > 1 else 0] += value
