"""Sets of tasks, streams of trials, and what trials carry."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cemrnn.tasks import BATTERY, CORE_TASKS, TASKS, TaskSet, TrialStream, conflict_pairs
from cemrnn.tasks.family import EPOCHS

FAST = TaskSet(names=BATTERY, preset="fast")
STREAMS = TaskSet(names=("integrate_1", "integrate_2", "integrate_late_1", "integrate_late_2"), preset="fast")
BITS = TaskSet(names=("flipflop",), preset="fast")
SETS = [
    FAST,
    TaskSet(names=BATTERY, preset="yang", encoding="ring"),
    TaskSet(names=BATTERY, preset="driscoll"),
    TaskSet.rotate(7, preset="fast"),
    STREAMS,
    BITS,
    TaskSet(names=("measure_wait_go",), preset="nm_rnn"),
]
PADDED = ("inputs", "targets", "weights")


def describe(tasks: TaskSet) -> str:
    return f"{tasks.names[0]}-{tasks.preset}-{tasks.encoding}"


def own_content(trials, m: int, b: int) -> dict[str, torch.Tensor]:
    """Everything about one trial, without padding."""
    end = int(trials.end_steps[m, b])
    fields = {f.name: getattr(trials, f.name) for f in dataclasses.fields(trials)}
    tensors = {k: v[m, b] for k, v in fields.items() if isinstance(v, torch.Tensor) and k != "output_weights"}
    return {k: v[:end] if k in PADDED else v for k, v in tensors.items()}


def assert_same_trials(first, m: int, b: int, second, n: int, c: int) -> None:
    one, other = own_content(first, m, b), own_content(second, n, c)
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


def test_registry_has_the_battery():
    assert len(BATTERY) == len(set(BATTERY)) == 20
    assert set(CORE_TASKS) < set(BATTERY) < set(TASKS)


def test_unknown_task_suggests_the_nearest():
    with pytest.raises(ValueError, match="unknown task 'delay_por'; did you mean 'delay_pro'"):
        TaskSet(names=("delay_por",), preset="fast")


@pytest.mark.parametrize("name", ["rotate_3_of_3", "rotate_0_of_0", "rotate_1"])
def test_a_rotation_that_does_not_exist_is_refused(name):
    with pytest.raises(ValueError, match=f"unknown task '{name}'"):
        TaskSet(names=(name,), preset="fast")


@pytest.mark.parametrize(
    "params, message",
    [
        ({"names": ()}, "names: expected one or more"),
        ({"names": ("delay_pro", "delay_pro")}, "names: expected one or more tasks, each once"),
        ({"names": ("delay_pro", "flipflop")}, "names: expected tasks with one kind of answer"),
        ({"names": ("integrate_1",), "encoding": "ring"}, "encoding: expected 'cosine'"),
        ({"names": ("delay_pro",), "preset": "slow"}, "preset"),
        ({"names": ("delay_pro",), "presett": "fast"}, "did you mean 'preset'"),
    ],
)
def test_task_set_refuses(params, message):
    with pytest.raises(ValueError, match=message):
        TaskSet.from_params({"preset": "fast", **params})


def test_sizes_of_task_sets():
    sizes = [(s.n_contexts, s.n_inputs, s.n_outputs) for s in SETS]
    assert sizes == [(20, 5, 3), (20, 65, 3), (20, 5, 3), (7, 5, 3), (4, 3, 2), (1, 3, 3), (1, 3, 1)]
    assert (FAST.dt_ms, FAST.tau_ms, FAST.sigma_x) == (40.0, 100.0, 0.02)


def test_longest_trial_is_that_of_a_sequential_decision():
    # yang: 600 + 600 + 1600 + 600 + 300 + 500 ms; driscoll: 600 + 3 * 1600 + 300 + 700; fast: yang's halves, rounded
    assert SETS[1].max_steps == 4200 // 20
    assert SETS[2].max_steps == 6400 // 20
    assert FAST.max_steps == 8 + 8 + 20 + 8 + 4 + 6


@pytest.mark.parametrize("tasks", SETS, ids=describe)
def test_shapes_dtypes_and_memory(tasks):
    m, b, k = 3, 40, tasks.n_contexts
    trials = TrialStream(tasks, range(m)).draw(b)
    t = int(trials.end_steps.max())
    assert t <= tasks.max_steps
    assert trials.inputs.shape == (m, b, t, tasks.n_inputs)
    assert trials.targets.shape == (m, b, t, tasks.n_outputs)
    assert trials.weights.shape == (m, b, t)
    assert trials.context.shape == trials.alternative.shape == trials.alternative_defined.shape == (m, b, k)
    assert trials.onsets.shape == (m, b, len(EPOCHS)) and trials.epochs == EPOCHS
    for name in ("task", "context_onset_steps", "go_steps", "end_steps"):
        assert getattr(trials, name).shape == (m, b) and getattr(trials, name).dtype == torch.int64
    for name in ("inputs", "targets", "weights", "context", "response", "alternative", "output_weights"):
        assert getattr(trials, name).dtype == torch.float32
    for name in PADDED:
        assert getattr(trials, name).transpose(1, 2).is_contiguous(), name  # (M, T, B, feature) in memory
        assert getattr(trials.to("meta"), name).stride() == getattr(trials, name).stride()


def test_output_weights_favour_fixation():
    weights = [TrialStream(s, [0]).draw(1).output_weights.tolist() for s in (FAST, STREAMS, BITS)]
    assert weights == [[2, 1, 1], [2, 1], [1, 1, 1]]


@pytest.mark.parametrize("tasks", SETS, ids=describe)
def test_padding_is_zero(tasks):
    trials = TrialStream(tasks, [3, 4]).draw(60)
    padding = torch.arange(trials.inputs.shape[2]) >= trials.end_steps[..., None]
    for name in PADDED:
        assert not getattr(trials, name)[padding].any(), name
        assert getattr(trials, name)[~padding].any(), name


def test_epochs_add_up():
    trials = TrialStream(FAST, [0]).draw(2000)
    onsets, end = trials.onsets[0], trials.end_steps[0]
    lengths = torch.diff(torch.cat([onsets, end[:, None]], 1))
    assert (onsets[:, 0] == 0).all() and (lengths >= 0).all()
    assert (lengths.sum(1) == end).all() and (trials.go_steps[0] == onsets[:, EPOCHS.index("response")]).all()
    for k, task in enumerate(FAST.tasks):
        seen = (lengths[trials.task[0] == k] > 0).any(0)
        assert {name for name, s in zip(EPOCHS, seen, strict=True) if s} == set(task.family.timing["yang"])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([FAST, STREAMS, BITS]))
def test_trials_do_not_depend_on_how_they_are_divided(n_first, n_second, tasks):
    whole = TrialStream(tasks, [5]).draw(n_first + n_second)
    stream = TrialStream(tasks, [5])
    parts = [(stream.draw(n), range(n)) for n in (n_first, n_second)]
    for b, (part, c) in enumerate((part, c) for part, rows in parts for c in rows):
        assert_same_trials(whole, 0, b, part, 0, c)


def test_trials_do_not_depend_on_the_ensemble():
    together, alone = TrialStream(FAST, [1, 2, 3]).draw(25), TrialStream(FAST, [2]).draw(25)
    for b in range(25):
        assert_same_trials(together, 1, b, alone, 0, b)


def test_networks_with_other_seeds_see_other_trials():
    trials = TrialStream(FAST, [1, 2, 1]).draw(200)
    assert torch.equal(trials.inputs[0], trials.inputs[2])
    assert (trials.task[0] != trials.task[1]).float().mean() > 0.8  # 19 in 20 differ, if independent
    noise = trials.inputs[:2, :, 0, 1:].flatten(1)  # at the first step no stimulus is on yet
    assert abs(np.corrcoef(noise)[0, 1]) < 4 / math.sqrt(noise.shape[1])


def test_streams_with_other_names_are_other_streams():
    one, other = (TrialStream(FAST, [1], name=name).draw(50) for name in ("training", "test"))
    assert not torch.equal(one.task, other.task)


def test_selected_networks_go_on_as_they_would():
    every, some = TrialStream(FAST, [1, 2, 3]), TrialStream(FAST, [1, 2, 3])
    every.draw(7), some.draw(7)
    some.select([2, 0])
    whole, part = every.draw(9), some.draw(9)
    for b in range(9):
        assert_same_trials(whole, 2, b, part, 0, b)
        assert_same_trials(whole, 0, b, part, 1, b)


def test_a_saved_stream_resumes():
    stream = TrialStream(FAST, [1, 2])
    stream.draw(13)
    state = json.loads(json.dumps(stream.state()))
    resumed = TrialStream(FAST, [1, 2])
    resumed.load_state(state)
    assert torch.equal(stream.draw(8).inputs, resumed.draw(8).inputs)
    with pytest.raises(ValueError, match="state: expected"):
        resumed.load_state({"n_draws": 3})


def test_a_drawn_batch_stays_as_it_is():
    stream = TrialStream(FAST, [1])
    trials = stream.draw(20)
    before = trials.inputs.clone()
    stream.draw(20)
    assert torch.equal(trials.inputs, before)


def test_tasks_are_drawn_evenly():
    counts = torch.bincount(TrialStream(FAST, [0]).draw(20000).task[0], minlength=20)
    assert ((counts - 1000).abs() < 4.5 * math.sqrt(1000 * 0.95)).all()  # binomial, 20 comparisons


def test_tasks_can_be_given():
    tasks = np.arange(40) % 20
    trials = TrialStream(FAST, [0, 1]).draw(40, tasks)
    assert torch.equal(trials.task, torch.as_tensor(tasks).expand(2, -1))
    assert torch.equal(trials.context.argmax(2), trials.task) and (trials.context.sum(2) == 1).all()
    assert (TrialStream(FAST, [0]).draw(5, 7).task == 7).all()
    assert torch.equal(TrialStream(FAST, [0, 1]).draw(3, torch.tensor([[4], [5]])).task[:, 0], torch.tensor([4, 5]))


@pytest.mark.parametrize("task", [20, -1, 1.5])
def test_a_task_out_of_range_is_refused(task):
    with pytest.raises(ValueError, match="task: expected indices of 20 tasks"):
        TrialStream(FAST, [0]).draw(5, task)
    with pytest.raises(ValueError, match="n_trials: expected at least 1, got 0"):
        TrialStream(FAST, [0]).draw(0)


@pytest.mark.parametrize("tasks", [FAST, SETS[2], STREAMS], ids=describe)
def test_weights_step_by_step(tasks):
    trials = TrialStream(tasks, [0]).draw(100)
    grace = {20.0: 5, 40.0: 2}[tasks.dt_ms]  # 100 ms
    for b in range(100):
        go, end = int(trials.go_steps[0, b]), int(trials.end_steps[0, b])
        for t in range(trials.weights.shape[2]):
            early, late = grace <= t < go, go + grace <= t < end
            assert trials.weights[0, b, t] == (1 if early else 5 if late else 0)


def test_the_own_task_is_among_the_alternatives():
    for tasks in SETS:
        trials = TrialStream(tasks, [0]).draw(200)
        own = trials.task[..., None]
        response = trials.alternative.gather(2, own)[..., 0]
        torch.testing.assert_close(response, trials.response, rtol=0, atol=0, equal_nan=True)
        assert trials.alternative_defined.gather(2, own).all()
        assert trials.alternative[~trials.alternative_defined].isnan().all()


def test_context_begins_late_in_the_late_tasks_only():
    trials = TrialStream(STREAMS, [0]).draw(200)
    late = trials.task[0] >= 2
    delay = trials.onsets[0, :, EPOCHS.index("delay1")]
    assert (trials.context_onset_steps[0][late] == delay[late]).all() and (delay > 0).all()
    assert (trials.context_onset_steps[0][~late] == 0).all()
    assert not TrialStream(FAST, [0]).draw(50).context_onset_steps.any()


def in_conflict(response: float, other: float, kind: str) -> bool:
    if math.isnan(response) or math.isnan(other):
        return math.isnan(response) != math.isnan(other)
    if kind == "sign":
        return response != other
    return math.cos(response - other) < math.cos(math.radians(72))


@pytest.mark.parametrize("tasks", [TaskSet(names=CORE_TASKS, preset="fast"), STREAMS, SETS[3]], ids=describe)
def test_conflicting_trials_conflict(tasks):
    first, second = np.repeat(np.array(conflict_pairs(tasks)), 20, axis=0).T
    trials = TrialStream(tasks, [0, 1]).draw(len(first), first, conflict_with=second)
    assert torch.equal(trials.task, torch.as_tensor(first).expand(2, -1))
    for m in range(2):
        for b, j in enumerate(second):
            assert trials.alternative_defined[m, b, j]
            other = trials.alternative[m, b, j].item()
            assert in_conflict(trials.response[m, b].item(), other, trials.answer_kind)
    free = TrialStream(tasks, [0, 1]).draw(400)  # negative control: without the request some trials agree
    differ = [
        in_conflict(free.response[0, b].item(), free.alternative[0, b, 0].item(), free.answer_kind) for b in range(400)
    ]
    assert not all(differ)


def test_a_conflict_that_cannot_be_is_refused():
    tasks = TaskSet(names=("decide_mod1_sequential", "decide_mod2_sequential"), preset="fast")
    assert conflict_pairs(tasks) == []
    with pytest.raises(ValueError, match="conflict_with: .* 'decide_mod1_sequential', got 'decide_mod2_sequential'"):
        TrialStream(tasks, [0]).draw(3, 0, conflict_with=1)


def test_conflict_pairs_share_their_stimuli():
    tasks = TaskSet(names=CORE_TASKS, preset="fast")
    names = {(tasks.names[i], tasks.names[j]) for i, j in conflict_pairs(tasks)}
    one_way = {
        ("memory_pro", "memory_anti"),
        ("decide_ctx1_sequential", "decide_ctx2_sequential"),
        ("match_location_go", "match_location_nogo"),
    }
    assert names == one_way | {(j, i) for i, j in one_way}


@pytest.mark.parametrize("n_tasks", [5, 6, 8])  # neighbours are 72, 60 or 45 degrees apart
def test_conflict_pairs_of_rotations_are_72_degrees_apart_or_more(n_tasks):
    k = range(n_tasks)
    apart = {(i, j): min((i - j) % n_tasks, (j - i) % n_tasks) * 360 / n_tasks for i in k for j in k}
    expected = [pair for pair, degrees in apart.items() if degrees >= 72]
    assert conflict_pairs(TaskSet.rotate(n_tasks, preset="fast")) == expected
