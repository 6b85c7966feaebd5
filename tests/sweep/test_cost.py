"""What a training costs: the algebra of its work, seconds from known timings, bytes against a real entry."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.network.config import count_parameters
from cemrnn.store.store import Store, entry_key
from cemrnn.sweep import cost
from cemrnn.sweep.cost import UNIT_STEP, UPDATE, count_update, count_work, entry_bytes, estimate_seconds
from cemrnn.tasks import CORE_TASKS, TaskSet
from cemrnn.training.learner import TrainedNetwork
from tests.networks import small_config

ROTATE = [TaskSet.rotate(k, preset="fast") for k in (2, 4, 8)]


def resized(config, **sizes):
    return dataclasses.replace(config, network=dataclasses.replace(config.network, **sizes))


@given(st.integers(1, 60), st.integers(1, 50), st.integers(0, 99))
def test_work_is_proportional_to_whole_evaluation_periods(n_periods, period, seed):
    one = count_work(small_config(n_updates=period, evaluate_every=period))
    many = count_work(small_config(seed, n_updates=n_periods * period, evaluate_every=period))
    assert many == pytest.approx(n_periods * one)


@pytest.mark.parametrize(
    "sizes",
    [
        [resized(small_config(), n_units=n) for n in (8, 16, 64)],
        [small_config(arm="combined", rank=r) for r in (1, 4, 16)],
        [small_config(tasks=tasks) for tasks in ROTATE],
        [small_config(batch_trials=b) for b in (1, 16, 64)],
        [small_config(evaluation_trials=n) for n in (1, 20, 100)],
        [small_config(tasks=TaskSet(names=CORE_TASKS, preset=preset)) for preset in ("fast", "yang")],
    ],
    ids=["units", "rank", "contexts", "trials", "evaluation", "steps"],
)
def test_work_grows_with_every_size(sizes):
    work = [count_work(config) for config in sizes]
    assert work[0] > 0
    assert np.all(np.diff(work) > 0)


def test_an_update_counts_what_a_network_multiplies():
    config = small_config(arm="combined", rank=3, n_units=10)
    unit_steps = 7 * config.tasks.max_steps * 10
    passes = 2  # over the units, of which the gain is one
    assert count_update(config, 7) == 3 * (unit_steps * (10 + 5 + 3 + 2 * 3 + passes * UNIT_STEP) + UPDATE)


def test_seconds_are_the_work_at_the_timed_price(monkeypatch):
    monkeypatch.setattr(cost, "time_work", lambda configs: 1e-10 * configs[0].network.n_units)
    ensembles = [[small_config(seed, n_units=n) for seed in range(3)] for n in (8, 32)]
    expected = [3 * count_work(configs[0]) * 1e-10 * n for configs, n in zip(ensembles, (8, 32), strict=True)]
    assert estimate_seconds(ensembles) == pytest.approx(expected)
    assert estimate_seconds([]) == []


def test_few_shapes_are_timed_and_the_others_lie_between_them(monkeypatch):
    timed = []
    monkeypatch.setattr(cost, "SHAPES_TIMED", 2)
    monkeypatch.setattr(cost, "time_work", lambda configs: timed.append(configs[0].network.n_units) or 1.0 / len(timed))
    ensembles = [[small_config(n_units=n)] for n in (32, 8, 16)]
    prices = [s / count_work(c[0]) for s, c in zip(estimate_seconds(ensembles), ensembles, strict=True)]
    assert timed == [8, 32]
    assert prices[1] == pytest.approx(1.0)
    assert prices[0] == pytest.approx(0.5)
    assert 0.5 < prices[2] < 1


def test_a_price_is_that_of_an_update_however_large_it_is(monkeypatch):
    threads = torch.get_num_threads()
    config = small_config(batch_trials=64, learning_rate=1e30)  # at which no network would live to a second update
    assert cost.time_work([config] * 6) > 0
    drawn = []
    monkeypatch.setattr(cost, "time_updates", lambda some, **_: drawn.extend(some[""]) or {"": 1.0})
    monkeypatch.setattr(cost, "LARGEST_TIMED", count_update(config, 64) / 4)
    assert cost.time_work([config] * 6) == 1 / count_update(config, 16)
    assert [c.batch_trials for c in drawn] == [16] * cost.TOGETHER
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    "config",
    [
        small_config(),
        small_config(arm="combined", rank=4, n_units=64, n_updates=3000, evaluate_every=50),
        small_config(tasks=TaskSet.rotate(64, preset="yang"), n_units=32, n_updates=2000),
    ],
    ids=["tiny", "battery", "packing"],
)
def test_bytes_are_those_of_a_real_entry(tmp_path, config):
    rows = config.n_updates // config.evaluate_every
    scores = np.random.default_rng(0).random((rows, config.tasks.n_contexts)).astype(np.float32)
    history = pd.DataFrame(scores, columns=list(config.tasks.names))
    history.insert(0, "update", config.evaluate_every * np.arange(1, rows + 1))
    history.insert(1, "loss", np.float32(0.123456789))
    network = TrainedNetwork(torch.zeros(count_parameters(config.network)), "exhausted", config.n_updates, history)
    store = Store(tmp_path)
    store.save(config, network)
    written = sum(path.stat().st_size for path in store.folder(entry_key(config)).iterdir())
    assert entry_bytes(config) == pytest.approx(written, rel=0.1)
