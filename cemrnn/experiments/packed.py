"""Populations for packing: which network learns how many tasks, at equal parameters or equal units, and how well."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cemrnn.budget import match_budget
from cemrnn.config import unknown_name
from cemrnn.experiments.battery import BatteryConfig, PopulationConfig, all_conditions, score_fresh
from cemrnn.learner import choose_device
from cemrnn.model import NetworkConfig, count_context_parameters, count_parameters
from cemrnn.modulation import ARMS
from cemrnn.packing import octaves_packed, worst_of_separate
from cemrnn.robustness import Threshold
from cemrnn.store import Store
from cemrnn.streams import stream
from cemrnn.sweep import load_population
from cemrnn.tasks import TaskSet
from cemrnn.training import TrainingConfig

SEPARATE = "separate"  # one network per task, no packing
RULE = "last18"  # rotations are told apart more finely than by last36
BATTERY_RULE = "last36"
BUDGET_TOLERANCE = 0.1  # of the number of parameters: one unit more or less is that much of a network of 8 units


class Cell(NamedTuple):
    """Networks of one arm and size that learn so many rotations."""

    arm: str
    match: Literal["parameters", "units"]  # what is equal in all arms
    n_units: int  # N of the combined arm, and of all arms at equal units
    n_tasks: int


@dataclass(frozen=True, kw_only=True)
class RotationConfig(PopulationConfig):
    """Networks that learn rotations, in several arms, sizes and numbers of tasks."""

    units: tuple[int, ...]  # N of the combined arm
    task_counts: tuple[int, ...]  # K, from 1
    units_per_component: int  # N / R of the combined arm, which has at least 2 components
    evaluation_trials: int  # per task, to see whether a network has reached its target
    criteria: tuple[float, ...]  # scores on the worst task that count as packed

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, fewest in (("units", 2), ("task_counts", 2), ("criteria", 1)):
            values = getattr(self, name)
            if len(values) < fewest or list(values) != sorted(set(values)):
                raise ValueError(f"{name}: expected {fewest} or more increasing values, got {values}")
        if self.task_counts[0] != 1:
            raise ValueError(f"task_counts: expected to begin with 1, got {self.task_counts}")

    def cells(self) -> list[Cell]:
        """All cells of rotations."""
        return [Cell(arm, "parameters", n, k) for arm in self.arms for n in self.units for k in self.task_counts]

    def network(self, arm: str, match: str, n_units: int, tasks: TaskSet) -> NetworkConfig:
        """The network of an arm that learns the tasks."""
        reference = NetworkConfig(
            arm="combined",
            n_units=n_units,
            rank=max(2, n_units // self.units_per_component),
            n_contexts=tasks.n_contexts,
            n_inputs=tasks.n_inputs,
            n_outputs=tasks.n_outputs,
            dt_ms=tasks.dt_ms,
            tau_ms=tasks.tau_ms,
            activation=self.activation,
        )
        if match == "parameters":
            return match_budget(arm, reference, tolerance=BUDGET_TOLERANCE)
        return dataclasses.replace(reference, arm=arm, rank=reference.rank if "synaptic" in ARMS[arm] else 0)

    def rotations(self, n_tasks: int) -> TaskSet:
        """The rotations by 2 pi k / K."""
        return TaskSet.rotate(n_tasks, preset=self.preset)

    def training(self, network: NetworkConfig, tasks: TaskSet, seed: int, **changes) -> TrainingConfig:
        """One network to train."""
        settings = dict(
            n_updates=self.n_updates,
            batch_trials=self.batch_trials,
            learning_rate=self.learning_rate,
            target_score=self.target_score,
            score_rule=RULE,
            evaluate_every=50,
            evaluation_trials=self.evaluation_trials,
        )
        return TrainingConfig(network=network, tasks=tasks, seed=seed, **(settings | changes))

    def packed(self, cell: Cell) -> list[TrainingConfig]:
        """The replicates of a cell."""
        tasks = self.rotations(cell.n_tasks)
        network = self.network(cell.arm, cell.match, cell.n_units, tasks)
        return [self.training(network, tasks, seed) for seed in self.seeds]

    def rotation_conditions(self) -> list[TrainingConfig]:
        """Every network of every cell."""
        return [network for cell in self.cells() for network in self.packed(cell)]


@dataclass(frozen=True, kw_only=True)
class PackedBatteryConfig(BatteryConfig):
    """The networks of figure 1, and in the same arms networks that learn rotations as in figure 3."""

    packing_units: tuple[int, ...]  # N of the combined arm
    packing_counts: tuple[int, ...]  # numbers of rotations, from 1
    packing_units_per_component: int
    packing_updates: int  # at most
    packing_batch_trials: int  # per update and network
    packing_learning_rate: float
    packing_target: float  # a network stops once its worst rotation scores this
    packing_evaluation_trials: int  # per rotation
    packing_criterion: float  # score on the worst rotation that counts as packed

    @property
    def rotations(self) -> RotationConfig:
        """The populations that learn rotations."""
        return RotationConfig(
            arms=self.arms,
            preset=self.preset,
            activation=self.activation,
            units=self.packing_units,
            task_counts=self.packing_counts,
            units_per_component=self.packing_units_per_component,
            n_replicates=self.n_replicates,
            seed=self.seed,
            n_updates=self.packing_updates,
            batch_trials=self.packing_batch_trials,
            learning_rate=self.packing_learning_rate,
            target_score=self.packing_target,
            evaluation_trials=self.packing_evaluation_trials,
            test_trials=self.test_trials,
            criteria=(self.packing_criterion,),
            device=self.device,
        )


def battery_and_rotations(config: PackedBatteryConfig) -> list[TrainingConfig]:
    """Every network that learns the battery or rotations."""
    return all_conditions(config) + config.rotations.rotation_conditions()


@dataclass(frozen=True, kw_only=True)
class PackingConfig(RotationConfig):
    """What figure 3 is computed from."""

    equal_units: tuple[int, ...]  # N at which arms are compared at equal units too
    separate_pool: int  # networks with one task, of each size
    battery: tuple[str, ...]  # tasks that random subsets are drawn from
    battery_arms: tuple[str, ...]
    battery_units: tuple[int, ...]
    battery_counts: tuple[int, ...]  # tasks in a subset
    battery_updates: int  # at most
    battery_learning_rate: float
    added_units: int  # N of networks that get one more task
    added_to: tuple[int, ...]  # how many they have
    added_updates: int  # at most

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

    def cells(self) -> list[Cell]:
        """All cells of rotations but those of separate networks."""
        return super().cells() + [
            Cell(arm, "units", n, k) for arm in self.arms for n in self.equal_units for k in self.task_counts
        ]

    def separate_cells(self) -> list[Cell]:
        """The cells of separate networks."""
        sizes = [("parameters", n) for n in self.units] + [("units", n) for n in self.equal_units]
        return [Cell(SEPARATE, match, n, k) for match, n in sizes for k in self.task_counts]

    def separate_network(self, cell: Cell) -> NetworkConfig:
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

    def separate(self, cell: Cell) -> list[TrainingConfig]:
        """The pool of networks with one task each, for a cell."""
        network, tasks = self.separate_network(cell), self.rotations(1)
        return [self.training(network, tasks, self.seed + i) for i in range(self.separate_pool)]

    def battery_cell(self, arm: str, n_units: int, n_tasks: int) -> list[TrainingConfig]:
        """The replicates of an arm on random subsets of the battery, each with its own."""
        configs = []
        for seed in self.seeds:
            tasks = self.subset(seed, n_tasks)
            network = self.network(arm, "parameters", n_units, tasks)
            changes = dict(n_updates=self.battery_updates, learning_rate=self.battery_learning_rate)
            changes |= dict(score_rule=BATTERY_RULE)
            configs.append(self.training(network, tasks, seed, **changes))
        return configs

    def added(self, arm: str, n_tasks: int) -> list[TrainingConfig]:
        """Packed networks that learn one more rotation, half way between the first two, by a new context alone."""
        starts = self.packed(Cell(arm, "parameters", self.added_units, n_tasks))
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


def score_rotations(config: RotationConfig) -> pd.DataFrame:
    """One row per replicate of every cell: what it is, its worst and its mean score."""
    return pd.concat([_score_packed(cell, config) for cell in config.cells()], ignore_index=True)


def score_separate(config: PackingConfig) -> pd.DataFrame:
    """The same for separate networks, one per task."""
    return pd.concat([_score_separate(cell, config) for cell in config.separate_cells()], ignore_index=True)


def select_scores(cells: pd.DataFrame, arm: str, match: str, n_units: int, column: str) -> np.ndarray:
    """(M, L) of a column of `score_rotations` for an arm and size, by number of tasks."""
    rows = cells[(cells["arm"] == arm) & (cells["match"] == match) & (cells["n_units"] == n_units)]
    return rows.pivot(index="network", columns="n_tasks", values=column).to_numpy(float)


def octaves_by_size(cells: pd.DataFrame, arm: str, config: RotationConfig) -> list[Threshold]:
    """Octaves of tasks (M,) that an arm packs at equal parameters, by the first criterion, for every size."""
    worst = (select_scores(cells, arm, "parameters", n, "worst") for n in config.units)
    return [octaves_packed(config.task_counts, scores, config.criteria[0]) for scores in worst]


def score_battery(config: PackingConfig) -> pd.DataFrame:
    """One row per replicate and cell of random subsets: worst and mean score, and the subset."""
    rows = []
    for arm, n_units, n_tasks in _battery_cells(config):
        for m, training in enumerate(config.battery_cell(arm, n_units, n_tasks)):
            scores = _score([training], config, BATTERY_RULE)[0]
            row = {"arm": arm, "n_units": n_units, "n_tasks": n_tasks, "network": m}
            rows.append(row | {"worst": scores.min(), "mean": scores.mean(), "tasks": " ".join(training.tasks.names)})
    return pd.DataFrame(rows)


def measure_added(config: PackingConfig) -> pd.DataFrame:
    """One row per network that got one more task: numbers trained, updates needed, final score on the new task."""
    rows = []
    for arm in config.adding_arms():
        for n_tasks in config.added_to:
            trainings = config.added(arm, n_tasks)
            _, networks = load_population(trainings, Store.default(), device=choose_device(config.device))
            for m, network in enumerate(networks):
                row = {"arm": arm, "n_tasks": n_tasks, "network": m, "reached": network.status == "reached"}
                row |= {"n_trained": count_context_parameters(trainings[0].network), "n_updates": network.n_updates}
                rows.append(row | {"score": network.history[trainings[0].trained_tasks[0]].iloc[-1]})
    return pd.DataFrame(rows)


def _battery_cells(config: PackingConfig) -> list[tuple[str, int, int]]:
    return [(a, n, k) for a in config.battery_arms for n in config.battery_units for k in config.battery_counts]


def _score(trainings: list[TrainingConfig], config: RotationConfig, rule: str) -> np.ndarray:
    """(M, K) on fresh trials."""
    model, _ = load_population(trainings, Store.default(), device=choose_device(config.device))
    seeds = [training.seed for training in trainings]
    return score_fresh(model, trainings[0].tasks, seeds, config.test_trials, rule)


def _score_packed(cell: Cell, config: RotationConfig) -> pd.DataFrame:
    trainings = config.packed(cell)
    scores, network = _score(trainings, config, RULE), trainings[0].network
    described = {**cell._asdict(), "own_units": network.n_units, "rank": network.rank}
    described |= {"n_parameters": count_parameters(network), "network": range(len(scores))}
    return pd.DataFrame(described | {"worst": scores.min(axis=1), "mean": scores.mean(axis=1)})


def _score_separate(cell: Cell, config: PackingConfig) -> pd.DataFrame:
    """As many replicates as of the others, each the worst of K networks of the pool."""
    trainings = config.separate(cell)
    pool, network = _score(trainings, config, RULE)[:, 0], trainings[0].network
    worst = worst_of_separate(pool, cell.n_tasks, config.n_replicates, seed=config.seed)
    described = {**cell._asdict(), "own_units": network.n_units * cell.n_tasks, "rank": 0}
    described |= {"n_parameters": count_parameters(network) * cell.n_tasks, "network": range(config.n_replicates)}
    return pd.DataFrame(described | {"worst": worst, "mean": pool.mean()})
