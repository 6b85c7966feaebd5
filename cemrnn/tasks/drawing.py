"""Trials for people: drawn by a task's name, indexed like a list, with cues that are mixed, weak, noisy or late."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cemrnn.config import show, unknown_name
from cemrnn.ranges import check_numbers
from cemrnn.tasks.arrays import as_numbers
from cemrnn.tasks.counted import derive_keys
from cemrnn.tasks.cues import draw_frozen_noise, mix_cues, switch_cue
from cemrnn.tasks.family import EPOCHS
from cemrnn.tasks.layout import Layout
from cemrnn.tasks.own import OwnTasks
from cemrnn.tasks.planning import Planner
from cemrnn.tasks.stream import check_source, open_stream
from cemrnn.tasks.taskset import TaskSet
from cemrnn.tasks.trials import Trials


@dataclass(frozen=True)
class Tasks:
    """What a network learned, or will learn; `draw` gives trials of it.

    Attributes:
        source: what trials are drawn from; context k cues its task names[k].
    """

    source: TaskSet | OwnTasks

    def __post_init__(self) -> None:
        check_source(self.source)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tasks, in the order of their contexts."""
        return self.source.names

    def draw(
        self, n_trials: int, task: str | None = None, *, seed: int, conflict_with: str | None = None
    ) -> TrialBatch:
        """Trials of one task, or of all tasks in turn; the same for the same seed.

        Args:
            n_trials: B, at least 1.
            task: its name; None: all in turn.
            seed: of the trials.
            conflict_with: name of another task, whose answer to every trial is to be a different one.

        Raises:
            ValueError: no such task, answers that cannot conflict, or a number is none or out of its range.
        """
        check_numbers(n_trials=n_trials, seed=seed)
        index = np.arange(n_trials) % len(self.names) if task is None else self.index(task)
        other = None if conflict_with is None else self.index(conflict_with)
        stream = open_stream(self.source, [seed], name="drawn")
        return TrialBatch(self, stream.draw(n_trials, index, conflict_with=other))

    def index(self, task: str) -> int:
        """Position of a task among the names.

        Raises:
            ValueError: there is none; the nearest name is suggested.
        """
        if task not in self.names:
            raise ValueError(unknown_name(task, self.names, "task"))
        return self.names.index(task)

    def epoch_inputs(self, task: str, epoch: str, *, n_stimuli: int, seed: int) -> np.ndarray:
        """Noiseless inputs (stimulus, I) of one epoch of a task, each once: a single row where no stimulus is shown.

        Raises:
            ValueError: the task has no such epoch, or is an own one.
        """
        check_numbers(n_stimuli=n_stimuli, seed=seed)
        if isinstance(self.source, OwnTasks):
            raise ValueError("inputs: expected some to hold, (I,), because own tasks have no epochs of ours; got None")
        epochs, k = self.source.tasks[self.index(task)].family.durations_ms(self.source.settings), self.index(task)
        if epoch not in epochs:
            raise ValueError(unknown_name(epoch, epochs, f"epoch of {task}:"))
        keys = derive_keys([seed * n_stimuli + i for i in range(n_stimuli)], "epoch inputs")
        plan = Planner(self.source).draw(keys, np.full(n_stimuli, k))
        return np.unique(Layout(self.source).held_inputs(plan, EPOCHS.index(epoch)), axis=0)


