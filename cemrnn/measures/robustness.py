"""Measures of robustness to an ambiguous context, from curves of accuracy against ambiguity.

Curves have the level of ambiguity on their last axis; every axis before it (network, pair, ...) is free.

| symbol | level of ambiguity | clean |
|---|---|---|
| λ | the cue is (1-λ) of its own context and λ of another | 0 |
| σ | standard deviation of Gaussian noise on every cue channel, in units of the cue's height | 0 |
| κ | strength of the cue, in units of the trained cue | 1 |

The ideal observer that they are compared with is in `cemrnn.measures.ideal_observer`.
A NaN anywhere in a curve makes its measure NaN: a network that was filtered out stays out.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from scipy import optimize, special

from cemrnn.config import unknown_name
from cemrnn.measures.intervals import Interval, estimate_difference

Direction = Literal["falling", "rising"]
FLAT_RANGE = 0.2  # a fitted share that changes by less over the grid does not locate a switch


@dataclasses.dataclass(frozen=True, kw_only=True)
class Threshold:
    """Levels at which curves reach a criterion."""

    level: np.ndarray  # (...,) the grid's nearest bound if the crossing lies outside; NaN without a curve
    censored: np.ndarray  # (...,) int: 0 inside the grid, -1 below its first level, +1 above its last

    def __getitem__(self, part: slice) -> Threshold:
        """Some of the thresholds."""
        return Threshold(level=self.level[part], censored=self.censored[part])

    def __len__(self) -> int:
        return len(self.level)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Psychometric:
    """Logistic fits of choice against mixture."""

    lambda_50: np.ndarray  # (...,) mixture at which both tasks are chosen equally often; NaN if not fitted
    slope: np.ndarray  # (...,) logits per unit of λ, positive; NaN if not fitted
    fitted: np.ndarray  # (...,) bool: choices cross one half within the grid and the fit converged
    steep: np.ndarray  # (...,) bool: the grid cannot resolve the slope, which is at least the value given


def normalise_accuracy(accuracy: np.ndarray, chance: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Accuracy as a share of the range between chance and the accuracy with a clean context.

    Args:
        accuracy: (...,) share of correct answers.
        chance: accuracy that counts as 0; broadcasts with accuracy.
        clean: accuracy with the clean context, which counts as 1; broadcasts with accuracy.

    Returns:
        (accuracy - chance) / (clean - chance); NaN where clean does not exceed chance: nothing was learnt
        there, so nothing can be lost.
    """
    accuracy, chance, clean = np.broadcast_arrays(*(np.asarray(x, float) for x in (accuracy, chance, clean)))
    learnt = clean > chance
    span = np.where(learnt, clean - chance, np.nan)
    return (accuracy - chance) / span


