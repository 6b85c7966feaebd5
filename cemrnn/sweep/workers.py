"""Sweeps on worker processes, one per core and card of this machine: one that dies is replaced, none outlives it."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import queue
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from cemrnn.store.store import Store
from cemrnn.sweep.jobs import Job
from cemrnn.sweep.places import CORE, Prices, choose_job, describe_prices, price_jobs
from cemrnn.sweep.run import Executor, Outcome, Watch, WorkerDied, run_here, throttle, train_job
from cemrnn.system.interrupts import deferred_interrupt
from cemrnn.training.train import Progress, TrainingInterrupted

log = logging.getLogger(__name__)
CONTEXT = multiprocessing.get_context("spawn")
POLL_S = 0.25
BEAT_S = 5.0  # between two signs of life of a worker
QUIET_S = 30.0  # without one, until that is said, and again and again
HEARD_S = 1.5  # for workers to hear that they have to stop
STOP_S = 60.0  # for those that heard it to write their checkpoints
MOST_DEATHS = 4  # of workers on one job, which is at fault itself then
MOST_STARTS = 3  # in a row of workers that die before they take a job: then there will be none


class Worker:
    """A process that trains one job after the other, and what the driver knows of it."""

    def __init__(self, root: Path, place: str) -> None:
        self.place = place
        self.connection, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=serve, args=(theirs, root, place), daemon=True)
        # Ctrl-C reaches a whole group of processes; workers leave it to us to tell them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self.number: int | None = None  # of its job
        self.is_ready = self.has_heard = False
        self.heard_s = self.told_s = time.monotonic()

    def send(self, message: tuple | None) -> None:
        """Tell it something; if it is dead, that is heard when it is listened to."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def receive(self) -> tuple:
        """What it says; ("died", how) if it never will again."""
        try:
            self.heard_s = self.told_s = time.monotonic()
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join(1)
            return "died", f"exit code {self.process.exitcode}"

    def kill(self) -> None:
        """End it, whatever it is doing, even if it is stopped."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def run_on_workers(places: Sequence[str], store: Store) -> Executor:
    """An executor that hands jobs to processes, which write to the store themselves.

    Args:
        places: device of each process, see `cemrnn.sweep.places.list_places`.
        store: where networks go.
    """

    def run(jobs: Sequence[Job], watch: Watch) -> Iterator[Outcome]:
        prices = price_jobs(jobs, places)
        if len(prices) > 1:
            log.warning(describe_prices(prices))
        pool = _Pool(places, store.root.resolve(), dict(enumerate(jobs)), watch, prices)
        with deferred_interrupt() as interrupted:
            try:
                while not pool.is_done():
                    yield from pool.advance()
                    if interrupted():
                        pool.stop()
                        raise TrainingInterrupted
            finally:
                pool.kill()
        numbers = list(pool.waiting)  # no worker can be had
        here = run_here(store, CORE)
        yield from here([jobs[n] for n in numbers], lambda k, where, progress: watch(numbers[k], where, progress))

    return run


class _Pool:
    """Workers, and the numbers of the jobs that wait for one."""

    def __init__(self, places: Sequence[str], root: Path, jobs: dict[int, Job], watch: Watch, prices: Prices) -> None:
        self.places, self.root, self.jobs, self.watch, self.prices = places, root, jobs, watch, prices
        self.workers: list[Worker] = []
        self.waiting, self.deaths, self.n_failed = deque(jobs), Counter(), 0

    def is_done(self) -> bool:
        """Whether nothing is under way any more; what waits even so has to be done without workers."""
        if self.waiting:
            return self.n_failed >= MOST_STARTS and not self.workers
        return all(worker.number is None for worker in self.workers)

    def advance(self) -> Iterator[Outcome]:
        """Start workers, hand out jobs, and yield what became of those that ended in a little while."""
        n_busy = sum(worker.number is not None for worker in self.workers)
        lacking = list((Counter(self.places) - Counter(worker.place for worker in self.workers)).elements())
        n_wanted = min(len(self.places), n_busy + len(self.waiting))
        while len(self.workers) < n_wanted and self.n_failed < MOST_STARTS:
            try:
                self.workers.append(Worker(self.root, lacking.pop(0)))
            except OSError as error:  # no more processes, or no memory for one
                self._count_failure(str(error))
        for worker in self.workers:
            if worker.is_ready and worker.number is None:
                self._hand_out(worker)
        yield from self._listen(POLL_S)
        for worker in self.workers:
            if time.monotonic() - worker.told_s > QUIET_S:
                worker.told_s = time.monotonic()
                who = worker.process.pid, worker.told_s - worker.heard_s
                log.warning("worker %d is silent for %.0f s; waiting; Ctrl-C keeps what is there", *who)

    def _hand_out(self, worker: Worker) -> None:
        number = choose_job(worker.place, self.waiting, [w.place for w in self.workers], self.prices)
        if number is not None:
            self.waiting.remove(number)
            worker.number = number
            worker.send(self.jobs[number].configs)

    def stop(self) -> None:
        """Tell the workers to write checkpoints, and wait for those that hear it."""
        busy = [worker for worker in self.workers if worker.number is not None]
        for worker in busy:
            worker.send(None)
        started_s, is_told = time.monotonic(), False
        while busy and (elapsed_s := time.monotonic() - started_s) < STOP_S:
            list(self._listen(POLL_S))
            busy = [w for w in busy if w in self.workers and w.number is not None]
            if elapsed_s > HEARD_S:
                busy = [worker for worker in busy if worker.has_heard]
                if busy and not is_told:
                    is_told = True
                    log.warning("workers end their update and write checkpoints; Ctrl-C again ends them at once")

    def kill(self) -> None:
        """End all processes."""
        while self.workers:
            self.workers.pop().kill()

    def _listen(self, seconds: float) -> Iterator[Outcome]:
        by_connection = {worker.connection: worker for worker in self.workers}
        for connection in wait(list(by_connection), seconds) if by_connection else ():
            worker = by_connection[connection]
            match worker.receive():
                case ("ready",):
                    worker.is_ready, self.n_failed = True, 0
                case ("heard",):
                    worker.has_heard = True
                case ("progress", where, progress):
                    self.watch(worker.number, where, Progress(**progress))
                case ("ended", result):
                    number, worker.number = worker.number, None
                    yield self._conclude(number, result)
                case ("died", how):
                    yield from self._replace(worker, how)

    def _conclude(self, number: int, result: tuple | Exception) -> Outcome:
        if isinstance(result, OSError):  # the store is full or gone: the others would run into it too
            self.stop()
            raise result
        if isinstance(result, Exception):
            return Outcome(self.jobs[number], error=result)
        return Outcome(self.jobs[number], *result)

    def _replace(self, worker: Worker, how: str) -> Iterator[Outcome]:
        self.workers.remove(worker)
        worker.kill()
        if not worker.is_ready:
            self._count_failure(how)
        if worker.number is None:
            return
        self.deaths[worker.number] += 1
        if self.deaths[worker.number] < MOST_DEATHS:
            self.waiting.appendleft(worker.number)
        else:
            died = WorkerDied(f"{MOST_DEATHS} workers died on it, the last with {how}; is there enough memory?")
            yield Outcome(self.jobs[worker.number], error=died)

    def _count_failure(self, how: str) -> None:
        self.n_failed += 1
        if self.n_failed == MOST_STARTS:
            log.warning("worker processes do not start (%s); this process goes on with those that did, or alone", how)


def serve(connection: Connection, root: Path, place: str) -> None:
    """What a worker does: the jobs that it is sent, until it is told to leave or its driver is gone."""
    torch.set_num_threads(1)
    jobs, leave = queue.SimpleQueue(), threading.Event()
    where = f"{socket.gethostname()}/{os.getpid() if place == CORE else place}"
    lock = threading.Lock()

    def tell(*message) -> None:
        try:
            with lock:
                connection.send(message)
        except OSError:  # the driver is gone, which `_listen` sees as well
            leave.set()

    threading.Thread(target=_listen, args=(connection, jobs, leave, tell), daemon=True).start()
    report = throttle(1.0, lambda progress: tell("progress", where, vars(progress)))
    tell("ready")
    while (configs := jobs.get()) is not None:
        try:
            tell("ended", train_job(configs, root, device=place, report=report, stop=leave.is_set))
        except Exception as error:
            tell("ended", _portable(error))


def _listen(connection: Connection, jobs: queue.SimpleQueue, leave: threading.Event, tell) -> None:
    """Take in jobs and give signs of life; when the driver is gone, let the job write its checkpoint, and end."""
    try:
        while True:
            if not connection.poll(BEAT_S):
                tell("alive")
            elif (configs := connection.recv()) is not None:
                jobs.put(configs)
            else:
                leave.set()
                tell("heard")
    except (EOFError, OSError):
        leave.set()
        jobs.put(None)
        time.sleep(HEARD_S)
        os._exit(1)


def _portable(error: Exception) -> Exception:
    """The error, or what it says: an exception that a library defines may not survive a pipe."""
    known = type(error).__module__ == "builtins" or isinstance(error, TrainingInterrupted)
    return error if known else RuntimeError(f"{type(error).__name__}: {error}")
