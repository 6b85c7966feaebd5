"""An ensemble that learns sequences: as `learner`, with cross-entropy on batches of images or of text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cemrnn.network.ensemble import Ensemble
from cemrnn.tasks.sequences.batch import Batch, answer, average_loss, cross_entropy
from cemrnn.training.learner import Learner
from cemrnn.training.optimiser import Adam

NATS_PER_BIT = 0.6931471805599453


class SequenceLearner(Learner):
    """M networks that learn sequences together; data depend on seed and update alone, so that there is no stream."""

    streams = ()

    def __init__(self, configs: Sequence, device: torch.device) -> None:
        self.config, self.device = configs[0], device
        self._seeds = [config.seed for config in configs]
        self.model = self.config.make_ensemble(self.config.network, self._seeds, device)
        self.optimiser = Adam(self.model.flat, weight_decay=0.0)
        self._held_out = self.config.data.held_out("validation", self.config.validation_size).to(device)
        self._begin(len(configs))

    def take_batch(self) -> Batch:
        """What every active network learns from in the next update."""
        seeds = [self._seeds[m] for m in self.active]
        return self.config.data.draw(seeds, self.n_updates, self.config.batch_trials).to(self.device)

    def measure_loss(self, batch: Batch) -> Tensor:
        """Cross-entropy (M,) of every active network on a batch; differentiable."""
        outputs, _ = self.model.run(batch.inputs, cue_of(self.model, batch))
        return average_loss(cross_entropy(outputs, batch.targets))

    def score(self) -> Tensor:
        """Accuracy, or bits per character, (M, 1) of every active network on the validation data, on the CPU."""
        return score_batch(self.model, self._held_out, self.config.data.score_name).cpu()[:, None]


def score_batch(model: Ensemble, batch: Batch, score_name: str, context: Tensor | None = None) -> Tensor:
    """Score (M,) of every network on all trials of a batch.

    Args:
        model: M networks.
        batch: of M networks, or of one for all of them.
        score_name: "accuracy", or "bits" per character.
        context: (M, B, K) another cue; None for the right one.
    """
    losses, right = answer(model, batch, cue_of(model, batch) if context is None else context)
    return average_loss(right.float()) if score_name == "accuracy" else average_loss(losses) / NATS_PER_BIT


def cue_of(model: Ensemble, batch: Batch) -> Tensor | None:
    """Cue (M, B, K) of the batch's trials, as the networks read it; None for those that read none."""
    c = model.config
    if getattr(c, "infers_context", False) or c.n_contexts == 0:
        return None
    return batch.repeat(model.n_networks).cue(c.n_contexts)
