"""The front of single conditions and what lies beyond it: tables whose answer is known, and pure noise."""

import numpy as np
import pytest

from cemrnn.measures import front
from cemrnn.measures.front import choose_beyond_front, front_line, front_steps, measure_beyond_front
from cemrnn.random import stream

SINGLE = np.array([[100.0, 1.0], [200.0, 2.0], [300.0, 1.5], [400.0, 3.0]])  # latency, tolerance; the third is beaten


def replicate(points, n=6, spread=0.0, seed=0):
    """(M, C, 2): every condition n times, with noise in tolerance alone."""
    points = np.broadcast_to(np.asarray(points, float), (n, *np.shape(points))).copy()
    points[..., 1] += spread * stream(seed, "test").standard_normal(points.shape[:2])
    return points


@pytest.mark.parametrize(
    ("latency", "expected"), [(50, 1.0), (100, 1.0), (199, 1.0), (200, 2.0), (399, 2.0), (400, 3.0), (999, 3.0)]
)
def test_the_front_is_the_best_of_those_that_are_no_slower(latency, expected):
    assert front_steps(SINGLE, np.array([float(latency)])) == [expected]


def test_a_difference_within_the_slack_does_not_count():
    assert front_steps(SINGLE, np.array([170.0]), slack=30.0) == [2.0]
    assert front_steps(SINGLE, np.array([169.0]), slack=30.0) == [1.0]


@pytest.mark.parametrize(("latency", "expected"), [(50, 1.0), (150, 1.5), (200, 2.0), (300, 2.5), (400, 3.0), (900, 3)])
def test_the_line_joins_the_conditions_on_the_front(latency, expected):
    assert front_line(SINGLE, np.array([float(latency)])) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("straight", "expected"),
    [(False, 2.7 - 2.0), (True, 2.7 - 2.5)],
)
def test_the_gap_is_that_of_the_best_combination(straight, expected):
    combined = replicate([[150.0, 1.1], [300.0, 2.7], [500.0, 3.1]])
    interval = measure_beyond_front(combined, replicate(SINGLE), seed=0, straight=straight)
    assert interval.value == pytest.approx(expected)
    assert interval.low == pytest.approx(expected)  # without spread there is no uncertainty
    assert interval.n == 6
    assert choose_beyond_front(combined, replicate(SINGLE)) == 1


def test_conditions_with_too_few_comparable_networks_do_not_count():
    combined = replicate([[150.0, 1.1], [300.0, 2.7]])
    combined[3:, 1, 0] = np.nan  # three networks of the best combination are left: one half has no spread
    interval = measure_beyond_front(combined, replicate(SINGLE), seed=0)
    assert interval.value == pytest.approx(0.1)
    assert choose_beyond_front(combined, replicate(SINGLE)) == 0
    single = replicate(SINGLE)
    single[2:, 0, 1] = np.nan  # two of the fastest single networks are enough: without them the front is lower
    assert measure_beyond_front(combined, single, seed=0).value == pytest.approx(0.1)
    assert measure_beyond_front(combined, single, seed=0).n == 2
    nothing = measure_beyond_front(np.full_like(combined, np.nan), replicate(SINGLE), seed=0)
    assert np.isnan([nothing.value, nothing.low, nothing.high, nothing.p]).all()
    assert nothing.n == 0
    assert choose_beyond_front(combined, np.full_like(combined, np.nan)) is None


def test_pure_noise_gives_no_advantage_but_picking_the_best_does(monkeypatch):
    """All conditions alike: without cross-fitting the best of twelve lies beyond the front; with it, it does not."""
    monkeypatch.setattr(front, "N_RESAMPLES", 1)
    crossed, picked = [], []
    for trial in range(200):
        generator = stream(trial, "noise")
        combined, single = (generator.standard_normal((6, n, 2)) for n in (12, 8))
        crossed.append(measure_beyond_front(combined, single, seed=0).value)
        ours, theirs = (kind.mean(axis=0) for kind in (combined, single))
        picked.append((ours[:, 1] - front_steps(theirs, ours[:, 0])).max())
    assert np.mean(picked) > 0.4
    assert np.mean(crossed) < 2 * np.std(crossed) / np.sqrt(len(crossed))
    assert np.mean(crossed) > -1.0  # but it is no absurdly low answer: the front is the best of eight means


def test_intervals_hold_a_known_advantage_and_leave_out_zero():
    held = 0
    for seed in range(40):
        single = replicate(SINGLE, n=20, spread=0.2, seed=2 * seed)
        combined = replicate([[100.0, 1.0], [200.0, 2.6], [300.0, 1.0]], n=20, spread=0.2, seed=2 * seed + 1)
        interval = measure_beyond_front(combined, single, seed=seed)
        held += interval.low <= 0.6 <= interval.high
        assert interval.low > 0
        assert interval.p < 0.01
    assert held >= 33  # 95 % of 40 is 38; a binomial at .9 falls below 33 once in 100


def test_resampling_repeats_exactly():
    arguments = replicate([[300.0, 2.7]], spread=0.1, seed=1), replicate(SINGLE, spread=0.1, seed=2)
    first, again = (measure_beyond_front(*arguments, seed=3) for _ in range(2))
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low != measure_beyond_front(*arguments, seed=4).low
