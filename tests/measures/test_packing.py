"""Packing measures on score tables with a known answer."""

import numpy as np
import pytest

from cemrnn.measures.packing import (
    average_thresholds,
    blind_share,
    interference,
    largest_packed,
    octaves_packed,
    packing_exponent,
    worst_of_separate,
)
from cemrnn.measures.robustness import Threshold

COUNTS = np.array([1, 2, 4, 8])


def test_the_largest_number_is_that_of_the_median_replicate():
    worst = np.array([[1.0, 0.9, 0.9, 0.1], [1.0, 0.9, 0.7, 0.1], [1.0, 0.9, 0.8, 0.9]])
    assert largest_packed(COUNTS, worst, 0.8) == 4
    assert largest_packed(COUNTS, worst, 0.85) == 2
    assert largest_packed(COUNTS, np.zeros((3, 4)), 0.8) == 0


def test_octaves_are_found_between_the_tested_numbers():
    worst = np.array([[1.0, 1.0, 0.9, 0.5], [1.0, 0.6, 0.0, 0.0], [1.0, 1.0, 1.0, 0.9], [0.5, 0.9, 0.0, 0.0]])
    packed = octaves_packed(COUNTS, worst, 0.8)
    assert packed.level == pytest.approx([2.25, 0.5, 3, 0])
    assert packed.censored.tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize("planted", [0.25, 1.0, 1.5, 2.0 + 1 / 3])
def test_a_planted_number_of_tasks_is_recovered_between_the_tested_ones(planted):
    # the score falls by a tenth per octave, through .8 at the planted number: half-way from 2 to 4 that is 2.83 tasks
    jitter = np.array([-0.05, 0.0, 0.05])
    worst = 0.8 - 0.1 * (np.log2(COUNTS) - planted - jitter[:, None])
    packed = octaves_packed(COUNTS, worst, 0.8)
    np.testing.assert_allclose(packed.level, planted + jitter, atol=1e-12)
    assert (packed.censored == 0).all()
    assert largest_packed(COUNTS, worst, 0.8 - 1e-9) == 2 ** int(planted)
    stricter = octaves_packed(COUNTS, worst, 0.82)
    np.testing.assert_allclose(stricter.level, planted + jitter - 0.2, atol=1e-12)


def test_a_later_recovery_does_not_count():
    worst = np.array([[0.9, 0.7, 0.9, 0.9]])
    assert octaves_packed(COUNTS, worst, 0.8).level == pytest.approx([0.5])


def test_a_failed_replicate_stays_missing():
    packed = octaves_packed(COUNTS, np.array([[1.0, np.nan, 0.5, 0.0], [1.0, 1.0, 0.6, 0.0]]), 0.8)
    np.testing.assert_allclose(packed.level, [np.nan, 1.5])


def test_the_mean_over_sizes_is_flagged_where_most_sizes_are():
    thresholds = [Threshold(level=np.array([0.0, 3.0]), censored=np.array(c)) for c in ([0, 1], [0, 1], [1, 0])]
    mean = average_thresholds(thresholds)
    assert mean.level.tolist() == [0, 3] and mean.censored.tolist() == [0, 1]
    assert average_thresholds(thresholds[1:]).censored.tolist() == [0, 0]


def test_the_exponent_of_a_power_law_is_recovered():
    units = np.array([8, 16, 64])
    octaves = np.stack([1.5 * np.log2(units) - 2, 0 * units + 3.0])
    assert packing_exponent(units, octaves) == pytest.approx([1.5, 0])


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_a_planted_exponent_is_recovered_from_scores(exponent):
    units = np.array([8, 16, 32])
    counts = np.array([1, 2, 4, 8, 16, 32, 64])
    offset = np.array([0.2, 0.5])  # of two replicates, in octaves
    octaves = []
    for n_units in units:
        planted = exponent * np.log2(n_units / 8) + offset
        octaves.append(octaves_packed(counts, 0.8 - 0.03 * (np.log2(counts) - planted[:, None]), 0.8).level)
    np.testing.assert_allclose(packing_exponent(units, np.stack(octaves, axis=1)), exponent, rtol=1e-9)


def test_the_exponent_is_the_least_squares_slope():
    units, octaves = np.array([8, 16, 64]), np.random.default_rng(0).random((4, 3))
    expected = np.polyfit(np.log2(units), octaves.T, 1)[0]
    np.testing.assert_allclose(packing_exponent(units, octaves), expected, rtol=1e-12)


def test_interference_is_what_a_task_loses():
    assert interference(np.array([[0.9, 0.9, 0.4]])) == pytest.approx(np.array([[0, 0, 0.5]]))


def test_separate_networks_are_as_good_as_the_worst_of_them():
    pool = np.array([0.2] + [1.0] * 99)
    assert worst_of_separate(np.full(5, 0.7), 8, 3, seed=1).tolist() == [0.7] * 3
    many = worst_of_separate(pool, 64, 4000, seed=1)  # one of K draws is the bad network with 1 - .99^K
    assert (many == 0.2).mean() == pytest.approx(1 - 0.99**64, abs=0.03)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"worst: expected \(replicate, 4 numbers of tasks\), got shape \(3, 3\)"):
        largest_packed(COUNTS, np.zeros((3, 3)), 0.8)


@pytest.mark.parametrize("n_tasks", [1, 2, 4, 7, 16, 64])
def test_the_blind_share_is_that_of_the_best_single_turn(n_tasks):
    tolerance = np.pi / 10
    turns = np.linspace(0, 2 * np.pi, 7201)[:, None] + 1e-7
    error = np.abs((2 * np.pi * np.arange(n_tasks) / n_tasks - turns + np.pi) % (2 * np.pi) - np.pi)
    assert blind_share(n_tasks, tolerance) == (error < tolerance - 1e-6).mean(axis=1).max()
