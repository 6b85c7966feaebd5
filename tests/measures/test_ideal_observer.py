"""The ideal observer against closed forms, brute force, and other observers of the same trials."""

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from cemrnn.measures.ideal_observer import TOLERANCE, efficiency, matches, observe


def name_largest(sigma, n_contexts):
    """Probability that the largest of K noisy channels is the right one. Source: Green & Swets 1966."""
    return integrate.quad(lambda z: norm.pdf(z) * norm.cdf(z + 1 / sigma) ** (n_contexts - 1), -9, 9)[0]


def draw(n_trials, answers, sigma, seed=0):
    """Cues of tasks 0 to K - 1 in turn, noise without its mean, and answers (B, K)."""
    generator, n_contexts = np.random.default_rng(seed), answers.shape[-1]
    task = np.arange(n_trials) % n_contexts
    noise = generator.standard_normal((n_trials, n_contexts))
    cue = np.eye(n_contexts)[task] + sigma * (noise - noise.mean(axis=1, keepdims=True))
    return task, cue, np.broadcast_to(answers, cue.shape)


@pytest.mark.parametrize("n_contexts", [2, 3, 5])
@pytest.mark.parametrize("sigma", [0.3, 0.7, 1.5])
def test_with_answers_that_exclude_each_other_it_names_the_largest_channel(n_contexts, sigma):
    answers = np.array([np.nan, *(2 * np.pi * np.arange(4) / 4)])[:n_contexts]  # keep fixation, or 90 degrees apart
    task, cue, answers = draw(40_000, answers, sigma)
    possible = np.ones_like(cue, bool)
    given = observe(cue, answers, possible, sigma)
    np.testing.assert_array_equal(given, answers[np.arange(len(cue)), cue.argmax(axis=1)])
    share = matches(given, answers[np.arange(len(cue)), task]).mean()
    expected = name_largest(sigma, n_contexts)
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / len(cue)))


def test_tasks_that_the_trial_cannot_be_of_do_not_count():
    task, cue, answers = draw(60_000, 2 * np.pi * np.arange(4) / 4, 1.0)
    kept = task < 2
    possible = np.broadcast_to([True, True, False, False], cue.shape)
    given = observe(cue, answers, possible, 1.0)
    share = matches(given, answers[np.arange(len(cue)), task])[kept].mean()
    expected = norm.cdf(1 / np.sqrt(2))  # two contexts
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / kept.sum()))


def test_two_tasks_with_one_answer_outweigh_a_third_that_is_more_probable():
    cue = np.array([[0.9, 0.8, 1.0]])
    given = observe(cue, np.array([[1.0, 1.0, 3.0]]), np.ones((1, 3), bool), 1.0)
    assert given == 1.0
    assert observe(cue, np.array([[1.0, 1.0, 3.0]]), np.ones((1, 3), bool), 0.05) == 3.0  # with little noise


def test_the_middle_of_two_near_answers_is_right_for_both():
    answers = np.array([[0.0, 1.0, 3.5]])  # 57 degrees apart: each within 36 degrees of .5
    given = observe(np.array([[1.0, 1.0, 1.0]]), answers, np.ones((1, 3), bool), 1.0)
    assert given == pytest.approx(0.5)
    far = np.array([[0.0, 2 * np.pi / 5 + 1e-6, 3.5]])  # from 72 degrees on there is none
    assert observe(np.array([[1.0, 0.9, 0.8]]), far, np.ones((1, 3), bool), 1.0) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_no_answer_on_a_fine_circle_is_more_probably_right(seed):
    generator = np.random.default_rng(seed)
    sigma, answers = 0.8, generator.uniform(0, 2 * np.pi, (200, 6))
    answers[generator.random(answers.shape) < 0.2] = np.nan
    cue = np.eye(6)[generator.integers(6, size=200)] + sigma * generator.standard_normal((200, 6))
    weight = np.exp(cue / sigma**2)
    weight /= weight.sum(axis=1, keepdims=True)
    offered = np.append(np.linspace(0, 2 * np.pi, 721), np.nan)
    best = (matches(offered[None, :, None], answers[:, None, :]) * weight[:, None]).sum(axis=2).max(axis=1)
    given = observe(cue, answers, np.ones_like(cue, bool), sigma)
    own = (matches(given[:, None], answers) * weight).sum(axis=1)
    three = np.array([np.ptp(np.unwrap(np.sort(a[~np.isnan(a)]))) for a in answers])  # three near answers may share one
    assert (own >= best - 1e-12)[three > 2].mean() > 0.95
    assert (own - best).mean() > -0.02


def test_other_observers_of_the_same_cue_do_no_better():
    sigma, generator = 0.7, np.random.default_rng(3)
    answers = np.array([0.0, 0.0, np.pi / 2, np.nan, 1.0])
    task, cue, answers = draw(20_000, answers, sigma)
    right = answers[np.arange(len(cue)), task]
    best = matches(observe(cue, answers, np.ones_like(cue, bool), sigma), right).mean()
    rows = np.arange(len(cue))
    soft = (np.exp(cue) / np.exp(cue).sum(1, keepdims=True)).cumsum(1)
    rivals = [
        answers[rows, cue.argmax(axis=1)],
        answers[rows, (generator.random((len(cue), 1)) < soft).argmax(axis=1)],
        answers[rows, (cue * [1.2, 1, 1, 1, 1]).argmax(axis=1)],
        np.full(len(cue), 0.5),
    ]
    for given in rivals:
        assert matches(given, right).mean() < best + 3 * 0.5 / np.sqrt(len(cue))


def test_without_noise_it_is_always_right():
    task, cue, answers = draw(100, np.array([0.3, np.nan, 4.0]), 0.0)
    given = observe(cue, answers, np.ones_like(cue, bool), 0.0)
    assert matches(given, answers[np.arange(100), task]).all()


def test_answers_match_within_thirty_six_degrees_and_holding_is_an_answer():
    assert matches(np.array([0.1, 0.1, np.nan, np.nan]), np.array([2 * np.pi, np.nan, 0.1, np.nan])).tolist() == [
        True,
        False,
        False,
        True,
    ]
    assert matches(TOLERANCE - 1e-9, 0.0) and not matches(TOLERANCE + 1e-9, 0.0)


def test_efficiency_is_the_share_of_the_noise_power():
    np.testing.assert_allclose(efficiency(np.array([0.4, 0.8]), 0.8), [0.25, 1])
