"""What a sweep has to do: jobs of networks that train together, the longest first, and what they will cost."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cemrnn.store.store import Store
from cemrnn.sweep.cost import count_work, entry_bytes
from cemrnn.training.recipe import Recipe, list_starts

JOB_WORK = 2e12  # about a minute of one core: long beside the scheduler's overhead, short beside a sweep
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
    def work(self) -> float:
        """Multiplications and additions, at most."""
        return len(self.configs) * count_work(self.configs[0])


def split_jobs(configs: Iterable[Recipe]) -> list[Job]:
    """All networks, each once, as jobs, the longest first; those that continue other networks come after all of these.

    Which networks share a job depends on the configs alone, not on what the store holds nor on who does the work:
    a checkpoint fits whoever goes on.
    """
    shapes: dict[tuple, list[Recipe]] = {}
    for config in dict.fromkeys(configs):
        shapes.setdefault(config.shape, []).append(config)
    jobs = []
    for shape in shapes.values():
        fitting = round(JOB_WORK / count_work(shape[0]))
        size = min(max(fitting, SMALLEST_JOB), LARGEST_JOB)
        n_jobs = -(-len(shape) // size)
        jobs += [Job(tuple(shape[k::n_jobs])) for k in range(n_jobs)]
    return sorted(jobs, key=lambda job: (len(list(list_starts(job.configs[0]))), -job.work))


def take_shard(jobs: Sequence[Job], index: int, count: int) -> list[Job]:
    """The jobs of one of several machines that share the work without talking to one another.

    Args:
        jobs: what `split_jobs` returned, the same on every machine.
        index: which machine, from 1.
        count: how many there are.

    Raises:
        ValueError: the index is not between 1 and the count.
    """
    if count < 1:
        raise ValueError(f"shard: expected 1 or more shares, got {count}")
    if not 1 <= index <= count:
        raise ValueError(f"shard: expected 1/{count} to {count}/{count}, got {index}/{count}")
    return list(jobs[index - 1 :: count])


def keep_missing(jobs: Iterable[Job], store: Store) -> list[Job]:
    """The jobs with what the store lacks of them; a damaged entry counts as lacking."""
    lacking = (tuple(config for config in job.configs if store.load(config) is None) for job in jobs)
    return [Job(configs) for configs in lacking if configs]


def announce(missing: Sequence[Job], seconds: Sequence[float], n_total: int, n_workers: int) -> str:
    """One line: how many networks are missing, and what they will cost at most.

    Args:
        missing: jobs to do.
        seconds: of each on one core; empty if they were not estimated.
        n_total: networks, those in the store included.
        n_workers: cores that will work.
    """
    n_missing = sum(len(job.configs) for job in missing)
    if n_missing == 0:
        return f"training: all {n_total:,} networks are in the store, nothing to do"
    text = f"training: {n_missing:,} of {n_total:,} networks missing"
    if not seconds:
        return text
    cores = "1 core" if n_workers == 1 else f"{n_workers:,} cores"
    each = max(sum(seconds) / min(n_workers, len(missing)), *seconds, 0.0)
    return f"{text}, at most about {_duration(sum(seconds), 'core-')}; {cores}: {_duration(each)}"


def tabulate(
    jobs: Sequence[Job], missing: Sequence[Job], seconds: Sequence[float], name: Callable[[Recipe], str]
) -> str:
    """A row per name: networks in the store and missing, time and bytes that the missing will take.

    Args:
        jobs: all.
        missing: those of them to do.
        seconds: of each missing one on one core.
        name: of the row that a network belongs to, e.g. its shape or its figure.
    """
    lines = [f"{'':<34}{'missing':>8}{'there':>8}{'core time':>16}{'store':>10}"]
    n_all = Counter(name(config) for job in jobs for config in job.configs)
    n_missing, time_s, size = Counter(), Counter(), Counter()
    for job, job_s in zip(missing, seconds, strict=True):
        for config in job.configs:
            n_missing[name(config)] += 1
            time_s[name(config)] += job_s / len(job.configs)
            size[name(config)] += entry_bytes(config)
    for row, n in n_all.items():
        time = _duration(time_s[row], "core-") if n_missing[row] else "-"
        there = n - n_missing[row]
        lines.append(f"{row:<34}{n_missing[row]:>8,}{there:>8,}{time:>16}{size[row] / 1e6:>7.1f} MB")
    return "\n".join(lines)


def _duration(seconds: float, prefix: str = "") -> str:
    if seconds < 100:
        return f"{seconds:.0f} {prefix}s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} {prefix}min"
    plural = "hours" if prefix else "h"
    return f"{seconds / 3600:.1f} {prefix}{plural}"
