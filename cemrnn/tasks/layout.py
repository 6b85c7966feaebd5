"""From plans to trials: where each event begins and ends, and the tensors that show it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cemrnn.random import add_noise, next_keys
from cemrnn.system.threads import run_on_threads, split_evenly
from cemrnn.tasks.encoding import encode_answers, encode_stimuli
from cemrnn.tasks.family import END, EPOCHS, Window
from cemrnn.tasks.integrate import STREAM_SIGMA
from cemrnn.tasks.planning import TrialPlan
from cemrnn.tasks.rendering import render_events, render_weights
from cemrnn.tasks.taskset import TaskSet
from cemrnn.tasks.trials import Trials

GRACE_MS = 100.0  # not weighted after the start and after go; source: Yang et al. 2019
_RESPONSE = EPOCHS.index("response")
_HOLD = np.array([np.nan])  # the answer of keeping fixation


class Events(NamedTuple):
    """What render_events takes, besides what it fills."""

    features: np.ndarray  # (M, B, event, feature) float32
    on: np.ndarray  # (M, B, event) int64
    off: np.ndarray  # (M, B, event) int64


class Layout:
    """Lays out plans of a set of tasks in time; its tables hold one row per task."""

    def __init__(self, tasks: TaskSet) -> None:
        self._tasks = tasks
        families = [task.family for task in tasks.tasks]
        fixation = [Window(0, _RESPONSE if family.go_cue else END) for family in families]
        windows = [(first, *family.windows) for first, family in zip(fixation, families, strict=True)]
        self._windows = np.array(windows).reshape(len(families), -1)  # (K, event * 2)
        self._context_epoch = np.array([family.context_epoch for family in families])  # (K,)
        self._sigma = np.full(tasks.n_inputs, tasks.sigma_x * tasks.noise_scale, np.float32)
        self._stream_sigma = np.array([0, STREAM_SIGMA, STREAM_SIGMA], np.float32) * np.float32(tasks.noise_scale)
        self._output_weights = torch.ones(tasks.n_outputs)
        self._render = families[0].render
        if self._render is None:
            self._output_weights[0] = 2.0

    def lay_out(self, plan: TrialPlan, noise_keys: np.ndarray) -> Trials:
        """Trials (M, B) from the plans of M * B trials.

        Args:
            plan: of P = M * B trials, network by network.
            noise_keys: (M, B) uint64, one per trial.
        """
        rows, shape = np.arange(len(plan.task)), noise_keys.shape
        inputs, targets, weights = self._fill(plan, noise_keys)
        context = np.zeros((len(rows), self._tasks.n_contexts), np.float32)
        context[rows, plan.task] = 1
        per_trial = {
            "context": context,
            "context_onset_steps": plan.onsets[rows, self._context_epoch[plan.task]],
            "task": plan.task,
            "onsets": plan.onsets[:, :END],
            "go_steps": plan.onsets[:, _RESPONSE],
            "end_steps": plan.onsets[:, END],
            "response": plan.response.astype(np.float32),
            "alternative": plan.alternative.astype(np.float32),
            "alternative_defined": plan.defined,
        }
        return Trials(
            inputs=inputs,
            targets=targets,
            weights=weights,
            output_weights=self._output_weights,
            epochs=EPOCHS,
            answer_kind=self._tasks.answer_kind,
            dt_ms=self._tasks.dt_ms,
            cue_sigma=self._tasks.cue_sigma,
            **{name: torch.from_numpy(array.reshape(*shape, *array.shape[1:])) for name, array in per_trial.items()},
        )

    def held_inputs(self, plan: TrialPlan, epoch: int) -> np.ndarray:
        """Inputs (P, I) without noise while an epoch (index into EPOCHS) lasts: fixation and the stimuli shown then."""
        on, off = np.moveaxis(self._windows[plan.task].reshape(len(plan.task), -1, 2), 2, 0)  # (P, event) each
        shown = (on <= epoch) & (epoch < off)
        return (encode_stimuli(plan.stimuli, self._tasks) * shown[..., None]).sum(axis=1)

    def _fill(self, plan: TrialPlan, noise_keys: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (M, B, T, I), targets (M, B, T, O) and weights (M, B, T), time-major in memory."""
        (m, b), n_steps = noise_keys.shape, int(plan.onsets[:, END].max())
        tasks, sizes = self._tasks, ((self._tasks.n_inputs,), (self._tasks.n_outputs,), ())
        inputs, targets, weights = (np.empty((m, n_steps, b, *size), np.float32) for size in sizes)
        shown, answers = self._find_events(plan, (m, b))
        start, go, end = answers.on[..., 0], answers.on[..., 1], answers.off[..., 1]
        grace = round(GRACE_MS / tasks.dt_ms)

        def render(networks: slice) -> None:
            keys = noise_keys[networks]
            render_events(inputs[networks], *(array[networks] for array in shown))
            add_noise(inputs[networks], keys, start[networks], end[networks], self._sigma)
            if tasks.answer_kind == "sign":
                on, off = shown.on[networks, :, 1], shown.off[networks, :, 1]
                add_noise(inputs[networks], next_keys(keys.ravel()).reshape(-1, b), on, off, self._stream_sigma)
            render_events(targets[networks], *(array[networks] for array in answers))
            render_weights(weights[networks], go[networks], end[networks], grace)

        run_on_threads(render, split_evenly(m))
        if self._render is not None:
            drawn = self._render(plan.stimuli, plan.response, plan.onsets[:, END], n_steps)  # (P, T, I), (P, T, O)
            own_inputs, own_targets = (array.reshape(m, b, n_steps, -1).swapaxes(1, 2) for array in drawn)
            inputs += own_inputs
            targets[:] = own_targets
        return tuple(torch.from_numpy(array).transpose(1, 2) for array in (inputs, targets, weights))

    def _find_events(self, plan: TrialPlan, shape: tuple[int, int]) -> tuple[Events, Events]:
        """What the inputs show: fixation and two stimuli; and what the targets show: fixation, then the answer."""
        kind, windows = self._tasks.answer_kind, self._windows[plan.task]  # (P, event * 2)
        steps = np.take_along_axis(plan.onsets, windows, axis=1).reshape(*shape, -1, 2)
        stimuli = encode_stimuli(plan.stimuli, self._tasks)  # (P, event, I)
        shown = Events(stimuli.reshape(*shape, *stimuli.shape[1:]), *np.ascontiguousarray(np.moveaxis(steps, 3, 0)))
        answers = np.empty((len(plan.task), 2, self._tasks.n_outputs), np.float32)  # (P, event, O)
        answers[:, 0], answers[:, 1] = encode_answers(_HOLD, kind), encode_answers(plan.response, kind)
        edges = plan.onsets[:, [0, _RESPONSE, END]].reshape(*shape, 3)
        on, off = np.ascontiguousarray(edges[..., :2]), np.ascontiguousarray(edges[..., 1:])
        return shown, Events(answers.reshape(*shape, *answers.shape[1:]), on, off)
