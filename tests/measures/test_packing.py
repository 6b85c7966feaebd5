"""Packing measures on scores, losses and networks with a known answer."""

import math

import numpy as np
import pytest

from cemrnn.measures.packing import (
    bits_stored,
    draw_separate,
    fit_bits_per_parameter,
    kept_share,
    late_rise,
    majority_share,
    octaves_needed,
    octaves_packed,
    predict_bits,
    predict_packed,
    worst_of_halves,
)
from cemrnn.tasks.maps import bits_per_map, permutation

COUNTS = np.array([1, 2, 4, 8])


def test_octaves_are_found_between_the_tested_numbers():
    scores = np.array([[1.0, 1.0, 0.9, 0.5], [1.0, 0.6, 0.0, 0.0], [1.0, 1.0, 1.0, 0.9], [0.5, 0.9, 0.0, 0.0]])
    packed = octaves_packed(COUNTS, scores, 0.8)
    assert packed.level == pytest.approx([2.25, 0.5, 3, 0])
    assert packed.censored.tolist() == [0, 0, 1, -1]


def test_sizes_are_found_between_those_that_were_tested():
    scores = np.array([[0.2, 0.6, 1.0], [0.8, 0.9, 1.0], [0.1, 0.2, 0.3], [0.9, 0.9, 0.9]])
    needed = octaves_needed([8, 16, 32], scores, 0.8)
    assert needed.level == pytest.approx([4.5, 3, 5, 3])
    assert needed.censored.tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize("planted", [0.25, 1.0, 1.5, 2.0 + 1 / 3])
def test_a_planted_number_of_tasks_is_recovered_between_the_tested_ones(planted):
    # the score falls by a tenth per octave, through .8 at the planted number: half-way from 2 to 4 that is 2.83 tasks
    jitter = np.array([-0.05, 0.0, 0.05])
    scores = 0.8 - 0.1 * (np.log2(COUNTS) - planted - jitter[:, None])
    packed = octaves_packed(COUNTS, scores, 0.8)
    np.testing.assert_allclose(packed.level, planted + jitter, atol=1e-12)
    assert (packed.censored == 0).all()


def test_a_later_recovery_does_not_count_and_a_failed_replicate_stays_missing():
    assert octaves_packed(COUNTS, np.array([[0.9, 0.7, 0.9, 0.9]]), 0.8).level == pytest.approx([0.5])
    packed = octaves_packed(COUNTS, np.array([[1.0, np.nan, 0.5, 0.0], [1.0, 1.0, 0.6, 0.0]]), 0.8)
    np.testing.assert_allclose(packed.level, [np.nan, 1.5])


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"scores: expected \(replicate, 4 numbers of tasks\), got shape \(3, 3\)"):
        octaves_packed(COUNTS, np.zeros((3, 3)), 0.8)


def mutual_information(accuracy, n_sites):
    """Bits that an answer tells of the right one, from the table of both."""
    joint = np.full((n_sites, n_sites), (1 - accuracy) / (n_sites - 1) / n_sites)
    np.fill_diagonal(joint, accuracy / n_sites)
    present = joint > 0
    return float(np.sum(joint[present] * np.log2(joint[present] * n_sites**2)))


@pytest.mark.parametrize("n_sites", [4, 8, 32])
@pytest.mark.parametrize("accuracy", [0.3, 0.6, 0.95, 1.0])
def test_the_kept_share_is_mutual_information(n_sites, accuracy):
    expected = mutual_information(accuracy, n_sites) / math.log2(n_sites)
    assert kept_share(accuracy, n_sites) == pytest.approx(expected, abs=1e-12)


def test_nothing_is_kept_at_chance_or_below_and_all_of_it_with_perfect_answers():
    np.testing.assert_allclose(kept_share(np.array([0.0, 0.1, 0.125]), 8), 0, atol=1e-12)
    assert bits_stored(1.0, 5, 8) == pytest.approx(5 * math.log2(math.factorial(8)))


