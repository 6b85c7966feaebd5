"""Figure 3: how much each arm packs into a network of a given size, how fast it learns, and what one more map costs."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from cemrnn.figures.fig3_packing import populations
from cemrnn.figures.fig3_packing.populations import PackingConfig, conditions
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import frames, titles
from cemrnn.figures.shared.packing import (
    MATCHES,
    SEPARATE,
    PackingCell,
    common_cells,
    count_cells,
    decisive_cells,
    find_largest_gap,
    measure_cells,
)
from cemrnn.measures import packing
from cemrnn.measures.intervals import estimate_mean
from cemrnn.measures.robustness import Threshold, compare_thresholds
from cemrnn.network.config import count_context_parameters
from cemrnn.tasks.maps import bits_per_map, permutation

CELL = list(PackingCell._fields)
# Trained networks that are the same at both readings agree in these.
NETWORK = ["arm", "own_units", "rank", "n_parameters", "n_tasks", "n_sites", "network", "bits"]
LAW_SHARES = (  # measure, whose squared errors, as a share of whose
    ("law_explained", "law", "all"),
    ("demand_explained", "demand", "all"),
    ("law_beyond_demand", "law", "demand"),
)
FULL = 0.9  # share of what is asked for, below which a network is full


@experiment
def run(config: PackingConfig) -> tuple[Tables, Scalars]:
    """Accuracy over sizes, numbers and kinds of tasks, K*, bits, speed of learning, the battery, one more map."""
    main = measure_cells(config.main_cells() + config.site_cells(), config)
    beside = measure_cells(config.side_cells() + config.rotation_cells(), config)
    networks = pd.concat([main, beside, populations.measure_separate(config)], ignore_index=True)
    battery, added = populations.measure_battery(config), populations.measure_added(config)
    counted = count_cells(networks, config.settled_rise)
    tables = {
        "networks": networks,
        "cells": _summarise_cells(networks, counted),
        "packed": _packed_table(networks, config),
        "speed": _speed_table(networks, config),
        "battery_networks": battery,
        "battery": frames.summarise(battery, ["arm", "match", "n_units"], "worst"),
        "added_networks": added,
        "added": frames.summarise_columns(added, ["arm", "n_trained"], ["score", "n_updates"]),
        "contexts": _context_table(config),
    }
    scalars = _scalars(tables, counted, config)
    tables["contexts"] = _predict_packed(tables["contexts"], scalars["law_bits"])
    return tables, scalars


def _summarise_cells(networks: pd.DataFrame, counted: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy of every cell with its interval, bits, numbers trained, and whether the cell counts."""
    table = frames.summarise(networks, CELL, "accuracy").merge(counted, on=CELL)
    means = networks.groupby(CELL, sort=False)[["worst", "bits", "n_parameters", "own_units"]].mean().reset_index()
    return table.merge(means, on=CELL)


def _take(networks: pd.DataFrame, column: str, config: PackingConfig, **where) -> np.ndarray:
    """(M, L) of a column for one arm and size, by number of maps."""
    rows = frames.select(networks, n_sites=config.n_sites, **where)
    return rows.pivot(index="network", columns="n_tasks", values=column).to_numpy(float)


def _packed_table(networks: pd.DataFrame, config: PackingConfig) -> pd.DataFrame:
    """K* of every arm, reading and size in octaves, with its interval and how many networks lie outside the grid."""
    rows = []
    for arm, match, n_units in itertools.product([*config.arms, SEPARATE], MATCHES, config.units):
        scores = _take(networks, "accuracy", config, arm=arm, match=match, n_units=n_units)
        octaves = packing.octaves_packed(config.task_counts, scores, config.criterion)
        row = {"arm": arm, "match": match, "n_units": n_units} | estimate_mean(octaves.level).to_columns("octaves")
        rows.append(row | {"below": int(np.sum(octaves.censored < 0)), "above": int(np.sum(octaves.censored > 0))})
    return pd.DataFrame(rows)


