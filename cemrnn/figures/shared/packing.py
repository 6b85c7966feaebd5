"""Populations for packing: which network learns how many tasks, at equal units or equal parameters, and how well."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cemrnn.config import Config, field_types, unknown_name
from cemrnn.figures.shared.battery import (
    BatteryConfig,
    PopulationConfig,
    all_conditions,
    answer_fresh,
    check_increasing,
)
from cemrnn.measures import packing
from cemrnn.network.budget import budget_gap, match_size
from cemrnn.network.config import NetworkConfig, count_parameters
from cemrnn.network.pathways import ARMS
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import TaskSet
from cemrnn.tasks.scores import SITES
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import LATE, TrainedNetwork

SEPARATE = "separate"  # one network per task, no packing
MATCHES = ("units", "parameters")  # what is equal in all arms: the two readings of a network of finite size
ROTATIONS = 0  # instead of a number of sites: the structured family
FEWEST_COUNTED = 0.5  # share of the cells of a reading that has to count, for accuracy to be evidence
N_LOOKS = 40  # evaluations in a training
RISE_SHARE = 0.1  # of what an accuracy lies above chance, by which networks that have settled may still rise


class PackingCell(NamedTuple):
    """Networks of one arm and size that learn so many tasks of a family."""

    arm: str
    match: Literal["units", "parameters"]  # what is equal in all arms
    n_units: int  # N of the combined arm, and of all arms at equal units
    n_tasks: int
    n_sites: int  # S of random maps; 0 for rotations

    @property
    def rule(self) -> str:
        """How answers are scored: by the nearest site, or within 18 degrees."""
        return f"nearest{self.n_sites}" if self.n_sites else "last18"

    def tasks(self, preset: str) -> TaskSet:
        """What the networks learn."""
        if self.n_sites == ROTATIONS:
            return TaskSet.rotate(self.n_tasks, preset=preset)
        return TaskSet.maps(self.n_tasks, self.n_sites, preset=preset)


def check_sites(**settings: int) -> None:
    """Check that settings are numbers of sites whose answers can be scored.

    Raises:
        ValueError: one is not.
    """
    for name, n_sites in settings.items():
        if n_sites not in SITES.values():
            raise ValueError(f"{name}: expected one of {', '.join(map(str, SITES.values()))}, got {n_sites}")


@dataclass(frozen=True, kw_only=True)
class PackingSizes(Config):
    """Sizes of networks that learn random maps, and how they learn."""

    arms: tuple[str, ...]  # that are compared at both readings
    side_arms: tuple[str, ...]  # that are shown beside them, at equal parameters, with fewer networks
    n_replicates: int  # networks per condition, which differ in their seeds alone
    side_replicates: int  # networks per condition of the side arms
    units: tuple[int, ...]  # units N of the combined arm, and of every arm at equal units
    task_counts: tuple[int, ...]  # numbers K of maps that one network learns
    n_sites: int  # S: sites on the circle, which a map permutes; a map holds log2 S! bits
    site_counts: tuple[int, ...]  # numbers of sites S at which the largest networks are compared, at a middle K
    units_per_component: int  # N / R of the combined arm, which has at least 2 synaptic components
    n_updates: int  # updates of the weights, at most
    units_updates: int  # the same in the largest networks at equal units, where some arms have few parameters
    trials_per_task: int  # trials of every task in an update, so that each task is seen as often whatever K
    learning_rate: float  # of the optimiser, Adam; falls to zero over the last fifth of the updates
    target_score: float  # training stops when the worst task scores this
    evaluation_trials: int  # trials per task, to see whether a network has reached its target
    criterion: float  # accuracy over maps that counts as packed, and as learned
    settled_rise: float  # a cell counts when twice the updates, at a constant rate, raise its mean accuracy by less

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("units", "task_counts"):
            check_increasing(self, name, 2)
        for n_sites in self.site_counts:
            check_sites(site_counts=n_sites)
        check_sites(n_sites=self.n_sites)
        for arm in (*self.arms, *self.side_arms):
            if arm not in ARMS:
                raise ValueError(unknown_name(arm, ARMS, "arm"))
        if both := set(self.arms) & set(self.side_arms):
            raise ValueError(f"side_arms: expected none of arms, got {', '.join(sorted(both))}")


@dataclass(frozen=True, kw_only=True)
class MapConfig(PackingSizes, PopulationConfig):
    """Networks that learn random maps, in several arms, sizes and numbers of tasks."""

    def cells(self) -> list[PackingCell]:
        """All cells of random maps with the usual number of sites."""
        return self.main_cells() + self.side_cells()

    def main_cells(self) -> list[PackingCell]:
        """Those of the arms that are compared at both readings."""
        cells = itertools.product(self.arms, MATCHES, self.units, self.task_counts, [self.n_sites])
        return [PackingCell(*cell) for cell in cells]

    @property
    def middle_count(self) -> int:
        """The number of maps at which other things than their number vary."""
        return self.task_counts[len(self.task_counts) // 2]

    def site_cells(self) -> list[PackingCell]:
        """Maps with more or fewer bits, in the largest networks."""
        others = [n for n in self.site_counts if n != self.n_sites]
        cells = itertools.product(self.arms, MATCHES, self.units[-1:], [self.middle_count], others)
        return [PackingCell(*cell) for cell in cells]

    def side_cells(self) -> list[PackingCell]:
        """Those of the arms beside them."""
        cells = itertools.product(self.side_arms, ["parameters"], self.units, self.task_counts, [self.n_sites])
        return [PackingCell(*cell) for cell in cells]

    def network(self, arm: str, match: str, n_units: int, tasks: TaskSet) -> NetworkConfig:
        """The network of an arm that learns the tasks."""
        sizes = dict(n_units=n_units, rank=max(2, n_units // self.units_per_component), activation=self.activation)
        reference = NetworkConfig.for_tasks(tasks, arm="combined", **sizes)
        return match_size(arm, reference, match)

    def training(self, network: NetworkConfig, tasks: TaskSet, seed: int, **changes) -> TrainingConfig:
        """One network to train, with as many trials of every task in an update."""
        settings = dict(target_score=self.target_score, schedule="late", evaluation_trials=self.evaluation_trials)
        settings["batch_trials"] = self.trials_per_task * tasks.n_contexts
        settings["evaluate_every"] = max(1, self.n_updates // N_LOOKS)
        return self.recipe(network, tasks, seed, **settings | changes)

    def replicates(self, cell: PackingCell) -> list[int]:
        """Seeds of the networks of a cell: fewer of side arms, and of rotations."""
        is_aside = cell.arm in self.side_arms or cell.n_sites == ROTATIONS
        return self.seeds[: self.side_replicates] if is_aside else self.seeds

    def updates_of(self, cell: PackingCell) -> int:
        """Updates of the weights, at most, of the networks of a cell."""
        is_longer = (cell.match, cell.n_units, cell.n_sites) == ("units", self.units[-1], self.n_sites)
        return self.units_updates if is_longer else self.n_updates

    def packed(self, cell: PackingCell) -> list[TrainingConfig]:
        """The replicates of a cell."""
        tasks, n_updates = cell.tasks(self.preset), self.updates_of(cell)
        network = self.network(cell.arm, cell.match, cell.n_units, tasks)
        settings = dict(score_rule=cell.rule, n_updates=n_updates, evaluate_every=max(1, n_updates // N_LOOKS))
        return [self.training(network, tasks, seed, **settings) for seed in self.replicates(cell)]

    def map_conditions(self) -> list[TrainingConfig]:
        """Every network of every cell, each once."""
        return list(dict.fromkeys(network for cell in self.cells() for network in self.packed(cell)))

    def site_conditions(self) -> list[TrainingConfig]:
        """Every network of maps with more or fewer bits."""
        return [network for cell in self.site_cells() for network in self.packed(cell)]


@dataclass(frozen=True, kw_only=True)
class PackedBatteryConfig(BatteryConfig):
    """The networks of figure 1, and networks that learn random maps as in figure 3."""

    packing: PackingSizes  # of the networks that learn random maps

    @property
    def maps(self) -> MapConfig:
        """The populations that learn random maps."""
        own = {name: getattr(self, name) for name in field_types(PopulationConfig)}
        return MapConfig(**own | vars(self.packing))


def battery_and_maps(config: PackedBatteryConfig) -> list[TrainingConfig]:
    """Every network that learns the battery or random maps."""
    return all_conditions(config) + config.maps.map_conditions()


def find_largest_gap(config: MapConfig) -> float:
    """How far the trained parameters of arms are apart where they are meant to be equal, at most."""
    cells = config.main_cells() + config.side_cells()
    equal = [cell._replace(arm="") for cell in cells if cell.match == "parameters"]
    arms = (*config.arms, *config.side_arms)
    return max(
        budget_gap(config.network(arm, "parameters", cell.n_units, cell.tasks(config.preset)) for arm in arms)
        for cell in dict.fromkeys(equal)
    )


def measure_cells(cells: list[PackingCell], config: MapConfig) -> pd.DataFrame:
    """One row per replicate of every cell: what it is, how well it answers, and how its training ended.

    Columns beside those of `PackingCell`: own_units, rank, n_parameters, network; accuracy over tasks, worst (see
    `packing.worst_of_halves`), bits stored; rise: of its accuracy at
    the end, see `late_rise`; updates until the criterion, and whether that came.
    """
    return pd.concat([_measure_cell(cell, config) for cell in cells], ignore_index=True)


def answer(trainings: list[TrainingConfig], config: MapConfig, rule: str) -> tuple[np.ndarray, list[TrainedNetwork]]:
    """Right answers (M, n, K) of the networks of one shape on n fresh trials of each task, and the networks."""
    model, networks = load_population(trainings, Store.default(), device=config.device)
    seeds = [training.seed for training in trainings]
    return answer_fresh(model, trainings[0].tasks, seeds, config.test_trials, rule), networks


def count_cells(rows: pd.DataFrame, settled_rise: float) -> pd.DataFrame:
    """Every cell, the mean rise of its networks at the end, and in `counts` whether that is small enough.

    It is to be no more than `settled_rise`, and no more than a tenth of what the accuracy lies above chance.
    """
    means = rows.groupby(list(PackingCell._fields), sort=False)[["rise", "accuracy"]].mean().reset_index()
    chance = (1 / means["n_sites"]).where(means["n_sites"] != ROTATIONS, 0.0)
    most = (RISE_SHARE * (means["accuracy"] - chance)).clip(0, settled_rise)
    return means.drop(columns="accuracy").assign(counts=means["rise"] <= most)


def common_cells(rows: pd.DataFrame, arms: tuple[str, ...], counted: pd.DataFrame) -> pd.DataFrame:
    """The rows of arms in those sizes that count for all of them."""
    where = ["match", "n_units", "n_tasks", "n_sites"]
    together = counted[counted["arm"].isin(arms)].groupby(where)["counts"].agg(["all", "size"])
    kept = together.index[together["all"] & (together["size"] == len(arms))]
    chosen = rows[rows["arm"].isin(arms)]
    return chosen[pd.MultiIndex.from_frame(chosen[where]).isin(kept)]


def decisive_cells(rows: pd.DataFrame, arms: tuple[str, ...], counted: pd.DataFrame, n_cells: int) -> pd.DataFrame:
    """The rows of arms in the cells that count for all of them; none if those are fewer than half of so many cells."""
    common = common_cells(rows, arms, counted)
    n_counted = len(common[["n_units", "n_tasks"]].drop_duplicates())
    return common if n_counted >= FEWEST_COUNTED * n_cells else common[:0]


def _measure_cell(cell: PackingCell, config: MapConfig) -> pd.DataFrame:
    trainings = config.packed(cell)
    right, networks = answer(trainings, config, cell.rule)
    accuracy, network = right.mean(axis=(1, 2)), trainings[0].network
    described = {**cell._asdict(), "own_units": network.n_units, "rank": network.rank}
    described |= {"n_parameters": count_parameters(network), "network": range(len(right))}
    measured = {"accuracy": accuracy, "worst": packing.worst_of_halves(right)}
    measured["bits"] = packing.bits_stored(accuracy, cell.n_tasks, cell.n_sites) if cell.n_sites else np.nan
    n_updates = trainings[0].n_updates
    measured["rise"] = [late_rise(network, n_updates, trainings[0].trained_tasks) for network in networks]
    updates = [updates_to(network, config.criterion, trainings[0].trained_tasks) for network in networks]
    measured["learned"] = np.isfinite(updates)
    measured["updates"] = np.minimum(updates, n_updates)
    return pd.DataFrame(described | measured)


def late_rise(network: TrainedNetwork, n_updates: int, tasks: tuple[str, ...]) -> float:
    """What the mean score over the tasks rose by in the last doubling of the updates before the rate falls.

    0 for a network that reached its target, NaN for one whose training failed.
    """
    if network.status != "exhausted":
        return 0.0 if network.status == "reached" else np.nan
    share = network.history["update"].to_numpy() / n_updates
    return packing.late_rise(share, network.history[list(tasks)].mean(axis=1).to_numpy(), LATE)


def updates_to(network: TrainedNetwork, criterion: float, tasks: tuple[str, ...]) -> float:
    """Updates until the mean score over the tasks reached a criterion; infinite if it never did."""
    reached = network.history[list(tasks)].mean(axis=1) >= criterion
    return float(network.history["update"][reached].min()) if reached.any() else np.inf
