"""The engine against its peers: medians of interleaved repeats, in one run, as rows.

Everybody is timed with one thread and with all of torch's, and the better median counts: small operations under
autograd are several times slower with two threads than with one while idle threads sleep (`cemrnn.process`).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import TypedDict

import torch

from cemrnn.bench.peers import PEERS, Case, build_ours, time_call

CASES = (
    Case("plain", "relu", n_units=64, n_networks=16),
    Case("plain", "tanh", n_units=64, n_networks=16),
    Case("combined", "relu", n_units=64, n_networks=16),
    Case("combined", "tanh", n_units=64, n_networks=16),
    Case("plain", "relu", n_units=128, n_networks=16),
    Case("plain", "relu", n_units=32, n_networks=64),
)
# Smallest ratio (peer's time over ours) that we aim at; the products alone are the machine's limit, a ratio of 1.
GOALS = {
    ("loop per network under autograd", 32): 25.0,
    ("loop per network under autograd", 64): 10.0,
    ("loop per network under autograd", 128): 6.0,
    ("batched products alone", 64): 0.6,
    ("batched products alone", 128): 0.7,
}


class Row(TypedDict):
    """One comparison; times are medians in seconds, ratio is peer_s / ours_s."""

    case: str
    peer: str
    ours_s: float
    peer_s: float
    ratio: float
    goal: float | None


def compare_engine(n_repeats: int) -> Iterator[Row]:
    """A row per case and peer, as soon as the case is measured.

    Args:
        n_repeats: interleaved repeats, after one that warms up.
    """
    for case in CASES:
        calls = {"ours": build_ours(case)} | {name: build(case) for name, build in PEERS.items()}
        calls = {name: call for name, call in calls.items() if call is not None}
        best = _time_interleaved(calls, n_repeats)
        ours_s = best.pop("ours")
        label = f"{case.arm}, {case.activation}, N = {case.n_units}, M = {case.n_networks}"
        for name, peer_s in best.items():
            goal = GOALS.get((name, case.n_units))
            yield Row(case=label, peer=name, ours_s=ours_s, peer_s=peer_s, ratio=peer_s / ours_s, goal=goal)


def _time_interleaved(calls: dict[str, Callable[[], object]], n_repeats: int) -> dict[str, float]:
    """Median seconds of each call, at the number of threads that suits it best."""
    all_threads = torch.get_num_threads()
    thread_counts = sorted({1, all_threads})
    times: dict[tuple[str, int], list[float]] = {(name, n): [] for name in calls for n in thread_counts}
    try:
        for repeat in range(n_repeats + 1):
            for name, n_threads in times:
                torch.set_num_threads(n_threads)
                seconds = time_call(calls[name])
                if repeat:
                    times[name, n_threads].append(seconds)
    finally:
        torch.set_num_threads(all_threads)
    return {name: min(statistics.median(times[name, n]) for n in thread_counts) for name in calls}
