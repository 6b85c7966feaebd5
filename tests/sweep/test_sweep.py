"""Plans, leases, and sweeps in this process: what is missing is trained once, and errors come at the end."""

import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.store.store import Store
from cemrnn.sweep import run as sweep
from cemrnn.sweep.jobs import LARGEST_JOB, SMALLEST_JOB, Job, announce, keep_missing, split_jobs, tabulate, take_shard
from cemrnn.sweep.progress import SweepProgress
from cemrnn.sweep.run import (
    SweepError,
    load_population,
    run_here,
    run_jobs,
    train_job,
    train_missing,
)
from cemrnn.system.leases import hold_leases
from tests.networks import small_config


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def members(jobs):
    return sorted((config.network.n_units, config.seed) for job in jobs for config in job.configs)


@given(st.lists(st.tuples(st.integers(8, 11), st.integers(0, 200)), max_size=120), st.integers(1, 5))
def test_a_plan_holds_every_network_once_and_shards_are_its_parts(networks, count):
    jobs = split_jobs(small_config(seed, n_units=n_units) for n_units, seed in networks)
    assert members(jobs) == sorted(set(networks))
    for job in jobs:
        assert len({config.shape for config in job.configs}) == 1
        assert len(job.configs) <= LARGEST_JOB
    costs = [job.work for job in jobs]
    assert costs == sorted(costs, reverse=True)
    shards = [take_shard(jobs, index, count) for index in range(1, count + 1)]
    assert members(sum(shards, start=[])) == members(jobs)


def test_long_trainings_share_a_job_with_few():
    short, long = (
        split_jobs([small_config(seed, n_updates=n_updates) for seed in range(40)]) for n_updates in (20, 10**6)
    )
    assert {len(job.configs) for job in short} == {20}  # two jobs, not one of 32 and one of 8
    assert {len(job.configs) for job in long} == {SMALLEST_JOB}


def test_jobs_are_the_same_whatever_the_store_holds(store):
    configs = [small_config(seed) for seed in range(50)]
    jobs = split_jobs(configs)
    train_missing(jobs[1].configs[:3], store)
    assert keep_missing(jobs, store) == [jobs[0], Job(jobs[1].configs[3:])]


@pytest.mark.parametrize("index", [0, 4])
def test_a_shard_that_is_not_there_is_refused(index):
    with pytest.raises(ValueError, match=rf"^shard: expected 1/3 to 3/3, got {index}/3"):
        take_shard([], index, 3)


def test_the_announcement_counts_what_is_missing_and_what_it_costs():
    jobs = [Job((small_config(),) * 4)] * 2
    text = announce(jobs, [7200.0, 3600.0], 1240, 2)
    assert text == "training: 8 of 1,240 networks missing, at most about 3.0 core-hours; 2 cores: 2.0 h"
    # more cores than jobs are of no use
    assert announce(jobs, [7200.0, 7200.0], 1240, 16).endswith("16 cores: 2.0 h")
    assert announce(jobs, [], 1240, 2) == "training: 8 of 1,240 networks missing"
    assert announce([], [], 12, 2) == "training: all 12 networks are in the store, nothing to do"


def test_the_table_has_a_row_per_shape():
    small, large = (Job(tuple(small_config(s, n_units=n) for s in range(3))) for n in (8, 20))
    lines = tabulate([large, small], [Job(small.configs[:2])], [7200.0], lambda config: config.label).splitlines()
    assert [line.split("K = 2")[0].strip() for line in lines[1:]] == ["excitability, N = 20,", "excitability, N = 8,"]
    assert lines[1].split("K = 2")[1].split()[:3] == ["0", "3", "-"]
    assert lines[2].split("K = 2")[1].split()[:4] == ["2", "1", "2.0", "core-hours"]


def test_the_rows_can_be_those_of_figures_that_share_a_job():
    job = Job(tuple(small_config(s) for s in range(4)))
    lines = tabulate([job], [job], [400.0], lambda config: "fig1" if config.seed == 0 else "fig2").splitlines()
    assert [line.split()[:5] for line in lines[1:]] == [
        ["fig1", "1", "0", "2", "core-min"],
        ["fig2", "3", "0", "5", "core-min"],
    ]


def test_a_lease_is_held_once_and_leaves_no_file(tmp_path):
    paths = [tmp_path / "folder" / name for name in "abc"]
    with hold_leases(paths[:2]) as first, hold_leases(paths) as second:
        assert (first, second) == ([True, True], [False, False, True])
    with hold_leases(paths) as third:
        assert third == [True, True, True]
    assert os.listdir(tmp_path / "folder") == []


def test_a_sweep_trains_what_is_missing_and_nothing_else(store):
    small, large = [small_config(s) for s in range(2)], [small_config(0, n_units=20)]
    assert train_missing(small[:1], store) == 1
    seen: list[SweepProgress] = []
    assert train_missing([*small, *large, *small], store, report=seen.append) == 2
    assert seen[-1].work_done == pytest.approx(seen[-1].work_total)
    assert [p.work_done for p in seen] == sorted(p.work_done for p in seen)
    assert (seen[-1].n_done, seen[-1].n_total) == (2, 2)
    assert train_missing([*small, *large], store) == 0
    assert not any(store.root.glob("checkpoints/*"))


def test_networks_that_another_process_trains_are_left_to_it(store):
    configs = [small_config(seed) for seed in range(3)]
    lease = store.lease(configs[1])
    with hold_leases([lease]):
        assert train_job(configs, store.root, device="cpu") == (2, (configs[1],))
    assert [store.load(config) is None for config in configs] == [False, True, False]


def test_a_sweep_waits_for_what_another_trains_and_takes_over_when_it_ends(store, monkeypatch, caplog):
    configs = [small_config(seed) for seed in range(2)]
    held = hold_leases([store.lease(configs[0])])
    held.__enter__()
    waits = []

    def end_the_other(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            held.__exit__(None, None, None)

    monkeypatch.setattr(sweep.time, "sleep", end_the_other)
    monkeypatch.setattr(sweep, "QUIET_S", 0.0)
    assert train_missing(configs, store) == 2
    assert waits == [sweep.LEASE_POLL_S] * 3
    assert caplog.messages == ["another sweep trains what is left; waiting; Ctrl-C keeps what is there"] * 2


def test_a_failing_job_is_told_when_the_others_are_done(store, monkeypatch):
    jobs = split_jobs([small_config(0, n_units=20), small_config(0), small_config(1)])
    train = sweep.train

    def fail_for_large(configs, **others):
        if configs[0].network.n_units == 20:
            raise RuntimeError("not today")
        return train(configs, **others)

    monkeypatch.setattr(sweep, "train", fail_for_large)
    expected = (
        r"^not trained: excitability, N = 20, K = 2, seeds 0 \(RuntimeError: not today\); "
        r"the rest is kept: 2/3 networks saved$"
    )
    with pytest.raises(SweepError, match=expected) as caught:
        run_jobs(jobs, run_here(store, "cpu"), store)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_loaded_population_holds_the_trained_weights(store):
    configs = [small_config(seed) for seed in range(2)]
    population, networks = load_population(configs, store)
    assert population.n_networks == 2
    for m, network in enumerate(networks):
        assert torch.equal(population.flat[m], network.flat)
        assert torch.equal(population.parameters["recurrent"][m].flatten(), network.flat[: 16 * 16])
