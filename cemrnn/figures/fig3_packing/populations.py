"""The networks of figure 3 beside packed maps: other families, separate networks, the battery, one more task."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.figures.shared.battery import check_increasing
from cemrnn.figures.shared.packing import (
    MATCHES,
    ROTATIONS,
    SEPARATE,
    MapConfig,
    PackingCell,
    answer,
    late_rise,
)
from cemrnn.measures import packing
from cemrnn.network.config import NetworkConfig, count_context_parameters, count_parameters
from cemrnn.random import stream
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import TaskSet
from cemrnn.training.config import TrainingConfig

BATTERY_RULE = "last36"


@dataclass(frozen=True, kw_only=True)
class PackingConfig(MapConfig):
    """What figure 3 is computed from."""

    separate_pool: int  # networks with one map each, of every size
    battery: tuple[str, ...]  # tasks that random subsets are drawn from
    battery_units: tuple[int, ...]  # units of the combined arm, and of all at equal units, for subsets
    battery_count: int  # tasks in a subset
    battery_replicates: int  # networks per condition that learn a subset
    battery_updates: int  # updates of the weights, at most, for subsets
    battery_learning_rate: float  # of the optimiser, for subsets
    battery_target: float  # score on the worst task at which a subset is learned
    added_updates: int  # updates of the new context, at most, for one more map

    def __post_init__(self) -> None:
        super().__post_init__()
        check_increasing(self, "battery_units", 2)
        if self.battery_count > len(self.battery):
            raise ValueError(f"battery_count: expected at most {len(self.battery)}, got {self.battery_count}")

    def rotation_cells(self) -> list[PackingCell]:
        """The structured family, in the largest networks."""
        cells = itertools.product(self.arms, ["units"], self.units[-1:], self.task_counts, [ROTATIONS])
        return [PackingCell(*cell) for cell in cells]

    def separate_cells(self) -> list[PackingCell]:
        """The cells of separate networks."""
        cells = itertools.product([SEPARATE], MATCHES, self.units, self.task_counts, [self.n_sites])
        return [PackingCell(*cell) for cell in cells]

    def separate_network(self, cell: PackingCell) -> NetworkConfig:
        """The network that learns one of the cell's tasks: its share of the parameters, or of the units."""
        whole = self.network("combined", "parameters", cell.n_units, cell.tasks(self.preset))
        plain = dataclasses.replace(whole, arm="plain", rank=0, n_contexts=1)
        if cell.match == "units":
            return dataclasses.replace(plain, n_units=max(1, cell.n_units // cell.n_tasks))
        share = count_parameters(whole) / cell.n_tasks
        sizes = (dataclasses.replace(plain, n_units=n) for n in range(1, 4 * cell.n_units))
        return min(sizes, key=lambda size: abs(count_parameters(size) - share))

    def separate(self, cell: PackingCell) -> list[TrainingConfig]:
        """The pool of networks with one task each, for a cell."""
        network, tasks = self.separate_network(cell), TaskSet.maps(1, cell.n_sites, preset=self.preset)
        seeds = [self.seed + i for i in range(self.separate_pool)]
        return [self.training(network, tasks, seed, score_rule=cell.rule) for seed in seeds]

    def subset(self, seed: int) -> TaskSet:
        """Random tasks of the battery for the replicate of that seed, the same in every arm and size."""
        chosen = stream(seed, "subset", str(self.battery_count)).choice(
            len(self.battery), self.battery_count, replace=False
        )
        return TaskSet(names=tuple(self.battery[i] for i in sorted(chosen)), preset=self.preset)

    def battery_cells(self) -> list[tuple[str, str, int]]:
        """Arm, reading and units of the networks that learn subsets of the battery."""
        return list(itertools.product(self.arms, MATCHES, self.battery_units))

    def battery_networks(self, arm: str, match: str, n_units: int) -> list[TrainingConfig]:
        """The replicates of an arm on random subsets of the battery, each with its own."""
        changes = dict(n_updates=self.battery_updates, learning_rate=self.battery_learning_rate)
        changes |= dict(score_rule=BATTERY_RULE, target_score=self.battery_target, batch_trials=self.batch_trials)
        seeds = self.seeds[: self.battery_replicates]
        networks = [self.network(arm, match, n_units, self.subset(seed)) for seed in seeds]
        pairs = zip(networks, seeds, strict=True)
        return [self.training(network, self.subset(seed), seed, **changes) for network, seed in pairs]

    def adding_arms(self) -> list[str]:
        """Arms that train something for a new context."""
        tasks = TaskSet.maps(1, self.n_sites, preset=self.preset)
        networks = {arm: self.network(arm, "units", self.units[-1], tasks) for arm in self.arms}
        return [arm for arm, network in networks.items() if count_context_parameters(network)]

    def added(self, arm: str) -> list[TrainingConfig]:
        """The largest networks that learn one more map, by a new context alone, after the middle number of them."""
        cell = PackingCell(arm, "units", self.units[-1], self.middle_count, self.n_sites)
        starts, tasks = self.packed(cell), TaskSet.maps(cell.n_tasks + 1, cell.n_sites, preset=self.preset)
        network = dataclasses.replace(starts[0].network, n_contexts=tasks.n_contexts)
        changes = dict(n_updates=self.added_updates, evaluate_every=10, batch_trials=self.batch_trials)
        changes |= dict(score_rule=cell.rule, schedule="constant", evaluation_trials=100)
        return [self.training(network, tasks, start.seed, start=start, **changes) for start in starts]


def conditions(config: PackingConfig) -> list[TrainingConfig]:
    """Every network that the figure needs, each once."""
    groups = [config.map_conditions()]
    groups += [config.packed(cell) for cell in config.site_cells() + config.rotation_cells()]
    groups += [config.separate(cell) for cell in config.separate_cells()]
    groups += [config.battery_networks(*where) for where in config.battery_cells()]
    groups += [config.added(arm) for arm in config.adding_arms()]
    return list(dict.fromkeys(network for group in groups for network in group))


def measure_separate(config: PackingConfig) -> pd.DataFrame:
    """As many replicates as of the others, each K networks of the pool; columns of `measure_cells`, as far as known."""
    return pd.concat([_measure_separate(cell, config) for cell in config.separate_cells()], ignore_index=True)


def _measure_separate(cell: PackingCell, config: PackingConfig) -> pd.DataFrame:
    trainings = config.separate(cell)
    right, networks = answer(trainings, config, cell.rule)
    drawn = packing.draw_separate(right[:, :, 0], cell.n_tasks, config.n_replicates, seed=config.seed)
    network, accuracy = trainings[0].network, drawn.mean(axis=(1, 2))
    described = {**cell._asdict(), "own_units": network.n_units * cell.n_tasks, "rank": 0}
    described |= {"n_parameters": count_parameters(network) * cell.n_tasks, "network": range(config.n_replicates)}
    measured = {"accuracy": accuracy, "worst": packing.worst_of_halves(drawn)}
    measured["bits"] = packing.bits_stored(accuracy, cell.n_tasks, cell.n_sites)
    rises = [late_rise(trained, config.n_updates, trainings[0].trained_tasks) for trained in networks]
    return pd.DataFrame(described | measured | {"rise": np.nanmean(rises)})


def measure_battery(config: PackingConfig) -> pd.DataFrame:
    """One row per replicate of every size: debiased worst and mean score on its subset, and the subset."""
    rows = []
    for arm, match, n_units in config.battery_cells():
        for m, training in enumerate(config.battery_networks(arm, match, n_units)):
            right, _ = answer([training], config, BATTERY_RULE)
            row = {"arm": arm, "match": match, "n_units": n_units, "network": m, "mean": right.mean()}
            worst = packing.worst_of_halves(right)[0]
            row |= {"worst": worst, "n_parameters": training.n_parameters, "tasks": " ".join(training.tasks.names)}
            rows.append(row)
    return pd.DataFrame(rows)


def measure_added(config: PackingConfig) -> pd.DataFrame:
    """One row per network that got one more map: numbers trained, best score on the new map and the updates it took."""
    rows = []
    for arm in config.adding_arms():
        trainings = config.added(arm)
        _, networks = load_population(trainings, Store.default(), device=config.device)
        for m, network in enumerate(networks):
            scores = network.history[trainings[0].trained_tasks[0]]  # none if the first update failed
            row = {"arm": arm, "network": m, "n_trained": count_context_parameters(trainings[0].network)}
            rows.append(row | {"score": scores.iloc[-1] if len(scores) else np.nan, "n_updates": network.n_updates})
    return pd.DataFrame(rows)
