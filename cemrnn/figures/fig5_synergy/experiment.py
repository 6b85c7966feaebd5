"""Figure 5: whether both pathways together do better than either, on robustness, on packing and on both."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.figures.fig5_synergy.pathways_apart import LESIONS, score_conflict, score_pathway_lesions
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import rotations
from cemrnn.figures.shared.ambiguity import AmbiguityConfig, measure_ambiguity
from cemrnn.figures.shared.battery import SINGLE, load_populations, summarise
from cemrnn.figures.shared.rotations import PackedBatteryConfig, octaves_by_size, score_rotations
from cemrnn.measures.evidence import weigh
from cemrnn.measures.ideal_observer import ideal_sigma
from cemrnn.measures.intervals import Interval, adjust_holm, bootstrap_mean, bootstrap_statistic
from cemrnn.measures.packing import average_thresholds
from cemrnn.measures.synergy import SYNERGY, lesion_excess, swap_statistic
from cemrnn.network.pathways import ARMS
from cemrnn.tasks import conflict_pairs
from cemrnn.tasks.scores import chance_level

conditions = rotations.battery_and_rotations
DESIGN = ("combined", *SINGLE, "plain")  # both, excitability, synaptic, neither
OUTCOMES = ("mixture", "noise", "packing", "joint")


@dataclass(frozen=True, kw_only=True)
class SynergyConfig(AmbiguityConfig, PackedBatteryConfig):
    """What figure 5 is computed from: the networks of figures 1 and 2, and rotations as in figure 3."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.arms) >= set(DESIGN):
            raise ValueError(f"arms: expected the two by two design {', '.join(DESIGN)}, got {', '.join(self.arms)}")

    @property
    def shown_arms(self) -> list[str]:
        """The design, then others whose outcomes are shown beside it."""
        return [*DESIGN, *(arm for arm in self.arms if arm not in DESIGN)]


@experiment
def run(config: SynergyConfig) -> tuple[Tables, Scalars]:
    """Outcomes of the two by two design, measures of synergy with a correction for their number, lesions, conflict."""
    chance = np.asarray(chance_level(config.task_set, "last36", seed=config.seed, n_trials=config.chance_trials))
    populations = {p.arm: p for p in load_populations(config)}
    outcomes = _outcome_table(populations, config, chance)
    lesions = score_pathway_lesions(populations["combined"], config, chance)
    conflict = score_conflict(populations["combined"], config)
    synergy, scalars = _measure(outcomes, lesions, conflict, config)
    tables = {
        "outcomes_networks": outcomes,
        "outcomes": summarise(outcomes, ["arm", "outcome"], "value", seed=config.seed),
        "synergy": synergy,
        "lesions": summarise(lesions, ["lesion"], "accuracy", seed=config.seed),
        "conflict_networks": conflict,
        "conflict": _conflict_table(conflict, config.seed),
    }
    return tables, scalars


def _outcome_table(populations, config: SynergyConfig, chance: np.ndarray) -> pd.DataFrame:
    """One row per arm, outcome and replicate, on a scale from 0 (no context) to 1."""
    pair_chance = float(np.mean([chance[i] for i, _ in conflict_pairs(config.task_set)]))
    ideal = ideal_sigma(0.75, len(config.tasks), pair_chance)
    cells, most = score_rotations(config.rotations), np.log2(config.packing.task_counts[-1])
    rows = []
    for arm in config.shown_arms:
        curves = measure_ambiguity(populations[arm], config, chance)
        robust = curves.networks()
        values = {
            "mixture": robust["auc"].to_numpy(float),
            "noise": robust["sigma75"].to_numpy(float) / ideal,
            "packing": average_thresholds(octaves_by_size(cells, arm, config.rotations)).level / most,
        }
        if not ARMS[arm].pathways:  # ignores the context, so that there is nothing to lose: 0 on both scales
            values |= {name: np.nan_to_num(values[name]) for name in ("mixture", "noise")}
        values["joint"] = np.mean([values[name] for name in OUTCOMES[:3]], axis=0)
        for outcome, by_network in values.items():
            rows += [{"arm": arm, "outcome": outcome, "network": m, "value": v} for m, v in enumerate(by_network)]
    return pd.DataFrame(rows)


def _measure(
    outcomes: pd.DataFrame, lesions: pd.DataFrame, conflict: pd.DataFrame, config: SynergyConfig
) -> tuple[pd.DataFrame, Scalars]:
    """The table of all measures, and the scalars."""
    seed, values = config.seed, _by_arm(outcomes)
    scalars: Scalars = {}
    rows = []

    def add(outcome: str, measure: str, name: str, estimate, *samples: np.ndarray) -> None:
        interval: Interval = estimate(*samples)
        labels = {"outcome": outcome, "measure": measure, "name": name}
        rows.append(labels | interval.to_columns("value") | {"p": interval.p.item()})
        scalars.update(weigh(name, estimate, *samples))

    for outcome in OUTCOMES:
        samples = [values[outcome][arm] for arm in DESIGN]
        for measure, statistic in SYNERGY.items():
            estimate = functools.partial(bootstrap_statistic, statistic, seed=seed)
            add(outcome, measure, f"{outcome}_{measure}", estimate, *samples)
        for arm in config.shown_arms:
            scalars |= bootstrap_mean(values[outcome][arm], seed=seed).to_scalars(f"{outcome}_{arm}")
    mean = functools.partial(bootstrap_mean, seed=seed)
    accuracy = lesions.pivot(index="network", columns="lesion", values="accuracy")
    excess = lesion_excess(*(accuracy[lesion].to_numpy(float) for lesion in LESIONS))
    add("lesion", "excess", "lesion_excess", mean, excess)
    preference = (conflict["excitability"] - conflict["synapses"]).to_numpy(float)
    add("conflict", "preference", "conflict_preference", mean, preference)
    pathways = [values[outcome][arm] for outcome in ("noise", "packing") for arm in SINGLE]
    swap = functools.partial(bootstrap_statistic, swap_statistic(*pathways), seed=seed)
    add("pathways", "swap", "complementarity", swap, *pathways)
    table = pd.DataFrame(rows)
    table["holm"] = adjust_holm(table["p"].to_numpy(float))
    for row in table.itertuples():
        scalars[f"{row.name}_holm"] = float(row.holm)
    scalars |= {"n_measures": len(table), "n_beyond_holm": int((table["holm"] < 0.05).sum())}
    for lesion, values_of in zip(("intact", "without_e", "without_s", "without"), LESIONS, strict=True):
        scalars |= mean(accuracy[values_of].to_numpy(float)).to_scalars(f"lesion_{lesion}")
    for share in ("excitability", "synapses", "neither"):
        scalars |= mean(conflict[share].to_numpy(float)).to_scalars(f"conflict_{share}")
    return table, scalars


def _by_arm(outcomes: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """Outcome -> arm -> (M,) values."""
    values: dict[str, dict[str, np.ndarray]] = {}
    for (outcome, arm), part in outcomes.groupby(["outcome", "arm"]):
        values.setdefault(outcome, {})[arm] = part.sort_values("network")["value"].to_numpy(float)
    return values


def _conflict_table(conflict: pd.DataFrame, seed: int) -> pd.DataFrame:
    long = conflict.melt(id_vars="network", var_name="decides", value_name="share")
    return summarise(long, ["decides"], "share", seed=seed)
