"""Figure 6: modulators that follow the context with time constants of their own: speed against tolerance of noise."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cemrnn.budget import match_budget
from cemrnn.config import Config
from cemrnn.cues import CueConfig
from cemrnn.evidence import weigh
from cemrnn.experiments.remembered import remember
from cemrnn.experiments.result import Result
from cemrnn.experiments.switching import THRESHOLDS, Condition, Responses, draw_switches, measure_condition
from cemrnn.intervals import Interval, bootstrap_mean, bootstrap_statistic
from cemrnn.learner import choose_device
from cemrnn.model import NetworkConfig
from cemrnn.pareto import choose_beyond_front, measure_beyond_front
from cemrnn.robustness import Threshold, compare_thresholds
from cemrnn.store import Store
from cemrnn.sweep import load_population
from cemrnn.tasks import TaskSet
from cemrnn.training import TrainingConfig

STEM = "fig6_timescales"
SINGLE = {"excitability": "tau_excitability_ms", "synaptic": "tau_synaptic_ms"}  # arm -> its time constant
BUDGET_TOLERANCE = 0.04  # what networks of some thirty units can meet
N_EVALUATIONS = 4  # of a training, for its history; none of them ends it


@dataclass(frozen=True, kw_only=True)
class TimescalesConfig(Config):
    """What figure 6 is computed from."""

    taus_ms: tuple[float, ...]  # time constants of the modulators; all pairs are trained
    n_tasks: int  # K rotations
    preset: Literal["yang", "driscoll", "fast"]  # time step, durations and noise of the tasks
    n_units: int  # N of the combined arm; the others match its trained parameters
    rank: int  # R of the combined arm
    activation: str  # phi
    n_replicates: int  # networks per condition
    seed: int  # of the first replicate; the others follow
    n_updates: int  # the same for all
    batch_trials: int  # trials per update and network
    learning_rate: float  # Adam's
    switch_share: float  # of training trials whose cue first names another task
    settle_ms: float  # in training, from the latest switch to the end of the trial
    carry_share: float  # of training trials at whose start the modulators are settled at another task's context
    noise_sigma: float  # in training, on every cue channel, anew at each step
    passing_score: float  # worst task with a clear cue, for a network to be compared
    test_trials: int  # per task
    switch_ages_ms: tuple[float, ...]  # in tests, how long the right cue has been on when the answer is read
    sigmas: tuple[float, ...]  # in tests, noise on every cue channel, anew at each step
    durations_ms: tuple[float, ...]  # in tests, how long the cue is on from the start of the trial
    device: Literal["auto", "cpu", "cuda"]  # where networks train and run

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("taus_ms", "switch_ages_ms", "sigmas", "durations_ms"):
            levels = getattr(self, name)
            if len(levels) < 2 or list(levels) != sorted(set(levels)) or levels[0] < 0:
                raise ValueError(f"{name}: expected two or more increasing numbers from 0 on, got {levels}")
        if self.taus_ms[0] == 0:
            raise ValueError(f"taus_ms: expected positive time constants, got {self.taus_ms}")
        if self.n_tasks < 2:
            raise ValueError(f"n_tasks: expected at least 2, so that the cue can switch, got {self.n_tasks}")
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
    def seeds(self) -> list[int]:
        """One per replicate."""
        return [self.seed + m for m in range(self.n_replicates)]

    @property
    def cue(self) -> CueConfig:
        """What happens to the cue in training."""
        return CueConfig(
            switch_share=self.switch_share,
            settle_ms=self.settle_ms,
            carry_share=self.carry_share,
            noise_sigma=self.noise_sigma,
        )

    def network(self, condition: Condition) -> NetworkConfig:
        """The network of a condition, at the budget of the combined arm."""
        tasks = self.task_set
        reference = NetworkConfig(
            arm="combined",
            n_units=self.n_units,
            rank=self.rank,
            n_contexts=tasks.n_contexts,
            n_inputs=tasks.n_inputs,
            n_outputs=tasks.n_outputs,
            dt_ms=tasks.dt_ms,
            tau_ms=tasks.tau_ms,
            activation=self.activation,
            tau_excitability_ms=condition.tau_excitability_ms or 0.0,
            tau_synaptic_ms=condition.tau_synaptic_ms or 0.0,
        )
        return match_budget(condition.arm, reference, tolerance=BUDGET_TOLERANCE)

    def training(self, condition: Condition) -> list[TrainingConfig]:
        """The networks of a condition, one per replicate."""
        network = self.network(condition)
        return [
            TrainingConfig(
                network=network,
                tasks=self.task_set,
                n_updates=self.n_updates,
                batch_trials=self.batch_trials,
                learning_rate=self.learning_rate,
                cue=self.cue,
                evaluate_every=max(1, self.n_updates // N_EVALUATIONS),
                seed=seed,
            )
            for seed in self.seeds
        ]

    @property
    def grid(self) -> list[Condition]:
        """Every condition: both single pathways at each time constant, and all pairs."""
        singles = [Condition("excitability", tau, None) for tau in self.taus_ms]
        singles += [Condition("synaptic", None, tau) for tau in self.taus_ms]
        return singles + [Condition("combined", e, s) for e in self.taus_ms for s in self.taus_ms]


def conditions(config: TimescalesConfig) -> list[TrainingConfig]:
    """Every network that the figure needs."""
    return [network for condition in config.grid for network in config.training(condition)]


@remember
def run(config: TimescalesConfig) -> Result:
    """Curves against the age of a switch, noise and duration; thresholds; the front; what lies beyond it."""
    started = time.monotonic()
    device, store = choose_device(config.device), Store.default()
    switches, responses = draw_switches(config, device), []
    for condition in config.grid:
        model, _ = load_population(config.training(condition), store, device=device)
        responses.append(measure_condition(model, condition, switches, config))
    tables = {
        "curves": _curve_table(responses, config),
        "measures": _measure_table(responses, config),
        "networks": _network_table(responses),
    }
    return Result(
        stem=STEM,
        config=config,
        tables=tables,
        scalars=_scalars(responses, config),
        n_replicates=config.n_replicates,
        seconds=time.monotonic() - started,
    )


def _shortest_trial_ms(tasks: TaskSet) -> float:
    spans = [task.family.durations_ms(tasks.settings).values() for task in tasks.tasks]
    return min(sum(tasks.to_steps(min(span.values)) for span in of_task) for of_task in spans) * tasks.dt_ms


def _describe(condition: Condition) -> dict[str, float | str]:
    taus = {name: getattr(condition, name) for name in SINGLE.values()}
    return {"arm": condition.arm} | {name: np.nan if tau is None else tau for name, tau in taus.items()}


def _curve_table(responses: list[Responses], config: TimescalesConfig) -> pd.DataFrame:
    """Normalised accuracy of every condition against every level, mean and interval over networks."""
    parts = []
    for response in responses:
        for curve in THRESHOLDS:
            interval = bootstrap_mean(response.normalised(curve), seed=config.seed)
            columns = {"normalised": interval.value, "low": interval.low, "high": interval.high, "n": interval.n}
            index = _describe(response.condition) | {"manipulation": curve, "level": response.levels[curve]}
            parts.append(pd.DataFrame(index | columns))
    return pd.concat(parts, ignore_index=True)


def _measure_table(responses: list[Responses], config: TimescalesConfig) -> pd.DataFrame:
    """Mean and interval of every measure in every condition."""
    rows = []
    for response in responses:
        for measure, values in response.measures().items():
            interval = bootstrap_mean(values, seed=config.seed)
            bounds = {"value": interval.value, "low": interval.low, "high": interval.high, "n": interval.n}
            rows.append(_describe(response.condition) | {"measure": measure} | {k: v.item() for k, v in bounds.items()})
    return pd.DataFrame(rows)


def _network_table(responses: list[Responses]) -> pd.DataFrame:
    """One row per network: what it is, how it did with a clear cue, every measure, and which lie outside their grid."""
    parts = []
    for response in responses:
        columns = {"network": np.arange(len(response.worst)), "worst": response.worst, "passed": response.passed}
        named = {name: response.threshold(curve) for curve, (_, _, name) in THRESHOLDS.items()}
        censored = {f"{name}_censored": threshold.censored for name, threshold in named.items()}
        parts.append(pd.DataFrame(_describe(response.condition) | columns | response.measures() | censored))
    return pd.concat(parts, ignore_index=True)


def _scalars(responses: list[Responses], config: TimescalesConfig) -> dict[str, float | int | str]:
    seed = config.seed
    passed = np.array([response.passed.sum() for response in responses])
    scalars: dict[str, float | int | str] = {
        "n_conditions": len(responses),
        "n_networks": len(responses) * config.n_replicates,
        "n_failed": int(len(responses) * config.n_replicates - passed.sum()),
        "failed_share": float(1 - passed.sum() / (len(responses) * config.n_replicates)),
        "conditions_not_compared": int((passed < 2).sum()),
        "fastest_ms": config.taus_ms[0],
        "slowest_ms": config.taus_ms[-1],
    }
    for arm in SINGLE:
        compared = [r.condition.taus_ms[0] for r in _of_arm(responses, arm) if r.passed.sum() >= 2]
        scalars[f"slowest_compared_ms_{arm}"] = max(compared, default=np.nan)
    for name, condition in _corners(config).items():
        response = next(r for r in responses if r.condition == condition)
        scalars[f"passed_{name}"] = int(response.passed.sum())
        for measure, values in response.measures().items():
            scalars |= bootstrap_mean(values, seed=seed).to_scalars(f"{measure}_{name}")
    for curve, (_, _, name) in THRESHOLDS.items():
        samples = [_stack_thresholds(_of_arm(responses, arm), curve) for arm in SINGLE]
        scalars |= weigh(f"{name}_slow_minus_fast", lambda *s: compare_slow_and_fast(*s, seed=seed), *samples)
    return scalars | _front_scalars(responses, config)


def _corners(config: TimescalesConfig) -> dict[str, Condition]:
    """The conditions with the shortest and the longest time constant, for the table of the page."""
    ends = {"fast": config.taus_ms[0], "slow": config.taus_ms[-1]}
    corners = {f"excitability_{name}": Condition("excitability", tau, None) for name, tau in ends.items()}
    corners |= {f"synaptic_{name}": Condition("synaptic", None, tau) for name, tau in ends.items()}
    pairs = itertools.product(ends.items(), ends.items())
    return corners | {f"combined_{a}_{b}": Condition("combined", e, s) for (a, e), (b, s) in pairs}


def _front_scalars(responses: list[Responses], config: TimescalesConfig) -> dict[str, float | int | str]:
    """What the front of the single pathways says about pairs of two different time constants."""
    pairs = [r for r in _of_arm(responses, "combined") if len(set(r.condition.taus_ms)) == 2]
    singles = [r for arm in SINGLE for r in _of_arm(responses, arm)]
    samples = [_stack_points(group) for group in (pairs, singles)]
    slack = config.task_set.dt_ms  # latencies are found to about a step of time
    chosen = choose_beyond_front(*samples, slack=slack)
    scalars: dict[str, float | int | str] = {
        "slack_ms": slack,
        "best_pair": "none" if chosen is None else pairs[chosen].condition.label,
    }
    for name, straight in (("beyond_front", False), ("beyond_line", True)):
        scalars |= weigh(
            name,
            lambda *s, straight=straight: measure_beyond_front(*s, seed=config.seed, slack=slack, straight=straight),
            *samples,
        )
    return scalars


def compare_slow_and_fast(*pathways: Threshold, seed: int) -> Interval:
    """Mean threshold of the slowest networks minus that of the fastest, averaged over pathways, with its interval.

    Args:
        pathways: thresholds (M, tau) of one single pathway each, time constants increasing; those with fewer than
            two comparable networks do not count.
        seed: of the bootstrap, which takes all samples as independent.

    Returns:
        Interval of one number; NaN if a pathway has no two time constants that count, or where the slow and the fast
        networks of a pathway lie mostly beyond the same end of the grid, which then hides the difference.
    """
    samples, hidden = [], False
    for pathway in pathways:
        counted = np.flatnonzero((~np.isnan(pathway.level)).sum(axis=0) >= 2)
        if len(counted) < 2:
            return bootstrap_mean(np.array([np.nan]), seed=seed)
        slow, fast = (_take_column(pathway, counted[k]) for k in (-1, 0))
        hidden |= bool(np.isnan(compare_thresholds(slow, fast, paired=False, seed=seed).value))
        samples += [slow.level, fast.level]

    def difference(*values: np.ndarray, axis: int) -> np.ndarray:
        means = [value.mean(axis=axis) for value in values]
        return sum(slow - fast for slow, fast in zip(means[::2], means[1::2], strict=True)) / len(pathways)

    interval = bootstrap_statistic(difference, *samples, seed=seed)
    if not hidden:
        return interval
    nothing = np.full_like(interval.value, np.nan)
    return Interval(value=nothing, low=nothing, high=nothing, n=interval.n, p=nothing)


def _of_arm(responses: list[Responses], arm: str) -> list[Responses]:
    return [response for response in responses if response.condition.arm == arm]


def _stack_thresholds(responses: list[Responses], curve: str) -> Threshold:
    """(M, condition)."""
    thresholds = [response.threshold(curve) for response in responses]
    level, censored = (np.stack([getattr(t, name) for t in thresholds], axis=1) for name in ("level", "censored"))
    return Threshold(level=level, censored=censored)


def _take_column(threshold: Threshold, column: int) -> Threshold:
    return Threshold(level=threshold.level[:, column], censored=threshold.censored[:, column])


def _stack_points(responses: list[Responses]) -> np.ndarray:
    """(M, condition, 2) latency and sigma75."""
    return np.stack([np.stack([r.threshold(c).level for c in ("switch", "noise")], axis=1) for r in responses], axis=1)
