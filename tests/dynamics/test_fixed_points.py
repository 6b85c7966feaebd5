"""Fixed points against closed forms and brute force: number, place, stability, and what is not a fixed point."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from cemrnn.dynamics import fixed_points, newton
from cemrnn.dynamics.fixed_points import FixedPoints, NotConvergedError, find_fixed_points, follow_fixed_points
from cemrnn.dynamics.flow import Flow
from cemrnn.dynamics.newton import Descent
from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from tests.systems import Field, draw_starts, tanh_flow

WEIGHT = 2.0  # of one unit on itself: two stable states
SADDLE_NODE = math.sqrt(2) - math.atanh(1 / math.sqrt(2))  # input at which r = tanh(2 r + h) loses two solutions
UPPER = brentq(lambda r: r - math.tanh(WEIGHT * r), 0.5, 1, xtol=1e-15)


def flip_flop(n_each):
    """Three populations, each of which excites itself: r = tanh(2 mean r) within each, 27 fixed points."""
    return tanh_flow([np.kron(np.eye(3), np.full((n_each, n_each), WEIGHT / n_each))])


def test_shapes_and_a_linear_system_in_closed_form():
    rng = np.random.default_rng(0)
    matrices, offsets = rng.standard_normal((2, 5, 5)) - 3 * np.eye(5), rng.standard_normal((2, 5))

    class Linear:
        n_conditions, n_units = 2, 5

        def velocity(self, states, which):
            return torch.einsum("bij,bj->bi", self.jacobian(states, which), states) + torch.tensor(offsets)[which]

        def jacobian(self, states, which):
            return torch.tensor(matrices)[which]

    points = find_fixed_points(Linear(), *draw_starts(12, 5, n_conditions=2))
    assert (points.states.shape, points.eigenvalues.shape) == ((2, 5), (2, 5))
    expected = np.linalg.solve(matrices, -offsets[:, :, None])[:, :, 0]
    np.testing.assert_allclose(points.states, expected, rtol=0, atol=1e-12)
    for mine, matrix in zip(points.eigenvalues, matrices, strict=True):
        np.testing.assert_allclose(np.sort_complex(mine), np.sort_complex(np.linalg.eigvals(matrix)), atol=1e-12)
    assert np.all(np.diff(points.eigenvalues.real, axis=1) <= 0)
    assert points.hits.tolist() == points.n_starts.tolist() == [6, 6]
    assert points.n_lost.tolist() == [0, 0]
    nearest = [min(np.linalg.eigvals(m).real, key=abs) for m in matrices]
    np.testing.assert_allclose(points.slowest, -1 / np.array(nearest), rtol=1e-10)


def test_stable_is_what_returns_in_the_steps_that_are_simulated():
    """r + h (M r) with eigenvalues -0.5 +- 2i of M: the flow spirals in, and so do steps below h = 4 / 17 alone."""
    matrix, start = torch.tensor([[-0.5, 2.0], [-2.0, -0.5]], dtype=torch.float64), torch.tensor([[1.0, 0.0]]).double()
    for step in (0.0, 0.01, 0.2, 0.25, 0.4):
        system = Field(lambda r: r @ matrix.T, 2)
        system.step = step
        points = find_fixed_points(system, *draw_starts(4, 2))
        h = step or 1e-4
        walked = torch.linalg.matrix_power(torch.eye(2).double() + h * matrix, 2000) @ start[0]
        assert points.stable.tolist() == [bool(walked.norm() < 1)] == [step < 4 / 17]
        growth = math.log(float(walked.norm())) / 2000 / h  # of a deviation, measured, per tau
        np.testing.assert_allclose(points.growth[0], growth, rtol=1e-3 if step == 0 else 1e-9)
        np.testing.assert_allclose(points.slowest, -1 / growth, rtol=1e-3 if step == 0 else 1e-9)


def test_a_point_says_how_many_starts_came_before_it():
    system = tanh_flow([[[WEIGHT]], [[WEIGHT]]])  # stable at -UPPER and UPPER
    starts = torch.tensor([[0.9], [0.8], [-0.9], [-0.9], [-0.8], [0.9]], dtype=torch.float64)
    points = find_fixed_points(system, starts, torch.tensor([0, 0, 0, 1, 1, 1]))
    found = {(p, x > 0): n for p, x, n in zip(points.which, points.states[:, 0], points.first, strict=True)}
    assert found == {(0, True): 0, (0, False): 2, (1, False): 0, (1, True): 2}


def test_one_unit_has_three_points_beyond_the_pitchfork():
    points = find_fixed_points(tanh_flow([[[WEIGHT]], [[0.5]]]), *draw_starts(60, 1, n_conditions=2))
    two, one = points.of(0), points.of(1)
    order = np.argsort(two.states[:, 0])
    np.testing.assert_allclose(two.states[order, 0], [-UPPER, 0, UPPER], atol=1e-10)
    assert two.stable[order].tolist() == [True, False, True]
    assert two.n_unstable[order].tolist() == [0, 1, 0]
    slope = WEIGHT * (1 - UPPER**2) - 1
    np.testing.assert_allclose(two.slowest[order], [-1 / slope, -1 / (WEIGHT - 1), -1 / slope], rtol=1e-8)
    np.testing.assert_allclose(one.states, [[0]], atol=1e-10)
    assert one.slowest == pytest.approx([2.0])


@pytest.mark.parametrize("start", [-0.9, 0.1, 3.0])
def test_one_start_of_one_unit_is_enough(start):
    points = find_fixed_points(tanh_flow([[[WEIGHT]]]), torch.tensor([[start]]), torch.tensor([0]))
    assert points.states.shape == (1, 1)
    assert math.isclose(points.states[0, 0], math.tanh(WEIGHT * points.states[0, 0]), abs_tol=1e-9)
    assert points.unseen.tolist() == [1.0]


@pytest.mark.parametrize("n_each", [1, 4])
def test_the_flip_flop_has_eight_memories_and_nineteen_saddles(n_each):
    points = find_fixed_points(flip_flop(n_each), *draw_starts(1500, 3 * n_each))
    bits = points.states.reshape(-1, 3, n_each)
    np.testing.assert_allclose(bits, np.broadcast_to(bits[:, :, :1], bits.shape), atol=1e-9)
    expected = np.array(list(itertools.product((-UPPER, 0, UPPER), repeat=3)))
    found = {tuple(np.sign(x.round(6)).astype(int)) for x in bits[:, :, 0]}
    assert len(points) == 27
    assert found == {tuple(np.sign(x).astype(int)) for x in expected}
    assert points.n_unstable.tolist() == (np.abs(bits[:, :, 0]) < 1e-6).sum(axis=1).tolist()
    assert points.stable.sum() == 8
    assert not points.slow.any()


def test_relu_networks_have_the_points_of_all_their_linear_pieces():
    n, rng = 6, np.random.default_rng(4)
    weights, drive = 1.2 * rng.standard_normal((3, n, n)), rng.standard_normal((3, n))
    starts, which = draw_starts(3000, n, n_conditions=3, scale=3.0)
    points = find_fixed_points(tanh_flow(weights, drive, "relu"), starts.abs(), which)
    expected = [pieces(weights[p], drive[p]) for p in range(3)]
    for p in range(3):
        mine = points.of(p).states
        assert len(mine) == len(expected[p])
        apart = np.linalg.norm(mine[:, None] - expected[p][None], axis=2)
        assert apart.min(axis=1, initial=1e9).max(initial=0) < 1e-9
    assert max(map(len, expected)) > 1  # so that there is something to miss


def pieces(weights, drive):
    """All solutions of r = relu(r W + drive), by trying every set of active units."""
    found = []
    for active in itertools.product((False, True), repeat=len(drive)):
        on = np.array(active)
        states = np.zeros(len(drive))
        states[on] = np.linalg.solve(np.eye(on.sum()) - weights[np.ix_(on, on)].T, drive[on])
        if np.all(states[on] > 0) and np.all((states @ weights + drive)[~on] < 0):
            found.append(states)
    return np.array(found).reshape(-1, len(drive))


def test_a_continuum_is_many_marginal_points_and_looks_inexhaustible():
    ring = Field(lambda r: r * (1 - r.square().sum(1, keepdim=True)), n_units=2)
    points = find_fixed_points(ring, *draw_starts(200, 2, scale=2.0))
    radius = np.linalg.norm(points.states, axis=1)
    on_ring = radius > 0.5
    np.testing.assert_allclose(radius[on_ring], 1, atol=1e-9)
    assert on_ring.sum() > 150
    assert np.abs(points.slowest[on_ring]).min() > 1e6
    np.testing.assert_allclose(points.eigenvalues[on_ring, 1].real, -2, atol=1e-6)
    assert points.unseen[0] > 0.9
    assert pairwise_distances(points.states).min() > 1e-4


def test_a_ring_that_drifts_is_slow_and_not_fixed():
    drift = 1e-3

    def rotate(r):
        return r * (1 - r.square().sum(1, keepdim=True)) + drift * torch.stack([-r[:, 1], r[:, 0]], dim=1)

    points = find_fixed_points(Field(rotate, n_units=2), *draw_starts(100, 2))
    assert points.slow.sum() > 10
    np.testing.assert_allclose(points.speed[points.slow], drift, rtol=1e-3)
    np.testing.assert_allclose(points.states[~points.slow], [[0, 0]], atol=1e-9)
    assert find_fixed_points(Field(rotate, n_units=2), *draw_starts(100, 2), slow_tolerance=1e-4).slow.sum() == 0


def test_a_low_rank_ring_network_keeps_an_angle():
    angle = 2 * np.pi * np.arange(12) / 12
    weights = 2 * WEIGHT / 12 * np.cos(angle[:, None] - angle)
    points = find_fixed_points(tanh_flow([weights]), *draw_starts(300, 12))
    plane = points.states @ np.stack([np.cos(angle), np.sin(angle)], axis=1) / 6  # (Q, 2)
    radius = np.linalg.norm(plane, axis=1)
    on_ring = radius > 0.5
    # Twelve units in tanh's symmetry leave 24 points on the ring, by turns stable and saddles, nearly marginal.
    assert on_ring.sum() == 24
    assert points.stable[on_ring].sum() == 12
    np.testing.assert_allclose(radius[on_ring], radius.max(), rtol=5e-3)
    assert np.abs(points.slowest[on_ring]).min() > 50
    assert np.all(points.eigenvalues[on_ring, 1].real < -0.5)


def test_a_degenerate_point_is_found():
    points = find_fixed_points(Field(lambda r: r**2, 1), *draw_starts(20, 1))
    assert np.abs(points.states).max() < 1e-4


def test_without_fixed_points_there_are_only_slow_ones():
    points = find_fixed_points(Field(lambda r: r**2 + 1e-3, 1), *draw_starts(20, 1))
    assert points.slow.all()
    np.testing.assert_allclose(points.speed, 1e-3, rtol=1e-3)
    assert np.isnan(points.unseen).all()


@pytest.mark.parametrize("n_starts", [1, 40])
def test_a_failure_carries_what_was_found(n_starts):
    starts, which = draw_starts(n_starts, 3)
    with pytest.raises(NotConvergedError, match=f"0 of {n_starts} ended at a point of speed at most 0.01") as caught:
        find_fixed_points(Field(lambda r: r * 0 + 1, 3), starts, which)
    partial = caught.value.partial
    assert isinstance(partial, FixedPoints)
    assert len(partial) == 0
    assert partial.states.shape == partial.eigenvalues.shape == (0, 3)
    assert partial.n_lost.tolist() == partial.n_starts.tolist() == [n_starts]


def test_a_failure_keeps_the_few_points_that_were_found():
    def mostly_constant(r):
        return torch.where(r > 2, 3 - r, torch.ones_like(r))

    starts = torch.tensor([[2.5]] + [[-1.0]] * 40, dtype=torch.float64)
    with pytest.raises(NotConvergedError, match="1 of 41") as caught:
        find_fixed_points(Field(mostly_constant, 1), starts, torch.zeros(41, dtype=torch.int64))
    np.testing.assert_allclose(caught.value.partial.states, [[3.0]])


def test_a_system_that_is_not_a_number_loses_its_starts_alone():
    points = find_fixed_points(Field(lambda r: torch.log(r), 1), *draw_starts(40, 1, scale=0.5))
    np.testing.assert_allclose(points.states, [[1.0]], atol=1e-9)
    assert 0 < points.n_lost[0] < 40
    assert points.hits[0] + points.n_lost[0] == 40


def test_warm_starts_meet_the_saddle_node_where_it_is():
    inputs = np.arange(0, 0.8, 0.02)
    first = find_fixed_points(tanh_flow([[[WEIGHT]]]), *draw_starts(60, 1))
    followed = follow_fixed_points(lambda h: tanh_flow([[[WEIGHT]]], [[h]]), first, inputs)
    n_fixed = np.array([(~points.slow).sum() for points in followed])
    assert n_fixed.tolist() == [3] * int((inputs < SADDLE_NODE).sum()) + [1] * int((inputs > SADDLE_NODE).sum())
    upper = [points.states[~points.slow].max() for points in followed]
    expected = [brentq(lambda r, h=h: r - math.tanh(WEIGHT * r + h), 0.5, 1, xtol=1e-15) for h in inputs]
    np.testing.assert_allclose(upper, expected, atol=1e-9)


def test_fresh_starts_see_points_that_appear():
    settings = dict(fresh=draw_starts(60, 1))
    first = find_fixed_points(tanh_flow([[[0.5]]]), *draw_starts(5, 1))
    weights = [0.5, 0.9, 1.1, 1.5]
    followed = follow_fixed_points(lambda w: tanh_flow([[[w]]]), first, weights, **settings)
    assert [(~points.slow).sum() for points in followed] == [1, 1, 3, 3]
    alone = follow_fixed_points(lambda w: tanh_flow([[[w]]]), first, weights)
    assert [len(points) for points in alone] == [1, 1, 1, 1]


def test_a_branch_that_ends_leaves_nothing_and_raises_nothing():
    def fold(h):
        return Field(lambda r: r**2 + h, 1)

    first = find_fixed_points(fold(-1.0), *draw_starts(20, 1))
    followed = follow_fixed_points(fold, first, [-0.5, 0.5, 1.0])
    assert [len(points) for points in followed] == [2, 0, 0]
    assert [points.n_starts.tolist() for points in followed] == [[2], [2], [0]]


def test_conditions_advance_together_and_stay_apart():
    weights = [[[WEIGHT]], [[0.5]], [[3.0]]]
    starts, which = draw_starts(90, 1, n_conditions=3)
    shuffled = torch.randperm(90, generator=torch.Generator().manual_seed(1))
    together = find_fixed_points(tanh_flow(weights), starts[shuffled], which[shuffled])
    assert together.which.tolist() == [0, 0, 0, 1, 2, 2, 2]
    for p in range(3):
        own = which == p
        alone = find_fixed_points(tanh_flow(weights[p : p + 1]), starts[own], which[own] * 0)
        mine = together.of(p)
        np.testing.assert_allclose(np.sort(mine.states, axis=0), np.sort(alone.states, axis=0), atol=1e-9)
        assert sorted(mine.hits) == sorted(alone.hits)


def test_chunks_do_not_change_the_points(monkeypatch):
    weights = flip_flop(2).weights[0]
    system = Field(lambda r: torch.tanh(r @ weights) - r, 6)  # flows go start by start
    whole = find_fixed_points(system, *draw_starts(200, 6))
    monkeypatch.setattr(newton, "CHUNK_NUMBERS", 7 * 36)
    parts = find_fixed_points(system, *draw_starts(200, 6))
    assert parts.hits.sum() == whole.hits.sum()
    assert len(parts) == len(whole)
    assert pairwise_distances(np.concatenate([parts.states, whole.states])).min() < 1e-9


def test_the_unseen_share_is_that_of_basins_not_reached():
    n_repeats, n_starts, rng = 300, 30, np.random.default_rng(0)
    edges = np.sort(rng.uniform(size=39))
    edges = torch.tensor(np.concatenate([[0], edges, [1]]))  # 40 basins of very unequal size

    def nearest_centre(r):
        cell = torch.bucketize(r.detach().clamp(1e-12, 1 - 1e-12), edges) - 1
        return (edges[cell] + edges[cell + 1]) / 2 - r

    system = Field(nearest_centre, 1, n_conditions=n_repeats)
    starts = torch.tensor(rng.uniform(size=(n_repeats * n_starts, 1)))
    which = torch.arange(n_repeats).repeat_interleave(n_starts)
    points = find_fixed_points(system, starts, which, merge_distance=1e-9)
    size = np.diff(edges.numpy())
    cell = np.searchsorted(edges.numpy(), points.states[:, 0]) - 1
    seen = np.bincount(points.which, weights=size[cell], minlength=n_repeats)
    error = points.unseen - (1 - seen)
    assert 0.1 < (1 - seen).mean() < 0.6
    # Good 1953: the mean of the estimate is the share that n - 1 starts leave, here larger by 1 / n at most.
    assert abs(error.mean()) < 4 * error.std() / math.sqrt(n_repeats) + (1 - seen).mean() / n_starts


class Elsewhere:
    """A system on another device, which is asked there alone; torch's meta device, where there are no numbers."""

    n_conditions, n_units, device = 2, 3, torch.device("meta")

    def __init__(self):
        self.asked = []

    def minimise(self, system, states, which, **_):
        self.asked += [states.device, which.device]
        return Descent(torch.arange(3.0).repeat(len(which), 1).double(), torch.zeros(len(which)))

    def jacobian(self, states, which):
        self.asked += [states.device, which.device]
        return -torch.eye(3).expand(len(which), 3, 3)


