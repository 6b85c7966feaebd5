"""Figure 2: what each arm does when the context is mixed with another, noisy, or weak."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import frames, titles
from cemrnn.figures.shared.ambiguity import AmbiguityConfig, ArmCurves, measure_ambiguity, score_controls
from cemrnn.figures.shared.battery import all_conditions, estimate_chance, load_populations
from cemrnn.measures.ideal_observer import efficiency, ideal_observer, ideal_sigma
from cemrnn.measures.robustness import compare_thresholds
from cemrnn.tasks import conflict_pairs

conditions = all_conditions
MEASURES = ("auc", "sigma75", "kappa75", "blends", "lambda50", "slope")
CONTROLS = (  # scalar, control, what is told of it
    ("accuracy_shuffled_normalised", "shuffled", "favours_cued"),
    ("accuracy_untrained", "untrained", "accuracy"),
)


@experiment
def run(config: AmbiguityConfig) -> tuple[Tables, Scalars]:
    """Curves of normalised accuracy against mixture, noise and strength; thresholds, blends and controls."""
    chance = estimate_chance(config, config.chance_trials)
    populations = load_populations(config)
    arms = {p.arm: measure_ambiguity(p, config, chance) for p in populations}
    controls = pd.concat([score_controls(p, config) for p in populations], ignore_index=True)
    pair_chance = float(np.mean([chance[i] for i, _ in conflict_pairs(config.task_set)]))
    curves = pd.concat([a.curves() for a in arms.values()], ignore_index=True)
    networks = pd.concat([a.networks() for a in arms.values()], ignore_index=True)
    tables = {
        "curves": frames.summarise(curves, ["arm", "manipulation", "level"], "normalised"),
        "choices": _choice_table(curves, config),
        "ideal": _ideal_table(config, pair_chance),
        "measures": frames.summarise_columns(networks, ["arm"], MEASURES),
        "networks": networks,
        "controls": frames.summarise(controls, ["arm", "control"], "accuracy"),
    }
    return tables, _scalars(arms, networks, controls, config, pair_chance)


def _choice_table(curves: pd.DataFrame, config: AmbiguityConfig) -> pd.DataFrame:
    """Share of answers for the cued task, for the other, and for neither, against the mixture."""
    mixture, answers = frames.select(curves, manipulation="mixture"), ("own", "other", "neither")
    table = frames.summarise_columns(mixture, ["arm", "level"], answers)
    return table.rename(columns={"value": "share", "measure": "answer"})


def _ideal_table(config: AmbiguityConfig, chance: float) -> pd.DataFrame:
    sigmas = np.linspace(0, max(config.sigmas), 101)[1:]
    correct = ideal_observer(sigmas, len(config.tasks))
    return pd.DataFrame({"sigma": sigmas, "correct": correct, "normalised": (correct - chance) / (1 - chance)})


def _scalars(
    arms: dict[str, ArmCurves], networks: pd.DataFrame, controls: pd.DataFrame, config: AmbiguityConfig, chance: float
) -> Scalars:
    n_contexts = len(config.tasks)
    scalars: Scalars = {
        "ideal_sigma75": ideal_sigma(0.75, n_contexts, chance),
        "chance": chance,
        "n_pairs": len(conflict_pairs(config.task_set)),
    }
    scalars |= frames.name_compared({arm: curves.passed.sum() for arm, curves in arms.items()})
    scalars |= frames.arm_scalars(networks, MEASURES)
    efficient = {arm: efficiency(curves.sigma75.level, n_contexts, chance=chance) for arm, curves in arms.items()}
    scalars |= frames.mean_scalars(efficient, name="efficiency_{}")
    scalars |= frames.weigh_measures(networks, ("auc", "blends"))
    threshold = functools.partial(compare_thresholds, paired=False)
    for measure in ("sigma75", "kappa75"):
        scalars |= frames.weigh_pathways(measure, {arm: getattr(a, measure) for arm, a in arms.items()}, threshold)
    for name, control, column in CONTROLS:
        # the arms of a replicate share its trials, so their mean is one observation
        by_replicate = frames.select(controls, control=control).groupby("network")[column].mean()
        scalars |= frames.weigh_mean(name, by_replicate)
    together = titles.choose(
        scalars, titles.SYNERGY.format("sigma75"), "helps", "does worse than the better one", "is not shown to help"
    )
    noise = (f"{verb} a noisier context" for verb in ("bears", "bear", "bear"))
    return scalars | {"title": f"{titles.compare_pathways(scalars, 'sigma75', *noise)}, and acting on both {together}"}
