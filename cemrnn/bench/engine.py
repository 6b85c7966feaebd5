"""The engine against its peers: medians of interleaved repeats, in one run, as rows."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import TypedDict

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
        times: dict[str, list[float]] = {name: [] for name in calls}
        for repeat in range(n_repeats + 1):
            for name, call in calls.items():
                seconds = time_call(call)
                if repeat:
                    times[name].append(seconds)
        median = {name: statistics.median(values) for name, values in times.items()}
        ours_s = median.pop("ours")
        label = f"{case.arm}, {case.activation}, N = {case.n_units}, M = {case.n_networks}"
        for name, peer_s in median.items():
            goal = GOALS.get((name, case.n_units))
            yield Row(case=label, peer=name, ours_s=ours_s, peer_s=peer_s, ratio=peer_s / ours_s, goal=goal)
