"""The compiled descent of a flow against the general one, and its elimination against NumPy."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from cemrnn.dynamics import fixed_points
from cemrnn.dynamics.descent import PANEL, _factorise, _solve, minimise_flow_speed, tanh_double
from cemrnn.dynamics.fixed_points import find_fixed_points
from cemrnn.dynamics.flow import Flow
from cemrnn.dynamics.newton import minimise_speed
from cemrnn.network.engine.activation import ACTIVATIONS
from tests.systems import Field, draw_starts, tanh_flow

SETTINGS = dict(tolerance=1e-9, slow_tolerance=1e-2, max_iterations=200)
UPPER = brentq(lambda r: r - math.tanh(2 * r), 0.5, 1, xtol=1e-15)


def draw_flow(n_units, activation, seed=0):
    """Five conditions of two matrices, with gains and drives."""
    rng = np.random.default_rng(seed)
    weights = torch.tensor(1.3 * rng.standard_normal((2, n_units, n_units)) / math.sqrt(n_units))
    gain, drive = torch.tensor(rng.uniform(0.5, 1.5, (5, n_units))), torch.tensor(rng.standard_normal((5, n_units)))
    return Flow(weights, torch.tensor([0, 1, 1, 0, 1]), gain, drive, activation)


def pad(n_units):
    """Zeros with as many columns as the elimination wants."""
    return np.zeros((n_units, n_units + -n_units % PANEL))


def kinds(speed):
    """0 for the lost, 1 for slow ones, 2 for the converged."""
    return (speed <= SETTINGS["slow_tolerance"]).int() + (speed <= SETTINGS["tolerance"]).int()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_units", [1, 7, 16, 33])
def test_starts_end_where_the_general_descent_takes_them(activation, n_units):
    flow, (starts, which) = draw_flow(n_units, activation), draw_starts(200, n_units, n_conditions=5, scale=2.0)
    ours, general = (descend(flow, starts, which, **SETTINGS) for descend in (minimise_flow_speed, minimise_speed))
    assert (ours.states.dtype, ours.states.shape, ours.speed.shape) == (torch.float64, starts.shape, (200,))
    torch.testing.assert_close(ours.speed, flow.velocity(ours.states, which).norm(dim=1), rtol=1e-9, atol=1e-13)
    same = kinds(ours.speed) == kinds(general.speed)
    converged = (kinds(ours.speed) == 2) & same
    near = (ours.states - general.states).norm(dim=1) < 1e-6
    assert same.double().mean() >= 0.97  # a start between two basins may go either way
    assert near[converged].double().mean() >= 0.97
    assert converged.double().mean() > 0.3


@pytest.mark.parametrize("n_units", [1, 3, 8, 9, 20, 64])
def test_elimination_agrees_with_numpy(n_units):
    rng, matrix, pivots = np.random.default_rng(n_units), pad(n_units), np.empty(n_units, np.int64)
    square, b = rng.standard_normal((n_units, n_units)), rng.standard_normal(n_units)
    square[0, 0] = 0 if n_units > 1 else 1  # so that rows have to be exchanged
    matrix[:, :n_units] = square
    assert _factorise(matrix, pivots)
    x = b.copy()
    assert _solve(matrix, pivots, x)
    bound = 10 * n_units * np.finfo(float).eps * np.linalg.cond(square) * np.linalg.norm(x)
    assert np.linalg.norm(x - np.linalg.solve(square.T, b)) < bound


@pytest.mark.parametrize("n_units", [1, 3, 9])
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_matrix_without_a_pivot_has_no_factors(n_units, value):
    matrix = pad(n_units)
    matrix[:, :n_units] = np.eye(n_units)
    matrix[:, n_units - 1] = value
    assert not _factorise(matrix, np.empty(n_units, np.int64))


def test_a_solution_that_overflows_is_not_taken():
    matrix, pivots = pad(1), np.empty(1, np.int64)
    matrix[0, 0] = 1e-300
    assert _factorise(matrix, pivots)
    assert not _solve(matrix, pivots, np.array([1e300]))


def test_where_the_jacobian_is_singular_a_damped_step_is_taken():
    flow = tanh_flow([[[1.0, 0.0], [0.0, 2.0]]])
    start, which = torch.tensor([[0.0, 0.5]], dtype=torch.float64), torch.tensor([0])
    assert torch.linalg.det(flow.jacobian(start, which)) == 0
    ended = minimise_flow_speed(flow, start, which, **SETTINGS)
    assert ended.speed[0] <= 1e-9
    torch.testing.assert_close(ended.states, torch.tensor([[0.0, UPPER]]).double(), rtol=0, atol=1e-8)


def test_a_degenerate_point_and_a_flow_without_points():
    starts, which = draw_starts(20, 1)
    degenerate = minimise_flow_speed(tanh_flow([[[1.0]]]), starts, which, **SETTINGS)  # r' = -r^3 / 3 near 0
    assert degenerate.states.abs().max() < 2e-3
    constant = tanh_flow([[[1.0]]], [[0.5]], "relu")  # r' = 1 / 2 where r > -1 / 2
    ended = minimise_flow_speed(constant, starts.abs(), which, **SETTINGS)
    torch.testing.assert_close(ended.states, starts.abs(), rtol=0, atol=0)
    torch.testing.assert_close(ended.speed, torch.full((20,), 0.5).double(), rtol=0, atol=1e-15)


def test_a_ghost_is_slow_as_in_the_general_descent():
    ghost = 1e-4 - math.atanh(1 / math.sqrt(2)) + math.sqrt(2)  # the input just beyond the saddle-node
    flow, (starts, which) = tanh_flow([[[2.0]]], [[ghost]]), draw_starts(100, 1)
    ours, general = (descend(flow, starts, which, **SETTINGS) for descend in (minimise_flow_speed, minimise_speed))
    assert kinds(ours.speed).tolist() == kinds(general.speed).tolist()
    slow = kinds(ours.speed) == 1
    assert slow.sum() > 10
    torch.testing.assert_close(ours.speed[slow], general.speed[slow], rtol=1e-3, atol=0)
    assert (kinds(ours.speed) == 2).sum() > 10


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_condition_that_is_not_a_number_loses_its_own_starts(activation, value):
    flow, (starts, which) = draw_flow(6, activation), draw_starts(60, 6, n_conditions=5)
    expected = minimise_flow_speed(flow, starts, which, **SETTINGS)
    gain = flow.gain.clone()
    gain[1, 3] = value  # which times 0 is not a number
    starts[which == 1] = 0
    broken = Flow(flow.weights, flow.row, gain, flow.drive, activation)
    ended = minimise_flow_speed(broken, starts, which, **SETTINGS)
    assert ended.speed[which == 1].isnan().all()
    assert (ended.states[which == 1] == 0).all()
    assert torch.equal(ended.states[which != 1], expected.states[which != 1])


def test_a_start_ends_at_the_same_bits_alone_and_with_any_threads():
    flow, (starts, which) = draw_flow(9, "tanh"), draw_starts(50, 9, n_conditions=5)
    before, ended = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            ended.append(minimise_flow_speed(flow, starts, which, **SETTINGS))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(ended[0].states, ended[1].states)
    alone = minimise_flow_speed(flow, starts[30:31], which[30:31], **SETTINGS)
    assert torch.equal(alone.states[0], ended[0].states[30])


def test_the_starts_themselves_stay_as_they_are():
    flow, (starts, which) = draw_flow(4, "tanh"), draw_starts(10, 4, n_conditions=5)
    before = starts.clone()
    minimise_flow_speed(flow, starts, which, **SETTINGS)
    assert torch.equal(starts, before)


def test_flows_take_it_and_other_systems_do_not(monkeypatch):
    def refuse(*_, **__):
        raise InterruptedError

    monkeypatch.setattr(fixed_points, "minimise_flow_speed", refuse)
    with pytest.raises(InterruptedError):
        find_fixed_points(tanh_flow([[[2.0]]]), *draw_starts(10, 1))
    assert len(find_fixed_points(Field(lambda r: torch.tanh(2 * r) - r, 1), *draw_starts(50, 1))) == 3


def test_tanh_is_exact_to_rounding_and_keeps_zeros_infinities_and_what_is_not_a_number():
    x = np.random.default_rng(0).standard_normal((7, 1000)) * np.array([1e-300, 1e-8, 0.1, 0.5, 1, 5, 50])[:, None]
    assert np.abs(list(map(tanh_double, x.ravel())) / np.tanh(x.ravel()) - 1).max() < 5 * 2.0**-53
    special = [0.0, -0.0, math.inf, -math.inf, math.nan]
    np.testing.assert_array_equal([math.copysign(1, tanh_double(x)) for x in special[:2]], [1, -1])
    np.testing.assert_array_equal([tanh_double(x) for x in special], np.tanh(special))
