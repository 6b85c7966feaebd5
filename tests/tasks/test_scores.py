"""Scores: right and wrong answers of every kind, and chance against closed forms."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.tasks import BATTERY, TaskSet, TrialStream
from cemrnn.tasks.scores import (
    TOLERANCES,
    angular_error,
    answer_outputs,
    chance_level,
    decode_direction,
    matches_response,
    score_per_task,
    score_trials,
)

FAST = TaskSet(names=BATTERY, preset="fast")
STREAMS = TaskSet(names=("integrate_1", "integrate_late_2"), preset="fast")
BITS = TaskSet(names=("flipflop",), preset="fast")
SETS = [FAST, TaskSet(names=BATTERY, preset="driscoll"), TaskSet.rotate(5, preset="yang"), STREAMS, BITS]
RULES = list(TOLERANCES)
WIDTH_DEG = {"last36": 36, "last18": 18, "strict": 18} | {f"nearest{n}": 180 / n for n in (4, 8, 16, 32)}


def draw(tasks: TaskSet, n_trials: int = 200):
    return TrialStream(tasks, [0, 1]).draw(n_trials)


def turned(trials, degrees: float) -> torch.Tensor:
    """Perfect outputs, but for answers that are turned by an angle."""
    return answer_outputs(trials, trials.response + math.radians(degrees))


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_angular_error_is_that_of_unit_vectors(first, second):
    error = angular_error(torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64)).item()
    chord = abs(complex(math.cos(first), math.sin(first)) - complex(math.cos(second), math.sin(second)))
    assert 0 <= error <= math.pi
    assert 2 * math.sin(error / 2) == pytest.approx(chord, abs=1e-12)


@given(st.floats(-3.1, 3.1), st.floats(0.1, 5))
def test_directions_are_decoded_whatever_their_length(theta, length):
    output = torch.tensor([0.3, length * math.cos(theta), length * math.sin(theta)], dtype=torch.float64)
    assert decode_direction(output).item() == pytest.approx(theta, abs=1e-12)
    assert decode_direction(output.expand(2, 4, 3)).shape == (2, 4)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("tasks", SETS, ids=lambda s: f"{s.names[0]}-{s.preset}")
def test_optimal_answers_score_1_on_every_task(tasks, rule):
    trials = draw(tasks)
    scores = score_trials(trials.targets, trials, rule)
    assert scores.shape == (2, 200) and scores.dtype == torch.float32
    assert (score_per_task(scores, trials.task, tasks.n_contexts) == 1).all()


@pytest.mark.parametrize("rule", RULES)
def test_opposite_answers_score_0(rule):
    trials = draw(FAST)
    go = ~trials.response.isnan()
    scores = score_trials(turned(trials, 180), trials, rule)
    assert go.any() and not scores[go].any() and scores[~go].all()
    signs = draw(STREAMS)
    assert not score_trials(answer_outputs(signs, -signs.response), signs, rule).any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("side", [-1, 1])
def test_width_of_the_window(rule, side):
    trials, width = draw(FAST), WIDTH_DEG[rule]
    go = ~trials.response.isnan()
    assert score_trials(turned(trials, side * (width - 0.1)), trials, rule).all()
    assert not score_trials(turned(trials, side * (width + 0.1)), trials, rule)[go].any()


@pytest.mark.parametrize("rule", RULES)
def test_fixation_decides_between_go_and_no_go(rule):
    trials = draw(FAST)
    go, outputs = ~trials.response.isnan(), trials.targets.clone()
    outputs[..., 0] = 1  # never let go
    assert torch.equal(score_trials(outputs, trials, rule).bool(), ~go)
    outputs[..., 0] = 0  # never kept
    assert torch.equal(score_trials(outputs, trials, rule).bool(), go & (rule != "strict"))


def test_only_strict_sees_that_fixation_was_broken_early():
    trials = draw(FAST)
    step = torch.arange(trials.targets.shape[2])
    broken = trials.targets.clone()
    broken[..., 0][step >= trials.go_steps[..., None] - 3] = 0  # three of at most 48 steps before go: over 5 %
    broken[..., 0][step >= trials.go_steps[..., None]] = trials.targets[..., 0][step >= trials.go_steps[..., None]]
    assert score_trials(broken, trials, "last36").all()
    assert not score_trials(broken, trials, "strict").any()


def test_strict_allows_one_slip_in_twenty_steps_and_none_of_the_first_100_ms_count():
    trials = TrialStream(TaskSet(names=("reaction_pro",), preset="fast"), [0]).draw(300)
    go, slipped = trials.go_steps, trials.targets.clone()
    slipped[:, :, :2, 0] = 0
    assert score_trials(slipped, trials, "strict").all()
    slipped[:, :, 2, 0] = 0  # one of the go - 2 steps that count
    expected = 1 / (go - 2) <= 0.05
    assert torch.equal(score_trials(slipped, trials, "strict").bool(), expected)
    assert 0 < expected.float().mean() < 1


def test_strict_asks_for_fixation_until_the_end_where_it_is_the_answer():
    trials = draw(FAST)
    hold, step = trials.response.isnan(), torch.arange(trials.targets.shape[2])
    outputs = trials.targets.clone()
    slip = hold[..., None] & (step == trials.go_steps[..., None] + 2)  # the first weighted step of the response
    outputs[..., 0][slip] = 0
    n_weighted = (trials.weights > 0).sum(2)
    assert torch.equal(score_trials(outputs, trials, "strict").bool(), ~hold | (n_weighted >= 20))
    assert (n_weighted[hold] < 20).any() and score_trials(outputs, trials, "last18").all()


@pytest.mark.parametrize("preset, n_steps", [("fast", 2), ("yang", 5)])
def test_strict_reads_the_mean_of_the_last_100_ms(preset, n_steps):
    trials = draw(TaskSet(names=BATTERY, preset=preset))
    go, right, wrong = ~trials.response.isnan(), trials.targets, turned(trials, 30)
    before_end = trials.end_steps[..., None, None] - torch.arange(right.shape[2])[:, None]  # (M, B, T, 1), last: 1
    half = torch.where(
        (before_end >= 1) & (before_end <= n_steps // 2), wrong, right
    )  # the mean is 12 or 15 degrees off
    assert score_trials(half, trials, "strict").all()
    assert not score_trials(half, trials, "last18")[go].any()
    every = torch.where((before_end >= 1) & (before_end <= n_steps), wrong, right)
    assert not score_trials(every, trials, "strict")[go].any()
    first_read, last_unread = (torch.where(before_end == n, torch.nan, right) for n in (n_steps, n_steps + 1))
    assert not score_trials(first_read, trials, "strict")[go].any()
    assert score_trials(last_unread, trials, "strict")[go].all()


@pytest.mark.parametrize("rule, width", [("last36", 1.0), ("last18", 0.5), ("strict", 0.5)])
@pytest.mark.parametrize("tasks", [STREAMS, BITS], ids=["sign", "bits"])
def test_signs_and_bits_have_a_tolerance(tasks, rule, width):
    trials = draw(tasks)
    outputs = trials.targets.clone()
    final = trials.targets.shape[2] - 1 if tasks is BITS else None
    after_go = torch.arange(outputs.shape[2]) >= trials.go_steps[..., None]
    outputs[..., -1][after_go] *= 1 - (width - 0.01)
    assert score_trials(outputs, trials, rule).all()
    outputs[..., -1] = torch.where(after_go, trials.targets[..., -1] * (1 - (width + 0.01)), outputs[..., -1])
    assert not score_trials(outputs, trials, rule).any()
    assert final is None or (trials.end_steps == final + 1).all()


@pytest.mark.parametrize("rule", RULES)
def test_outputs_that_are_not_finite_score_0(rule):
    for tasks in (FAST, STREAMS, BITS):
        trials = draw(tasks)
        assert not score_trials(torch.full_like(trials.targets, torch.nan), trials, rule).any()


def test_padding_does_not_count():
    trials = draw(FAST)
    outputs = trials.targets.clone()
    outputs[torch.arange(outputs.shape[2]) >= trials.end_steps[..., None]] = torch.nan
    for rule in RULES:
        assert score_trials(outputs, trials, rule).all()


def test_answers_of_other_tasks_are_recognised():
    tasks = TaskSet(names=("memory_pro", "memory_anti", "match_location_go", "match_location_nogo"), preset="fast")
    first, second = torch.tensor([0, 1, 2, 3]).repeat(25), torch.tensor([1, 0, 3, 2]).repeat(25)
    trials = TrialStream(tasks, [0, 1]).draw(100, first, conflict_with=second)
    other = trials.alternative.gather(2, second.expand(2, -1)[..., None])[..., 0]
    for outputs, given_first in ((trials.targets, True), (answer_outputs(trials, other), False)):
        assert matches_response(outputs, trials, trials.response).all() == given_first
        assert matches_response(outputs, trials, other).all() != given_first
        assert (matches_response(outputs, trials, trials.response) ^ matches_response(outputs, trials, other)).all()
    neither = answer_outputs(trials, torch.where(trials.response.isnan(), other, trials.response) + math.pi / 2)
    assert not (matches_response(neither, trials, trials.response) | matches_response(neither, trials, other)).any()


def test_a_match_is_what_last36_scores():
    trials = draw(FAST)
    outputs = trials.targets + 0.7 * torch.randn(trials.targets.shape, generator=torch.manual_seed(0))
    scores = score_trials(outputs, trials, "last36")
    assert 0 < scores.mean() < 1
    assert torch.equal(matches_response(outputs, trials, trials.response).float(), scores)


def test_answer_outputs_of_the_right_answer_are_the_targets():
    for tasks in (FAST, STREAMS):
        trials = draw(tasks)
        torch.testing.assert_close(answer_outputs(trials, trials.response), trials.targets, rtol=0, atol=1e-6)


def test_scores_per_task():
    scores = torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
    task = torch.tensor([[0, 0, 2, 2], [2, 2, 2, 0]])
    per_task = score_per_task(scores, task, 3)
    expected = torch.tensor([[0.5, torch.nan, 1.0], [0.0, torch.nan, 1 / 3]])
    torch.testing.assert_close(per_task, expected, equal_nan=True)


@pytest.mark.parametrize("rule", RULES)
def test_chance_of_the_battery(rule):
    """Directions are uniform: 2 width / 360. Match: both hold (1/4), or both answer (1/4) and agree."""
    n_trials, window = 4000, 2 * WIDTH_DEG[rule] / 360
    level = chance_level(FAST, rule, seed=3, n_trials=n_trials)
    expected = np.array([0.25 + window / 4 if name.startswith("match") else window for name in BATTERY])
    # Neighbouring trials share an answer, which at most doubles the variance of a mean over independent trials.
    bound = 4 * np.sqrt(2 * expected * (1 - expected) / n_trials)
    # Of the ten category directions, 36 degrees apart, only the equal one is right, or its neighbours too.
    category = np.array(["category" in name for name in BATTERY])
    expected[category] = 0.25 + 0.25 * (0.3 if WIDTH_DEG[rule] > 36 else 0.1)
    assert level.shape == (20,)
    assert (np.abs(level - expected) < bound).all()


def test_chance_of_signs_and_bits():
    for tasks, expected in ((STREAMS, 0.5), (BITS, 1 / 8)):
        bound = 4 * math.sqrt(2 * expected * (1 - expected) / 4000)
        assert np.abs(chance_level(tasks, "last36", seed=0, n_trials=4000) - expected).max() < bound


def test_chance_is_that_of_its_seed():
    first, again, other = (chance_level(STREAMS, "last36", seed=seed, n_trials=500) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    with pytest.raises(ValueError, match="n_trials: expected at least 2, got 1"):
        chance_level(STREAMS, "last36", seed=1, n_trials=1)


def test_wrong_arguments_are_refused():
    trials = draw(FAST, 10)
    with pytest.raises(ValueError, match="unknown rule 'last35'; did you mean 'last36'"):
        score_trials(trials.targets, trials, "last35")
    with pytest.raises(ValueError, match=r"outputs: expected .* \(2, 10, .*, 3\), got \(2, 10, 1, 3\)"):
        score_trials(trials.targets[:, :, :1], trials, "last36")


def test_scores_do_not_depend_on_the_network_axis():
    trials = draw(FAST, 60)
    outputs = torch.randn(trials.targets.shape, generator=torch.manual_seed(1))
    fields = {f.name: getattr(trials, f.name) for f in dataclasses.fields(trials)}
    alone = {k: v[1:] if isinstance(v, torch.Tensor) and k != "output_weights" else v for k, v in fields.items()}
    for rule in RULES:
        scores = score_trials(outputs, trials, rule)
        assert torch.equal(scores[1:], score_trials(outputs[1:], type(trials)(**alone), rule))
