"""Cues that switch, carry over, are noisy or brief: shares, timing, and independence of all but the trial."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from cemrnn.tasks import TaskSet, TrialStream
from cemrnn.tasks.counted import derive_keys
from cemrnn.tasks.cues import CueConfig, CueStream, draw_step_noise, shorten_cue, switch_cue

TASKS = TaskSet.rotate(4, preset="fast")
SEEDS = [3, 8]
N_TRIALS = 2000


def draw(config, seeds=SEEDS, parts=(N_TRIALS,), tasks=TASKS):
    """Trials and cues of every part, drawn one after the other."""
    trials, cues = TrialStream(tasks, seeds), CueStream(config, seeds, name="test")
    drawn = [trials.draw(n) for n in parts]
    return [(part, cues.draw(part)) for part in drawn]


def named(context):
    """Index of the context that a cue (..., K) names."""
    return context.argmax(-1)


def test_a_plain_cue_is_that_of_the_trial():
    [(trials, cue)] = draw(CueConfig())
    assert cue.previous is None
    assert torch.equal(cue.context, trials.cue())
    settled = draw(CueConfig(settle_ms=200.0))[0][1]  # means nothing without a switch
    assert torch.equal(settled.context, trials.cue())


def test_a_share_of_cues_switches_to_the_right_task_early_enough():
    config = CueConfig(switch_share=0.4, settle_ms=200.0)
    [(trials, cue)] = draw(config)
    n_steps = trials.inputs.shape[2]
    assert cue.context.shape == (2, N_TRIALS, n_steps, 4)
    assert (cue.context.sum(-1) == 1).all()
    wrong = named(cue.context) != trials.task[..., None]  # (M, B, T)
    switched = wrong.any(2)
    error = math.sqrt(0.4 * 0.6 / switched.numel())
    assert switched.float().mean().item() == pytest.approx(0.4, abs=4 * error)
    assert wrong[switched][:, 0].all()  # it begins with the other task
    assert (wrong[..., 1:] <= wrong[..., :-1]).all()  # and switches once
    left = trials.end_steps - wrong.sum(2)  # steps with the right cue
    assert left[switched].min() == 5  # 200 ms
    longest = left - trials.end_steps
    assert longest[switched].max() == -1  # some switch after one step
    first = named(cue.context[:, :, 0])
    shift = ((first - trials.task) % 4)[switched]
    share = torch.bincount(shift, minlength=4)[1:] / len(shift)
    assert (share - 1 / 3).abs().max() < 4 * math.sqrt(2 / 9 / len(shift))


def test_switches_are_spread_evenly_over_the_time_that_is_left():
    [(trials, cue)] = draw(CueConfig(switch_share=1.0))
    step = (named(cue.context) != trials.task[..., None]).sum(2).double()
    place = (step - 0.5) / trials.end_steps
    assert place.mean().item() == pytest.approx(0.5, abs=4 / math.sqrt(12 * place.numel()))
    assert place.var().item() == pytest.approx(1 / 12, rel=0.1)


def test_a_share_of_trials_carries_another_task_over():
    [(trials, cue)] = draw(CueConfig(carry_share=0.3))
    carried = cue.previous.sum(-1) == 1
    assert (cue.previous[~carried] == 0).all()
    assert carried.float().mean().item() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / carried.numel()))
    assert (named(cue.previous) != trials.task)[carried].all()
    assert torch.equal(named(cue.context), trials.task[..., None].expand(cue.context.shape[:3]))


def test_noise_is_drawn_anew_at_each_step_and_channel():
    [(trials, cue)] = draw(CueConfig(noise_sigma=0.5))
    inside = torch.arange(cue.context.shape[2]) < trials.end_steps[..., None]
    noise = (cue.context - trials.context[:, :, None])[inside]  # (steps of all trials, K)
    assert noise.mean().item() == pytest.approx(0, abs=4 * 0.5 / math.sqrt(noise.numel()))
    assert noise.std().item() == pytest.approx(0.5, rel=0.01)
    between_channels = torch.corrcoef(noise.T).fill_diagonal_(0)
    assert between_channels.abs().max() < 4.5 / math.sqrt(len(noise))
    between_steps = torch.corrcoef(torch.stack([noise[1:, 0], noise[:-1, 0]]))[0, 1]
    assert abs(between_steps) < 4.5 / math.sqrt(len(noise))


@pytest.mark.parametrize(
    "field", ["switch_share", "late_share", "carry_share", "noise_sigma", "frozen_sigma", "mixture", "brief_share"]
)
def test_a_cue_depends_on_its_trial_alone(field):
    """Not on how trials are divided among calls, on the other networks, or on a pause between two parts."""
    config = CueConfig(settle_ms=100.0, **{field: 0.5})
    [(_, whole)] = draw(config, parts=(50,))
    parts = draw(config, parts=(7, 43))
    alone = draw(config, seeds=SEEDS[1:], parts=(50,))[0][1]
    trials, cues = TrialStream(TASKS, SEEDS), CueStream(config, SEEDS, name="test")
    cues.draw(trials.draw(7))
    resumed, rest = CueStream(config, [5, *SEEDS], name="test"), trials.draw(43)
    resumed.load_state(cues.state())
    resumed.select([1, 2])
    later = resumed.draw(rest)
    for name in ("context", "previous"):
        if getattr(whole, name) is None:
            continue
        n_steps = min(getattr(c, name).shape[2] for _, c in parts)
        joined = torch.cat([getattr(c, name)[:, :, :n_steps] for _, c in parts], dim=1)
        both = getattr(whole, name)[:, :, :n_steps]
        assert torch.equal(joined, both)
        shared = min(getattr(alone, name).shape[2], n_steps)
        assert torch.equal(getattr(alone, name)[0, :, :shared], both[1][:, :shared])
        assert torch.equal(getattr(later, name), getattr(parts[1][1], name))
        assert not torch.equal(both[0], both[1])


def test_a_cue_that_begins_late_names_nothing_before():
    tasks = TaskSet(names=("integrate_late_1", "integrate_late_2"), preset="fast")
    [(trials, cue)] = draw(CueConfig(switch_share=0.5), tasks=tasks, parts=(50,))
    early = torch.arange(cue.context.shape[2]) < trials.context_onset_steps[..., None]
    assert early.any()
    assert (cue.context[early] == 0).all()
    assert (cue.context[~early].sum(-1) == 1).all()


def test_a_cue_that_is_late_tells_nothing_before_the_right_one():
    [(trials, cue)] = draw(CueConfig(switch_share=0.3, late_share=0.5, settle_ms=200.0))
    own = trials.context[:, :, None]
    silent = (cue.context == 0.25).all(-1)  # (M, B, T)
    right = (cue.context == own).all(-1)
    late = silent.any(2)
    assert late.float().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(late.numel()))
    assert (silent | right)[late].all() and silent[late][:, 0].all()
    assert (trials.end_steps - silent.sum(2))[late].min() == 5
    switched = ~late & ~right.all(2)
    assert switched.float().mean().item() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / late.numel()))


def test_a_share_of_cues_ends_early():
    [(_, cue)] = draw(CueConfig(brief_share=0.5, brief_ms=120.0))
    brief = (cue.context[:, :, -1] == 0.25).all(-1)
    assert brief.float().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(brief.numel()))
    assert (cue.context[brief][:, 3:] == 0.25).all()
    assert (cue.context[brief][:, :3].amax(-1) == 1).all() and (cue.context[~brief].amax(-1) == 1).all()


def test_cues_are_mixed_with_one_other_in_all_shares_up_to_the_largest():
    [(trials, cue)] = draw(CueConfig(mixture=0.4))
    context = cue.context[:, :, 0]
    assert (cue.context == context[:, :, None]).all()
    share = 1 - context.gather(-1, trials.task[..., None])[..., 0]
    assert share.max() < 0.4 and share.mean().item() == pytest.approx(0.2, abs=0.01)
    assert share.std().item() == pytest.approx(0.4 / math.sqrt(12), rel=0.05)
    assert torch.allclose(context.sum(-1), torch.ones(())) and ((context > 0).sum(-1) == 2).float().mean() > 0.99


def test_frozen_noise_stays_within_a_trial_and_differs_between_trials():
    [(trials, cue)] = draw(CueConfig(frozen_sigma=0.5))
    noise = (cue.context - trials.context[:, :, None])[:, :, 0]
    assert torch.allclose(cue.context - trials.context[:, :, None], noise[:, :, None], atol=1e-6)
    assert noise.mean().item() == pytest.approx(0, abs=4 * 0.5 / math.sqrt(noise.numel()))
    assert noise.std().item() == pytest.approx(0.5, rel=0.03)
    pairs = torch.corrcoef(noise.flatten(0, 1).T).fill_diagonal_(0)
    assert pairs.abs().max() < 4.5 / math.sqrt(noise.shape[0] * noise.shape[1])


def test_built_cues_switch_and_end_when_they_should():
    first, second = torch.eye(3)[None, [0, 1]], torch.eye(3)[None, [2, 2]]
    cue = switch_cue(first, second, torch.tensor([[1, 3]]), 4)
    assert named(cue).tolist() == [[[0, 2, 2, 2], [1, 1, 1, 2]]]
    short = shorten_cue(first, 2, 4)
    assert short.sum(-1).tolist() == [[[1, 1, 0, 0]] * 2]
    assert torch.equal(short[:, :, :2], first[:, :, None].expand(-1, -1, 2, -1))
    assert shorten_cue(first, 0, 4).abs().sum() == 0


def test_step_noise_ends_with_the_trial():
    trials = TrialStream(TASKS, SEEDS).draw(20)
    noise = draw_step_noise(derive_keys(SEEDS, "test"), 0, trials)
    inside = torch.arange(noise.shape[2]) < trials.end_steps[..., None]
    assert (noise[inside] != 0).all()
    assert (noise[~inside] == 0).all()
    later = draw_step_noise(derive_keys(SEEDS, "test"), 5, trials)
    assert not np.allclose(noise, later)


@pytest.mark.parametrize(
    "change",
    [
        *(dict([item]) for item in [("switch_share", 1.5), ("carry_share", -0.1), ("settle_ms", -1.0)]),
        *(dict([item]) for item in [("noise_sigma", -0.1), ("mixture", 1.1), ("brief_ms", -1.0)]),
        dict(switch_share=0.6, late_share=0.6),
    ],
)
def test_config_refuses_what_cannot_be(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(CueConfig(), **change)
