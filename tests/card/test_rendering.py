"""Trials and cues that a kernel fills against those of the CPU (make test-gpu): on a card, or in Triton's interpreter.

Whole numbers, and all that has no noise, are equal; normal numbers are to rounding, for a card may round the sums of
their polynomials otherwise.
"""

import dataclasses
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cemrnn.card import streams
from cemrnn.card.learner import CardLearner
from cemrnn.card.streams import CardCueStream, CardTrialStream, open_streams
from cemrnn.random import add_noise
from cemrnn.tasks import BATTERY, TASKS, Family, Task, TaskSet, TrialStream, Window, layout, register_task, registry
from cemrnn.tasks.cues import CueConfig, CueStream
from cemrnn.tasks.layout import Events
from cemrnn.tasks.rendering import render_events
from cemrnn.training.learner import Learner
from tests.networks import small_config

pytest.importorskip("triton")
CARD = torch.cuda.is_available()
DEVICE, CPU = torch.device("cuda" if CARD else "cpu"), torch.device("cpu")
if not CARD and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("no card, and not in Triton's interpreter", allow_module_level=True)

from cemrnn.card import kernels, rendering  # noqa: E402

ROUNDING = 2**-24
SEEDS = [3, 8]
LATE = ("integrate_1", "integrate_late_2")
SETS = [
    *(TaskSet(names=BATTERY, preset=preset, encoding=encoding)
      for preset in ("yang", "driscoll", "fast") for encoding in ("cosine", "ring")),
    TaskSet.rotate(3, preset="fast"),
    TaskSet.maps(2, 8, preset="yang"),
    *(TaskSet(names=names, preset=preset) for preset in ("yang", "fast") for names in (LATE, LATE[1:], ("flipflop",))),
    *(TaskSet(names=(name,), preset=preset)
      for preset in ("nm_rnn", "fast") for name in ("measure_wait_go", "measure_wait_go_wide")),
]  # fmt: skip


def describe(tasks):
    return f"{len(tasks.names)}-{tasks.names[0]}-{tasks.preset}-{tasks.encoding}"


def assert_close(ours, theirs, name):
    """Equal to the rounding of the largest number."""
    bound = 8 * ROUNDING * theirs.abs().max().item()
    torch.testing.assert_close(ours.cpu(), theirs, rtol=0, atol=bound, msg=name)


def assert_same_trials(ours, theirs):
    for field in dataclasses.fields(theirs):
        one, other = getattr(ours, field.name), getattr(theirs, field.name)
        if field.name == "inputs":
            assert_close(one, other, "inputs")
        elif isinstance(other, torch.Tensor):
            torch.testing.assert_close(one.cpu(), other, rtol=0, atol=0, equal_nan=True, msg=field.name)
            assert one.stride() == other.stride(), field.name
        else:
            assert one == other, field.name


def open_both(tasks, seeds=SEEDS):
    return CardTrialStream(tasks, seeds, name="test", device=DEVICE), TrialStream(tasks, seeds, name="test")


@pytest.fixture
def few_programs(monkeypatch):
    """The interpreter takes one program after the other, so large ones; a card has those of the package."""
    if not CARD:
        monkeypatch.setattr(rendering, "BLOCK", 2048)


