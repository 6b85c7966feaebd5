"""Presets: time step, input noise, epoch durations and stimulus strengths of the published task batteries."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Span:
    """A one-dimensional distribution: uniform between two values, or a fair choice among several."""

    values: tuple[float, ...]
    continuous: bool


def between(low: float, high: float) -> Span:
    """Uniform distribution on [low, high)."""
    return Span((float(low), float(high)), continuous=True)


def choice(*values: float) -> Span:
    """Fair choice among the values."""
    return Span(tuple(float(value) for value in values), continuous=False)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings that all tasks of a set share.

    Source: Yang et al. 2019 and Driscoll et al. 2024, the generators in their public repositories. Driscoll et al.
    do not use simultaneous decisions: their preset takes Yang's there. `fast` is ours: Yang's epochs, halved, with
    decisions that never tie. `nm_rnn` has the steps of Costacurta et al. 2024, for `measure_wait_go`.
    """

    dt_ms: float
    tau_ms: float
    sigma_x: float  # input noise, before the scaling by sqrt(2 tau / dt)
    sigma_cue: float  # noise on the cue in training, drawn anew at each step, before the same scaling
    timing: str  # whose epoch durations; a family without them has Yang's
    stretch: float  # factor on every duration
    truncates: bool  # durations are cut to whole steps, as in the public generators; else rounded
    coherence_simultaneous: Span  # half the difference in strength of two simultaneous stimuli
    coherence_sequential: Span  # the same for two successive stimuli
    multi_difference: Span | None  # of `multi`: between the modalities, as a share of the strength; None: as in `ctx`
    n_categorised: int  # directions of the category tasks, evenly spaced; 0: the whole circle

    def to_steps(self, duration_ms: float) -> int:
        """A duration of the unstretched timing in steps."""
        steps = duration_ms * self.stretch / self.dt_ms
        return int(steps) if self.truncates else round(steps)


_YANG = Preset(
    dt_ms=20.0,
    tau_ms=100.0,
    sigma_x=0.01,
    sigma_cue=0.01,
    timing="yang",
    stretch=1.0,
    truncates=True,
    coherence_simultaneous=choice(0.01, 0.02, 0.04, 0.08),
    coherence_sequential=choice(0.08, 0.16, 0.32),
    multi_difference=between(0.2, 0.8),
    n_categorised=10,
)

PRESETS = {
    "yang": _YANG,
    "driscoll": replace(
        _YANG,
        sigma_x=0.1,
        sigma_cue=0.1,
        timing="driscoll",
        coherence_sequential=between(0.005, 0.8),
        multi_difference=between(0.005, 0.8),
        n_categorised=0,
    ),
    "fast": replace(
        _YANG,
        dt_ms=40.0,
        sigma_x=0.02,
        sigma_cue=0.0,
        timing="fast",
        stretch=0.5,
        truncates=False,
        coherence_simultaneous=choice(0.2, 0.4, 0.8),
        coherence_sequential=choice(0.2, 0.4, 0.8),
        multi_difference=None,
    ),
    "nm_rnn": replace(_YANG, dt_ms=10.0, sigma_x=0.0, sigma_cue=0.0, timing="nm_rnn"),
}
