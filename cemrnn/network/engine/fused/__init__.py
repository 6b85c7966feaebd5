"""Back end for a CUDA card: all steps of a block of trials in one Triton kernel.

It takes single precision and every pathway, but for a context that the state has a say in. Where it cannot be had,
`batched` computes the same: whoever calls asks `accepts` first, which tries the kernels once per kind of call. Nothing
here imports Triton before that.
"""

from __future__ import annotations

import logging

import torch

log = logging.getLogger(__name__)
_plans: dict = {}  # kind of call -> its plan, or None; a machine's cards give the same answer again


def accepts(settings, t) -> bool:
    """Whether the kernels take this call; the first refusal of each kind of call is logged."""
    if t.inputs.dtype != torch.float32 or t.encoder_state is not None or min(t.inputs.shape) == 0:
        return False
    return _plan(settings, t) is not None


def forward(settings, t, keep: bool):
    """Outputs (M, T, B, O), rates (M, T, B, N) and, with keep, the values that backward needs."""
    from cemrnn.network.engine.fused import launch

    outputs, rates, kept = launch.forward(settings, t, _plan(settings, t))
    return outputs, rates, kept if keep else ()


def backward(settings, t, kept, outputs_grad, rates_grad, needed):
    """Gradients of every tensor of the call, in its order; see `cemrnn.network.engine.recurrence.Tensors`."""
    from cemrnn.network.engine.fused import launch

    return launch.backward(settings, t, kept, outputs_grad, rates_grad, needed, _plan(settings, t))


def _plan(settings, t):
    """How this kind of call is laid out on the card, or None where it cannot be."""
    shapes = tuple(None if x is None else (x.shape[-1], x.ndim > 3 and x.shape[1] > 1) for x in t)
    kind = (settings.activation, t.inputs.device, torch.get_float32_matmul_precision(), shapes)
    if kind not in _plans:
        try:
            from cemrnn.network.engine.fused.plans import find_plan

            _plans[kind] = find_plan(settings, t)
        except torch.OutOfMemoryError:
            raise
        except Exception as problem:  # whatever Triton, its compiler or the driver have against it
            _plans[kind] = None
            reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
            log.warning("no fused kernels on %s, so the batched back end is used (%s)", t.inputs.device, reason)
    return _plans[kind]
