"""Evidence for the ledger: an estimate from all replicates, and again from many halves of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cemrnn.measures.intervals import Interval
from cemrnn.random import stream

N_HALVES = 40
S = TypeVar("S", bound=Sequence)


def weigh(measure: str, estimate: Callable[..., Interval], *samples: S) -> dict[str, Any]:
    """The scalars of a measure, and what random halves of the replicates say of it.

    Args:
        measure: its name.
        estimate: samples -> Interval of one number.
        samples: one per arm or condition, with the replicate on axis 0; anything that an index array selects from.
            Samples of one length are halved alike, so that pairs stay together.

    Returns:
        The entries of `Interval.to_scalars`, and `<measure>_halves`: value, low, high and n of each half.
    """
    generator, halves = stream(0, "halves"), []
    for _ in range(N_HALVES):
        order = {n: generator.permutation(n)[: n // 2] for n in sorted({len(sample) for sample in samples})}
        part = estimate(*(sample[order[len(sample)]] for sample in samples))
        halves.append([float(part.value), float(part.low), float(part.high), int(part.n)])
    return estimate(*samples).to_scalars(measure) | {f"{measure}_halves": halves}
