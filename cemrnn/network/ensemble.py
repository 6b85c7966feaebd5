"""Networks of one shape side by side: their parameters in one tensor, and how these are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cemrnn.config import Config
from cemrnn.network.config import NetworkConfig, list_matrices
from cemrnn.network.pathways import ARMS
from cemrnn.random import stream


class Ensemble:
    """M networks of one shape, each drawn from its own seed; a kind of network says what it is made of and how it runs.

    Attributes:
        config: shape and physics, the same for all networks.
        flat: (M, P) every trained parameter; the tensors below are views of it.
        parameters: name -> (M, ...) trained tensor, a leaf of autograd.
        fixed: name -> (M, ...) tensors that are never trained.
    """

    def __init__(
        self,
        config: Config,
        seeds: Sequence[int],
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        drawn = [self.draw_parameters(config, seed) for seed in seeds]
        flat = np.stack([np.concatenate([x.ravel() for x in trained.values()]) for trained, _ in drawn])
        fixed = {name: np.stack([f[name] for _, f in drawn]) for name in drawn[0][1]}
        self.config = config
        self.fixed = {name: torch.as_tensor(x, dtype=dtype, device=device) for name, x in fixed.items()}
        self._bind(torch.as_tensor(flat, dtype=dtype, device=device))

    def _bind(self, flat: Tensor) -> None:
        self.flat, self.parameters, start = flat, {}, 0
        for name, shape in self.parameter_shapes(self.config).items():
            size = math.prod(shape)
            view = flat[:, start : start + size].unflatten(1, shape)
            self.parameters[name] = view.detach().requires_grad_()
            start += size

    @property
    def n_networks(self) -> int:
        """M."""
        return self.flat.shape[0]

    def select(self, networks: Sequence[int]) -> Ensemble:
        """A copy that holds some of the networks, in the order given."""
        chosen = object.__new__(type(self))
        chosen.config = self.config
        chosen.fixed = {name: x[list(networks)] for name, x in self.fixed.items()}
        chosen._bind(self.flat[list(networks)].clone())
        return chosen

    def load(self, flat: Tensor) -> None:
        """Take over the parameters of the array (M, P).

        Raises:
            ValueError: the shape differs.
        """
        if flat.shape != self.flat.shape:
            raise ValueError(f"flat: expected (network, parameter) {tuple(self.flat.shape)}, got {tuple(flat.shape)}")
        self.flat.copy_(flat)


def draw_parameters(config: NetworkConfig, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Initial trained and fixed tensors of one network; modulation starts at zero, so every arm starts plain.

    W starts as `recurrent_start` says, everything else as its `Matrix` says.
    """
    trained, fixed = {}, {}
    for name, matrix in list_matrices(config).items():
        generator = stream(seed, "parameters", name)
        if name == "recurrent":
            trained[name] = draw_recurrent(generator, config)
        else:
            trained[name] = matrix.start(generator, matrix.shape(config))
    for pathway in ARMS[config.arm].pathways:
        fixed |= pathway.draw_fixed(config, stream(seed, "parameters", pathway.name))
    return trained, fixed


def draw_recurrent(generator: np.random.Generator, config: NetworkConfig) -> np.ndarray:
    """Initial W (N, N) with the spectral radius of the config."""
    n = config.n_units
    if config.recurrent_start == "diagonal":
        return config.spectral_radius * np.eye(n)
    drawn = generator.standard_normal((n, n))
    if config.recurrent_start == "orthogonal":
        q, r = np.linalg.qr(drawn)
        return config.spectral_radius * q * np.sign(np.diag(r))
    return config.spectral_radius * drawn / np.abs(np.linalg.eigvals(drawn)).max()
