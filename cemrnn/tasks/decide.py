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

from cemrnn.random import compiled
from cemrnn.tasks.family import Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, between, choice

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
    ties = preset.multi_difference is not None
    _draw_pair(rows, uniforms, np.array(span.values), span.continuous, ties, *stimuli)


@compiled()
def _draw_pair(rows, uniforms, coherences, continuous, ties, direction_rad, strength):
    """Separation U(pi / 2, 3 pi / 2), mean strength U(.8, 1.2), fair signs, coherences as given."""
    for p in rows:
        u = uniforms[p]
        direction_rad[p, 0] = 2 * np.pi * u[0]
        direction_rad[p, 1] = (direction_rad[p, 0] + np.pi / 2 + np.pi * u[1]) % (2 * np.pi)
        differ = not ties and (u[4] < 0.5) != (u[5] < 0.5)
        coherence = _draw_coherences(u[6], u[7], coherences, continuous, differ)
        for modality in range(2):
            mean = 0.8 + 0.4 * u[2 + modality]
            half = -coherence[modality] if u[4 + modality] < 0.5 else coherence[modality]
            strength[p, modality, 0], strength[p, modality, 1] = mean + half, mean - half


@compiled()
def _draw_coherences(u, v, coherences, continuous, differ):
    """Coherences of the two modalities; two different ones of a choice if they have to differ."""
    if continuous:
        low, high = coherences[0], coherences[1]
        return low + (high - low) * u, low + (high - low) * v
    n = len(coherences)
    first = int(u * n)
    second = (first + 1 + int(v * (n - 1))) % n if differ else int(v * n)
    return coherences[first], coherences[second]


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


@compiled()
def choose(direction_rad, strength, parameters, answers, defined):
    """Direction of the stimulus with the greater strength, weighted by the parameters, one per modality.

    Undefined where fewer than two directions are shown or no weighted strength differs.
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
