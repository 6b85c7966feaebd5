"""Settings of figure 16, and the networks that they ask for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from cemrnn.figures.shared.battery import ReplicatesConfig, check_increasing
from cemrnn.figures.shared.frames import SINGLE
from cemrnn.figures.shared.packing import MATCHES, check_sites
from cemrnn.network.budget import match_size
from cemrnn.network.config import NetworkConfig
from cemrnn.tasks import TaskSet
from cemrnn.training.config import TrainingConfig

ARMS_COMPARED = ("combined", *SINGLE)


class Setting(NamedTuple):
    """One way to set up and to train all arms."""

    activation: str
    learning_rate: float
    units_per_component: int  # N / R of the combined arm
    spectral_radius: float  # of the initial W
    n_updates: int


CHOICES = Setting._fields


class PopulationKey(NamedTuple):
    """The networks of one arm in one setting."""

    setting: Setting
    arm: str
    match: Literal["units", "parameters"]  # what is equal in all arms


@dataclass(frozen=True, kw_only=True)
class MultiverseConfig(ReplicatesConfig):
    """What figure 16 is computed from: networks of one size that learn random maps, in every combination of choices."""

    preset: Literal["yang", "driscoll", "fast"]  # time step, durations and noise of the tasks: yang, driscoll or fast
    n_units: int  # units N of the combined arm, and of all arms at equal units
    n_tasks: int  # random maps that one network learns
    n_sites: int  # S: sites on the circle, which a map permutes
    trials_per_task: int  # trials of every map in an update
    test_trials: int  # fresh trials per map, for scores
    sigmas: tuple[float, ...]  # noise on every context unit, standard deviation, frozen within a trial
    least_clean: float  # accuracy with clean cues from which on it is asked what noise takes away
    activations: tuple[str, ...]  # of the units
    learning_rates: tuple[float, ...]  # of the optimiser, Adam
    units_per_component: tuple[int, ...]  # N / R of the combined arm, which has at least 2 synaptic components
    spectral_radii: tuple[float, ...]  # of the recurrent weights before training
    update_counts: tuple[int, ...]  # updates of the weights

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sites(n_sites=self.n_sites)
        check_increasing(self, "sigmas", 2, including=(0.0,), least=0.0)

    @property
    def task_set(self) -> TaskSet:
        """What every network learns."""
        return TaskSet.maps(self.n_tasks, self.n_sites, preset=self.preset)

    @property
    def rule(self) -> str:
        """How answers are scored: by the nearest site."""
        return f"nearest{self.n_sites}"

    def settings(self) -> list[Setting]:
        """Every combination of choices."""
        choices = (
            self.activations,
            self.learning_rates,
            self.units_per_component,
            self.spectral_radii,
            self.update_counts,
        )
        return [Setting(*of_one) for of_one in itertools.product(*choices)]

    def populations(self) -> Iterator[tuple[PopulationKey, list[TrainingConfig]]]:
        """Every population with its networks; the combined arm is the same at both readings."""
        for setting, arm, match in itertools.product(self.settings(), ARMS_COMPARED, MATCHES):
            key = PopulationKey(setting, arm, match)
            yield key, [self.training(key, seed) for seed in self.seeds]

    def example(self) -> list[TrainingConfig]:
        """Combined networks in the first setting."""
        return next(self.populations())[1]

    def training(self, key: PopulationKey, seed: int) -> TrainingConfig:
        """One network to train; its rate falls to zero over the last fifth of the updates."""
        setting, tasks = key.setting, self.task_set
        reference = NetworkConfig.for_tasks(
            tasks,
            arm="combined",
            n_units=self.n_units,
            rank=max(2, self.n_units // setting.units_per_component),
            activation=setting.activation,
            spectral_radius=setting.spectral_radius,
        )
        return TrainingConfig(
            network=match_size(key.arm, reference, key.match),
            tasks=tasks,
            n_updates=setting.n_updates,
            batch_trials=self.trials_per_task * tasks.n_contexts,
            learning_rate=setting.learning_rate,
            schedule="late",
            score_rule=self.rule,
            evaluate_every=setting.n_updates,
            seed=seed,
        )


def conditions(config: MultiverseConfig) -> list[TrainingConfig]:
    """Every network that the figure needs, each once."""
    return list(dict.fromkeys(network for _, networks in config.populations() for network in networks))
