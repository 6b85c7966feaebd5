"""Predictions to first order against networks that are linear, brute force, and simulation."""

import numpy as np
import pytest

from cemrnn.measures.ideal_observer import TOLERANCE
from cemrnn.measures.linear_response import common_share, follow_mixture, share_added, share_right, share_scaled


@pytest.mark.parametrize("spread", [0.1, 0.5, 1.0, 4.0])
def test_an_added_vector_turns_the_answer_as_often_as_in_simulation(spread):
    added = spread * np.random.default_rng(0).standard_normal((2, 400_000))
    right = np.abs(np.arctan2(added[1], 1 + added[0])) < TOLERANCE
    assert share_added(spread, TOLERANCE) == pytest.approx(right.mean(), abs=4 * 0.5 / np.sqrt(400_000))


def test_an_added_vector_has_its_limits():
    shares = share_added(np.array([1e-2, 1e3]), TOLERANCE)
    assert shares[0] == pytest.approx(1, abs=1e-6)
    assert shares[1] == pytest.approx(TOLERANCE / np.pi, abs=1e-3)  # any direction is as likely
    assert share_added(1.0, np.pi) == pytest.approx(1, abs=1e-5)  # all directions together


@pytest.mark.parametrize("sigma", [0.2, 0.7, 3.0])
def test_a_factor_keeps_its_sign_as_often_as_in_simulation(sigma):
    noise = np.random.default_rng(1).standard_normal((200_000, 2))
    centred = noise - noise.mean(axis=1, keepdims=True)
    for drawn in (noise, centred):  # the mean of both makes no difference
        cue = np.array([1.0, 0.0]) + sigma * drawn
        assert share_scaled(sigma) == pytest.approx((cue[:, 0] > cue[:, 1]).mean(), abs=4 * 0.5 / np.sqrt(200_000))


def draw_linear(kind, angles, size=1.0):
    """Outputs and slopes of a network that is linear: it adds a vector, or turns what it adds with the stimulus."""
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outputs = np.column_stack([np.zeros(len(angles)), x])
    slopes = np.zeros((len(angles), 3, 2))
    if kind == "added":
        slopes[:, 1:] = size * np.eye(2)
    else:  # s x with s = c_1 - c_2
        slopes[:, 1:, 0], slopes[:, 1:, 1] = x, -x
    return outputs, slopes


@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.0])
def test_linear_networks_are_predicted_as_in_closed_form(sigma):
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    noise = np.random.default_rng(2).standard_normal((4000, 2))
    outputs, slopes = draw_linear("added", angles)
    added = share_right(outputs, slopes, noise, sigma, angles).mean()
    assert added == pytest.approx(share_added(sigma, TOLERANCE), abs=0.02)
    outputs, slopes = draw_linear("scaled", angles)
    assert share_right(outputs, slopes, noise, sigma, angles).mean() == pytest.approx(share_scaled(sigma), abs=0.02)


def test_without_noise_the_prediction_is_the_clean_answer():
    outputs = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.9, 1.0, 0.0], [0.9, 1.0, 0.0]])
    slopes, noise = np.ones((4, 3, 5)), np.ones((7, 5))
    response = np.array([0.1, 0.1, 0.1, np.nan])  # right, wrong, silent, and rightly silent
    assert share_right(outputs, slopes, noise, 0.0, response).tolist() == [1, 0, 0, 1]


def test_fixation_can_break_and_answers_can_fail_to_come():
    outputs, slopes = np.array([[0.45, 1.0, 0.0], [0.55, 1.0, 0.0]]), np.zeros((2, 3, 1))
    slopes[:, 0, 0] = 1.0
    noise = np.array([[-1.0], [1.0]])
    assert share_right(outputs, slopes, noise, 0.1, np.array([0.0, np.nan])).tolist() == [0.5, 0.5]


def test_the_common_share_tells_added_vectors_from_those_that_turn():
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    _, added = draw_linear("added", angles)
    _, scaled = draw_linear("scaled", angles)
    assert common_share(added) == pytest.approx(1)
    assert common_share(scaled) == pytest.approx(0, abs=1e-12)
    assert common_share(added + scaled) == pytest.approx(0.5)  # both have the same power
    assert np.isnan(common_share(np.zeros((5, 3, 2))))


def test_a_cubic_of_the_mixture_is_followed_exactly():
    lambdas, c = np.linspace(0, 1, 7), np.random.default_rng(3).standard_normal((4, 2, 5))

    def outputs(x):
        return c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3

    slopes = [c[1], c[1] + 2 * c[2] + 3 * c[3]]
    found = follow_mixture([outputs(0.0), outputs(1.0)], slopes, lambdas)
    np.testing.assert_allclose(found, [outputs(x) for x in lambdas], atol=1e-12)
