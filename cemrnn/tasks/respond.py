"""Respond tasks: one stimulus, answer towards it or turned by a fixed angle (pro, anti, rotate-K)."""

from __future__ import annotations

import numpy as np

from cemrnn.random import compiled
from cemrnn.tasks.family import END, EPOCHS, Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, between, choice

_STIMULUS, _DELAY, _RESPONSE = (EPOCHS.index(name) for name in ("stimulus1", "delay1", "response"))


def draw_one(rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, _preset: Preset) -> None:
    """Give the trials one stimulus of strength 1, in any direction, in either modality."""
    _draw_one(rows, uniforms, *stimuli)


@compiled()
def _draw_one(rows, uniforms, direction_rad, strength):
    for p in rows:
        direction_rad[p, 0] = 2 * np.pi * uniforms[p, 0]
        strength[p, int(uniforms[p, 1] < 0.5), 0] = 1.0


@compiled()
def turn(direction_rad, _strength, parameters, answers, defined):
    """Direction of the only stimulus, turned by the parameter, an angle in [0, 2 pi); undefined if there are two."""
    for i in range(len(parameters)):
        for p in range(len(direction_rad)):
            answer = direction_rad[p, 0] + parameters[i, 0]
            answers[i, p] = answer - 2 * np.pi if answer >= 2 * np.pi else answer
            defined[i, p] = not np.isnan(answer) and np.isnan(direction_rad[p, 1])


# Durations in ms. Source: Yang et al. 2019 and Driscoll et al. 2024, from their public repositories.
DELAY = Family(
    {
        "yang": {"fixation": between(300, 700), "stimulus1": between(500, 1500), "response": choice(500)},
        "driscoll": {
            "fixation": between(300, 700),
            "stimulus1": between(200, 1500),
            "response": between(300, 700),
        },
    },
    draw_one,
    2,
    (Window(_STIMULUS, END), Window(END, END)),
)
REACTION = Family(
    {
        "yang": {"fixation": between(500, 2500), "response": choice(500)},
        "driscoll": {"fixation": between(500, 2500), "response": between(300, 1700)},
    },
    draw_one,
    2,
    (Window(_RESPONSE, END), Window(END, END)),
    go_cue=False,
)
MEMORY = Family(
    {
        "yang": {
            "fixation": choice(300, 500, 700),
            "stimulus1": choice(200, 400, 600),
            "delay1": choice(200, 400, 800, 1600),
            "response": choice(500),
        },
        "driscoll": {
            "fixation": between(300, 700),
            "stimulus1": between(200, 1600),
            "delay1": between(200, 1600),
            "response": between(300, 700),
        },
    },
    draw_one,
    2,
    (Window(_STIMULUS, _DELAY), Window(END, END)),
)

TASKS = {
    f"{timing}_{answer}": Task(family, turn, (angle,))
    for timing, family in (("delay", DELAY), ("reaction", REACTION), ("memory", MEMORY))
    for answer, angle in (("pro", 0.0), ("anti", np.pi))
}


def rotate(k: int, n_tasks: int) -> Task:
    """Task k of the rotate-K family: delayed answer at the stimulus plus 2 pi k / K."""
    return Task(DELAY, turn, (2 * np.pi * k / n_tasks,))
