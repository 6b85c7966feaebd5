"""Decide tasks: two stimuli of different strength, answer towards the stronger one.

In the `mod` tasks one modality is shown. In the `ctx` and `multi` tasks both are, with the same two directions
and strengths of their own; `ctx` compares strengths in one modality, `multi` their sums over both.

As in the public generators, `ctx` draws mean, coherence and sign of each modality by themselves, and `multi` splits
the strength of each stimulus unequally among the modalities. In the preset `fast` all three share one distribution:
that of `ctx`, but where the signs differ the second coherence is drawn among the *other* values, because equal ones
would leave `multi` without an answer. The signs are fair and independent everywhere, so that ignoring the context
caps the `ctx` tasks at 75 %.

Two simultaneous stimuli in one modality add up. With the cosine encoding only their vector sum reaches the
network, which does not determine the stronger direction: by Monte Carlo, a reader that knows the sum exactly answers
at most 88 % (`fast`) or 51 % (`yang`) of the simultaneous `mod` trials within 36 degrees. They want the ring encoding.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from cemrnn.tasks.family import Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, Span, between, choice

_STIMULUS1, _DELAY1, _STIMULUS2, _DELAY2 = range(1, 5)  # indices into EPOCHS
_TIE = 1e-9  # strengths closer than this differ by rounding only


def draw_pair(rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, preset: Preset, *, simultaneous: bool) -> None:
    """Give the trials two directions, with strengths mean +- coherence in each modality.

    Source: Yang et al. 2019, from their public repository; where `fast` differs, see the module.

    Args:
        rows, uniforms, stimuli, preset: see `DrawStimuli`; 8 uniform numbers are needed.
        simultaneous: which of the preset's two sets of coherences.
    """
    span = preset.coherence_simultaneous if simultaneous else preset.coherence_sequential
    u = uniforms[rows]
    first = 2 * np.pi * u[:, 0]
    stimuli.direction_rad[rows] = np.stack([first, (first + np.pi / 2 + np.pi * u[:, 1]) % (2 * np.pi)], axis=1)
    mean, sign = 0.8 + 0.4 * u[:, 2:4], np.where(u[:, 4:6] < 0.5, -1.0, 1.0)  # (P, modality)
    apart = (sign[:, 0] != sign[:, 1]) & (preset.multi_difference is None)
    half = sign * _draw_coherences(u[:, 6:8], span, apart)
    stimuli.strength[rows] = np.stack([mean + half, mean - half], axis=2)


def _draw_coherences(u: np.ndarray, span: Span, apart: np.ndarray) -> np.ndarray:
    """Coherences (P, modality); two different ones of a choice where they have to be apart (P,)."""
    values, n = np.array(span.values), len(span.values)
    if span.continuous:
        return values[0] + (values[1] - values[0]) * u
    first = (u[:, 0] * n).astype(np.int64)
    other = (first + 1 + (u[:, 1] * (n - 1)).astype(np.int64)) % n
    return values[np.stack([first, np.where(apart, other, (u[:, 1] * n).astype(np.int64))], axis=1)]


def draw_split(rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, preset: Preset, *, simultaneous: bool) -> None:
    """Give the trials two directions, with strengths mean +- coherence that the modalities have unequal parts of.

    Arguments and source as for `draw_pair`. A stimulus of strength s has s (1 + d / 2) in one modality and
    s (1 - d / 2) in the other, with d as `preset.multi_difference` says, and which one at random.
    """
    draw_pair(rows, uniforms, stimuli, preset, simultaneous=simultaneous)
    if preset.multi_difference is None:
        return
    low, high = preset.multi_difference.values
    signed = 2 * uniforms[rows][:, [3, 5]] - 1  # (P, stimulus), which the first modality does not need
    half = np.sign(signed) * (low + (high - low) * np.abs(signed)) / 2
    stimuli.strength[rows] = stimuli.strength[rows, :1] * np.stack([1 + half, 1 - half], axis=1)


def choose(
    direction_rad: np.ndarray, strength: np.ndarray, parameters: np.ndarray, answers: np.ndarray, defined: np.ndarray
) -> None:
    """Direction of the stimulus with the greater strength, weighted by the parameters, one per modality.

    Undefined where fewer than two directions are shown or no weighted strength differs.
    """
    difference = parameters @ (strength[:, :, 0] - strength[:, :, 1]).T  # (n, 2) @ (2, P)
    answers[:] = np.where(difference > 0, direction_rad[:, 0], direction_rad[:, 1])
    defined[:] = ~np.isnan(direction_rad.sum(axis=1)) & (np.abs(difference) > _TIE)


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
_ORDERS = {"simultaneous": (_SIMULTANEOUS, (_FIRST, _FIRST)), "sequential": (_SEQUENTIAL, (_FIRST, _SECOND))}
_RULES = {  # name -> how strengths are drawn, modalities that are shown, weight of each in the answer
    "mod1": (draw_pair, (True, False), (1.0, 0.0)),
    "mod2": (draw_pair, (False, True), (0.0, 1.0)),
    "ctx1": (draw_pair, (True, True), (1.0, 0.0)),
    "ctx2": (draw_pair, (True, True), (0.0, 1.0)),
    "multi": (draw_split, (True, True), (1.0, 1.0)),
}
_DRAWS = {
    (order, f): partial(f, simultaneous=order == "simultaneous") for order in _ORDERS for f in (draw_pair, draw_split)
}
_FAMILIES = {
    (order, draw, shown): Family(timing, _DRAWS[order, draw], 8, windows, shown=shown)
    for order, (timing, windows) in _ORDERS.items()
    for draw, shown, _ in _RULES.values()
}

TASKS = {
    f"decide_{name}_{order}": Task(_FAMILIES[order, draw, shown], choose, weights)
    for order in _ORDERS
    for name, (draw, shown, weights) in _RULES.items()
}
