"""Calls of the kernels: what they read and write, and the products over all of time around them."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.engine.fused import normal, steps
from cemrnn.network.engine.fused.plans import STAGES, Plan
from cemrnn.network.engine.products import outer, project, stop_at_ends
from cemrnn.network.noise import CountedNoise


def forward(settings, t, plan: Plan):
    """Outputs (M, T, B, O), rates (M, T, B, N) and the values that backward needs."""
    n_networks, n_steps, n_trials, _ = t.inputs.shape
    a = project(t.inputs, t.input)  # (M, T, B, N)
    empty = torch.empty if t.lengths is None else torch.zeros  # nothing is written beyond the end of a trial
    path = empty((n_networks, n_steps + 1, n_trials, a.shape[-1]), dtype=a.dtype, device=a.device)
    path[:, 0] = 0 if t.initial is None else t.initial
    component = _components(t)
    steps.forward[_grid(t, plan)](
        *_shared(t), a, path, component, *_numbers(settings, t), **_options(settings, t, plan)
    )
    rates = path[:, 1:]
    outputs = project(rates, t.readout) + t.readout_bias[:, None, None]
    return stop_at_ends(outputs, t.lengths), rates, (path, a, *([] if component is None else [component]))


def backward(settings, t, kept, outputs_grad, rates_grad, needed, plan: Plan):
    """Gradients of every tensor of the call, in its order; see `cemrnn.network.engine.recurrence.Tensors`."""
    path, a, *component = kept
    outputs_grad, rates_grad = (stop_at_ends(x, t.lengths) for x in (outputs_grad, rates_grad))
    da = torch.zeros_like(a) if rates_grad is None else rates_grad.clone(memory_format=torch.contiguous_format)
    if outputs_grad is not None:
        da += project(outputs_grad, t.readout.mT)
    varied = {name: torch.zeros_like(getattr(t, name)) for name in MODULATION if getattr(t, name) is not None}
    initial, d_component = torch.empty_like(a[:, 0]), _components(t)
    steps.backward[_grid(t, plan)](
        *_shared(t), a, path, *(component or [None]), da, d_component, *(varied.get(name) for name in MODULATION),
        initial, *_numbers(settings, t), **_options(settings, t, plan),
    )  # fmt: skip
    g = dict.fromkeys(t._fields) | varied | {"initial": initial}
    before = path[:, :-1] if t.scale is None else path[:, :-1] * t.scale
    g |= {"recurrent": outer(before, da), "input": outer(t.inputs, da)}
    g["inputs"] = project(da, t.input.mT) if needed.inputs else None
    if d_component is not None:
        g["synaptic_in"] = outer(before, d_component)
        g["synaptic_out"] = outer(da, component[0] * t.strength)
    if outputs_grad is None:
        g |= {name: torch.zeros_like(getattr(t, name)) for name in ("readout", "readout_bias")}
    else:
        g |= {"readout": outer(path[:, 1:], outputs_grad), "readout_bias": outputs_grad.sum((1, 2))}
    return tuple(g.values())


MODULATION = ("bias", "gain", "strength", "scale")


def _components(t) -> Tensor | None:
    """Room for r V (M, T, B, R) of every step, or None."""
    if t.synaptic_in is None:
        return None
    shape = (*t.inputs.shape[:3], t.synaptic_in.shape[-1])
    return (torch.empty if t.lengths is None else torch.zeros)(shape, dtype=t.inputs.dtype, device=t.inputs.device)


def _grid(t, plan: Plan) -> tuple[int, int]:
    return t.inputs.shape[0], triton.cdiv(t.inputs.shape[2], plan.block)


def _shared(t) -> tuple:
    """What both kernels read, in their order and as they index it; noise is an array, or keys to draw it from."""
    noise, keys = (None, t.noise) if t.noise is not None and t.noise.ndim == 1 else (t.noise, None)
    modulation = (getattr(t, name) for name in MODULATION)
    read = t.recurrent, t.synaptic_in, t.synaptic_out, *modulation, noise, keys, t.lengths
    return tuple(None if x is None else x.contiguous() for x in read)  # an ensemble's weights lie P numbers apart


def _numbers(settings, t) -> tuple:
    return t.inputs.shape[1], t.inputs.shape[2], settings.alpha, settings.sigma


def _options(settings, t, plan: Plan) -> dict:
    """The kernels' constants, and the warps of a program."""
    n_units, n_components = t.recurrent.shape[-1], 1 if t.synaptic_in is None else t.synaptic_in.shape[-1]
    moves = {f"{name.upper()}_MOVES": moves_in_trial(getattr(t, name)) for name in MODULATION}
    return moves | dict(
        N=n_units,
        R=n_components,
        WIDTH=pad(n_units),
        RANK=pad(n_components),
        BLOCK=plan.block,
        TILE=plan.tile,
        PHI=ACTIVATIONS[settings.activation].code,
        PRECISION=precision(),
        num_warps=plan.warps,
        num_stages=STAGES,
    )


def moves_in_trial(tensor: Tensor | None) -> bool:
    """Whether the tensor (M, T | 1, B, F) has a value per step."""
    return tensor is not None and tensor.shape[1] > 1


def pad(size: int) -> int:
    """The size that a product on the card takes: a power of two, and 16 at least."""
    return max(16, triton.next_power_of_2(size))


def precision() -> str:
    """How the card multiplies: as exact as single precision, unless torch was told that less is enough."""
    return "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32"


def fill(noise: CountedNoise, n_trials: int, n_steps: int, n_units: int) -> Tensor:
    """The noise (M, B, T, N), drawn where its keys are."""
    out = torch.empty(len(noise.keys), n_steps, n_trials, n_units, device=noise.keys.device)
    n_positions, block = n_trials * n_units, 1024
    grid = (len(noise.keys), n_steps, triton.cdiv(n_positions, block))
    normal.fill[grid](noise.keys, out, n_steps, n_positions, noise.sigma, block)
    return out.transpose(1, 2)
