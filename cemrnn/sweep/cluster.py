"""Sweeps on a Dask cluster: local worker processes of one thread, or a scheduler that somebody else started."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dask
import torch
from distributed import Client, LocalCluster, get_worker, wait
from distributed.client import FuturesCancelledError

from cemrnn.store.store import Store
from cemrnn.sweep.jobs import Job
from cemrnn.sweep.run import ConnectionLost, Executor, Outcome, SweepError, Watch, train_job
from cemrnn.system.interrupts import deferred_interrupt
from cemrnn.training.recipe import Recipe
from cemrnn.training.train import Progress, TrainingInterrupted

POLL_S = 0.25
REPORTS_PER_S = 100.0  # of all workers together at most: they must not keep the scheduler busy
STOP_S = 60.0  # for workers to write their checkpoints
WORKERS_S = 120.0  # until the first worker must be there
# A worker is started again when it dies; a job that kills its worker so often is at fault itself.
SETTINGS = {"distributed.scheduler.allowed-failures": 3, "distributed.comm.timeouts.connect": "10s"}

# What goes wrong reaches us as an exception; without this the client prints tracebacks beside it.
logging.getLogger("distributed.client").setLevel(logging.CRITICAL)

_stopped: set[str] = set()  # sweeps that this worker was told to leave


@dataclass(frozen=True)
class Cluster:
    """Where the work is done: so many local workers, or the scheduler of an address or a file."""

    n_workers: int | None = None
    scheduler: str | None = None
    scheduler_file: Path | None = None


def run_on_cluster(cluster: Cluster, store: Store) -> Executor:
    """An executor that hands jobs to the workers of a cluster, which write to the store themselves."""

    def run(jobs: Sequence[Job], watch: Watch) -> Iterator[Outcome]:
        with dask.config.set(SETTINGS), _connect(cluster) as client, deferred_interrupt() as interrupted:
            sweep, told = uuid.uuid4().hex, queue.SimpleQueue()
            client.subscribe_topic(sweep, lambda event: told.put(event[1]))
            tell_every_s = max(1.0, _count_threads(client) / REPORTS_PER_S)
            futures = {
                client.submit(
                    _work, number, job.configs, store.root.resolve(), sweep, tell_every_s,
                    key=f"{sweep}-{number}", priority=-number, pure=False,
                ): job
                for number, job in enumerate(jobs)
            }  # fmt: skip
            while futures:
                try:
                    wait(list(futures), timeout=POLL_S, return_when="FIRST_COMPLETED")
                except TimeoutError:
                    pass
                except FuturesCancelledError:
                    raise ConnectionLost("the connection to the scheduler was lost") from None
                while not told.empty():
                    number, where, progress = told.get()
                    watch(number, where, Progress(**progress))
                if interrupted():
                    _stop(client, sweep, list(futures))
                    raise TrainingInterrupted
                for future in [future for future in futures if future.done()]:
                    yield _conclude(futures.pop(future), future, client, sweep, list(futures))

    return run


def count_workers(cluster: Cluster) -> int:
    """Threads that will work."""
    if cluster.n_workers is not None:
        return cluster.n_workers
    with _connect(cluster) as client:
        return _count_threads(client)


def _count_threads(client: Client) -> int:
    return sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())


@contextlib.contextmanager
def _connect(cluster: Cluster) -> Iterator[Client]:
    if cluster.n_workers is None:
        try:
            client = Client(address=cluster.scheduler, scheduler_file=cluster.scheduler_file, timeout="10s")
            client.wait_for_workers(1, timeout=WORKERS_S)
        except (OSError, TimeoutError) as error:
            place = cluster.scheduler or cluster.scheduler_file
            raise SweepError(f"no scheduler with workers answers at {place} ({type(error).__name__})") from None
        with client:
            yield client
        return
    # Ctrl-C reaches a whole group of processes; workers leave it to us to tell them.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        local = LocalCluster(
            n_workers=cluster.n_workers, threads_per_worker=1, processes=True, dashboard_address=None,
            silence_logs=50, memory_limit=0,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    with local, Client(local) as client:
        yield client


def _work(number: int, configs: Sequence[Recipe], root: Path, sweep: str, tell_every_s: float):
    """What a worker does with a job: see `cemrnn.sweep.run.train_job`."""
    worker, where = get_worker(), f"{socket.gethostname()}/{os.getpid()}"
    if not root.is_dir():
        raise FileNotFoundError(2, f"the store is not there on {socket.gethostname()}", str(root))
    torch.set_num_threads(1)
    told_s = -tell_every_s

    def report(progress: Progress) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= tell_every_s:
            told_s = time.monotonic()
            worker.log_event(sweep, (number, where, vars(progress)))

    return train_job(configs, root, device="cpu", report=report, stop=lambda: sweep in _stopped)


def _leave(sweep: str) -> None:
    _stopped.add(sweep)


def _stop(client: Client, sweep: str, futures: list) -> None:
    """Tell every worker to leave the sweep, and wait until they have written their checkpoints."""
    with contextlib.suppress(TimeoutError, OSError):
        client.run(_leave, sweep)
        wait(futures, timeout=STOP_S)


def _conclude(job: Job, future, client: Client, sweep: str, others: list) -> Outcome:
    if future.status == "finished":
        return Outcome(job, *future.result())
    error = future.exception()
    if isinstance(error, OSError):  # the store is full or gone: the others would run into it too
        _stop(client, sweep, others)
        raise error
    return Outcome(job, error=error)
