"""The work whose time is measured: updates in training, or one update or simulation on data drawn beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from cemrnn.card.recording import Recorder
from cemrnn.network.config import NetworkConfig
from cemrnn.network.engine.recurrence import Objective
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import CountedNoise
from cemrnn.system.threads import limit_threads
from cemrnn.system.timing import Turn, time_rounds, time_turn
from cemrnn.training.optimiser import Adam, Factors
from cemrnn.training.recipe import Recipe

LEARNING_RATE = 1e-3
N_ROUNDS, TURN_S = 3, 0.005
STANDING = 1e-12  # learning rate of networks that are only timed: none may diverge
Name = TypeVar("Name", bound=Hashable)


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


def build_update(
    work: Workload,
    device: str | torch.device = "cpu",
    *,
    backend: str = "auto",
    steps: bool = True,
    noise: CountedNoise | None = None,
) -> Callable[[], float | None]:
    """One update of the whole ensemble: forward, loss, backward, Adam's step; it returns the summed loss.

    Trials are not drawn. Without `steps` there is no step, and the loss stays on the device. On a card it is recorded
    and repeated, as in training, unless a back end is named. Recurrent noise is made from its counters in every update.
    """
    model = CEMRNN(work.network, range(work.n_networks), device=device)
    optimiser, recorder = Adam(model.flat, weight_decay=0.0), Recorder(torch.device(device))
    inputs, cue, targets = (tensor.to(device) for tensor in work.draw())
    weights, of_outputs = torch.ones(targets.shape[:3]), torch.ones(targets.shape[3])
    given = inputs, cue, Objective(targets, weights.to(device), of_outputs.to(device)), noise

    def find_gradient(batch: tuple[Tensor, Tensor, Objective, CountedNoise | None]) -> tuple[Tensor, Tensor]:
        *trials, noise = batch
        loss = model.measure_error(*trials, noise=noise, backend=backend).sum()
        gradients = torch.autograd.grad(loss, list(model.parameters.values()))
        return loss.detach(), torch.cat([g.flatten(1) for g in gradients], dim=1)

    def step(batch: tuple[Tensor, Tensor, Objective, CountedNoise | None], factors: Factors) -> tuple[Tensor]:
        loss, gradient = find_gradient(batch)
        optimiser.move(model.flat, gradient, factors)
        return (loss,)

    def update() -> float | None:
        if not steps:
            find_gradient(given)
            return None
        take = recorder.take if backend == "auto" else lambda step, *arguments: step(*arguments)
        (loss,) = take(step, given, optimiser.advance(LEARNING_RATE))
        return loss.item()

    return update


def build_simulation(work: Workload, device: str | torch.device = "cpu") -> Callable[[], float]:
    """One simulation of the whole ensemble without gradients; it returns an output, so that it has to be computed."""
    model = CEMRNN(work.network, range(work.n_networks), device=device)
    inputs, cue, _ = (tensor.to(device) for tensor in work.draw())
    return lambda: model.simulate(inputs, cue, noise=None)[0][0, 0, 0, 0].item()


def time_updates(
    populations: Mapping[Name, Sequence[Recipe]], *, n_rounds: int = N_ROUNDS, seconds: float = TURN_S
) -> dict[Name, float]:
    """Median seconds on one core of one update of one network, of networks that train together, drawing included.

    Populations take turns, round after round, so that what slows the machine slows all of them. What a training
    starts from makes no difference to its time, and is not loaded.

    Args:
        populations: networks of one shape each.
        n_rounds: turns that each takes.
        seconds: least length of a turn, after one update that is not timed.
    """
    turns = {}
    for name, recipes in populations.items():
        standing = [replace(recipe, learning_rate=STANDING) for recipe in recipes]
        turns[name] = make_turn(recipes[0].make_learner(standing, torch.device("cpu"), None).update, "cpu")
    with limit_threads(1):
        times = time_rounds(turns, n_rounds, seconds)
    return {name: float(np.median(times[name])) / len(recipes) for name, recipes in populations.items()}


def make_turn(call: Callable[[], object], device: str) -> Turn:
    """A turn at the call, on the clock that suits the device."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    return lambda seconds: time_turn(call, seconds, clock)
