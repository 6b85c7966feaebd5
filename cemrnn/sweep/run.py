"""Many networks: what the store lacks is trained, here or on a cluster, and nothing is lost."""

from __future__ import annotations

import errno
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from cemrnn.card.recipes import for_card
from cemrnn.network.ensemble import Ensemble
from cemrnn.store.store import Store
from cemrnn.sweep.cost import entry_bytes, find_fastest
from cemrnn.sweep.jobs import Job, keep_missing, split_jobs
from cemrnn.sweep.progress import SweepProgress, show_progress
from cemrnn.system.leases import hold_leases, is_held
from cemrnn.system.resources import format_bytes
from cemrnn.training.learner import TrainedNetwork, choose_device
from cemrnn.training.recipe import Recipe, list_starts
from cemrnn.training.train import Progress, TrainingInterrupted, train

log = logging.getLogger(__name__)
CHECKPOINT_BYTES = 24  # per parameter: weights and two moments in float32, twice while they are written
BLOCKS_BYTES = 4 * 4096  # of an entry: its three files and its folder end within a block of the disk each
FAILURES_TOLD = 3  # jobs
LEASE_POLL_S, QUIET_S = 1.0, 30.0  # between two looks at networks that another sweep trains, and two words on them


class SweepError(Exception):
    """A sweep ended before all networks were trained; the message says why and how many are saved."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job: how many networks it trained, which another sweep trains, or the error that ended it."""

    job: Job
    n_trained: int = 0
    held_elsewhere: tuple[Recipe, ...] = ()
    error: Exception | None = None


# Runs jobs and yields how each ended; reports (number of the job, where it runs, its progress) meanwhile.
Watch = Callable[[int, str, Progress], None]
Executor = Callable[[Sequence[Job], Watch], Iterator[Outcome]]


