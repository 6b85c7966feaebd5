"""What a comparison gives: a row per case and peer, from turns that everybody takes in one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, TypeVar

from cemrnn.system.timing import Turn, time_rounds

AnyRow = TypeVar("AnyRow", "Row", "MemoryRow")


class Row(TypedDict):
    """One comparison; times are medians in seconds, ratio is peer_s / ours_s, goal the least ratio aimed at."""

    case: str
    peer: str
    ours_s: float
    peer_s: float
    ratio: float
    goal: float | None


class MemoryRow(TypedDict):
    """A comparison of memory, in bytes."""

    case: str
    peer: str
    ours_bytes: float
    peer_bytes: float
    ratio: float
    goal: float | None


@dataclass
class Bench:
    """One run of the bench.

    Attributes:
        folder: for environments of peers and for logs, build/bench.
        n_repeats: turns that everybody takes.
        turn_s: least length of a turn.
        say: shows a line to whoever waits.
        pip_arguments: for environments that have to be made.
        left_out: a line for every peer that could not be measured.
    """

    folder: Path
    n_repeats: int
    turn_s: float
    say: Callable[[str], None]
    pip_arguments: Sequence[str] = ()
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, peer: str, reason: object) -> None:
        """Keep, and show once, why a peer has no row."""
        line = f"{peer}: left out, {reason}"
        if line not in self.left_out:
            self.left_out.append(line)
            self.say(line)

    def report(self, row: AnyRow) -> AnyRow:
        """The row, after it was shown."""
        self.say(describe_row(row))
        return row


def make_row(case: str, peer: str, ours_s: float, peer_s: float, goal: float | None = None) -> Row:
    """The row of two measured times."""
    return Row(case=case, peer=peer, ours_s=ours_s, peer_s=peer_s, ratio=peer_s / ours_s, goal=goal)


def make_memory_row(case: str, peer: str, ours_bytes: float, peer_bytes: float, goal: float) -> MemoryRow:
    """The row of two sizes."""
    ratio = peer_bytes / ours_bytes
    return MemoryRow(case=case, peer=peer, ours_bytes=ours_bytes, peer_bytes=peer_bytes, ratio=ratio, goal=goal)


def describe_row(row: Row | MemoryRow) -> str:
    """The row as a line of text."""
    goal = "" if row["goal"] is None else f" (goal {row['goal']:g})"
    ours, theirs, unit = format_amounts(row)
    return f"{row['case']:<42} {row['peer']:<32} {row['ratio']:6.2f} x{goal}, {ours} {unit} against {theirs} {unit}"


def format_amounts(row: Row | MemoryRow) -> tuple[str, str, str]:
    """Ours and the peer's, and the unit of both."""
    if "ours_bytes" in row:
        return f"{row['ours_bytes'] / 2**20:.3g}", f"{row['peer_bytes'] / 2**20:.3g}", "MiB"
    return format_ms(row["ours_s"]), format_ms(row["peer_s"]), "ms"


def format_ms(seconds: float) -> str:
    """Seconds as milliseconds with three digits, or more where there are more before the point."""
    ms = 1e3 * seconds
    return f"{ms:.0f}" if ms >= 1000 else f"{ms:.3g}"


def take_turns(settings: Mapping[str, Sequence[Turn]], n_repeats: int, seconds: float) -> dict[str, float]:
    """Median seconds of each name's work, at the setting that suits it best.

    In the first round everybody tries all settings; the fastest one of each goes on, by turns with the others'.

    Args:
        settings: name -> one turn per setting.
        n_repeats: rounds after the first.
        seconds: least length of a turn.
    """
    best = {name: min(turns, key=lambda turn: turn(seconds)) for name, turns in settings.items()}
    times = time_rounds(best, n_repeats, seconds)
    return {name: statistics.median(values) for name, values in times.items()}
