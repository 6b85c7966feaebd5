"""Where combined networks do better than the better pathway: over sizes and maps, and over kinds of ambiguity."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from cemrnn.figures.result import Scalars
from cemrnn.figures.shared.battery import load_arm
from cemrnn.figures.shared.conflict_groups import GROUPS, SAME_COMBINED
from cemrnn.figures.shared.conflict_tests import TESTS, RobustnessConfig, measure_tests
from cemrnn.figures.shared.frames import SINGLE, collect_samples, select
from cemrnn.figures.shared.packing import count_cells
from cemrnn.measures.intervals import estimate_difference

COMPARED = ("combined", *SINGLE)
SIZES = ["match", "n_sites", "n_units", "n_tasks"]  # what a cell of the map of packing is


def map_packing(rows: pd.DataFrame, settled_rise: float) -> pd.DataFrame:
    """One row per reading, sites, size and number of maps: combined minus the better pathway, in accuracy over maps.

    Columns beside those: value, low, high, n, and in `counts` whether the networks of all three have settled.

    Args:
        rows: see `cemrnn.figures.shared.packing.measure_cells`.
        settled_rise: see `PackingSizes`.
    """
    rows = rows[rows["arm"].isin(COMPARED)]
    settled = count_cells(rows, settled_rise).groupby(SIZES, sort=False)["counts"].all()
    return pd.DataFrame(
        dict(zip(SIZES, where, strict=True)) | _compare(part, "accuracy") | {"counts": settled[where]}
        for where, part in rows.groupby(SIZES, sort=False)
    )


def map_robustness(sizes: Sequence[RobustnessConfig], chance: np.ndarray) -> pd.DataFrame:
    """One row per size, group and kind of ambiguity: the same, in normalised accuracy on conflict trials."""
    rows = []
    for of_size in sizes:
        tests = pd.concat(_test_all(of_size, chance), ignore_index=True)
        for group in [group for group in GROUPS if group in set(tests["group"])]:
            among = select(tests, group=group)
            if same := SAME_COMBINED.get(group):
                among = pd.concat([select(tests, group=same, arm="combined"), among])
            for test in TESTS[1:]:  # the clean cue is what the others are normalised by
                cell = {"group": group, "n_units": of_size.n_units, "test": test}
                rows.append(cell | _compare(select(among, test=test), "accuracy"))
    return pd.DataFrame(rows)


def resize(config: RobustnessConfig, n_units: int, n_replicates: int) -> RobustnessConfig:
    """The arms that are compared, in all groups and of another size, with as many units per component."""
    rank, fewer = max(2, round(config.rank * n_units / config.n_units)), min(n_replicates, config.n_replicates)
    return dataclasses.replace(config, n_units=n_units, rank=rank, arms=COMPARED, n_replicates=fewer)


def count_where(table: pd.DataFrame, name: str) -> Scalars:
    """In how many cells of a map synergy lies above zero with its interval, and below; cells that count are given.

    Those without a value count as empty.
    """
    told = table.dropna(subset="value")
    counts = {"cells": len(told), "empty": len(table) - len(told)}
    counts |= {"above": int((told["low"] > 0).sum()), "below": int((told["high"] < 0).sum())}
    return {f"{name}_{key}": count for key, count in counts.items()}


def _test_all(config: RobustnessConfig, chance: np.ndarray) -> Iterator[pd.DataFrame]:
    for key, trainings in config.populations():
        if key.arm in COMPARED:
            yield measure_tests(key, load_arm(config, trainings), config, chance)


def _compare(rows: pd.DataFrame, value: str) -> dict[str, float]:
    """Value, low, high and n of combined minus the better pathway, from a table with a row per network."""
    samples = collect_samples(rows, "arm", value)
    if not set(COMPARED) <= samples.keys():
        return {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    return estimate_difference(*(samples[arm] for arm in COMPARED), paired=False).to_columns("value")
