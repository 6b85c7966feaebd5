"""Networks that figures 2, 5 and 15 compare: at equal parameters, at equal units, and trained with a noisy cue."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from cemrnn.config import Config
from cemrnn.figures.shared.ambiguity import ConflictConfig
from cemrnn.figures.shared.battery import all_conditions
from cemrnn.tasks.cues import CueConfig
from cemrnn.training.config import TrainingConfig

GROUPS = ("parameters", "units", "trained", "trained_units")  # what is equal: parameters, units, and again with noise
SAME_COMBINED = {"units": "parameters", "trained_units": "trained"}  # group -> that which has its combined networks


class PopulationKey(NamedTuple):
    """One population of a figure."""

    group: str  # in GROUPS, or of figure 2: a kind of ambiguity in training or other tasks, at one of both readings
    arm: str


@dataclass(frozen=True, kw_only=True)
class GroupSizes(Config):
    """Which networks there are beside those of figure 1."""

    compared: tuple[str, ...]  # arms that are also compared at equal units, and trained with noise
    trained_sigma: float  # noise on every context unit in training, drawn anew at each step
    trained_replicates: int  # networks of each arm that are trained with it
    train_at_units: bool  # whether networks of equal units are trained for ambiguity as well


@dataclass(frozen=True, kw_only=True)
class GroupsConfig(GroupSizes, ConflictConfig):
    """The networks of figure 1, and more."""

    @property
    def compared_arms(self) -> list[str]:
        """Those of the compared arms that are there."""
        return [arm for arm in self.compared if arm in self.arms]

    def count_networks(self, key: PopulationKey) -> int:
        """The most networks that a population has."""
        return self.trained_replicates if key.group in ("trained", "trained_units") else self.n_replicates

    def populations(self) -> Iterator[tuple[PopulationKey, list[TrainingConfig]]]:
        """Every population with its networks; the combined arm is the same at both readings."""
        noisy = CueConfig(noise_sigma=self.trained_sigma)
        for arm in self.arms:
            yield PopulationKey("parameters", arm), self.training(arm)
        for arm in self.compared_arms:
            if arm != "combined":
                yield PopulationKey("units", arm), self.training(arm, "units")
        for arm in self.compared_arms:
            yield PopulationKey("trained", arm), self.training(arm, cue=noisy)[: self.trained_replicates]
        for arm in self.compared_arms:
            if self.train_at_units and arm != "combined":
                networks = self.training(arm, "units", cue=noisy)[: self.trained_replicates]
                yield PopulationKey("trained_units", arm), networks


C = TypeVar("C", bound=GroupsConfig)


def seen_by(key: PopulationKey, config: C) -> C:
    """The settings with as many replicates as a population has."""
    of_arm = config.of_arm(key.arm)
    return dataclasses.replace(of_arm, n_replicates=min(of_arm.n_replicates, config.count_networks(key)))


def conditions(config: GroupsConfig) -> list[TrainingConfig]:
    """Every network that the groups need, each once."""
    networks = all_conditions(config) + [network for _, of_key in config.populations() for network in of_key]
    return list(dict.fromkeys(networks))
