"""Back end for any device: one batched matrix product per step over the ensemble."""

from __future__ import annotations

import torch
from torch import Tensor

from cemrnn.activation import ACTIVATIONS


def forward(settings, t, keep: bool):
    """Outputs (M, T, B, O), rates (M, T, B, N) and, with keep, the values that backward needs."""
    value = ACTIVATIONS[settings.activation].value
    n_steps, drive = t.inputs.shape[1], _project(t.inputs, t.input)  # (M, T, B, N)
    rates = torch.empty_like(drive)
    values, products, components = [], [], []
    state = torch.zeros_like(drive[:, 0]) if t.initial is None else t.initial
    for step in range(n_steps):
        h = state if t.scale is None else state * _at(t.scale, step)
        product = torch.baddbmm(drive[:, step], h, t.recurrent)  # (M, B, N)
        if t.strength is not None:
            component = torch.bmm(h, t.synaptic_in)  # (M, B, R)
            product += torch.bmm(component * _at(t.strength, step), t.synaptic_out.mT)
            components.append(component)
        p = product * _at(t.gain, step) if t.gain is not None else product
        p = p + _at(t.bias, step)
        f = value(p if t.noise is None else p + t.noise[:, step])
        state = torch.lerp(state, f, settings.alpha)
        rates[:, step] = state
        if keep:
            values.append(f)
            products.append(product)
    outputs = _project(rates, t.readout) + t.readout_bias[:, None, None]
    kept = (rates, *values, *products, *components) if keep else ()
    return *(_stop_at_ends(x, t.lengths) for x in (outputs, rates)), kept


def backward(settings, t, kept, outputs_grad, rates_grad, needed):
    """Gradients of every tensor of the call, in its order; see `cemrnn.recurrence.Tensors`."""
    rates, n_steps = kept[0], t.inputs.shape[1]
    outputs_grad, rates_grad = (_stop_at_ends(x, t.lengths) for x in (outputs_grad, rates_grad))
    values, products, components = (kept[1 + i * n_steps : 1 + (i + 1) * n_steps] for i in range(3))
    slope, alpha = ACTIVATIONS[settings.activation].slope, settings.alpha
    g = {name: torch.zeros_like(x) if x is not None else None for name, x in t._asdict().items()}
    local = torch.zeros_like(rates) if rates_grad is None else rates_grad.clone()
    if outputs_grad is not None:
        local += _project(outputs_grad, t.readout.mT)
        g["readout"] = _outer(rates, outputs_grad)
        g["readout_bias"] = outputs_grad.sum((1, 2))
    start = torch.zeros_like(rates[:, 0]) if t.initial is None else t.initial
    carry = torch.zeros_like(start)
    for step in reversed(range(n_steps)):
        previous = rates[:, step - 1] if step else start
        h = previous if t.scale is None else previous * _at(t.scale, step)
        delta = local[:, step] + carry
        dp = alpha * delta * slope(values[step])
        _add(g["bias"], step, dp)
        da = dp
        if t.gain is not None:
            _add(g["gain"], step, dp * products[step])
            da = dp * _at(t.gain, step)
        dh = torch.bmm(da, t.recurrent.mT)
        if t.strength is not None:
            component = components[step]
            d_weighted = torch.bmm(da, t.synaptic_out)  # (M, B, R)
            d_component = d_weighted * _at(t.strength, step)
            _add(g["strength"], step, d_weighted * component)
            g["synaptic_out"].baddbmm_(da.mT, component * _at(t.strength, step))
            g["synaptic_in"].baddbmm_(h.mT, d_component)
            dh += torch.bmm(d_component, t.synaptic_in.mT)
        g["recurrent"].baddbmm_(h.mT, da)
        g["input"].baddbmm_(t.inputs[:, step].mT, da)
        if needed.inputs:
            g["inputs"][:, step] = torch.bmm(da, t.input.mT)
        carry = (1 - alpha) * delta
        if t.scale is not None:
            _add(g["scale"], step, (dh * previous).sum(-1, keepdim=True))
            dh = dh * _at(t.scale, step)
        carry = carry + dh
    g["initial"] = carry
    return tuple(g.values())


def _at(tensor: Tensor, step: int) -> Tensor:
    return tensor[:, step if tensor.shape[1] > 1 else 0]


def _add(gradient: Tensor, step: int, value: Tensor) -> None:
    gradient[:, step if gradient.shape[1] > 1 else 0] += value


def _project(x: Tensor, weight: Tensor) -> Tensor:
    return torch.bmm(x.flatten(1, 2), weight).unflatten(1, x.shape[1:3])  # one product over time and trials


def _outer(x: Tensor, y: Tensor) -> Tensor:
    return torch.bmm(x.flatten(1, 2).mT, y.flatten(1, 2))


def _stop_at_ends(values: Tensor | None, lengths: Tensor | None) -> Tensor | None:
    """The values (M, T, B, F) with 0 after the end of each trial."""
    if values is None or lengths is None:
        return values
    ended = torch.arange(values.shape[1], device=values.device)[:, None] >= lengths[:, None]  # (M, T, B)
    return values.masked_fill(ended[..., None], 0)
