"""Match tasks: two stimuli in turn, answer towards the second if they match (or if they do not), else hold."""

from __future__ import annotations

import functools

import numpy as np

from cemrnn.random import compiled
from cemrnn.tasks.family import END, EPOCHS, Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, between, choice

_STIMULUS, _DELAY, _RESPONSE = (EPOCHS.index(name) for name in ("stimulus1", "delay1", "response"))
_SAME_RAD = np.pi / 18  # closer than this is a match: half the smallest distance of a non-match


def draw_two(rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, preset: Preset, *, category: bool) -> None:
    """Give the trials two stimuli of strength 1, each in either modality; half of them match.

    Location: equal directions, or 20 to 340 degrees apart. Category: two independent draws of ten directions (18, 54,
    ... degrees), or of the whole circle. Source: Yang et al. 2019 (ten) and Driscoll et al. 2024 (circle), from their
    public repositories.
    """
    _draw_two(rows, uniforms, category, preset.n_categorised, *stimuli)


@compiled()
def _draw_two(rows, uniforms, category, n_directions, direction_rad, strength):
    for p in rows:
        u = uniforms[p]
        if category:
            for stimulus in range(2):
                place = (int(n_directions * u[stimulus]) + 0.5) / n_directions if n_directions else u[stimulus]
                direction_rad[p, stimulus] = 2 * np.pi * place
        else:
            distance = 0.0 if u[4] < 0.5 else np.pi / 9 + 16 * np.pi / 9 * u[1]
            direction_rad[p, 0] = 2 * np.pi * u[0]
            direction_rad[p, 1] = (direction_rad[p, 0] + distance) % (2 * np.pi)
        for stimulus in range(2):
            strength[p, int(u[2 + stimulus] < 0.5), stimulus] = 1.0


@compiled()
def match(direction_rad, _strength, parameters, answers, defined):
    """Second direction where the two stimuli agree (or differ) as the rule asks, else NaN: keep fixation.

    Undefined where fewer than two directions are shown. Two directions share a category if both, or neither,
    lie in [0, pi). The parameters are 1 for category, 0 for location; 1 to answer on a match, 0 on a non-match.
    """
    for i in range(len(parameters)):
        for p in range(len(direction_rad)):
            first, second = direction_rad[p, 0], direction_rad[p, 1]
            if parameters[i, 0] == 1:
                same = (first < np.pi) == (second < np.pi)
            else:
                same = abs((first - second + np.pi) % (2 * np.pi) - np.pi) < _SAME_RAD
            answers[i, p] = second if same == (parameters[i, 1] == 1) else np.nan
            defined[i, p] = not np.isnan(first + second)


# Durations in ms. Source: Yang et al. 2019 and Driscoll et al. 2024, from their public repositories.
_TIMING = {
    "yang": {
        "fixation": choice(200, 400, 600),
        "stimulus1": choice(200, 400, 600),
        "delay1": choice(200, 400, 800, 1600),
        "response": choice(500),
    },
    "driscoll": {
        "fixation": between(200, 600),
        "stimulus1": between(200, 1600),
        "delay1": between(200, 1600),
        "response": between(300, 700),
    },
}
_TIMINGS = {
    "location": _TIMING,
    "category": _TIMING | {"yang": _TIMING["yang"] | {"response": choice(200, 400, 600)}, "fast": _TIMING["yang"]},
}
_FAMILIES = {
    name: Family(
        timing,
        functools.partial(draw_two, category=name == "category"),
        5,
        (Window(_STIMULUS, _DELAY), Window(_RESPONSE, END)),
        go_cue=False,
    )
    for name, timing in _TIMINGS.items()
}

TASKS = {
    f"match_{name}_{suffix}": Task(family, match, (float(name == "category"), go_on_match))
    for name, family in _FAMILIES.items()
    for suffix, go_on_match in (("go", 1.0), ("nogo", 0.0))
}
