"""Measures of dynamics on planted points, flows, subspaces and clusters whose values are known."""

import numpy as np
import pytest

from cemrnn.measures.geometry import (
    change_flow,
    cluster_units,
    displace_points,
    distance_to_nearest,
    find_bifurcations,
    find_components,
    mean_angle,
    mean_angle_of_pairs,
    measure_spread,
    nan_mean,
    participation_ratio,
    task_variance,
)

RNG_SEED = 11


def rotation(generator, n):
    """A random orthogonal matrix (n, n)."""
    return np.linalg.qr(generator.standard_normal((n, n)))[0]


@pytest.fixture
def generator():
    return np.random.default_rng(RNG_SEED)


def linear_context(weights, shift):
    """Fixed point and Jacobian of dr/dt = -r + r W + b."""
    n = len(weights)
    return shift @ np.linalg.inv(np.eye(n) - weights), weights.T - np.eye(n)


def test_the_spread_is_the_root_mean_square_distance_from_the_mean(generator):
    states = generator.standard_normal((50, 7)) + 3
    brute = np.sqrt(np.mean([np.sum((s - states.mean(0)) ** 2) for s in states]))
    assert measure_spread(states) == pytest.approx(brute, rel=1e-12)


def test_a_shift_moves_the_point_and_leaves_the_flow(generator):
    weights = 0.4 * rotation(generator, 6)
    shifts = generator.standard_normal((2, 6))
    (first, j_first), (second, j_second) = (linear_context(weights, b) for b in shifts)
    expected = np.linalg.norm((shifts[0] - shifts[1]) @ np.linalg.inv(np.eye(6) - weights))
    assert displace_points([first[None], second[None]], spread=2.0) == pytest.approx(expected / 2)
    assert change_flow(np.stack([j_first, j_second])[None]) == 0


def test_a_change_of_weights_leaves_a_point_at_zero_and_changes_the_flow(generator):
    weights, n = rotation(generator, 6), 6
    (first, j_first), (second, j_second) = (linear_context(a * weights, np.zeros(n)) for a in (0.3, 0.8))
    assert displace_points([first[None], second[None]], spread=1.0) == pytest.approx(0, abs=1e-15)
    # |a W - I|^2 = a^2 n - 2 a tr W + n for an orthogonal W
    squares = [a**2 * n - 2 * a * np.trace(weights) + n for a in (0.3, 0.8)]
    expected = 0.5 * np.sqrt(n) / np.sqrt(np.mean(squares))
    assert change_flow(np.stack([j_first, j_second])[None]) == pytest.approx(expected)


def test_flow_change_has_its_extremes_and_averages_over_states_and_pairs():
    one, other = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    assert change_flow(np.stack([one, other])[None]) == pytest.approx(np.sqrt(2))
    assert change_flow(np.stack([one, -one])[None]) == pytest.approx(2)
    three = np.stack([one, one, other])  # one of three pairs is equal
    assert change_flow(three[None]) == pytest.approx(2 * np.sqrt(2) / 3)
    two_states = np.stack([np.stack([one, other]), np.stack([one, one])])
    assert change_flow(two_states) == pytest.approx(np.sqrt(2) / 2)
    assert change_flow(10 * two_states) == pytest.approx(np.sqrt(2) / 2)  # a relative measure


def test_displacement_goes_to_the_nearest_point_and_averages_over_ordered_pairs():
    near, far = np.array([[0.0, 0.0], [10.0, 0.0]]), np.array([[0.0, 1.0]])
    assert distance_to_nearest(near, far) == pytest.approx((1 + np.sqrt(101)) / 2)
    assert distance_to_nearest(far, near) == 1
    assert displace_points([near, far], 0.5) == pytest.approx(((1 + np.sqrt(101)) / 2 + 1) / 2 / 0.5)
    empty = np.empty((0, 2))
    assert displace_points([far, far + 2, empty], 1.0) == pytest.approx(np.sqrt(8))  # pairs without points are left out
    assert np.isnan(displace_points([far, empty], 1.0))


def test_equal_contexts_do_not_differ(generator):
    points = generator.standard_normal((5, 4))
    assert displace_points([points, points[::-1]], 1.0) == 0
    same = np.repeat(generator.standard_normal((3, 1, 4, 4)), 3, axis=1)
    assert change_flow(same) == 0


def test_the_participation_ratio_counts_equal_dimensions(generator):
    axes = rotation(generator, 9)
    for k in (1, 3, 9):
        ends = np.concatenate([axes[:, :k].T, -axes[:, :k].T])  # variance 1 / k along each of k directions
        assert participation_ratio(ends) == pytest.approx(k)
    ends = np.concatenate([axes[:, :2].T * [[3.0], [1.0]], -axes[:, :2].T * [[3.0], [1.0]]])
    assert participation_ratio(ends) == pytest.approx((9 + 1) ** 2 / (81 + 1))


