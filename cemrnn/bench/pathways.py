"""What a pathway of modulation costs: one update of each arm against one of the plain network, by turns."""

from __future__ import annotations

import dataclasses

from cemrnn.bench.engine import own_turns
from cemrnn.bench.peers import Case, build_ours
from cemrnn.bench.rows import Bench, Row, make_row, take_turns
from cemrnn.budget import match_budget
from cemrnn.modulation import ARMS

PLAIN = "the plain network"
CASE = Case("plain", "relu", n_units=64, n_networks=16)
SMALLEST_RATIO = 0.8  # an arm may take 1.25 times as long as the plain network of as many units


def compare_pathways(bench: Bench) -> list[Row]:
    """A row per arm at the plain network's number of units, then one at its number of parameters."""
    equal_units = {arm: dataclasses.replace(CASE, arm=arm) for arm in ARMS}
    reference = dataclasses.replace(CASE, arm="combined").network
    matched = {arm: match_budget(arm, reference) for arm in ARMS}
    equal_budget = {
        arm: dataclasses.replace(CASE, arm=arm, n_units=network.n_units, rank=network.rank)
        for arm, network in matched.items()
    }
    rows = _compare(equal_units, "equal N", SMALLEST_RATIO, bench)
    return rows + _compare(equal_budget, "equal parameters", None, bench)


def _compare(cases: dict[str, Case], condition: str, goal: float | None, bench: Bench) -> list[Row]:
    seconds = take_turns(
        {arm: own_turns(build_ours(case)) for arm, case in cases.items()}, bench.n_repeats, bench.turn_s
    )
    rows = []
    for arm, case in cases.items():
        if arm != "plain":
            label = f"{arm}, {condition}, N = {case.n_units}" + (f", R = {case.rank}" if case.network.rank else "")
            rows.append(bench.report(make_row(label, PLAIN, seconds[arm], seconds["plain"], goal)))
    return rows
