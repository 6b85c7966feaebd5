"""Learners on a card: the same updates, with trials and cues that are made there, a batch ahead of their use."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cemrnn.card.ahead import Ahead, TrialsAhead
from cemrnn.card.recording import Recorder
from cemrnn.card.streams import open_streams
from cemrnn.card.transfer import send_all
from cemrnn.network.engine import fused
from cemrnn.network.noise import CountedNoise
from cemrnn.tasks.sequences.batch import Batch
from cemrnn.training.learner import Learner, TrainedNetwork, TrialBatch
from cemrnn.training.optimiser import Factors
from cemrnn.training.sequence_learner import SequenceLearner


class CardLearner(Learner):
    """A `Learner` that goes on from a `Learner`'s state, and the other way round."""

    def __init__(self, configs: Sequence, device: torch.device, starts: Sequence[TrainedNetwork] | None = None) -> None:
        self._recorder = Recorder(device)
        super().__init__(configs, device, starts)
        c, seeds = self.config, [config.seed for config in configs]
        self.trials = TrialsAhead(*open_streams(c.tasks, c.cue, seeds, name="training", device=device), device)
        self.cues = self.trials.cues
        self.evaluation, self.evaluation_cues = open_streams(c.tasks, c.cue, seeds, name="evaluation", device=device)

    def take_batch(self) -> TrialBatch:
        """See `Learner.take_batch`; noise that the device cannot draw is an array: no recorded step could fetch it."""
        batch = super().take_batch()
        noise, (n_trials, n_steps) = batch.noise, batch.inputs.shape[1:3]
        if not isinstance(noise, CountedNoise) or fused.can_fill(noise.keys.device):
            return batch
        return batch._replace(noise=noise.fill(n_trials, n_steps, self.config.network.n_units))

    def step(self, batch: TrialBatch, factors: Factors) -> tuple[Tensor, Tensor]:
        """See `Learner.step`; when it returns, the device works and the next batch is being made."""
        # A pull depends on how many steps there were, which no tensor tells.
        taken = super().step(batch, factors) if self.pull else self._recorder.take(super().step, batch, factors)
        following = self.n_updates + 1
        if following < self.config.n_updates:
            self.trials.begin(self.config.batch_trials, self._deal(self.config.batch_trials, following))
        return taken

    def score(self) -> Tensor:
        """See `Learner.score`; tasks are never asked for two batches at once."""
        self.trials.rest()
        return super().score()

    def _keep(self, positions: list[int]) -> None:
        self._recorder.forget()
        super()._keep(positions)


class CardSequenceLearner(SequenceLearner):
    """A `SequenceLearner` whose batches are made ahead."""

    def __init__(self, configs: Sequence, device: torch.device) -> None:
        self._recorder = Recorder(device)
        super().__init__(configs, device)
        self._ahead = Ahead()

    def take_batch(self) -> Batch:
        """See `SequenceLearner.take_batch`."""
        return self._ahead.take(*self._plan(self.n_updates))

    def step(self, batch: Batch, factors: Factors) -> tuple[Tensor, Tensor]:
        """See `Learner.step`; when it returns, the device works and the next batch is being made."""
        taken, following = self._recorder.take(super().step, batch, factors), self.n_updates + 1
        if following < self.config.n_updates:
            self._ahead.begin(*self._plan(following))
        return taken

    def _keep(self, positions: list[int]) -> None:
        self._recorder.forget()
        super()._keep(positions)

    def _plan(self, number: int):
        """The name of the batch of an update of the active networks, and what makes it."""
        c, seeds = self.config, tuple(self._seeds[m] for m in self.active)

        def make() -> Batch:
            return send_all(c.data.draw(seeds, number, c.batch_trials), self.device)

        return (seeds, number), make
