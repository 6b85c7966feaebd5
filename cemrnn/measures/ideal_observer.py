"""The ideal observer of a noisy context cue: what no network can beat at naming the context.

The cue is one of K unit vectors plus Gaussian noise of standard deviation σ on every channel, frozen within a
trial. With noise drawn anew at each of T steps, an observer that averages sees σ/√T instead.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special


def ideal_observer(sigma: np.ndarray, n_contexts: int) -> np.ndarray:
    """Probability that the largest of K noisy cue channels is the one that was cued.

    P = ∫ φ(z) Φ(z + 1/σ)^(K-1) dz. No observer of the same cue names its context more often.

    Args:
        sigma: (...,) standard deviation of the noise, in units of the cue's height, ≥ 0.
        n_contexts: K, equally probable, ≥ 2.

    Returns:
        (...,) probabilities, from 1 at σ = 0 towards 1/K.

    Raises:
        ValueError: a negative sigma or fewer than two contexts.

    Source: maximum of M orthogonal signals in Gaussian noise, Green & Swets 1966.
    """
    sigma = np.asarray(sigma, float)
    if (sigma < 0).any():
        raise ValueError(f"sigma: expected a noise of at least 0, got {sigma}")
    if n_contexts < 2:
        raise ValueError(f"n_contexts: expected at least 2, got {n_contexts}")
    # the integrand is smooth and vanishes at both ends, so the trapezoid rule is exact to rounding
    z = np.linspace(-10, 10, 801)
    with np.errstate(divide="ignore"):
        distance = 1 / sigma[..., None]
    log_integrand = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + (n_contexts - 1) * special.log_ndtr(z + distance)
    return np.trapezoid(np.exp(log_integrand), z)


def ideal_sigma(criterion: float, n_contexts: int, chance: float | None = None) -> float:
    """Noise σ, in units of the cue's height, at which the ideal observer's normalised accuracy falls to the criterion.

    Args:
        criterion: normalised accuracy, below 1.
        n_contexts: K.
        chance: accuracy that counts as 0. None is 1/K, guessing the context. Give what the networks it is
            compared with were normalised by.

    Raises:
        ValueError: no noise brings the ideal observer to the criterion, or any noise does.
    """
    chance = 1 / n_contexts if chance is None else chance
    floor = (1 / n_contexts - chance) / (1 - chance)
    if not floor < criterion < 1:
        raise ValueError(f"criterion: expected a normalised accuracy in ({floor:.3g}, 1), got {criterion}")

    def surplus(log_sigma: float) -> float:
        accuracy = ideal_observer(np.exp(log_sigma), n_contexts)
        return float((accuracy - chance) / (1 - chance) - criterion)

    return float(np.exp(optimize.brentq(surplus, np.log(1e-3), np.log(1e6), xtol=1e-12)))


def efficiency(
    sigma_75: np.ndarray, n_contexts: int, criterion: float = 0.75, chance: float | None = None
) -> np.ndarray:
    """Squared ratio (...,) of a network's noise threshold to the ideal observer's.

    It is the share of the noise power that the ideal observer bears at the same accuracy.
    It can exceed 1 where a network is scored right although it took another context, because both contexts
    require the same answer.

    Args:
        sigma_75: (...,) thresholds of networks, at the criterion.
        n_contexts, criterion, chance: as in `ideal_sigma`.

    Source: Tanner & Birdsall 1958, squared ratio of sensitivities.
    """
    return (np.asarray(sigma_75, float) / ideal_sigma(criterion, n_contexts, chance)) ** 2
