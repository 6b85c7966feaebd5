"""What each family of tasks shows and asks for, against the published settings and rules written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cemrnn.tasks import BATTERY, TASKS, TaskSet, TrialStream
from cemrnn.tasks.cues import CueConfig, CueStream
from cemrnn.tasks.encoding import preferred_directions_rad
from cemrnn.tasks.family import EPOCHS
from cemrnn.tasks.flipflop import hold_states
from cemrnn.tasks.planning import Planner

TWO_PI = 2 * math.pi
# Durations in ms in order of the epochs, "a-b" uniform, "a,b" choice. Source: the public code of Yang et al. 2019.
# It cuts them to whole steps; `fast` halves and rounds them, and has 500 ms to answer in the category tasks too.
YANG_MS = {
    "delay": ["300-700", "500-1500", "", "", "", "500"],
    "reaction": ["500-2500", "", "", "", "", "500"],
    "memory": ["300,500,700", "200,400,600", "200,400,800,1600", "", "", "500"],
    "simultaneous": ["100-400", "400,800,1600", "", "", "", "500"],
    "sequential": ["200,400,600", "200,400,600", "200,400,800,1600", "200,400,600", "100-300", "500"],
    "match_location": ["200,400,600", "200,400,600", "200,400,800,1600", "", "", "500"],
    "match_category": ["200,400,600", "200,400,600", "200,400,800,1600", "", "", "200,400,600"],
}


def plan_of(name: str, n_trials: int = 4000, preset: str = "fast", tasks: tuple[str, ...] | None = None):
    """Trials of one task, in a set of tasks."""
    names = tasks or (name,)
    keys = np.random.default_rng(0).integers(0, 2**63, n_trials).astype(np.uint64)
    return Planner(TaskSet(names=names, preset=preset)).draw(keys, np.full(n_trials, names.index(name)))


def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.arccos(np.clip(np.cos(first - second), -1, 1))


def timing_of(name: str) -> list[str]:
    return next(spans for key, spans in YANG_MS.items() if key in name)


def assert_uniform(values: np.ndarray, low: float, high: float) -> None:
    """Kolmogorov's distance to the uniform distribution stays below its 99.99 % quantile, 2.23 / sqrt(n)."""
    ranks = (np.sort(values) - low) / (high - low)
    assert ranks[0] >= 0 and ranks[-1] <= 1
    assert np.abs(ranks - (np.arange(len(ranks)) + 0.5) / len(ranks)).max() < 2.23 / math.sqrt(len(ranks))


def assert_share(hits: np.ndarray, probability: float) -> None:
    """The share of hits is within 4 standard deviations of the probability."""
    assert abs(hits.mean() - probability) <= 4 * math.sqrt(probability * (1 - probability) / hits.size)


@pytest.mark.parametrize("preset, ms_per_step, to_steps", [("yang", 20, math.floor), ("fast", 80, round)])
@pytest.mark.parametrize("name", BATTERY)
def test_durations_are_the_published_ones(name, preset, ms_per_step, to_steps):
    lengths = np.diff(plan_of(name, 2000, preset).onsets, axis=1)
    for epoch, spans in enumerate(timing_of(name)):
        if preset == "fast" and "category" in name and epoch == EPOCHS.index("response"):
            spans = "500"
        if "-" in spans:
            low, high = (float(ms) / ms_per_step for ms in spans.split("-"))
            grid = np.linspace(low, high, 2**14, endpoint=False)
            steps, counts = np.unique([to_steps(x) for x in grid], return_counts=True)
            shares = dict(zip(steps.tolist(), (counts / counts.sum()).tolist(), strict=True))
        else:
            values = [to_steps(float(ms) / ms_per_step) for ms in spans.split(",") if ms] or [0]
            shares = {value: 1 / len(values) for value in values}
        assert set(lengths[:, epoch].tolist()) <= set(shares)
        for length, share in shares.items():
            if share * len(lengths) > 20:  # enough for a normal bound
                assert_share(lengths[:, epoch] == length, share)


@pytest.mark.parametrize("timing", ["delay", "reaction", "memory"])
def test_anti_is_pro_plus_pi(timing):
    plan = plan_of(f"{timing}_anti", tasks=(f"{timing}_pro", f"{timing}_anti"))
    pro, anti = plan.alternative.T
    np.testing.assert_allclose((anti - pro) % TWO_PI, math.pi, rtol=1e-12)
    assert_uniform(plan.response, 0, TWO_PI)


