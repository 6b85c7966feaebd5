"""Two-stream integration: two noisy scalar streams, the context selects one, the answer is the sign of its mean.

The streams are noisier than the other inputs, so that an answer needs the whole stimulus. In the `late` tasks the
context begins after the stimulus: both streams have to be integrated and kept.
"""

from __future__ import annotations

import numpy as np

from cemrnn.random import compiled
from cemrnn.tasks.family import END, EPOCHS, Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, between, choice

_STIMULUS, _DELAY = (EPOCHS.index(name) for name in ("stimulus1", "delay1"))
STREAM_SIGMA = 0.2  # noise of a stream while it is shown, before the scaling by sqrt(2 tau / dt)
_STRENGTHS = np.array([0.2, 0.4, 0.8])


def draw_streams(rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, _preset: Preset) -> None:
    """Give the trials two streams with independent means, +- .2, .4 or .8.

    Source: ours, after the two-stream decisions of Mante et al. 2013. With these strengths and STREAM_SIGMA the
    weakest and shortest stimulus has a signal-to-noise ratio of about 1.

    Args:
        rows: which of the P trials.
        uniforms: (P, 4 or more) in [0, 1).
        stimuli: to be filled: the mean of stream i is strength (P, i, 0).
        _preset: not needed: strengths are the same in all.
    """
    sign = np.where(uniforms[rows, :2] < 0.5, -1.0, 1.0)
    stimuli.strength[rows, :, 0] = sign * _STRENGTHS[(len(_STRENGTHS) * uniforms[rows, 2:4]).astype(np.int64)]


@compiled()
def weigh(_direction_rad, strength, parameters, answers, defined):
    """Sign of the weighted mean of the two streams; undefined where it is 0.

    Args:
        _direction_rad, strength: the stimuli of P trials.
        parameters: (n, 2) weight of each stream.
        answers: (n, P), filled with -1 or 1.
        defined: (n, P), filled.
    """
    for i in range(len(parameters)):
        for p in range(len(strength)):
            mean = parameters[i, 0] * strength[p, 0, 0] + parameters[i, 1] * strength[p, 1, 0]
            answers[i, p], defined[i, p] = np.sign(mean), mean != 0


# Durations in ms. Source: ours, after the simultaneous decisions of Yang et al. 2019.
_TIMING = {
    "yang": {
        "fixation": between(100, 400),
        "stimulus1": choice(400, 800, 1600),
        "delay1": between(200, 400),
        "response": choice(500),
    }
}
_WINDOWS = (Window(_STIMULUS, _DELAY), Window(END, END))
_EARLY = Family(_TIMING, draw_streams, 4, _WINDOWS)
_LATE = Family(_TIMING, draw_streams, 4, _WINDOWS, context_epoch=_DELAY)

TASKS = {
    f"integrate{suffix}_{stream + 1}": Task(family, weigh, tuple(np.eye(2)[stream].tolist()), "sign")
    for suffix, family in (("", _EARLY), ("_late", _LATE))
    for stream in (0, 1)
}
