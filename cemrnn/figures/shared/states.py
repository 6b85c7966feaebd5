"""States that trained networks visit in their tasks, and constant inputs under which their dynamics are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.figures.shared.battery import BatteryConfig, draw_fresh
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.random import stream
from cemrnn.tasks import TaskSet
from cemrnn.tasks.encoding import encode_stimuli
from cemrnn.tasks.family import EPOCHS, Stimuli


@dataclass(frozen=True)
class Visited:
    """What the networks of one arm go through, on the same trials for every arm at a given replicate."""

    rates: np.ndarray  # (M, B, T, N) states
    inputs: np.ndarray  # (M, B, T, I) what the network received
    task: np.ndarray  # (B,) index of each trial's task
    epoch: np.ndarray  # (M, B, T) index into EPOCHS; -1 after the end of the trial
    seeds: list[int]  # (M,) of the networks

    def states(self, network: int, task: int | None = None, part: slice = slice(None)) -> np.ndarray:
        """(S, N) all states of a network, in one task or in all; `part` picks among the trials of the task."""
        trials = np.flatnonzero(self.task == task)[part] if task is not None else np.arange(len(self.task))[part]
        return self.rates[network, trials][self.epoch[network, trials] >= 0]

    def draw(self, network: int, task: int, n_states: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """States (n, N) and their inputs (n, I) from random steps of random trials of a task; alike in every arm."""
        trials = np.flatnonzero(self.task == task)
        trial, step = np.nonzero(self.epoch[network, trials] >= 0)
        picked = stream(self.seeds[network], "dynamics", name, str(task)).integers(len(trial), size=n_states)
        where = network, trials[trial[picked]], step[picked]
        return self.rates[where], self.inputs[where]

    def epoch_means(self, network: int) -> np.ndarray:
        """(B, E, N) mean rate in every epoch of every trial; NaN where a trial lacks an epoch."""
        means = np.full((len(self.task), len(EPOCHS), self.rates.shape[-1]), np.nan)
        for e in range(len(EPOCHS)):
            inside = self.epoch[network] == e  # (B, T)
            n_steps, some = inside.sum(axis=1), inside.any(axis=1)
            total = (self.rates[network] * inside[..., None]).sum(axis=1)  # (B, N)
            means[some, e] = total[some] / n_steps[some, None]
        return means


def visit(model: CEMRNN, config: BatteryConfig, seeds: list[int], n_trials: int) -> Visited:
    """States on fresh trials of every task, with the noise of the task and of the network.

    Args:
        model: M networks.
        config: tasks.
        seeds: (M,) of the networks, for trials and noise.
        n_trials: per task.
    """
    trials = draw_fresh(config.task_set, seeds, n_trials).to(model.flat.device)
    noise = NoiseStream(seeds, name="dynamics", device=model.flat.device)
    _, rates = model.simulate(trials.inputs, trials.cue(), noise=noise, lengths=trials.end_steps, keep_rates=True)
    steps = np.arange(trials.inputs.shape[2])
    onsets, ends = trials.onsets.cpu().numpy(), trials.end_steps.cpu().numpy()
    epoch = (onsets[..., None] <= steps).sum(axis=2) - 1  # (M, B, T)
    return Visited(
        rates=rates.cpu().numpy(),
        inputs=trials.inputs.cpu().numpy(),
        task=trials.task[0].cpu().numpy(),
        epoch=np.where(steps < ends[..., None], epoch, -1),
        seeds=seeds,
    )


def constant_inputs(tasks: TaskSet, n_directions: int) -> pd.DataFrame:
    """The inputs under which points are searched: one row each, with its epoch and its values.

    `fixation` is the input before the stimulus and in delays; `stimulus` shows one direction in one modality on top;
    `response` is no input, as after the go cue of a memory task.

    Args:
        tasks: kind of answer and encoding.
        n_directions: of stimuli per modality, evenly spaced from 0.

    Returns:
        Columns epoch, direction_rad, modality and inputs, an array (I,).

    Raises:
        ValueError: the tasks do not ask for directions.
    """
    if tasks.answer_kind != "direction":
        raise ValueError(f"tasks: expected answers of kind 'direction', got '{tasks.answer_kind}'")
    direction, modality = (
        x.ravel() for x in np.meshgrid(2 * np.pi * np.arange(n_directions) / n_directions, [0, 1], indexing="ij")
    )
    strength = np.zeros((len(direction), 2, 2))
    strength[np.arange(len(direction)), modality, 0] = 1
    both = np.stack([direction, np.full(len(direction), np.nan)], axis=1)
    fixation, stimulus, _ = np.moveaxis(encode_stimuli(Stimuli(both, strength), tasks), 1, 0)  # (P, I) each
    rows = [{"epoch": "fixation", "inputs": fixation[0]}]
    rows += [
        {"epoch": "stimulus", "direction_rad": d, "modality": m, "inputs": f + s}
        for d, m, f, s in zip(direction, modality, fixation, stimulus, strict=True)
    ]
    return pd.DataFrame([*rows, {"epoch": "response", "inputs": np.zeros_like(fixation[0])}])
