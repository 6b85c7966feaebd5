"""Figure 9: what each arm costs in time and memory, how that grows, and where the cost is not paid back."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cemrnn.figures.fig9_overhead_scaling.cost import (
    OverheadConfig,
    base_cells,
    choose_devices,
    measure_cells,
    measure_memory,
    scaling_cells,
)
from cemrnn.figures.fig9_overhead_scaling.worth import (
    REFERENCES,
    BatteryScores,
    Stop,
    compare_arms,
    describe_stop,
    find_stops,
    score_battery_in_time,
    score_grid,
)
from cemrnn.figures.remember import Scalars, Tables, experiment_here
from cemrnn.figures.shared import rotations
from cemrnn.figures.shared.battery import collect_samples, mean_scalars, summarise
from cemrnn.measures.evidence import weigh
from cemrnn.measures.exponents import fit_slopes
from cemrnn.measures.intervals import bootstrap_difference, bootstrap_median
from cemrnn.system.machine import describe_gpu, describe_machine

conditions = rotations.battery_and_rotations
MEMORY_ROUNDS = 4
SMALL_RATIO = 1.5  # of the times of an update; the claim says so
SIZES = {"n_units": "units", "n_contexts": "contexts", "n_steps": "steps"}


@experiment_here
def run(config: OverheadConfig) -> tuple[Tables, Scalars]:
    """Costs relative to plain, their exponents, scores against time and size, and where each arm stops paying."""
    base, scaling = _measure_costs(config)
    battery = score_battery_in_time(config)
    grid = score_grid(config)
    differences = compare_arms(grid, config.arms, config.seed)
    tables = {
        "overhead": _overhead_table(base, config.seed),
        "scaling": _scaling_table(scaling, config.seed),
        "exponents": _exponent_table(scaling, config.seed),
        "learning": summarise(battery.curves, ["arm", "update", "seconds"], "score", seed=config.seed),
        "timed": summarise(battery.timed, ["arm"], "score", seed=config.seed),
        "passing": _passing_table(battery.passing, config),
        "scores": summarise(grid, ["arm", "n_units", "n_tasks", "match"], "score", seed=config.seed),
        "differences": differences,
        "stops": find_stops(differences, config.smallest_effect),
        "measured": pd.concat([base, scaling], ignore_index=True),
        "machine": pd.DataFrame([{"machine": describe_machine(), "threads": 1, "gpu": describe_gpu()}]),
    }
    return tables, _scalars(base, scaling, battery, tables, config)


def _measure_costs(config: OverheadConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rounds of measurements at one size of every arm, and over sizes."""
    base, scaling = base_cells(config), scaling_cells(config)
    by_units = [cell for cell in scaling if cell.varied == "n_units"]
    parts: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
    for device in choose_devices(config):
        parts[0].append(measure_cells(base, config.n_repeats, device))
        parts[0].append(measure_memory(base, MEMORY_ROUNDS, device))
        parts[1].append(measure_cells(scaling, config.scaling_repeats, device))
        parts[1].append(measure_memory(by_units, MEMORY_ROUNDS // 2, device))
    return tuple(pd.concat(part, ignore_index=True) for part in parts)


def take_ratios(base: pd.DataFrame, quantity: str, match: str, arm: str, again: int = 0, device: str = "cpu"):
    """(round,) cost of an arm over that of the plain network, measured in the same rounds."""
    rows = base[(base["quantity"] == quantity) & (base["match"] == match) & (base["device"] == device)]
    rows = rows.set_index(["arm", "again", "round"])["value"].sort_index()
    return (rows[arm, again] / rows["plain", 0]).to_numpy()


def take_slopes(scaling: pd.DataFrame, quantity: str, varied: str, arm: str, device: str = "cpu") -> np.ndarray:
    """(round,) exponent of a cost of an arm over a size, in every round."""
    rows = scaling[(scaling["quantity"] == quantity) & (scaling["varied"] == varied) & (scaling["arm"] == arm)]
    values = rows[rows["device"] == device].pivot(index="round", columns="size", values="value")
    return fit_slopes(values.columns.to_numpy(float), values.to_numpy())


def _overhead_table(base: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Median ratio of every cost to that of plain, with its interval over rounds."""
    labels = base[["device", "quantity", "match", "arm", "again"]].drop_duplicates()
    ratios = [take_ratios(base, row.quantity, row.match, row.arm, row.again, row.device) for row in labels.itertuples()]
    return _summarise_rounds(labels, ratios, "ratio", seed)


def _scaling_table(scaling: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Median cost of every arm and size, with its interval over rounds."""
    by = ["device", "quantity", "varied", "arm", "size"]
    groups = scaling.groupby(by, sort=False)["value"]
    labels = pd.DataFrame(list(groups.groups), columns=by)
    return _summarise_rounds(labels, [part.to_numpy() for _, part in groups], "value", seed)


def _exponent_table(scaling: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Median exponent of every cost over every size, with its interval over rounds."""
    labels = scaling[["device", "quantity", "varied", "arm"]].drop_duplicates()
    slopes = [take_slopes(scaling, row.quantity, row.varied, row.arm, row.device) for row in labels.itertuples()]
    return _summarise_rounds(labels, slopes, "exponent", seed)


def _passing_table(passing: pd.DataFrame, config: OverheadConfig) -> pd.DataFrame:
    """Median time until the worst task passes, with its interval over networks, and how many passed."""
    groups = passing.groupby("arm", sort=False)
    labels = pd.DataFrame({"arm": list(groups.groups), "passed": groups["passed"].sum().to_numpy()})
    return _summarise_rounds(labels, [part["seconds"].to_numpy() for _, part in groups], "seconds", config.seed)


def _summarise_rounds(labels: pd.DataFrame, samples: list[np.ndarray], name: str, seed: int) -> pd.DataFrame:
    """The labels with median, low, high and n of the sample (round,) or (network,) of each."""
    table = np.full((max(map(len, samples)), len(samples)), np.nan)
    for column, sample in enumerate(samples):
        table[: len(sample), column] = sample
    interval = bootstrap_median(table, seed=seed)
    return labels.reset_index(drop=True).assign(**interval.to_columns(name))


def _scalars(
    base: pd.DataFrame,
    scaling: pd.DataFrame,
    battery: BatteryScores,
    tables: dict[str, pd.DataFrame],
    config: OverheadConfig,
) -> Scalars:
    seed = config.seed
    median = functools.partial(bootstrap_median, seed=seed)
    compare = functools.partial(bootstrap_difference, paired=False, seed=seed)
    score = collect_samples(battery.timed, "arm", "score")
    slopes = {arm: take_slopes(scaling, "update", "n_units", arm) for arm in config.arms}
    scalars: Scalars = _describe(base, config)
    scalars |= mean_scalars({f"timed_{arm}": sample for arm, sample in score.items()}, seed=seed)
    for row in _on_cpu(tables["overhead"]).itertuples():
        if not row.again:
            scalars |= _name_bounds(f"{row.quantity}_{row.match}_{row.arm}", row.ratio, row)
    for row in _on_cpu(tables["exponents"]).itertuples():
        name = SIZES[row.varied] if row.quantity == "update" else row.quantity
        scalars |= _name_bounds(f"exponent_{name}_{row.arm}", row.exponent, row)
    for row in tables["passing"].itertuples():
        scalars |= _name_bounds(f"passing_{row.arm}", row.seconds, row) | {f"passed_{row.arm}": row.passed}
    for row in tables["stops"].itertuples():
        if row.match == "time":
            name = f"stops_{row.varied.removeprefix('n_')}_{row.reference}_{row.arm}"
            scalars[name] = describe_stop(Stop(row.size, row.low, row.high))
    scalars |= {f"stops_{span}_{arm}_{arm}": "-" for span in ("units", "tasks") for arm in REFERENCES}
    scalars |= weigh("update_margin_combined", median, SMALL_RATIO - take_ratios(base, "update", "units", "combined"))
    scalars |= weigh("update_again_minus_one", median, take_ratios(base, "update", "units", "plain", again=1) - 1)
    scalars |= weigh("exponent_units_combined_minus_plain", median, slopes["combined"] - slopes["plain"])
    return scalars | weigh("timed_combined_minus_bias", compare, score["combined"], score["bias"])


def _on_cpu(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["device"] == "cpu"]


def _name_bounds(name: str, value: float, row) -> dict[str, float | int]:
    """The scalars of a row with the columns low, high and n."""
    return {name: value, f"{name}_low": row.low, f"{name}_high": row.high, f"{name}_n": row.n}


def _describe(base: pd.DataFrame, config: OverheadConfig) -> Scalars:
    """What was measured, and where."""
    plain = base[(base["arm"] == "plain") & (base["match"] == "units") & (base["device"] == "cpu")]
    devices = choose_devices(config)
    return {
        "machine": describe_machine(),
        "gpu": describe_gpu() if len(devices) > 1 else "not measured, because this run has no CUDA device",
        "update_ms_plain": 1e3 * float(plain.loc[plain["quantity"] == "update", "value"].median()),
        "largest_units_timed": max(config.scaling_units),
        "largest_contexts_timed": max(config.scaling_contexts),
        "largest_steps_timed": max(config.scaling_steps),
        "smallest_units_scored": min(config.packing.units),
        "largest_units_scored": max(config.packing.units),
        "smallest_tasks_scored": min(count for count in config.packing.task_counts if count > 1),
        "largest_tasks_scored": max(config.packing.task_counts),
        "n_rounds": config.n_repeats,
        "passing_score": config.passing_score,
        "target_score": config.target_score,
        "smallest_effect": config.smallest_effect,
    }
