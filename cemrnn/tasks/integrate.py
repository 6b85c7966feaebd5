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
_STRENGTH = choice(0.2, 0.4, 0.8)


def draw_streams(uniforms: np.ndarray, _preset: Preset) -> Stimuli:
    """Two streams with independent means, +- .2, .4 or .8.

    Source: ours, after the two-stream decisions of Mante et al. 2013. With these strengths and STREAM_SIGMA the
    weakest and shortest stimulus has a signal-to-noise ratio of about 1.

    Args:
        uniforms: (P, 4) in [0, 1).
        _preset: not needed: strengths are the same in all.

    Returns:
        Stimuli of P trials; strength (P, stream, 2), the second stimulus is not used.
    """
    strength = np.zeros((len(uniforms), 2, 2))
    strength[:, :, 0] = np.where(uniforms[:, :2] < 0.5, -1.0, 1.0) * _STRENGTH.at(uniforms[:, 2:])
    return Stimuli(np.full((len(uniforms), 2), np.nan), strength)


def weigh(stimuli: Stimuli, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sign of the weighted mean of the two streams.

    Args:
        stimuli: of P trials.
        parameters: (n, 2) weight of each stream.

    Returns:
        (n, P) -1 or 1, and (n, P) whether they are defined (the mean is not 0).
    """
    answer = np.sign(parameters @ stimuli.strength[:, :, 0].T)  # (n, 2) @ (2, P)
    return answer, answer != 0


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
_EARLY = Family("integrate", _TIMING, draw_streams, 4, _WINDOWS)
_LATE = Family("integrate_late", _TIMING, draw_streams, 4, _WINDOWS, context_epoch=_DELAY)

TASKS = {
    f"integrate{suffix}_{stream + 1}": Task(family, weigh, tuple(np.eye(2)[stream].tolist()), "sign")
    for suffix, family in (("", _EARLY), ("_late", _LATE))
    for stream in (0, 1)
}