def train_job(
    configs: Sequence[Recipe],
    root: Path,
    *,
    device: str,
    report: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> tuple[int, tuple[Recipe, ...]]:
    """How many networks were trained, and the configs that another process is training; the store has the others.

    Args:
        configs: of one shape.
        root: folder of the store.
        device: "cpu", a card, or "auto", the faster of both in updates of these networks, if there is a card.
        report, stop: see `cemrnn.training.train.train`.

    Raises:
        TrainingInterrupted: Ctrl-C, or stop; the checkpoint is in the store.
        OSError: the store cannot be written.
    """
    store = Store(root)
    starts = [config.start for config in configs if config.start is not None and store.load(config.start) is None]
    if starts and train_job(starts, root, device=device, report=report, stop=stop)[1]:
        return 0, tuple(configs)  # another process trains what these continue from
    with hold_leases([store.lease(config) for config in configs]) as free:
        held_elsewhere = tuple(config for config, is_free in zip(configs, free, strict=True) if not is_free)
        ours = [config for config, is_free in zip(configs, free, strict=True) if is_free]
        ours = [config for config in ours if store.load(config) is None]  # done by another sweep meanwhile
        if ours:
            checkpoint = store.checkpoint_path(ours)
            with hold_leases([checkpoint.with_suffix(".lease")]):
                bases = [store.load(config.start) for config in ours] if ours[0].start is not None else None
                networks = train(
                    for_card(ours),
                    starts=bases,
                    device=choose_place(ours, device),
                    checkpoint=checkpoint,
                    report=report,
                    stop=stop,
                )
                for config, network in zip(ours, networks, strict=True):
                    store.save(config, network)
                checkpoint.unlink(missing_ok=True)
    return len(ours), held_elsewhere


def choose_place(configs: Sequence[Recipe], device: str) -> str:
    """The device to train networks of one shape on; where there is a choice, a line says what was measured."""
    if device != "auto":
        return device
    if not torch.cuda.is_available():
        return "cpu"
    fastest, seconds = find_fastest(configs, ("cpu", "cuda"))
    told = ", ".join(f"{1000 * s:.2g} ms on {name}" for name, s in seconds.items())
    log.warning("%s: an update of %d networks takes %s; trained on %s", configs[0].label, len(configs), told, fastest)
    return fastest


def throttle(every_s: float, report: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """The report, which is called at once and then so seldom at most."""
    told_s = -math.inf

    def report_seldom(progress: Progress) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= every_s:
            told_s = time.monotonic()
            report(progress)

    return report_seldom


def run_here(store: Store, device: str) -> Executor:
    """An executor that takes one job after the other in this process; compiled functions use all threads."""

    def run(jobs: Sequence[Job], watch: Watch) -> Iterator[Outcome]:
        for number, job in enumerate(jobs):

            def report(progress: Progress, number: int = number) -> None:
                watch(number, "", progress)

            try:
                n_trained, held = train_job(job.configs, store.root, device=device, report=report)
            except (TrainingInterrupted, OSError):
                raise
            except Exception as error:
                yield Outcome(job, error=error)
            else:
                yield Outcome(job, n_trained, held)

    return run


def train_missing(
    configs: Sequence[Recipe],
    store: Store,
    *,
    device: str = "auto",
    report: Callable[[SweepProgress], None] | None = None,
) -> int:
    """Number of networks that were trained because the store lacked them.

    Args:
        configs: any networks; repeated ones are trained once.
        store: where finished networks go, and checkpoints of unfinished ones.
        device: see `train_job`; for training in this process.
        report: called at every evaluation of every ensemble.

    Raises:
        TrainingInterrupted: Ctrl-C; the same call goes on where it stopped.
        SweepError: the store cannot be written, the cluster was lost, or a job failed; the others are done then.
    """
    return run_jobs(keep_missing(split_jobs(configs), store), run_here(store, device), store, report)


def run_jobs(
    jobs: Sequence[Job], execute: Executor, store: Store, report: Callable[[SweepProgress], None] | None = None
) -> int:
    """Number of networks that were trained; see `train_missing`."""
    if not jobs:
        return 0
    tally = _Tally(jobs, report)
    failed: list[Outcome] = []
    try:
        store.check_writable()
        _check_space(jobs, store)
        while jobs:
            waiting: list[Job] = []
            tally.start(jobs)
            for outcome in execute(jobs, tally.watch):
                if outcome.error is not None:
                    failed.append(outcome)
                    continue
                if outcome.held_elsewhere:
                    waiting.append(Job(outcome.held_elsewhere))
                tally.finish(outcome)
            if jobs := keep_missing(waiting, store):
                _await_others(jobs, store)
    except TrainingInterrupted:
        raise TrainingInterrupted(f"interrupted: {tally.saved(store)}; run the same command to resume") from None
    except OSError as error:
        path = f": {error.filename}" if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            lacking = keep_missing([Job(tuple(tally.all))], store)
            path += f"; {store.root} needs {format_bytes(count_bytes_of(lacking))} more"
        raise SweepError(f"{error.strerror or error}{path}; {tally.saved(store)}") from error
    except ConnectionLost as error:
        raise SweepError(f"{error}; {tally.saved(store)}; run the same command to resume") from None
    if failed:
        told = "; ".join(map(_describe_failure, failed[:FAILURES_TOLD]))
        more = f"; and {len(failed) - FAILURES_TOLD} more jobs" if len(failed) > FAILURES_TOLD else ""
        raise SweepError(f"not trained: {told}{more}; the rest is kept: {tally.saved(store)}") from failed[0].error
    return tally.n_trained


def count_bytes_of(jobs: Sequence[Job]) -> float:
    """Bytes that the store needs for the networks of some jobs, and for the checkpoint of the largest, about."""
    entries = sum(entry_bytes(config) + BLOCKS_BYTES for job in jobs for config in job.configs)
    return entries + max(
        (CHECKPOINT_BYTES * c.n_parameters * len(job.configs) for job in jobs for c in job.configs[:1]), default=0
    )


def _await_others(jobs: Sequence[Job], store: Store) -> None:
    """Wait until at least one network is not held by another sweep, nor one that it goes back to."""
    networks, told_s = [config for job in jobs for config in job.configs], time.monotonic() - QUIET_S / 2
    while True:
        time.sleep(LEASE_POLL_S)
        if not all(any(is_held(store.lease(c)) for c in (config, *list_starts(config))) for config in networks):
            return
        if time.monotonic() - told_s > QUIET_S:
            told_s = time.monotonic()
            log.warning("another sweep trains what is left; waiting; Ctrl-C keeps what is there")


def _check_space(jobs: Sequence[Job], store: Store) -> None:
    needed, free = count_bytes_of(jobs), shutil.disk_usage(store.root).free
    if free < needed:
        log.warning("%s: about %s are needed, %s are free", store.root, format_bytes(needed), format_bytes(free))


def _describe_failure(outcome: Outcome) -> str:
    seeds = ", ".join(str(config.seed) for config in outcome.job.configs)
    reason = " ".join(f"{type(outcome.error).__name__}: {outcome.error}".split())
    return f"{outcome.job.label}, seeds {seeds} ({reason})"


class ConnectionLost(Exception):
    """The cluster is gone; the message says how."""


class WorkerDied(Exception):
    """Workers died again and again on one job; the message says how."""


@dataclass
class _Tally:
    """Adds up the progress of jobs."""

    jobs: Sequence[Job]
    report: Callable[[SweepProgress], None] | None
    running: dict[int, tuple[str, float]] = field(default_factory=dict)  # number -> where and what, share done
    work_done: float = 0.0
    n_done: int = 0
    n_trained: int = 0
    worst_score: float = math.nan

    def __post_init__(self) -> None:
        self.n_jobs, self.all = len(self.jobs), [config for job in self.jobs for config in job.configs]
        self.n_total, self.work_total = len(self.all), sum(job.work for job in self.jobs)

    def start(self, jobs: Sequence[Job]) -> None:
        self.jobs, self.running = jobs, {}

    def watch(self, number: int, where: str, progress: Progress) -> None:
        job = self.jobs[number]
        share = 1.0 if progress.n_active == 0 else progress.n_updates / job.configs[0].n_updates
        self.running[number] = (f"{where}: {job.label}" if where else job.label, share)
        self.worst_score = progress.worst_score
        self._tell()

    def finish(self, outcome: Outcome) -> None:
        self.running.pop(self.jobs.index(outcome.job), None)
        n_held = len(outcome.held_elsewhere)
        self.n_done += len(outcome.job.configs) - n_held
        self.n_trained += outcome.n_trained
        self.work_done += outcome.job.work * (1 - n_held / len(outcome.job.configs))
        self._tell()

    def saved(self, store: Store) -> str:
        """How many of the networks are in the store, in words."""
        n_saved = sum(store.load(config) is not None for config in self.all)
        return f"{n_saved}/{self.n_total} networks saved"

    def _tell(self) -> None:
        if self.report is None:
            return
        under_way = sum(share * self.jobs[number].work for number, (_, share) in self.running.items())
        label = "; ".join(text for text, _ in self.running.values()) or "saving"
        work = min(self.work_done + under_way, self.work_total)
        self.report(SweepProgress(label, work, self.work_total, self.n_done, self.n_total, self.worst_score))


def load_population(
    configs: Sequence[Recipe], store: Store, *, device: str = "cpu"
) -> tuple[Ensemble, list[TrainedNetwork]]:
    """An ensemble of trained networks ready to simulate, and their records; missing ones are trained first.

    Training shows its progress, unless a notebook is run for the book.

    Args:
        configs: configs that differ in the seed alone.
        store: where they are, or go.
        device: where the ensemble lives, and missing networks train, see `train_job`; "auto" is a card if there is one.
    """
    place, networks = choose_device(device), [store.load(config) for config in configs]
    if None in networks:
        with show_progress() as report:
            train_missing(configs, store, device=device, report=report)
        networks = [store.load(config) for config in configs]
    population = configs[0].make_ensemble(configs[0].network, [c.seed for c in configs], place)
    for m, network in enumerate(networks):
        population.flat[m] = network.flat
    return population, networks
