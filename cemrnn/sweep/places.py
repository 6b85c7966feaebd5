"""Where jobs train: on the cores of this machine, on its CUDA cards, or on both, each job where that helps most."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch

from cemrnn.sweep.cost import estimate_seconds
from cemrnn.sweep.jobs import Job

CORE, CARD = "cpu", "cuda"  # kinds of places
Prices = Mapping[str, Sequence[float]]  # kind -> seconds of every job on one place of that kind


def list_places(device: str, n_cores: int) -> list[str]:
    """A device for every worker: "cpu" for a core, "cuda:0" for a card.

    A card's worker keeps a core busy, which draws its trials.

    Args:
        device: "cpu", "cuda" or "auto", which is both if there is a card.
        n_cores: that may work.
    """
    cards = [] if device == CORE else [f"{CARD}:{i}" for i in range(torch.cuda.device_count())]
    return cards + [CORE] * (0 if device == CARD else max(n_cores - len(cards), 0))


def price_jobs(jobs: Sequence[Job], places: Collection[str]) -> Prices:
    """Seconds of every job on each kind of place, from timed updates; with one kind its work, and nothing is timed."""
    kinds = dict.fromkeys(map(kind_of, places))
    if len(kinds) < 2:
        return {kind: [job.work for job in jobs] for kind in kinds}
    return {kind: estimate_seconds([job.configs for job in jobs], kind) for kind in kinds}


def kind_of(place: str) -> str:
    """What is known of the speed of a place."""
    return place.partition(":")[0]


def describe_prices(prices: Prices) -> str:
    """One line: how much faster than a core a card is, and what follows."""
    ratios = sorted(core / card for core, card in zip(prices[CORE], prices[CARD], strict=True))
    middle = ratios[len(ratios) // 2]
    spread = f"{ratios[0]:.2g} to {ratios[-1]:.2g} times as fast as a core, {middle:.2g} in the middle"
    return f"device auto: a card is {spread} on these jobs, measured; those where it gains most go there"


def choose_job(place: str, waiting: Sequence[int], places: Collection[str], prices: Prices) -> int | None:
    """The job that a free worker takes, or None if the others are done sooner without its help.

    With one kind of place that is the first. Otherwise cards take jobs from one end, where a card gains most, and
    cores from the other, and nobody takes one that takes longer than all that waits would take the others.

    Args:
        place: of the worker.
        waiting: numbers of jobs that nobody has, in the order of the sweep.
        places: of all workers that live.
        prices: see `price_jobs`.
    """
    ours, others = kind_of(place), [other for other in places if kind_of(other) != kind_of(place)]
    if not others:
        return waiting[0] if waiting else None
    theirs = kind_of(others[0])
    number = max(waiting, key=lambda n: prices[theirs][n] / prices[ours][n], default=None)
    if number is None:
        return None
    alone = [prices[theirs][n] for n in waiting]
    return number if prices[ours][number] <= max(*alone, sum(alone) / len(others)) else None
