"""Ambiguous contexts on conflict trials: what a population answers as its cue is mixed, noisy, weak or wrong."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cemrnn.figures.shared.battery import BatteryConfig, Population, check_increasing, simulate
from cemrnn.figures.shared.frames import lay_out
from cemrnn.measures import robustness
from cemrnn.measures.ideal_observer import matches, observe
from cemrnn.network.model import CEMRNN
from cemrnn.tasks import TaskSet, Trials, TrialStream, conflict_pairs
from cemrnn.tasks.cues import centre, draw_frozen_noise, mix_cues, weaken_cue
from cemrnn.tasks.scores import matches_response

ANSWERS = ("own", "other", "silent", "astray")  # for the cued task, for the other, none, and any other direction


@dataclass(frozen=True)
class ConflictTrials:
    """Trials on which two tasks require different answers; trial b belongs to pair b % P."""

    trials: Trials  # drawn for the first task of each pair
    pairs: np.ndarray  # (P, 2) task indices
    own: Tensor  # (M, B, K) cues of the first task
    other: Tensor  # (M, B, K) cues of the second task
    other_response: Tensor  # (M, B) what the second task requires, NaN: keep fixation
    possible: Tensor  # (B, K) bool, tasks that show the same stimuli at the same times

    def shown(self, cue: Tensor) -> Tensor:
        """A cue (M, B, K) or (M, B, T, K) as networks receive it: as in training, nothing before its trial's onset."""
        if cue.ndim == 3:
            return dataclasses.replace(self.trials, context=cue).cue()
        steps = torch.arange(cue.shape[2], device=cue.device)
        return cue * (steps >= self.trials.context_onset_steps[..., None])[..., None]

    def answers(self, outputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Share of answers that each pair's first and second task require, (M, P) each."""
        first = matches_response(outputs, self.trials, self.trials.response)
        second = matches_response(outputs, self.trials, self.other_response)
        return self.average(first), self.average(second)

    def silences(self, outputs: Tensor) -> np.ndarray:
        """Share of trials (M, P) on which fixation is kept although neither task requires it."""
        kept = matches_response(outputs, self.trials, torch.full_like(self.other_response, torch.nan))
        return self.average(kept & ~self.trials.response.isnan() & ~self.other_response.isnan())

    def average(self, values: Tensor) -> np.ndarray:
        """Mean over the trials of each pair (M, P), of values (M, B)."""
        return values.unflatten(1, (-1, len(self.pairs))).float().mean(1).cpu().numpy()

    def ideal(self, sigma: float, noise: Tensor) -> np.ndarray:
        """Share of right answers of the ideal observer (M, P), from cues with that noise (M, B, K) of size sigma."""
        cue, answers = (self.own + sigma * noise).cpu().numpy(), self.trials.alternative.cpu().numpy()
        possible = (self.possible & self.trials.alternative_defined).cpu().numpy()
        right = self.trials.response.cpu().numpy()
        given = [observe(*of_network, sigma) for of_network in zip(cue, answers, possible, strict=True)]
        return self.average(torch.from_numpy(matches(np.stack(given), right)))


def list_pairs(tasks: TaskSet) -> np.ndarray:
    """(P, 2) ordered pairs of tasks whose answers can conflict on the trials of either.

    A map is done on the stimuli of delay trials at its sites, while a delay trial is between sites as a rule: such a
    pair is none, because there is no trial in which the map's cue could be right.
    """
    pairs = conflict_pairs(tasks)
    return np.array([pair for pair in pairs if pair[::-1] in pairs], int).reshape(-1, 2)


def draw_conflicts(config: ConflictConfig, device: torch.device) -> ConflictTrials:
    """Conflict trials of every ordered pair, the same for every arm at a given replicate."""
    tasks, pairs = config.task_set, list_pairs(config.task_set)
    first, second = np.tile(pairs, (config.pair_trials, 1)).T
    alike = [[one.family.looks_like(other.family) for other in tasks.tasks] for one in tasks.tasks]
    drawn = TrialStream(tasks, config.seeds, name="ambiguity").draw(len(first), first, conflict_with=second)
    trials = drawn.to(device)
    second_task = torch.as_tensor(second, device=device).expand(config.n_replicates, -1)
    return ConflictTrials(
        trials=trials,
        pairs=pairs,
        own=trials.context,
        other=torch.nn.functional.one_hot(second_task, tasks.n_contexts).to(trials.context.dtype),
        other_response=trials.alternative.gather(2, second_task[..., None])[..., 0],
        possible=torch.tensor(alike)[torch.as_tensor(first)].to(device),
    )


def draw_cue_noise(config: ConflictConfig, cue: Tensor) -> Tensor:
    """Noise (M, B, K) of size 1 on the cues of conflict trials, frozen within a trial; it adds nothing to their sum."""
    return centre(draw_frozen_noise(config.seeds, *cue.shape[1:], "ambiguity", "cue noise").to(cue))


@dataclass(frozen=True)
class ArmCurves:
    """Answers of one arm's networks against the level of each manipulation: mixture, noise and strength."""

    arm: str
    passed: np.ndarray  # (M,) bool, networks that are compared; the others' curves are NaN
    levels: dict[str, np.ndarray]  # manipulation -> (L,)
    own: dict[str, np.ndarray]  # manipulation -> (M, P, L) share of answers of the cued task
    other: dict[str, np.ndarray]  # manipulation -> (M, P, L) share of answers of the other task
    silent: dict[str, np.ndarray]  # manipulation -> (M, P, L) share that wrongly keep fixation
    chance: np.ndarray  # (P,) accuracy of answers that ignore the stimulus
    pairs: np.ndarray  # (P, 2) ordered pairs of tasks

    @functools.cached_property
    def normalised(self) -> dict[str, np.ndarray]:
        """Manipulation -> (M, L) accuracy, 0 at chance and 1 with the clean cue, mean over pairs."""
        clean = self.own["mixture"][:, :, :1]  # level 0: the right cue alone
        return {
            name: robustness.average_pairs(robustness.normalise_accuracy(own, self.chance[:, None], clean), self.passed)
            for name, own in self.own.items()
        }

    def areas(self, manipulation: str, until: float = np.inf) -> np.ndarray:
        """(M, U) mean normalised accuracy over the levels of a manipulation, for every unordered pair of tasks.

        NaN for networks that are not compared.

        Args:
            manipulation: mixture, noise or strength.
            until: the highest level that counts.
        """
        kept = self.levels[manipulation] <= until
        clean, levels = self.own["mixture"][:, :, :1], self.levels[manipulation][kept]
        normalised = robustness.normalise_accuracy(self.own[manipulation][..., kept], self.chance[:, None], clean)
        area = np.trapezoid(normalised, levels, axis=-1) / np.ptp(levels)  # (M, P)
        area[~self.passed] = np.nan
        unordered = list_unordered(self.pairs)
        return np.stack([area[:, rows].mean(axis=1) for rows in unordered.values()], axis=1)

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
            shares = (self.own, self.other, self.silent)
            own, other, silent = (robustness.average_pairs(x[name], self.passed) for x in shares)  # (M, L)
            columns = {"normalised": self.normalised[name], "own": own, "other": other, "silent": silent}
            columns["astray"] = 1 - own - other - silent
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
        columns["noise"] = np.mean(self.areas("noise"), axis=1)
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
    noise = draw_cue_noise(config, own)
    contexts = {
        "mixture": [mix_cues(own, other, level) for level in config.lambdas],
        "noise": [own + level * noise for level in config.sigmas],
        "strength": [weaken_cue(own, level) for level in config.kappas],
    }
    shares = {name: answer_shares(population.model, conflicts, cues, config) for name, cues in contexts.items()}
    return ArmCurves(
        arm=population.arm,
        passed=population.passed(config.passing_score),
        levels=dict(zip(contexts, map(np.array, (config.lambdas, config.sigmas, config.kappas)), strict=True)),
        own={name: first for name, (first, _, _) in shares.items()},
        other={name: second for name, (_, second, _) in shares.items()},
        silent={name: silent for name, (_, _, silent) in shares.items()},
        chance=chance[conflicts.pairs[:, 0]],
        pairs=conflicts.pairs,
    )


def list_unordered(pairs: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """Unordered pair of tasks -> rows of the ordered pairs (P, 2) that it is in, in the order of their first."""
    found: dict[tuple[int, int], list[int]] = {}
    for row, pair in enumerate(pairs.tolist()):
        found.setdefault(tuple(sorted(pair)), []).append(row)
    return found


class Ideal(NamedTuple):
    """Answers of the ideal observer to the conflict trials, at every level of noise on the cue."""

    shares: np.ndarray  # (M, P, L) share of right answers, on the trials of every replicate
    normalised: np.ndarray  # (L,) normalised accuracy


def measure_ideal(config: ConflictConfig, chance: np.ndarray) -> Ideal:
    """What the ideal observer answers to the trials that networks are tested on.

    Args:
        config: levels and numbers of trials.
        chance: (K,) accuracy on each task of answers that ignore the stimulus.
    """
    conflicts = draw_conflicts(config, torch.device("cpu"))
    noise, zero = draw_cue_noise(config, conflicts.own), chance[conflicts.pairs[:, 0]]
    shares = np.stack([conflicts.ideal(sigma, noise) for sigma in config.sigmas], axis=-1)
    normalised = robustness.normalise_accuracy(shares.mean(axis=0), zero[:, None], np.ones((len(zero), 1)))
    return Ideal(shares, normalised.mean(axis=0))


def lead_in_errors(own: np.ndarray, ideal: np.ndarray, n_trials: int) -> np.ndarray:
    """By how many standard errors of sampling a network has more right answers than the ideal observer, (M, L).

    Both answer the same trials, so that the errors are rather too large; 0 where neither ever fails.

    Args:
        own: (M, P, L) share of right answers of every network.
        ideal: (M, P, L) that of the observer.
        n_trials: per ordered pair of tasks and level.
    """
    first, second = own.mean(axis=1), ideal.mean(axis=1)
    variance = (first * (1 - first) + second * (1 - second)) / (n_trials * own.shape[1])
    return np.divide(first - second, np.sqrt(variance), out=np.zeros_like(first), where=variance > 0)


def answer_shares(model: CEMRNN, conflicts: ConflictTrials, cues: list[Tensor], config: ConflictConfig):
    """Shares of answers of the first and of the second task, and of silence, (M, P, L) each."""
    shares = []
    for cue in cues:
        outputs = simulate(model, conflicts.trials, conflicts.shown(cue), config, "ambiguity")
        shares.append((*conflicts.answers(outputs), conflicts.silences(outputs)))
    return tuple(np.stack(share, axis=-1) for share in zip(*shares, strict=True))


@dataclass(frozen=True, kw_only=True)
class ConflictConfig(BatteryConfig):
    """Networks that are tested on conflict trials, with noise on the cue."""

    sigmas: tuple[float, ...]  # noise on every context unit, standard deviation, frozen within a trial
    pair_trials: int  # conflict trials per ordered pair of tasks and level
    chance_trials: int  # trials per task, to estimate chance

    def __post_init__(self) -> None:
        super().__post_init__()
        check_increasing(self, "sigmas", 1, (0.0,))
        if not len(list_pairs(self.task_set)):
            raise ValueError(f"tasks: expected tasks that can conflict on one stimulus, got {self.tasks}")


@dataclass(frozen=True, kw_only=True)
class AmbiguityConfig(ConflictConfig):
    """Networks that are tested with mixed and with weak cues, too."""

    lambdas: tuple[float, ...]  # shares of the other task's cue in the mixture
    kappas: tuple[float, ...]  # shares of the right cue in a mixture with the mean of all cues

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, needed in (("lambdas", (0.0, 0.5, 1.0)), ("kappas", (0.0, 1.0))):
            check_increasing(self, name, len(needed), needed)
