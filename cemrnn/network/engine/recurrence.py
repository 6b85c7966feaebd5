"""The engine: the leaky modulated recurrence of a whole ensemble, forward and analytic backward.

One call advances M networks of one shape over B trials and T steps and reads them out::

    a_t = kappa_t r_{t-1} W + ((kappa_t r_{t-1} V) * s_t) U^T + u_t B_in
    p_t = (g_t + e_t G) * a_t + b_t + e_t E + noise_t
    f_t = phi(p_t)
    r_t = (1 - alpha) r_{t-1} + alpha f_t
    y_t = r_t C + d

Where the state has a say in the modulator, tanh(e_t + r_{t-1} C_r) takes the place of e_t, and s_t = e_t S and
kappa_t = 1 + e_t k are made from it, too. `Drive` holds what varies over trials (inputs, modulation, noise), `Weights`
what is trained. Three back ends compute the same function: `compiled` (CPU, one fused kernel per block of trials) and
`batched` (any device, one batched product per step), and on a card `fused` (Triton, all steps in one kernel). None
builds a per-step autograd graph.

Source: rate equation of Yang et al. 2019 (Nat Neurosci 22, 297), noise inside phi; the modulation is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cemrnn.network.engine import batched, compiled, fused
from cemrnn.network.engine.arguments import Drive, Objective, Weights, check_arguments, check_goal
from cemrnn.network.noise import CountedNoise


def integrate(
    weights: Weights,
    drive: Drive,
    *,
    alpha: float,
    activation: str,
    backend: str = "auto",
    keep_rates: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Outputs and rates of every network at every step.

    Args:
        weights: parameters, see `Weights`.
        drive: inputs, modulation and noise, see `Drive`.
        alpha: dt / tau, in (0, 1].
        activation: one of `ACTIVATIONS`.
        backend: "compiled" (CPU), "batched" (any device), "fused" (CUDA, and batched where that cannot be) or "auto"
            (compiled on the CPU, fused on CUDA, batched elsewhere).
        keep_rates: whether rates are returned; without them memory is spent on outputs alone.

    Returns:
        outputs (M, B, T, O), and rates (M, B, T, N) or None; both are 0 from the end of a trial on.

    Raises:
        ValueError: a shape, dtype, alpha, activation or backend does not fit.
    """
    check_arguments(weights, drive, alpha, activation)
    backend = _choose(backend, drive.inputs.device)
    if backend != "compiled":
        weights, drive = _spread_modulation(weights, drive)
    settings = Settings(alpha, activation, _BACKENDS[backend], keep_rates, getattr(drive.noise, "sigma", 0.0))
    if backend == "fused":
        tensors = Tensors(*_tensors(weights, drive))
        if fused.accepts(settings, tensors):
            return _apply(settings, tensors)
        settings = settings._replace(backend=batched)
    return _apply(settings, _tensors(weights, _fill_noise(weights, drive)))


def _choose(backend: str, device: torch.device) -> str:
    """The name of the back end that is meant."""
    if backend not in ("auto", *_BACKENDS):
        raise ValueError(f"backend: expected auto, {', '.join(_BACKENDS)}, got {backend!r}")
    return {"cpu": "compiled", "cuda": "fused"}.get(device.type, "batched") if backend == "auto" else backend


def _apply(settings: Settings, tensors: Sequence[Tensor | None]) -> tuple[Tensor, Tensor | None]:
    outputs, rates = _Recurrence.apply(settings, *tensors)
    return outputs.transpose(1, 2), rates.transpose(1, 2) if settings.keep_rates else None


def measure_error(
    weights: Weights, drive: Drive, goal: Objective, *, alpha: float, activation: str, backend: str = "auto"
) -> Tensor:
    """Squared error of every network (M,), averaged with the goal's weights: sum w v (y - y*)^2 / sum w v.

    The same as that of `integrate`'s outputs; the compiled back end takes a block of trials forward and back at
    once, so that no state reaches the memory.

    Args:
        weights, drive, alpha, activation, backend: see `integrate`.
        goal: targets y*, weights w of the steps and v of the outputs, see `Objective`.

    Raises:
        ValueError: a shape, dtype, alpha, activation or backend does not fit.
    """
    check_arguments(weights, drive, alpha, activation)
    check_goal(goal, weights, drive)
    if _choose(backend, drive.inputs.device) != "compiled":
        outputs, _ = integrate(weights, drive, alpha=alpha, activation=activation, backend=backend, keep_rates=False)
        shares = goal.weights.unsqueeze(-1) * goal.output_weights  # (M, B, T, O)
        return (shares * (outputs - goal.targets) ** 2).sum((1, 2, 3)) / shares.sum((1, 2, 3))
    settings = Settings(alpha=alpha, activation=activation, backend=compiled, keep_rates=False)
    drive = _fill_noise(weights, drive)
    time_major = (goal.targets.transpose(1, 2).contiguous(), goal.weights.transpose(1, 2).contiguous())
    return _Fitting.apply(settings, *time_major, goal.output_weights, *_tensors(weights, drive))


