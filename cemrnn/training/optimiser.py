"""Adam over an ensemble: one row of parameters per network, gradients clipped per network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Kingma & Ba 2015, their defaults
LANES = 16  # sums of squares that run beside one another, so that the loop vectorises


class Factors(NamedTuple):
    """What a step multiplies by: numbers, or tensors () on the device of the parameters."""

    kept: float | Tensor  # of the parameters
    rate: float | Tensor  # without the bias of the first moment
    growth: float | Tensor  # of the second moment, which undoes its bias


class Adam:
    """AdamW for parameters (M, P); networks can leave, the others go on as if alone.

    Source: Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1; decoupled decay: Loshchilov & Hutter 2019
    (arXiv 1711.05101), algorithm 2.
    """

    def __init__(self, flat: Tensor, *, weight_decay: float) -> None:
        self.weight_decay = weight_decay
        self.first, self.second = torch.zeros_like(flat), torch.zeros_like(flat)
        self.n_steps = 0

    def advance(self, learning_rate: float) -> Factors:
        """Count a step, and return its numbers."""
        self.n_steps += 1
        kept = 1 - learning_rate * self.weight_decay
        rate, growth = learning_rate / (1 - BETA_1**self.n_steps), 1 / (1 - BETA_2**self.n_steps)
        return Factors(kept, rate, growth)

    def move(self, flat: Tensor, gradient: Tensor, factors: Factors) -> None:
        """Move the parameters (M, P) in place along the gradient (M, P), by the numbers of a step."""
        move = _move_on_cpu if flat.device.type == "cpu" else _move_on_device
        move(flat, gradient, self.first, self.second, *factors)

    def scale(self) -> Tensor:
        """What the last step divided the mean gradient (M, P) by."""
        return (self.second / (1 - BETA_2**self.n_steps)).sqrt_().add_(EPSILON)

    def select(self, networks: Sequence[int]) -> None:
        """Keep the moments of some networks."""
        self.first, self.second = self.first[list(networks)], self.second[list(networks)]


def clip_gradient(gradient: Tensor, clip_norm: float) -> Tensor:
    """Norm of the gradient of every network (M,) before clipping; the gradient (M, P) is clipped in place."""
    if gradient.device.type == "cpu":
        norm = torch.empty_like(gradient[:, 0])
        _clip_rows(gradient.numpy(), norm.numpy(), clip_norm)
        return norm
    norm = torch.linalg.vector_norm(gradient, dim=1)
    gradient.mul_((clip_norm / norm.clamp_min(1e-12)).clamp_max(1).unsqueeze(1))
    return norm


def _move_on_device(flat, gradient, first, second, kept, rate, growth) -> None:
    first.lerp_(gradient, 1 - BETA_1)
    second.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
    flat.mul_(kept).sub_(first / (second * growth).sqrt_().add_(EPSILON) * rate)


def _move_on_cpu(flat, gradient, first, second, kept, rate, growth) -> None:
    number = np.float64 if flat.dtype == torch.float64 else np.float32
    with np.errstate(over="ignore"):  # a rate beyond all numbers: what it moves is not finite, which is noticed
        numbers = [number(x) for x in (kept, rate, growth, BETA_1, BETA_2, EPSILON, 1)]
    _move(*(x.detach().numpy().ravel() for x in (flat, gradient, first, second)), *numbers)


@njit(cache=True, nogil=True, error_model="numpy")
def _move(flat, gradient, first, second, kept, rate, growth, beta_1, beta_2, epsilon, one):
    for i in range(len(flat)):
        g = gradient[i]
        first[i] += (one - beta_1) * (g - first[i])
        second[i] = beta_2 * second[i] + (one - beta_2) * g * g
        flat[i] = kept * flat[i] - rate * first[i] / (np.sqrt(second[i] * growth) + epsilon)


@njit(cache=True, nogil=True, error_model="numpy")
def _clip_rows(gradient, norm, clip_norm):
    n_networks, n_parameters = gradient.shape
    for m in range(n_networks):
        row, squares = gradient[m], np.zeros(LANES)
        n_whole = n_parameters // LANES * LANES
        for start in range(0, n_whole, LANES):
            for lane in range(LANES):
                squares[lane] += np.float64(row[start + lane]) * row[start + lane]
        total = squares.sum()
        for i in range(n_whole, n_parameters):
            total += np.float64(row[i]) * row[i]
        norm[m] = np.sqrt(total)
        if norm[m] > clip_norm:
            factor = gradient.dtype.type(clip_norm / norm[m])
            for i in range(n_parameters):
                row[i] *= factor
