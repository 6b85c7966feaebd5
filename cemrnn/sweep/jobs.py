"""What a sweep has to do: jobs of networks that train together, the longest first, and what they will cost."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cemrnn.store.store import Store
from cemrnn.sweep.cost import core_seconds, entry_bytes
from cemrnn.training.recipe import Recipe

JOB_S = 60.0  # seconds on one core: long beside the scheduler's overhead, short beside a sweep
SMALLEST_JOB, LARGEST_JOB = 4, 32  # networks: an ensemble of fewer or of more is slower per network


@dataclass(frozen=True)
class Job:
    """Networks of one shape that train as one ensemble."""

    configs: tuple[Recipe, ...]

    @property
    def label(self) -> str:
        """Arm and size, for people."""
        return self.configs[0].label

    @functools.cached_property
    def core_seconds(self) -> float:
        """Seconds on one core, at most."""
        return len(self.configs) * core_seconds(self.configs[0], n_together=len(self.configs))


def plan_jobs(configs: Iterable[Recipe]) -> list[Job]:
    """All networks, each once, as jobs, the longest first; those that continue other networks come after all others.

    Which networks share a job depends on the configs alone, not on what the store holds nor on who does the work:
    a checkpoint fits whoever goes on.
    """
    shapes: dict[tuple, list[Recipe]] = {}
    for config in dict.fromkeys(configs):
        shapes.setdefault(config.shape, []).append(config)
    jobs = []
    for shape in shapes.values():
        fitting = round(JOB_S / core_seconds(shape[0], n_together=SMALLEST_JOB))
        size = min(max(fitting, SMALLEST_JOB), LARGEST_JOB)
        n_jobs = -(-len(shape) // size)
        jobs += [Job(tuple(shape[k::n_jobs])) for k in range(n_jobs)]
    return sorted(jobs, key=lambda job: (job.configs[0].start is not None, -job.core_seconds))


def take_shard(jobs: Sequence[Job], index: int, count: int) -> list[Job]:
    """The jobs of one of several machines that share the work without talking to one another.

    Args:
        jobs: what `plan_jobs` returned, the same on every machine.
        index: which machine, from 1.
        count: how many there are.

    Raises:
        ValueError: the index is not between 1 and the count.
    """
    if not 1 <= index <= count:
        raise ValueError(f"shard: expected 1/{count} to {count}/{count}, got {index}/{count}")
    return list(jobs[index - 1 :: count])


def keep_missing(jobs: Iterable[Job], store: Store) -> list[Job]:
    """The jobs with what the store lacks of them; a damaged entry counts as lacking."""
    lacking = (tuple(config for config in job.configs if store.load(config) is None) for job in jobs)
    return [Job(configs) for configs in lacking if configs]


def announce(missing: Sequence[Job], n_total: int, n_workers: int) -> str:
    """One line: how many networks are missing, and what they will cost at most.

    Args:
        missing: jobs to do.
        n_total: networks, those in the store included.
        n_workers: cores that will work.
    """
    n_missing = sum(len(job.configs) for job in missing)
    if n_missing == 0:
        return f"training: all {n_total:,} networks are in the store, nothing to do"
    seconds = sum(job.core_seconds for job in missing)
    cores = "1 core" if n_workers == 1 else f"{n_workers:,} cores"
    each = seconds / min(n_workers, len(missing)) if n_workers > 1 else seconds
    return (
        f"training: {n_missing:,} of {n_total:,} networks missing, at most about {_duration(seconds, 'core-')}; "
        f"{cores}: {_duration(max(each, missing[0].core_seconds))}"
    )


def tabulate(jobs: Sequence[Job], missing: Sequence[Job]) -> str:
    """A row per shape: networks in the store and missing, time and bytes that the missing will take."""
    lines = [f"{'shape':<34}{'missing':>8}{'there':>8}{'core time':>16}{'store':>10}"]
    shapes: dict[tuple, list[Job]] = {}
    for job in jobs:
        shapes.setdefault(job.configs[0].shape, []).append(job)
    lacking: dict[tuple, list[Job]] = {}
    for job in missing:
        lacking.setdefault(job.configs[0].shape, []).append(job)
    for shape, members in shapes.items():
        absent = lacking.get(shape, [])
        n_missing, n_all = (sum(len(job.configs) for job in group) for group in (absent, members))
        time = _duration(sum(job.core_seconds for job in absent), "core-") if absent else "-"
        size = f"{n_missing * entry_bytes(members[0].configs[0]) / 1e6:.1f} MB"
        lines.append(f"{members[0].label:<34}{n_missing:>8,}{n_all - n_missing:>8,}{time:>16}{size:>10}")
    return "\n".join(lines)


def _duration(seconds: float, prefix: str = "") -> str:
    if seconds < 100:
        return f"{seconds:.0f} {prefix}s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} {prefix}min"
    plural = "hours" if prefix else "h"
    return f"{seconds / 3600:.1f} {prefix}{plural}"
