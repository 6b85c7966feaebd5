"""Decide tasks: two stimuli of different strength, answer towards the stronger one.

In the `mod` tasks one modality is shown. In the `ctx` and `multi` tasks both are, with the same two directions
and strengths of their own; `ctx` compares strengths in one modality, `multi` their sums over both.

All three share one distribution. Both modalities draw mean, coherence and sign; only where the two signs differ
is the second coherence drawn among the *other* values, because equal ones would leave `multi` without an answer.
The signs stay fair and independent, so that ignoring the context still caps the `ctx` tasks at 75 %.

Two simultaneous stimuli in one modality add up. With the cosine encoding only their vector sum reaches the
network, which does not determine the stronger direction: these tasks want `encoding="ring"`.
"""

from __future__ import annotations

import functools

import numpy as np

from cemrnn.tasks.family import Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, Span, between, choice

_STIMULUS1, _DELAY1, _STIMULUS2, _DELAY2 = range(1, 5)  # indices into EPOCHS
_MEAN_STRENGTH = between(0.8, 1.2)
_SEPARATION_RAD = between(np.pi / 2, 3 * np.pi / 2)
_TIE = 1e-9  # strengths closer than this differ by rounding only


def draw_pair(uniforms: np.ndarray, preset: Preset, *, simultaneous: bool) -> Stimuli:
    """Two directions a quarter turn or more apart, with strengths mean +- coherence in each modality.

    Source: Yang et al. 2019, methods; where `multi` differs, see the module.

    Args:
        uniforms: (P, 8) in [0, 1).
        preset: gives the coherences.
        simultaneous: which of the preset's two sets of coherences.

    Returns:
        Stimuli of P trials.
    """
    span = preset.coherence_simultaneous if simultaneous else preset.coherence_sequential
    first = 2 * np.pi * uniforms[:, 0]
    direction = np.stack([first, (first + _SEPARATION_RAD.at(uniforms[:, 1])) % (2 * np.pi)], axis=1)
    mean = _MEAN_STRENGTH.at(uniforms[:, 2:4])  # (P, modality)
    sign = np.where(uniforms[:, 4:6] < 0.5, -1.0, 1.0)
    half = sign * _draw_coherences(uniforms[:, 6:8], span, sign[:, 0] != sign[:, 1])
    strength = np.stack([mean + half, mean - half], axis=2)  # (P, modality, stimulus)
    return Stimuli(direction, strength)


def _draw_coherences(uniforms: np.ndarray, span: Span, opposed: np.ndarray) -> np.ndarray:
    """Coherences (P, 2) of the two modalities; never equal where the signs are opposed."""
    if span.continuous:
        return span.at(uniforms)
    first, second = span.index(uniforms).T
    n_values = len(span.values)
    other = (first + 1 + (uniforms[:, 1] * (n_values - 1)).astype(np.int64)) % n_values
    return np.asarray(span.values)[np.stack([first, np.where(opposed, other, second)], axis=1)]


def choose(stimuli: Stimuli, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction of the stimulus with the greater weighted strength.

    Undefined where fewer than two directions are shown or no weighted strength differs.

    Args:
        stimuli: of P trials.
        parameters: (n, 2) weight of each modality.

    Returns:
        (n, P) directions, rad, and (n, P) whether they are defined.
    """
    first, second = stimuli.direction_rad.T
    difference = parameters @ (stimuli.strength[:, :, 0] - stimuli.strength[:, :, 1]).T  # (n, 2) @ (2, P)
    return np.where(difference > 0, first, second), ~np.isnan(first + second) & (np.abs(difference) > _TIE)


# Durations in ms. Source: Yang et al. 2019 and Driscoll et al. 2024, from their public repositories.
_SIMULTANEOUS = {
    "yang": {
        "fixation": between(100, 400),
        "stimulus1": choice(400, 800, 1600),
        "response": choice(500),
    }
}
_SEQUENTIAL = {
    "yang": {
        "fixation": choice(200, 400, 600),
        "stimulus1": choice(200, 400, 600),
        "delay1": choice(200, 400, 800, 1600),
        "stimulus2": choice(200, 400, 600),
        "delay2": between(100, 300),
        "response": choice(500),
    },
    "driscoll": {
        "fixation": between(200, 600),
        "stimulus1": between(200, 1600),
        "delay1": between(200, 1600),
        "stimulus2": between(200, 1600),
        "delay2": between(100, 300),
        "response": between(300, 700),
    },
}


_FIRST, _SECOND = Window(_STIMULUS1, _DELAY1), Window(_STIMULUS2, _DELAY2)
_ORDERS = {
    "simultaneous": (_SIMULTANEOUS, functools.partial(draw_pair, simultaneous=True), (_FIRST, _FIRST)),
    "sequential": (_SEQUENTIAL, functools.partial(draw_pair, simultaneous=False), (_FIRST, _SECOND)),
}
_SHOWN = {"mod1": (True, False), "mod2": (False, True), "both": (True, True)}
_FAMILIES = {
    (shown, order): Family(f"decide_{shown}_{order}", timing, draw, 8, windows, shown=_SHOWN[shown])
    for order, (timing, draw, windows) in _ORDERS.items()
    for shown in _SHOWN
}

TASKS = {
    f"decide_{name}_{order}": Task(_FAMILIES[shown, order], choose, weights)
    for order in _ORDERS
    for name, shown, weights in (
        ("mod1", "mod1", (1.0, 0.0)),
        ("mod2", "mod2", (0.0, 1.0)),
        ("ctx1", "both", (1.0, 0.0)),
        ("ctx2", "both", (0.0, 1.0)),
        ("multi", "both", (1.0, 1.0)),
    )
}
