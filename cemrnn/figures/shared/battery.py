"""The populations behind the figures: one ensemble per arm, equal budgets, same trials; and how well they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from torch import Tensor

from cemrnn.config import Config, unknown_name
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import Interval, bootstrap_mean
from cemrnn.network.budget import match_budget
from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.network.pathways import ARMS, Told
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import TaskSet, Trials, TrialStream
from cemrnn.tasks.scores import score_per_task, score_trials
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import TrainedNetwork, choose_device

SINGLE = ("excitability", "synaptic")  # the two pathways that the claims compare


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

    @property
    def task_set(self) -> TaskSet:
        """The battery as a task set."""
        return TaskSet(names=self.tasks, preset=self.preset, encoding=self.encoding)

    def network(self, arm: str) -> NetworkConfig:
        """The network of an arm, at the budget of the combined one."""
        sizes = dict(n_units=self.n_units, rank=self.rank, activation=self.activation)
        return match_budget(arm, NetworkConfig.for_tasks(self.task_set, arm="combined", **sizes))

    def training(self, arm: str) -> list[TrainingConfig]:
        """The networks of an arm, one per replicate."""
        network, tasks = self.network(arm), self.task_set
        return [
            TrainingConfig(
                network=network,
                tasks=tasks,
                n_updates=self.n_updates,
                batch_trials=self.batch_trials,
                learning_rate=self.learning_rate,
                target_score=self.target_score,
                seed=seed,
            )
            for seed in self.seeds
        ]


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
        """(M,) bool: networks whose worst task scores at least this."""
        return self.scores.min(axis=1) >= passing_score


def load_populations(config: BatteryConfig) -> list[Population]:
    """The trained and tested networks of every arm; what the store lacks is trained first."""
    populations = []
    for arm in config.arms:
        model, networks = load_population(config.training(arm), Store.default(), device=choose_device(config.device))
        populations.append(Population(arm, model, networks, score_tasks(model, config)))
    return populations


def draw_test_trials(config: BatteryConfig) -> Trials:
    """Fresh trials, the same number of every task in turn, the same for every arm."""
    return draw_fresh(config.task_set, config.seeds, config.test_trials)


def score_tasks(model: CEMRNN, config: BatteryConfig) -> np.ndarray:
    """Score of every network on every task (M, K) on fresh trials, by rule last36.

    Args:
        model: M networks.
        config: tasks, seeds and number of trials.
    """
    return score_fresh(model, config.task_set, config.seeds, config.test_trials, "last36")


def draw_fresh(tasks: TaskSet, seeds: list[int], n_trials: int) -> Trials:
    """`n_trials` test trials of every task, the tasks in turn."""
    total = tasks.n_contexts * n_trials
    return TrialStream(tasks, seeds, name="test").draw(total, np.arange(total) % tasks.n_contexts)


def score_fresh(model: CEMRNN, tasks: TaskSet, seeds: list[int], n_trials: int, rule: str) -> np.ndarray:
    """Score of every network on every task (M, K) on fresh trials.

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
    return score_per_task(score_trials(outputs, trials, rule), trials.task, tasks.n_contexts).cpu().numpy()


def simulate(
    model: CEMRNN,
    trials: Trials,
    context: Tensor | Told,
    config: BatteryConfig,
    name: str,
) -> Tensor:
    """Outputs (M, B, T, O) with recurrent noise from the named stream, the same on every call."""
    noise = NoiseStream(config.seeds, name=name, device=model.flat.device)
    return model.simulate(trials.inputs, context, noise=noise, lengths=trials.end_steps)[0]


def summarise(table: pd.DataFrame, by: list[str], value: str, *, seed: int) -> pd.DataFrame:
    """Mean and 95 % interval over replicates for every group of a long table with one row per network."""
    rows = []
    for group, part in table.groupby(by, sort=False):
        interval = bootstrap_mean(part[value].to_numpy(float), seed=seed)
        rows.append(dict(zip(by, group, strict=True)) | interval.to_columns(value))
    return pd.DataFrame(rows)


def collect_samples(table: pd.DataFrame, column: str, value: str) -> dict[str, np.ndarray]:
    """Entry of a column, e.g. an arm -> (M,) values in the order of the networks."""
    groups = table.groupby(column, sort=False)
    return {name: part.sort_values("network")[value].to_numpy(float) for name, part in groups}


def mean_scalars(samples: Mapping[str, np.ndarray], *, seed: int) -> dict[str, float | int]:
    """Mean and interval over replicates of every sample (M,), as scalars under its name."""
    intervals = {name: bootstrap_mean(np.asarray(sample, float), seed=seed) for name, sample in samples.items()}
    return {key: value for name, interval in intervals.items() for key, value in interval.to_scalars(name).items()}


def weigh_pathways(
    measure: str, estimate: Callable[..., Interval], samples: Mapping[str, Sequence], *, both: bool = True
) -> dict[str, float | int]:
    """The evidence on the pathways: excitability minus synaptic and, with `both`, combined minus the better of them.

    Args:
        measure: how the scalars begin.
        estimate: samples -> Interval of one number.
        samples: arm -> what is compared, with the replicate on axis 0.
        both: whether combined networks are compared too.
    """
    single = [samples[arm] for arm in SINGLE]
    scalars = weigh(f"{measure}_excitability_minus_synaptic", estimate, *single)
    if both:
        scalars |= weigh(f"{measure}_combined_minus_best_single", estimate, samples["combined"], *single)
    return scalars


def summarise_measures(networks: pd.DataFrame, measures: Iterable[str], *, seed: int) -> pd.DataFrame:
    """Mean and interval of every measure (a column of `networks`) in every arm: arm, measure, value, low, high, n."""
    parts = []
    for measure in measures:
        part = summarise(networks, ["arm"], measure, seed=seed)
        parts.append(part.rename(columns={measure: "value"}).assign(measure=measure))
    return pd.concat(parts, ignore_index=True)
