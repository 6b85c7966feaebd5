"""Trials of a whole ensemble, as tensors: what a network sees, what it should do, and what others would."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Trials:
    """B trials of each of M networks, padded to T steps.

    Axes are (network, trial, time, feature). In memory inputs, targets and weights are time-major: transposed
    views of contiguous (M, T, B, feature) tensors. Steps from end_steps on are padding, 0 everywhere.

    Attributes:
        inputs: (M, B, T, I) float32.
        targets: (M, B, T, O) float32.
        weights: (M, B, T) float32 loss weights of the steps.
        output_weights: (O,) float32 loss weights of the outputs: 2 for fixation, 1 for others.
        context: (M, B, K) float32, one-hot cue of the task; of own tasks any numbers, or (M, B, T, K).
        context_onset_steps: (M, B) int64 step at which the context begins.
        task: (M, B) int64 index of the task, which is that of its context.
        epochs: names of the E epochs.
        onsets: (M, B, E) int64 first step of each epoch; an epoch that a task lacks begins with the next.
        go_steps: (M, B) int64 first step of the response.
        end_steps: (M, B) int64 length of the trial.
        answer_kind: as in `Task`; of own tasks see `cemrnn.tasks.own`.
        response: (M, B) float32 right answer: rad in [0, 2 pi), or -1 or 1, or the number that the bits form, or
            steps; NaN: keep fixation.
        alternative: (M, B, K) float32 answer that each task of the set would require on the same stimulus.
        alternative_defined: (M, B, K) bool whether its rule says anything about the stimulus.
        dt_ms: length of a step, ms.
        cue_sigma: noise that the preset puts on the cue at each step in training, see `cemrnn.tasks.cues`.
        own_score: of own tasks: (outputs, targets, weights) -> (M, B).
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    output_weights: Tensor
    context: Tensor
    context_onset_steps: Tensor
    task: Tensor
    epochs: tuple[str, ...]
    onsets: Tensor
    go_steps: Tensor
    end_steps: Tensor
    answer_kind: str
    response: Tensor
    alternative: Tensor
    alternative_defined: Tensor
    dt_ms: float
    cue_sigma: float = 0.0
    own_score: Callable[[Tensor, Tensor, Tensor], Any] | None = None

    def cue(self) -> Tensor:
        """Context as a network receives it: (M, B, K), or (M, B, T, K) if any begins after the trial does."""
        if not self.context_onset_steps.any():
            return self.context
        steps = torch.arange(self.inputs.shape[2], device=self.context.device)
        shown = steps >= self.context_onset_steps[..., None]  # (M, B, T)
        return self.context[:, :, None] * shown[..., None]

    def to(self, device: str) -> Trials:
        """The same trials on another device, in the same memory layout."""
        return self._map(lambda values, _: values.to(device))

    def take(self, index: Tensor | slice) -> Trials:
        """Some of the trials, the same ones of every network, padded to the longest of them."""
        n_steps = int(self.end_steps[:, index].max())

        def pick(values: Tensor, name: str) -> Tensor:
            chosen = values if name == "output_weights" else values[:, index]
            moves = name in ("inputs", "targets", "weights") or (name == "context" and values.ndim == 4)
            return chosen[:, :, :n_steps] if moves else chosen

        return self._map(pick)

    def repeat(self, n_networks: int) -> Trials:
        """The trials of one network, given to each of several; nothing is copied."""
        return self._map(lambda v, name: v if name == "output_weights" else v.expand(n_networks, *v.shape[1:]))

    def _map(self, change: Callable[[Tensor, str], Tensor]) -> Trials:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Trials(**{name: change(v, name) if isinstance(v, Tensor) else v for name, v in values.items()})
