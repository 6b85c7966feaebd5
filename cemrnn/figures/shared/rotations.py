"""Populations for packing: which network learns how many tasks, at equal parameters or equal units, and how well."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cemrnn.config import Config, field_types
from cemrnn.figures.shared.battery import BatteryConfig, PopulationConfig, all_conditions, check_increasing, score_fresh
from cemrnn.figures.shared.frames import select
from cemrnn.measures.packing import octaves_packed
from cemrnn.measures.robustness import Threshold
from cemrnn.network.budget import match_budget
from cemrnn.network.config import NetworkConfig, count_parameters
from cemrnn.network.pathways import ARMS
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import TaskSet
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import choose_device

SEPARATE = "separate"  # one network per task, no packing
RULE = "last18"  # rotations are told apart more finely than by last36
BUDGET_TOLERANCE = 0.1  # of the number of parameters: one unit more or less is that much of a network of 8 units


class PackingCondition(NamedTuple):
    """Networks of one arm and size that learn so many rotations."""

    arm: str
    match: Literal["parameters", "units"]  # what is equal in all arms
    n_units: int  # N of the combined arm, and of all arms at equal units
    n_tasks: int


@dataclass(frozen=True, kw_only=True)
class RotationSizes(Config):
    """Sizes of networks that learn rotations, and how they learn."""

    units: tuple[int, ...]  # units N of the combined arm; the others match its trained parameters
    task_counts: tuple[int, ...]  # numbers K of rotations that one network learns, from 1
    units_per_component: int  # N / R of the combined arm, which has at least 2 synaptic components
    n_updates: int  # updates of the weights, at most
    batch_trials: int  # trials per update and network
    learning_rate: float  # of the optimiser, Adam
    target_score: float  # training stops when the worst rotation scores this
    evaluation_trials: int  # trials per task, to see whether a network has reached its target
    criteria: tuple[float, ...]  # scores on the worst task that count as packed

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, fewest in (("units", 2), ("task_counts", 2), ("criteria", 1)):
            check_increasing(self, name, fewest)
        if self.task_counts[0] != 1:
            raise ValueError(f"task_counts: expected to begin with 1, got {self.task_counts}")


@dataclass(frozen=True, kw_only=True)
class RotationConfig(RotationSizes, PopulationConfig):
    """Networks that learn rotations, in several arms, sizes and numbers of tasks."""

    def cells(self) -> list[PackingCondition]:
        """All cells of rotations."""
        cells = itertools.product(self.arms, ["parameters"], self.units, self.task_counts)
        return [PackingCondition(*cell) for cell in cells]

    def network(self, arm: str, match: str, n_units: int, tasks: TaskSet) -> NetworkConfig:
        """The network of an arm that learns the tasks."""
        sizes = dict(n_units=n_units, rank=max(2, n_units // self.units_per_component), activation=self.activation)
        reference = NetworkConfig.for_tasks(tasks, arm="combined", **sizes)
        if match == "parameters":
            return match_budget(arm, reference, tolerance=BUDGET_TOLERANCE)
        return dataclasses.replace(reference, arm=arm, rank=ARMS[arm].rank_of(reference.rank))

    def rotations(self, n_tasks: int) -> TaskSet:
        """The rotations by 2 pi k / K."""
        return TaskSet.rotate(n_tasks, preset=self.preset)

    def training(self, network: NetworkConfig, tasks: TaskSet, seed: int, **changes) -> TrainingConfig:
        """One network to train."""
        settings = dict(target_score=self.target_score, score_rule=RULE, evaluate_every=50)
        settings |= dict(evaluation_trials=self.evaluation_trials)
        return self.recipe(network, tasks, seed, **settings | changes)

    def packed(self, cell: PackingCondition) -> list[TrainingConfig]:
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

    packing: RotationSizes  # of the networks that learn rotations

    @property
    def rotations(self) -> RotationConfig:
        """The populations that learn rotations."""
        own = {name: getattr(self, name) for name in field_types(PopulationConfig)}
        return RotationConfig(**own | vars(self.packing))


def battery_and_rotations(config: PackedBatteryConfig) -> list[TrainingConfig]:
    """Every network that learns the battery or rotations."""
    return all_conditions(config) + config.rotations.rotation_conditions()


def score_rotations(config: RotationConfig) -> pd.DataFrame:
    """One row per replicate of every cell: what it is, its worst and its mean score."""
    return pd.concat([_score_packed(cell, config) for cell in config.cells()], ignore_index=True)


def select_scores(cells: pd.DataFrame, arm: str, match: str, n_units: int, column: str) -> np.ndarray:
    """(M, L) of a column of `score_rotations` for an arm and size, by number of tasks."""
    rows = select(cells, arm=arm, match=match, n_units=n_units)
    return rows.pivot(index="network", columns="n_tasks", values=column).to_numpy(float)


def octaves_by_size(cells: pd.DataFrame, arm: str, config: RotationConfig) -> list[Threshold]:
    """Octaves of tasks (M,) that an arm packs at equal parameters, by the first criterion, for every size."""
    worst = (select_scores(cells, arm, "parameters", n, "worst") for n in config.units)
    return [octaves_packed(config.task_counts, scores, config.criteria[0]) for scores in worst]


def score(trainings: list[TrainingConfig], config: RotationConfig, rule: str) -> np.ndarray:
    """Score (M, K) of the networks of one shape on fresh trials."""
    model, _ = load_population(trainings, Store.default(), device=choose_device(config.device))
    seeds = [training.seed for training in trainings]
    return score_fresh(model, trainings[0].tasks, seeds, config.test_trials, rule)


def _score_packed(cell: PackingCondition, config: RotationConfig) -> pd.DataFrame:
    trainings = config.packed(cell)
    scores, network = score(trainings, config, RULE), trainings[0].network
    described = {**cell._asdict(), "own_units": network.n_units, "rank": network.rank}
    described |= {"n_parameters": count_parameters(network), "network": range(len(scores))}
    return pd.DataFrame(described | {"worst": scores.min(axis=1), "mean": scores.mean(axis=1)})
