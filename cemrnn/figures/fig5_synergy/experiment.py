"""Figure 5: whether both pathways together do better than either, on robustness, on packing and on both."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.config import field_types
from cemrnn.figures.fig5_synergy.maps import COMPARED, count_where, map_packing, map_robustness, resize
from cemrnn.figures.fig5_synergy.pathways_apart import LESIONS, score_conflict, score_pathway_lesions
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import conflict_groups, packing, titles
from cemrnn.figures.shared.ambiguity import AmbiguityConfig, measure_ambiguity, measure_ideal
from cemrnn.figures.shared.battery import Population, estimate_chance, load_arm, load_populations
from cemrnn.figures.shared.conflict_tests import DisturbanceSizes, RobustnessConfig
from cemrnn.figures.shared.frames import SINGLE, collect_samples, lay_out, mean_scalars, select, summarise
from cemrnn.figures.shared.packing import (
    PackedBatteryConfig,
    count_cells,
    decisive_cells,
    find_largest_gap,
    measure_cells,
)
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import Interval, estimate_mean, estimate_statistic
from cemrnn.measures.multiple_tests import adjust_holm
from cemrnn.measures.packing import kept_share
from cemrnn.measures.robustness import threshold_level
from cemrnn.measures.synergy import LEAST_ROOM, SYNERGY, beyond_best, lesion_excess, swap_statistic
from cemrnn.network.pathways import ARMS
from cemrnn.training.config import TrainingConfig

DESIGN = ("combined", *SINGLE, "plain")  # both, excitability, synaptic, neither
OUTCOMES = ("mixture", "noise", "packing", "joint")
LESION_NAMES = dict(zip(LESIONS, ("intact", "without_e", "without_s", "without"), strict=True))  # in scalars


@dataclass(frozen=True, kw_only=True)
class SynergyConfig(AmbiguityConfig, PackedBatteryConfig):
    """What figure 5 is computed from: the networks of figures 1 and 2, and random maps as in figure 3."""

    robustness: DisturbanceSizes  # of the networks that are tested under every kind of ambiguity
    map_units: tuple[int, ...]  # other sizes in the map of robustness: units of the combined arm
    map_replicates: int  # networks of each arm of another size, at most

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.arms) >= set(DESIGN):
            raise ValueError(f"arms: expected the two by two design {', '.join(DESIGN)}, got {', '.join(self.arms)}")
        if fewer := set(COMPARED) & set(self.side_arms):
            raise ValueError(f"side_arms: expected none of {', '.join(COMPARED)}, got {', '.join(sorted(fewer))}")

    @property
    def shown_arms(self) -> list[str]:
        """The design, then others whose outcomes are shown beside it."""
        return [*DESIGN, *(arm for arm in self.arms if arm not in DESIGN)]

    @property
    def tested(self) -> RobustnessConfig:
        """The populations that are tested under every kind of ambiguity."""
        own = {name: getattr(self, name) for name in field_types(AmbiguityConfig)}
        return RobustnessConfig(**own | vars(self.robustness))

    @property
    def sizes(self) -> list[RobustnessConfig]:
        """Those, and populations of other sizes."""
        others = [n_units for n_units in self.map_units if n_units != self.n_units]
        return [self.tested, *(resize(self.tested, n_units, self.map_replicates) for n_units in others)]


def conditions(config: SynergyConfig) -> list[TrainingConfig]:
    """Every network that the figure needs, each once."""
    networks = packing.battery_and_maps(config) + config.maps.site_conditions()
    for tested in config.sizes:
        networks += conflict_groups.conditions(tested)
    return list(dict.fromkeys(networks))


@experiment
def run(config: SynergyConfig) -> tuple[Tables, Scalars]:
    """Outcomes of the two by two design, measures of synergy with a correction for their number, lesions, conflict."""
    chance = estimate_chance(config, config.chance_trials)
    populations = {p.arm: p for p in load_populations(config)}
    maps = measure_maps(config)
    shown = {arm: populations[arm] for arm in config.shown_arms}
    outcomes = _outcome_table(shown, share_packed(maps, config, "parameters"), config, chance)
    at_units = _outcome_table(
        load_at_equal_units(config, shown["combined"]), share_packed(maps, config, "units"), config, chance
    )
    lesions = score_pathway_lesions(populations["combined"], config, chance)
    conflict = score_conflict(populations["combined"], config)
    long = conflict.melt(id_vars="network", var_name="decides", value_name="share")
    synergy, scalars = _measure(outcomes, at_units, lesions, conflict, config)
    packed = map_packing(maps, config.packing.settled_rise)
    robust = map_robustness(config.sizes, chance)
    scalars |= count_where(packed[packed["counts"]], "map_packing") | count_where(robust, "map_robustness")
    scalars |= count_where(robust[robust["group"].str.startswith("trained")], "map_trained")
    scalars["map_packing_learning"] = int((~packed["counts"]).sum())
    scalars["map_robustness_fewest"] = float(robust.dropna(subset="value")["n"].min())
    gaps = [config.largest_gap, *(tested.largest_gap for tested in config.sizes)]
    scalars["largest_budget_difference"] = max(gaps)
    scalars["largest_budget_difference_maps"] = find_largest_gap(config.maps)
    scalars["map_units"] = ", ".join(str(tested.n_units) for tested in config.sizes)
    tables = {
        "outcomes_networks": outcomes,
        "outcomes": summarise(outcomes, ["arm", "outcome"], "value"),
        "outcomes_units": summarise(at_units, ["arm", "outcome"], "value"),
        "synergy": synergy,
        "lesions": summarise(lesions, ["lesion"], "accuracy"),
        "conflict_networks": conflict,
        "conflict": summarise(long, ["decides"], "share"),
        "map_packing": packed,
        "map_robustness": robust,
    }
    return tables, scalars | {"title": name_outcome(scalars)}


def name_outcome(scalars: Scalars) -> str:
    """The title."""
    said = ("do better than", "do worse than", "are not shown to do better than")
    measures = {"units": "joint_units_beyond_best", "parameters": "joint_beyond_best"}

    def of_reading(match: str) -> str:
        beyond = titles.choose(scalars, measures[match], *said, alike="do as well as")
        return f"Both pathways together {beyond} the better one"

    return titles.at_both_readings(of_reading)


def load_at_equal_units(config: SynergyConfig, combined: Population) -> dict[str, Population]:
    """Arm -> networks that learned the battery with as many units; the combined ones are the same at both readings."""
    tested = config.tested
    singles = {key.arm: load_arm(tested, of_arm) for key, of_arm in tested.populations() if key.group == "units"}
    return {"combined": combined} | singles


def measure_maps(config: SynergyConfig) -> pd.DataFrame:
    """Every network of the shown arms that learns random maps; see `cemrnn.figures.shared.packing.measure_cells`."""
    cells = config.maps.cells() + config.maps.site_cells()
    return measure_cells([cell for cell in cells if cell.arm in config.shown_arms], config.maps)


def _outcome_table(
    populations: dict[str, Population], packed: dict[str, np.ndarray], config: SynergyConfig, chance: np.ndarray
) -> pd.DataFrame:
    """One row per arm, outcome and replicate, on a scale from 0 (no context) to 1."""
    ideal = threshold_level(np.array(config.sigmas), measure_ideal(config, chance).normalised).level.item()
    parts = []
    for arm, population in populations.items():
        curves = measure_ambiguity(population, config.of_arm(arm), chance)
        robust = curves.networks()
        values = {
            "mixture": robust["auc"].to_numpy(float),
            "noise": robust["sigma75"].to_numpy(float) / ideal,
            "packing": packed[arm],
        }
        if not ARMS[arm].pathways:  # ignores the context, so that there is nothing to lose: 0 on both scales
            values |= {name: np.nan_to_num(values[name]) for name in ("mixture", "noise")}
        values["joint"] = np.mean([values[name] for name in OUTCOMES[:3]], axis=0)
        axes = {"arm": [arm], "outcome": OUTCOMES, "network": range(len(values["joint"]))}
        parts.append(lay_out(axes, value=np.stack([values[name] for name in OUTCOMES])))
    return pd.concat(parts, ignore_index=True)


def share_packed(maps: pd.DataFrame, config: SynergyConfig, match: str) -> dict[str, np.ndarray]:
    """Arm -> (M,) share of the information of their random maps that networks hold, at equal parameters or units.

    Averaged over those sizes and numbers of maps in which the networks of all compared arms have settled; NaN if those
    are too few, see `decisive_cells`. As many networks as learned the battery; NaN for those that are lacking.
    """
    usual, cell = select(maps, match=match, n_sites=config.maps.n_sites), ["n_units", "n_tasks"]
    usual = usual.assign(share=kept_share(usual["accuracy"], config.maps.n_sites))
    n_cells, counted = len(usual[cell].drop_duplicates()), count_cells(usual, config.packing.settled_rise)
    decisive = decisive_cells(usual, COMPARED, counted, n_cells)[cell].drop_duplicates()
    usual, shares = usual.merge(decisive, on=cell), {}
    for arm in config.shown_arms:
        of_networks, most = select(usual, arm=arm).groupby("network")["share"].mean(), config.count_arm(arm)
        known = of_networks.to_numpy(float)[:most]
        shares[arm] = np.pad(known, (0, most - len(known)), constant_values=np.nan)
    return shares


def _measure(
    outcomes: pd.DataFrame,
    at_units: pd.DataFrame,
    lesions: pd.DataFrame,
    conflict: pd.DataFrame,
    config: SynergyConfig,
) -> tuple[pd.DataFrame, Scalars]:
    """The table of all measures with what corrects for the number of those that are asked for, and the scalars."""
    rows, scalars = [], {}
    for (outcome, measure, name), estimate, samples in _list_measures(
        outcomes, at_units, lesions, conflict, config.seed
    ):
        interval, labels = estimate(*samples), {"outcome": outcome, "measure": measure, "name": name}
        rows.append(labels | interval.to_columns("value") | {"p": interval.p.item()})
        scalars |= weigh(name, estimate, *samples)
    table = pd.DataFrame(rows)
    table["holm"] = adjust_holm(table["p"].to_numpy(float))
    scalars |= {f"{row.name}_holm": float(row.holm) for row in table.itertuples()}
    scalars |= {"n_measures": int(table["holm"].notna().sum()), "n_beyond_holm": int((table["holm"] < 0.05).sum())}
    scalars["least_room"] = LEAST_ROOM
    for outcome in OUTCOMES:
        samples = collect_samples(select(outcomes, outcome=outcome), "arm", "value")
        scalars |= mean_scalars(samples, name=f"{outcome}_{{}}")
        samples = collect_samples(select(at_units, outcome=outcome), "arm", "value")
        scalars |= mean_scalars(dict.fromkeys(COMPARED, [np.nan]) | samples, name=f"{outcome}_units_{{}}")
    accuracy = collect_samples(lesions.assign(lesion=lesions["lesion"].map(LESION_NAMES)), "lesion", "accuracy")
    scalars |= mean_scalars(accuracy, name="lesion_{}")
    return table, scalars | mean_scalars(conflict.drop(columns="network"), name="conflict_{}")


def _list_measures(
    outcomes: pd.DataFrame, at_units: pd.DataFrame, lesions: pd.DataFrame, conflict: pd.DataFrame, seed: int
) -> list[tuple]:
    """Every measure that is looked at: its labels (outcome, measure, name), how it is estimated, and its samples."""
    values = {name: collect_samples(select(outcomes, outcome=name), "arm", "value") for name in OUTCOMES}
    measures = []
    for outcome, (measure, statistic) in itertools.product(OUTCOMES, SYNERGY.items()):
        samples = [values[outcome][arm] for arm in DESIGN if arm != "plain" or measure == "beyond_sum"]
        estimate = estimate_statistic if measure == "beyond_best" else _estimate_with_room
        estimate = functools.partial(estimate, statistic, seed=seed)
        measures.append(((outcome, measure, f"{outcome}_{measure}"), estimate, samples))
    for outcome in OUTCOMES:
        values_units = collect_samples(select(at_units, outcome=outcome), "arm", "value")
        samples = [values_units.get(arm, np.full(1, np.nan)) for arm in COMPARED]
        estimate = functools.partial(estimate_statistic, beyond_best, seed=seed)
        measures.append(((outcome, "beyond_best_units", f"{outcome}_units_beyond_best"), estimate, samples))
    accuracy = collect_samples(lesions, "lesion", "accuracy")
    excess = lesion_excess(*(accuracy[lesion] for lesion in LESIONS))
    preference = (conflict["excitability"] - conflict["synapses"]).to_numpy(float)
    pathways = [values[outcome][arm] for outcome in ("noise", "packing") for arm in SINGLE]
    swap = functools.partial(estimate_statistic, swap_statistic(*pathways), seed=seed)
    return [
        *measures,
        (("lesion", "excess", "lesion_excess"), estimate_mean, [excess]),
        (("conflict", "preference", "conflict_preference"), estimate_mean, [preference]),
        (("pathways", "swap", "complementarity"), swap, pathways),
    ]


def _estimate_with_room(
    statistic: Callable[..., np.ndarray], both: np.ndarray, *others: np.ndarray, seed: int
) -> Interval:
    """The statistic of both pathways together and the others, hidden where even perfect networks would not exceed it.

    Two pathways that reach half of the scale each leave no room beyond their sum, so that a value below zero says
    nothing of synergy.
    """
    interval = estimate_statistic(statistic, both, *others, seed=seed)
    most = estimate_statistic(statistic, np.ones_like(both), *others, seed=seed).value
    return interval if most >= LEAST_ROOM else interval.hide()
