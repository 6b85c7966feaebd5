"""Autonomous systems whose fixed points are known."""

from dataclasses import dataclass

import numpy as np
import torch

from cemrnn.dynamics.flow import Flow


@dataclass
class Field:
    """P times one system, given by its velocity (B, N) -> (B, N); the Jacobian is autograd's."""

    function: object
    n_units: int
    n_conditions: int = 1

    def velocity(self, states, which):
        return self.function(states)

    def jacobian(self, states, which):
        with torch.enable_grad():
            states = states.detach().requires_grad_()
            velocity = self.function(states)
            rows = [torch.autograd.grad(v.sum(), states, retain_graph=True)[0] for v in velocity.unbind(1)]
        return torch.stack(rows, dim=1)


def tanh_flow(weights, drive=None, activation="tanh"):
    """A Flow of one condition per matrix (P, N, N), with drives (P, N)."""
    weights = torch.as_tensor(np.array(weights, float))
    drive = torch.zeros(weights.shape[:2]) if drive is None else torch.as_tensor(drive)
    one = torch.ones(weights.shape[:2], dtype=torch.float64)
    return Flow(weights, torch.arange(len(weights)), one, drive.to(torch.float64), activation)


def draw_starts(n_starts, n_units, *, n_conditions=1, scale=1.0, seed=0):
    """Gaussian states (B, N), and conditions (B,) in equal shares."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.arange(n_starts) * n_conditions // n_starts
    return scale * torch.randn((n_starts, n_units), generator=generator, dtype=torch.float64), which
