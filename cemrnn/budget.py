"""Equal budgets: the size of each arm at which it has as many trained parameters as a reference network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from cemrnn.model import NetworkConfig, count_parameters
from cemrnn.modulation import ARMS

TOLERANCE = 0.02  # largest relative difference in trained parameters that counts as equal


def match_budget(arm: str, reference: NetworkConfig) -> NetworkConfig:
    """The reference network in another arm, with as many trained parameters within 2 %.

    With a synaptic pathway the number of units stays and the rank is chosen; without one the number of units is.
    An arm that is the reference's own keeps its size.

    Raises:
        ValueError: no size comes within 2 %; the message gives the nearest.
    """
    if arm == reference.arm:
        return reference
    budget = count_parameters(reference)
    nearest = min(_candidates(arm, reference), key=lambda c: abs(count_parameters(c) - budget))
    got = count_parameters(nearest)
    if abs(got - budget) > TOLERANCE * budget:
        raise ValueError(
            f"arm {arm}: expected {budget} trained parameters within {TOLERANCE:.0%}, nearest has {got} "
            f"(N = {nearest.n_units}, R = {nearest.rank})"
        )
    return nearest


def _candidates(arm: str, reference: NetworkConfig) -> Iterable[NetworkConfig]:
    if "synaptic" in ARMS[arm]:
        ranks = range(1, 4 * reference.n_units)
        return (dataclasses.replace(reference, arm=arm, rank=rank) for rank in ranks)
    sizes = range(1, 4 * reference.n_units)
    return (dataclasses.replace(reference, arm=arm, rank=0, n_units=n) for n in sizes)
