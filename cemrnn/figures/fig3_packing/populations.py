"""The networks of figure 3 beside packed rotations: separate ones, subsets of the battery, one more task."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.config import unknown_name
from cemrnn.figures.shared.rotations import RULE, SEPARATE, PackingCondition, RotationConfig, score
from cemrnn.measures.packing import worst_of_separate
from cemrnn.network.config import NetworkConfig, count_context_parameters, count_parameters
from cemrnn.network.pathways import ARMS
from cemrnn.random import stream
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import TaskSet
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import choose_device

BATTERY_RULE = "last36"


@dataclass(frozen=True, kw_only=True)
class PackingConfig(RotationConfig):
    """What figure 3 is computed from."""

    equal_units: tuple[int, ...]  # sizes at which arms are also compared at equal units
    separate_pool: int  # networks with one task each, of every size
    battery: tuple[str, ...]  # tasks that random subsets are drawn from
    battery_arms: tuple[str, ...]  # arms that learn the subsets
    battery_units: tuple[int, ...]  # units of the combined arm, for subsets
    battery_counts: tuple[int, ...]  # tasks in a subset
    battery_updates: int  # updates of the weights, at most, for subsets
    battery_learning_rate: float  # of the optimiser, for subsets
    added_units: int  # size of the networks that get one more task
    added_to: tuple[int, ...]  # how many tasks they have before
    added_updates: int  # updates of the new context, at most

    def __post_init__(self) -> None:
        super().__post_init__()
        for arm in self.battery_arms:
            if arm not in ARMS:
                raise ValueError(unknown_name(arm, ARMS, "arm"))
        for name, values, valid in (
            ("equal_units", self.equal_units, self.units),
            ("added_units", (self.added_units,), self.units),
            ("added_to", self.added_to, self.task_counts),
        ):
            if not set(values) <= set(valid):
                raise ValueError(f"{name}: expected values among {valid}, got {values}")
        if max(self.battery_counts) > len(self.battery):
            raise ValueError(f"battery_counts: expected at most {len(self.battery)}, got {self.battery_counts}")

    def cells(self) -> list[PackingCondition]:
        """All cells of rotations but those of separate networks."""
        at_equal_units = itertools.product(self.arms, ["units"], self.equal_units, self.task_counts)
        return super().cells() + [PackingCondition(*cell) for cell in at_equal_units]

    def separate_cells(self) -> list[PackingCondition]:
        """The cells of separate networks."""
        sizes = [("parameters", n) for n in self.units] + [("units", n) for n in self.equal_units]
        return [PackingCondition(SEPARATE, match, n, k) for match, n in sizes for k in self.task_counts]

    def separate_network(self, cell: PackingCondition) -> NetworkConfig:
        """The network that learns one of the cell's tasks: its share of the parameters, or of the units."""
        whole = self.network("combined", "parameters", cell.n_units, self.rotations(cell.n_tasks))
        plain = dataclasses.replace(whole, arm="plain", rank=0, n_contexts=1)
        if cell.match == "units":
            return dataclasses.replace(plain, n_units=max(1, cell.n_units // cell.n_tasks))
        share = count_parameters(whole) / cell.n_tasks
        sizes = (dataclasses.replace(plain, n_units=n) for n in range(1, 4 * cell.n_units))
        return min(sizes, key=lambda size: abs(count_parameters(size) - share))

    def subset(self, seed: int, n_tasks: int) -> TaskSet:
        """Random tasks of the battery for the replicate of that seed, the same in every arm and size."""
        chosen = stream(seed, "subset", str(n_tasks)).choice(len(self.battery), n_tasks, replace=False)
        return TaskSet(names=tuple(self.battery[i] for i in sorted(chosen)), preset=self.preset)

    def separate(self, cell: PackingCondition) -> list[TrainingConfig]:
        """The pool of networks with one task each, for a cell."""
        network, tasks = self.separate_network(cell), self.rotations(1)
        return [self.training(network, tasks, self.seed + i) for i in range(self.separate_pool)]

    def battery_cell(self, arm: str, n_units: int, n_tasks: int) -> list[TrainingConfig]:
        """The replicates of an arm on random subsets of the battery, each with its own."""
        changes = dict(n_updates=self.battery_updates, learning_rate=self.battery_learning_rate)
        subsets = {seed: self.subset(seed, n_tasks) for seed in self.seeds}
        networks = {seed: self.network(arm, "parameters", n_units, tasks) for seed, tasks in subsets.items()}
        changes |= dict(score_rule=BATTERY_RULE)
        return [self.training(networks[seed], tasks, seed, **changes) for seed, tasks in subsets.items()]

    def added(self, arm: str, n_tasks: int) -> list[TrainingConfig]:
        """Packed networks that learn one more rotation, half way between the first two, by a new context alone."""
        starts = self.packed(PackingCondition(arm, "parameters", self.added_units, n_tasks))
        names = (*starts[0].tasks.names, f"rotate_1_of_{2 * n_tasks}")
        network = dataclasses.replace(starts[0].network, n_contexts=n_tasks + 1)
        changes = dict(n_updates=self.added_updates, evaluate_every=5, evaluation_trials=100)
        tasks = dataclasses.replace(starts[0].tasks, names=names)
        return [self.training(network, tasks, start.seed, start=start, **changes) for start in starts]

    def adding_arms(self) -> list[str]:
        """Arms that train something for a new context."""
        tasks = self.rotations(1)
        return [arm for arm in self.arms if count_context_parameters(self.network(arm, "units", self.units[0], tasks))]


def conditions(config: PackingConfig) -> list[TrainingConfig]:
    """Every network that the figure needs."""
    groups = [config.separate(cell) for cell in config.separate_cells()]
    groups += [config.battery_cell(*where) for where in _battery_cells(config)]
    groups += [config.added(arm, k) for arm in config.adding_arms() for k in config.added_to]
    return config.rotation_conditions() + [network for group in groups for network in group]


def score_separate(config: PackingConfig) -> pd.DataFrame:
    """The same for separate networks, one per task."""
    return pd.concat([_score_separate(cell, config) for cell in config.separate_cells()], ignore_index=True)


def score_packed_battery(config: PackingConfig) -> pd.DataFrame:
    """One row per replicate and cell of random subsets: worst and mean score, and the subset."""
    rows = []
    for arm, n_units, n_tasks in _battery_cells(config):
        for m, training in enumerate(config.battery_cell(arm, n_units, n_tasks)):
            scores = score([training], config, BATTERY_RULE)[0]
            row = {"arm": arm, "n_units": n_units, "n_tasks": n_tasks, "network": m}
            rows.append(row | {"worst": scores.min(), "mean": scores.mean(), "tasks": " ".join(training.tasks.names)})
    return pd.DataFrame(rows)


def measure_added(config: PackingConfig) -> pd.DataFrame:
    """One row per network that got one more task: numbers trained, updates needed, final score on the new task."""
    rows = []
    for arm, n_tasks in itertools.product(config.adding_arms(), config.added_to):
        trainings = config.added(arm, n_tasks)
        _, networks = load_population(trainings, Store.default(), device=choose_device(config.device))
        for m, network in enumerate(networks):
            row = {"arm": arm, "n_tasks": n_tasks, "network": m, "reached": network.status == "reached"}
            row |= {"n_trained": count_context_parameters(trainings[0].network), "n_updates": network.n_updates}
            scores = network.history[trainings[0].trained_tasks[0]]  # none if the first update failed
            rows.append(row | {"score": scores.iloc[-1] if len(scores) else np.nan})
    return pd.DataFrame(rows)


def _battery_cells(config: PackingConfig) -> list[tuple[str, int, int]]:
    return list(itertools.product(config.battery_arms, config.battery_units, config.battery_counts))


def _score_separate(cell: PackingCondition, config: PackingConfig) -> pd.DataFrame:
    """As many replicates as of the others, each the worst of K networks of the pool."""
    trainings = config.separate(cell)
    pool, network = score(trainings, config, RULE)[:, 0], trainings[0].network
    worst = worst_of_separate(pool, cell.n_tasks, config.n_replicates, seed=config.seed)
    described = {**cell._asdict(), "own_units": network.n_units * cell.n_tasks, "rank": 0}
    described |= {"n_parameters": count_parameters(network) * cell.n_tasks, "network": range(config.n_replicates)}
    return pd.DataFrame(described | {"worst": worst, "mean": pool.mean()})
