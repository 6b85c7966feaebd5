"""The ideal observer of a trial with a noisy cue: what no network can beat.

It knows the trial: its stimulus and its timing, and so which tasks the trial can be of and what each would require. It
sees the same noisy cue as the networks, and knows how noisy it is. It gives the answer that is most probably right,
which need not be that of the most probable task: several tasks may require the same.
"""

from __future__ import annotations

import numpy as np

from cemrnn.tasks.planning import CONFLICT_RAD
from cemrnn.tasks.scores import TOLERANCES

TOLERANCE = TOLERANCES["last36"]["direction"]


def observe(cue: np.ndarray, answers: np.ndarray, possible: np.ndarray, sigma: float) -> np.ndarray:
    """Answers (B,) that are most probably right.

    Args:
        cue: (B, K) one cue per trial: 1 for the right task and 0 for the others, with Gaussian noise; a number that is
            added to all of a trial makes no difference.
        answers: (B, K) what each task requires: rad, or NaN for keeping fixation.
        possible: (B, K) bool, tasks that the trial can be of, all equally likely before the cue is seen.
        sigma: standard deviation of the noise on every channel, >= 0; cue height 1.

    Returns:
        Radians, NaN for keeping fixation. Considered are the answers of all possible tasks, and the middle of any two
        of them that are so near that it is right for both.
    """
    cue, answers = np.asarray(cue, float), np.asarray(answers, float)
    weight = np.where(possible, (cue - cue.max(axis=1, keepdims=True)) / max(sigma, 1e-6) ** 2, -np.inf)
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))  # (B, K), proportional to the posterior
    usable = np.where(possible, answers, answers[np.arange(len(cue)), possible.argmax(axis=1)][:, None])
    offered = np.concatenate([usable, _middles(usable)], axis=1)  # (B, J)
    right = matches(offered[:, :, None], answers[:, None, :])  # (B, J, K)
    best = np.einsum("bjk,bk->bj", right, weight).argmax(axis=1)
    return offered[np.arange(len(cue)), best]


def matches(given: np.ndarray, required: np.ndarray) -> np.ndarray:
    """Whether answers are the required ones, within 36 degrees; NaN is keeping fixation. Shapes broadcast."""
    holds = np.isnan(given) | np.isnan(required)
    with np.errstate(invalid="ignore"):
        error = np.abs((given - required + np.pi) % (2 * np.pi) - np.pi)
    return np.where(holds, np.isnan(given) & np.isnan(required), error < TOLERANCE)


def _middles(answers: np.ndarray) -> np.ndarray:
    """(B, J) middles of all pairs of answers (B, K) that lie within twice the tolerance; else the first of the two."""
    i, j = np.triu_indices(answers.shape[1], 1)
    step = (answers[:, j] - answers[:, i] + np.pi) % (2 * np.pi) - np.pi
    near = np.abs(step) < CONFLICT_RAD  # False where one keeps fixation
    return np.where(near, (answers[:, i] + np.where(near, step, 0) / 2) % (2 * np.pi), answers[:, i])


def efficiency(sigma_75: np.ndarray, ideal_sigma_75: float) -> np.ndarray:
    """Squared ratio (...,) of a network's noise threshold to the ideal observer's.

    It is the share of the noise power that the ideal observer bears at the same accuracy.

    Args:
        sigma_75: (...,) thresholds of networks.
        ideal_sigma_75: that of the observer on the same trials.

    Source: Tanner & Birdsall 1958, squared ratio of sensitivities.
    """
    return (np.asarray(sigma_75, float) / ideal_sigma_75) ** 2
