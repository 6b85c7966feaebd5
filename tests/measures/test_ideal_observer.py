"""The ideal observer against closed forms, adaptive quadrature and simulation."""

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from cemrnn.measures.ideal_observer import efficiency, ideal_observer, ideal_sigma


def test_shape_and_limits():
    sigma = np.array([[0.0, 1e-3, 1e9], [0.0, 1e-3, np.inf]])
    out = ideal_observer(sigma, 5)
    assert out.shape == (2, 3)
    np.testing.assert_allclose(out, [[1, 1, 0.2], [1, 1, 0.2]], rtol=1e-8)


def test_two_contexts_in_closed_form():
    sigma = np.geomspace(0.05, 50, 40)
    np.testing.assert_allclose(ideal_observer(sigma, 2), norm.cdf(1 / (sigma * np.sqrt(2))), rtol=1e-12)


@pytest.mark.parametrize("n_contexts", [3, 8, 20, 1000])
def test_against_adaptive_quadrature(n_contexts):
    for sigma in (0.1, 0.4, 1.0, 3.0):
        exact, error = integrate.quad(
            lambda z, s=sigma: norm.pdf(z) * norm.cdf(z + 1 / s) ** (n_contexts - 1),
            -9,
            9,
            epsabs=1e-12,
            limit=200,
        )
        assert ideal_observer(sigma, n_contexts) == pytest.approx(exact, abs=1e-10 + error)


@pytest.mark.parametrize("sigma", [0.3, 0.6, 1.5])
def test_against_simulated_cues(sigma):
    rng = np.random.default_rng(1)
    cue = np.eye(8)[rng.integers(0, 8, 40_000)]
    named = (cue + sigma * rng.normal(size=cue.shape)).argmax(axis=1)
    share = (named == cue.argmax(axis=1)).mean()
    expected = ideal_observer(sigma, 8)
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 40_000))


@pytest.mark.parametrize("n_contexts, criterion, chance", [(2, 0.75, None), (8, 0.75, None), (8, 0.5, 0.2)])
def test_ideal_sigma_brings_accuracy_to_the_criterion(n_contexts, criterion, chance):
    sigma = ideal_sigma(criterion, n_contexts, chance)
    zero = 1 / n_contexts if chance is None else chance
    rng = np.random.default_rng(2)
    signal = 1 + sigma * rng.normal(size=100_000)
    rivals = sigma * rng.normal(size=(100_000, n_contexts - 1)).max(axis=1)
    normalised = ((signal > rivals).mean() - zero) / (1 - zero)
    assert normalised == pytest.approx(criterion, abs=4 * 0.5 / np.sqrt(100_000) / (1 - zero))


def test_ideal_sigma_of_two_contexts_in_closed_form():
    # (P - 1/2) / (1/2) = 3/4 at P = 7/8
    assert ideal_sigma(0.75, 2) == pytest.approx(1 / (np.sqrt(2) * norm.ppf(7 / 8)), rel=1e-10)


def test_efficiency_is_the_squared_ratio():
    ideal = ideal_sigma(0.75, 8)
    np.testing.assert_allclose(efficiency(np.array([ideal, ideal / 2, np.nan]), 8), [1, 0.25, np.nan], rtol=1e-12)
    assert efficiency(1.0, 8, criterion=0.5, chance=0.2) == pytest.approx(ideal_sigma(0.5, 8, 0.2) ** -2)


def test_efficiency_of_an_observer_with_its_own_noise():
    """Independent noise of equal size inside an observer halves its efficiency: σ²_in + σ²_ext = 2 σ²_ext."""
    levels = np.linspace(0.2, 0.5, 301)
    normalised = (ideal_observer(np.sqrt(2) * levels, 8) - 1 / 8) / (7 / 8)
    assert efficiency(np.interp(-0.75, -normalised, levels), 8) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ideal_observer(np.array([-0.1]), 3), "sigma: expected a noise of at least 0"),
        (lambda: ideal_observer(0.1, 1), "n_contexts: expected at least 2, got 1"),
        (lambda: ideal_sigma(1.0, 3), r"criterion: expected .* \(0, 1\), got 1.0"),
        (lambda: ideal_sigma(0.2, 2, 0.1), r"criterion: expected .* \(0.444, 1\), got 0.2"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
