"""Figure 2: what each arm does when the context is mixed with another, noisy, or weak."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared.ambiguity import AmbiguityConfig, ArmCurves, measure_ambiguity, score_controls
from cemrnn.figures.shared.battery import (
    SINGLE,
    all_conditions,
    collect_samples,
    load_populations,
    mean_scalars,
    summarise,
    summarise_measures,
    weigh_pathways,
)
from cemrnn.measures.evidence import weigh
from cemrnn.measures.ideal_observer import efficiency, ideal_observer, ideal_sigma
from cemrnn.measures.intervals import bootstrap_difference, bootstrap_mean
from cemrnn.measures.robustness import compare_thresholds
from cemrnn.tasks import conflict_pairs
from cemrnn.tasks.scores import chance_level

conditions = all_conditions
MEASURES = ("auc", "sigma75", "kappa75", "blends", "lambda50", "slope")


@experiment
def run(config: AmbiguityConfig) -> tuple[Tables, Scalars]:
    """Curves of normalised accuracy against mixture, noise and strength; thresholds, blends and controls."""
    chance = np.asarray(chance_level(config.task_set, "last36", seed=config.seed, n_trials=config.chance_trials))
    populations = load_populations(config)
    arms = {p.arm: measure_ambiguity(p, config, chance) for p in populations}
    controls = pd.concat([score_controls(p, config) for p in populations], ignore_index=True)
    pair_chance = float(np.mean([chance[i] for i, _ in conflict_pairs(config.task_set)]))
    curves = pd.concat([a.curves() for a in arms.values()], ignore_index=True)
    networks = pd.concat([a.networks() for a in arms.values()], ignore_index=True)
    tables = {
        "curves": summarise(curves, ["arm", "manipulation", "level"], "normalised", seed=config.seed),
        "choices": _choice_table(curves, config),
        "ideal": _ideal_table(config, pair_chance),
        "measures": summarise_measures(networks, MEASURES, seed=config.seed),
        "networks": networks,
        "controls": summarise(controls, ["arm", "control"], "accuracy", seed=config.seed),
    }
    return tables, _scalars(arms, networks, controls, config, pair_chance)


def _choice_table(curves: pd.DataFrame, config: AmbiguityConfig) -> pd.DataFrame:
    """Share of answers for the cued task, for the other, and for neither, against the mixture."""
    mixture = curves[curves["manipulation"] == "mixture"]
    parts = []
    for answer in ("own", "other", "neither"):
        part = summarise(mixture, ["arm", "level"], answer, seed=config.seed)
        parts.append(part.rename(columns={answer: "share"}).assign(answer=answer))
    return pd.concat(parts, ignore_index=True)


def _ideal_table(config: AmbiguityConfig, chance: float) -> pd.DataFrame:
    sigmas = np.linspace(0, max(config.sigmas), 101)[1:]
    correct = ideal_observer(sigmas, len(config.tasks))
    return pd.DataFrame({"sigma": sigmas, "correct": correct, "normalised": (correct - chance) / (1 - chance)})


def _scalars(
    arms: dict[str, ArmCurves], networks: pd.DataFrame, controls: pd.DataFrame, config: AmbiguityConfig, chance: float
) -> Scalars:
    seed, n_contexts = config.seed, len(config.tasks)
    scalars: Scalars = {
        "ideal_sigma75": ideal_sigma(0.75, n_contexts, chance),
        "chance": chance,
        "n_pairs": len(conflict_pairs(config.task_set)),
        "arms_compared": ", ".join(arm for arm, a in arms.items() if a.passed.sum() >= 2) or "none",
        "arms_not_compared": ", ".join(arm for arm, a in arms.items() if a.passed.sum() < 2) or "none",
    }
    for arm, part in networks.groupby("arm", sort=False):
        scalars[f"passed_{arm}"] = int(arms[arm].passed.sum())
        samples = {measure: part[measure].to_numpy(float) for measure in MEASURES}
        samples["efficiency"] = efficiency(samples["sigma75"], n_contexts, chance=chance)
        scalars |= mean_scalars({f"{measure}_{arm}": sample for measure, sample in samples.items()}, seed=seed)
    if {*SINGLE, "combined"} <= arms.keys():
        scalars |= _contrasts(arms, networks, seed)
    for name, control, column in (
        ("accuracy_shuffled_normalised", "shuffled", "favours_cued"),
        ("accuracy_untrained", "untrained", "accuracy"),
    ):
        # the arms of a replicate share its trials, so their mean is one observation
        by_replicate = controls[controls["control"] == control].groupby("network")[column].mean()
        scalars |= weigh(name, functools.partial(bootstrap_mean, seed=seed), by_replicate.to_numpy(float))
    return scalars


def _contrasts(arms: dict[str, ArmCurves], networks: pd.DataFrame, seed: int) -> dict[str, float | int]:
    """The differences that the claims judge. Arms are not paired: their networks have nothing but trials in common."""
    difference = functools.partial(bootstrap_difference, paired=False, seed=seed)
    threshold = functools.partial(compare_thresholds, paired=False, seed=seed)
    scalars: Scalars = {}
    for measure in ("auc", "blends"):
        scalars |= weigh_pathways(measure, difference, collect_samples(networks, "arm", measure))
    for measure in ("sigma75", "kappa75"):
        scalars |= weigh_pathways(measure, threshold, {arm: getattr(a, measure) for arm, a in arms.items()})
    return scalars
