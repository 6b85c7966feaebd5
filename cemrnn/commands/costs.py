"""What a sweep would cost, by figure: networks, core-hours, hours on this machine and its GPU, and GiB."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cemrnn.config import natural_order
from cemrnn.sweep.cost import entry_bytes, time_work
from cemrnn.sweep.jobs import Job
from cemrnn.training.recipe import Recipe

ALL = "all"  # name of the last row
TINY = 0.001  # hours or GiB that nobody plans for
LONGEST_NUMBER = len("0.0012")  # as it is written where the head of a column is shorter


@dataclass
class Cost:
    """What the networks of a figure cost.

    Attributes:
        networks: all of them.
        missing: those that the store lacks.
        core_hours: of the missing ones, at most.
        gib: of their files.
        gpu_share: seconds on the GPU for each of a core; None where no GPU was timed.
    """

    networks: int = 0
    missing: int = 0
    core_hours: float = 0.0
    gib: float = 0.0
    gpu_share: float | None = None


def count_costs(
    figures: Mapping[Recipe, str],
    jobs: Sequence[Job],
    missing: Sequence[Job],
    seconds: Sequence[float],
    compare: Callable[[Job], float] | None = None,
) -> dict[str, Cost]:
    """Figure -> cost of the networks that it is the first to need, in the order of figures.

    Args:
        figures: network -> the figure that needs it first.
        jobs: all.
        missing: those of them to do.
        seconds: of each missing one on one core, which its networks share.
        compare: seconds on the GPU for each of a core, asked of the largest missing job of every figure.
    """
    costs: dict[str, Cost] = {}
    for job in jobs:
        for config in job.configs:
            costs.setdefault(figures[config], Cost()).networks += 1
    for job, job_s in zip(missing, seconds, strict=True):
        for config in job.configs:
            cost = costs[figures[config]]
            cost.missing += 1
            cost.core_hours += job_s / len(job.configs) / 3600
            cost.gib += entry_bytes(config) / 2**30
    if compare is not None:
        largest = {figures[c]: job for job in sorted(missing, key=lambda job: job.work) for c in job.configs}
        for name, cost in costs.items():
            cost.gpu_share = compare(largest[name]) if name in largest else 0.0
    return {name: costs[name] for name in sorted(costs, key=natural_order)}


def compare_with_gpu(job: Job) -> float:
    """Seconds on the CUDA device for each on one core, in updates of a job that are timed here and now."""
    return time_work(job.configs, "cuda") / time_work(job.configs)


def tabulate_costs(costs: Mapping[str, Cost], n_cores: int, gpu: str) -> str:
    """A row per figure, and one of all.

    Args:
        costs: by figure.
        n_cores: cores that will work.
        gpu: name of the GPU that was timed; "none" where there is none, which a line says.
    """
    heads = ["networks", "missing", "core-hours", f"hours on {n_cores:,} core{'s'[: n_cores > 1]}", "GiB"]
    heads += [] if gpu == "none" else ["hours on one GPU"]
    rows = {name: _list_numbers(cost, n_cores) for name, cost in costs.items()}
    rows[ALL] = [sum(column) for column in zip(*rows.values(), strict=True)]
    widths = [max(len(head), LONGEST_NUMBER) + 3 for head in heads]
    lines = [f"{'':<24}" + "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))]
    for name, numbers in rows.items():
        texts = [f"{numbers[0]:,}", f"{numbers[1]:,}", *map(write_number, numbers[2:])]
        lines.append(f"{name:<24}" + "".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True)))
    about = "not timed, because there is no CUDA device here" if gpu == "none" else (
        f"{gpu}; the largest missing job of a figure was timed on it and on a core"
    )  # fmt: skip
    return "\n".join([*lines, f"GPU: {about}"])


def _list_numbers(cost: Cost, n_cores: int) -> list[float]:
    on_gpu = [] if cost.gpu_share is None else [cost.core_hours * cost.gpu_share]
    return [cost.networks, cost.missing, cost.core_hours, cost.core_hours / n_cores, cost.gib, *on_gpu]


def write_number(value: float) -> str:
    """A number with at least two digits that count, without an exponent, or that it is tiny; "-" for none."""
    if value < TINY:
        return f"<{TINY}" if value else "-"
    return f"{value:,.{max(0, 1 - math.floor(math.log10(value)))}f}"