class Settings(NamedTuple):
    """What a back end needs to know besides tensors."""

    alpha: float
    activation: str
    backend: Any
    keep_rates: bool
    sigma: float = 0.0  # standard deviation of counted noise


class Tensors(NamedTuple):
    """All tensors of one call in the engine's layout: (network, time, trial, feature), from the inputs on contiguous.

    Weights lie as they were given; those of an ensemble are parts of rows that hold all parameters of a network.
    """

    recurrent: Tensor
    input: Tensor
    readout: Tensor
    readout_bias: Tensor
    synaptic_in: Tensor | None
    synaptic_out: Tensor | None
    bias_modulation: Tensor | None
    gain_modulation: Tensor | None
    strength_modulation: Tensor | None
    scale_modulation: Tensor | None
    encoder_state: Tensor | None
    inputs: Tensor  # (M, T, B, I)
    bias: Tensor  # (M, T | 1, B, N)
    gain: Tensor | None  # (M, T | 1, B, N)
    strength: Tensor | None  # (M, T | 1, B, R)
    scale: Tensor | None  # (M, T | 1, B, 1)
    modulator: Tensor | None  # (M, T, B, K)
    noise: Tensor | None  # (M, T, B, N), or the keys (M,) of counted noise
    initial: Tensor | None  # (M, B, N)
    lengths: Tensor | None  # (M, B)


class _Recurrence(torch.autograd.Function):
    """Hands forward and backward to a back end; the graph sees one node for the whole trial."""

    @staticmethod
    def forward(ctx, settings: Settings, *tensors):
        arguments = Tensors(*tensors)
        outputs, rates, saved = settings.backend.forward(settings, arguments, keep=any(ctx.needs_input_grad))
        ctx.settings = settings
        ctx.save_for_backward(*tensors, *saved)
        ctx.set_materialize_grads(False)
        return outputs, rates if settings.keep_rates else None

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, outputs_grad, rates_grad):
        n_arguments = len(Tensors._fields)
        arguments, saved = Tensors(*ctx.saved_tensors[:n_arguments]), ctx.saved_tensors[n_arguments:]
        needed = Tensors(*ctx.needs_input_grad[1:])
        gradients = ctx.settings.backend.backward(ctx.settings, arguments, saved, outputs_grad, rates_grad, needed)
        return None, *(g if n else None for g, n in zip(gradients, needed, strict=True))


class _Fitting(torch.autograd.Function):
    """The loss, whose gradients are found on the way: blocks of trials go forward and back while they are in cache."""

    @staticmethod
    def forward(ctx, settings: Settings, targets, weights, output_weights, *tensors):
        needed = Tensors(*ctx.needs_input_grad[4:])
        loss, gradients = settings.backend.fit(settings, Tensors(*tensors), targets, weights, output_weights, needed)
        ctx.save_for_backward(*(g if n else None for g, n in zip(gradients, needed, strict=True)))
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, loss_grad):
        def scale(gradient):
            if gradient is None or (loss_grad == 1).all():
                return gradient
            return gradient * loss_grad.view(-1, *[1] * (gradient.ndim - 1))

        return None, None, None, None, *map(scale, ctx.saved_tensors)


def _spread_modulation(weights: Weights, drive: Drive) -> tuple[Weights, Drive]:
    """The same without a modulator that is given: what it sets at each step becomes part of bias and gain."""
    if drive.modulator is None or weights.encoder_state is not None:
        return weights, drive
    bias, gain = drive.bias, drive.gain
    if weights.bias_modulation is not None:
        bias = bias + drive.modulator @ weights.bias_modulation[:, None]  # (M, B, T, N)
    if weights.gain_modulation is not None:
        gain = 1 + drive.modulator @ weights.gain_modulation[:, None]
    weights = weights._replace(bias_modulation=None, gain_modulation=None)
    return weights, replace(drive, bias=bias, gain=gain, modulator=None)


def _fill_noise(weights: Weights, drive: Drive) -> Drive:
    """The same with noise in an array, for a back end that does not draw it."""
    if not isinstance(drive.noise, CountedNoise):
        return drive
    sizes = (*drive.inputs.shape[1:3], weights.recurrent.shape[-1])
    noise = fused.fill(drive.noise, *sizes) if drive.noise.keys.is_cuda else None
    return replace(drive, noise=drive.noise.fill(*sizes) if noise is None else noise)


def _tensors(weights: Weights, drive: Drive) -> list[Tensor | None]:
    """What a back end takes, in the order of `Tensors`."""
    n_trials = drive.inputs.shape[1]
    return [*weights, *(_time_major(f.name, getattr(drive, f.name), n_trials) for f in fields(drive))]


def _time_major(name: str, tensor: Tensor | CountedNoise | None, n_trials: int) -> Tensor | None:
    if tensor is None:
        return None
    if isinstance(tensor, CountedNoise):
        return tensor.keys
    if name in ("initial", "lengths"):
        return tensor.contiguous()
    return tensor.expand(-1, n_trials, -1, -1).transpose(1, 2).contiguous()  # (M, T | 1, B, F)


_BACKENDS = {"compiled": compiled, "batched": batched, "fused": fused}
