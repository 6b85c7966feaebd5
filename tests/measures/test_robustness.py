"""Measures of robustness on curves whose answers are known in closed form."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.measures.robustness import (
    Threshold,
    area_under_mixture,
    average_pairs,
    compare_thresholds,
    mean_switch,
    normalise_accuracy,
    psychometric,
    threshold_level,
)

GRID = np.linspace(0, 1, 11)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def logistic(lambdas, lambda_50, slope):
    return 1 / (1 + np.exp(slope * (lambdas - lambda_50)))


# normalisation and averaging


def test_normalised_accuracy_broadcasts_and_maps_chance_to_0_and_clean_to_1():
    accuracy = np.array([[0.2, 0.55, 0.9], [0.5, 0.6, 0.7]])
    out = normalise_accuracy(accuracy, 0.2, np.array([[0.9], [0.7]]))
    assert out.shape == (2, 3)
    np.testing.assert_allclose(out, [[0, 0.5, 1], [0.6, 0.8, 1]], rtol=1e-12)


@pytest.mark.parametrize("clean", [0.2, 0.1, np.nan])
def test_nothing_learnt_is_nan(clean):
    assert np.isnan(normalise_accuracy(np.array([0.1, 0.2]), 0.2, clean)).all()


def test_average_over_pairs_keeps_the_same_pairs_at_every_level():
    curves = np.array(
        [
            [[1.0, 0.8], [0.6, 0.4]],
            [[1.0, 0.8], [0.6, np.nan]],  # second pair unknown at one level: out at both
            [[np.nan, 1.0], [1.0, np.nan]],
            [[0.0, 0.0], [1.0, 1.0]],
        ]
    )
    out = average_pairs(curves)
    assert out.shape == (4, 2)
    np.testing.assert_allclose(out, [[0.8, 0.6], [1.0, 0.8], [np.nan, np.nan], [0.5, 0.5]], rtol=1e-12)
    filtered = average_pairs(curves, np.array([True, False, True, False]))
    np.testing.assert_allclose(filtered[0], [0.8, 0.6], rtol=1e-12)
    assert np.isnan(filtered[1:]).all()


# area


def test_area_of_known_curves():
    lambdas = np.linspace(0, 0.5, 6)
    flat, line, step = np.ones(6), 1 - 2 * lambdas, (lambdas < 0.25).astype(float)
    out = area_under_mixture(lambdas, np.stack([flat, line, step])[None])
    assert out.shape == (1, 3)
    # the step falls between 0.2 and 0.3: trapezoids give (0.2 + 0.05) / 0.5
    np.testing.assert_allclose(out[0], [1, 0.5, 0.5], rtol=1e-12)


def test_area_stops_at_one_half_by_interpolation():
    # on a straight line the interpolated end changes nothing: the mean of 1 - λ over [0, 1/2] is 3/4
    assert area_under_mixture(np.array([0, 0.4, 0.8]), np.array([1, 0.6, 0.2])) == pytest.approx(0.75, rel=1e-12)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.floats(0.05, 0.45))
def test_area_equals_fine_riemann_sum(values, middle):
    lambdas = np.array([0, middle, 0.55, 0.9])
    fine = (np.arange(20000) + 0.5) / 40000
    brute = np.interp(fine, lambdas, values).mean()
    # midpoint sums err only in the cell of the kink: by 40 (change of slope) x cell² / 8 / .5 = 6e-9
    assert area_under_mixture(lambdas, np.array(values)) == pytest.approx(brute, abs=1e-7)


@pytest.mark.parametrize("lambdas", [[0.1, 0.3, 0.5], [0, 0.2, 0.4], [0, 0.5, 0.5], [0, 0.6]])
def test_area_refuses_levels_that_do_not_span_the_range(lambdas):
    with pytest.raises(ValueError, match="lambdas|normalised"):
        area_under_mixture(np.array(lambdas), np.ones(3))


# thresholds


def test_falling_threshold_of_a_line_and_of_a_kink():
    levels = np.array([0.0, 1.0, 2.0])
    curves = np.array([[1.0, 0.5, 0.0], [1.0, 0.8, 0.3], [1.0, 0.75, 0.2]])
    threshold = threshold_level(levels, curves)
    assert threshold.level.shape == threshold.censored.shape == (3,)
    np.testing.assert_allclose(threshold.level, [0.5, 1.1, 1.0], rtol=1e-12)
    assert (threshold.censored == 0).all()


def test_rising_threshold_is_the_falling_one_mirrored():
    rising = np.array([0.0, 0.2, 0.9, 1.0])
    levels = np.array([0.1, 0.2, 0.6, 1.0])
    up = threshold_level(levels, rising, direction="rising")
    down = threshold_level(levels, 1 - rising, criterion=0.25)
    assert up.level == pytest.approx(0.2 + 0.4 * 0.55 / 0.7, rel=1e-12)
    assert down.level == pytest.approx(up.level, rel=1e-12)


def test_first_of_several_crossings_counts():
    assert threshold_level(np.arange(5.0), np.array([1, 0.5, 1, 0.5, 0])).level == pytest.approx(0.5)


@given(st.floats(0.06, 2.9), st.floats(0.3, 0.95))
def test_threshold_inverts_a_known_curve(sigma, criterion):
    levels = np.linspace(0, 6, 61)
    curve = np.exp(-levels / sigma)
    exact = -sigma * np.log(criterion)
    # linear interpolation of f errs by h²/8 max|f''| in height; the chord falls by at least f(.1) per step
    height = 0.1**2 / 8 / sigma**2
    tolerance = height / (criterion * (1 - np.exp(-0.1 / sigma)) / 0.1) * np.exp(0.1 / sigma)
    assert threshold_level(levels, curve, criterion).level == pytest.approx(exact, abs=tolerance + 1e-9)


def test_outside_the_grid_is_the_bound_with_a_flag():
    levels = np.array([0.5, 1.0, 2.0])
    curves = np.array([[0.9, 0.9, 0.8], [0.7, 0.5, 0.2], [np.nan, 1, 0], [1.0, 0.5, np.nan], [0.75, 0.5, 0.2]])
    threshold = threshold_level(levels, curves)
    np.testing.assert_array_equal(threshold.level, [2.0, 0.5, np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(threshold.censored, [1, -1, 0, 0, 0])
    rising = threshold_level(levels, 1 - curves, criterion=0.25, direction="rising")
    np.testing.assert_array_equal(rising.censored, threshold.censored)


def test_unknown_direction_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'falling'"):
        threshold_level(GRID, GRID, direction="fallling")


def uncensored(*levels):
    return Threshold(level=np.array(levels), censored=np.zeros(len(levels), int))


def test_thresholds_compare_by_their_means():
    out = compare_thresholds(uncensored(3.0, 4, 5), uncensored(1.0, 2, 3), paired=True)
    np.testing.assert_allclose([out.value, out.low, out.high, out.n], [2, 2, 2, 3], rtol=1e-12)
    best = compare_thresholds(uncensored(3.0, 4, 5), uncensored(1.0, 2, 3), uncensored(2.0, 3, 4), paired=True)
    assert best.value == 1


def test_one_censored_arm_gives_a_smaller_difference_both_give_none():
    beyond = Threshold(level=np.array([4.0, 4.0, np.nan]), censored=np.array([1, 1, 0]))
    below = Threshold(level=np.array([0.0, 0.0, 0.0]), censored=np.array([-1, -1, 0]))
    inside = uncensored(1.0, 1.5, 2.0)
    assert compare_thresholds(beyond, inside, paired=False).value == 2.5
    assert compare_thresholds(beyond, below, paired=False).value == 4
    for hidden in (
        compare_thresholds(beyond, beyond, paired=False),
        compare_thresholds(beyond, inside, beyond, paired=False),
        compare_thresholds(below, below, paired=False),
    ):
        assert np.isnan([hidden.value, hidden.low, hidden.high]).all()


# psychometric function


@given(st.floats(0.15, 0.85), st.floats(2, 50))
def test_psychometric_recovers_a_logistic(lambda_50, slope):
    fit = psychometric(GRID, logistic(GRID, lambda_50, slope))
    assert fit.fitted and not fit.steep
    assert fit.lambda_50 == pytest.approx(lambda_50, abs=1e-4)
    assert fit.slope == pytest.approx(slope, rel=1e-2)


def test_psychometric_shape_and_flags():
    rng = np.random.default_rng(0)
    curves = np.stack(
        [
            logistic(GRID, 0.4, 12) + rng.normal(0, 0.02, 11),
            (GRID < 0.55).astype(float),  # a step: steeper than the grid resolves
            np.full(11, 0.5),
            0.55 - 0.1 * GRID + rng.normal(0, 0.02, 11),  # all but flat
            GRID,  # rises
            0.6 + 0.4 * logistic(GRID, 0.5, 12),  # never reaches one half
            np.where(GRID > 0.5, np.nan, 1 - GRID),
        ]
    ).reshape(7, 1, 11)
    fit = psychometric(GRID, curves)
    assert fit.lambda_50.shape == fit.slope.shape == fit.fitted.shape == fit.steep.shape == (7, 1)
    np.testing.assert_array_equal(fit.fitted[:, 0], [1, 1, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(fit.steep[:, 0], [0, 1, 0, 0, 0, 0, 0])
    # noise .02 on about five informative points of slope 3: .02 / (3 √5) = .003 in λ; four times that
    assert fit.lambda_50[0, 0] == pytest.approx(0.4, abs=0.012)
    assert 0.5 < fit.lambda_50[1, 0] < 0.6
    assert np.isnan(fit.lambda_50[2:]).all() and np.isnan(fit.slope[2:]).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: average_pairs(np.ones((2, 3))), r"curves: expected axes .* got shape \(2, 3\)"),
        (
            lambda: average_pairs(np.ones((2, 3, 4)), np.ones(3)),
            r"passed: expected .* 2 networks, got \(3,\)",
        ),
        (lambda: threshold_level(np.array([1.0, 0.5]), np.ones(2)), "levels: expected .* increasing"),
        (lambda: threshold_level(GRID, np.ones(3)), r"normalised: expected 11 levels .* got shape \(3,\)"),
        (lambda: psychometric(GRID[:2], np.ones(2)), "lambdas: expected at least 3"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# the mixture at which choice changes


@pytest.mark.parametrize("at", [0.2, 0.5, 0.73])
def test_mean_switch_of_a_logistic_is_where_it_crosses_one_half(at):
    lambdas = np.linspace(0, 1, 201)
    first = logistic(lambdas, at, 60)
    assert mean_switch(lambdas, first, 1 - first) == pytest.approx(at, abs=1e-3)


def test_answers_for_neither_count_half_in_the_mean_switch():
    lambdas = np.linspace(0, 1, 101)
    first, second = (lambdas < 0.305) * 1.0, (lambdas > 0.695) * 1.0  # neither in between
    assert mean_switch(lambdas, first, second) == pytest.approx(0.5, abs=1e-9)
    assert mean_switch(lambdas, first, 1 - first) == pytest.approx(0.305, abs=1e-9)


def test_mean_switch_asks_for_both_ends():
    with pytest.raises(ValueError, match="from 0 to 1, got 0.0 to 0.9"):
        mean_switch(np.linspace(0, 0.9, 10), np.ones(10), np.zeros(10))
