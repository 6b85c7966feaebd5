"""Networks that were trained with a clean or with a noisy cue, each tested under every kind of ambiguity."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from cemrnn.figures.fig2_ambiguity.config import RobustnessConfig
from cemrnn.figures.shared.ambiguity import ConflictTrials, draw_conflicts, draw_cue_noise
from cemrnn.figures.shared.battery import Population, simulate
from cemrnn.figures.shared.conflict_groups import PopulationKey, seen_by
from cemrnn.figures.shared.frames import lay_out
from cemrnn.measures.robustness import average_pairs, normalise_accuracy
from cemrnn.tasks.counted import derive_keys
from cemrnn.tasks.cues import centre, draw_step_noise, mix_cues, switch_cue, weaken_cue

TESTS = ("clean", "frozen noise", "step noise", "mixture", "weak", "brief", "late", "switch")


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
    """One row per network and test: normalised accuracy on conflict trials; NaN for networks that are not compared."""
    config = seen_by(key, config)
    conflicts = draw_conflicts(config, population.model.flat.device)
    right = {}
    for name, cue in disturb(conflicts, config).items():
        outputs = simulate(population.model, conflicts.trials, cue, config, "ambiguity")
        right[name] = conflicts.answers(outputs)[0]  # (M, P)
    passed, zero = population.passed(config.passing_score), chance[conflicts.pairs[:, 0]]
    normal = [normalise_accuracy(own, zero, right["clean"]) for own in right.values()]
    accuracy = np.stack([average_pairs(values[..., None], passed)[:, 0] for values in normal])
    axes = {"group": [key.group], "arm": [key.arm], "test": list(right), "network": range(len(passed))}
    return lay_out(axes, accuracy=accuracy)
