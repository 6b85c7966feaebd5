"""From plans to trials: where each event begins and ends, and the tensors that show it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cemrnn.tasks.counter import next_keys
from cemrnn.tasks.encoding import encode_answers, encode_stimuli
from cemrnn.tasks.family import END, EPOCHS, Window
from cemrnn.tasks.flipflop import hold_states
from cemrnn.tasks.integrate import STREAM_SIGMA
from cemrnn.tasks.plan import Plan
from cemrnn.tasks.rendering import add_noise, render_events, render_weights
from cemrnn.tasks.taskset import TaskSet
from cemrnn.tasks.trials import Trials

_GRACE_MS = 100.0  # not weighted after the start and after go; source: Yang et al. 2019
_RESPONSE = EPOCHS.index("response")


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
        if tasks.answer_kind != "bits":
            self._output_weights[0] = 2.0

    def lay_out(self, plan: Plan, noise_keys: np.ndarray) -> Trials:
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
            **{name: torch.from_numpy(array.reshape(*shape, *array.shape[1:])) for name, array in per_trial.items()},
        )

    def _fill(self, plan: Plan, noise_keys: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (M, B, T, I), targets (M, B, T, O) and weights (M, B, T), time-major in memory."""
        m, b = noise_keys.shape
        go, ends = (plan.onsets[:, i].reshape(m, b) for i in (_RESPONSE, END))
        n_steps = int(ends.max())
        inputs, targets, weights = (
            np.empty((m, n_steps, b, *size), np.float32)
            for size in ((self._tasks.n_inputs,), (self._tasks.n_outputs,), ())
        )
        self._fill_inputs(inputs, plan, noise_keys, ends)
        if self._tasks.answer_kind == "bits":
            pulses, states = hold_states(plan.stimuli, plan.onsets[:, END], n_steps)  # (P, T, 3) each
            inputs += pulses.reshape(m, b, n_steps, -1).swapaxes(1, 2)
            targets[:] = states.reshape(m, b, n_steps, -1).swapaxes(1, 2)
        else:
            self._fill_targets(targets, plan, go, ends)
        render_weights(weights, go, ends, round(_GRACE_MS / self._tasks.dt_ms))
        return tuple(torch.from_numpy(array).transpose(1, 2) for array in (inputs, targets, weights))

    def _fill_inputs(self, inputs: np.ndarray, plan: Plan, noise_keys: np.ndarray, ends: np.ndarray) -> None:
        shape, windows = noise_keys.shape, self._windows[plan.task]  # (P, event * 2)
        features = encode_stimuli(plan.stimuli, self._tasks)  # (P, event, I)
        steps = np.take_along_axis(plan.onsets, windows, axis=1)
        on, off = steps.reshape(*shape, -1, 2).transpose(3, 0, 1, 2)  # (M, B, event) each
        render_events(inputs, features.reshape(*shape, *features.shape[1:]), on, off)
        add_noise(inputs, noise_keys, np.zeros_like(ends), ends, self._sigma)
        if self._tasks.answer_kind == "sign":
            keys = next_keys(noise_keys.ravel()).reshape(shape)
            add_noise(inputs, keys, on[:, :, 1].copy(), off[:, :, 1].copy(), self._stream_sigma)

    def _fill_targets(self, targets: np.ndarray, plan: Plan, go: np.ndarray, ends: np.ndarray) -> None:
        hold, answer = np.array([np.nan]), plan.response
        features = np.empty((*go.shape, 2, targets.shape[-1]), np.float32)  # before and after go
        features[:, :, 0] = encode_answers(hold, self._tasks.answer_kind)
        features[:, :, 1] = encode_answers(answer, self._tasks.answer_kind).reshape(*go.shape, -1)
        render_events(targets, features, np.stack([np.zeros_like(go), go], 2), np.stack([go, ends], 2))
