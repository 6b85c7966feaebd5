"""Networks that were trained with a clean or with a noisy cue, each tested under every kind of ambiguity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor

from cemrnn.figures.shared.ambiguity import (
    ANSWERS,
    AmbiguityConfig,
    ConflictTrials,
    answer_shares,
    draw_conflicts,
    draw_cue_noise,
)
from cemrnn.figures.shared.battery import Population
from cemrnn.figures.shared.conflict_groups import GroupsConfig, GroupSizes, PopulationKey, seen_by
from cemrnn.figures.shared.frames import lay_out
from cemrnn.measures.robustness import average_pairs, normalise_accuracy
from cemrnn.tasks.counted import derive_keys
from cemrnn.tasks.cues import centre, draw_step_noise, mix_cues, switch_cue, weaken_cue

TESTS = ("clean", "frozen noise", "step noise", "mixture", "weak", "brief", "late", "switch")


@dataclass(frozen=True, kw_only=True)
class DisturbanceSizes(GroupSizes):
    """Which networks are tested under every kind of ambiguity, and how strong each is."""

    test_sigma: float  # frozen noise with which training with and without noise are compared
    test_step_sigma: float  # noise that is drawn anew at each step, for the same
    test_mixture: float  # share of the other task's cue, for the same
    test_strength: float  # share of the right cue in a mixture with the mean of all cues, for the same
    test_ms: float  # how long a brief cue is there, and when a late cue begins or the cue switches


@dataclass(frozen=True, kw_only=True)
class RobustnessConfig(DisturbanceSizes, GroupsConfig, AmbiguityConfig):
    """What figure 2 is computed from."""


def disturb(conflicts: ConflictTrials, config: RobustnessConfig) -> dict[str, Tensor]:
    """Test -> cues of the conflict trials (M, B, K), or (M, B, T, K) where they move within a trial.

    A cue that is not there is the mean of all cues.
    """
    own, other, trials = conflicts.own, conflicts.other, conflicts.trials
    nothing = weaken_cue(own, 0.0)
    moment, n_steps = round(config.test_ms / trials.dt_ms), trials.inputs.shape[2]
    each = centre(draw_step_noise(derive_keys(config.seeds, "ambiguity", "step noise"), 0, trials)).to(own)
    cues = (
        own,
        own + config.test_sigma * draw_cue_noise(config, own),
        own[:, :, None] + config.test_step_sigma * each,
        mix_cues(own, other, config.test_mixture),
        weaken_cue(own, config.test_strength),
        switch_cue(own, nothing, moment, n_steps),
        switch_cue(nothing, own, moment, n_steps),
        switch_cue(other, own, moment, n_steps),
    )
    return dict(zip(TESTS, cues, strict=True))


def measure_tests(
    key: PopulationKey, population: Population, config: RobustnessConfig, chance: np.ndarray
) -> pd.DataFrame:
    """One row per network and test: normalised accuracy on conflict trials, and shares of answers (`ANSWERS`).

    NaN for networks that are not compared.
    """
    config = seen_by(key, config)
    conflicts = draw_conflicts(config, population.model.flat.device)
    cues = disturb(conflicts, config)
    own, other, silent = answer_shares(population.model, conflicts, list(cues.values()), config)  # (M, P, L) each
    passed, zero = population.passed(config.passing_score), chance[conflicts.pairs[:, 0], None]
    normal = normalise_accuracy(own, zero, own[..., :1])  # the first cue is the clean one
    shares = dict(zip(ANSWERS, (own, other, silent, 1 - own - other - silent), strict=True))
    values = {name: average_pairs(x, passed).T for name, x in ({"accuracy": normal} | shares).items()}
    axes = {"group": [key.group], "arm": [key.arm], "test": list(cues), "network": range(len(passed))}
    return lay_out(axes, **values)