def test_planted_subspaces_have_their_angles(generator):
    axes = rotation(generator, 8)
    first = axes[:, :2]
    angles = np.deg2rad([20, 70])
    second = np.cos(angles) * axes[:, :2] + np.sin(angles) * axes[:, 2:4]
    mixed = second @ np.array([[1.0, 2.0], [0.5, -1.0]])  # another basis of the same plane
    assert mean_angle(first, mixed) == pytest.approx(45)
    assert mean_angle(first, first @ rotation(generator, 2)) == pytest.approx(0, abs=1e-5)
    assert mean_angle(first, axes[:, 4:6]) == pytest.approx(90)
    assert mean_angle_of_pairs([first, axes[:, 4:6], first]) == pytest.approx(60, abs=1e-5)


def test_components_span_the_planted_subspace(generator):
    axes = rotation(generator, 8)
    states = generator.standard_normal((400, 2)) @ (axes[:, :2] * [5.0, 3.0]).T
    states += 0.01 * generator.standard_normal((400, 8)) + 7
    basis = find_components(states, 2)
    assert basis.shape == (8, 2)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-12)
    assert mean_angle(basis, axes[:, :2]) < 0.2  # noise over signal, .01 / 3, is .2 degrees
    with pytest.raises(ValueError, match="expected at least 3 states"):
        find_components(states[:2], 3)


def test_task_variance_is_over_trials_within_epochs():
    rates = np.zeros((6, 2, 2))
    task = np.array([0, 0, 0, 1, 1, 1])
    rates[:3, 0, 0] = [0, 3, 6]  # variance 6 in one of two epochs of task 0
    rates[3:, :, 1] = [[0, 5], [2, 5], [4, 5]]  # variance 8 / 3 in the first; a constant does not count
    rates[3:, 1] = np.nan  # which task 1 lacks
    np.testing.assert_allclose(task_variance(rates, task, 2), [[3, 0], [0, 8 / 3]])
    with pytest.raises(ValueError, match="two or more trials of task 2"):
        task_variance(rates, task, 3)


def test_planted_clusters_are_found(generator):
    profiles = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1]])
    planted = generator.permutation(np.repeat([0, 1, 2], 12))
    scale = generator.uniform(0.5, 5, 36)  # units differ in size, which is taken out
    variance = (profiles[planted] + 0.02 * generator.random((36, 4))).T * scale
    variance = np.concatenate([variance, np.zeros((4, 2))], axis=1)  # two silent units
    found = cluster_units(variance, max_clusters=8)
    assert found.n_clusters == 3
    assert found.silhouette > 0.9
    assert (found.label[36:] == -1).all()
    pairs = {(a, b) for a, b in zip(planted, found.label[:36], strict=True)}
    assert len(pairs) == 3  # the same partition, up to names


def test_units_without_clusters_have_a_low_silhouette(generator):
    found = cluster_units(generator.random((8, 60)) + 0.2, max_clusters=8)
    assert found.silhouette < 0.25
    alike = cluster_units(np.ones((4, 10)), max_clusters=8)
    assert alike.n_clusters == 1 and np.isnan(alike.silhouette)
    silent = cluster_units(np.zeros((4, 10)), max_clusters=8)
    assert silent.n_clusters == 0 and (silent.label == -1).all()


def test_a_pitchfork_is_found_where_it_is():
    # dx/dt = a x - x^3 has one stable point for a < 0, else two stable ones and an unstable one
    levels = np.linspace(-1, 1.2, 12)  # step .2, and 0 is not among them
    counts = np.where(levels[:, None] < 0, [1, 0], [2, 1])
    found = find_bifurcations(levels, counts)
    assert found == pytest.approx([levels[levels < 0][-1] + 0.1])
    assert len(find_bifurcations(levels, np.ones((12, 2)))) == 0


def test_an_exchange_of_stability_counts():
    assert find_bifurcations(np.array([0.0, 0.5, 1.0]), np.array([[1, 1], [2, 0], [1, 1]])).tolist() == [0.25, 0.75]


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"counts: expected \(3 levels, kinds\), got \(2, 2\)"):
        find_bifurcations(np.arange(3), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="levels: expected increasing"):
        find_bifurcations(np.array([0.0, 0.0]), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="expected .state, 2 or more contexts"):
        change_flow(np.zeros((5, 1, 3, 3)))


def test_the_mean_of_nothing_is_nan():
    assert nan_mean([1.0, np.nan, 3.0]) == 2
    assert np.isnan(nan_mean([])) and np.isnan(nan_mean([np.nan]))
