"""Scores of the same networks at equal updates and at equal time, and the size from which on an arm stops paying."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cemrnn.figures.fig9_overhead_scaling.cost import OverheadConfig
from cemrnn.figures.shared.learning_curves import follow, score_after, time_to_score, worst_histories
from cemrnn.measures.intervals import estimate_difference
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.sweep.workload import time_updates
from cemrnn.training.config import TrainingConfig

REFERENCES = ("plain", "bias")  # no context, and a context that is an input like any other
SPANS = ("n_units", "n_tasks")
MATCHES = ("updates", "time")  # what is equal in all arms, beside the parameters


class Stop(NamedTuple):
    """From which size on an arm stops paying, and the least and the largest size that its intervals allow.

    Not a number: it pays at the largest size that was tested.
    """

    size: float
    low: float
    high: float


class BatteryScores(NamedTuple):
    """Scores on the worst task of the battery, and time."""

    curves: pd.DataFrame  # arm, network, update, seconds (of training) and score
    timed: pd.DataFrame  # arm, network and score when the fastest arm has done all its updates
    passing: pd.DataFrame  # arm, network, seconds until the passing score, and whether it passed; see `time_to_score`


def score_battery_in_time(config: OverheadConfig) -> BatteryScores:
    """The networks of figure 1 against time."""
    populations = {arm: config.training(arm) for arm in config.arms}
    seconds, histories = time_updates(populations), _load_histories(populations, config)
    curves = follow(histories, "score")
    timed = score_after(histories, fit_updates(seconds, config.n_updates))
    return BatteryScores(
        curves=curves.assign(seconds=curves["update"] * curves["arm"].map(seconds)),
        timed=timed,
        passing=time_to_score(histories, seconds, config.passing_score, config.n_updates),
    )


def score_grid(config: OverheadConfig) -> pd.DataFrame:
    """The networks of figure 3: worst-task score of every network at equal updates and at equal time.

    Returns:
        Table with n_units (of the combined arm), n_tasks, arm, network, match (updates or time) and score.
    """
    maps, arms, tables = config.maps, packing_arms(config), []
    at_parameters = [cell for cell in maps.cells() if cell.match == "parameters"]
    cells = {(c.arm, c.n_units, c.n_tasks): maps.packed(c) for c in at_parameters}
    seconds = time_updates(cells)
    for size in itertools.product(maps.units, maps.task_counts):
        histories = _load_histories({arm: cells[arm, *size] for arm in arms}, config)
        in_time = fit_updates({arm: seconds[arm, *size] for arm in arms}, maps.n_updates)
        for match, updates in zip(MATCHES, (dict.fromkeys(in_time, maps.n_updates), in_time), strict=True):
            labels = dict(zip(("n_units", "n_tasks"), size, strict=True))
            tables.append(score_after(histories, updates).assign(**labels, match=match))
    return pd.concat(tables, ignore_index=True)


def packing_arms(config: OverheadConfig) -> list[str]:
    """Arms that are timed and that learn random maps, too."""
    return [arm for arm in config.arms if arm in (*config.packing.arms, *config.packing.side_arms)]


def fit_updates(seconds: Mapping[str, float], n_updates: int) -> dict[str, float]:
    """Updates of every arm, not whole, in the time in which the fastest has done all of its own."""
    return {arm: n_updates * min(seconds.values()) / of_arm for arm, of_arm in seconds.items()}


def _load_histories(
    populations: Mapping[str, Sequence[TrainingConfig]], config: OverheadConfig
) -> dict[str, list[pd.DataFrame]]:
    histories = {}
    for arm, recipes in populations.items():
        _, networks = load_population(recipes, Store.default(), device=config.device)
        histories[arm] = worst_histories(networks, recipes[0].trained_tasks)
    return histories


def compare_arms(grid: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """How much more every arm scores than each reference, over sizes.

    Along units the score is the mean over numbers of tasks, along tasks the mean over units.

    Args:
        grid: from `score_grid`.
        arms: to be compared.

    Returns:
        Table with varied (n_units or n_tasks), size, match (updates or time), reference, arm, difference, low, high, n.
    """
    parts = []
    for varied in SPANS:
        means = grid.groupby(["arm", "network", varied, "match"], sort=False)["score"].mean().unstack([varied, "match"])
        conditions = means.columns.to_frame(index=False).rename(columns={varied: "size"})
        for reference, arm in itertools.product(REFERENCES, arms):
            if arm != reference:
                pair = means.loc[arm].to_numpy(float), means.loc[reference].to_numpy(float)
                gap = estimate_difference(*pair, paired=False)
                labels = {"varied": varied, "reference": reference, "arm": arm}
                parts.append(conditions.assign(**labels, **gap.to_columns("difference")))
    return pd.concat(parts, ignore_index=True)


def find_stops(differences: pd.DataFrame, smallest_effect: float) -> pd.DataFrame:
    """Where every arm stops paying, for each span of sizes, match and reference.

    Args:
        differences: from `compare_arms`.
        smallest_effect: a difference that is smaller does not pay.

    Returns:
        Table with varied, match, reference, arm, size, low and high; see `Stop`.
    """
    rows, by = [], ["varied", "match", "reference", "arm"]
    for labels, part in differences.groupby(by, sort=False):
        part = part.sort_values("size")
        rows.append(dict(zip(by, labels, strict=True)) | find_stop(part, smallest_effect)._asdict())
    return pd.DataFrame(rows)


def find_stop(part: pd.DataFrame, smallest_effect: float) -> Stop:
    """The smallest size at which, and beyond which, the difference is below the smallest effect.

    Its bounds are the same for the lower and for the upper ends of the intervals of the differences.

    Args:
        part: size in increasing order, difference, low, high.
        smallest_effect: a difference that is smaller does not pay.
    """

    def first_below(column: str) -> float:
        pays = np.flatnonzero(part[column].to_numpy() >= smallest_effect)
        start = pays[-1] + 1 if len(pays) else 0
        return float(part["size"].iloc[start]) if start < len(part) else np.nan

    return Stop(first_below("difference"), first_below("low"), first_below("high"))


def describe_stop(stop: Stop) -> str:
    """The stop and its bounds in words, e.g. "16 [8, none]"."""
    size, low, high = ("none" if np.isnan(size) else f"{size:g}" for size in stop)
    return f"{size} [{low}, {high}]"