@dataclass(frozen=True)
class TrialBatch:
    """B trials, which every network is given alike; arrays have the axes (trial, time, feature).

    Attributes:
        tasks: what they are trials of.
        trials: of one network, (1, B).
    """

    tasks: Tasks
    trials: Trials

    def __len__(self) -> int:
        """B."""
        return self.trials.task.shape[1]

    def __getitem__(self, index: int | slice | Sequence[int]) -> TrialBatch:
        """Some of the trials; one of them is a batch of one, as long as that trial."""
        if hasattr(index, "__index__"):
            position = range(len(self))[operator.index(index)]
            return TrialBatch(self.tasks, self.trials.take(slice(position, position + 1)))
        return TrialBatch(self.tasks, self.trials.take(index if isinstance(index, slice) else torch.as_tensor(index)))

    def __repr__(self) -> str:
        return f"<{len(self)} trials of {', '.join(dict.fromkeys(self.names))}, {self.n_steps} steps>"

    @property
    def n_steps(self) -> int:
        """T, steps of the longest."""
        return int(self.trials.end_steps.max())

    @property
    def names(self) -> list[str]:
        """Name of the task of every trial."""
        return [self.tasks.names[k] for k in self.trials.task[0].tolist()]

    @property
    def inputs(self) -> np.ndarray:
        """(B, T, I)."""
        return self.trials.inputs[0, :, : self.n_steps].numpy()

    @property
    def targets(self) -> np.ndarray:
        """(B, T, O)."""
        return self.trials.targets[0, :, : self.n_steps].numpy()

    @property
    def time_ms(self) -> np.ndarray:
        """(T,) start of every step, ms."""
        return np.arange(self.n_steps) * self.trials.dt_ms

    @functools.cached_property
    def context(self) -> np.ndarray:
        """(B, K) the cues of the right tasks; (B, T, K) where one begins after its trial."""
        return self.trials.cue()[0].numpy()

    def cue(self, task: str) -> np.ndarray:
        """Cue (B, K) that names one task in all trials."""
        return np.tile(np.eye(len(self.tasks.names), dtype=np.float32)[self.tasks.index(task)], (len(self), 1))

    def mix(self, task: str, share: float) -> np.ndarray:
        """Cue (B, K) that is (1 - share) of each trial's own and share, 0 to 1, of another task's."""
        check_numbers(share=share)
        own = self.trials.context[0]
        return mix_cues(own, torch.from_numpy(self.cue(task)).expand_as(own), share).numpy()

    def in_epoch(self, epoch: str) -> np.ndarray:
        """(B, T) bool, which steps of every trial belong to an epoch.

        Raises:
            ValueError: trials have no such epoch.
        """
        t = self.trials
        if epoch not in t.epochs:
            raise ValueError(unknown_name(epoch, t.epochs, "epoch"))
        bounds, e = torch.cat([t.onsets[0], t.end_steps[0, :, None]], dim=1), t.epochs.index(epoch)
        steps = torch.arange(self.n_steps)
        return ((bounds[:, e, None] <= steps) & (steps < bounds[:, e + 1, None])).numpy()


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """What is done to a cue, in this order: it is replaced, scaled, made noisy, comes late, follows another.

    Attributes:
        cue: (B, K) or (B, T, K) in place of the right one; None: the right one.
        strength: factor; 1 is the trained cue.
        noise: standard deviation of Gaussian noise on every context unit, one draw per trial; cue height 1.
        onset_ms: time at which the cue begins.
        switch: name of another task, which the cue names first, and the time (ms) from which it is the right one.
    """

    cue: Any = None
    strength: float = 1.0
    noise: float = 0.0
    onset_ms: float = 0.0
    switch: tuple[str, float] | None = None

    def __post_init__(self) -> None:
        check_numbers(strength=self.strength, noise=self.noise, onset_ms=self.onset_ms)
        if self.switch is None:
            return
        if not isinstance(self.switch, tuple | list) or len(self.switch) != 2:
            raise ValueError(f"switch: expected the name of a task and a time in ms, got {show(self.switch)}")
        check_numbers(switch_ms=self.switch[1])

    @property
    def is_none(self) -> bool:
        """Whether the cue stays as it is."""
        return self.cue is None and self == Disturbance()

    def apply(self, batch: TrialBatch, seeds: Sequence[int]) -> Tensor:
        """The cue (M, B, K) or (M, B, T, K) of M networks with these seeds, which select the noise.

        Raises:
            ValueError: the cue has another shape or is not of finite numbers, or a task is unknown.
        """
        n_steps, dt_ms = batch.trials.inputs.shape[2], batch.trials.dt_ms
        cue = self.strength * self._base(batch)
        cue = cue.expand(len(seeds), *cue.shape)
        if self.noise:
            noise = draw_frozen_noise(seeds, len(batch), cue.shape[-1], "drawn", "cue noise")
            cue = cue + self.noise * (noise if cue.ndim == 3 else noise[:, :, None])
        nothing = torch.zeros(len(seeds), len(batch), cue.shape[-1])
        if self.onset_ms:
            cue = switch_cue(nothing, cue, round(self.onset_ms / dt_ms), n_steps)
        if self.switch is not None:
            task, from_ms = self.switch
            cue = switch_cue(nothing + torch.from_numpy(batch.cue(task)), cue, round(from_ms / dt_ms), n_steps)
        return cue

    def _base(self, batch: TrialBatch) -> Tensor:
        if isinstance(self.cue, str):
            raise ValueError(f"cue: expected numbers, such as trials.cue({self.cue!r}), got {self.cue!r}")
        cue = torch.from_numpy(as_numbers("cue", batch.context if self.cue is None else self.cue))
        per_trial = (len(batch), len(batch.tasks.names))
        per_step = (per_trial[0], batch.trials.inputs.shape[2], per_trial[1])
        if tuple(cue.shape) not in (per_trial, per_step):
            raise ValueError(
                f"cue: expected (trial, context) = {per_trial} or (trial, time, context) = {per_step}, "
                f"got {tuple(cue.shape)}"
            )
        return cue
