"""Recurrent noise: a stream per network, by counter, drawn into a buffer that is used again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cemrnn.random import derive_seed, fill_normals, next_draw_keys
from cemrnn.system.threads import run_on_threads, split_evenly


class NoiseStream:
    """Gaussian noise of a whole ensemble; a network's draws depend on its seed and their number alone.

    On the CPU every number is a hash of (network, draw, position), filled by as many threads as torch may use; on
    CUDA torch draws it, from a seed that is such a hash.
    """

    def __init__(self, seeds: Sequence[int], *, name: str, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._keys = np.array([derive_seed(seed, name, "recurrent noise") % 2**64 for seed in seeds], np.uint64)
        self._n_draws = 0
        self._buffer = torch.empty(0, device=self.device)

    def draw(self, n_trials: int, n_steps: int, config) -> Tensor | None:
        """Noise (M, B, T, N) scaled by sqrt(2 / alpha) sigma_rec, valid until the next draw; None without noise.

        Memory is time-major, as the engine wants it. Source: the rate equation of Yang et al. 2019.
        """
        if config.sigma_rec == 0:
            return None
        shape = (len(self._keys), n_steps, n_trials, config.n_units)
        if self._buffer.numel() < math.prod(shape):
            self._buffer = torch.empty(math.prod(shape), device=self.device)
        noise = self._buffer[: math.prod(shape)].view(shape)
        sigma = math.sqrt(2 / config.alpha) * config.sigma_rec
        keys, self._n_draws = next_draw_keys(self._keys, self._n_draws), self._n_draws + 1
        fill, flat = _fill_on_cpu if self.device.type == "cpu" else _fill_on_device, noise.flatten(2)

        def fill_part(networks: slice) -> None:
            for key, out in zip(keys[networks], flat[networks], strict=True):
                fill(key, out, np.float32(sigma))

        run_on_threads(fill_part, split_evenly(len(keys)))
        return noise.transpose(1, 2)

    def select(self, networks: Sequence[int]) -> None:
        """Keep the streams of some networks, where they are."""
        self._keys = self._keys[list(networks)]

    def state(self) -> dict[str, int]:
        """Where the stream is, ready for JSON."""
        return {"n_draws": self._n_draws}

    def load_state(self, state: dict[str, int]) -> None:
        """Continue where the stream was when `state` returned the given value."""
        self._n_draws = state["n_draws"]


def _fill_on_cpu(key: np.uint64, out: Tensor, sigma: np.float32) -> None:
    fill_normals(key, out.numpy(), sigma)


def _fill_on_device(key: np.uint64, out: Tensor, sigma: np.float32) -> None:
    generator = torch.Generator(out.device).manual_seed(int(key) >> 1)
    out.normal_(0, float(sigma), generator=generator)
