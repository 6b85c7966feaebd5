"""Streams whose whole state is the number of the next trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cemrnn.random import derive_seed


class CountedStream:
    """Trials of M networks, drawn by number: each depends on its network's seed and its number alone."""

    def __init__(self, seeds: Sequence[int], name: str) -> None:
        self._seeds, self._name, self._n_drawn = list(seeds), name, 0

    def state(self) -> dict[str, int]:
        """Where the stream is, ready for JSON."""
        return {"n_drawn": self._n_drawn}

    def load_state(self, state: dict[str, int]) -> None:
        """Continue where the stream was when `state` returned the given value.

        Raises:
            ValueError: this is not the state of a stream of trials.
        """
        if set(state) != {"n_drawn"} or not isinstance(state["n_drawn"], int) or state["n_drawn"] < 0:
            raise ValueError(f"state: expected {{'n_drawn': a count of trials}}, got {state!r}")
        self._n_drawn = state["n_drawn"]

    def select(self, networks: Sequence[int]) -> None:
        """Keep the streams of some networks, where they are, in the order of the given positions."""
        self._seeds = [self._seeds[m] for m in networks]

    def keys(self, *names: str) -> np.ndarray:
        """Keys (M,) uint64 of one kind of draw."""
        return derive_keys(self._seeds, self._name, *names)


def derive_keys(seeds: Sequence[int], *names: str) -> np.ndarray:
    """Keys (M,) uint64 of the networks' streams: the lower half of each derived seed."""
    return np.array([derive_seed(seed, *names) % 2**64 for seed in seeds], np.uint64)