def test_rotations_are_evenly_spaced():
    plan = Planner(TaskSet.rotate(6, preset="fast")).draw(np.arange(50, dtype=np.uint64))
    turn = (plan.alternative - plan.stimuli.direction_rad[:, :1]) % TWO_PI
    expected = np.tile(np.arange(6) * TWO_PI / 6, (50, 1))
    np.testing.assert_allclose(np.cos(turn - expected), 1, rtol=1e-12)


def test_one_stimulus_has_one_modality_in_half_of_the_trials_each():
    stimuli = plan_of("memory_pro").stimuli
    assert np.isnan(stimuli.direction_rad[:, 1]).all()
    assert (stimuli.strength.sum((1, 2)) == 1).all() and not stimuli.strength[:, :, 1].any()
    assert_share(stimuli.strength[:, 0, 0], 0.5)


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("preset", ["yang", "fast", "driscoll"])
def test_strengths_of_decisions(order, preset):
    stimuli = plan_of(f"decide_ctx1_{order}", preset=preset).stimuli
    first, second = stimuli.strength[:, :, 0], stimuli.strength[:, :, 1]  # (P, modality)
    assert_uniform(((first + second) / 2).ravel(), 0.8, 1.2)
    coherence = np.abs(first - second) / 2
    agree = (first > second).all(1) | (first < second).all(1)
    assert_share(agree, 0.5)
    if preset == "driscoll" and order == "sequential":
        assert_uniform(coherence.ravel(), 0.005, 0.8)
    else:
        yang = {"simultaneous": (0.01, 0.02, 0.04, 0.08), "sequential": (0.08, 0.16, 0.32)}[order]
        expected = (0.2, 0.4, 0.8) if preset == "fast" else yang
        assert set(coherence.round(6).ravel().tolist()) == set(expected)
        equal = np.isclose(coherence[:, 0], coherence[:, 1])
        assert_share(equal[agree], 1 / len(expected))
        if preset == "fast":  # equal and opposed coherences would leave `multi` without an answer
            assert not equal[~agree].any()
        else:
            assert_share(equal & ~agree, 1 / (2 * len(expected)))
        for value in expected:
            for modality in (0, 1):
                assert_share(np.isclose(coherence[:, modality], value), 1 / len(expected))
    assert_uniform((stimuli.direction_rad[:, 1] - stimuli.direction_rad[:, 0]) % TWO_PI, math.pi / 2, 3 * math.pi / 2)
    assert_uniform(stimuli.direction_rad[:, 0], 0, TWO_PI)


# Shares of trials whose modalities speak for different directions, as 2,000 trials of the public generators have them;
# Driscoll et al. have no simultaneous decisions.
OPPOSED = {("yang", "sequential"): 0.39, ("yang", "simultaneous"): 0.79, ("driscoll", "sequential"): 0.16}


@pytest.mark.parametrize("preset, order", OPPOSED)
def test_multi_splits_the_strength_of_each_stimulus_as_published(preset, order):
    plan = plan_of(f"decide_multi_{order}", 20000, preset)
    strength = plan.stimuli.strength  # (P, modality, stimulus)
    whole = strength.mean(axis=1)
    assert_uniform(whole.mean(axis=1), 0.8, 1.2)
    coherence = np.abs(whole[:, 0] - whole[:, 1]) / 2
    if preset == "driscoll":
        assert_uniform(coherence, 0.005, 0.8)
    else:
        values = {"simultaneous": (0.01, 0.02, 0.04, 0.08), "sequential": (0.08, 0.16, 0.32)}[order]
        for value in values:
            assert_share(np.isclose(coherence, value), 1 / len(values))
    apart = (strength[:, 0] - strength[:, 1]) / whole  # (P, stimulus)
    assert_uniform(np.abs(apart).ravel(), 0.005 if preset == "driscoll" else 0.2, 0.8)
    for stimulus in (0, 1):
        assert_share(apart[:, stimulus] > 0, 0.5)
    assert_share((apart[:, 0] > 0) == (apart[:, 1] > 0), 0.5)
    opposed = (strength[:, 0, 0] > strength[:, 0, 1]) != (strength[:, 1, 0] > strength[:, 1, 1])
    # Their share is of 2,000 trials, ours of 20,000: the error of the difference is 1.05 times theirs.
    assert abs(opposed.mean() - OPPOSED[preset, order]) < 4 * 1.05 * math.sqrt(0.25 / 2000)
    assert plan.defined.all()
    np.testing.assert_array_equal(plan.response == plan.stimuli.direction_rad[:, 0], whole[:, 0] > whole[:, 1])


