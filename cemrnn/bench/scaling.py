"""Time and peak memory of an update against every size, one varied at a time, and the exponents that fit."""

from __future__ import annotations

import dataclasses
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TypedDict

from cemrnn.bench.engine import own_turns
from cemrnn.bench.peers import Case, build_ours
from cemrnn.bench.rows import Bench, take_turns
from cemrnn.measures.exponents import fit_exponent
from cemrnn.system.machine import forget_peak, peak_bytes

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


class Point(TypedDict):
    """One size; memory is what the process needed beyond its start, None where the system does not tell."""

    size: str
    value: int
    seconds: float
    bytes_per_network: float | None


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


def describe_exponent(points: list[Point], quantity: str) -> str:
    """The exponent of a quantity over the points of one size, with its interval, as text."""
    known = [point for point in points if point[quantity] is not None and point[quantity] > 0]
    if len(known) < 3:
        return "not measured"
    e = fit_exponent([point["value"] for point in known], [point[quantity] for point in known])
    return f"{e.slope:.2f} [{e.low:.2f}, {e.high:.2f}]"
