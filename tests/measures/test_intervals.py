"""Intervals against brute force, closed forms, and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cemrnn.measures import intervals
from cemrnn.measures.intervals import (
    adjust_holm,
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_median,
    bootstrap_statistic,
)


def sample(*shape, seed=0, scale=1.0, loc=0.0):
    return np.random.default_rng(seed).normal(loc, scale, shape)


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3), (6, 2, 3)])
def test_shape_is_that_of_one_replicate(shape):
    values = sample(*shape)
    for interval in (
        bootstrap_mean(values, seed=1),
        bootstrap_median(values, seed=1),
        bootstrap_difference(values, values[:4] + 1, paired=False, seed=1),
    ):
        for part in (interval.value, interval.low, interval.high, interval.n):
            assert np.shape(part) == shape[1:]


def test_mean_lies_within_bounds_near_the_normal_interval():
    values = sample(400, seed=3, scale=2.0, loc=5.0)
    interval = bootstrap_mean(values, seed=1)
    half = 1.96 * values.std(ddof=1) / 20
    assert interval.value == pytest.approx(values.mean(), rel=1e-12)
    # the end points of 2000 resamples scatter by about 4 % of the half width; four times that
    assert interval.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert interval.n == 400


def test_bounds_lean_to_the_side_of_the_long_tail():
    # BCa, unlike the normal interval, is asymmetric for skewed samples
    values = np.exp(sample(30, seed=5))
    interval = bootstrap_mean(values, seed=1)
    assert interval.high - interval.value > 1.2 * (interval.value - interval.low)


def test_median_against_numpy():
    values = sample(9, 4, seed=2)
    interval = bootstrap_median(values, seed=1)
    np.testing.assert_array_equal(interval.value, np.sort(values, axis=0)[4])
    assert (interval.low < interval.value).all() and (interval.value < interval.high).all()


@pytest.mark.parametrize("n_replicates, expected", [(5, 0.837), (20, 0.925)])
def test_coverage_of_the_mean(n_replicates, expected):
    """The coverage that the module documents, from 1500 simulated samples."""
    interval = bootstrap_mean(sample(n_replicates, 1500, seed=11), seed=1)
    covered = ((interval.low <= 0) & (interval.high >= 0)).mean()
    assert covered == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 1500))


def test_coverage_control_a_shifted_mean_is_not_covered():
    # three standard errors away, a 95 % interval reaches with probability P(|z + 3| < 1.96) = 15 %
    interval = bootstrap_mean(sample(20, 600, seed=12), seed=1)
    shift = 3 / np.sqrt(20)
    assert ((interval.low <= shift) & (interval.high >= shift)).mean() < 0.3


def test_equal_replicates_give_zero_width():
    values = np.stack([np.full(7, 0.1), np.full(7, -3.0)], axis=1)
    for interval in (bootstrap_mean(values, seed=1), bootstrap_median(values, seed=1)):
        np.testing.assert_allclose(interval.value, [0.1, -3.0], rtol=1e-15)
        np.testing.assert_array_equal(interval.low, interval.value)
        np.testing.assert_array_equal(interval.high, interval.value)


def test_median_with_equal_leave_one_outs_has_percentile_bounds():
    # BCa divides 0 by 0 here: every leave-one-out median is 1
    interval = bootstrap_median(np.array([0.0, 1, 1, 1, 1, 2]), seed=1)
    assert interval.value == 1
    assert 0 <= interval.low <= 1 <= interval.high <= 2


@pytest.mark.parametrize("n_present, value", [(0, np.nan), (1, 4.0)])
def test_fewer_than_two_replicates_have_no_interval(n_present, value):
    values = np.full(5, np.nan)
    values[:n_present] = 4.0
    for given_values in (values, values[:n_present]):
        interval = bootstrap_mean(given_values, seed=1)
        np.testing.assert_equal(float(interval.value), value)
        assert np.isnan(interval.low) and np.isnan(interval.high)
        assert interval.n == n_present


def test_two_replicates_have_an_interval():
    # resampled means are 1, 2 and 3, the outer ones a quarter of the time each
    interval = bootstrap_mean(np.array([1.0, 3.0]), seed=1)
    assert (interval.low, interval.value, interval.high, interval.n) == (1, 2, 3, 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 8), st.integers(1, 6))
def test_missing_replicates_are_dropped_column_by_column(seed, n_replicates, n_columns):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_replicates, n_columns))
    values[rng.random(values.shape) < 0.3] = np.nan
    together = bootstrap_mean(values, seed=7)
    for column in range(n_columns):
        kept = [x for x in values[:, column] if x == x]
        alone = bootstrap_mean(np.array(kept), seed=7)
        assert together.n[column] == len(kept)
        for part in ("value", "low", "high"):
            np.testing.assert_allclose(getattr(together, part)[column], getattr(alone, part), rtol=1e-12)


def test_blocks_of_columns_do_not_change_the_result(monkeypatch):
    values = sample(6, 10, seed=8)
    values[0, ::3] = np.nan
    whole = bootstrap_mean(values, seed=1)
    monkeypatch.setattr(intervals, "MAX_BLOCK", 6 * 100 * 2)  # two columns at a time
    pieces = bootstrap_mean(values, seed=1)
    np.testing.assert_allclose([pieces.low, pieces.high], [whole.low, whole.high], rtol=1e-12)


def test_deterministic_in_the_seed_and_only_there():
    values = sample(8, 3, seed=9)
    first, again, other = (bootstrap_mean(values, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.low, again.low)
    assert (first.low != other.low).all()
    np.testing.assert_array_equal(first.value, other.value)


def test_paired_difference_equals_the_mean_of_differences():
    first, second = sample(10, 2, seed=1), sample(10, 2, seed=2)
    difference = bootstrap_difference(first, second, paired=True, seed=3)
    direct = bootstrap_mean(first - second, seed=3)
    for part in ("value", "low", "high", "n"):
        np.testing.assert_allclose(getattr(difference, part), getattr(direct, part), atol=1e-12)


def test_pairing_removes_what_the_pairs_share():
    shared = sample(12, seed=1, scale=5.0)
    first, second = shared + sample(12, seed=2, scale=0.1) + 1, shared + sample(12, seed=3, scale=0.1)
    paired, unpaired = (bootstrap_difference(first, second, paired=p, seed=1) for p in (True, False))
    assert paired.value == pytest.approx(unpaired.value, abs=1e-12)
    assert paired.low > 0.5 and paired.high < 1.5
    # Var(unpaired) / Var(paired) = 2 (25 + .01) / (2 * .01) = 2501: a factor of 50 in width
    assert unpaired.high - unpaired.low > 10 * (paired.high - paired.low)


def test_paired_drops_the_pair_unpaired_the_value():
    first, second = np.array([1.0, 2, np.nan, 4]), np.array([0.0, np.nan, 5, 1])
    paired = bootstrap_difference(first, second, paired=True, seed=1)
    assert paired.n == 2 and paired.value == pytest.approx((1 + 4) / 2 - (0 + 1) / 2)
    unpaired = bootstrap_difference(first, second[:3], paired=False, seed=1)
    assert unpaired.n == 2 and unpaired.value == pytest.approx(7 / 3 - 5 / 2)


def test_excess_over_the_best_of_several():
    first, weak, strong = sample(15, seed=1, loc=3.0), sample(15, seed=2), sample(15, seed=3, loc=2.0)
    excess = bootstrap_difference(first, weak, strong, paired=False, seed=1)
    assert excess.value == pytest.approx(first.mean() - strong.mean(), abs=1e-12)
    swapped = bootstrap_difference(first, strong, weak, paired=False, seed=1)
    assert swapped.value == pytest.approx(excess.value, abs=1e-12)


def test_best_is_chosen_anew_in_every_resample():
    """Two rivals that win on different replicates: brute force over resamples in plain Python."""
    first, left, right = np.full(6, 1.0), np.array([0.0, 0, 0, 1, 1, 1]), np.array([1.0, 1, 1, 0, 0, 0])
    interval = bootstrap_difference(first, left, right, paired=True, seed=1)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(2000):
        chosen = [int(i) for i in rng.integers(0, 6, 6)]
        draws.append(1 - max(sum(left[i] for i in chosen), sum(right[i] for i in chosen)) / 6)
    assert interval.value == 0.5
    # no resample can exceed 1/2; a rival chosen once for all would spread on both sides of it
    assert max(draws) <= 0.5 and interval.high <= 0.5 and interval.low < 0.5


def test_equal_arms_rarely_show_an_advantage_and_the_bias_is_as_documented():
    first, left, right = np.random.default_rng(4).normal(size=(3, 20, 800))
    excess = bootstrap_difference(first, left, right, paired=False, seed=1)
    assert (excess.low > 0).mean() < 0.025 + 2 * np.sqrt(0.025 * 0.975 / 800)
    bias, spread = -1 / np.sqrt(np.pi * 20), np.sqrt(2 / 20 / 800)
    assert excess.value.mean() == pytest.approx(bias, abs=4 * spread)


def test_scalars_of_one_number():
    interval = bootstrap_mean(np.array([1.0, 2.0, 3.0]), seed=1)
    scalars = interval.to_scalars("auc")
    expected = {"auc": 2.0, "auc_low": interval.low, "auc_high": interval.high, "auc_n": 3, "auc_p": interval.p}
    assert scalars == expected
    assert {name: type(value) for name, value in scalars.items()}["auc_n"] is int
    with pytest.raises(ValueError, match=r"auc: expected the interval of one number, got shape \(2,\)"):
        bootstrap_mean(sample(3, 2), seed=1).to_scalars("auc")


def test_p_is_that_of_a_t_test_on_a_large_normal_sample():
    values = sample(200, 30, seed=6, loc=0.1)
    expected = stats.ttest_1samp(values, 0).pvalue
    assert np.abs(bootstrap_mean(values, seed=1).p - expected).max() < 0.04


def test_p_is_never_below_what_the_resamples_can_show():
    assert bootstrap_mean(np.full(5, 2.0), seed=1).p == pytest.approx(2 / 2001)
    assert bootstrap_mean(np.zeros(5), seed=1).p == 1
    assert np.isnan(bootstrap_mean(np.ones(1), seed=1).p)


def test_any_statistic_of_independent_samples():
    first, second = sample(40, seed=1, loc=3), sample(30, seed=2, loc=1)

    def ratio(a, b, axis):
        return a.mean(axis=axis) / b.mean(axis=axis)

    interval = bootstrap_statistic(ratio, first, second, seed=1)
    assert interval.value == pytest.approx(first.mean() / second.mean())
    assert interval.low < interval.value < interval.high and interval.n == 30


def test_holm_on_an_example_worked_by_hand():
    # sorted .01 .02 .03 .4, times 4 3 2 1: .04 .06 .06 .4; never falling
    assert adjust_holm([0.03, np.nan, 0.01, 0.4, 0.02]) == pytest.approx([0.06, np.nan, 0.04, 0.4, 0.06], nan_ok=True)
    assert adjust_holm([0.5, 0.6]).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_single_test_and_bonferroni(p):
    adjusted, p = adjust_holm(p), np.array(p)
    assert (adjusted >= p).all() and (adjusted <= np.minimum(len(p) * p, 1) + 1e-12).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bootstrap_mean(np.array(1.0), seed=1), "values: expected"),
        (lambda: bootstrap_mean(np.array([1.0, np.inf]), seed=1), "values: expected finite"),
        (lambda: bootstrap_difference(np.ones(3), paired=True, seed=1), "others: expected at least one"),
        (
            lambda: bootstrap_difference(np.ones(3), np.ones(4), paired=True, seed=1),
            "paired samples need 3 replicates, got 4",
        ),
        (
            lambda: bootstrap_difference(np.ones((3, 2)), np.ones((3, 1)), paired=False, seed=1),
            r"expected columns \(2,\), got \(1,\)",
        ),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
