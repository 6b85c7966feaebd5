"""Recurrent noise: a stream per network, by counter, drawn into a buffer that is used again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cemrnn.random import derive_seed, fill_normals, next_draw_keys
from cemrnn.system.threads import run_on_threads, split_evenly


@dataclass(frozen=True)
class CountedNoise:
    """One draw of recurrent noise that no array holds: whoever needs a number makes it from its counter."""

    keys: Tensor  # (M,) int64, the bits of the draw's keys
    sigma: float  # standard deviation

    def fill(self, n_trials: int, n_steps: int, n_units: int) -> Tensor:
        """The noise (M, B, T, N), drawn on the CPU and brought to the device of the keys."""
        noise = torch.empty(len(self.keys), n_steps, n_trials, n_units)
        _fill(self.keys.cpu().numpy().view(np.uint64), noise, self.sigma)
        return noise.to(self.keys.device).transpose(1, 2)


class NoiseStream:
    """Gaussian noise of a whole ensemble; a network's draws depend on its seed and their number alone.

    Every number is a hash of (network, draw, position): on the CPU filled by as many threads as torch may use, and
    elsewhere counted, for a back end that draws it where it is needed.
    """

    def __init__(self, seeds: Sequence[int], *, name: str, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._keys = np.array([derive_seed(seed, name, "recurrent noise") % 2**64 for seed in seeds], np.uint64)
        self._n_draws = 0
        self._buffer = torch.empty(0, device=self.device)

    def draw(self, n_trials: int, n_steps: int, config) -> Tensor | CountedNoise | None:
        """Noise (M, B, T, N) scaled by sqrt(2 / alpha) sigma_rec, valid until the next draw; None without noise.

        Memory is time-major, as the engine wants it; not on the CPU, the noise is counted instead. Source: the rate
        equation of Yang et al. 2019.
        """
        if self.device.type != "cpu":
            return self.count(config)
        if config.sigma_rec == 0:
            return None
        shape = (len(self._keys), n_steps, n_trials, config.n_units)
        if self._buffer.numel() < math.prod(shape):
            self._buffer = torch.empty(math.prod(shape), device=self.device)
        noise = self._buffer[: math.prod(shape)].view(shape)
        _fill(self._next_keys(), noise, _deviation(config))
        return noise.transpose(1, 2)

    def count(self, config) -> CountedNoise | None:
        """The same draw as keys; None without noise."""
        if config.sigma_rec == 0:
            return None
        keys = torch.from_numpy(self._next_keys().view(np.int64)).to(self.device)
        return CountedNoise(keys, _deviation(config))

    def _next_keys(self) -> np.ndarray:
        keys, self._n_draws = next_draw_keys(self._keys, self._n_draws), self._n_draws + 1
        return keys

    def select(self, networks: Sequence[int]) -> None:
        """Keep the streams of some networks, where they are."""
        self._keys = self._keys[list(networks)]

    def state(self) -> dict[str, int]:
        """Where the stream is, ready for JSON."""
        return {"n_draws": self._n_draws}

    def load_state(self, state: dict[str, int]) -> None:
        """Continue where the stream was when `state` returned the given value."""
        self._n_draws = state["n_draws"]


def _deviation(config) -> float:
    return math.sqrt(2 / config.alpha) * config.sigma_rec


def _fill(keys: np.ndarray, out: Tensor, sigma: float) -> None:
    """Fill out (M, T, B, N) with the numbers of the keys (M,)."""
    flat = out.flatten(2).numpy()

    def fill_part(networks: slice) -> None:
        for key, numbers in zip(keys[networks], flat[networks], strict=True):
            fill_normals(key, numbers, np.float32(sigma))

    run_on_threads(fill_part, split_evenly(len(keys)))
