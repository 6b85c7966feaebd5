"""Evidence for the ledger: an estimate from all replicates, and again from each of two disjoint sets of seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # the ledger is computed without what is compiled
    from cemrnn.measures.intervals import Interval

SEED_SETS = ("first", "second")
S = TypeVar("S", bound=Sequence)


def weigh(measure: str, estimate: Callable[..., Interval], *samples: S) -> dict[str, float | int]:
    """The scalars of a measure: over all replicates, and over the first and the second half of them.

    Args:
        measure: its name; those of the halves end in `_first` and `_second`.
        estimate: samples -> Interval of one number.
        samples: one per arm or condition, with the replicate on axis 0; anything that can be sliced.

    Returns:
        The entries of `Interval.to_scalars`, three times.
    """
    scalars = estimate(*samples).to_scalars(measure)
    for name, part in zip(SEED_SETS, (_first_half, _second_half), strict=True):
        scalars |= estimate(*map(part, samples)).to_scalars(f"{measure}_{name}")
    return scalars


def _first_half(sample: S) -> S:
    return sample[: len(sample) // 2]


def _second_half(sample: S) -> S:
    return sample[len(sample) // 2 :]