def _speed_table(networks: pd.DataFrame, config: PackingConfig) -> pd.DataFrame:
    """Median updates until the criterion, with its interval, and the share of networks that got there."""
    rows = frames.select(networks[networks["arm"].isin(config.arms)], n_sites=config.n_sites)
    groups = rows.groupby(CELL, sort=False)
    labels = groups["learned"].mean().reset_index()
    samples = [part["updates"].to_numpy(float) for _, part in groups]
    return frames.summarise_rounds(labels, samples, "updates", seed=config.seed)


def _context_table(config: PackingConfig) -> pd.DataFrame:
    """What a context brings to every arm of every size, at both readings, and how many bits a map asks for.

    For perfect answers, and for those at the criterion of K*.
    """
    rows, sites = [], sorted({config.n_sites, *config.site_counts})
    for arm, match, n_units in itertools.product(config.arms, MATCHES, config.units):
        cell = PackingCell(arm, match, n_units, config.middle_count, config.n_sites)
        training = config.packed(cell)[0]
        own = count_context_parameters(training.network)
        row = {"arm": arm, "match": match, "n_units": n_units, "n_per_context": own}
        row["n_shared"] = training.n_parameters - own * cell.n_tasks
        for n_sites in sites:
            bits, share = bits_per_map(n_sites), float(packing.kept_share(config.criterion, n_sites))
            rows.append(row | {"n_sites": n_sites, "bits_per_map": bits, "bits_at_criterion": share * bits})
    return pd.DataFrame(rows)


def _predict_packed(contexts: pd.DataFrame, bits: float) -> pd.DataFrame:
    """The table of contexts with the K* that follows from a number of bits per trained number; infinite: no bound.

    K* asks for accuracy at the criterion, at which a map needs fewer bits than for perfect answers.
    """
    rows = contexts[["n_shared", "n_per_context", "bits_at_criterion"]].itertuples(index=False)
    return contexts.assign(kstar=[packing.predict_packed(*row, bits) for row in rows])


def _scalars(tables: Tables, counted: pd.DataFrame, config: PackingConfig) -> Scalars:
    networks = tables["networks"]
    scalars: Scalars = {
        "n_networks": len(conditions(config)),
        "largest_budget_difference": find_largest_gap(config),
        "bits_per_map": bits_per_map(config.n_sites),
        "n_sites": config.n_sites,
        "fewest_tasks": min(config.task_counts),
        "most_tasks": max(config.task_counts),
        "smallest_size": min(config.units),
        "largest_size": max(config.units),
        "criterion": config.criterion,
    }
    scalars |= _evidence(networks, counted, config) | _law(networks, counted, tables["contexts"], config)
    scalars |= _weigh_battery(tables["battery_networks"], config)
    added = tables["added_networks"]
    scalars |= frames.mean_scalars(frames.TOLD | frames.collect_samples(added, "arm", "score"), name="added_score_{}")
    prices = added.groupby("arm")["n_trained"].first().to_dict()
    scalars |= {f"price_{arm}": price for arm, price in (dict.fromkeys(frames.TOLD, np.nan) | prices).items()}
    largest = frames.select(tables["packed"], n_units=config.units[-1])
    scalars |= frames.row_scalars(largest, "octaves_{match}_{arm}", "octaves")
    scalars |= {f"kstar_units_{arm}": 2.0 ** scalars.get(f"octaves_units_{arm}", np.nan) for arm in frames.TOLD}
    return scalars | {"title": name_outcome(scalars)}


def _weigh_battery(networks: pd.DataFrame, config: PackingConfig) -> Scalars:
    """The score on the worst task of a subset, over sizes, and the smallest size that learns all of a subset."""
    means = networks.groupby(["arm", "match", "network"], as_index=False)["worst"].mean()
    scalars: Scalars = {}
    for match in MATCHES:
        samples = frames.collect_samples(frames.select(means, match=match), "arm", "worst")
        scalars |= frames.weigh_pathways(f"battery_{match}", samples)
        scalars |= frames.mean_scalars(frames.TOLD | samples, name=f"battery_{match}_{{}}")
        worst = {arm: _spread_sizes(frames.select(networks, match=match, arm=arm)) for arm in config.arms}
        sizes = {arm: packing.octaves_needed(config.battery_units, x, config.criterion) for arm, x in worst.items()}
        scalars |= frames.weigh_pathways(f"size_{match}", sizes, lambda *s: compare_thresholds(*s, paired=True))
        known = dict.fromkeys(frames.TOLD, np.nan)
        known |= {arm: 2.0 ** pd.Series(size.level).median() for arm, size in sizes.items()}  # of those that are known
        scalars |= {f"size_{match}_{arm}": n_units for arm, n_units in known.items()}
    bounds = {"smallest_battery": config.battery_units[0], "largest_battery": config.battery_units[-1]}
    return scalars | bounds | {"battery_count": config.battery_count}


