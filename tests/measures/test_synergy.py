"""Measures of synergy on tables of outcomes whose synergy is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.measures.intervals import estimate_statistic
from cemrnn.measures.synergy import SYNERGY, beyond_best, beyond_bliss, beyond_sum, lesion_excess, swap_statistic

SPREAD = 0.05 * np.array([-1.3, -0.8, -0.4, -0.1, 0.1, 0.4, 0.8, 1.3])  # of replicates around their mean
share = st.floats(0, 1)


def replicates(*means):
    """A sample (M,) of replicates for each mean."""
    return [mean + SPREAD for mean in means]


@pytest.mark.parametrize("statistic", SYNERGY.values())
def test_the_replicate_axis_goes_and_columns_stay(statistic):
    samples = [np.random.default_rng(i).random((5, 3, 2)) for i in range(4)]
    assert statistic(*samples, axis=0).shape == (3, 2)
    moved = statistic(*(np.moveaxis(sample, 0, -1) for sample in samples), axis=-1)
    np.testing.assert_allclose(moved, statistic(*samples, axis=0), rtol=0, atol=1e-15)


@given(share, share, share)
def test_pathways_that_add_up_have_no_interaction(e, s, neither):
    samples = replicates(e + s - neither, e, s, neither)
    assert beyond_sum(*samples, axis=0) == pytest.approx(0, abs=1e-12)


@given(share, share)
def test_independent_pathways_have_no_bliss_excess(e, s):
    fails = (1 - e) * (1 - s)  # both pathways fail
    assert beyond_bliss(*replicates(1 - fails, e, s, 0), axis=0) == pytest.approx(0, abs=1e-12)


@given(share, share)
def test_both_as_good_as_the_better_one_is_not_beyond_it(e, s):
    assert beyond_best(*replicates(max(e, s), e, s, 0), axis=0) == pytest.approx(0, abs=1e-12)


@given(share, share, share)
def test_on_a_scale_from_nothing_the_sum_is_hardest_to_beat_and_the_better_one_easiest(both, e, s):
    samples = replicates(both, e, s, 0)
    best, total, bliss = (f(*samples, axis=0) for f in (beyond_best, beyond_sum, beyond_bliss))
    assert total <= bliss + 1e-12
    assert bliss <= best + 1e-12


@pytest.mark.parametrize("planted", [-0.2, 0.0, 0.15])
@pytest.mark.parametrize("measure", SYNERGY)
def test_planted_synergy_is_recovered_within_its_interval(measure, planted):
    e, s, neither = 0.3, 0.45, 0.1
    without = {"beyond_best": max(e, s), "beyond_sum": e + s - neither, "beyond_bliss": e + s - e * s}[measure]
    generator = np.random.default_rng(5)
    samples = [mean + 0.03 * generator.standard_normal(20) for mean in (without + planted, e, s, neither)]
    interval = estimate_statistic(SYNERGY[measure], *samples, seed=1)
    # standard error of a sum of four means of 20: at most 2 x .03 / sqrt(20) = .013
    assert interval.value == pytest.approx(planted, abs=3 * 0.0135)
    assert interval.low < planted < interval.high
    assert interval.high - interval.low < 0.08
    assert (interval.low > 0) == (planted > 0) and (interval.high < 0) == (planted < 0)


def test_the_better_pathway_is_chosen_by_its_mean_and_not_by_replicate():
    e, s = np.array([0.0, 1.0]), np.array([1.0, 0.0])
    assert beyond_best(np.array([0.5, 0.5]), e, s, np.zeros(2), axis=0) == 0  # the best of each replicate is 1


def test_the_excess_of_lesions_has_its_closed_form():
    intact, without_e, without_s, without = np.array(
        [
            [1.0, 1.0, 1.0, 0.0],  # either can stand in for the other
            [1.0, 0.0, 0.0, 0.0],  # each needs the other
            [1.0, 0.4, 0.6, 0.0],  # losses add up
            [1.0, 0.0, 1.0, 0.0],  # one does everything
            [0.9, 0.7, np.nan, 0.1],
        ]
    ).T
    excess = lesion_excess(intact, without_e, without_s, without)
    assert excess.shape == (5,)
    np.testing.assert_allclose(excess, [1, -1, 0, 0, np.nan], atol=1e-12)


def swap(robust_e, robust_s, packed_e, packed_s):
    samples = replicates(robust_e, robust_s, packed_e, packed_s)
    return swap_statistic(*samples)(*samples, axis=0) * SPREAD.std(ddof=1)  # back from standard deviations


@pytest.mark.parametrize("sign", [1, -1])
def test_pathways_that_swap_places_are_positive_by_the_smaller_difference(sign):
    assert swap(0.5 + 0.2 * sign, 0.5, 0.4 - 0.1 * sign, 0.4) == pytest.approx(0.1)
    assert swap(0.5 + 0.1 * sign, 0.5, 0.4 - 0.3 * sign, 0.4) == pytest.approx(0.1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_pathway_that_is_better_at_both_is_negative(sign):
    assert swap(0.5 + 0.2 * sign, 0.5, 0.4 + 0.1 * sign, 0.4) == pytest.approx(-0.1)
    assert swap(0.5 + 0.2 * sign, 0.5, 0.4, 0.4) == pytest.approx(0)


def test_the_swap_does_not_depend_on_the_units():
    samples = replicates(0.7, 0.5, 0.3, 0.4)
    scaled = [*(1000 * sample for sample in samples[:2]), *samples[2:]]
    expected = swap_statistic(*samples)(*samples, axis=0)
    assert swap_statistic(*scaled)(*scaled, axis=0) == pytest.approx(expected, rel=1e-12)


def test_a_planted_swap_has_an_interval_that_excludes_zero_and_replicates_that_do_not_differ_have_none():
    samples = replicates(0.7, 0.5, 0.3, 0.45)
    interval = estimate_statistic(swap_statistic(*samples), *samples, seed=1)
    assert 0 < interval.low < 0.15 / SPREAD.std(ddof=1) < interval.high
    same = [np.full(4, 0.5)] * 4
    assert np.isnan(swap_statistic(*same)(*same, axis=0))
    missing = [np.append(sample, np.nan) for sample in samples]
    assert estimate_statistic(swap_statistic(*missing), *missing, seed=1).value == pytest.approx(interval.value)
