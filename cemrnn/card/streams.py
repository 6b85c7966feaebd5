"""Streams whose trials and cues are filled on a card, from plans that the CPU makes; they go on from each other's."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import logging
import math
from collections.abc import Sequence
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from cemrnn.card.transfer import send
from cemrnn.random import fill_trial_keys, next_keys
from cemrnn.tasks import OwnTasks, TaskSet, Trials, TrialStream, layout, open_stream
from cemrnn.tasks.cues import Cue, CueConfig, CueStream
from cemrnn.tasks.layout import Events, Layout
from cemrnn.tasks.planning import TrialPlan
from cemrnn.tasks.rendering import EARLY, LATE

log = logging.getLogger(__name__)


class CardLayout(Layout):
    """Lays out plans in time on a card; trials have inputs, targets and weights there, and all else on the CPU."""

    def __init__(self, tasks: TaskSet, device: torch.device) -> None:
        super().__init__(tasks)
        self._device = device

    def _fill(self, plan: TrialPlan, noise_keys: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (M, B, T, I), targets (M, B, T, O) and weights (M, B, T), time-major in memory."""
        on_card, (m, b), n_steps = _rendering(), noise_keys.shape, int(plan.onsets[:, -1].max())
        fill = functools.partial(on_card.fill, (m, n_steps, b), device=self._device)
        shown, answers = self._find_events(plan, (m, b))
        start, go, end = answers.on[..., 0], answers.on[..., 1], answers.off[..., 1]
        grace = round(layout.GRACE_MS / self._tasks.dt_ms)
        weighted = Events(
            np.tile(np.array([[EARLY], [LATE]], np.float32), (m, b, 1, 1)),
            np.stack([np.full_like(go, grace), go + grace], axis=2),
            np.stack([go, end], axis=2),
        )
        inputs = fill(shown, on_card.Noise(noise_keys, start, end, self._sigma))
        if self._tasks.answer_kind == "sign":
            keys = next_keys(noise_keys.ravel()).reshape(m, b)
            on_card.add_noise(inputs, on_card.Noise(keys, shown.on[..., 1], shown.off[..., 1], self._stream_sigma))
        targets, weights = fill(answers, None), fill(weighted, None)[..., 0]
        if self._render is not None:
            drawn = self._render(plan.stimuli, plan.response, plan.onsets[:, -1], n_steps)  # (P, T, I), (P, T, O)
            own = [torch.from_numpy(x.reshape(m, b, n_steps, -1).swapaxes(1, 2).astype(np.float32)) for x in drawn]
            inputs += send(own[0], self._device)
            targets.copy_(send(own[1], self._device))
        return tuple(tensor.transpose(1, 2) for tensor in (inputs, targets, weights))


class CardTrialStream(TrialStream):
    """A `TrialStream` with the same trials, which `CardLayout` lays out."""

    def __init__(self, tasks: TaskSet, seeds: Sequence[int], *, name: str, device: torch.device) -> None:
        super().__init__(tasks, seeds, name=name)
        self._layout = CardLayout(tasks, device)


class CardCueStream(CueStream):
    """A `CueStream` with the same cues, to which the noise of every step is added on a card.

    Of trials of a `TaskSet`. What else happens to a cue within a trial is laid out on the CPU, and copied.
    """

    def __init__(self, config: CueConfig, seeds: Sequence[int], *, name: str, device: torch.device) -> None:
        super().__init__(dataclasses.replace(config, noise_sigma=0.0), seeds, name=name)
        self._noise_sigma, self._device = config.noise_sigma, device

    def draw(self, trials: Trials) -> Cue:
        """The cues of the next B trials of every network; trials are (M, B), all but what is filled on the CPU."""
        first_trial, sigma = self._n_drawn, math.hypot(self._noise_sigma, trials.cue_sigma)
        cue = super().draw(dataclasses.replace(trials, cue_sigma=0.0))
        if not sigma:
            return cue
        keys = np.empty(tuple(trials.task.shape), np.uint64)
        fill_trial_keys(self.keys("cue noise"), first_trial, keys)
        ends = trials.end_steps.numpy()
        deviations = np.full(trials.context.shape[2], sigma, np.float32)
        noise = _rendering().Noise(keys, np.zeros_like(ends), ends, deviations)
        return cue._replace(context=self._add_noise(cue.context, noise, trials.inputs.shape[2]))

    def _add_noise(self, context: Tensor, noise, n_steps: int) -> Tensor:
        """Context (M, B, T, K), time-major in memory, from one without noise, (M, B, K) or (M, B, T, K)."""
        if context.ndim == 4:
            moving = send(context.transpose(1, 2).contiguous(), self._device)
            _rendering().add_noise(moving, noise)
            return moving.transpose(1, 2)
        n_networks, n_trials, _ = context.shape
        always = np.zeros((n_networks, n_trials, 1), np.int64)
        shown = Events(context[:, :, None].numpy(), always, always + n_steps)
        return _rendering().fill((n_networks, n_steps, n_trials), shown, noise, self._device).transpose(1, 2)


def open_streams(
    tasks: TaskSet | OwnTasks, cue: CueConfig, seeds: Sequence[int], *, name: str, device: torch.device
) -> tuple[TrialStream, CueStream]:
    """The named streams of trials and of their cues: on the card, but for own tasks, and where Triton refuses."""
    if isinstance(tasks, TaskSet):
        streams = _open_on_card(tasks, cue, seeds, name, device)
        if streams is not None:
            return streams
    return open_stream(tasks, seeds, name=name), CueStream(cue, seeds, name=name)


def _open_on_card(tasks, cue, seeds, name, device) -> tuple[CardTrialStream, CardCueStream] | None:
    """Both streams, after trials were drawn from others like them; None, and a line in the log, if that fails."""

    def make(seeds: Sequence[int]) -> tuple[CardTrialStream, CardCueStream]:
        return (
            CardTrialStream(tasks, seeds, name=name, device=device),
            CardCueStream(cue, seeds, name=name, device=device),
        )

    try:
        trials, cues = make(seeds[:1])
        cues.draw(trials.draw(tasks.n_contexts, np.arange(tasks.n_contexts)))
    except torch.OutOfMemoryError:
        raise
    except Exception as problem:  # whatever Triton, its compiler or the driver refuses with
        _warn_once(device, " ".join(f"{type(problem).__name__}: {problem}".split())[:200])
        return None
    return make(seeds)


def _rendering() -> ModuleType:
    """Calls of the kernel; nothing else imports Triton."""
    return importlib.import_module("cemrnn.card.rendering")


@functools.cache
def _warn_once(device: torch.device, reason: str) -> None:
    log.warning("trials are filled on the CPU and copied to %s (%s)", device, reason)
