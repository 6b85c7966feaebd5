"""What an ambiguous context does to an answer, from answers to clean ones alone; and two cases in closed form.

The two cases are networks with a linear readout that answer a direction x in one context and -x in the other.
Synapses that scale what the stimulus evokes give s x, with s = 1 for the right cue; noise on the cue makes s another
number, and the direction stays right as long as s is positive. Excitability that adds to the drive gives x + v, with v
a vector that the noise sets whatever the stimulus is; the direction goes wrong by degrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import interpolate, special

from cemrnn.measures.ideal_observer import matches

FIXATION_LEVEL = 0.5  # as in `cemrnn.tasks.scores`


def share_right(
    outputs: np.ndarray, slopes: np.ndarray, noise: np.ndarray, sigma: float, response: np.ndarray
) -> np.ndarray:
    """Share (B,) of noisy cues with which a trial is answered right, if outputs follow the cue linearly.

    Args:
        outputs: (B, 3) fixation, cosine and sine at the last step, with the clean cue.
        slopes: (B, 3, K) their derivatives by the cue.
        noise: (D, K) draws of unit size.
        sigma: size of the noise.
        response: (B,) right answers, rad; NaN: keep fixation.

    Returns:
        By the rule `last36` of `cemrnn.tasks.scores`.
    """
    moved = outputs[:, None] + sigma * np.einsum("bok,dk->bdo", slopes, noise)  # (B, D, 3)
    return matches(read_answers(moved), np.asarray(response)[:, None]).mean(axis=1)


def read_answers(outputs: np.ndarray) -> np.ndarray:
    """Directions (...,) in rad that outputs (..., 3) give, fixation, cosine and sine; NaN: fixation is kept."""
    return np.where(outputs[..., 0] < FIXATION_LEVEL, np.arctan2(outputs[..., 2], outputs[..., 1]), np.nan)


def follow_mixture(ends: Sequence[np.ndarray], slopes: Sequence[np.ndarray], lambdas: np.ndarray) -> np.ndarray:
    """Outputs (L, ...) on the way from one clean cue to another, without a mixed trial.

    The cubic of the mixture that has the outputs and the slopes of both ends (Hermite). In the solvable case of
    synapses it is the straight line that the outputs follow.

    Args:
        ends: outputs (...,) with the first and with the second cue.
        slopes: (...,) their derivatives by the share of the second cue, at either end.
        lambdas: (L,) shares of the second cue, in [0, 1].
    """
    return interpolate.CubicHermiteSpline([0.0, 1.0], np.stack(ends), np.stack(slopes))(np.asarray(lambdas))


def common_share(slopes: np.ndarray) -> float:
    """Share of the response to a cue that is the same for all stimuli, in [0, 1].

    1 means that noise on the cue adds one vector to every answer, 0 that what it adds turns with the stimulus.

    Args:
        slopes: (B, 3, K) as in `share_right`, of trials of one task; cosine and sine count.
    """
    turned = np.asarray(slopes, float)[:, 1:]
    power = np.mean(np.sum(turned**2, axis=(1, 2)))
    return float(np.sum(turned.mean(axis=0) ** 2) / power) if power > 0 else math.nan


def share_scaled(sigma: np.ndarray) -> np.ndarray:
    """Probability (...,) that s x points where x does, with s = c_1 - c_2 of two noisy numbers, 1 and 0 when clean.

    Noise of size sigma on each gives s a standard deviation of sigma √2, with or without the mean of both taken off.
    """
    with np.errstate(divide="ignore"):
        return special.ndtr(1 / (math.sqrt(2) * np.asarray(sigma, float)))


def share_added(spread: np.ndarray, tolerance_rad: float) -> np.ndarray:
    """Probability (...,) that x + v points within a tolerance of x, v Gaussian, of this size on each axis, |x| = 1.

    Args:
        spread: (...,) standard deviation of v on each of two axes, > 0.
        tolerance_rad: half the width of the window.

    Source: density of the projected normal distribution, Mardia & Jupp 2000, section 3.5.6.
    """
    angle = np.linspace(-tolerance_rad, tolerance_rad, 2001)
    kappa = 1 / np.asarray(spread, float)[..., None]
    along = kappa * np.cos(angle)
    density = np.exp(-(kappa**2) / 2) / (2 * np.pi)
    density = density + along * special.ndtr(along) * np.exp(-((kappa * np.sin(angle)) ** 2) / 2) / math.sqrt(2 * np.pi)
    return np.trapezoid(density, angle)
