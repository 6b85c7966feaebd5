"""Two-stream integration: two noisy scalar streams, the context selects one, the answer is the sign of its mean.

The streams are noisier than the other inputs, so that an answer needs the whole stimulus. In the `late` tasks the
context begins after the stimulus: both streams have to be integrated and kept.
"""

from __future__ import annotations

import numpy as np

from cemrnn.tasks.family import END, EPOCHS, Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, between, choice

_STIMULUS, _DELAY = (EPOCHS.index(name) for name in ("stimulus1", "delay1"))
STREAM_SIGMA = 0.2  # noise of a stream while it is shown, before the scaling by sqrt(2 tau / dt)
_STRENGTHS = np.array([0.2, 0.4, 0.8])


def draw_streams(rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, _preset: Preset) -> None:
    """Give the trials two streams with independent means, +- .2, .4 or .8.

    Source: ours, after the two-stream decisions of Mante et al. 2013. With these strengths and STREAM_SIGMA the
    weakest and shortest stimulus has a signal-to-noise ratio of about 1.

    Strength (P, i, 0) is the mean of stream i; 4 uniform numbers are needed.
    """
    sign = np.where(uniforms[rows, :2] < 0.5, -1.0, 1.0)
    stimuli.strength[rows, :, 0] = sign * _STRENGTHS[(len(_STRENGTHS) * uniforms[rows, 2:4]).astype(np.int64)]


def weigh(
    _direction_rad: np.ndarray, strength: np.ndarray, parameters: np.ndarray, answers: np.ndarray, defined: np.ndarray
) -> None:
    """Sign of the mean of the two streams, weighted by the parameters; undefined where it is 0."""
    mean = parameters @ strength[:, :, 0].T  # (n, 2) @ (2, P)
    answers[:], defined[:] = np.sign(mean), mean != 0


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
