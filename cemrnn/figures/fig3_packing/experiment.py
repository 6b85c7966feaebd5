"""Figure 3: how many tasks each arm packs into a network of a given size, and what one more task costs."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cemrnn.figures.fig3_packing.populations import (
    PackingConfig,
    conditions,
    measure_added,
    score_packed_battery,
    score_separate,
)
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared.battery import SINGLE, collect_samples, mean_scalars, summarise, weigh_pathways
from cemrnn.figures.shared.rotations import RULE, SEPARATE, octaves_by_size, score_rotations, select_scores
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import bootstrap_difference, bootstrap_mean, bootstrap_median
from cemrnn.measures.packing import (
    average_thresholds,
    blind_share,
    interference,
    largest_packed,
    octaves_packed,
    packing_exponent,
)
from cemrnn.measures.robustness import compare_thresholds
from cemrnn.tasks.scores import TOLERANCES


@experiment
def run(config: PackingConfig) -> tuple[Tables, Scalars]:
    """Scores over sizes and numbers of tasks, K* and its exponent, interference, and the price of one more task."""
    cells = pd.concat([score_rotations(config), score_separate(config)], ignore_index=True)
    battery, added = score_packed_battery(config), measure_added(config)
    arms = [*config.arms, SEPARATE]
    tables = {
        "cells": cells,
        "scores": summarise(cells, ["arm", "match", "n_units", "n_tasks"], "worst", seed=config.seed),
        "packed": _packed_table(cells, arms, config),
        "interference": _interference_table(cells, arms, config),
        "battery_networks": battery,
        "battery": summarise(battery, ["arm", "n_units", "n_tasks"], "worst", seed=config.seed),
        "added_networks": added,
        "added": _added_table(added, config),
    }
    return tables, _scalars(tables, arms, config)


def _sizes(config: PackingConfig) -> list[tuple[str, int]]:
    return [("parameters", n) for n in config.units] + [("units", n) for n in config.equal_units]


def _packed_table(cells: pd.DataFrame, arms: list[str], config: PackingConfig) -> pd.DataFrame:
    """K* of every arm, size and criterion, the octaves with their interval, and K* per unit and per parameter."""
    rows = []
    for arm in arms:
        for match, n_units in _sizes(config):
            worst = select_scores(cells, arm, match, n_units, "worst")
            for criterion in config.criteria:
                kstar = largest_packed(config.task_counts, worst, criterion)
                octaves = octaves_packed(config.task_counts, worst, criterion)
                interval = bootstrap_mean(octaves.level, seed=config.seed)
                at = cells[(cells["arm"] == arm) & (cells["match"] == match) & (cells["n_units"] == n_units)]
                at = at[at["n_tasks"] == max(kstar, 1)].iloc[0]
                rows.append(
                    {"arm": arm, "match": match, "n_units": n_units, "criterion": criterion, "kstar": kstar}
                    | interval.to_columns("octaves")
                    | {"censored": int(np.sum(octaves.censored != 0))}
                    | {"per_unit": kstar / at["own_units"], "per_parameter": kstar / at["n_parameters"]}
                )
    return pd.DataFrame(rows)


def _interference_table(cells: pd.DataFrame, arms: list[str], config: PackingConfig) -> pd.DataFrame:
    """Mean loss of score per task against the number of tasks, at the largest size."""
    rows = []
    for arm in arms:
        lost = interference(select_scores(cells, arm, "parameters", config.units[-1], "mean"))
        for column, n_tasks in enumerate(config.task_counts):
            rows += [{"arm": arm, "n_tasks": n_tasks, "lost": value} for value in lost[:, column]]
    return summarise(pd.DataFrame(rows), ["arm", "n_tasks"], "lost", seed=config.seed)


def _added_table(added: pd.DataFrame, config: PackingConfig) -> pd.DataFrame:
    """Median updates for one more task, with its interval; networks that never learn it count as the most updates."""
    rows = []
    for (arm, n_tasks), part in added.groupby(["arm", "n_tasks"], sort=False):
        interval = bootstrap_median(part["n_updates"].to_numpy(float), seed=config.seed)
        row = {"arm": arm, "n_tasks": n_tasks, "n_trained": part["n_trained"].iloc[0]}
        rows.append(row | interval.to_columns("updates") | {"reached": part["reached"].mean()})
    return pd.DataFrame(rows)


def _scalars(tables: dict[str, pd.DataFrame], arms: list[str], config: PackingConfig) -> Scalars:
    cells, seed = tables["cells"], config.seed
    budgets = cells[(cells["match"] == "parameters") & (cells["arm"] != SEPARATE)]
    spread = budgets.groupby(["n_units", "n_tasks"])["n_parameters"].agg(lambda n: n.max() / n.min() - 1)
    scalars: Scalars = {
        "n_networks": len(set(conditions(config))),
        "largest_budget_difference": float(spread.max()),
        "most_tasks": max(config.task_counts),
        "largest_size": max(config.units),
    }
    by_size = {arm: octaves_by_size(cells, arm, config) for arm in arms}
    octaves = {arm: average_thresholds(thresholds) for arm, thresholds in by_size.items()}
    packed_best = tables["packed"]
    packed_best = packed_best[
        (packed_best["match"] == "parameters")
        & (packed_best["criterion"] == config.criteria[0])
        & (packed_best["n_units"] == config.units[-1])
    ].set_index("arm")
    for arm in arms:
        exponents = packing_exponent(config.units, np.stack([size.level for size in by_size[arm]], axis=1))
        scalars |= mean_scalars({f"octaves_{arm}": octaves[arm].level, f"exponent_{arm}": exponents}, seed=seed)
        scalars[f"kstar_{arm}"] = int(packed_best.loc[arm, "kstar"])
        scalars[f"per_parameter_{arm}"] = float(packed_best.loc[arm, "per_parameter"])
    for arm, part in tables["added"].groupby("arm", sort=False):
        last = part.iloc[-1]
        scalars |= {f"added_updates_{arm}": float(last["updates"]), f"added_numbers_{arm}": int(last["n_trained"])}
        scalars[f"added_reached_{arm}"] = float(last["reached"])
    if {*SINGLE, "combined"} <= set(config.arms):
        scalars |= weigh_pathways("octaves", functools.partial(compare_thresholds, paired=False, seed=seed), octaves)
    scores = tables["battery_networks"].groupby(["arm", "network"], as_index=False)["worst"].mean()
    battery = collect_samples(scores, "arm", "worst")
    scalars |= mean_scalars({f"battery_{arm}": sample for arm, sample in battery.items()}, seed=seed)
    if {*SINGLE, "combined"} <= battery.keys():  # paired: a replicate has its own tasks, the same in every arm
        scalars |= weigh_pathways("battery", functools.partial(bootstrap_difference, paired=True, seed=seed), battery)
    if "plain" in config.arms:
        scalars |= weigh(
            "plain_above_chance", functools.partial(bootstrap_mean, seed=seed), _above_chance(cells, config)
        )
    return scalars


def _above_chance(cells: pd.DataFrame, config: PackingConfig) -> np.ndarray:
    """(M,) mean score of plain networks with the most rotations, above that of the best answer for all tasks."""
    means = [select_scores(cells, "plain", "parameters", n, "mean")[:, -1] for n in config.units]
    return np.mean(means, axis=0) - blind_share(config.task_counts[-1], TOLERANCES[RULE]["direction"])
