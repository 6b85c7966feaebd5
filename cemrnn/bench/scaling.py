"""Time and peak memory of an update against every size, one varied at a time, and the exponents that fit."""

from __future__ import annotations

import ctypes
import dataclasses
import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
from scipy import stats

from cemrnn.bench.engine import own_turns
from cemrnn.bench.peers import Case, build_ours
from cemrnn.bench.rows import Bench, take_turns

BASE = Case("combined", "relu", n_units=64, n_networks=16, n_trials=64, n_steps=60, n_contexts=8, rank=8)
SIZES: dict[str, tuple[int, ...]] = {
    "n_units": (16, 32, 64, 128, 256),
    "n_contexts": (2, 8, 32, 128),
    "n_networks": (1, 4, 16, 64),
    "n_steps": (15, 30, 60, 120, 240),
    "n_trials": (16, 32, 64, 128, 256),
    "rank": (2, 8, 16, 32),
}
SMALLEST = Case("combined", "relu", n_units=4, n_networks=1, n_trials=2, n_steps=2)
CONFIDENCE = 0.95
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Point(TypedDict):
    """One size; memory is what the process needed beyond its start, None where the system does not tell."""

    size: str
    value: int
    seconds: float
    bytes_per_network: float | None


class Exponent(NamedTuple):
    """Slope of log(y) on log(x), with its interval."""

    slope: float
    low: float
    high: float


def measure_scaling(bench: Bench) -> list[Point]:
    """A point per size and value, each in a fresh process, so that its peak of memory is its own."""
    build_ours(SMALLEST)()  # kernels that had to be compiled in a measured process would hide its memory
    points = []
    for size, values in SIZES.items():
        for value in values:
            case = dataclasses.replace(BASE, **{size: value})
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                seconds, peak = process.submit(measure_case, case, bench.n_repeats, bench.turn_s).result()
            per_network = None if peak is None else peak / case.n_networks
            points.append(Point(size=size, value=value, seconds=seconds, bytes_per_network=per_network))
        mine = [point for point in points if point["size"] == size]
        for quantity in ("seconds", "bytes_per_network"):
            bench.say(f"{size:<12} {quantity:<18} {describe_exponent(mine, quantity)}")
    return points


def measure_case(case: Case, n_repeats: int, turn_s: float) -> tuple[float, int | None]:
    """Seconds of one update, and bytes at the peak beyond those of a process that made the smallest update."""
    build_ours(SMALLEST)()
    forget_peak()
    before = peak_bytes()
    turns = own_turns(build_ours(case))
    seconds = take_turns({"ours": turns}, n_repeats, turn_s)["ours"]
    after = peak_bytes()
    return seconds, None if before is None or after is None else after - before


def peak_bytes() -> int | None:
    """Most memory that this process has held so far; None where the system is not Linux.

    The high-water mark of the status file: getrusage begins with that of the process that started this one.
    """
    if not STATUS.exists():
        return None
    lines = STATUS.read_text(encoding="ascii").splitlines()
    kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return 1024 * kibibytes


def forget_peak() -> None:
    """Nothing; memory that was freed goes back to the system, and the peak is counted from now on (Linux only)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if FORGET.exists() else None
    if trim is not None:
        trim(0)
        FORGET.write_text("5", encoding="ascii")  # proc(5): resets the high-water mark


def fit_exponent(x: Sequence[float], y: Sequence[float]) -> Exponent:
    """Exponent of y = c x^slope by least squares on logarithms, with Student's 95 % interval.

    Args:
        x, y: three points or more, positive.

    Raises:
        ValueError: there are fewer.
    """
    if len(x) < 3:
        raise ValueError(f"x: expected three points or more, got {len(x)}")
    u, v = np.log(x), np.log(y)
    spread = np.sum((u - u.mean()) ** 2)
    slope = np.sum((u - u.mean()) * (v - v.mean())) / spread
    residual = v - v.mean() - slope * (u - u.mean())
    error = math.sqrt(np.sum(residual**2) / (len(x) - 2) / spread)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(x) - 2) * error
    return Exponent(float(slope), float(slope - half), float(slope + half))


def describe_exponent(points: list[Point], quantity: str) -> str:
    """The exponent of a quantity over the points of one size, with its interval, as text."""
    known = [point for point in points if point[quantity] is not None and point[quantity] > 0]
    if len(known) < 3:
        return "not measured"
    e = fit_exponent([point["value"] for point in known], [point[quantity] for point in known])
    return f"{e.slope:.2f} [{e.low:.2f}, {e.high:.2f}]"
