"""Equal budgets: the size of each arm at which it has as many trained parameters as a reference network."""

from __future__ import annotations

import bisect
import dataclasses

from cemrnn.network.config import NetworkConfig, count_parameters
from cemrnn.network.pathways import ARMS

TOLERANCE = 0.02  # largest relative difference in trained parameters that counts as equal


def match_budget(arm: str, reference: NetworkConfig, *, tolerance: float = TOLERANCE) -> NetworkConfig:
    """The reference network in another arm, with as many trained parameters within a tolerance.

    With synaptic components the number of units stays and the rank is chosen; without them the number of units is.
    An arm that is the reference's own keeps its size.

    Args:
        arm: name in `ARMS`.
        reference: whose number of parameters counts.
        tolerance: largest relative difference; networks of few units come no nearer than some per cent.

    Raises:
        ValueError: no size comes so near; the message gives the nearest.
    """
    if arm == reference.arm:
        return reference
    budget, size_name = count_parameters(reference), ARMS[arm].sized_by
    start = dataclasses.replace(reference, arm=arm, rank=ARMS[arm].rank_of(1))

    def resize(size: int) -> NetworkConfig:
        return dataclasses.replace(start, **{size_name: size})

    sizes = range(1, budget + 1)
    above = bisect.bisect_left(sizes, budget, key=lambda size: count_parameters(resize(size)))
    nearest = min(map(resize, sizes[max(above - 1, 0) : above + 1]), key=lambda c: abs(count_parameters(c) - budget))
    got = count_parameters(nearest)
    if abs(got - budget) > tolerance * budget:
        raise ValueError(
            f"arm {arm}: expected {budget} trained parameters within {tolerance:.0%}, nearest has {got} "
            f"(N = {nearest.n_units}, R = {nearest.rank})"
        )
    return nearest
