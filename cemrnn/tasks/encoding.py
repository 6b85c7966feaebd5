"""How stimuli and answers are written as input and output vectors."""

from __future__ import annotations

import numpy as np

from cemrnn.random import compiled
from cemrnn.tasks.family import Stimuli
from cemrnn.tasks.flipflop import N_BITS
from cemrnn.tasks.taskset import RING_UNITS, TaskSet

_TUNING_WIDTH_RAD, _TUNING_PEAK = np.pi / 8, 0.8  # source: Yang et al. 2019, methods


def encode_stimuli(stimuli: Stimuli, tasks: TaskSet) -> np.ndarray:
    """Input vectors of fixation and of the two stimuli, each as long as it is shown.

    Args:
        stimuli: of P trials.
        tasks: kind of answer and encoding.

    Returns:
        (P, 3, I) float32: fixation, first and second stimulus. For "bits" and "interval" all are 0: there is no
        fixation, and pulses are not held.
    """
    out = np.zeros((len(stimuli.strength), 3, tasks.n_inputs), np.float32)
    if not tasks.has_fixation:
        return out
    out[:, 0, 0] = 1.0
    if tasks.answer_kind == "sign":
        out[:, 1:, 1:] = stimuli.strength.swapaxes(1, 2)  # (P, stimulus, stream)
        return out
    encode = _fill_ring if tasks.encoding == "ring" else _fill_cosine
    encode(*stimuli, out)
    return out


def encode_answers(answer: np.ndarray, answer_kind: str) -> np.ndarray:
    """Output vectors that give the answers.

    Args:
        answer: (P,) rad, -1 or 1, a number of bits, or steps; NaN: keep fixation, which the last two do not have.
        answer_kind: "direction", "sign", "bits" or "interval".

    Returns:
        (P, O) float32: fixation, cosine and sine; fixation and sign; bits as -1 and 1; or steps, as they are.
    """
    if answer_kind == "interval":
        return answer[:, None].astype(np.float32)
    if answer_kind == "bits":
        number = np.nan_to_num(answer).astype(np.int64)[:, None]
        return np.where(number >> np.arange(N_BITS) & 1, 1, -1).astype(np.float32)
    answer = answer.astype(np.float32)
    parts = [np.cos(answer), np.sin(answer)] if answer_kind == "direction" else [answer]
    out = np.stack([np.isnan(answer), *parts], axis=1, dtype=np.float32)
    out[np.isnan(out)] = 0
    return out


def decode_inputs(inputs: np.ndarray, tasks: TaskSet) -> np.ndarray:
    """Inputs as fixation, and cosine and sine of each modality, whatever the encoding.

    A ring is read by its population vector, scaled so that a stimulus of strength 1 has length 1.

    Args:
        inputs: (..., I) of tasks whose answers are directions.
        tasks: kind of answer and encoding.

    Returns:
        (..., 5).

    Raises:
        ValueError: the tasks ask for another kind of answer.
    """
    if tasks.answer_kind != "direction":
        raise ValueError(f"tasks: expected answers of kind 'direction', got '{tasks.answer_kind}'")
    if tasks.encoding == "cosine":
        return inputs
    preferred = preferred_directions_rad()
    axes = np.stack([np.cos(preferred), np.sin(preferred)], axis=1)  # (32, 2)
    tuning = _TUNING_PEAK * np.exp(-0.5 * ((preferred + np.pi) % (2 * np.pi) - np.pi) ** 2 / _TUNING_WIDTH_RAD**2)
    rings = inputs[..., 1:].reshape(*inputs.shape[:-1], 2, RING_UNITS) @ axes / (tuning @ axes[:, 0])
    return np.concatenate([inputs[..., :1], rings.reshape(*inputs.shape[:-1], 4)], axis=-1)


def preferred_directions_rad() -> np.ndarray:
    """Preferred directions (32,) of the units of a ring, rad."""
    return (2 * np.pi / RING_UNITS) * np.arange(RING_UNITS)


@compiled()
def _fill_cosine(direction_rad, strength, out):
    """Cosine and sine of each modality, times its strength; stimuli that are not shown stay 0."""
    for p in range(len(direction_rad)):
        for stimulus in range(2):
            theta = direction_rad[p, stimulus]
            if not np.isnan(theta):
                for modality in range(2):
                    out[p, 1 + stimulus, 1 + 2 * modality] = strength[p, modality, stimulus] * np.cos(theta)
                    out[p, 1 + stimulus, 2 + 2 * modality] = strength[p, modality, stimulus] * np.sin(theta)


@compiled()
def _fill_ring(direction_rad, strength, out):
    """Units with Gaussian tuning, a ring of them in each modality, times its strength."""
    n_units = (out.shape[2] - 1) // 2
    for p in range(len(direction_rad)):
        for stimulus in range(2):
            for unit in range(n_units):
                preferred = 2 * np.pi / n_units * unit
                apart = abs((direction_rad[p, stimulus] - preferred + np.pi) % (2 * np.pi) - np.pi)
                rate = _TUNING_PEAK * np.exp(-0.5 * (apart / _TUNING_WIDTH_RAD) ** 2)
                for modality in range(2):
                    if strength[p, modality, stimulus] != 0:
                        at = 1 + modality * n_units + unit
                        out[p, 1 + stimulus, at] = strength[p, modality, stimulus] * rate
