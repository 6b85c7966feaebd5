"""Time by turns: everybody works for a little while, round after round, so that what slows the machine slows all.

Standard library alone: workers of the bench import this in environments that lack everything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Turn = Callable[[float], float]  # works at least so many seconds, gives the mean seconds of one piece of work
Name = TypeVar("Name", bound=Hashable)


def time_turn(call: Callable[[], object], seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Mean seconds of a call, over calls that take at least this long together, after one that is not timed.

    Args:
        call: one piece of work.
        seconds: least length of the turn.
        clock: wall time, or `time.process_time` for work on one thread, which other programs disturb less.
    """
    call()
    started, n_calls = clock(), 0
    while n_calls == 0 or clock() - started < seconds:
        call()
        n_calls += 1
    return (clock() - started) / n_calls


def time_rounds(turns: Mapping[Name, Turn], n_rounds: int, seconds: float) -> dict[Name, list[float]]:
    """Seconds of everybody's work in every round, in which each takes one turn, in the order of the mapping."""
    times: dict[Name, list[float]] = {name: [] for name in turns}
    for _ in range(n_rounds):
        for name, turn in turns.items():
            times[name].append(turn(seconds))
    return times
