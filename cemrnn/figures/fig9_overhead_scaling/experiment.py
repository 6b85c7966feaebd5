"""Figure 9: what each arm costs in time and memory, how that grows, and where the cost is not paid back."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd

from cemrnn.figures.fig9_overhead_scaling import cost, worth
from cemrnn.figures.fig9_overhead_scaling.cost import OverheadConfig
from cemrnn.figures.fig9_overhead_scaling.worth import REFERENCES, BatteryScores, Stop
from cemrnn.figures.remember import Scalars, Tables, experiment_here
from cemrnn.figures.shared import packing, titles
from cemrnn.figures.shared.frames import collect_samples, mean_scalars, row_scalars, select, summarise, summarise_rounds
from cemrnn.measures.evidence import weigh
from cemrnn.measures.exponents import fit_slopes
from cemrnn.measures.intervals import estimate_difference, estimate_median
from cemrnn.system.machine import describe_gpu, describe_machine

conditions = packing.battery_and_maps
MEMORY_ROUNDS = 4
SMALL_RATIO = 1.5  # of the times of an update; the claim says so
SIZES = {"n_units": "units", "n_contexts": "contexts", "n_steps": "steps"}
MEASURED = r"(update|step|memory|exponent|timed|stops)_|passing_(?!score)|machine$|gpu$"  # names of scalars


@experiment_here(measured=MEASURED)
def run(config: OverheadConfig) -> tuple[Tables, Scalars]:
    """Costs relative to plain, their exponents, scores against time and size, and where each arm stops paying."""
    base, scaling = _measure_costs(config)
    battery, grid, seed = worth.score_battery_in_time(config), worth.score_grid(config), config.seed
    differences = worth.compare_arms(grid, worth.packing_arms(config))
    tables = {
        "overhead": _overhead_table(base, seed),
        "scaling": _scaling_table(scaling, seed),
        "exponents": _exponent_table(scaling, seed),
        "learning": summarise(battery.curves, ["arm", "update", "seconds"], "score"),
        "timed": summarise(battery.timed, ["arm"], "score"),
        "passing": _passing_table(battery.passing, seed),
        "scores": summarise(grid, ["arm", "n_units", "n_tasks", "match"], "score"),
        "differences": differences,
        "stops": worth.find_stops(differences, config.smallest_effect),
        "measured": pd.concat([base, scaling], ignore_index=True),
        "machine": pd.DataFrame([{"machine": describe_machine(), "threads": 1, "gpu": describe_gpu()}]),
    }
    scalars = _describe(base, config) | _table_scalars(tables)
    gaps = {"battery": config.largest_gap, "maps": packing.find_largest_gap(config.maps)}
    scalars |= {f"largest_budget_difference_{name}": gap for name, gap in gaps.items()}
    return tables, scalars | _evidence(base, scaling, battery, config)


def _measure_costs(config: OverheadConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rounds of measurements at one size of every arm, and over sizes."""
    base, scaling = cost.base_cells(config), cost.scaling_cells(config)
    by_units = [cell for cell in scaling if cell.varied == "n_units"]
    parts: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
    for device in cost.choose_devices(config):
        parts[0].append(cost.measure_cells(base, config.n_repeats, device))
        parts[0].append(cost.measure_memory(base, MEMORY_ROUNDS, device))
        parts[1].append(cost.measure_cells(scaling, config.scaling_repeats, device))
        parts[1].append(cost.measure_memory(by_units, MEMORY_ROUNDS // 2, device))
    return tuple(pd.concat(part, ignore_index=True) for part in parts)


def take_ratios(base: pd.DataFrame, quantity: str, match: str, arm: str, again: int = 0, device: str = "cpu"):
    """(round,) cost of an arm over that of the plain network, measured in the same rounds."""
    rows = select(base, quantity=quantity, match=match, device=device)
    rows = rows.set_index(["arm", "again", "round"])["value"].sort_index()
    return (rows[arm, again] / rows["plain", 0]).to_numpy()


def take_slopes(scaling: pd.DataFrame, quantity: str, varied: str, arm: str, device: str = "cpu") -> np.ndarray:
    """(round,) exponent of a cost of an arm over a size, in every round."""
    rows = select(scaling, quantity=quantity, varied=varied, arm=arm, device=device)
    values = rows.pivot(index="round", columns="size", values="value")
    return fit_slopes(values.columns.to_numpy(float), values.to_numpy())


def _overhead_table(base: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Median ratio of every cost to that of plain, with its interval over rounds."""
    labels = base[["device", "quantity", "match", "arm", "again"]].drop_duplicates()
    ratios = [take_ratios(base, **row) for row in labels.to_dict(orient="records")]
    return summarise_rounds(labels, ratios, "ratio", seed=seed)


def _scaling_table(scaling: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Median cost of every arm and size, with its interval over rounds."""
    by = ["device", "quantity", "varied", "arm", "size"]
    groups = scaling.groupby(by, sort=False)["value"]
    labels = pd.DataFrame(list(groups.groups), columns=by)
    return summarise_rounds(labels, [part.to_numpy() for _, part in groups], "value", seed=seed)


def _exponent_table(scaling: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Median exponent of every cost over every size, with its interval over rounds."""
    labels = scaling[["device", "quantity", "varied", "arm"]].drop_duplicates()
    slopes = [take_slopes(scaling, **row) for row in labels.to_dict(orient="records")]
    return summarise_rounds(labels, slopes, "exponent", seed=seed)


def _passing_table(passing: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Median time until the worst task passes, with its interval over networks, and how many passed."""
    groups = passing.groupby("arm", sort=False)
    labels = pd.DataFrame({"arm": list(groups.groups), "passed": groups["passed"].sum().to_numpy()})
    return summarise_rounds(labels, [part["seconds"].to_numpy() for _, part in groups], "seconds", seed=seed)


def _table_scalars(tables: Tables) -> Scalars:
    """What the tables of costs, of times and of stops say of every arm, on the CPU."""
    overhead, exponents = (select(tables[name], device="cpu") for name in ("overhead", "exponents"))
    names = exponents["varied"].map(SIZES).where(exponents["quantity"] == "update", exponents["quantity"])
    spans = itertools.product(("units", "tasks"), REFERENCES, tables["passing"]["arm"])
    scalars = {f"stops_{span}_{reference}_{arm}": "-" for span, reference, arm in spans}  # itself, or learns no maps
    stops = select(tables["stops"], match="time")
    stops = stops.assign(varied=stops["varied"].map({"n_units": "units", "n_tasks": "tasks"}))
    scalars |= row_scalars(select(overhead, again=0), "{quantity}_{match}_{arm}", "ratio")
    scalars |= row_scalars(exponents.assign(over=names), "exponent_{over}_{arm}", "exponent")
    scalars |= row_scalars(tables["passing"], "passing_{arm}", "seconds", **{"passed_{arm}": "passed"})
    for row in stops.itertuples():
        stop = worth.describe_stop(Stop(row.size, row.low, row.high))
        scalars[f"stops_{row.varied}_{row.reference}_{row.arm}"] = stop
    return scalars


def _evidence(base: pd.DataFrame, scaling: pd.DataFrame, battery: BatteryScores, config: OverheadConfig) -> Scalars:
    """Scores at equal time, and what the claims judge."""
    seed, score = config.seed, collect_samples(battery.timed, "arm", "score")
    median = functools.partial(estimate_median, seed=seed)
    slopes = {arm: take_slopes(scaling, "update", "n_units", arm) for arm in ("plain", "combined")}
    scalars = mean_scalars(score, name="timed_{}")
    scalars |= weigh("update_margin_combined", median, SMALL_RATIO - take_ratios(base, "update", "units", "combined"))
    scalars |= weigh("update_again_minus_one", median, take_ratios(base, "update", "units", "plain", again=1) - 1)
    scalars |= weigh("exponent_units_combined_minus_plain", median, slopes["combined"] - slopes["plain"])
    compare = functools.partial(estimate_difference, paired=False)
    scalars |= weigh("timed_combined_minus_bias", compare, score["combined"], score["bias"])
    return scalars | {"title": name_outcome(scalars)}


def name_outcome(scalars: Scalars) -> str:
    """The title."""
    said = ("does better than", "does worse than", "is not shown to do better than")
    better = titles.choose(scalars, "timed_combined_minus_bias", *said, alike="does as well as")
    return f"In equal time, combined modulation {better} a context that is an input"


def _describe(base: pd.DataFrame, config: OverheadConfig) -> Scalars:
    """What was measured, and where."""
    updates = select(base, arm="plain", match="units", device="cpu", quantity="update")
    devices = cost.choose_devices(config)
    return {
        "machine": describe_machine(),
        "gpu": describe_gpu() if len(devices) > 1 else "not measured, because this run has no CUDA device",
        "update_ms_plain": 1e3 * float(updates["value"].median()),
        "largest_units_timed": max(config.scaling_units),
        "largest_contexts_timed": max(config.scaling_contexts),
        "largest_steps_timed": max(config.scaling_steps),
        "smallest_units_scored": min(config.packing.units),
        "largest_units_scored": max(config.packing.units),
        "smallest_tasks_scored": min(config.packing.task_counts),
        "largest_tasks_scored": max(config.packing.task_counts),
        "n_rounds": config.n_repeats,
        "passing_score": config.passing_score,
        "target_score": config.target_score,
        "smallest_effect": config.smallest_effect,
    }
