"""Figure 3: how many tasks each arm packs into a network of a given size, and what one more task costs."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd

from cemrnn.figures.fig3_packing import populations
from cemrnn.figures.fig3_packing.populations import PackingConfig, conditions
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import frames, titles
from cemrnn.figures.shared.rotations import RULE, SEPARATE, octaves_by_size, score_rotations, select_scores
from cemrnn.measures import packing
from cemrnn.measures.intervals import estimate_difference, estimate_mean
from cemrnn.measures.robustness import Threshold, compare_thresholds
from cemrnn.tasks.scores import TOLERANCES


@experiment
def run(config: PackingConfig) -> tuple[Tables, Scalars]:
    """Scores over sizes and numbers of tasks, K* and its exponent, interference, and the price of one more task."""
    cells = pd.concat([score_rotations(config), populations.score_separate(config)], ignore_index=True)
    battery, added = populations.score_packed_battery(config), populations.measure_added(config)
    arms = [*config.arms, SEPARATE]
    tables = {
        "cells": cells,
        "scores": frames.summarise(cells, ["arm", "match", "n_units", "n_tasks"], "worst"),
        "packed": _packed_table(cells, arms, config),
        "interference": _interference_table(cells, arms, config),
        "battery_networks": battery,
        "battery": frames.summarise(battery, ["arm", "n_units", "n_tasks"], "worst"),
        "added_networks": added,
        "added": _added_table(added, config),
    }
    return tables, _scalars(tables, arms, config)


def _packed_table(cells: pd.DataFrame, arms: list[str], config: PackingConfig) -> pd.DataFrame:
    """K* of every arm, size and criterion, the octaves with their interval, and K* per unit and per parameter."""
    sizes = [("parameters", n) for n in config.units] + [("units", n) for n in config.equal_units]
    rows = []
    for arm, (match, n_units), criterion in itertools.product(arms, sizes, config.criteria):
        worst = select_scores(cells, arm, match, n_units, "worst")
        kstar = packing.largest_packed(config.task_counts, worst, criterion)
        octaves = packing.octaves_packed(config.task_counts, worst, criterion)
        at = frames.select(cells, arm=arm, match=match, n_units=n_units, n_tasks=max(kstar, 1)).iloc[0]
        rows.append(
            {"arm": arm, "match": match, "n_units": n_units, "criterion": criterion, "kstar": kstar}
            | estimate_mean(octaves.level).to_columns("octaves")
            | {"censored": int(np.sum(octaves.censored != 0))}
            | {"per_unit": kstar / at["own_units"], "per_parameter": kstar / at["n_parameters"]}
        )
    return pd.DataFrame(rows)


def _interference_table(cells: pd.DataFrame, arms: list[str], config: PackingConfig) -> pd.DataFrame:
    """Mean loss of score per task against the number of tasks, at the largest size."""
    means = [select_scores(cells, arm, "parameters", config.units[-1], "mean") for arm in arms]
    axes = {"arm": arms, "network": range(len(means[0])), "n_tasks": config.task_counts}
    lost = frames.lay_out(axes, lost=np.stack([packing.interference(scores) for scores in means]))
    return frames.summarise(lost, ["arm", "n_tasks"], "lost")


def _added_table(added: pd.DataFrame, config: PackingConfig) -> pd.DataFrame:
    """Median updates for one more task, with its interval; networks that never learn it count as the most updates."""
    groups = added.groupby(["arm", "n_tasks"], sort=False)
    labels = groups["n_trained"].first().reset_index()
    table = frames.summarise_rounds(
        labels, [part.to_numpy(float) for _, part in groups["n_updates"]], "updates", seed=config.seed
    )
    return table.assign(reached=groups["reached"].mean().to_numpy())


def _scalars(tables: Tables, arms: list[str], config: PackingConfig) -> Scalars:
    cells = tables["cells"]
    budgets = cells[(cells["match"] == "parameters") & (cells["arm"] != SEPARATE)]
    spread = budgets.groupby(["n_units", "n_tasks"])["n_parameters"].agg(lambda n: n.max() / n.min() - 1)
    scalars: Scalars = {
        "n_networks": len(set(conditions(config))),
        "largest_budget_difference": float(spread.max()),
        "most_tasks": max(config.task_counts),
        "largest_size": max(config.units),
    }
    by_size = {arm: octaves_by_size(cells, arm, config) for arm in arms}
    octaves = {arm: packing.average_thresholds(thresholds) for arm, thresholds in by_size.items()}
    levels = {arm: np.stack([size.level for size in thresholds], axis=1) for arm, thresholds in by_size.items()}
    exponents = {arm: packing.packing_exponent(config.units, of_arm) for arm, of_arm in levels.items()}
    scalars |= frames.mean_scalars({arm: octaves[arm].level for arm in arms}, name="octaves_{}")
    scalars |= frames.mean_scalars(exponents, name="exponent_{}")
    best = frames.select(tables["packed"], match="parameters", criterion=config.criteria[0], n_units=config.units[-1])
    for row in best.itertuples():
        scalars |= {f"kstar_{row.arm}": row.kstar, f"per_parameter_{row.arm}": row.per_parameter}
    for row in tables["added"].groupby("arm", sort=False).last().reset_index().itertuples():
        scalars |= {f"added_updates_{row.arm}": row.updates, f"added_numbers_{row.arm}": row.n_trained}
        scalars |= {f"added_reached_{row.arm}": row.reached}
    return scalars | _evidence(tables, octaves, config)


def _evidence(tables: Tables, octaves: dict[str, Threshold], config: PackingConfig) -> Scalars:
    """What the claims judge: octaves, scores on subsets of the battery, and the control."""
    scores = tables["battery_networks"].groupby(["arm", "network"], as_index=False)["worst"].mean()
    battery, scalars = frames.collect_samples(scores, "arm", "worst"), {}
    threshold = functools.partial(compare_thresholds, paired=False)
    scalars |= frames.weigh_pathways("octaves", octaves, threshold)
    difference = functools.partial(estimate_difference, paired=True)  # a replicate has its own tasks
    scalars |= frames.weigh_pathways("battery", battery, difference)
    above = _above_chance(tables["cells"], config) if "plain" in config.arms else np.full(2, np.nan)
    scalars |= frames.weigh_mean("plain_above_chance", above)
    battery = dict.fromkeys((*frames.SINGLE, "combined"), [np.nan]) | battery
    together = titles.choose(
        scalars,
        titles.SYNERGY.format("battery"),
        "pack more than the better one",
        "pack fewer than the better one",
        "are not shown to pack more",
    )
    tasks = (f"{verb} more tasks into a network" for verb in ("packs", "pack", "pack"))
    scalars["title"] = f"{titles.compare_pathways(scalars, 'battery', *tasks)}, and both together {together}"
    return scalars | frames.mean_scalars(battery, name="battery_{}")


def _above_chance(cells: pd.DataFrame, config: PackingConfig) -> np.ndarray:
    """(M,) mean score of plain networks with the most rotations, above that of the best answer for all tasks."""
    means = [select_scores(cells, "plain", "parameters", n, "mean")[:, -1] for n in config.units]
    return np.mean(means, axis=0) - packing.blind_share(config.task_counts[-1], TOLERANCES[RULE]["direction"])