def test_a_system_is_asked_where_it_is(monkeypatch):
    system = Elsewhere()
    monkeypatch.setattr(fixed_points, "minimise_speed", system.minimise)
    points = find_fixed_points(system, *draw_starts(8, 3, n_conditions=2))
    assert len(points) == 2 and len(system.asked) == 4
    follow_fixed_points(lambda _: system, points, [0.0, 1.0], fresh=draw_starts(4, 3, n_conditions=2))
    assert len(system.asked) == 12 and {*system.asked} == {system.device}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a card")
def test_a_card_finds_and_follows_the_same_points():
    config = NetworkConfig(arm="combined", n_units=8, n_contexts=2, n_inputs=3, n_outputs=2, rank=2)
    inputs, context, network = torch.ones(2, 3), torch.eye(2), torch.tensor([0, 1])
    found = []
    for device in ("cuda", "cpu"):
        model = CEMRNN(config, [3, 8], device=device)
        starts = draw_starts(20, 8, n_conditions=2)

        def mix(share, model=model):
            return Flow.of(model, network, share * inputs, context)

        points = find_fixed_points(mix(0.0), *starts)
        found.append([points, *follow_fixed_points(mix, points, [0.5, 1.0], fresh=starts)])
    for ours, theirs in zip(*found, strict=True):
        assert (len(ours), ours.which.tolist()) == (len(theirs), theirs.which.tolist())
        np.testing.assert_allclose(np.sort(ours.states, 0), np.sort(theirs.states, 0), atol=1e-6)
        np.testing.assert_allclose(np.sort_complex(ours.eigenvalues), np.sort_complex(theirs.eigenvalues), atol=1e-6)


def test_what_does_not_fit_is_named():
    system, zero = tanh_flow([[[WEIGHT]]]), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"expected \(start, unit 1\) and \(start,\) .* got \(3, 2\) and \(3,\)"):
        find_fixed_points(system, torch.zeros(3, 2), zero)
    with pytest.raises(ValueError, match=r"got \(0, 1\) and \(0,\)"):
        find_fixed_points(system, torch.zeros(0, 1), zero[:0])
    with pytest.raises(ValueError, match="which: expected int64 conditions from 0 to 0"):
        find_fixed_points(system, torch.zeros(3, 1), zero + 1)
    with pytest.raises(ValueError, match="tolerance: expected 0 < tolerance <= slow_tolerance, got 0.1 and 0.01"):
        find_fixed_points(system, torch.zeros(3, 1), zero, tolerance=0.1)
    with pytest.raises(IndexError, match="p: expected a condition from 0 to 0, got 1"):
        find_fixed_points(system, torch.zeros(3, 1), zero).of(1)


def pairwise_distances(points):
    """Distances of all pairs of points (Q, N)."""
    i, j = np.triu_indices(len(points), 1)
    return np.linalg.norm(points[i] - points[j], axis=1)
