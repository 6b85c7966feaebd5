"""Adam over an ensemble: one row of parameters per network, gradients clipped per network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Kingma & Ba 2015, their defaults


class Adam:
    """AdamW for parameters (M, P); networks can leave, the others go on as if alone.

    Source: Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1; decoupled decay: Loshchilov & Hutter 2019
    (arXiv 1711.05101), algorithm 2.
    """

    def __init__(self, flat: Tensor, *, weight_decay: float) -> None:
        self.weight_decay = weight_decay
        self.first, self.second = torch.zeros_like(flat), torch.zeros_like(flat)
        self.n_steps = 0

    def step(self, flat: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """Nothing; moves the parameters (M, P) in place along the gradient (M, P)."""
        self.n_steps += 1
        self.first.lerp_(gradient, 1 - BETA_1)
        self.second.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
        root = (self.second / (1 - BETA_2**self.n_steps)).sqrt_().add_(EPSILON)
        if self.weight_decay:
            flat.mul_(1 - learning_rate * self.weight_decay)
        flat.addcdiv_(self.first, root, value=-learning_rate / (1 - BETA_1**self.n_steps))

    def select(self, networks: Sequence[int]) -> None:
        """Nothing; keeps the moments of some networks."""
        self.first, self.second = self.first[list(networks)], self.second[list(networks)]


def clip_gradient(gradient: Tensor, clip_norm: float) -> Tensor:
    """Norm of the gradient of every network (M,) before clipping; the gradient (M, P) is clipped in place."""
    norm = torch.linalg.vector_norm(gradient, dim=1)
    gradient.mul_((clip_norm / norm.clamp_min(1e-12)).clamp_max(1).unsqueeze(1))
    return norm
