"""Networks that get another context: nothing else of them changes; they are planned and resumed as others."""

import dataclasses

import pytest
import torch

from cemrnn.network.config import count_context_parameters
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS
from cemrnn.store.store import Store
from cemrnn.sweep.jobs import split_jobs
from cemrnn.sweep.run import train_missing
from cemrnn.tasks import TaskSet
from cemrnn.training.learner import Learner
from cemrnn.training.train import TrainingInterrupted, train
from tests.networks import TASKS, small_config

MORE = dataclasses.replace(TASKS, names=(*TASKS.names, "delay_pro"))
TRAINED = [arm for arm in ARMS if count_context_parameters(small_config(arm=arm, rank=ARMS[arm].rank_of(2)).network)]
CPU = torch.device("cpu")


def base(seed=0, *, arm="combined", **changes):
    return small_config(seed, arm=arm, rank=ARMS[arm].rank_of(2), **changes)


def extend(start, *, tasks=MORE, **changes):
    network = dataclasses.replace(start.network, n_contexts=tasks.n_contexts)
    return dataclasses.replace(start, network=network, tasks=tasks, start=start, **changes)


def test_the_arms_whose_modulation_is_trained_can_get_a_context():
    assert TRAINED == ["bias", "gain", "excitability", "synaptic", "neuromodulated", "scalar", "combined"]
    assert count_context_parameters(base().network) == 2 * 16 + 2
    for arm in ("plain", "gating"):
        with pytest.raises(ValueError, match=f"nothing of the arm {arm} is trained for a new context"):
            extend(base(arm=arm))


@pytest.mark.parametrize("arm", TRAINED)
def test_nothing_but_the_new_context_changes(arm):
    starts = [base(seed, arm=arm) for seed in (3, 4)]
    networks = train(starts)
    more = train([extend(c) for c in starts], starts=networks)
    before, after = (CEMRNN(c.network, [3, 4]) for c in (starts[0], extend(starts[0])))
    before.load(torch.stack([n.flat for n in networks]))
    after.load(torch.stack([n.flat for n in more]))
    n_changed = 0
    for name, old in before.parameters.items():
        new = after.parameters[name]
        assert torch.equal(new[:, : old.shape[1]], old), name
        n_changed += (new[:, old.shape[1] :] != 0).sum().item()
    assert n_changed >= 2 * count_context_parameters(starts[0].network) * 0.8  # a silent relu unit has no gradient
    assert list(more[0].history) == ["update", "loss", "delay_pro"]


def test_the_new_task_is_learned():
    starts = [base(seed, n_units=24, n_updates=150, batch_trials=32) for seed in (1, 2)]
    networks = train(starts)
    new = train([extend(c, n_updates=200) for c in starts], starts=networks)
    for network in new:
        scores = network.history["delay_pro"]
        assert scores.iloc[-1] > scores.iloc[0] + 0.2


def test_it_resumes_bit_for_bit(tmp_path):
    start = base()
    networks, config, path = train([start]), extend(start), tmp_path / "state.checkpoint"
    through = train([config], starts=networks)
    calls = iter([False] * 7 + [True])
    with pytest.raises(TrainingInterrupted):
        train([config], starts=networks, checkpoint=path, stop=lambda: next(calls))
    resumed = train([config], starts=networks, checkpoint=path)
    assert torch.equal(through[0].flat, resumed[0].flat)


def test_a_sweep_trains_what_others_continue_from_first_and_only_once(tmp_path):
    starts = [base(seed) for seed in (0, 1)]
    extended = [extend(c) for c in starts]
    jobs = split_jobs([*extended, *starts])
    assert [job.configs[0].start is None for job in jobs] == [True, False]
    store = Store(tmp_path)
    assert train_missing(extended, store) == 2  # what they continue from is trained on the way
    assert all(store.load(config) is not None for config in starts)
    assert train_missing([*extended, *starts], store) == 0
    in_order = train(extended, starts=train(starts))
    assert torch.equal(store.load(extended[1]).flat, in_order[1].flat)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(tasks=TaskSet(names=("delay_pro", *TASKS.names), preset="fast")), "expected its tasks to come first"),
        (dict(seed=8), "start: expected the seed 8, got 0"),
        (dict(weight_decay=0.1), "weight_decay: expected 0"),
    ],
)
def test_what_cannot_be_continued_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        extend(base(), **change)
    with pytest.raises(ValueError, match="starts: expected 1 trained networks, got 0"):
        train([extend(base())])
    with pytest.raises(ValueError, match="base: expected"):
        Learner([base()], CPU).model.adopt(CEMRNN(base(n_units=8).network, [0]))
