"""How stimuli and answers are written as input and output vectors."""

from __future__ import annotations

import numpy as np

from cemrnn.tasks.family import Stimuli, distance_rad
from cemrnn.tasks.flipflop import N_BITS
from cemrnn.tasks.taskset import RING_UNITS, TaskSet

_TUNING_WIDTH_RAD, _TUNING_PEAK = np.pi / 8, 0.8  # source: Yang et al. 2019, methods


def encode_stimuli(stimuli: Stimuli, tasks: TaskSet) -> np.ndarray:
    """Input vectors of fixation and of the two stimuli, each as long as it is shown.

    Args:
        stimuli: of P trials.
        tasks: kind of answer and encoding.

    Returns:
        (P, 3, I) float32: fixation, first and second stimulus. For "bits" all are 0: there is no fixation, and
        pulses are not held.
    """
    out = np.zeros((len(stimuli.strength), 3, tasks.n_inputs), np.float32)
    if tasks.answer_kind == "bits":
        return out
    out[:, 0, 0] = 1.0
    if tasks.answer_kind == "sign":
        out[:, 1:, 1:] = stimuli.strength.swapaxes(1, 2)  # (P, stimulus, stream)
        return out
    direction, strength = (array.astype(np.float32) for array in stimuli)
    curves = _ring(direction) if tasks.encoding == "ring" else _cosine(direction)  # (P, stimulus, units)
    curves[np.isnan(curves)] = 0
    by_modality = strength.swapaxes(1, 2)[..., None] * curves[:, :, None]  # (P, stimulus, modality, units)
    out[:, 1:, 1:] = by_modality.reshape(len(out), 2, -1)
    return out


def encode_answers(answer: np.ndarray, answer_kind: str) -> np.ndarray:
    """Output vectors that give the answers.

    Args:
        answer: (P,) rad, -1 or 1, or a number of bits; NaN: keep fixation, which "bits" do not have.
        answer_kind: "direction", "sign" or "bits".

    Returns:
        (P, O) float32: fixation, cosine and sine; fixation and sign; or bits as -1 and 1.
    """
    if answer_kind == "bits":
        number = np.nan_to_num(answer).astype(np.int64)[:, None]
        return np.where(number >> np.arange(N_BITS) & 1, 1, -1).astype(np.float32)
    answer = answer.astype(np.float32)
    parts = [np.cos(answer), np.sin(answer)] if answer_kind == "direction" else [answer]
    out = np.stack([np.isnan(answer), *parts], axis=1, dtype=np.float32)
    out[np.isnan(out)] = 0
    return out


def preferred_directions_rad() -> np.ndarray:
    """Preferred directions (32,) of the units of a ring, rad."""
    return (2 * np.pi / RING_UNITS) * np.arange(RING_UNITS, dtype=np.float32)


def _cosine(direction_rad: np.ndarray) -> np.ndarray:
    """(P, 2) directions -> (P, 2, 2) cosine and sine."""
    return np.stack([np.cos(direction_rad), np.sin(direction_rad)], axis=-1)


def _ring(direction_rad: np.ndarray) -> np.ndarray:
    """(P, 2) directions -> (P, 2, 32) rates of units with Gaussian tuning."""
    apart = distance_rad(direction_rad[..., None], preferred_directions_rad())
    return _TUNING_PEAK * np.exp(-0.5 * (apart / _TUNING_WIDTH_RAD) ** 2)
