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
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cemrnn.network.engine import batched, compiled, fused
from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.noise import CountedNoise


class Weights(NamedTuple):
    """Trained tensors of an ensemble; every one has the network axis first."""

    recurrent: Tensor  # (M, N, N), row = presynaptic unit
    input: Tensor  # (M, I, N)
    readout: Tensor  # (M, N, O)
    readout_bias: Tensor  # (M, O)
    synaptic_in: Tensor | None = None  # (M, N, R), V
    synaptic_out: Tensor | None = None  # (M, N, R), U
    bias_modulation: Tensor | None = None  # (M, K, N), E; needs a modulator, as the next
    gain_modulation: Tensor | None = None  # (M, K, N), G; in place of a gain in the drive
    strength_modulation: Tensor | None = None  # (M, K, R), S; needs a state encoder, as the next
    scale_modulation: Tensor | None = None  # (M, K, 1), k; in place of a scale in the drive
    encoder_state: Tensor | None = None  # (M, N, K), C_r; the state's say in the modulator


@dataclass(frozen=True, kw_only=True)
class Drive:
    """What reaches the recurrence from outside; a time axis of length 1 means constant within the trial.

    A trial axis of length 1 means the same in every trial.
    """

    inputs: Tensor  # (M, B, T, I)
    bias: Tensor  # (M, B | 1, T | 1, N), b + beta
    gain: Tensor | None = None  # (M, B | 1, T | 1, N), g; None means 1
    strength: Tensor | None = None  # (M, B | 1, T | 1, R), s; needed with synaptic_in and synaptic_out
    scale: Tensor | None = None  # (M, B | 1, T | 1, 1), kappa on all recurrent weights; None means 1
    modulator: Tensor | None = None  # (M, B, T, K), e, or what is added to r C_r before the tanh
    noise: Tensor | CountedNoise | None = None  # (M, B, T, N), already scaled; never differentiated
    initial: Tensor | None = None  # (M, B, N), r_0; None means 0
    lengths: Tensor | None = None  # (M, B) int64, steps of each trial; None means T. Never differentiated


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
            (compiled on the CPU, fused elsewhere).
        keep_rates: whether rates are returned; without them memory is spent on outputs alone.

    Returns:
        outputs (M, B, T, O), and rates (M, B, T, N) or None; both are 0 from the end of a trial on.

    Raises:
        ValueError: a shape, dtype, alpha, activation or backend does not fit.
    """
    check_arguments(weights, drive, alpha, activation, backend)
    if backend == "auto":
        backend = "compiled" if drive.inputs.device.type == "cpu" else "fused"
    if backend != "compiled":
        weights, drive = _spread_modulation(weights, drive)
    settings = Settings(alpha, activation, _BACKENDS[backend], keep_rates, getattr(drive.noise, "sigma", 0.0))
    if backend == "fused":
        tensors = Tensors(*_tensors(weights, drive))
        if fused.accepts(settings, tensors):
            return _apply(settings, tensors)
        settings = settings._replace(backend=batched)
    return _apply(settings, _tensors(weights, _fill_noise(weights, drive)))


def _apply(settings: Settings, tensors: Sequence[Tensor | None]) -> tuple[Tensor, Tensor | None]:
    outputs, rates = _Recurrence.apply(settings, *tensors)
    return outputs.transpose(1, 2), rates.transpose(1, 2) if settings.keep_rates else None


class Objective(NamedTuple):
    """What the outputs should be, with weights of steps and of outputs."""

    targets: Tensor  # (M, B, T, O)
    weights: Tensor  # (M, B, T)
    output_weights: Tensor  # (O,)


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
    check_arguments(weights, drive, alpha, activation, backend)
    n_networks, n_trials, n_steps, _ = drive.inputs.shape
    sizes = dict(M=n_networks, B=n_trials, T=n_steps, O=weights.readout.shape[-1])
    for name, axes in (("targets", "MBTO"), ("weights", "MBT"), ("output_weights", "O")):
        _check_tensor(name, getattr(goal, name), axes, sizes, drive.inputs)
    if backend in ("batched", "fused") or drive.inputs.device.type != "cpu":
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
    """All tensors of one call in the engine's layout: (network, time, trial, feature), memory contiguous."""

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


