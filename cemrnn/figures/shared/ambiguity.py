"""Ambiguous contexts on conflict trials: what a population answers as its cue is mixed, noisy, weak or wrong."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cemrnn.figures.shared.battery import BatteryConfig, Population, check_increasing, simulate
from cemrnn.figures.shared.frames import lay_out
from cemrnn.measures import robustness
from cemrnn.network.model import CEMRNN
from cemrnn.tasks import Trials, TrialStream, conflict_pairs
from cemrnn.tasks.cues import draw_frozen_noise, mix_cues
from cemrnn.tasks.scores import matches_response


@dataclass(frozen=True)
class ConflictTrials:
    """Trials on which two tasks require different answers; trial b belongs to pair b % P."""

    trials: Trials  # drawn for the first task of each pair
    pairs: np.ndarray  # (P, 2) task indices
    own: Tensor  # (M, B, K) cues of the first task
    other: Tensor  # (M, B, K) cues of the second task
    other_response: Tensor  # (M, B) what the second task requires, NaN: keep fixation

    def answers(self, outputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Share of answers that each pair's first and second task require, (M, P) each."""
        first = matches_response(outputs, self.trials, self.trials.response)
        second = matches_response(outputs, self.trials, self.other_response)
        return tuple(x.unflatten(1, (-1, len(self.pairs))).float().mean(1).cpu().numpy() for x in (first, second))


def draw_conflicts(config: AmbiguityConfig, device: torch.device) -> ConflictTrials:
    """Conflict trials of every ordered pair, the same for every arm at a given replicate."""
    tasks, pairs = config.task_set, np.array(conflict_pairs(config.task_set))
    first, second = np.tile(pairs, (config.pair_trials, 1)).T
    drawn = TrialStream(tasks, config.seeds, name="ambiguity").draw(len(first), first, conflict_with=second)
    trials = drawn.to(device)
    second_task = torch.as_tensor(second, device=device).expand(config.n_replicates, -1)
    return ConflictTrials(
        trials=trials,
        pairs=pairs,
        own=trials.context,
        other=torch.nn.functional.one_hot(second_task, tasks.n_contexts).to(trials.context.dtype),
        other_response=trials.alternative.gather(2, second_task[..., None])[..., 0],
    )


@dataclass(frozen=True)
class ArmCurves:
    """Answers of one arm's networks against the level of each manipulation: mixture, noise and strength."""

    arm: str
    passed: np.ndarray  # (M,) bool, networks that are compared; the others' curves are NaN
    levels: dict[str, np.ndarray]  # manipulation -> (L,)
    own: dict[str, np.ndarray]  # manipulation -> (M, P, L) share of answers of the cued task
    other: dict[str, np.ndarray]  # manipulation -> (M, P, L) share of answers of the other task
    chance: np.ndarray  # (P,) accuracy of answers that ignore the stimulus

    @functools.cached_property
    def normalised(self) -> dict[str, np.ndarray]:
        """Manipulation -> (M, L) accuracy, 0 at chance and 1 with the clean cue, mean over pairs."""
        clean = self.own["mixture"][:, :, :1]  # level 0: the right cue alone
        return {
            name: robustness.average_pairs(robustness.normalise_accuracy(own, self.chance[:, None], clean), self.passed)
            for name, own in self.own.items()
        }

    @functools.cached_property
    def sigma75(self) -> robustness.Threshold:
        """Noise at which normalised accuracy falls to 75 %."""
        return robustness.threshold_level(self.levels["noise"], self.normalised["noise"], 0.75, "falling")

    @functools.cached_property
    def kappa75(self) -> robustness.Threshold:
        """Strength of the cue at which normalised accuracy rises to 75 %."""
        return robustness.threshold_level(self.levels["strength"], self.normalised["strength"], 0.75, "rising")

    def curves(self) -> pd.DataFrame:
        """One row per network, manipulation and level: normalised accuracy and shares of answers."""
        parts = []
        for name, levels in self.levels.items():
            own, other = (robustness.average_pairs(x[name], self.passed) for x in (self.own, self.other))  # (M, L)
            columns = {"normalised": self.normalised[name], "own": own, "other": other, "neither": 1 - own - other}
            axes = {"arm": [self.arm], "network": range(len(own)), "manipulation": [name], "level": levels}
            parts.append(lay_out(axes, **columns))
        return pd.concat(parts, ignore_index=True)

    def networks(self) -> pd.DataFrame:
        """One row per network: every measure of robustness; NaN for networks that are not compared."""
        lambdas = self.levels["mixture"]
        own, other = (robustness.average_pairs(x["mixture"], self.passed) for x in (self.own, self.other))
        even = int(np.flatnonzero(lambdas == 0.5)[0])
        with np.errstate(invalid="ignore"):  # no answer belongs to either task
            fit = robustness.psychometric(lambdas, own / (own + other))
        columns = {"arm": self.arm, "network": np.arange(len(self.passed)), "passed": self.passed}
        columns["auc"] = robustness.area_under_mixture(lambdas, self.normalised["mixture"])
        for name, found in {"sigma75": self.sigma75, "kappa75": self.kappa75}.items():
            columns |= {name: found.level, f"{name}_censored": found.censored}
        blends = (1 - own - other)[:, even]
        return pd.DataFrame(columns | {"blends": blends, "lambda50": fit.lambda_50, "slope": fit.slope})


