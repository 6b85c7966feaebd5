"""Tasks from arrays and from functions: what is drawn, held out, scored, checked, and part of a network's key."""

import numpy as np
import pytest
import torch

import cemrnn
from cemrnn.store.entry import entry_key
from cemrnn.tasks import OwnTasks
from cemrnn.tasks.content import digest_content
from cemrnn.training.config import TrainingConfig
from cemrnn.training.train import train
from tests.networks import small_config

N, T = 60, 12
RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((N, T, 2)).astype(np.float32)
LABELS = (INPUTS[..., 0].mean(1) > 0).astype(int)
CONTEXT = np.eye(2)[np.arange(N) % 2]
GAIN = 1.0


def draw_sums(rng, n, task):
    """The running mean of one of two inputs, which the task says."""
    inputs = rng.standard_normal((n, T, 2))
    means = np.cumsum(inputs, axis=1) / T
    return {"inputs": inputs, "targets": GAIN * means[np.arange(n), :, task][..., None]}


def draw_signs(rng, n, task):
    inputs = rng.standard_normal((n, T, 2)) + np.where(rng.random(n) < 0.5, 1, -1)[:, None, None]
    return {"inputs": inputs, "targets": (inputs.mean((1, 2)) > 0).astype(int)}


def recipe(tasks, seed=0, **changes):
    return small_config(seed, tasks=tasks, target_score=None, **changes)


@pytest.fixture(autouse=True)
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("CEMRNN_STORE", str(tmp_path))


def test_arrays_are_drawn_as_they_are_and_some_are_held_out():
    tasks = OwnTasks.from_arrays(INPUTS, LABELS, context=CONTEXT, names=["odd", "even"], held_out=0.25)
    assert (tasks.n_inputs, tasks.n_outputs, tasks.n_contexts, tasks.max_steps) == (2, 2, 2, T)
    drawn = {}
    for name in ("training", "evaluation"):
        trials = tasks.stream([0, 1], name=name).draw(200, np.arange(200) % 2)
        assert trials.inputs.shape == (2, 200, T, 2) and trials.context.shape == (2, 200, 2)
        rows = (trials.inputs[0, :, None] == torch.from_numpy(INPUTS)).all(-1).all(-1)  # (B, N)
        assert (rows.sum(1) == 1).all()
        row = rows.int().argmax(1)
        assert torch.equal(trials.targets[0, :, -1].argmax(-1), torch.from_numpy(LABELS)[row])
        assert torch.equal(trials.task[0], row % 2) and not torch.equal(trials.inputs[0], trials.inputs[1])
        drawn[name] = set(row.tolist())
    assert len(drawn["training"]) > 35 and drawn["training"] <= set(range(44))  # 22 of the 30 of each task
    assert len(drawn["evaluation"]) > 12 and drawn["evaluation"] <= set(range(44, N))


def test_a_stream_goes_on_where_it_was():
    tasks = OwnTasks.from_function(draw_sums, names=["first", "second"])
    whole, other = tasks.stream([3, 4], name="training"), tasks.stream([3, 4], name="training")
    whole.draw(5)
    state = whole.state()
    expected = whole.draw(5)
    other.load_state(state)
    other.select([1])
    assert torch.equal(other.draw(5).inputs[0], expected.inputs[1])


def test_networks_learn_from_arrays_what_they_are_told():
    tasks = OwnTasks.from_arrays(INPUTS, LABELS)
    (network,) = train([recipe(tasks, arm="plain", n_updates=150)], device="cpu")
    assert network.history["task_0"].iloc[-1] > 0.7


def test_a_function_trains_beside_any_arm_with_r_squared():
    tasks = OwnTasks.from_function(draw_sums, names=["first", "second"])
    settings = dict(n_units=24, rank=2, n_updates=300, learning_rate=0.01, target_score=None)
    nets = cemrnn.train(tasks, arm="combined", n_networks=1, device="cpu", **settings)
    assert nets.history["first"].iloc[-1] > 0.8 and nets.history["second"].iloc[-1] > 0.8
    trials = nets.tasks.draw(100, task="second", seed=1)
    good, bad = nets.run(trials), nets.run(trials, cue=trials.cue("first"))
    assert cemrnn.score(good, trials).mean() > 0.7 > 0.3 > cemrnn.score(bad, trials).mean()
    nets[0].plot(trials[0])
    assert len(nets[0].fixed_points("first", "trial", inputs=np.zeros(2), n_starts=8))
    with pytest.raises(ValueError, match="own tasks have no epochs of ours"):
        nets[0].fixed_points("first", "trial")


