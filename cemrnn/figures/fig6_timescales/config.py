"""Settings and conditions of figure 6."""

from __future__ import annotations

from dataclasses import dataclass

from cemrnn.figures.shared.battery import LearningConfig, check_increasing, check_least
from cemrnn.network.budget import match_budget
from cemrnn.network.config import NetworkConfig
from cemrnn.tasks import TaskSet
from cemrnn.tasks.cues import CueConfig
from cemrnn.training.config import TrainingConfig

SINGLE = {"excitability": "tau_excitability_ms", "synaptic": "tau_synaptic_ms"}  # arm -> its time constant
CUE = ("switch_share", "settle_ms", "carry_share", "noise_sigma")  # what may happen to the cue in training
N_EVALUATIONS = 4  # of a training, for its history; none of them ends it


@dataclass(frozen=True, kw_only=True)
class TimescalesConfig(LearningConfig):
    """What figure 6 is computed from."""

    taus_ms: tuple[float, ...]  # time constants of the modulators, in ms; all pairs are trained
    n_tasks: int  # rotations that one network learns
    n_units: int  # units of the combined arm; the other arms match its number of parameters
    rank: int  # synaptic components of the combined arm
    switch_share: float  # share of training trials whose cue first names another task
    settle_ms: float  # in training, from the latest switch to the end of the trial
    carry_share: float  # share of training trials that start with the modulators at another task's context
    noise_sigma: float  # noise on the cue in training, drawn anew at each step
    passing_score: float  # worst task with a clear cue, for a network to be compared
    switch_ages_ms: tuple[float, ...]  # time from the switch of the cue until the answer is read
    sigmas: tuple[float, ...]  # noise on the cue in tests
    durations_ms: tuple[float, ...]  # how long a brief cue is on
    interval_arms: tuple[str, ...]  # what the context reaches that is inferred to give intervals back
    interval_units: int  # units of the combined arm there; the others match its trained parameters
    interval_contexts: int  # inferred at each step; Costacurta et al. 2024 take 5
    interval_updates: int  # updates of the weights; theirs 100,000
    interval_replicates: int  # networks of each arm

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("taus_ms", "switch_ages_ms", "sigmas", "durations_ms"):
            check_increasing(self, name, 2, least=0.0)
        if self.taus_ms[0] == 0:
            raise ValueError(f"taus_ms: expected positive time constants, got {self.taus_ms}")
        check_least(self, n_tasks=2)  # so that the cue can switch
        check_least(self, interval_units=1, interval_contexts=1, interval_updates=1, interval_replicates=1)
        shortest_ms = _shortest_trial_ms(self.task_set)
        if self.switch_ages_ms[-1] >= shortest_ms:
            raise ValueError(
                f"switch_ages_ms: expected less than the shortest trial, {shortest_ms:g} ms, got {self.switch_ages_ms}"
            )

    @property
    def task_set(self) -> TaskSet:
        """The rotations as a task set."""
        return TaskSet.rotate(self.n_tasks, preset=self.preset)

    @property
    def cue(self) -> CueConfig:
        """What happens to the cue in training."""
        return CueConfig(**{name: getattr(self, name) for name in CUE})

    def network(self, condition: Condition) -> NetworkConfig:
        """The network of a condition, at the budget of the combined arm."""
        reference = NetworkConfig.for_tasks(
            self.task_set,
            arm="combined",
            n_units=self.n_units,
            rank=self.rank,
            activation=self.activation,
            tau_excitability_ms=condition.tau_excitability_ms or 0.0,
            tau_synaptic_ms=condition.tau_synaptic_ms or 0.0,
        )
        return match_budget(condition.arm, reference)

    def training(self, condition: Condition) -> list[TrainingConfig]:
        """The networks of a condition, one per replicate."""
        network, every = self.network(condition), max(1, self.n_updates // N_EVALUATIONS)
        cued = dict(cue=self.cue, evaluate_every=every)
        return [self.recipe(network, self.task_set, seed, **cued) for seed in self.seeds]

    @property
    def grid(self) -> list[Condition]:
        """Every condition: both single pathways at each time constant, and all pairs."""
        singles = [Condition("excitability", tau, None) for tau in self.taus_ms]
        singles += [Condition("synaptic", None, tau) for tau in self.taus_ms]
        return singles + [Condition("combined", e, s) for e in self.taus_ms for s in self.taus_ms]


def _shortest_trial_ms(tasks: TaskSet) -> float:
    spans = [task.family.durations_ms(tasks.settings).values() for task in tasks.tasks]
    return min(sum(tasks.settings.to_steps(min(span.values)) for span in of_task) for of_task in spans) * tasks.dt_ms


@dataclass(frozen=True)
class Condition:
    """An arm with its time constants; None where the arm has no such pathway."""

    arm: str
    tau_excitability_ms: float | None
    tau_synaptic_ms: float | None

    @property
    def taus_ms(self) -> tuple[float, ...]:
        """The time constants that there are, ms."""
        return tuple(tau for tau in (self.tau_excitability_ms, self.tau_synaptic_ms) if tau is not None)

    @property
    def label(self) -> str:
        """The time constants, for people."""
        named = {"τ_E": self.tau_excitability_ms, "τ_S": self.tau_synaptic_ms}
        return ", ".join(f"{name} = {tau:g} ms" for name, tau in named.items() if tau is not None)