def _spread_sizes(networks: pd.DataFrame) -> np.ndarray:
    """(M, L) score on the worst task of a subset, by size."""
    return networks.pivot(index="network", columns="n_units", values="worst").to_numpy(float)


def _evidence(networks: pd.DataFrame, counted: pd.DataFrame, config: PackingConfig) -> Scalars:
    """Accuracy and speed at both readings, and the control."""
    scalars: Scalars = {}
    usual = frames.select(networks, n_sites=config.n_sites)
    n_cells = len(config.units) * len(config.task_counts)
    for match in MATCHES:
        rows = frames.select(usual, match=match)
        scalars[f"n_cells_{match}"] = n_cells
        for name, arms in (("counted", config.arms), ("pair", frames.SINGLE)):
            common = common_cells(rows, arms, counted)
            scalars[f"n_{name}_{match}"] = len(common[["n_units", "n_tasks"]].drop_duplicates())
        decisive, pair = (decisive_cells(rows, arms, counted, n_cells) for arms in (config.arms, frames.SINGLE))
        scalars |= frames.weigh_pathways(f"accuracy_{match}", _mean_samples(decisive))
        scalars |= frames.weigh_pathways(f"accuracy_{match}", _mean_samples(pair), both=False)  # where these two count
        for name, n_tasks in (("fewest", min(config.task_counts)), ("most", max(config.task_counts))):
            among = _mean_samples(frames.select(pair, n_tasks=n_tasks))
            scalars |= frames.weigh_pathways(f"accuracy_{match}_{name}", among, both=False)
        scalars |= _below_ceiling(decisive, match, config.target_score)
        everywhere = rows[rows["arm"].isin([*config.arms, SEPARATE])]
        everywhere = everywhere.groupby(["arm", "network"], as_index=False)["accuracy"].mean()
        collected = frames.collect_samples(everywhere, "arm", "accuracy")
        scalars |= frames.mean_scalars(collected, name=f"everywhere_{match}_{{}}")
        speeds = {arm: _octaves_of_updates(frames.select(rows, arm=arm), config) for arm in config.arms}
        scalars |= frames.weigh_pathways(f"speed_{match}", speeds, lambda *s: compare_thresholds(*s, paired=False))
    return scalars | frames.weigh_mean("plain_above_chance", _above_chance(networks, config))


