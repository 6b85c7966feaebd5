"""Settings of figure 2, and its networks: at equal parameters, at equal units, and trained with a noisy cue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from cemrnn.figures.shared.ambiguity import AmbiguityConfig
from cemrnn.figures.shared.battery import all_conditions
from cemrnn.tasks.cues import CueConfig
from cemrnn.training.config import TrainingConfig

GROUPS = ("parameters", "units", "trained")  # what is equal; the last one at equal parameters, too


class PopulationKey(NamedTuple):
    """One population of the figure."""

    group: str  # in GROUPS
    arm: str


@dataclass(frozen=True, kw_only=True)
class RobustnessConfig(AmbiguityConfig):
    """What figure 2 is computed from: the networks of figure 1, and more."""

    compared: tuple[str, ...]  # arms that are also compared at equal units, and trained with noise
    trained_sigma: float  # noise on every context unit in training, drawn anew at each step
    trained_replicates: int  # networks of each arm that are trained with it
    test_sigma: float  # frozen noise with which training with and without noise are compared
    test_step_sigma: float  # noise that is drawn anew at each step, for the same
    test_mixture: float  # share of the other task's cue, for the same
    test_strength: float  # share of the right cue in a mixture with the mean of all cues, for the same
    test_ms: float  # how long a brief cue is there, and when a late cue begins or the cue switches

    @property
    def compared_arms(self) -> list[str]:
        """Those of the compared arms that are there."""
        return [arm for arm in self.compared if arm in self.arms]

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


def conditions(config: RobustnessConfig) -> list[TrainingConfig]:
    """Every network that the figure needs, each once."""
    networks = all_conditions(config) + [network for _, of_key in config.populations() for network in of_key]
    return list(dict.fromkeys(networks))
