"""3-bit flip-flop: each of three outputs holds the sign of the last pulse on its input.

Source: Sussillo & Barak 2013. Number and times of the pulses are ours: every bit gets one at the first step, so
that it is never undefined, and the last fifth of a trial has none, so that the final state can be read.
"""

from __future__ import annotations

import numpy as np

from cemrnn.tasks.family import END, EPOCHS, Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, choice

N_BITS = 3
N_PULSES = 6  # per bit and trial
_LAST_PULSE = 0.8  # as a share of the trial


def draw_pulses(rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, _preset: Preset) -> None:
    """Give the trials pulses of random sign: one at the start, the others at random times, in order.

    Strength (P, pulse, bit, 2) is the sign, and the time as a share of the trial; 36 uniform numbers are needed.
    """
    numbers = uniforms[rows, : 2 * N_PULSES * N_BITS].reshape(-1, 2, N_PULSES, N_BITS)
    time = np.sort(_LAST_PULSE * numbers[:, 1], axis=1)
    time[:, 0] = 0.0
    stimuli.strength[rows] = np.stack([np.where(numbers[:, 0] < 0.5, -1.0, 1.0), time], axis=3)


def latch(
    _direction_rad: np.ndarray, strength: np.ndarray, parameters: np.ndarray, answers: np.ndarray, defined: np.ndarray
) -> None:
    """State after the last pulses, from 0 to 7: the sum of the parameters 1, 2 and 4 of the bits that are up."""
    answers[:] = parameters @ (strength[:, -1, :, 0] > 0).T  # (n, 3) @ (3, P)
    defined[:] = True


def hold_states(
    stimuli: Stimuli, _response: np.ndarray, ends: np.ndarray, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pulses (P, T, 3) and the states (P, T, 3), -1 or 1, that they leave, step by step; see `Family.render`."""
    n_trials = len(ends)
    pulses, trials, bits = np.zeros((n_trials, n_steps, N_BITS), np.float32), np.arange(n_trials), range(N_BITS)
    steps = (stimuli.strength[..., 1] * ends[:, None, None]).astype(np.int64)
    for pulse in range(N_PULSES):
        for bit in bits:
            pulses[trials, steps[:, pulse, bit], bit] = stimuli.strength[:, pulse, bit, 0]
    last = np.maximum.accumulate(np.where(pulses != 0, np.arange(n_steps)[:, None], 0), axis=1)
    inside = np.arange(n_steps)[:, None] < ends[:, None, None]
    return pulses, np.where(inside, np.take_along_axis(pulses, last, axis=1), np.float32(0))


_FAMILY = Family(
    {"yang": {"response": choice(2560)}},
    draw_pulses,
    2 * N_PULSES * N_BITS,
    (Window(EPOCHS.index("response"), END), Window(END, END)),
    strength_shape=(N_PULSES, N_BITS, 2),
    render=hold_states,
)

TASKS = {"flipflop": Task(_FAMILY, latch, (1.0, 2.0, 4.0), "bits")}
