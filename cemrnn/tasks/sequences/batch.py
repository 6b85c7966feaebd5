"""Trials of a sequence task, what should follow at their last steps, and the loss of a network's answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy as torch_cross_entropy
from torch.nn.functional import one_hot

CHUNK_TRIALS = 256  # per call of the engine, which bounds the memory


@dataclass(frozen=True)
class Batch:
    """B trials of each of M networks.

    Attributes:
        inputs: (M, B, T, I) float32.
        targets: (M, B, S) int64, the class or the next symbol at each of the last S steps.
        context: (M, B) int64, which of the contexts a trial belongs to.
    """

    inputs: Tensor
    targets: Tensor
    context: Tensor

    def cue(self, n_contexts: int) -> Tensor:
        """(M, B, K) one row of the identity per trial."""
        return one_hot(self.context, n_contexts).to(self.inputs.dtype)

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(x.to(device) for x in (self.inputs, self.targets, self.context)))

    def part(self, trials: slice | Tensor) -> Batch:
        """Some of the trials."""
        return Batch(*(x[:, trials] for x in (self.inputs, self.targets, self.context)))

    def repeat(self, n_networks: int) -> Batch:
        """The same trials for so many networks; a view."""
        return Batch(*(x.expand(n_networks, *[-1] * (x.ndim - 1)) for x in (self.inputs, self.targets, self.context)))


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Loss (M, B, S) in nats of outputs (M, B, T, O) at the last S steps; differentiable.

    Args:
        outputs: what a softmax turns into probabilities.
        targets: (M, B, S) int64.
    """
    n_scored = targets.shape[2]
    logits = outputs.transpose(1, 2)[:, -n_scored:]  # (M, S, B, O): the engine's own layout, so that nothing is copied
    losses = torch_cross_entropy(logits.flatten(0, 2), targets.transpose(1, 2).flatten(), reduction="none")
    return losses.unflatten(0, logits.shape[:3]).transpose(1, 2)


def average_loss(losses: Tensor) -> Tensor:
    """Mean (M,) over trials and steps, network by network: one reduction over all would depend on M in the last bit."""
    return torch.stack([x.mean() for x in losses])


@torch.no_grad()
def answer(model, batch: Batch, context: Tensor | None) -> tuple[Tensor, Tensor]:
    """Loss (M, B, S) in nats, and whether the most probable answer is right (M, B, S).

    Args:
        model: M networks with a method `run`.
        batch: of M networks, or of one for all of them.
        context: (M, B, K) cue, or None.
    """
    batch = batch.repeat(model.n_networks)
    losses, right = [], []
    for start in range(0, batch.inputs.shape[1], CHUNK_TRIALS):
        trials = slice(start, start + CHUNK_TRIALS)
        part = batch.part(trials)
        outputs, _ = model.run(part.inputs, None if context is None else context[:, trials])
        losses.append(cross_entropy(outputs, part.targets))
        right.append(outputs[:, :, -part.targets.shape[2] :].argmax(-1) == part.targets)
    return torch.cat(losses, dim=1), torch.cat(right, dim=1)