def test_r_squared_is_that_of_the_formula():
    tasks = OwnTasks.from_function(draw_sums, names=["first", "second"])
    trials = tasks.stream([0], name="test").draw(50)
    outputs = trials.targets + 0.1 * torch.randn(trials.targets.shape, generator=torch.Generator().manual_seed(0))
    y, t = (x[0, ..., 0].double().numpy() for x in (outputs, trials.targets))
    expected = 1 - ((y - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
    assert trials.own_score(outputs, trials.targets, trials.weights).mean().item() == pytest.approx(expected, abs=1e-5)


def test_classes_are_read_at_the_last_weighted_step():
    weights = np.zeros((N, T))
    weights[:, 3:7] = 1
    trials = OwnTasks.from_arrays(INPUTS, LABELS, weights=weights).stream([0], name="test").draw(20)
    assert (trials.end_steps == 7).all()
    outputs = torch.zeros_like(trials.targets)
    outputs[:, :, 6] = trials.targets[:, :, 6]
    score = cemrnn.tasks.scores.score_trials
    assert score(outputs, trials, "last36").min() == 1
    assert score(1 - outputs, trials, "last36").max() == 0


def test_a_score_of_ones_own_is_used_and_checked():
    own = OwnTasks.from_arrays(INPUTS, LABELS, score=lambda outputs, targets, weights: outputs[:, :, 0, 0] * 0 + 0.25)
    (network,) = train([recipe(own, arm="plain")], device="cpu")
    assert network.history["task_0"].tolist() == [0.25, 0.25] and own.answer == "own"
    wrong = OwnTasks.from_arrays(INPUTS, LABELS, score=lambda outputs, targets, weights: outputs.mean())
    with pytest.raises(ValueError, match=r"score: expected \(network, trial\) \(1, 20\), got \(\)"):
        train([recipe(wrong, arm="plain")], device="cpu")


def test_contexts_may_move_within_a_trial():
    moving = np.repeat(CONTEXT[:, None], T, axis=1)
    moving[:, :3] = 0
    tasks = OwnTasks.from_arrays(INPUTS, LABELS, context=moving)
    trials = tasks.stream([0], name="training").draw(8)
    assert trials.cue().shape == (1, 8, T, 2) and not trials.cue()[:, :, :3].any()
    (network,) = train([recipe(tasks)], device="cpu")
    assert network.status == "exhausted"


def test_contents_are_part_of_the_key(monkeypatch):
    def key(tasks):
        return entry_key(recipe(tasks))

    first = key(OwnTasks.from_arrays(INPUTS, LABELS))
    assert key(OwnTasks.from_arrays(INPUTS.copy(), LABELS)) == first
    changed = INPUTS.copy()
    changed[5, 3, 1] += 1
    assert key(OwnTasks.from_arrays(changed, LABELS)) != first
    assert key(OwnTasks.from_arrays(INPUTS, LABELS, held_out=0.3)) != first
    drawn = key(OwnTasks.from_function(draw_sums, names=["a", "b"]))
    monkeypatch.setattr(f"{__name__}.GAIN", 2.0)
    assert key(OwnTasks.from_function(draw_sums, names=["a", "b"])) != drawn


def test_a_config_is_read_without_its_content_which_is_needed_to_draw():
    tasks = OwnTasks.from_arrays(INPUTS, LABELS)
    config = recipe(tasks)
    assert TrainingConfig.from_params(config.to_dict()) == config
    stranger = OwnTasks(**(tasks.to_dict() | dict(content_digest="0" * 64)))
    with pytest.raises(ValueError, match="task_0 are not here; define them again"):
        stranger.stream([0], name="training")


def test_what_has_no_source_or_hides_its_content_is_refused():
    hidden = object()
    with pytest.raises(ValueError, match="whose content cannot be told"):
        digest_content(lambda: hidden)
    typed = eval("lambda rng, n, task: None")
    with pytest.raises(ValueError, match="expected a function with a source"):
        digest_content(typed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(inputs=INPUTS[0]), r"inputs: expected \(trial, time, input\), got \(12, 2\)"),
        (dict(targets=LABELS - 1), "classes from 0 on"),
        (
            dict(targets=np.zeros((N, T - 1, 1))),
            r"targets: expected .* with 60 trials of 12 steps",
        ),
        (dict(weights=np.ones((N, T, 1))), r"weights: expected \(trial, time\)"),
        (dict(weights=np.zeros((N, T))), "weights: expected numbers >= 0, and one above 0"),
        (dict(context=np.eye(3)), r"context: expected \(trial, \[time,\] context\)"),
        (dict(inputs=np.full_like(INPUTS, np.nan)), "inputs: expected finite numbers"),
        (dict(names=["a", "b"]), "names: expected 1, one per context, got 2"),
        (dict(held_out=1.0), "held_out: expected a share"),
        (dict(inputs=np.zeros((N, T, 0))), r"inputs: expected \(trial, time, input\), got \(60, 12, 0\)"),
        (dict(inputs=np.zeros((0, T, 2)), targets=LABELS[:0]), r"inputs: expected .* got \(0, 12, 2\)"),
        (dict(inputs=None), "inputs: expected an array, got none"),
        (dict(inputs=INPUTS * 1j), "inputs: expected an array of real numbers, got complex64"),
        (dict(inputs=[["a"]]), "inputs: expected an array of real numbers, got "),
        (dict(targets=np.zeros((N, T, 0))), r"targets: expected \(trial, time, output\)"),
        (dict(targets=np.full(N, 100_000)), "targets: expected at most 1000 classes, from 0 on, got 100001"),
        (dict(targets=LABELS * 500), "targets: expected fewer classes than the 60 trials, got 500"),
        (dict(dt_ms=-1), "dt_ms: expected more than 0, because it is a time that passes; got -1"),
        (dict(dt_ms=float("nan")), "dt_ms: expected a finite number, got nan"),
        (dict(score=3), "score: expected a function, got 3"),
        (dict(names="a"), "names: expected names of one or more tasks, in a list, got 'a'"),
        (dict(names=[]), r"names: expected names of one or more tasks, in a list, got \(\)"),
        (dict(context=np.eye(2)[np.zeros(N, int)]), "expected 2 trials or more of every task, got 0 of task 1"),
    ],
)
def test_arrays_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        OwnTasks.from_arrays(**(dict(inputs=INPUTS, targets=LABELS) | change))


