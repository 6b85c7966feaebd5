"""Elastic weight consolidation: networks that learn new tasks are pulled to the weights with which they knew old ones.

    loss = loss on the new tasks + strength / 2 * sum_i F_i (theta_i - theta*_i)^2

theta* are the weights of the start, F the diagonal of the Fisher information of its answers, summed over all tasks
that came before. The answers are taken as Gaussian, with the loss as their negative log likelihood, so that at
strength 1 the pull is what the loss on the old tasks would add, as far as a diagonal matrix tells.

Over a chain of starts there is one pull, to the last start, with the Fisher information there of all earlier tasks. It
follows from the start and the seed alone: a resumed training computes it again, and nothing of it is stored. It takes
trials of the earlier tasks, once, where a pull for every stage, as in the source, would take all earlier starts.

The optimiser sees the loss on the new tasks alone; the pull is the proximal step in the metric of the optimiser (Parikh
& Boyd 2014, Foundations and Trends in Optimization 1, 127, section 4.2). Both have the same weights at rest, but as
part of the gradient a strong pull makes Adam swing about theta* by many steps, and this one holds it there.

Source: Kirkpatrick et al. 2017 (PNAS 114, 3521), equation 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cemrnn.network.engine.recurrence import Objective
from cemrnn.network.model import CEMRNN
from cemrnn.random import stream
from cemrnn.tasks import OwnTasks, TaskSet, Trials, open_stream

CHUNK = 64  # trials whose gradients are held at once, each in a copy of the network


@dataclass
class Pull:
    """A quadratic pull of M networks towards where they started.

    Attributes:
        anchor: (M, P) parameters that they are pulled to.
        stiffness: (M, P) strength times Fisher information.
    """

    anchor: Tensor
    stiffness: Tensor

    def draw_back(self, flat: Tensor, scale: Tensor, learning_rate: float) -> None:
        """Move the parameters (M, P) in place by the pull, after a step of the optimiser that divided by the scale."""
        kept = scale / (scale + learning_rate * self.stiffness)
        flat.copy_(self.anchor + kept * (flat - self.anchor))

    def select(self, networks: Sequence[int]) -> None:
        """Keep the pulls of some networks."""
        self.anchor, self.stiffness = self.anchor[list(networks)], self.stiffness[list(networks)]


def measure_fisher(
    model: CEMRNN, tasks: TaskSet | OwnTasks, seeds: Sequence[int], *, n_tasks: int, trials_per_task: int
) -> Tensor:
    """Diagonal (M, P) of the Fisher information of the networks' answers, summed over the first tasks.

    On each trial the network's own answer, without recurrent noise, plus Gaussian noise is taken as the target; the
    square of the gradient of the loss is averaged over trials. With weights w of the loss that sum to W, the noise of
    an output has the variance W / (2 w).

    Args:
        model: M networks.
        tasks: whose trials are drawn.
        seeds: one per network; the streams are named "fisher".
        n_tasks: how many of the tasks count, from the first on.
        trials_per_task: trials of each.
    """
    task, rows = torch.arange(n_tasks * trials_per_task) % n_tasks, []
    for m, seed in enumerate(seeds):  # one by one, so that no network's bits depend on how many there are
        trials = open_stream(tasks, [seed], name="fisher").draw(len(task), task)
        drawn = stream(seed, "fisher", "answers").standard_normal(trials.targets.shape[1:])
        total = torch.zeros_like(model.flat[0])
        for part in torch.arange(len(task)).split(CHUNK):
            total += _square_gradients(model.select([m] * len(part)), trials, part, torch.from_numpy(drawn[part]))
        rows.append(total / trials_per_task)
    return torch.stack(rows)


def _square_gradients(copies: CEMRNN, trials: Trials, part: Tensor, drawn: Tensor) -> Tensor:
    """Squared gradients (P,), summed over n trials, each of which is given to one of n copies (n, P) of a network."""
    inputs, weights = (x[0, part, None].to(copies.flat) for x in (trials.inputs, trials.weights))  # (n, 1, T, ...)
    context = None if copies.config.infers_context else trials.cue()[0, part, None].to(copies.flat)
    lengths = trials.end_steps[0, part, None].to(copies.flat.device)
    of_outputs = trials.output_weights.to(copies.flat)
    answers, _ = copies.simulate(inputs, context, noise=None, lengths=lengths)  # (n, 1, T, O)
    each = weights[..., None] * of_outputs  # (n, 1, T, O)
    variance = each.sum((1, 2, 3), keepdim=True) / (2 * each)
    noise = torch.where(each > 0, variance.sqrt() * drawn[:, None].to(copies.flat), 0)
    loss = copies.measure_error(inputs, context, Objective(answers + noise, weights, of_outputs), lengths=lengths)
    gradients = torch.autograd.grad(loss.sum(), list(copies.parameters.values()))
    return torch.cat([g.flatten(1) for g in gradients], dim=1).square().sum(0)
