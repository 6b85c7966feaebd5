"""What a pathway of modulation costs: one update of each arm against one of the plain network, by turns."""

from __future__ import annotations

import dataclasses
import itertools

import torch

from cemrnn.bench.engine import own_turns
from cemrnn.bench.peers import Case, build_ours
from cemrnn.bench.rows import Bench, Row, make_row, take_turns
from cemrnn.network.budget import match_budget
from cemrnn.network.config import NetworkConfig
from cemrnn.network.pathways import ARMS
from cemrnn.tasks.sequences import ImageSet
from cemrnn.training.sequences import SequenceConfig

PLAIN = "the plain network"
CASE = Case("plain", "relu", n_units=64, n_networks=16)
SMALLEST_RATIO = 0.8  # an arm may take 1.25 times as long as the plain network of as many units
INFERRED_ARMS = ("bias", "gain", "excitability", "synaptic", "combined")
INFERRED_SOURCES = ("input", "state")
INFERRED = dict(n_units=128, n_networks=4, n_contexts=4, rank=8)
INFERRED_RATIO = 1 / 1.5  # a context that is inferred at each step may take half as long again


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
    return rows + _compare(equal_budget, "equal parameters", None, bench) + compare_inferred(bench)


def compare_inferred(bench: Bench) -> list[Row]:
    """A row per arm and source of a context that is inferred at each step, learning digits by pixels, at equal N."""
    data = ImageSet(source="digits", scan="pixels")
    n_units, n_networks = INFERRED["n_units"], INFERRED["n_networks"]
    learners = {}
    conditions = [("plain", "input"), *itertools.product(INFERRED_ARMS, INFERRED_SOURCES)]
    for arm, source in conditions:
        network = NetworkConfig(
            arm=arm,
            n_units=n_units,
            n_contexts=INFERRED["n_contexts"],
            rank=ARMS[arm].rank_of(INFERRED["rank"]),
            n_inputs=data.n_inputs,
            n_outputs=data.n_outputs,
            sigma_rec=0.0,
            context_source=source,
        )
        settings = dict(network=network, data=data, n_updates=10**9, batch_trials=64, learning_rate=1e-3)
        recipes = [SequenceConfig(seed=seed, **settings) for seed in range(n_networks)]
        learners[arm, source] = SequenceConfig.make_learner(recipes, torch.device("cpu"), None)
    turns = {condition: own_turns(learner.update) for condition, learner in learners.items()}
    seconds = take_turns(turns, bench.n_repeats, bench.turn_s)
    labels = {(arm, source): f"{arm}, inferred from the {source}, N = {n_units}" for arm, source in conditions[1:]}
    return [
        bench.report(make_row(label, PLAIN, seconds[condition], seconds[conditions[0]], INFERRED_RATIO))
        for condition, label in labels.items()
    ]


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