def test_what_a_function_draws_is_checked():
    with pytest.raises(ValueError, match="unknown array 'target'; did you mean 'targets'"):
        OwnTasks.from_function(lambda rng, n, task: {"inputs": np.zeros((n, 2, 1)), "target": 1}, names=["a"])
    tasks = OwnTasks.from_function(draw_signs, names=["a"], n_classes=2)
    assert tasks.answer == "class" and tasks.n_outputs == 2
    with pytest.raises(ValueError, match="conflict_with: expected None"):
        tasks.stream([0], name="test").draw(3, conflict_with=0)


def widening():
    """Trials with one input more at every call."""
    calls = []

    def draw(rng, n, task):
        calls.append(n)
        return {"inputs": np.zeros((n, T, len(calls))), "targets": np.ones((n, T, 1))}

    return draw


@pytest.mark.parametrize(
    ("draw", "options", "message"),
    [
        (3, {}, "draw: expected a function, got 3"),
        (lambda rng, n, task: None, {}, "trials: expected arrays by name, inputs and targets, got None"),
        (lambda rng, n, task: {"inputs": INPUTS[:n]}, {}, "targets: expected an array, got none"),
        (lambda rng, n, task: {"targets": LABELS[:n]}, {}, "inputs: expected an array, got none"),
        (lambda rng, n, task: {"inputs": INPUTS[:3], "targets": INPUTS[:3]}, {}, "context|inputs: expected 16 trials"),
        (draw_signs, dict(names=[]), r"names: expected names of one or more tasks, in a list, got \(\)"),
        (draw_signs, dict(names=3), "names: expected names of one or more tasks, in a list, got 3"),
        (draw_signs, dict(n_classes=0), "n_classes: expected at least 1"),
        (draw_signs, dict(n_classes=2.5), "n_classes: expected a whole number, got 2.5"),
        (draw_signs, dict(dt_ms=0), "dt_ms: expected more than 0"),
        (draw_signs, dict(score="r2"), "score: expected a function, got 'r2'"),
    ],
)
def test_what_is_no_function_of_trials_is_refused(draw, options, message):
    with pytest.raises(ValueError, match=message):
        OwnTasks.from_function(draw, **(dict(names=["a"]) | options))


def test_trials_have_the_same_inputs_in_every_call():
    tasks = OwnTasks.from_function(widening(), names=["a"])
    with pytest.raises(ValueError, match="inputs: expected 1 numbers at a step, as in the first trials, got 2"):
        tasks.stream([0], name="test").draw(3)