def check_arguments(weights: Weights, drive: Drive, alpha: float, activation: str, backend: str) -> None:
    """Check that every shape, dtype and setting fits.

    Raises:
        ValueError: names the argument, what was expected and what was got.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha: expected a number in (0, 1], got {alpha}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    if backend not in ("auto", *_BACKENDS):
        raise ValueError(f"backend: expected auto, {', '.join(_BACKENDS)}, got {backend!r}")
    if drive.inputs.ndim != 4:
        raise ValueError(f"inputs: expected (network, trial, time, input), got shape {_sizes(drive.inputs)}")
    sizes = dict(zip("MBTI", drive.inputs.shape, strict=True))
    sizes |= {"N": weights.recurrent.shape[-1], "O": weights.readout.shape[-1]}
    if weights.synaptic_in is not None:
        sizes["R"] = weights.synaptic_in.shape[-1]
    if drive.modulator is not None:
        sizes["K"] = drive.modulator.shape[-1]
    for name, axes in _SHAPES.items():
        tensor = getattr(weights, name, None) if name in Weights._fields else getattr(drive, name)
        if isinstance(tensor, CountedNoise):
            _check_keys(tensor.keys, drive.inputs)
        elif tensor is not None:
            _check_tensor(name, tensor, axes, sizes, drive.inputs)
    if drive.lengths is not None:
        _check_lengths(drive.lengths, drive.inputs)
    _check_modulation(weights, drive)


def _check_modulation(weights: Weights, drive: Drive) -> None:
    made = {name: getattr(weights, f"{name}_modulation") for name in ("bias", "gain", "strength", "scale")}
    for name in ("gain", "strength", "scale"):
        if getattr(drive, name) is not None and made[name] is not None:
            raise ValueError(f"{name}: expected None with a {name}_modulation")
    for name in ("strength", "scale"):
        if made[name] is not None and weights.encoder_state is None:
            raise ValueError(f"{name}_modulation: expected None without an encoder_state")
    strength = drive.strength if made["strength"] is None else made["strength"]
    synaptic = [weights.synaptic_in, weights.synaptic_out, strength]
    if any(t is None for t in synaptic) and any(t is not None for t in synaptic):
        raise ValueError("strength, synaptic_in and synaptic_out: expected all three or none")
    if (drive.modulator is None) != all(weight is None for weight in made.values()):
        raise ValueError("modulator: expected one with bias_modulation or another modulation, else none")
    if weights.encoder_state is not None and drive.modulator is None:
        raise ValueError("encoder_state: expected None without a modulator")


_SHAPES = {
    "recurrent": "MNN",
    "input": "MIN",
    "readout": "MNO",
    "readout_bias": "MO",
    "synaptic_in": "MNR",
    "synaptic_out": "MNR",
    "bias_modulation": "MKN",
    "gain_modulation": "MKN",
    "strength_modulation": "MKR",
    "scale_modulation": "MK1",
    "encoder_state": "MNK",
    "bias": "MbtN",
    "gain": "MbtN",
    "strength": "MbtR",
    "scale": "Mbt1",
    "modulator": "MBTK",
    "noise": "MBTN",
    "initial": "MBN",
}
_MEANING = dict(M="network", B="trial", T="time", I="input", N="unit", O="output", R="component", K="context")


def _check_tensor(name: str, tensor: Tensor, axes: str, sizes: dict[str, int], inputs: Tensor) -> None:
    fits = tensor.ndim == len(axes) and all(
        size in _allowed(axis, sizes) for axis, size in zip(axes, tensor.shape, strict=True)
    )
    if not fits:
        expected = ", ".join(_describe(axis, sizes) for axis in axes)
        raise ValueError(f"{name}: expected shape ({expected}), got {_sizes(tensor)}")
    if tensor.dtype != inputs.dtype or tensor.device != inputs.device:
        raise ValueError(
            f"{name}: expected {inputs.dtype} on {inputs.device} like inputs, got {tensor.dtype} on {tensor.device}"
        )


def _check_lengths(lengths: Tensor, inputs: Tensor) -> None:
    n_networks, n_trials, n_steps, _ = inputs.shape
    if lengths.shape != (n_networks, n_trials) or lengths.dtype != torch.int64 or lengths.device != inputs.device:
        raise ValueError(
            f"lengths: expected int64 (network {n_networks}, trial {n_trials}) on {inputs.device}, "
            f"got {lengths.dtype} {_sizes(lengths)} on {lengths.device}"
        )
    if lengths.numel() and not 1 <= lengths.min() <= lengths.max() <= n_steps:
        raise ValueError(f"lengths: expected 1 to {n_steps} steps, got {lengths.min()} to {lengths.max()}")


def _check_keys(keys: Tensor, inputs: Tensor) -> None:
    if keys.shape != inputs.shape[:1] or keys.dtype != torch.int64 or keys.device != inputs.device:
        raise ValueError(
            f"noise: expected keys int64 (network {inputs.shape[0]}) on {inputs.device}, "
            f"got {keys.dtype} {_sizes(keys)} on {keys.device}"
        )


def _allowed(axis: str, sizes: dict[str, int]) -> tuple[int, ...]:
    if axis == "1":
        return (1,)
    return (1, sizes[axis.upper()]) if axis in "bt" else (sizes.get(axis, -1),)


def _describe(axis: str, sizes: dict[str, int]) -> str:
    if axis == "1":
        return "1"
    size = sizes.get(axis.upper(), "absent")
    return f"{_MEANING[axis.upper()]} {size}" + (" or 1" if axis in "bt" else "")


def _sizes(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