def test_a_network_that_knows_some_maps_and_guesses_the_others_holds_at_least_what_is_said():
    known = np.array([1.0] * 3 + [1 / 8] * 7)  # accuracy of ten maps
    said = bits_stored(known.mean(), 10, 8)
    assert 0 < said < 3 * bits_per_map(8)  # the share is convex in the accuracy


def test_the_worst_task_has_no_bias_among_equal_tasks():
    generator = np.random.default_rng(0)
    right = generator.random((400, 60, 32)) < 0.8
    assert worst_of_halves(right).mean() == pytest.approx(0.8, abs=0.01)
    assert right.mean(axis=1).min(axis=1).mean() < 0.72  # what it replaces


def test_a_task_that_is_worse_is_found():
    generator = np.random.default_rng(1)
    right = generator.random((300, 100, 16)) < np.r_[0.4, [0.9] * 15]
    assert worst_of_halves(right).mean() == pytest.approx(0.4, abs=0.01)


def rise_of(scores):
    return late_rise(np.arange(1, 41) / 40, scores, 0.8)


def test_the_rise_of_a_score_is_that_before_the_rate_falls():
    steps = np.arange(1, 41)
    assert rise_of(np.full(40, 0.3)) == 0
    assert rise_of(steps / 40) == pytest.approx(0.4)  # linear: from .4 to .8
    # what grows by .07 with every doubling, wherever it began
    assert rise_of(0.3 + 0.07 * np.log2(steps)) == pytest.approx(0.07, abs=0.01)
    cliff = np.where(steps > 32, 1.0, 0.2)  # after the rate began to fall
    assert rise_of(cliff) == 0
    assert rise_of(np.where(steps > 28, 0.8, 0.7)) == pytest.approx(0.1)
    assert math.isnan(late_rise(np.array([0.5, 1.0]), np.ones(2), 0.8))


@pytest.mark.parametrize("planted", [0.03, 0.7, 5.0])
def test_planted_bits_per_parameter_come_back(planted):
    generator = np.random.default_rng(2)
    demand, parameters = 2.0 ** generator.uniform(3, 14, 200), 2.0 ** generator.uniform(5, 9, 200)
    stored = predict_bits(demand, parameters, planted) * np.exp(0.05 * generator.standard_normal(200))
    assert fit_bits_per_parameter(demand, parameters, stored) == pytest.approx(planted, rel=0.03)
    assert math.isnan(fit_bits_per_parameter(np.empty(0), np.empty(0), np.empty(0)))


def test_what_is_predicted_to_fit_is_where_demand_meets_supply():
    kstar = predict_packed(100, 8, 15.3, 0.9)
    assert kstar * 15.3 == pytest.approx(0.9 * (100 + 8 * kstar))
    assert predict_packed(100, 16, 15.3, 1.0) == math.inf  # a context brings enough of its own
    assert predict_packed(100, 0, 5.0, 1.0) == 20


def test_the_majority_share_is_that_of_the_best_single_answer():
    assert majority_share(np.array([[0, 1], [0, 1], [1, 0]])) == pytest.approx(2 / 3)
    maps = np.array([permutation(k, 4) for k in range(40)])
    brute = np.mean([max((maps[:, site] == answer).mean() for answer in range(4)) for site in range(4)])
    assert majority_share(maps) == pytest.approx(brute)


def test_separate_networks_are_drawn_one_for_each_task():
    pool = np.ones((100, 5), bool)
    pool[0] = [True, False, False, False, False]
    assert draw_separate(pool[1:], 8, 3, seed=1).all()
    many = draw_separate(pool, 64, 4000, seed=1)  # one of K draws is the bad network with 1 - .99^K
    assert many.shape == (4000, 5, 64)
    worst = many.mean(axis=1).min(axis=1)
    assert set(worst) == {0.2, 1.0} and (worst == 0.2).mean() == pytest.approx(1 - 0.99**64, abs=0.03)