@pytest.mark.parametrize("preset, sigma", [("yang", 0.01 * math.sqrt(10)), ("driscoll", 0.1 * math.sqrt(10))])
def test_published_presets_have_noisy_cues_at_every_step(preset, sigma):
    trials = TrialStream(TaskSet(names=("reaction_pro", "reaction_anti"), preset=preset), [0]).draw(200)
    cue = CueStream(CueConfig(), [0], name="cue").draw(trials).context
    inside = torch.arange(cue.shape[2]) < trials.end_steps[..., None]
    noise = (cue - trials.context[:, :, None])[inside].double()  # (steps of all trials, K)
    assert noise.std().item() == pytest.approx(sigma, rel=4 / math.sqrt(2 * noise.numel()))
    assert abs(noise.mean().item()) < 4 * sigma / math.sqrt(noise.numel())
    louder = CueStream(CueConfig(noise_sigma=sigma), [0], name="cue").draw(trials).context
    more = (louder - trials.context[:, :, None])[inside].double()
    torch.testing.assert_close(more, math.sqrt(2) * noise, rtol=0, atol=4e-7)  # a few roundings of cues of height 1


def test_the_cue_of_our_own_preset_is_clean():
    trials = TrialStream(TaskSet(names=("reaction_pro", "reaction_anti"), preset="fast"), [0]).draw(20)
    assert torch.equal(CueStream(CueConfig(), [0], name="cue").draw(trials).context, trials.context)


@pytest.mark.parametrize("modality, name", [(0, "decide_mod1_sequential"), (1, "decide_mod2_simultaneous")])
def test_one_modality_is_shown_in_the_mod_tasks(modality, name):
    strength = plan_of(name).stimuli.strength
    assert (strength[:, modality].sum(1) > 0).all() and not strength[:, 1 - modality].any()


def test_ignoring_the_context_caps_the_ctx_tasks_at_three_quarters():
    names = tuple(f"decide_{x}_sequential" for x in ("ctx1", "ctx2", "multi"))
    plan = plan_of(names[0], 20000, tasks=names)
    agree = plan.alternative[:, 0] == plan.alternative[:, 1]
    assert_share(agree, 0.5)  # whatever is answered where they differ, it is right in one context only: 3/4
    assert plan.defined.all()
    for own in (0, 1):  # the strategy of adding both modalities
        assert_share(plan.alternative[:, 2] == plan.alternative[:, own], 0.75)


def test_driscoll_categories_are_of_the_whole_circle():
    plan = plan_of("match_category_go", preset="driscoll")
    first, second = plan.stimuli.direction_rad.T
    assert_uniform(first, 0, TWO_PI)
    assert_uniform(second, 0, TWO_PI)
    assert_uniform((second - first) % TWO_PI, 0, TWO_PI)
    assert_share(np.isnan(plan.response), 0.5)


def test_half_of_the_match_trials_match():
    location, category = plan_of("match_location_go"), plan_of("match_category_go")
    first, second = location.stimuli.direction_rad.T
    same = apart(first, second) < 1e-7
    assert_share(same, 0.5)
    assert_uniform((second - first)[~same] % TWO_PI, math.pi / 9, 17 * math.pi / 9)
    tenths = category.stimuli.direction_rad / (TWO_PI / 20)
    assert set(tenths.round(9).ravel().tolist()) == set(range(1, 20, 2))
    for plan in (location, category):
        assert_share(np.isnan(plan.response), 0.5)
        shown = plan.stimuli.strength.argmax(1)  # modality of each stimulus
        assert (plan.stimuli.strength.sum(1) == 1).all()
        assert_share(shown[:, 0] == shown[:, 1], 0.5)


def answer_by_hand(name: str, directions, strengths) -> tuple[float, bool]:
    """The answer of a task to a stimulus and whether its rule says anything, one trial at a time."""
    first, second = directions
    if name.endswith(("pro", "anti")):
        if not math.isnan(second):
            return math.nan, False
        return (first + (math.pi if name.endswith("anti") else 0)) % TWO_PI, True
    if math.isnan(second):
        return math.nan, False
    if name.startswith("decide"):
        modalities = {"mod1": [0], "mod2": [1], "ctx1": [0], "ctx2": [1], "multi": [0, 1]}[name.split("_")[1]]
        stronger = sum(strengths[m][0] for m in modalities) - sum(strengths[m][1] for m in modalities)
        if math.isclose(stronger, 0, abs_tol=1e-9):
            return math.nan, False
        return (first if stronger > 0 else second), True
    if "location" in name:
        matches = math.cos(first - second) > math.cos(math.radians(10))
    else:
        matches = (math.sin(first) > 0) == (math.sin(second) > 0)
    return (second if matches == name.endswith("_go") else math.nan), True