def _mean_samples(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Arm -> (M,) mean accuracy over the cells of the rows."""
    means = rows.groupby(["arm", "network"], as_index=False)["accuracy"].mean()
    return frames.collect_samples(means, "arm", "accuracy")


def _below_ceiling(decisive: pd.DataFrame, match: str, target: float) -> Scalars:
    """In how many cells that count every arm scores the target, and the differences in the others.

    Training stops at the target, so that arms which all reach it cannot differ by much, whatever they could hold.
    """
    cell = ["n_units", "n_tasks"]
    reached = decisive.groupby([*cell, "arm"])["accuracy"].mean().groupby(cell).min() >= target
    left = decisive[~pd.MultiIndex.from_frame(decisive[cell]).isin(reached.index[reached])]
    scalars = frames.weigh_pathways(f"below_{match}", _mean_samples(left))
    return scalars | {f"n_ceiling_{match}": int(reached.sum()), "target_score": target}


def _octaves_of_updates(rows: pd.DataFrame, config: PackingConfig) -> Threshold:
    """log2 of the updates until the criterion, averaged over sizes (M,); flagged where most never reach it."""
    rows = rows.assign(octaves=np.log2(rows["updates"]))
    groups = rows.groupby("network")
    censored = (groups["learned"].mean() < 0.5).to_numpy(int)
    return Threshold(level=groups["octaves"].mean().to_numpy(), censored=censored)


def _law(networks: pd.DataFrame, counted: pd.DataFrame, contexts: pd.DataFrame, config: PackingConfig) -> Scalars:
    """One number of bits per trained number: fitted to single pathways at equal units, tested on everything else."""
    maps = networks[networks["arm"].isin(config.arms) & (networks["n_sites"] > 0)].merge(counted, on=CELL)
    maps = maps[maps["counts"] & (maps["bits"] > 0)]
    maps = maps.assign(demand=maps["n_tasks"] * maps["n_sites"].map(bits_per_map))
    fitted = (maps["match"] == "units") & (maps["arm"] != "combined")
    full = maps["bits"] < FULL * maps["demand"]  # where the number of parameters may be what limits
    if not (full[fitted].any() and full[~fitted].any()):
        maps = maps[:0]
        fitted = fitted[:0]
    bits = packing.fit_bits_per_parameter(*(maps[fitted][name] for name in ("demand", "n_parameters", "bits")))
    rest = maps[~fitted].drop_duplicates(NETWORK)  # small combined networks are the same at both readings
    predicted = packing.predict_bits(rest["demand"], rest["n_parameters"], bits)
    errors = {"law": rest["bits"] / predicted, "demand": rest["bits"] / rest["demand"]}
    rest = rest.assign(log=np.log(rest["bits"]), **{name: np.log(error) ** 2 for name, error in errors.items()})
    groups = rest.groupby("network")
    left = {name: groups[name].sum() for name in errors}
    left["all"] = groups["log"].apply(lambda x: np.sum((x - x.mean()) ** 2))
    scalars: Scalars = {}
    for name, numerator, denominator in LAW_SHARES:  # where nothing is left there is nothing to explain
        share = 1 - left[numerator] / left[denominator].where(left[denominator] > 0)
        scalars |= frames.weigh_mean(name, share.to_numpy(float) if len(share) else np.full(2, np.nan))
    most = maps["bits"] / maps["n_parameters"]
    scalars |= {"law_bits": bits, "most_bits_per_parameter": float(most.max()) if len(most) else np.nan}
    scalars["most_bits_per_unit"] = float((maps["bits"] / maps["own_units"]).max()) if len(maps) else np.nan
    largest = frames.select(contexts, n_units=config.units[-1], n_sites=config.n_sites, match="units")
    largest = _predict_packed(largest, bits)
    kstar = dict.fromkeys(frames.TOLD, np.nan) | dict(zip(largest["arm"], largest["kstar"], strict=True))
    scalars |= {f"law_kstar_{arm}": n if np.isfinite(n) else np.nan for arm, n in kstar.items()}  # or without bound
    return scalars


def _above_chance(networks: pd.DataFrame, config: PackingConfig) -> np.ndarray:
    """(M,) accuracy of plain networks on the most maps, above that of the best answer for all maps."""
    rows = frames.select(networks, arm="plain", n_tasks=config.task_counts[-1], n_sites=config.n_sites)
    if rows.empty:
        return np.full(2, np.nan)
    maps = np.array([permutation(k, config.n_sites) for k in range(config.task_counts[-1])])
    return rows.groupby("network")["accuracy"].mean().to_numpy(float) - packing.majority_share(maps)


def name_outcome(scalars: Scalars) -> str:
    """Both readings in one sentence, where enough networks have settled."""
    named = ("accuracy_units_excitability_minus_synaptic", "accuracy_parameters_excitability_minus_synaptic")
    if not any(np.isfinite(scalars[name]) for name in named):
        return "Networks were still learning when their updates ended, so that what they hold is a lower bound"
    more = ("holds more random maps", "hold more random maps", "hold more random maps")
    first = titles.compare_pathways(scalars, "accuracy_units", *more)
    equal = titles.choose(
        scalars,
        titles.PATHWAYS.format("accuracy_parameters"),
        "excitability holds more",
        "synapses hold more",
        "no difference is shown",
        alike="they hold equally much",
    )
    return f"{first} at equal units; at equal parameters {equal}"