def measure_ambiguity(population: Population, config: AmbiguityConfig, chance: np.ndarray) -> ArmCurves:
    """Answers of a population at every level of every manipulation, on the same conflict trials throughout.

    Args:
        population: trained networks of one arm.
        config: levels and numbers of trials.
        chance: (K,) accuracy on each task of answers that ignore the stimulus.
    """
    conflicts = draw_conflicts(config, population.model.flat.device)
    own, other = conflicts.own, conflicts.other
    noise = draw_frozen_noise(config.seeds, *own.shape[1:], "ambiguity", "cue noise").to(own)
    contexts = {
        "mixture": [mix_cues(own, other, level) for level in config.lambdas],
        "noise": [own + level * noise for level in config.sigmas],
        "strength": [level * own for level in config.kappas],
    }
    shares = {name: _answer_shares(population.model, conflicts, cues, config) for name, cues in contexts.items()}
    return ArmCurves(
        arm=population.arm,
        passed=population.passed(config.passing_score),
        levels=dict(zip(contexts, map(np.array, (config.lambdas, config.sigmas, config.kappas)), strict=True)),
        own={name: first for name, (first, _) in shares.items()},
        other={name: second for name, (_, second) in shares.items()},
        chance=chance[conflicts.pairs[:, 0]],
    )


def _answer_shares(model: CEMRNN, conflicts: ConflictTrials, cues: list[Tensor], config: AmbiguityConfig):
    answers = [conflicts.answers(simulate(model, conflicts.trials, cue, config, "ambiguity")) for cue in cues]
    first, second = zip(*answers, strict=True)
    return np.stack(first, axis=-1), np.stack(second, axis=-1)  # (M, P, L) each


def _deal_cues(n_trials: int, n_pairs: int) -> np.ndarray:
    """Trial (B,) whose cue each trial gets: over the trials of a pair, the cues of all pairs come round in turn."""
    turn, pair = np.divmod(np.arange(n_trials), n_pairs)
    return turn * n_pairs + (pair + turn) % n_pairs


def score_controls(population: Population, config: AmbiguityConfig) -> pd.DataFrame:
    """Accuracy on conflict trials with the right cue, with cues shuffled over trials, and before training.

    `favours_cued` is the share of answers for the right task minus that for the other, relative to the same with the
    right cue: 0 means that the cue is ignored. Rows of networks that are not compared are NaN, except untrained ones.
    """
    model, passed = population.model, population.passed(config.passing_score)
    conflicts = draw_conflicts(config, model.flat.device)
    shuffled = conflicts.own[:, _deal_cues(conflicts.own.shape[1], len(conflicts.pairs))]
    untrained = CEMRNN(model.config, config.seeds, device=model.flat.device)
    conditions = {
        "clean": (model, conflicts.own),
        "shuffled": (model, shuffled),
        "untrained": (untrained, conflicts.own),
    }
    answers = {
        name: conflicts.answers(simulate(network, conflicts.trials, cue, config, "ambiguity"))
        for name, (network, cue) in conditions.items()
    }
    preference, parts = np.subtract(*answers["clean"]).mean(1), []
    preference[~passed | (preference == 0)] = np.nan
    for name, (own, other) in answers.items():
        kept = passed | (name == "untrained")
        columns = {"accuracy": own.mean(1), "favours_cued": (own - other).mean(1) / preference}
        axes = {"arm": [population.arm], "control": [name], "network": range(len(passed))}
        parts.append(lay_out(axes, **{key: np.where(kept, value, np.nan) for key, value in columns.items()}))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, kw_only=True)
class AmbiguityConfig(BatteryConfig):
    """What figure 2 is computed from."""

    lambdas: tuple[float, ...]  # shares of the other task's cue in the mixture
    sigmas: tuple[float, ...]  # noise on every context unit, standard deviation, frozen within a trial
    kappas: tuple[float, ...]  # strengths of the weakened cue; 1 is the cue of training
    pair_trials: int  # conflict trials per ordered pair of tasks and level
    chance_trials: int  # trials per task, to estimate chance

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, needed in (("lambdas", (0.0, 0.5, 1.0)), ("sigmas", (0.0,)), ("kappas", (0.0, 1.0))):
            check_increasing(self, name, len(needed), needed)
        if not conflict_pairs(self.task_set):
            raise ValueError(f"tasks: expected tasks that can conflict on one stimulus, got {self.tasks}")
