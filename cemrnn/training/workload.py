"""The work whose time is measured: one training update, or one simulation, of an ensemble on data drawn beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cemrnn.network.config import NetworkConfig
from cemrnn.network.engine.recurrence import Goal
from cemrnn.network.model import CEMRNN
from cemrnn.training.optimiser import Adam

LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Workload:
    """One size of work: M networks, B trials and T steps per call."""

    network: NetworkConfig
    n_networks: int
    n_trials: int
    n_steps: int

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (M, B, T, I), cues (M, B, K) and targets (M, B, T, O), in the engine's layout."""
        c, generator = self.network, torch.Generator().manual_seed(0)
        shape = (self.n_networks, self.n_steps, self.n_trials)
        inputs = torch.randn((*shape, c.n_inputs), generator=generator).transpose(1, 2)
        targets = torch.randn((*shape, c.n_outputs), generator=generator).transpose(1, 2)
        cue = torch.nn.functional.one_hot(torch.arange(self.n_trials) % c.n_contexts, c.n_contexts).float()
        return inputs, cue.expand(self.n_networks, -1, -1), targets


def build_update(work: Workload, device: str | torch.device = "cpu") -> Callable[[], float]:
    """One update of the whole ensemble: forward, loss, backward, Adam's step; it returns the summed loss.

    Trials and noise are not drawn.
    """
    model = CEMRNN(work.network, range(work.n_networks), device=device)
    optimiser = Adam(model.flat, weight_decay=0.0)
    inputs, cue, targets = (tensor.to(device) for tensor in work.draw())
    weights, of_outputs = torch.ones(targets.shape[:3]), torch.ones(targets.shape[3])
    goal = Goal(targets, weights.to(device), of_outputs.to(device))

    def update() -> float:
        loss = model.measure_error(inputs, cue, goal).sum()
        gradients = torch.autograd.grad(loss, list(model.parameters.values()))
        optimiser.step(model.flat, torch.cat([g.flatten(1) for g in gradients], dim=1), LEARNING_RATE)
        return loss.item()

    return update


def build_simulation(work: Workload, device: str | torch.device = "cpu") -> Callable[[], float]:
    """One simulation of the whole ensemble without gradients; it returns an output, so that it has to be computed."""
    model = CEMRNN(work.network, range(work.n_networks), device=device)
    inputs, cue, _ = (tensor.to(device) for tensor in work.draw())
    return lambda: model.simulate(inputs, cue, noise=None)[0][0, 0, 0, 0].item()
