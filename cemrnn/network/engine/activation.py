"""Activation functions, each with its derivative written in terms of its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Activation(NamedTuple):
    """phi(p), and phi'(p) computed from f = phi(p)."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    code: int  # how the compiled kernel knows it


def _rectified_tanh(p: Tensor) -> Tensor:
    return torch.tanh(p).clamp_min(0)


ACTIVATIONS = {
    "relu": Activation(functional.relu, lambda f: (f > 0).to(f.dtype), 0),
    "tanh": Activation(torch.tanh, lambda f: 1 - f * f, 1),
    "softplus": Activation(functional.softplus, lambda f: -torch.expm1(-f), 2),
    "rectified_tanh": Activation(_rectified_tanh, lambda f: (1 - f * f) * (f > 0), 3),
}
