"""How a cue runs over the steps of a trial: it may switch, be noisy, mixed, brief or late, and follow another trial's.

A `CueStream` draws cues for trials by counter, as the trials themselves are: what happens in trial n of a network
depends on the network's seed and on n only. It adds the noise that a preset puts on the cue (`Preset.sigma_cue`), as
the rule inputs of the public generators have. The functions below it build the cues of a test at given levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cemrnn.config import Config
from cemrnn.random import add_noise, fill_trial_keys, fill_uniforms, stream
from cemrnn.tasks import Trials
from cemrnn.tasks.counted import CountedStream

# Per trial: whether, to which and when the cue switches or comes late; whether and from which task it carries over; how
# much of which other cue is mixed in; whether it is brief.
N_UNIFORMS = 8


@dataclass(frozen=True, kw_only=True)
class CueConfig(Config):
    """What may happen to the cue of a trial, beside the noise of its preset; nothing does by default."""

    switch_share: float = 0.0  # of trials whose cue first names another task, and then switches to the right one
    late_share: float = 0.0  # of trials, others than these, whose cue first is the mean of all, which tells nothing
    settle_ms: float = 0.0  # from the latest possible switch to the end of the trial
    carry_share: float = 0.0  # of trials at whose start the modulators are settled at another task's context
    noise_sigma: float = 0.0  # of Gaussian noise on every context unit, drawn anew at each step; cue height 1
    frozen_sigma: float = 0.0  # of such noise, drawn once a trial
    mixture: float = 0.0  # largest share of another task's cue in a cue; all shares from 0 on are equally likely
    brief_share: float = 0.0  # of trials whose cue is the mean of all from some time on
    brief_ms: float = 0.0  # that time, from the start of the trial

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("switch_share", "late_share", "carry_share", "mixture", "brief_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a share between 0 and 1, got {getattr(self, name)}")
        for name in ("settle_ms", "noise_sigma", "frozen_sigma", "brief_ms"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected a number >= 0, got {getattr(self, name)}")
        if (both := self.switch_share + self.late_share) > 1:
            raise ValueError(f"switch_share and late_share: expected at most 1 together, got {both}")

    @property
    def is_plain(self) -> bool:
        """Whether every cue stays as its trial gives it."""
        return self == CueConfig(settle_ms=self.settle_ms, brief_ms=self.brief_ms)


class Cue(NamedTuple):
    """What a network is told in a batch of trials."""

    context: Tensor | None  # (M, B, K) for the whole trial, or (M, B, T, K); None: it is inferred
    previous: Tensor | None  # (M, B, K) context at which the modulators start, 0 at rest; None: all start at rest

    def to(self, device: torch.device) -> Cue:
        """The same cue on another device."""
        return Cue(*(None if x is None else x.to(device) for x in self))


class CueStream(CountedStream):
    """Cues of the trials of M networks; a stream that is drawn along with a `TrialStream`, trial by trial."""

    def __init__(self, config: CueConfig, seeds: Sequence[int], *, name: str) -> None:
        """A stream that begins at trial 0.

        Args:
            config: what may happen to a cue.
            seeds: one per network.
            name: tells this stream from others with the same seed, for example training from evaluation.
        """
        super().__init__(seeds, name)
        self.config = config

    def draw(self, trials: Trials) -> Cue:
        """The cues of the next B trials of every network.

        Args:
            trials: (M, B), on the CPU.
        """
        c, shape = self.config, trials.task.shape
        sigma = math.hypot(c.noise_sigma, trials.cue_sigma)
        if c.is_plain and not sigma:
            self._n_drawn += shape[1]
            return Cue(trials.cue(), None)
        if trials.context.ndim == 4:
            raise ValueError("cue: expected nothing to happen to contexts that move within a trial, got a CueConfig")
        keys = np.empty(shape, np.uint64)
        fill_trial_keys(self.keys("cue"), self._n_drawn, keys)
        uniforms = np.empty((keys.size, N_UNIFORMS))
        fill_uniforms(keys.ravel(), uniforms)
        u = torch.from_numpy(uniforms).unflatten(0, shape)[..., None].unbind(-2)  # (M, B, 1) each
        switches, to, when, carries, from_, mixed, with_, brief = u
        own, nothing = trials.context, weaken_cue(trials.context, 0.0)
        if c.mixture:
            own = mix_cues(own, _pick_other(trials, with_), (c.mixture * mixed).to(own))
        if c.frozen_sigma:
            own = own + c.frozen_sigma * self._draw_frozen(trials)
        first = torch.where(switches < c.switch_share + c.late_share, nothing, own)
        first = torch.where(switches < c.switch_share, _pick_other(trials, to), first)
        latest = (trials.end_steps - round(c.settle_ms / trials.dt_ms)).clamp(min=1)
        context = switch_cue(first, own, 1 + (when[..., 0] * latest).long(), trials.inputs.shape[2])
        steps = torch.arange(context.shape[2])
        if c.brief_share:
            off = (brief < c.brief_share) & (steps >= round(c.brief_ms / trials.dt_ms))  # (M, B, T)
            context = torch.where(off[..., None], nothing[:, :, None], context)
        context = context * (steps >= trials.context_onset_steps[..., None])[..., None]
        if sigma:
            context = context + sigma * draw_step_noise(self.keys("cue noise"), self._n_drawn, trials)
        self._n_drawn += shape[1]
        carried = (carries < c.carry_share) * _pick_other(trials, from_)
        return Cue(context, carried if c.carry_share > 0 else None)

    def _draw_frozen(self, trials: Trials) -> Tensor:
        """Standard normal numbers (M, B, K), one per trial and context."""
        n_networks, n_trials, n_contexts = trials.context.shape
        noise = np.zeros((n_networks, 1, n_trials, n_contexts), np.float32)
        keys, ends = np.empty((n_networks, n_trials), np.uint64), np.ones((n_networks, n_trials), np.int64)
        fill_trial_keys(self.keys("frozen noise"), self._n_drawn, keys)
        add_noise(noise, keys, ends - 1, ends, np.ones(n_contexts, np.float32))
        return torch.from_numpy(noise[:, 0])


def switch_cue(first: Tensor, second: Tensor, switch_steps: Tensor | int, n_steps: int) -> Tensor:
    """Cue (M, B, T, K) that names one context and, from a step on, another.

    Args:
        first: (M, B, K).
        second: (M, B, K) or (M, B, T, K).
        switch_steps: (M, B) or one number, first step of the second.
        n_steps: T.
    """
    switch = torch.as_tensor(switch_steps, device=first.device).expand(first.shape[:2])
    early = torch.arange(n_steps, device=first.device)[:, None] < switch[:, None]  # (M, T, B)
    second = second[:, None] if second.ndim == 3 else second.transpose(1, 2)
    cue = torch.where(early[..., None], first[:, None], second)  # time-major, as trials are
    return cue.transpose(1, 2)


def shorten_cue(context: Tensor, n_on: int, n_steps: int) -> Tensor:
    """Cue (M, B, T, K) that is there for the first n_on steps and then is zero; the context is (M, B, K)."""
    return switch_cue(context, torch.zeros_like(context), n_on, n_steps)


def draw_step_noise(network_keys: np.ndarray, first_trial: int, trials: Trials, n_steps: int | None = None) -> Tensor:
    """Standard normal numbers (M, B, T, K), one per step and context, 0 from the end of a trial on.

    Args:
        network_keys: (M,) uint64, see `derive_keys`.
        first_trial: number of the first of the B trials, which selects the noise together with the key.
        trials: whose lengths and number of contexts count.
    """
    n_networks, n_trials, n_contexts = trials.context.shape
    noise = np.zeros((n_networks, trials.inputs.shape[2], n_trials, n_contexts), np.float32)
    keys, ends = np.empty((n_networks, n_trials), np.uint64), trials.end_steps.cpu().numpy()
    fill_trial_keys(network_keys, first_trial, keys)
    add_noise(noise, keys, np.zeros_like(ends), ends, np.ones(n_contexts, np.float32))
    return torch.from_numpy(noise).transpose(1, 2)


def draw_frozen_noise(seeds: Sequence[int], n_trials: int, n_contexts: int, *names: str) -> Tensor:
    """Standard normal numbers (M, B, K), one draw per trial and context that stays throughout the trial.

    Args:
        seeds: one per network.
        n_trials, n_contexts: B and K.
        names: of the random stream.
    """
    draws = [stream(seed, *names).standard_normal((n_trials, n_contexts)) for seed in seeds]
    return torch.as_tensor(np.stack(draws), dtype=torch.float32)


def centre(noise: Tensor) -> Tensor:
    """Noise (..., K) without its mean over contexts, so that what is told to all contexts alike stays as it was.

    Training shows cues with the sum 1 alone: a change of all of them alike is one that no network has a reason to bear.
    """
    return noise - noise.mean(-1, keepdim=True)


def weaken_cue(own: Tensor, strength: float) -> Tensor:
    """The cue strength own + (1 - strength) mean, between the mean of all K cues, which tells nothing, and its own."""
    return strength * own + (1 - strength) / own.shape[-1]


def mix_cues(own: Tensor, other: Tensor, share: float | Tensor) -> Tensor:
    """The cue (1 - share) own + share other, in between two contexts of the same shape."""
    return (1 - share) * own + share * other


def _pick_other(trials: Trials, uniform: Tensor) -> Tensor:
    """Cue (M, B, K) of a task other than the trial's, all equally likely for a uniform (M, B, 1) number in [0, 1)."""
    n_tasks = trials.context.shape[-1]
    shift = 1 + (uniform[..., 0] * (n_tasks - 1)).long()
    other = (trials.task + shift) % n_tasks
    return torch.nn.functional.one_hot(other, n_tasks).to(trials.context.dtype)
