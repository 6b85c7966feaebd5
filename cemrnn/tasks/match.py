"""Match tasks: two stimuli in turn, answer towards the second if they match (or if they do not), else hold."""

from __future__ import annotations

import functools

import numpy as np

from cemrnn.tasks.family import END, EPOCHS, Family, Stimuli, Task, Window, distance_rad
from cemrnn.tasks.presets import Preset, between, choice

_STIMULUS, _DELAY, _RESPONSE = (EPOCHS.index(name) for name in ("stimulus1", "delay1", "response"))
_DISTANCE_RAD = between(np.pi / 9, 17 * np.pi / 9)  # of two directions that do not match
_SAME_RAD = np.pi / 18  # closer than this is a match: half the smallest distance of a non-match
_N_DIRECTIONS = 10  # directions of the category tasks: 18, 54, ... degrees, five in each category


def draw_two(uniforms: np.ndarray, _preset: Preset, *, category: bool) -> Stimuli:
    """Two stimuli of strength 1, each in either modality; half of the trials match.

    Location: equal directions, or 20 to 340 degrees apart. Category: two independent draws of ten directions.
    Source: Yang et al. 2019, methods; Driscoll et al. 2024 draw the category directions from the whole circle.

    Args:
        uniforms: (P, 5) in [0, 1).
        _preset: not needed: the strength is the same in all.
        category: which of the two distributions of directions.

    Returns:
        Stimuli of P trials.
    """
    if category:
        direction = (np.floor(_N_DIRECTIONS * uniforms[:, :2]) + 0.5) * (2 * np.pi / _N_DIRECTIONS)
    else:
        first = 2 * np.pi * uniforms[:, 0]
        distance = np.where(uniforms[:, 4] < 0.5, 0.0, _DISTANCE_RAD.at(uniforms[:, 1]))
        direction = np.stack([first, (first + distance) % (2 * np.pi)], axis=1)
    trials, modality = np.arange(len(uniforms)), (uniforms[:, 2:4] < 0.5).astype(np.int64)
    strength = np.zeros((len(uniforms), 2, 2))
    for stimulus in (0, 1):
        strength[trials, modality[:, stimulus], stimulus] = 1.0
    return Stimuli(direction, strength)


def match(stimuli: Stimuli, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Second direction where the two stimuli agree (or differ) as the rule asks, else NaN: keep fixation.

    Undefined where fewer than two directions are shown. Two directions share a category if both, or neither,
    lie in [0, pi).

    Args:
        stimuli: of P trials.
        parameters: (n, 2): 1 for category, 0 for location; 1 to answer on a match, 0 on a non-match.

    Returns:
        (n, P) directions, rad, or NaN, and (n, P) whether they are defined.
    """
    first, second = stimuli.direction_rad.T
    same_category, same_location = (first < np.pi) == (second < np.pi), distance_rad(first, second) < _SAME_RAD
    same = np.where(parameters[:, :1] == 1, same_category, same_location)  # (n, P)
    answer = np.where(same == (parameters[:, 1:] == 1), second, np.nan)
    return answer, np.broadcast_to(~np.isnan(first + second), answer.shape)


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
_FAMILIES = {
    name: Family(
        f"match_{name}",
        _TIMING,
        functools.partial(draw_two, category=name == "category"),
        5,
        (Window(_STIMULUS, _DELAY), Window(_RESPONSE, END)),
        go_cue=False,
    )
    for name in ("location", "category")
}

TASKS = {
    f"match_{name}_{suffix}": Task(family, match, (float(name == "category"), go_on_match))
    for name, family in _FAMILIES.items()
    for suffix, go_on_match in (("go", 1.0), ("nogo", 0.0))
}
