"""Generators of trials in the bench: the one of single trials gives ours, and times are per million steps."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from cemrnn.bench import single_trials, trials
from cemrnn.bench.rows import Bench
from cemrnn.figures.fig1_tasks.experiment import TasksConfig
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import read_values
from cemrnn.tasks import BATTERY, PRESETS, TaskSet
from cemrnn.tasks.layout import Layout
from cemrnn.tasks.planning import Planner


@pytest.fixture
def a_bench(tmp_path):
    return Bench(tmp_path, n_repeats=1, turn_s=0.0, say=lambda line: None)


@pytest.mark.parametrize("preset", ["fast", "yang", "driscoll"])
def test_single_trials_are_laid_out_as_ours(preset, monkeypatch):
    monkeypatch.setitem(PRESETS, preset, dataclasses.replace(PRESETS[preset], sigma_x=0.0))
    tasks, n = TaskSet(names=BATTERY, preset=preset), 200
    plan = Planner(tasks).draw(np.arange(1, n + 1, dtype=np.uint64))
    ours = Layout(tasks).lay_out(plan, np.zeros((1, n), np.uint64))
    for i in range(n):
        name = tasks.names[plan.task[i]]
        trial = single_trials.draw_trial(name, tasks.settings, np.random.default_rng(i))
        stimuli = [
            stimulus._replace(direction_rad=plan.stimuli.direction_rad[i, j], strength=plan.stimuli.strength[i, :, j])
            for j, stimulus in enumerate(trial.stimuli)
        ]
        answer = None if np.isnan(plan.response[i]) else plan.response[i]
        trial = trial._replace(onsets=plan.onsets[i], stimuli=stimuli, response_rad=answer)
        end = plan.onsets[i, -1]
        theirs = single_trials.build_trial(trial, tasks, np.random.default_rng(0))
        # Sums of two terms of size at most 2, in single precision.
        for mine, other in zip((ours.inputs, ours.targets, ours.weights), theirs, strict=True):
            np.testing.assert_allclose(other, mine[0, i, :end].numpy(), atol=1e-6, err_msg=name)


def summarise_stimuli(direction_rad, strength):
    """Values (P,), or of some trials, and what ties them together, from (P, stimulus) and (P, modality, stimulus)."""
    values = [*direction_rad.T, *strength.reshape(len(strength), -1).T]
    if direction_rad.shape[1] == 2:
        half = (strength[:, :, 0] - strength[:, :, 1]) / 2  # coherence with its sign, by modality
        apart = (direction_rad[:, 1] - direction_rad[:, 0]) % (2 * np.pi)
        values += [apart, apart[apart > 0], half.sum(axis=1), np.abs(half[:, 0]) - np.abs(half[:, 1])]
    return [value.round(9) for value in values]


@pytest.mark.parametrize("name", BATTERY)
def test_single_trials_have_the_distribution_of_ours(name):
    tasks, n, rng = TaskSet(names=(name,), preset="yang"), 1000, np.random.default_rng(1)
    plan = Planner(tasks).draw(np.arange(1, n + 1, dtype=np.uint64))
    trials = [single_trials.draw_trial(name, tasks.settings, rng) for _ in range(n)]
    onsets, responses = plan.onsets, plan.response
    answers = np.array([np.nan if t.response_rad is None else t.response_rad for t in trials])
    pairs = [(onsets[:, e], np.array([t.onsets[e] for t in trials])) for e in range(onsets.shape[1])]
    pairs += [(np.isnan(responses), np.isnan(answers)), (responses[~np.isnan(responses)], answers[~np.isnan(answers)])]
    n_shown = len(trials[0].stimuli)
    direction = np.array([[stimulus.direction_rad for stimulus in t.stimuli] for t in trials])  # (P, stimulus)
    strength = np.array([[stimulus.strength for stimulus in t.stimuli] for t in trials]).swapaxes(1, 2)
    mine = summarise_stimuli(plan.stimuli.direction_rad[:, :n_shown], plan.stimuli.strength[:, :, :n_shown])
    pairs += zip(mine, summarise_stimuli(direction, strength), strict=True)
    # About 15 comparisons in each of 20 tasks: one of all is below 1e-4 by chance for one seed in thirty.
    assert min(stats.ks_2samp(ours, theirs, method="asymp").pvalue for ours, theirs in pairs) > 1e-4
    first = np.mean([t.response_rad == t.stimuli[0].direction_rad for t in trials])
    expected = np.mean(responses == plan.stimuli.direction_rad[:, 0])
    assert abs(first - expected) < 5 * np.sqrt(2 * 0.25 / n)


def test_a_batch_of_single_trials_is_padded_to_the_longest():
    tasks = TaskSet(names=BATTERY, preset="fast")
    inputs, targets, weights, cue = single_trials.draw_batch(tasks, 12, np.random.default_rng(0))
    assert inputs.shape == (*weights.shape, 5)
    assert targets.shape == (*weights.shape, 3)
    assert cue.shape == (12, 20)
    assert np.all(cue.sum(axis=1) == 1)
    assert weights[:, -1].any()


def test_trials_are_compared_per_million_steps(a_bench, monkeypatch):
    monkeypatch.setattr(trials, "_take_neurogym", lambda tasks, stack, bench: [lambda seconds: 8.0])
    monkeypatch.setattr(trials, "SHAPES", ((1, 4),))
    monkeypatch.setattr(trials, "SINGLE_BATCH", 2)
    values = dict(arms=["plain", "combined"], n_replicates=1)
    monkeypatch.setattr(trials, "quick_config", lambda: TasksConfig.from_params(smoke_values() | values))
    compared = trials.compare_trials(a_bench)
    assert [row["peer"] for row in compared] == [trials.NEUROGYM, trials.SINGLE, trials.SINGLE, *[trials.STEP] * 2]
    assert compared[0]["peer_s"] == 8.0
    assert trials.per_million_steps(lambda seconds: 3.0, 2e6)(0.0) == 1.5


def smoke_values():
    return read_values(Project(Path(__file__).parents[2]), "fig1_tasks", "smoke")
