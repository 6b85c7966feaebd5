"""Measure, wait, go: trials step by step against the public settings, and errors of outputs whose interval is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cemrnn.tasks import TaskSet, TrialStream
from cemrnn.tasks.measure_wait_go import TESTED, interval_errors, produced_intervals
from cemrnn.tasks.scores import answer_outputs, chance_level, score_trials


def draw(name="measure_wait_go", n_trials=400, preset="nm_rnn", seeds=(0, 1)):
    return TrialStream(TaskSet(names=(name,), preset=preset), seeds).draw(n_trials)


def ramp_by_hand(go, interval, n_steps=110):
    values = []
    for t in range(n_steps):
        share = min(max((t - go) / interval, 0.0), 1.0)
        values.append(share - 0.5)
    return np.array(values)


@pytest.mark.parametrize("name", ["measure_wait_go", "measure_wait_go_wide"])
def test_trials_are_those_of_the_public_settings(name):
    trials = draw(name)
    assert trials.inputs.shape == (2, 400, 110, 3) and trials.targets.shape == (2, 400, 110, 1)
    assert (trials.end_steps == 110).all()
    starts, intervals = set(), set()
    for b in range(400):
        pulses = [np.flatnonzero(row).tolist() for row in trials.inputs[0, b].numpy().T]
        [start], [end], [go] = pulses
        assert go == end + 15 and trials.inputs[0, b, start, 0] == 10
        starts.add(start)
        intervals.add(end - start)
        assert trials.response[0, b] == end - start
        np.testing.assert_allclose(trials.targets[0, b, :, 0], ramp_by_hand(go, end - start), atol=1e-6)
    wide = name.endswith("wide")
    assert starts == ({15} if wide else set(range(10, 20)))
    assert intervals == (set(range(4, 27, 2)) if wide else {12, 14, 16, 18})


@pytest.mark.parametrize("preset", ["fast", "yang", "driscoll"])
def test_steps_are_the_same_in_every_preset(preset):
    ours, theirs = draw(preset=preset, n_trials=50), draw(n_trials=50)
    torch.testing.assert_close(ours.targets, theirs.targets)
    assert (ours.inputs - theirs.inputs).abs().max() < 5.8 * 0.1 * np.sqrt(10)  # noise alone


def test_the_interval_that_is_produced_is_that_of_the_nearest_ramp():
    trials = draw("measure_wait_go_wide", 60, seeds=(0,))
    go, n_steps = trials.inputs[0, :, :, 2].argmax(1).tolist(), 110 - 15 - max(TESTED) - 15  # that every trial has
    for produced in (1, 7, 13, 30):
        outputs = torch.tensor(np.stack([ramp_by_hand(g, produced) for g in go]))[None, ..., None]
        assert (produced_intervals(outputs, trials) == produced).all()
        noisy = outputs + 0.2 * torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0))
        for b, g in enumerate(go):
            left = [(noisy[0, b, g:, 0].numpy() - ramp_by_hand(0, k, 110 - g))[:n_steps] for k in range(1, n_steps + 1)]
            nearest = 1 + np.argmin([np.sum(x**2) for x in left])
            assert produced_intervals(noisy, trials)[0, b] == nearest


def test_errors_count_every_interval_alike():
    trials = draw("measure_wait_go_wide", 600)
    late = answer_outputs(trials, trials.response + 2)
    assert {name: e.tolist() for name, e in interval_errors(late, trials).items()} == {
        "trained": [2, 2], "extrapolated": [2, 2], "all": [2, 2],
    }  # fmt: skip
    nearest = answer_outputs(trials, trials.response.clamp(12, 18))  # what never left the trained range would do
    errors = interval_errors(nearest, trials)
    assert errors["trained"].tolist() == [0, 0]
    assert errors["extrapolated"].tolist() == [np.mean([8, 6, 4, 2, 2, 4, 6, 8])] * 2
    torch.testing.assert_close(errors["all"], torch.full((2,), 40 / len(TESTED)))


def test_errors_need_every_interval():
    with pytest.raises(ValueError, match="trials: expected every interval"):
        trials = draw()
        interval_errors(trials.targets, trials)


def test_scores_tell_the_step():
    trials = draw(n_trials=50)
    for off, expected in ((0, (1, 1, 1)), (1, (1, 0, 0)), (2, (0, 0, 0))):
        outputs = answer_outputs(trials, trials.response + off)
        scores = [score_trials(outputs, trials, rule).mean().item() for rule in ("last36", "last18", "strict")]
        assert tuple(scores) == expected
    torch.testing.assert_close(answer_outputs(trials, trials.response), trials.targets)
    # Another trial has the same of four equally likely intervals in one of four.
    level = chance_level(TaskSet(names=("measure_wait_go",), preset="nm_rnn"), "last18", seed=0, n_trials=2000)
    assert abs(level[0] - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 2000)
