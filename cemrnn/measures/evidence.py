"""Evidence for the ledger: an estimate from all replicates, and again from each of two disjoint sets of seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cemrnn.measures.intervals import Interval

SEED_SETS = ("first", "second")


def weigh(measure: str, estimate: Callable[..., Interval], *samples: Sequence) -> dict[str, float | int]:
    """The scalars of a measure: over all replicates, and over the first and the second half of them.

    Args:
        measure: its name; those of the halves end in `_first` and `_second`.
        estimate: samples -> Interval of one number.
        samples: one per arm or condition, with the replicate on axis 0; anything that can be sliced.

    Returns:
        The entries of `Interval.to_scalars`, three times.
    """
    scalars = estimate(*samples).to_scalars(measure)
    halves = zip(*((sample[: len(sample) // 2], sample[len(sample) // 2 :]) for sample in samples), strict=True)
    for name, half in zip(SEED_SETS, halves, strict=True):
        scalars |= estimate(*half).to_scalars(f"{measure}_{name}")
    return scalars
