"""What the engine is called with, and the checks of it: weights, what drives the recurrence, and a goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

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


class Objective(NamedTuple):
    """What the outputs should be, with weights of steps and of outputs."""

    targets: Tensor  # (M, B, T, O)
    weights: Tensor  # (M, B, T)
    output_weights: Tensor  # (O,)


def check_arguments(weights: Weights, drive: Drive, alpha: float, activation: str) -> None:
    """Check that every shape, dtype and setting fits.

    Raises:
        ValueError: names the argument, what was expected and what was got.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha: expected a number in (0, 1], got {alpha}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}")
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


def check_goal(goal: Objective, weights: Weights, drive: Drive) -> None:
    """Check that the goal fits the call.

    Raises:
        ValueError: names the tensor, what was expected and what was got.
    """
    sizes = dict(zip("MBT", drive.inputs.shape, strict=False)) | {"O": weights.readout.shape[-1]}
    for name, axes in (("targets", "MBTO"), ("weights", "MBT"), ("output_weights", "O")):
        _check_tensor(name, getattr(goal, name), axes, sizes, drive.inputs)


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
    if lengths.is_cuda and torch.cuda.is_current_stream_capturing():
        return  # what is recorded, to be repeated, has no values to look at
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
