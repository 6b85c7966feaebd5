"""Respond tasks: one stimulus, answer towards it or turned by a fixed angle (pro, anti, rotate-K)."""

from __future__ import annotations

import numpy as np

from cemrnn.tasks.family import END, EPOCHS, Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, between, choice

_STIMULUS, _DELAY, _RESPONSE = (EPOCHS.index(name) for name in ("stimulus1", "delay1", "response"))


def draw_one(uniforms: np.ndarray, _preset: Preset) -> Stimuli:
    """One stimulus of strength 1, in any direction, in either modality.

    Args:
        uniforms: (P, 2) in [0, 1).
        _preset: not needed: the strength is the same in all.

    Returns:
        Stimuli of P trials.
    """
    n_trials = len(uniforms)
    direction = np.full((n_trials, 2), np.nan)
    direction[:, 0] = 2 * np.pi * uniforms[:, 0]
    strength = np.zeros((n_trials, 2, 2))
    strength[np.arange(n_trials), (uniforms[:, 1] < 0.5).astype(np.int64), 0] = 1.0
    return Stimuli(direction, strength)


def turn(stimuli: Stimuli, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions turned by a fixed angle from the only stimulus; undefined if there are two.

    Args:
        stimuli: of P trials.
        parameters: (n, 1) angles in [0, 2 pi).

    Returns:
        (n, P) directions in [0, 2 pi), and (n, P) whether they are defined.
    """
    answer = parameters + stimuli.direction_rad[:, 0]  # (n, 1) + (P,)
    answer -= 2 * np.pi * (answer >= 2 * np.pi)
    alone = np.isnan(stimuli.direction_rad[:, 1]) & ~np.isnan(stimuli.direction_rad[:, 0])
    return answer, np.broadcast_to(alone, answer.shape)


# Durations in ms. Source: Yang et al. 2019 and Driscoll et al. 2024, from their public repositories.
DELAY = Family(
    "respond_delay",
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
    "respond_reaction",
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
    "respond_memory",
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
