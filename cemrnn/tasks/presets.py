"""Presets: time step, input noise, epoch durations and stimulus strengths of the published task batteries."""

from __future__ import annotations

from dataclasses import dataclass


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

    Source: Yang et al. 2019 and Driscoll et al. 2024, the settings in their public repositories. Driscoll et al.
    do not use simultaneous decisions: their preset takes Yang's there. `fast` is ours: Yang's epochs, halved.
    """

    dt_ms: float
    tau_ms: float
    sigma_x: float  # input noise, before the scaling by sqrt(2 tau / dt)
    timing: str  # which published epoch durations: "yang" or "driscoll"
    stretch: float  # factor on every duration
    coherence_simultaneous: Span  # half the difference in strength of two simultaneous stimuli
    coherence_sequential: Span  # the same for two successive stimuli


PRESETS = {
    "yang": Preset(
        dt_ms=20.0,
        tau_ms=100.0,
        sigma_x=0.01,
        timing="yang",
        stretch=1.0,
        coherence_simultaneous=choice(0.01, 0.02, 0.04, 0.08),
        coherence_sequential=choice(0.08, 0.16, 0.32),
    ),
    "driscoll": Preset(
        dt_ms=20.0,
        tau_ms=100.0,
        sigma_x=0.1,
        timing="driscoll",
        stretch=1.0,
        coherence_simultaneous=choice(0.01, 0.02, 0.04, 0.08),
        coherence_sequential=between(0.005, 0.8),
    ),
    "fast": Preset(
        dt_ms=40.0,
        tau_ms=100.0,
        sigma_x=0.02,
        timing="yang",
        stretch=0.5,
        coherence_simultaneous=choice(0.2, 0.4, 0.8),
        coherence_sequential=choice(0.2, 0.4, 0.8),
    ),
}
