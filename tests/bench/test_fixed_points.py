"""The bench of fixed points: the peer is the published procedure, recall is right, a worse search has no row."""

import dataclasses

import numpy as np
import pytest
import torch

from cemrnn.bench import fixed_points as searches
from cemrnn.bench.rows import Bench
from cemrnn.dynamics.fixed_points import find_fixed_points


@pytest.fixture
def a_bench(tmp_path):
    return Bench(tmp_path, n_repeats=1, turn_s=0.0, say=lambda line: None)


@pytest.fixture
def one_each():
    """Three bits of one unit each, from 200 starts."""
    return searches.build_flip_flop(200, n_each=1)


def test_the_known_points_of_the_bits_are_fixed():
    search = searches.build_flip_flop(8)
    states, which = (torch.from_numpy(x) for x in search.known)
    assert states.shape == (27, 12)
    assert search.flow.velocity(states, which).abs().max() < 1e-13
    eigenvalues = torch.linalg.eigvals(search.flow.jacobian(states, which)).real
    assert (eigenvalues.amax(dim=1) < 0).sum() == 8


def test_contexts_have_equal_shares_of_the_starts():
    search = searches.build_contexts(5, 64)
    assert search.starts.shape == (64, 5)
    assert torch.bincount(search.which).tolist() == [4] * 16
    weights = search.flow.effective_weights(torch.arange(16))
    assert min((weights[0] - weights[p]).abs().max() for p in range(1, 16)) > 0.01


def test_the_peer_finds_the_bits_and_ends_early(one_each, monkeypatch):
    states, which = searches.keep_unique(searches.find_by_adam(one_each), one_each.which.numpy())
    assert states.dtype == np.float32
    assert searches.measure_recall(one_each.known, (states, which)) == 1
    step = searches.ALPHA * one_each.flow.velocity(torch.from_numpy(states).double(), torch.from_numpy(which))
    assert 0.5 * step.square().sum(dim=1).max() < 1e-11  # the tolerance, with a step of Adam after it was seen
    monkeypatch.setattr(searches, "MAX_ITERATIONS", 3)
    assert searches.measure_recall(one_each.known, (searches.find_by_adam(one_each), one_each.which.numpy())) < 1


def test_the_first_step_of_the_peer_goes_down_the_gradient(one_each, monkeypatch):
    monkeypatch.setattr(searches, "MAX_ITERATIONS", 1)
    starts = one_each.starts.clone().requires_grad_()
    one_each.flow.velocity(starts, one_each.which).square().sum().backward()
    # The first step of Adam is the learning rate times the sign of the gradient, but for its epsilon.
    moved = searches.find_by_adam(one_each) - one_each.starts.numpy()
    expected = -searches.LEARNING_RATE * np.sign(starts.grad.numpy())
    assert np.mean(np.abs(moved - expected) < 0.02 * searches.LEARNING_RATE) > 0.95


def test_points_are_unique_by_their_farthest_unit():
    states = np.array([[0, 0], [0.0009, 0.0009], [0.002, 0], [0, 0]])
    kept, which = searches.keep_unique(states, np.array([0, 0, 0, 1]))
    assert kept.tolist() == [[0, 0], [0.002, 0], [0, 0]]
    assert which.tolist() == [0, 0, 1]


def test_recall_counts_near_points_of_the_same_condition():
    known = (np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 0, 1]))
    found = (np.array([[0.001], [1.5], [3.0], [9.0]]), np.array([0, 0, 0, 1]))
    assert searches.measure_recall(known, found) == 0.25


def test_what_somebody_found_is_made_exact_and_joined(one_each):
    points, which = one_each.known
    theirs = (np.concatenate([points[3:] + 1e-4, [[9.0, 9.0, 9.0]]]).astype(np.float32), np.zeros(25, int))
    joined, _ = searches.join_points(one_each, (points[:5], which[:5]), theirs)
    assert len(joined) == 27
    assert searches.measure_recall((joined, which), one_each.known) == 1


def test_a_row_has_the_recall_of_both(one_each, a_bench, monkeypatch):
    monkeypatch.setattr(searches, "MAX_ITERATIONS", 600)  # enough to be near every point
    (row,) = searches.compare_search(one_each, a_bench)
    assert row["case"] == "three bits, N = 3, 200 starts, recall 1.00 (theirs 1.00) of 27"
    assert row["goal"] == 50
    assert row["ratio"] == row["peer_s"] / row["ours_s"] > 0
    unknown = dataclasses.replace(one_each, known=None)
    assert searches.compare_search(unknown, a_bench)[0]["case"] == row["case"]


def test_a_lower_recall_has_no_row_and_says_so(one_each, a_bench, monkeypatch):
    def find_one(flow, starts, which):
        return find_fixed_points(flow, starts[:1], which[:1])

    monkeypatch.setattr(searches, "find_fixed_points", find_one)
    assert searches.compare_search(one_each, a_bench) == []
    assert a_bench.left_out == [
        f"{searches.ADAM}: left out, three bits, N = 3, 200 starts: its recall is 1.000 where ours is {1 / 27:.3f}"
    ]


def test_every_search_has_its_rows(a_bench, monkeypatch):
    monkeypatch.setattr(searches, "compare_search", lambda search, bench: [search.label])
    monkeypatch.setattr(searches, "N_STARTS", 16)
    labels = ["three bits, N = 12", "16 contexts, N = 16", "16 contexts, N = 64"]
    assert searches.compare_fixed_points(a_bench) == [f"{label}, 16 starts" for label in labels]
