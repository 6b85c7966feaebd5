"""The populations behind the figures: one ensemble per arm, equal budgets, same trials; and how well they do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from torch import Tensor

from cemrnn.config import Config, unknown_name
from cemrnn.network.budget import budget_gap, match_size
from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.network.pathways import ARMS, Told
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import TaskSet, Trials, TrialStream
from cemrnn.tasks.cues import CueConfig
from cemrnn.tasks.scores import chance_level, score_trials
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import TrainedNetwork

PLAIN_CUE = CueConfig()  # to which nothing happens


@dataclass(frozen=True, kw_only=True)
class ReplicatesConfig(Config):
    """What all figures have in common: several networks of each kind, from different seeds."""

    n_replicates: int  # networks per condition, which differ in their seeds alone
    seed: int  # of the first replicate; the others count up from it
    device: Literal["auto", "cpu", "cuda"] = "auto"  # where networks train and run: auto, cpu or cuda

    @property
    def seeds(self) -> list[int]:
        """One per replicate."""
        return [self.seed + m for m in range(self.n_replicates)]


@dataclass(frozen=True, kw_only=True)
class LearningConfig(ReplicatesConfig):
    """Networks that learn tasks with trials."""

    preset: Literal["yang", "driscoll", "fast"]  # time step, durations and noise of the tasks: yang, driscoll or fast
    activation: str  # of the units, phi: tanh, relu, softplus or rectified_tanh
    n_updates: int  # updates of the weights, at most
    batch_trials: int  # trials per update and network
    learning_rate: float  # of the optimiser, Adam
    test_trials: int  # fresh trials per task, for scores

    def recipe(self, network: NetworkConfig, tasks: TaskSet, seed: int, **changes) -> TrainingConfig:
        """One network to train, with these settings and others."""
        own = {name: getattr(self, name) for name in ("n_updates", "batch_trials", "learning_rate")}
        return TrainingConfig(network=network, tasks=tasks, seed=seed, **own | changes)


@dataclass(frozen=True, kw_only=True)
class PopulationConfig(LearningConfig):
    """What all populations of trained networks have in common."""

    arms: tuple[str, ...]  # what the context reaches; every arm is one of the model's
    target_score: float  # training stops when the worst task scores this

    def __post_init__(self) -> None:
        super().__post_init__()
        for arm in self.arms:
            if arm not in ARMS:
                raise ValueError(unknown_name(arm, ARMS, "arm"))


@dataclass(frozen=True, kw_only=True)
class BatteryConfig(PopulationConfig):
    """Networks that learn a battery of tasks, in several arms of equal budget."""

    tasks: tuple[str, ...]  # the battery: tasks that one network learns, with a context for each
    encoding: Literal["cosine", "ring"]  # of directions in the input: cosine or ring
    n_units: int  # units N of the combined arm; the others match its trained parameters
    rank: int  # synaptic components R of the combined arm
    passing_score: float  # score on the worst task, on fresh trials, for a network to be compared
    side_arms: tuple[str, ...] = ()  # of arms, those that are shown beside the others, with fewer networks
    side_replicates: int = 1  # networks of each side arm, at most

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, side_replicates=1)
        for arm in self.side_arms:
            if arm not in ARMS:
                raise ValueError(unknown_name(arm, ARMS, "arm"))

    def count_arm(self, arm: str) -> int:
        """How many networks an arm has."""
        return min(self.n_replicates, self.side_replicates) if arm in self.side_arms else self.n_replicates

    def of_arm(self, arm: str) -> Self:
        """The settings with as many replicates as an arm has."""
        return dataclasses.replace(self, n_replicates=self.count_arm(arm))

    @property
    def task_set(self) -> TaskSet:
        """The battery as a task set."""
        return TaskSet(names=self.tasks, preset=self.preset, encoding=self.encoding)

    def network(self, arm: str, match: str = "parameters") -> NetworkConfig:
        """The network of an arm, with as many parameters as the combined one, or as many units."""
        sizes = dict(n_units=self.n_units, rank=self.rank, activation=self.activation)
        reference = NetworkConfig.for_tasks(self.task_set, arm="combined", **sizes)
        return match_size(arm, reference, match)

    @property
    def largest_gap(self) -> float:
        """How far the trained parameters of the arms are apart at equal parameters, see `budget_gap`."""
        return budget_gap(self.network(arm) for arm in self.arms)

    def training(self, arm: str, match: str = "parameters", cue: CueConfig = PLAIN_CUE) -> list[TrainingConfig]:
        """The networks of an arm, one per replicate; their rate falls to zero over the last fifth of the updates."""
        changes = dict(target_score=self.target_score, schedule="late", cue=cue)
        network, tasks = self.network(arm, match), self.task_set
        return [self.recipe(network, tasks, seed, **changes) for seed in self.seeds[: self.count_arm(arm)]]


def check_increasing(
    config: Config, name: str, fewest: int, including: Sequence[float] = (), least: float = -np.inf
) -> None:
    """Check that a setting holds increasing levels, as many as that, these among them, and none below the least.

    Raises:
        ValueError: it does not.
    """
    levels = getattr(config, name)
    increases = len(levels) >= fewest and list(levels) == sorted(set(levels)) and levels[0] >= least
    if not increases or not set(including) <= set(levels):
        start = f" from {least:g} on" if np.isfinite(least) else ""
        needed = f" that include {including}" if including else ""
        raise ValueError(f"{name}: expected {fewest} or more increasing levels{start}{needed}, got {levels}")


def check_least(config: Config, **least: float) -> None:
    """Check that settings are no less than these.

    Raises:
        ValueError: one is.
    """
    for name, smallest in least.items():
        if getattr(config, name) < smallest:
            raise ValueError(f"{name}: expected at least {smallest}, got {getattr(config, name)}")


def all_conditions(config: BatteryConfig) -> list[TrainingConfig]:
    """Every network that the battery needs."""
    return [network for arm in config.arms for network in config.training(arm)]


@dataclass(frozen=True)
class Population:
    """The trained networks of one arm, and how they do on fresh trials of every task."""

    arm: str
    model: CEMRNN
    networks: list[TrainedNetwork]
    scores: np.ndarray  # (M, K), rule last36

    def passed(self, passing_score: float) -> np.ndarray:
        """(M,) bool: networks whose worst task scores at least this, and whose loss was finite throughout."""
        return self.finite & (self.scores.min(axis=1) >= passing_score)

    @property
    def finite(self) -> np.ndarray:
        """(M,) bool: networks whose loss was finite throughout; what the others do means nothing."""
        return np.array([network.status != "failed" for network in self.networks])


def load_populations(config: BatteryConfig) -> list[Population]:
    """The trained and tested networks of every arm at equal parameters; what the store lacks is trained first."""
    return [load_arm(config, config.training(arm)) for arm in config.arms]


def load_arm(config: BatteryConfig, trainings: Sequence[TrainingConfig]) -> Population:
    """The trained and tested networks of one arm; what the store lacks is trained first."""
    model, networks = load_population(trainings, Store.default(), device=config.device)
    seeds = [training.seed for training in trainings]
    scores = score_fresh(model, config.task_set, seeds, config.test_trials, "last36")
    return Population(trainings[0].network.arm, model, networks, scores)


def draw_test_trials(config: BatteryConfig) -> Trials:
    """Fresh trials, the same number of every task in turn, the same for every arm."""
    return draw_fresh(config.task_set, config.seeds, config.test_trials)


def draw_fresh(tasks: TaskSet, seeds: list[int], n_trials: int) -> Trials:
    """`n_trials` test trials of every task, the tasks in turn."""
    total = tasks.n_contexts * n_trials
    return TrialStream(tasks, seeds, name="test").draw(total, np.arange(total) % tasks.n_contexts)


def estimate_chance(config: BatteryConfig, n_trials: int) -> np.ndarray:
    """(K,) accuracy on each task of answers that ignore the stimulus, by rule last36."""
    return np.asarray(chance_level(config.task_set, "last36", seed=config.seed, n_trials=n_trials))


def score_fresh(model: CEMRNN, tasks: TaskSet, seeds: list[int], n_trials: int, rule: str) -> np.ndarray:
    """Score of every network on every task (M, K) on fresh trials; see `answer_fresh`."""
    return answer_fresh(model, tasks, seeds, n_trials, rule).mean(axis=1)


def answer_fresh(model: CEMRNN, tasks: TaskSet, seeds: list[int], n_trials: int, rule: str) -> np.ndarray:
    """Score of every network on every fresh trial (M, n, K), n trials of every task.

    Args:
        model: M networks.
        tasks: what they have to do.
        seeds: one per network, of trials and noise.
        n_trials: per task.
        rule: see `cemrnn.tasks.scores.score_trials`.
    """
    trials = draw_fresh(tasks, seeds, n_trials).to(model.flat.device)
    noise = NoiseStream(seeds, name="test", device=model.flat.device)
    outputs, _ = model.simulate(trials.inputs, trials.cue(), noise=noise, lengths=trials.end_steps)
    return score_trials(outputs, trials, rule).unflatten(1, (n_trials, tasks.n_contexts)).cpu().numpy()


def simulate(model: CEMRNN, trials: Trials, context: Tensor | Told, config: BatteryConfig, name: str) -> Tensor:
    """Outputs (M, B, T, O) with recurrent noise from the named stream, the same on every call."""
    noise = NoiseStream(config.seeds, name=name, device=model.flat.device)
    return model.simulate(trials.inputs, context, noise=noise, lengths=trials.end_steps)[0]
