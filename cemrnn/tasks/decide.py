"""Decide tasks: two stimuli of different strength, answer towards the stronger one.

In the `mod` tasks one modality is shown. In the `ctx` and `multi` tasks both are, with the same two directions
and strengths of their own; `ctx` compares strengths in one modality, `multi` their sums over both.

All three share one distribution. Both modalities draw mean, coherence and sign; only where the two signs differ
is the second coherence drawn among the *other* values, because equal ones would leave `multi` without an answer.
The signs stay fair and independent, so that ignoring the context still caps the `ctx` tasks at 75 %.

Two simultaneous stimuli in one modality add up. With the cosine encoding only their vector sum reaches the
network, which does not determine the stronger direction: by Monte Carlo, a reader that knows the sum exactly answers
at most 88 % (`fast`) or 51 % (`yang`) of the simultaneous `mod` trials within 36 degrees. They want the ring encoding.
"""

from __future__ import annotations

import functools

import numpy as np

from cemrnn.random import compiled
from cemrnn.tasks.family import Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, between, choice

_STIMULUS1, _DELAY1, _STIMULUS2, _DELAY2 = range(1, 5)  # indices into EPOCHS
_TIE = 1e-9  # strengths closer than this differ by rounding only


def draw_pair(rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, preset: Preset, *, simultaneous: bool) -> None:
    """Give the trials two directions, with strengths mean +- coherence in each modality.

    Source: Yang et al. 2019, methods; where `multi` differs, see the module.

    Args:
        rows: which of the P trials.
        uniforms: (P, 8 or more) in [0, 1).
        stimuli: to be filled.
        preset: gives the coherences.
        simultaneous: which of the preset's two sets of coherences.
    """
    span = preset.coherence_simultaneous if simultaneous else preset.coherence_sequential
    _draw_pair(rows, uniforms, np.array(span.values), span.continuous, *stimuli)


@compiled()
def _draw_pair(rows, uniforms, coherences, continuous, direction_rad, strength):
    """Separation U(pi / 2, 3 pi / 2), mean strength U(.8, 1.2), fair signs, coherences as given."""
    for p in rows:
        u = uniforms[p]
        direction_rad[p, 0] = 2 * np.pi * u[0]
        direction_rad[p, 1] = (direction_rad[p, 0] + np.pi / 2 + np.pi * u[1]) % (2 * np.pi)
        opposed = (u[4] < 0.5) != (u[5] < 0.5)
        coherence = _draw_coherences(u[6], u[7], coherences, continuous, opposed)
        for modality in range(2):
            mean = 0.8 + 0.4 * u[2 + modality]
            half = -coherence[modality] if u[4 + modality] < 0.5 else coherence[modality]
            strength[p, modality, 0], strength[p, modality, 1] = mean + half, mean - half


@compiled()
def _draw_coherences(u, v, coherences, continuous, opposed):
    """Coherences of the two modalities; never equal where the signs are opposed."""
    if continuous:
        low, high = coherences[0], coherences[1]
        return low + (high - low) * u, low + (high - low) * v
    n = len(coherences)
    first = int(u * n)
    second = (first + 1 + int(v * (n - 1))) % n if opposed else int(v * n)
    return coherences[first], coherences[second]


@compiled()
def choose(direction_rad, strength, parameters, answers, defined):
    """Direction of the stimulus with the greater weighted strength.

    Undefined where fewer than two directions are shown or no weighted strength differs.

    Args:
        direction_rad, strength: the stimuli of P trials.
        parameters: (n, 2) weight of each modality.
        answers: (n, P), filled with directions, rad.
        defined: (n, P), filled.
    """
    for i in range(len(parameters)):
        for p in range(len(direction_rad)):
            difference = 0.0
            for modality in range(2):
                difference += parameters[i, modality] * (strength[p, modality, 0] - strength[p, modality, 1])
            first, second = direction_rad[p, 0], direction_rad[p, 1]
            answers[i, p] = first if difference > 0 else second
            defined[i, p] = not np.isnan(first + second) and abs(difference) > _TIE


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
    (shown, order): Family(timing, draw, 8, windows, shown=_SHOWN[shown])
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
