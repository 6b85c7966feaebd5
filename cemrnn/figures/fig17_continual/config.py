"""Settings of figure 17, and the networks that they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cemrnn.config import unknown_name
from cemrnn.figures.shared.battery import LearningConfig
from cemrnn.figures.shared.packing import check_sites
from cemrnn.network.budget import match_size
from cemrnn.network.config import NetworkConfig, count_context_parameters
from cemrnn.network.pathways import ARMS
from cemrnn.tasks import TaskSet
from cemrnn.training.config import TrainingConfig

BATTERY_RULE = "last36"


class Method(NamedTuple):
    """One way to learn maps one after another: what a context reaches, and whether old weights are held."""

    arm: str
    is_pulled: bool  # by elastic weight consolidation

    @property
    def label(self) -> str:
        """Its name for people."""
        return f"{self.arm} + EWC" if self.is_pulled else self.arm

    @property
    def key(self) -> str:
        """Its name in scalars."""
        return f"{self.arm}_ewc" if self.is_pulled else self.arm


@dataclass(frozen=True, kw_only=True)
class ContinualConfig(LearningConfig):
    """What figure 17 is computed from."""

    arms: tuple[str, ...]  # what the context reaches
    pulled_arms: tuple[str, ...]  # those that learn with elastic weight consolidation (EWC) too
    n_units: int  # units N of every arm
    units_per_component: int  # N / R of arms with synaptic components, which are at least 2
    gate_fraction_off: float  # of the units in every context of the arm gating
    n_sites: int  # S: sites on the circle, which a map permutes
    n_maps: int  # random maps that one network learns, each for n_updates
    ewc_strength: float  # of the pull to the weights before a new map
    fisher_trials: int  # of every earlier map, from which that pull is computed
    battery: tuple[str, ...]  # tasks of which one is left out and the others are learned together
    left_out: tuple[str, ...]  # which tasks are left out, one at a time
    battery_updates: int  # of the weights, for the tasks that are learned together
    added_updates: int  # of the new context alone, or of a new network, for the task that was left out
    chance_trials: int  # trials per task for the score of answers that ignore the stimulus

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sites(n_sites=self.n_sites)
        for arm in (*self.arms, *self.pulled_arms):
            if arm not in ARMS:
                raise ValueError(unknown_name(arm, ARMS, "arm"))
        if missing := set(self.pulled_arms) - set(self.arms):
            raise ValueError(f"pulled_arms: expected some of arms, got {', '.join(sorted(missing))}")
        if missing := set(self.left_out) - set(self.battery):
            raise ValueError(f"left_out: expected tasks of the battery, got {', '.join(sorted(missing))}")
        for name, least in (("n_maps", 2), ("battery", 2)):
            got = getattr(self, name)
            if (got if isinstance(got, int) else len(got)) < least:
                raise ValueError(f"{name}: expected {least} or more, got {got}")

    @property
    def methods(self) -> list[Method]:
        """Every way to learn maps one after another."""
        return [Method(arm, False) for arm in self.arms] + [Method(arm, True) for arm in self.pulled_arms]

    @property
    def rule(self) -> str:
        """How answers to maps are scored: by the nearest site."""
        return f"nearest{self.n_sites}"

    def maps(self, n_maps: int) -> TaskSet:
        """The first maps."""
        return TaskSet.maps(n_maps, self.n_sites, preset=self.preset)

    def network(self, arm: str, tasks: TaskSet) -> NetworkConfig:
        """The network of an arm, which has the same units in all arms and with all numbers of tasks."""
        sizes = dict(n_units=self.n_units, rank=max(2, self.n_units // self.units_per_component))
        more = dict(activation=self.activation, gate_fraction_off=self.gate_fraction_off)
        return match_size(arm, NetworkConfig.for_tasks(tasks, arm="combined", **sizes, **more), "units")

    def training(self, arm: str, tasks: TaskSet, seed: int, **changes) -> TrainingConfig:
        """One network to train, which is looked at once, at the end; its rate falls to zero over the last fifth."""
        settings = dict(schedule="late", score_rule=self.rule, evaluate_every=self.n_updates) | changes
        return self.recipe(self.network(arm, tasks), tasks, seed, **settings)

    def stages(self, method: Method) -> list[list[TrainingConfig]]:
        """The networks of a method after the first map, after the second, and so on."""
        stages = [[self.training(method.arm, self.maps(1), seed) for seed in self.seeds]]
        more = dict(goes_on=True, fisher_trials=self.fisher_trials)
        more |= dict(ewc_strength=self.ewc_strength if method.is_pulled else 0.0)
        for k in range(2, self.n_maps + 1):
            starts = stages[-1]
            stages.append([self.training(method.arm, self.maps(k), s.seed, start=s, **more) for s in starts])
        return stages

    def example(self, stage: int) -> list[TrainingConfig]:
        """The networks of the first arm after so many maps, without a pull."""
        return self.stages(self.methods[0])[stage - 1]

    def together(self, arm: str) -> list[TrainingConfig]:
        """The networks of an arm that learn all maps at once, with as many updates as one after another."""
        n_updates = self.n_maps * self.n_updates
        changes = dict(n_updates=n_updates, evaluate_every=n_updates)
        return [self.training(arm, self.maps(self.n_maps), seed, **changes) for seed in self.seeds]

    def adding_arms(self) -> list[str]:
        """Arms that train something for a new context."""
        return [arm for arm in self.arms if count_context_parameters(self.network(arm, self.maps(1)))]

    def added(self, arm: str, task: str) -> list[TrainingConfig]:
        """The networks that learned the rest of the battery and then a context for the task that was left out."""
        rest = tuple(name for name in self.battery if name != task)
        starts = dict(n_updates=self.battery_updates, evaluate_every=self.battery_updates)
        new = dict(n_updates=self.added_updates, evaluate_every=self.added_updates, schedule="constant")
        networks = []
        for seed in self.seeds:
            start = self.training(arm, self._battery(*rest), seed, score_rule=BATTERY_RULE, **starts)
            tasks = self._battery(*rest, task)
            networks.append(self.training(arm, tasks, seed, score_rule=BATTERY_RULE, start=start, **new))
        return networks

    def alone(self, task: str) -> list[TrainingConfig]:
        """Networks without context that learn the task that was left out, and no other, from the beginning."""
        changes = dict(n_updates=self.added_updates, evaluate_every=self.added_updates, score_rule=BATTERY_RULE)
        return [self.training("plain", self._battery(task), seed, **changes) for seed in self.seeds]

    def _battery(self, *names: str) -> TaskSet:
        return TaskSet(names=names, preset=self.preset)


def conditions(config: ContinualConfig) -> list[TrainingConfig]:
    """Every network that the figure needs, each once."""
    groups = [stage for method in config.methods for stage in config.stages(method)]
    groups += [config.together(arm) for arm in config.arms]
    for task in config.left_out:
        added = [config.added(arm, task) for arm in config.adding_arms()]
        groups += [[network.start for network in group] for group in added] + added + [config.alone(task)]
    return list(dict.fromkeys(network for group in groups for network in group))