def test_answers_of_every_task_to_every_stimulus_by_hand():
    tasks = TaskSet(names=BATTERY, preset="fast")
    plan = Planner(tasks).draw(np.random.default_rng(1).integers(0, 2**63, 600).astype(np.uint64))
    assert set(plan.task.tolist()) == set(range(20))
    for p in range(600):
        for k, name in enumerate(BATTERY):
            answer, defined = answer_by_hand(name, plan.stimuli.direction_rad[p], plan.stimuli.strength[p])
            assert plan.defined[p, k] == defined, (p, name)
            np.testing.assert_allclose(plan.alternative[p, k], answer, rtol=1e-12, err_msg=f"{p} {name}")


def windows_by_hand(name: str, onset: dict[str, int], end: int) -> list[tuple[int, int]]:
    """When each stimulus is shown."""
    if name.startswith(("delay", "reaction")):
        return [(onset["response" if name.startswith("reaction") else "stimulus1"], end)]
    first = (onset["stimulus1"], onset["delay1"])
    if "simultaneous" in name:
        return [first, first]
    if "sequential" in name:
        return [first, (onset["stimulus2"], onset["delay2"])]
    return [first, (onset["response"], end)] if name.startswith("match") else [first]


@pytest.mark.parametrize("name", BATTERY)
def test_inputs_show_the_stimuli_when_they_are_on(name):
    tasks, seed = TaskSet(names=(name,), preset="fast"), 3
    trials = TrialStream(tasks, [seed]).draw(60)
    stream = TrialStream(tasks, [seed])
    plan = draw_plan(stream, 60)
    cue_is_fixation = not name.startswith(("reaction", "match"))
    for b in range(60):
        onset, end = dict(zip(EPOCHS, plan.onsets[b].tolist(), strict=False)), int(plan.onsets[b, -1])
        expected = np.zeros((trials.inputs.shape[2], 5))
        expected[: onset["response"] if cue_is_fixation else end, 0] = 1
        for stimulus, (on, off) in enumerate(windows_by_hand(name, onset, end)):
            theta, strength = plan.stimuli.direction_rad[b, stimulus], plan.stimuli.strength[b, :, stimulus]
            pattern = [r * f(theta) for r in strength for f in (math.cos, math.sin)]
            expected[on:off, 1:] += pattern
        error = trials.inputs[0, b].numpy() - expected
        sigma = 0.02 * math.sqrt(2 * 100 / 40)
        assert np.abs(error).max() < 5.8 * sigma  # the largest number that float32 Box-Muller gives is 5.77
        assert not error[end:].any()
        assert 0.5 * sigma < error[:end].std() < 1.5 * sigma


def draw_plan(stream: TrialStream, n_trials: int, task: int | None = None):
    """The plans behind a stream's next trials."""
    plans, draw = [], stream._planner.draw
    stream._planner.draw = lambda *args: plans.append(draw(*args)) or plans[-1]
    stream.draw(n_trials, task)
    return plans[0]


def test_targets_keep_fixation_and_then_answer():
    trials = TrialStream(TaskSet(names=BATTERY, preset="fast"), [0]).draw(300)
    held = 0
    for b in range(300):
        go, end, response = (int(trials.go_steps[0, b]), int(trials.end_steps[0, b]), float(trials.response[0, b]))
        hold = math.isnan(response)
        answer = [1, 0, 0] if hold else [0, math.cos(response), math.sin(response)]
        expected = np.zeros((trials.targets.shape[2], 3))
        expected[:go], expected[go:end] = [1, 0, 0], answer
        np.testing.assert_allclose(trials.targets[0, b], expected, atol=1e-6)
        held += hold
    assert held > 0


