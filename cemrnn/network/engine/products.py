"""Products over all steps and trials at once, and what holds after the end of a trial."""

from __future__ import annotations

import torch
from torch import Tensor


def project(x: Tensor, weight: Tensor) -> Tensor:
    """x (M, T, B, F) times the weight (M, F, G) of its network, one product over steps and trials."""
    return torch.bmm(x.flatten(1, 2), weight).unflatten(1, x.shape[1:3])


def outer(x: Tensor, y: Tensor) -> Tensor:
    """Sum (M, F, G) over steps and trials of the outer products of x (M, T, B, F) and y (M, T, B, G)."""
    return torch.bmm(x.flatten(1, 2).mT, y.flatten(1, 2))


def stop_at_ends(values: Tensor | None, lengths: Tensor | None) -> Tensor | None:
    """The values (M, T, B, F) with 0 after the end of each trial."""
    if values is None or lengths is None:
        return values
    ended = torch.arange(values.shape[1], device=values.device)[:, None] >= lengths[:, None]  # (M, T, B)
    return values.masked_fill(ended[..., None], 0)
