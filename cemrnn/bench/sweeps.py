"""Sweeps: how well workers are used, and whether a simulated schedule predicts a sweep of thousands of networks."""

from __future__ import annotations

import contextlib
import heapq
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from distributed import Client, LocalCluster

from cemrnn.bench.rows import Bench, make_row
from cemrnn.network.config import NetworkConfig
from cemrnn.store.inventory import list_entries
from cemrnn.store.store import Store
from cemrnn.sweep.cluster import Cluster, run_on_cluster
from cemrnn.sweep.jobs import Job, keep_missing, plan_jobs
from cemrnn.sweep.run import Executor, run_here, run_jobs
from cemrnn.tasks import CORE_TASKS, TaskSet
from cemrnn.training.config import TrainingConfig

N_CORES = 2
EFFICIENCY = 0.9  # goal: of the time of the workers, how much a single process would have needed
N_TINY, N_MANY = 2000, 100_000
MANY_WORKERS = 1000
TASKS = TaskSet(names=CORE_TASKS, preset="fast")


def measure_sweeps(bench: Bench) -> dict[str, Any]:
    """Rows of comparisons, and the facts that a prediction for a large cluster needs."""
    rows = []
    with _one_thread():
        serial_s = _time_sweep(run_here_on, _training_sweep())
    threads_s = _time_sweep(run_here_on, _training_sweep())
    for n_workers in (1, N_CORES):
        with _running_cluster(n_workers) as execute_on:
            seconds = _time_sweep(execute_on, _training_sweep())
            case = f"48 networks, {n_workers} worker{'s' * (n_workers > 1)}"
            rows.append(
                bench.report(make_row(case, "one thread, no scheduler", n_workers * seconds, serial_s, EFFICIENCY))
            )
            if n_workers == N_CORES:
                rows.append(bench.report(make_row(case, "threads within an ensemble", seconds, threads_s)))
                tiny_s, facts = _sweep_tiny(execute_on)
                predicted_s = predict_seconds(_tiny_sweep(), n_workers, facts["save_s"])
                case = f"{N_TINY:,} networks of N = 8, {n_workers} workers"
                rows.append(bench.report(make_row(case, "predicted", tiny_s, predicted_s)))
    return {"rows": rows, "facts": facts | {"many": predict_many(facts["save_s"])}}


def predict_seconds(jobs: Sequence[Job], n_workers: int, save_s: float) -> float:
    """Seconds that a sweep takes if whoever is free takes the longest job that is left.

    Args:
        jobs: the longest first.
        n_workers: of one thread each.
        save_s: seconds to write a network to the store.
    """
    free_s = [0.0] * n_workers
    for job in jobs:
        heapq.heapreplace(free_s, free_s[0] + job.core_seconds + save_s * len(job.configs))
    return max(free_s)


def predict_many(save_s: float) -> dict[str, float]:
    """What 10^5 networks on 1,000 cores would be like, for networks of the size of the profile `quick`."""
    jobs = plan_jobs(_config(seed, 64, n_updates=3000) for seed in range(1000)) * (N_MANY // 1000)
    seconds = predict_seconds(jobs, MANY_WORKERS, save_s)
    total_s = sum(job.core_seconds + save_s * len(job.configs) for job in jobs)
    return {
        "n_networks": N_MANY,
        "n_workers": MANY_WORKERS,
        "n_jobs": len(jobs),
        "hours": seconds / 3600,
        "core_hours": total_s / 3600,
        "efficiency": total_s / (MANY_WORKERS * seconds),
        "jobs_per_s": len(jobs) / seconds,
        "networks_per_s": N_MANY / seconds,
    }


ExecuteOn = Callable[[Store], Executor]


def run_here_on(store: Store) -> Executor:
    """An executor in this process, whose store is only known later."""
    return run_here(store, "cpu")


def _sweep_tiny(execute_on: ExecuteOn) -> tuple[float, dict[str, float]]:
    """Seconds of a sweep of thousands of networks, and what reading and writing its store cost."""
    with tempfile.TemporaryDirectory() as folder:
        store, jobs = Store(Path(folder)), _tiny_sweep()
        started_s = time.perf_counter()
        run_jobs(jobs, execute_on(store), store)
        seconds = time.perf_counter() - started_s
        check_s = _time(lambda: keep_missing(jobs, store)) / N_TINY
        list_s = _time(lambda: list(list_entries(store))) / N_TINY
        configs = jobs[0].configs
        networks = [store.load(config) for config in configs]
        other = Store(Path(folder) / "other")
        save_s = _time(lambda: [other.save(c, n) for c, n in zip(configs, networks, strict=True)]) / len(configs)
        shutil.rmtree(other.root)
        entry_bytes = sum(path.stat().st_size for path in store.root.glob("??/*/*")) / N_TINY
    facts = {"check_s": check_s, "list_s": list_s, "save_s": save_s, "entry_bytes": entry_bytes}
    return seconds, facts | {"submit_s": _time_submission(execute_on.client, jobs)}


def _time_submission(client: Client, jobs: Sequence[Job]) -> float:
    """Seconds per job that the scheduler needs for jobs that do nothing."""
    n_jobs = 2000
    started_s = time.perf_counter()
    futures = [client.submit(len, jobs[k % len(jobs)].configs, pure=False) for k in range(n_jobs)]
    client.gather(futures)
    return (time.perf_counter() - started_s) / n_jobs


def _time(call: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s


def _time_sweep(execute_on: ExecuteOn, jobs: Sequence[Job]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run_jobs(plan_jobs([_config(999, 64, n_updates=3)]), execute_on(store), store)  # loads kernels
        return _time(lambda: run_jobs(jobs, execute_on(store), store))


class _OnCluster:
    """Executors on a cluster that is already running."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(self, store: Store) -> Executor:
        return run_on_cluster(Cluster(scheduler=self.client.scheduler.address), store)


@contextlib.contextmanager
def _running_cluster(n_workers: int) -> Iterator[_OnCluster]:
    cluster = LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=None, silence_logs=50, memory_limit=0
    )
    with cluster, Client(cluster) as client:
        execute_on = _OnCluster(client)
        with tempfile.TemporaryDirectory() as folder:  # every worker loads its kernels before anything is timed
            store = Store(Path(folder))
            run_jobs(
                [Job((_config(seed, 64, n_updates=3),)) for seed in range(4 * n_workers)], execute_on(store), store
            )
        yield execute_on


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _training_sweep() -> list[Job]:
    """Eight ensembles of six networks, as the profile `quick` has them, for fewer updates."""
    return [Job(tuple(_config(6 * k + m, 64, n_updates=250) for m in range(6))) for k in range(8)]


def _tiny_sweep() -> list[Job]:
    return plan_jobs(_config(seed, 8, n_updates=20) for seed in range(N_TINY))


def _config(seed: int, n_units: int, *, n_updates: int) -> TrainingConfig:
    network = NetworkConfig(
        arm="combined", n_units=n_units, rank=4, n_contexts=TASKS.n_contexts, n_inputs=TASKS.n_inputs,
        n_outputs=TASKS.n_outputs, dt_ms=TASKS.dt_ms, tau_ms=TASKS.tau_ms,
    )  # fmt: skip
    return TrainingConfig(
        network=network, tasks=TASKS, n_updates=n_updates, batch_trials=64, learning_rate=0.005,
        evaluate_every=min(n_updates, 100), evaluation_trials=20, seed=seed,
    )  # fmt: skip
