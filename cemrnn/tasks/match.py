"""Match tasks: two stimuli in turn, answer towards the second if they match (or if they do not), else hold."""

from __future__ import annotations

import functools

import numpy as np

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
    u = uniforms[rows]
    if category:
        n = preset.n_categorised
        places = (np.floor(n * u[:, :2]) + 0.5) / n if n else u[:, :2]
        stimuli.direction_rad[rows] = 2 * np.pi * places
    else:
        first, distance = 2 * np.pi * u[:, 0], np.where(u[:, 4] < 0.5, 0.0, np.pi / 9 + 16 * np.pi / 9 * u[:, 1])
        stimuli.direction_rad[rows] = np.stack([first, (first + distance) % (2 * np.pi)], axis=1)
    for stimulus in range(2):
        stimuli.strength[rows, (u[:, 2 + stimulus] < 0.5).astype(np.int64), stimulus] = 1.0


def match(
    direction_rad: np.ndarray, _strength: np.ndarray, parameters: np.ndarray, answers: np.ndarray, defined: np.ndarray
) -> None:
    """Second direction where the two stimuli agree (or differ) as the rule asks, else NaN: keep fixation.

    Undefined where fewer than two directions are shown. Two directions share a category if both, or neither,
    lie in [0, pi). The parameters are 1 for category, 0 for location; 1 to answer on a match, 0 on a non-match.
    """
    first, second = direction_rad.T
    same_category = (first < np.pi) == (second < np.pi)
    same_place = np.abs((first - second + np.pi) % (2 * np.pi) - np.pi) < _SAME_RAD
    same = np.where(parameters[:, :1] == 1, same_category, same_place)
    answers[:] = np.where(same == (parameters[:, 1:] == 1), second, np.nan)
    defined[:] = ~np.isnan(first + second)


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