@pytest.mark.parametrize("tasks", SETS, ids=describe)
def test_trials_of_every_family_are_those_of_the_cpu(tasks, few_programs):
    ours, theirs = open_both(tasks)
    n_tasks = len(tasks.names)
    for n_trials in (-(-n_tasks // 2), 3):
        task = np.arange(2 * n_trials).reshape(2, -1) % n_tasks  # (M, B)
        drawn = ours.draw(n_trials, task)
        assert drawn.inputs.device.type == drawn.weights.device.type == DEVICE.type
        assert_same_trials(drawn, theirs.draw(n_trials, task))
    assert ours.state() == theirs.state()


@pytest.mark.parametrize("tasks", SETS, ids=describe)
def test_without_noise_every_bit_is_the_cpus(tasks, few_programs):
    ours, theirs = open_both(tasks, [5])
    for stream in (ours, theirs):
        stream._layout._sigma[:] = 0
        stream._layout._stream_sigma[:] = 0
    one, other = ours.draw(2), theirs.draw(2)
    torch.testing.assert_close(one.inputs.cpu(), other.inputs, rtol=0, atol=0)


def test_trials_that_conflict_and_trials_of_some_networks_are_those_of_the_cpu():
    ours, theirs = open_both(TaskSet(names=("memory_pro", "memory_anti"), preset="fast"))
    assert_same_trials(ours.draw(5, 0, conflict_with=1), theirs.draw(5, 0, conflict_with=1))
    for stream in (ours, theirs):
        stream.select([1])
        stream.load_state({"n_drawn": 17})
    assert_same_trials(ours.draw(1), theirs.draw(1))


def test_a_registered_task_that_renders_itself_is_shown():
    def show(stimuli, response, ends, n_steps):
        inputs = np.ones((len(ends), n_steps, 3), np.float32) * (np.arange(n_steps)[:, None] < ends[:, None, None])
        return inputs, 2 * inputs

    flipflop = TASKS["flipflop"]
    family = dataclasses.replace(flipflop.family, render=show)
    assert isinstance(family, Family) and isinstance(family.windows[0], Window)
    register_task("rendered_by_itself", Task(family, flipflop.rule, flipflop.parameters, "bits"))
    try:
        ours, theirs = open_both(TaskSet(names=("rendered_by_itself",), preset="fast"))
        assert_same_trials(ours.draw(3), theirs.draw(3))
    finally:
        del TASKS["rendered_by_itself"]
        registry.OWN.discard("rendered_by_itself")


def test_other_noise_other_weights_and_other_trials_are_seen(monkeypatch):  # negative control
    tasks = TaskSet.rotate(3, preset="fast")
    ours, theirs = open_both(tasks)
    expected = theirs.draw(4)
    other, _ = open_both(tasks, [3, 9])
    with pytest.raises(AssertionError, match="inputs"):
        assert_same_trials(dataclasses.replace(expected, inputs=other.draw(4).inputs), expected)
    monkeypatch.setattr(layout, "GRACE_MS", 160.0)
    with pytest.raises(AssertionError, match="weights"):
        assert_same_trials(ours.draw(4), expected)
    with pytest.raises(AssertionError):
        assert_same_trials(ours.draw(4), expected)


def random_events(generator, m, t, b, f, e):
    """Events that overlap, are empty, begin late or end after the trial."""
    steps = np.sort(generator.integers(0, t + 3, (m, b, e, 2)), axis=3)
    features = generator.standard_normal((m, b, e, f)).astype(np.float32)
    return Events(features, *np.ascontiguousarray(np.moveaxis(steps, 3, 0)))


def random_noise(generator, m, t, b, f):
    start, end = np.sort(generator.integers(0, t + 2, (2, m, b)), axis=0)
    sigma = generator.random(f).astype(np.float32)
    return rendering.Noise(generator.integers(0, 2**64, (m, b), np.uint64), start, end, sigma)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    m=st.integers(1, 3),
    t=st.sampled_from([1, 2, 3, kernels.STEPS - 1, kernels.STEPS, kernels.STEPS + 1, 2 * kernels.STEPS + 3]),
    b=st.sampled_from([1, 2, 7, 61]),
    f=st.sampled_from([1, 3, 5, 13]),
    e=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_events_and_noise_of_any_shape_are_those_of_the_cpu(m, t, b, f, e, seed):
    generator = np.random.default_rng(seed)
    events, noise = random_events(generator, m, t, b, f, e), random_noise(generator, m, t, b, f)
    expected = np.empty((m, t, b, f), np.float32)
    render_events(expected, *events)
    out = rendering.fill((m, t, b), events, None, DEVICE)
    torch.testing.assert_close(out.cpu(), torch.from_numpy(expected), rtol=0, atol=0)
    add_noise(expected, *noise)
    expected = torch.from_numpy(expected)
    assert_close(rendering.fill((m, t, b), events, noise, DEVICE), expected, "filled at once")
    rendering.add_noise(out, noise)
    assert_close(out, expected, "added")


CUES = {
    "plain": CueConfig(),
    "noise": CueConfig(noise_sigma=0.4),
    "frozen": CueConfig(frozen_sigma=0.4),
    "all": CueConfig(switch_share=0.4, late_share=0.3, settle_ms=100.0, carry_share=0.5, noise_sigma=0.2,
                     frozen_sigma=0.3, mixture=0.4, brief_share=0.5, brief_ms=200.0),
}  # fmt: skip


@pytest.mark.parametrize("config", CUES.values(), ids=list(CUES))
@pytest.mark.parametrize("tasks", [TaskSet.rotate(3, preset="fast"), TaskSet.rotate(5, preset="driscoll"),
                                   TaskSet(names=LATE, preset="yang"), TaskSet(names=LATE, preset="fast")],
                         ids=describe)  # fmt: skip
def test_cues_are_those_of_the_cpu(tasks, config):
    ours, theirs = CardCueStream(config, SEEDS, name="c", device=DEVICE), CueStream(config, SEEDS, name="c")
    given = TrialStream(tasks, SEEDS, name="test")
    for n_trials in (5, 2):
        trials = given.draw(n_trials)
        one, other = ours.draw(trials), theirs.draw(trials)
        assert_close(one.context, other.context, "context")
        assert (one.previous is None) == (other.previous is None)
        assert one.previous is None or torch.equal(one.previous.cpu(), other.previous)
    assert ours.state() == theirs.state()
    if config.noise_sigma:  # negative control: the noise of other trials is seen
        other = theirs.draw(trials)
        with pytest.raises(AssertionError):
            assert_close(one.context, other.context, "context")


@pytest.mark.parametrize("preset", ["fast", "driscoll"])
def test_training_stays_within_rounding_of_that_on_the_cpu(preset):
    n_updates, tasks = 3, TaskSet.rotate(3, preset=preset)
    recipe = dict(tasks=tasks, n_units=6, batch_trials=3, n_updates=n_updates, evaluation_trials=1, sigma_rec=0.0)
    configs = [small_config(seed, **recipe) for seed in SEEDS]
    here, there = Learner(configs, CPU), CardLearner(configs, DEVICE)
    assert isinstance(there.trials.stream, CardTrialStream) and isinstance(there.evaluation_cues, CardCueStream)
    start = here.model.flat.clone()
    for _ in range(n_updates):
        here.update()
        there.update()
    moved = (here.model.flat - start).norm()
    # a difference of 2^-24 of a gradient stays one of the update, and n_updates of them add up
    bound = n_updates * 300 * ROUNDING
    assert (there.model.flat.cpu() - here.model.flat).norm() / moved < bound
    assert there.document() == here.document()
    other = Learner(configs, CPU)  # negative control: trials of other numbers are far beyond that
    other.trials.load_state({"n_drawn": 1})
    for _ in range(n_updates):
        other.update()
    assert (other.model.flat - here.model.flat).norm() / moved > 10 * bound
    torch.testing.assert_close(there.score(), here.score())


def test_what_triton_refuses_is_drawn_on_the_cpu_with_one_line(monkeypatch, caplog):
    def refuse(*_):
        raise KeyError("out of registers")

    monkeypatch.setattr(rendering, "_launch", refuse)
    streams._warn_once.cache_clear()
    for _ in range(2):
        trials, cues = open_streams(TaskSet.rotate(3, preset="fast"), CueConfig(), SEEDS, name="t", device=DEVICE)
        assert type(trials) is TrialStream and type(cues) is CueStream
    streams._warn_once.cache_clear()
    assert [record.message for record in caplog.records if "out of registers" in record.message] == [
        f"trials are filled on the CPU and copied to {DEVICE} (KeyError: 'out of registers')"
    ]


def test_memory_that_is_short_is_no_refusal(monkeypatch):
    def run_short(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(rendering, "_launch", run_short)
    with pytest.raises(torch.OutOfMemoryError):
        open_streams(TaskSet.rotate(3, preset="fast"), CueConfig(), SEEDS, name="t", device=DEVICE)
