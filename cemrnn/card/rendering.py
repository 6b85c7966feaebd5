"""Calls of the kernel that fills trials and cues, on the device of what it fills."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cemrnn.card.kernels import BLOCK, STEPS, render
from cemrnn.card.transfer import send
from cemrnn.tasks.layout import Events


class Noise(NamedTuple):
    """Normal numbers that are added, see `cemrnn.random.add_noise`."""

    keys: np.ndarray  # (M, B) uint64
    start: np.ndarray  # (M, B) int64 first step with noise
    end: np.ndarray  # (M, B) int64 first step after it
    sigma: np.ndarray  # (F,) float32


def fill(shape: tuple[int, int, int], events: Events, noise: Noise | None, device: torch.device) -> Tensor:
    """The sum of the events that are on, with noise, as a new tensor (M, T, B, F); shape is (M, T, B)."""
    out = torch.empty(*shape, events.features.shape[3], device=device)
    _launch(out, events, noise if noise is not None and noise.sigma.any() else None)
    return out


def add_noise(out: Tensor, noise: Noise) -> None:
    """Add noise to a contiguous tensor (M, T, B, F)."""
    if noise.sigma.any():
        _launch(out, None, noise)


def _launch(out: Tensor, events: Events | None, noise: Noise | None) -> None:
    n_networks, n_steps, n_trials, n_features = out.shape
    shown = [None] * len(Events._fields) if events is None else [_send(array, out.device) for array in events]
    drawn = [None] * len(Noise._fields) if noise is None else [_send(array, out.device) for array in noise]
    sizes = dict(F=n_features, E=1 if events is None else events.on.shape[2], STEPS=STEPS, BLOCK=BLOCK)
    grid = (n_networks, -(-n_steps // STEPS), -(-n_trials * n_features // BLOCK))
    with torch.cuda.device_of(out):
        render[grid](out, *shown, *drawn, n_steps, n_trials, **sizes)


def _send(array: np.ndarray, device: torch.device) -> Tensor:
    array = np.ascontiguousarray(array)
    return send(torch.from_numpy(array.view(np.int64) if array.dtype == np.uint64 else array), device)
