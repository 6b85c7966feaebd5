"""Recurrent noise: one stream per network, drawn into a buffer that is used again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cemrnn.streams import derive_seed, stream


class NoiseStream:
    """Gaussian noise of a whole ensemble; network m's draws depend on its own seed alone.

    On the CPU the streams are NumPy's, filled by as many threads as torch may use; on CUDA they are torch's.
    """

    def __init__(self, seeds: Sequence[int], *, name: str, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        if self.device.type == "cpu":
            self._streams = [stream(seed, name, "recurrent noise") for seed in seeds]
        else:
            mask = (1 << 63) - 1
            self._streams = [
                torch.Generator(self.device).manual_seed(derive_seed(seed, name, "recurrent noise") & mask)
                for seed in seeds
            ]
        self._buffer = torch.empty(0, device=self.device)
        self._threads = ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="noise")

    def draw(self, n_trials: int, n_steps: int, config) -> Tensor | None:
        """Noise (M, B, T, N) scaled by sqrt(2 / alpha) sigma_rec, valid until the next draw; None without noise.

        Memory is time-major, as the engine wants it. Source: Yang et al. 2019, the rate equation.
        """
        if config.sigma_rec == 0:
            return None
        shape = (len(self._streams), n_steps, n_trials, config.n_units)
        if self._buffer.numel() < math.prod(shape):
            self._buffer = torch.empty(math.prod(shape), device=self.device)
        noise = self._buffer[: math.prod(shape)].view(shape)
        list(self._threads.map(_fill, self._streams, noise))
        noise *= math.sqrt(2 / config.alpha) * config.sigma_rec
        return noise.transpose(1, 2)

    def select(self, networks: Sequence[int]) -> None:
        """Nothing; keeps the streams of some networks, where they are."""
        self._streams = [self._streams[m] for m in networks]

    def state(self) -> list[Any]:
        """JSON-ready state of every stream."""
        if self.device.type == "cpu":
            return [s.bit_generator.state for s in self._streams]
        return [s.get_state().tolist() for s in self._streams]

    def load_state(self, states: list[Any]) -> None:
        """Nothing; every stream continues where its state was taken."""
        for s, state in zip(self._streams, states, strict=True):
            if self.device.type == "cpu":
                s.bit_generator.state = state
            else:
                s.set_state(torch.tensor(state, dtype=torch.uint8))


def _fill(generator: np.random.Generator | torch.Generator, out: Tensor) -> None:
    if isinstance(generator, torch.Generator):
        out.normal_(generator=generator)
    else:
        generator.standard_normal(dtype=np.float32, out=out.numpy())
