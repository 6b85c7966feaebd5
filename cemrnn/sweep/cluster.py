"""Sweeps on the workers of a Dask scheduler that somebody else started. Every wait on it has a bound and a word."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import dask
import torch
from distributed import Client, Future, KilledWorker, get_worker
from distributed.client import FuturesCancelledError
from distributed.comm.addressing import parse_address
from distributed.comm.registry import backends

from cemrnn.store.store import Store
from cemrnn.sweep.jobs import Job
from cemrnn.sweep.run import ConnectionLost, Executor, Outcome, SweepError, Watch, WorkerDied, throttle, train_job
from cemrnn.system.interrupts import deferred_interrupt
from cemrnn.training.recipe import Recipe
from cemrnn.training.train import Progress, TrainingInterrupted

log = logging.getLogger(__name__)
POLL_S, LOOK_S = 0.25, 0.02
REPORTS_PER_S = 100.0  # of all workers together at most: they must not keep the scheduler busy
FILE_S, CONNECT_S = 4.0, 5.0  # for a scheduler to write its file, and to answer
ASK_S = 2.0  # between two questions whether there are workers
QUIET_S = 30.0  # without a worker, until that is said, and again and again
GIVE_UP_S = 1800.0  # without one, until the sweep ends
HEARD_S, CLOSED_S = 1.5, 0.5  # for workers to hear that they have to stop, for the scheduler to hear that we leave
STOP_S = 60.0  # for them to write their checkpoints

# What goes wrong reaches us as an exception; without this the client prints tracebacks beside it.
logging.getLogger("distributed.client").setLevel(logging.CRITICAL)

_stopped: set[str] = set()  # sweeps that this worker was told to leave


def find_scheduler(place: str | Path) -> str:
    """Address of the scheduler in a file that it writes, or the one that is given.

    Raises:
        SweepError: it is no address, or the file holds none and goes on doing so for some seconds.
    """
    if isinstance(place, Path):
        place = _read_address(place.expanduser())
    scheme, _, port = parse_address(place)[0], *place.rpartition(":")[1:]
    if scheme not in backends or not port.isdecimal():
        raise SweepError(f"scheduler: expected an address such as tcp://node1:8786, got {str(place)!r}")
    return place


def _read_address(file: Path) -> str:
    ends_s, got = time.monotonic() + FILE_S, ""
    while time.monotonic() < ends_s:
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            got = error.strerror if isinstance(error, OSError) else "something else"
        time.sleep(POLL_S)
    raise SweepError(f"scheduler file: expected one that `dask scheduler` wrote, got {file}: {got}")


def run_on_cluster(scheduler: str | Path, store: Store) -> Executor:
    """An executor that hands jobs to the workers of a cluster, which write to the store themselves.

    Args:
        scheduler: its address, or the file that it wrote it to.
        store: on a disk that the workers share.
    """

    def run(jobs: Sequence[Job], watch: Watch) -> Iterator[Outcome]:
        with _connect(scheduler) as client, deferred_interrupt() as interrupted:
            sweep, told, guard = uuid.uuid4().hex, queue.SimpleQueue(), _Guard(client)
            while not guard.count_threads():
                if interrupted():
                    raise TrainingInterrupted
                time.sleep(POLL_S)
            client.subscribe_topic(sweep, lambda event: told.put(event[1]))
            tell_every_s = max(1.0, guard.count_threads() / REPORTS_PER_S)
            waiting, futures, suspects = deque(range(len(jobs))), {}, []
            while waiting or futures or suspects:
                # A job that was with a worker that died may have been beside the one that killed it: it gets another
                # chance, alone.
                while waiting or (suspects and not futures):
                    number = waiting.popleft() if waiting else suspects[-1]
                    future = client.submit(
                        _work, number, jobs[number].configs, store.root.resolve(), sweep, tell_every_s,
                        key=f"{sweep}-{number}-{uuid.uuid4().hex}", priority=-number, pure=False,
                    )  # fmt: skip
                    futures[future] = number
                _wait(futures, POLL_S)
                guard.count_threads()
                while not told.empty():
                    number, where, progress = told.get()
                    watch(number, where, Progress(**progress))
                if interrupted():
                    _stop(client, sweep, futures)
                    raise TrainingInterrupted
                for future in [future for future in futures if future.done()]:
                    number, error = futures.pop(future), future.exception()
                    if isinstance(error, OSError):  # the store is full or gone: the others would run into it too
                        _stop(client, sweep, futures)
                        raise error
                    if isinstance(error, KilledWorker) and number not in suspects:
                        suspects.insert(0, number)
                        continue
                    if number in suspects:
                        suspects.remove(number)
                    if isinstance(error, KilledWorker):
                        error = WorkerDied("worker after worker died on it; is there enough memory?")
                    yield Outcome(jobs[number], error=error) if error else Outcome(jobs[number], *future.result())

    return run


class _Guard:
    """Says when nobody works, without ever waiting for an answer."""

    def __init__(self, client: Client) -> None:
        self.client, self.question, self.n_threads = client, None, 0
        self.asked_s = self.worked_s = self.told_s = self.answered_s = time.monotonic()

    def count_threads(self) -> int:
        """Threads of all workers when the scheduler answered last.

        Raises:
            ConnectionLost: there were none for so long that nobody will come.
        """
        now_s = time.monotonic()
        if self.question is None:
            if now_s - self.asked_s > ASK_S or self.n_threads == 0:
                ask, self.asked_s = self.client.scheduler.identity(n_workers=-1), now_s
                self.question = asyncio.run_coroutine_threadsafe(ask, self.client.loop.asyncio_loop)
        elif self.question.done():
            if self.question.exception() is None:
                workers = self.question.result()["workers"]
                self.n_threads, self.answered_s = sum(worker["nthreads"] for worker in workers.values()), now_s
            self.question = None
        if self.n_threads and now_s - self.answered_s < QUIET_S / 2:
            self.worked_s = self.told_s = now_s
        elif now_s - self.told_s > QUIET_S:
            self.told_s, idle_s = now_s, now_s - self.worked_s
            who = "no worker" if now_s - self.answered_s < QUIET_S / 2 else "no answer from the scheduler"
            if idle_s > GIVE_UP_S:
                raise ConnectionLost(f"{who} for {idle_s:.0f} s")
            log.warning("%s for %.0f s; waiting; Ctrl-C keeps what is there", who, idle_s)
        return self.n_threads


@contextlib.contextmanager
def _connect(scheduler: str | Path) -> Iterator[Client]:
    address = find_scheduler(scheduler)
    with dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_S} s"}):
        try:
            client = Client(address, timeout=f"{CONNECT_S} s", set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise SweepError(f"no scheduler answers at {address} ({type(error).__name__})") from None
        try:
            yield client
        finally:
            _try(client.close, CLOSED_S)


def _work(number: int, configs: Sequence[Recipe], root: Path, sweep: str, tell_every_s: float):
    """What a worker does with a job: see `cemrnn.sweep.run.train_job`."""
    worker, where = get_worker(), f"{socket.gethostname()}/{os.getpid()}"
    if not root.is_dir():
        raise FileNotFoundError(2, f"the store is not there on {socket.gethostname()}", str(root))
    torch.set_num_threads(1)
    report = throttle(tell_every_s, lambda progress: worker.log_event(sweep, (number, where, vars(progress))))
    return train_job(configs, root, device="cpu", report=report, stop=lambda: sweep in _stopped)


def _leave(sweep: str) -> None:
    _stopped.add(sweep)


def _wait(futures: Collection[Future], seconds: float, until: Callable[[Iterable[bool]], bool] = any) -> None:
    """Return when any of the futures has ended, or all have, or after some seconds.

    It looks at what the client knows. `distributed.wait` with a timeout leaves a task behind for every future that has
    not ended: a driver that polls with it grew by 2.7 MB a second.

    Raises:
        ConnectionLost: the client lost its scheduler, and them.
    """
    ends_s = time.monotonic() + seconds
    while not until(future.done() for future in futures) and time.monotonic() < ends_s:
        time.sleep(LOOK_S)
    if any(future.status in ("cancelled", "lost") for future in futures):
        raise ConnectionLost("the connection to the scheduler was lost")


def _stop(client: Client, sweep: str, futures: Collection[Future]) -> None:
    """Tell every worker to leave the sweep, and wait until they have written their checkpoints, if all hear it."""
    if futures and _try(lambda: client.run(_leave, sweep), HEARD_S):
        with contextlib.suppress(OSError, ConnectionLost):
            _wait(futures, STOP_S, all)


def _try(call: Callable[[], object], seconds: float) -> bool:
    """Whether a call that may hang for ever ended in time."""

    def run() -> None:
        with contextlib.suppress(OSError, TimeoutError, RuntimeError, ValueError, FuturesCancelledError):
            call()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
