"""Back end for a CUDA card: all steps of a block of trials in one Triton kernel.

It takes single precision and every pathway, but for a context that the state has a say in. Where it cannot be had,
`batched` computes the same: whoever calls asks `accepts` first, which tries the kernels once per kind of call. Nothing
here imports Triton before that.
"""

from __future__ import annotations

import functools
import importlib
import logging

import torch
from torch import Tensor

from cemrnn.network.noise import CountedNoise

log = logging.getLogger(__name__)
_plans: dict = {}  # kind of call -> its plan, or None; it depends on the machine alone


def accepts(settings, t) -> bool:
    """Whether the kernels take this call; the first refusal of a device is logged."""
    if t.inputs.dtype != torch.float32 or t.encoder_state is not None or min(t.inputs.shape) == 0:
        return False
    return _plan(settings, t) is not None


def forward(settings, t, keep: bool):
    """Outputs (M, T, B, O), rates (M, T, B, N) and, with keep, the values that backward needs."""
    with torch.cuda.device_of(t.inputs):
        outputs, rates, kept = _part("launch").forward(settings, t, _plan(settings, t))
    return outputs, rates, kept if keep else ()


def backward(settings, t, kept, outputs_grad, rates_grad, needed):
    """Gradients of every tensor of the call, in its order; see `cemrnn.network.engine.recurrence.Tensors`."""
    with torch.cuda.device_of(t.inputs):
        return _part("launch").backward(settings, t, kept, outputs_grad, rates_grad, needed, _plan(settings, t))


def fill(noise: CountedNoise, n_trials: int, n_steps: int, n_units: int) -> Tensor | None:
    """The noise (M, B, T, N), drawn on its own device; None where that is refused."""
    device = noise.keys.device
    if _plans.get(("noise", device), True) is None:
        return None
    with torch.cuda.device_of(noise.keys):
        filled = _unless_refused(device, lambda: _part("launch").fill(noise, n_trials, n_steps, n_units))
    _plans["noise", device] = None if filled is None else True
    return filled


def can_fill(device: torch.device) -> bool:
    """Whether `fill` draws noise on the device; tried once."""
    if ("noise", device) not in _plans:
        fill(CountedNoise(torch.zeros(1, dtype=torch.int64, device=device), 1.0), 1, 1, 1)
    return _plans["noise", device] is not None


def _plan(settings, t):
    """How this kind of call is laid out on the card, or None where it cannot be."""
    widths = tuple(None if x is None or x.ndim < 3 else (x.shape[-1], x.ndim > 3 and x.shape[1] > 1) for x in t)
    others = (t.lengths is None, None if t.noise is None else t.noise.ndim)
    kind = (settings.activation, t.inputs.device, torch.get_float32_matmul_precision(), widths, others)
    if kind not in _plans:
        with torch.cuda.device_of(t.inputs):  # Triton asks for the current one
            _plans[kind] = _unless_refused(t.inputs.device, lambda: _part("plans").find_plan(settings, t))
    return _plans[kind]


def _part(name: str):
    return importlib.import_module(f"{__name__}.{name}")


def _unless_refused(device: torch.device, attempt):
    """What the attempt returns; None, and a line in the log, where Triton, its compiler or the driver refuses."""
    try:
        return attempt()
    except torch.OutOfMemoryError:
        raise
    except Exception as problem:
        _warn_once(device, " ".join(f"{type(problem).__name__}: {problem}".split())[:200])
        return None


@functools.cache
def _warn_once(device: torch.device, reason: str) -> None:
    log.warning("no fused kernels on %s, so the batched back end is used (%s)", device, reason)