@pytest.mark.parametrize("name", ["delay_pro", "decide_mod2_sequential", "match_category_nogo"])
def test_rings_and_cosines_show_the_same_direction(name):
    cosine, ring = (
        TrialStream(TaskSet(names=(name,), preset="yang", encoding=e), [2]).draw(50) for e in ("cosine", "ring")
    )
    step = cosine.onsets[0, :, EPOCHS.index("stimulus1")] + 1
    trial, steps = np.arange(50), range(8)
    planes = np.mean([cosine.inputs[0, trial, step + s, 1:].numpy() for s in steps], 0).reshape(50, 2, 2)
    rings = np.mean([ring.inputs[0, trial, step + s, 1:].numpy() for s in steps], 0).reshape(50, 2, 32)
    vector = rings @ np.exp(1j * preferred_directions_rad())
    modality = np.abs(vector).argmax(1)
    assert (modality == np.abs(planes).sum(2).argmax(1)).all()
    shown = planes[trial, modality]
    decoded, direct = np.angle(vector[trial, modality]), np.arctan2(shown[:, 1], shown[:, 0])
    # The mean of 8 steps has noise .0316 / sqrt(8); the weakest strength a is .8 - .32. Cosine: error noise / a.
    # Ring: tuning sums to a population vector of 3.71 a, and 32 units add noise of sqrt(32 / 2) across it.
    noise, weakest = 0.0316 / math.sqrt(8), 0.48
    assert apart(decoded, direct).max() < 4.5 * noise / weakest * math.hypot(1, 4 / 3.71)


def test_ring_units_peak_at_their_direction():
    trials = TrialStream(TaskSet(names=("delay_pro",), preset="yang", encoding="ring"), [0]).draw(200)
    final = trials.inputs[0, np.arange(200), trials.end_steps[0] - 1, 1:].numpy().reshape(200, 2, 32).sum(1)
    distance = apart(trials.response[0].numpy()[:, None], preferred_directions_rad())
    tuning = 0.8 * np.exp(-((8 * distance / math.pi) ** 2) / 2)
    assert np.abs(final - tuning).max() < 5.8 * 0.0316 * math.sqrt(2)  # two rings' noise, neither beyond 5.77 sigma
    assert np.abs((final - tuning).mean()) < 4 * 0.0316 * math.sqrt(2 / final.size)


def test_streams_are_noisy_while_they_are_shown():
    tasks = TaskSet(names=("integrate_1", "integrate_2"), preset="fast")
    trials, plan = TrialStream(tasks, [0]).draw(3000, 0), draw_plan(TrialStream(tasks, [0]), 3000, 0)
    on, off, end = plan.onsets[:, [1, 2, 6]].T[:, :, None]
    step, inputs = np.arange(trials.inputs.shape[2]), trials.inputs[0].numpy()
    shown, quiet = (on <= step) & (step < off), (step < on) | ((off <= step) & (step < end))
    assert np.isclose(inputs[quiet][:, 1:].std(), 0.02 * math.sqrt(5), rtol=0.02)
    for stream in (0, 1):
        strength, n_shown = plan.stimuli.strength[:, stream, 0], shown.sum(1)
        mean = (inputs[:, :, stream + 1] * shown).sum(1) / n_shown
        error = (mean - strength) * np.sqrt(n_shown) / (math.sqrt(5) * math.hypot(0.2, 0.02))  # in standard errors
        assert abs(error.mean()) < 4 / math.sqrt(3000) and abs(error.var() - 1) < 4 * math.sqrt(2 / 3000)
        assert set(np.abs(strength)) == {0.2, 0.4, 0.8}
        assert_share(strength > 0, 0.5)
        assert (plan.alternative[:, stream] == np.sign(strength)).all()


def test_flip_flop_holds_the_last_pulse():
    tasks = TaskSet(names=("flipflop",), preset="fast")
    plan = Planner(tasks).draw(np.arange(30, dtype=np.uint64))
    ends = plan.onsets[:, -1]
    pulses, states = hold_states(plan.stimuli, plan.response, ends, int(ends.max()) + 3)
    for p in range(30):
        state = [0.0, 0.0, 0.0]
        for t in range(ends[p]):
            for bit in range(3):
                state[bit] = float(pulses[p, t, bit]) or state[bit]
            assert states[p, t].tolist() == state
        assert 0 not in state and plan.response[p] == sum(2**i for i, s in enumerate(state) if s > 0)
        assert not pulses[p, math.ceil(0.8 * ends[p]) :].any() and not states[p, ends[p] :].any()
    assert (np.abs(pulses).sum(1) > 2).mean() > 0.9  # most bits see several of their six pulses
    shown = TrialStream(tasks, [0]).draw(20)
    assert (shown.inputs[0, :, 0].sign() == shown.targets[0, :, 0]).all()


def test_every_registered_task_draws_trials():
    for name in TASKS:
        trials = TrialStream(TaskSet(names=(name,), preset="fast"), [0]).draw(4)
        assert np.isfinite(trials.inputs.numpy()).all() and trials.alternative_defined.all(), name
