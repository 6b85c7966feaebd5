"""Equal budgets: the size of each arm at which it has as many trained parameters as a reference network."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable

from cemrnn.network.config import NetworkConfig, count_parameters
from cemrnn.network.pathways import ARMS


def match_budget(arm: str, reference: NetworkConfig) -> NetworkConfig:
    """The reference network in another arm, with as many trained parameters as is possible.

    With synaptic components the number of units stays and the rank is chosen; without them the number of units is.
    An arm that is the reference's own keeps its size. `budget_gap` says how near the numbers come: one unit more or
    less is some per cent of a network of few units.

    Args:
        arm: name in `ARMS`.
        reference: whose number of parameters counts.
    """
    if arm == reference.arm:
        return reference
    budget, size_name = count_parameters(reference), ARMS[arm].sized_by
    start = dataclasses.replace(reference, arm=arm, rank=ARMS[arm].rank_of(1))

    def resize(size: int) -> NetworkConfig:
        return dataclasses.replace(start, **{size_name: size})

    sizes = range(1, budget + 1)
    above = bisect.bisect_left(sizes, budget, key=lambda size: count_parameters(resize(size)))
    nearest = map(resize, sizes[max(above - 1, 0) : above + 1])
    return min(nearest, key=lambda c: abs(count_parameters(c) - budget))


def match_size(arm: str, reference: NetworkConfig, match: str) -> NetworkConfig:
    """The reference network in another arm: with as many "parameters", see `match_budget`, or as many "units"."""
    if match == "parameters":
        return match_budget(arm, reference)
    return dataclasses.replace(reference, arm=arm, rank=ARMS[arm].rank_of(reference.rank))


def budget_gap(networks: Iterable[NetworkConfig]) -> float:
    """How far the numbers of trained parameters of some networks are apart: largest over smallest, minus one."""
    counts = [count_parameters(network) for network in networks]
    return max(counts) / min(counts) - 1
