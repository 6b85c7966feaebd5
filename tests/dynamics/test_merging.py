"""Duplicates by hashing, against brute force and at the borders of cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.dynamics.merging import CELL, find_distinct


def test_a_pair_on_both_sides_of_a_border_is_one():
    distance = 1e-3
    border = CELL * distance * np.arange(-3, 4)[:, None]  # in one dimension the projection is the point or its negative
    points = np.concatenate([border - 1e-9, border + 1e-9])
    into = find_distinct(points, np.zeros(14, int), distance)
    assert into.tolist() == [*range(7), *range(7)]


def test_conditions_are_not_merged():
    assert find_distinct(np.zeros((4, 2)), np.array([0, 1, 0, 1]), 0.1).tolist() == [0, 1, 0, 1]


def test_a_chain_does_not_collapse():
    points = 0.6 * np.arange(6.0)[:, None]
    assert find_distinct(points, np.zeros(6, int), 1.0).tolist() == [0, 0, 2, 2, 4, 4]


@pytest.mark.parametrize("offset", [0.999999, 1.000001])
def test_the_distance_is_exact(offset):
    into = find_distinct(np.array([[0.3, 0.4, 0.0], [0.3, 0.4, offset]]), np.zeros(2, int), 1.0)
    assert into.tolist() == [0, 0 if offset < 1 else 1]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 5))
def test_kept_points_are_apart_and_cover_the_rest(seed, n_points, n_units):
    rng = np.random.default_rng(seed)
    points, which = rng.uniform(size=(n_points, n_units)).round(1), rng.integers(2, size=n_points)
    into = find_distinct(points, which, 0.25)
    kept = np.flatnonzero(into == np.arange(n_points))
    assert set(into) == set(kept)
    assert np.all(which[into] == which)
    assert np.linalg.norm(points[into] - points, axis=1).max() <= 0.25
    for p in (0, 1):
        mine = points[kept[which[kept] == p]]
        apart = np.linalg.norm(mine[:, None] - mine[None], axis=2)
        assert np.all(apart[~np.eye(len(mine), dtype=bool)] > 0.25)


def test_no_points_are_no_points():
    assert find_distinct(np.zeros((0, 3)), np.zeros(0, int), 0.1).shape == (0,)