def average_pairs(curves: np.ndarray, passed: np.ndarray | None = None) -> np.ndarray:
    """One curve per network: the mean over its task pairs.

    Args:
        curves: (M, P, L) networks, ordered pairs of tasks, levels.
        passed: (M,) bool, networks that passed the filter on clean accuracy; None keeps all.

    Returns:
        (M, L). A pair with a NaN at any level is left out of its network at all levels, so that a curve never
        changes its pairs on the way. NaN for networks that did not pass or have no pair left.

    Raises:
        ValueError: the shapes do not fit.
    """
    curves = np.asarray(curves, float)
    if curves.ndim != 3:
        raise ValueError(f"curves: expected axes (network, pair, level), got shape {curves.shape}")
    kept = ~np.isnan(curves).any(axis=-1)  # (M, P)
    if passed is not None:
        passed = np.asarray(passed, bool)
        if passed.shape != curves.shape[:1]:
            raise ValueError(f"passed: expected one flag for each of {len(curves)} networks, got {passed.shape}")
        kept = kept & passed[:, None]
    count = kept.sum(axis=1)[:, None]  # (M, 1)
    total = np.where(kept[..., None], curves, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def area_under_mixture(lambdas: np.ndarray, normalised: np.ndarray) -> np.ndarray:
    """Mean normalised accuracy over mixtures λ from 0 to 1/2, by the trapezoid rule.

    At one half the cue stops favouring its own task. Accuracy that holds until there has area 1.

    Args:
        lambdas: (L,) increasing, from 0 to at least 1/2; the value at 1/2 is interpolated if not on the grid.
        normalised: (..., L) normalised accuracy.

    Returns:
        (...,) area divided by its width.

    Raises:
        ValueError: the levels are not increasing, do not span [0, 1/2], or do not fit the curve.
    """
    lambdas, normalised = _check_curve("lambdas", lambdas, "normalised", normalised)
    if lambdas[0] != 0 or lambdas[-1] < 0.5:
        raise ValueError(f"lambdas: expected levels from 0 to at least 0.5, got {lambdas[0]} to {lambdas[-1]}")
    last = np.searchsorted(lambdas, 0.5)  # first level at or after the end
    weight = (0.5 - lambdas[last - 1]) / (lambdas[last] - lambdas[last - 1])
    end = (1 - weight) * normalised[..., last - 1] + weight * normalised[..., last]
    levels = np.append(lambdas[:last], 0.5)
    return np.trapezoid(np.concatenate([normalised[..., :last], end[..., None]], axis=-1), levels) / 0.5


def threshold_level(
    levels: np.ndarray, normalised: np.ndarray, criterion: float = 0.75, direction: Direction = "falling"
) -> Threshold:
    """Levels (...,) at which normalised accuracy first reaches the criterion, linear between grid points.

    σ75 is the falling threshold over noise, κ75 the rising one over cue strength.
    Where the crossing lies outside the grid the bound is returned with a flag. Intervals use the bound as the
    value: they are then about the threshold restricted to the grid, as a restricted mean survival time is.
    Compare arms with `compare_thresholds`, which refuses when the grid hides the comparison.

    Args:
        levels: (L,) increasing.
        normalised: (..., L) normalised accuracy.
        criterion: normalised accuracy to reach.
        direction: whether accuracy falls or rises with the level.

    Raises:
        ValueError: the levels are not increasing or do not fit the curve, or the direction is unknown.
    """
    levels, normalised = _check_curve("levels", levels, "normalised", normalised)
    if direction not in ("falling", "rising"):
        raise ValueError(unknown_name(direction, ("falling", "rising"), "direction"))
    margin = (normalised - criterion) * (1 if direction == "falling" else -1)  # positive before the crossing
    missing = np.isnan(margin).any(axis=-1)
    crossed = margin <= 0
    after = np.clip(crossed.argmax(axis=-1), 1, None)[..., None]  # (..., 1)
    end = np.take_along_axis(margin, after, axis=-1)[..., 0]
    start = np.take_along_axis(margin, after - 1, axis=-1)[..., 0]
    below, above = margin[..., 0] < 0, ~crossed.any(axis=-1)
    drop = np.where(below | above | missing | (start == end), 1.0, start - end)
    after = after[..., 0]
    level = levels[after - 1] + start / drop * (levels[after] - levels[after - 1])
    level = np.select([missing, below, above], [np.nan, levels[0], levels[-1]], level)
    censored = np.select([missing, below, above], [0, -1, 1], 0)
    return Threshold(level=level, censored=censored)


def compare_thresholds(first: Threshold, *others: Threshold, paired: bool) -> Interval:
    """Mean threshold of the first arm minus the largest mean among the others, with its interval.

    Thresholds outside the grid count as its bound. Where the first arm and another lie mostly beyond the same
    bound the grid hides the difference: value and bounds are NaN.

    Args:
        first: thresholds of M networks.
        others: thresholds of one or more arms to compare with.
        paired: as in `estimate_difference`.
    """
    interval = estimate_difference(first.level, *(o.level for o in others), paired=paired)
    if any(_mostly_censored(first, side) and _mostly_censored(o, side) for side in (-1, 1) for o in others):
        return interval.hide()
    return interval


def psychometric(lambdas: np.ndarray, share_first: np.ndarray) -> Psychometric:
    """Least-squares logistic fit of the choice between two tasks against the mixture of their cues.

    share = 1 / (1 + exp(slope (λ - λ50))).

    Args:
        lambdas: (L,) increasing shares of the second task's cue, on both sides of 1/2.
        share_first: (..., L) answers for the first task among those for either.

    Returns:
        Psychometric of shape (...,). Not fitted, and NaN, where the share is missing, flat, rising, or on
        one side of one half throughout, or where the optimiser fails.

    Raises:
        ValueError: fewer than three levels, not increasing, or not fitting the shares.

    Source: the logistic psychometric function, Wichmann & Hill 2001, without lapses.
    """
    lambdas, share_first = _check_curve("lambdas", lambdas, "share_first", share_first, at_least=3)
    shape = share_first.shape[:-1]
    fits = [_fit_logistic(lambdas, share) for share in share_first.reshape(-1, len(lambdas))]
    lambda_50, slope, fitted, steep = (np.reshape(column, shape) for column in zip(*fits, strict=True))
    return Psychometric(lambda_50=lambda_50, slope=slope, fitted=fitted, steep=steep)


def mean_switch(lambdas: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mixture (...,) at which choice goes from the first task to the second, in the mean, without a fit.

    The area under the share of the first task, in which an answer for neither counts half. It is the mean threshold
    where the share goes from 1 to 0; where answers to a clean cue are not all right, what they lack moves it, too.

    Args:
        lambdas: (L,) increasing shares of the second task's cue, from 0 to 1.
        first: (..., L) share of answers for the first task, of all answers.
        second: (..., L) the same for the second.

    Source: Spearman's and Kärber's estimate of a mean threshold, Miller & Ulrich 2001.
    """
    lambdas, first = _check_curve("lambdas", lambdas, "first", first, at_least=3)
    if lambdas[0] != 0 or lambdas[-1] != 1:
        raise ValueError(f"lambdas: expected levels from 0 to 1, got {lambdas[0]} to {lambdas[-1]}")
    return np.trapezoid((1 + first - second) / 2, lambdas, axis=-1)


def _fit_logistic(lambdas: np.ndarray, share: np.ndarray) -> tuple[float, float, bool, bool]:
    """λ50, slope, fitted, steep of one curve."""
    failed = (np.nan, np.nan, False, False)
    if not (np.isfinite(share).all() and share.min() < 0.5 < share.max()):
        return failed
    # steeper than this, the share goes from 2 % to 98 % between two grid points
    steepest = 8 / np.diff(lambdas).min()
    start = np.array([lambdas[np.argmin(np.abs(share - 0.5))], 4 / np.ptp(lambdas)])
    bounds = ([lambdas[0], -steepest], [lambdas[-1], steepest])

    def residuals(params: np.ndarray) -> np.ndarray:
        return special.expit(-params[1] * (lambdas - params[0])) - share

    fit = optimize.least_squares(residuals, start, bounds=bounds, x_scale=[np.ptp(lambdas), 1 / np.ptp(lambdas)])
    lambda_50, slope = fit.x
    ends = special.expit(-slope * (lambdas[[0, -1]] - lambda_50))
    if not fit.success or ends[0] - ends[1] < FLAT_RANGE or not lambdas[0] < lambda_50 < lambdas[-1]:
        return failed
    return float(lambda_50), float(slope), True, bool(slope > 0.99 * steepest)


def _mostly_censored(threshold: Threshold, side: int) -> bool:
    known = ~np.isnan(threshold.level)
    return bool(np.sum(known & (threshold.censored == side)) * 2 > known.sum())


def _check_curve(
    level_name: str, levels: np.ndarray, curve_name: str, curve: np.ndarray, at_least: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Levels and curve as arrays, if the levels increase and the curve has one value for each."""
    levels, curve = np.asarray(levels, float), np.asarray(curve, float)
    if levels.ndim != 1 or len(levels) < at_least or not (np.diff(levels) > 0).all():
        raise ValueError(f"{level_name}: expected at least {at_least} increasing levels, got {levels}")
    if curve.shape[-1:] != levels.shape:
        raise ValueError(f"{curve_name}: expected {len(levels)} levels on the last axis, got shape {curve.shape}")
    return levels, curve
