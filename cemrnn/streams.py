"""Random streams: every draw has a named stream derived from a seed, so a new draw shifts nothing elsewhere."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *names: str) -> int:
    """128-bit seed of the stream that the names select, e.g. derive_seed(3, "trials", "noise")."""
    text = "/".join([str(int(seed)), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def stream(seed: int, *names: str) -> np.random.Generator:
    """NumPy generator of the named stream; its state is plain integers, so it can be written as JSON."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *names)))
