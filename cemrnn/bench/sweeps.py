"""Sweeps: how well workers are used, against one thread and against threads that share an ensemble."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from distributed import Client, LocalCluster

from cemrnn.bench.rows import Bench, Row, make_row
from cemrnn.network.config import NetworkConfig
from cemrnn.store.store import Store
from cemrnn.sweep.cluster import run_on_cluster
from cemrnn.sweep.jobs import Job
from cemrnn.sweep.run import Executor, run_here, run_jobs
from cemrnn.system.threads import limit_threads
from cemrnn.tasks import CORE_TASKS, TaskSet
from cemrnn.training.config import TrainingConfig

N_WORKERS = 2
EFFICIENCY = 0.9  # goal: of the time of the workers, how much a single process would have needed
N_ENSEMBLES, N_TOGETHER, N_UPDATES = 8, 6, 250  # as the profile `quick` has them, for fewer updates
TASKS = TaskSet(names=CORE_TASKS, preset="fast")

ExecuteOn = Callable[[Store], Executor]


def compare_sweeps(bench: Bench) -> list[Row]:
    """Rows of the same sweep on one worker, and on two, in the seconds of all workers together."""
    n_networks, rows = N_ENSEMBLES * N_TOGETHER, []
    with limit_threads(1):
        serial_s = _time_sweep(_run_here)
    threads_s = _time_sweep(_run_here)
    for n_workers in (1, N_WORKERS):
        with _running_cluster(n_workers) as execute_on:
            seconds = _time_sweep(execute_on)
        case = f"{n_networks} networks, {n_workers} worker{'s' * (n_workers > 1)}"
        rows.append(bench.report(make_row(case, "one thread, no scheduler", n_workers * seconds, serial_s, EFFICIENCY)))
    return [*rows, bench.report(make_row(case, "threads within an ensemble", seconds, threads_s))]


def _run_here(store: Store) -> Executor:
    return run_here(store, "cpu")


def _time_sweep(execute_on: ExecuteOn) -> float:
    jobs = [Job(tuple(_config(N_TOGETHER * k + m, N_UPDATES) for m in range(N_TOGETHER))) for k in range(N_ENSEMBLES)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run_jobs([Job((_config(999, 3),))], execute_on(store), store)  # loads kernels
        started_s = time.perf_counter()
        run_jobs(jobs, execute_on(store), store)
        return time.perf_counter() - started_s


@contextlib.contextmanager
def _running_cluster(n_workers: int) -> Iterator[ExecuteOn]:
    """Executors on a cluster that is running, and whose workers have loaded their kernels."""
    cluster = LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=None, silence_logs=50, memory_limit=0
    )
    with cluster, Client(cluster) as client, tempfile.TemporaryDirectory() as folder:
        there = client.scheduler.address
        store = Store(Path(folder))
        run_jobs([Job((_config(seed, 3),)) for seed in range(4 * n_workers)], run_on_cluster(there, store), store)
        yield lambda store: run_on_cluster(there, store)


def _config(seed: int, n_updates: int) -> TrainingConfig:
    network = NetworkConfig(
        arm="combined", n_units=64, rank=4, n_contexts=TASKS.n_contexts, n_inputs=TASKS.n_inputs,
        n_outputs=TASKS.n_outputs, dt_ms=TASKS.dt_ms, tau_ms=TASKS.tau_ms,
    )  # fmt: skip
    return TrainingConfig(
        network=network, tasks=TASKS, n_updates=n_updates, batch_trials=64, learning_rate=0.005,
        evaluate_every=min(n_updates, 100), evaluation_trials=20, seed=seed,
    )  # fmt: skip
