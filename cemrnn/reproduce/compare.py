"""What differs between two runs of a figure: settings, numbers, verdicts and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cemrnn.config import natural_order
from cemrnn.figures.result import MEASURED
from cemrnn.reproduce.claims import ledger, load_claims
from cemrnn.reproduce.documents import read_json
from cemrnn.reproduce.project import CUSTOM, Project

OF_INTERVALS = ("_low", "_high", "_n", "_p", "_halves")  # ends of names that belong to another number
NONE = "none"


def find_run(project: Project, name: str) -> Path:
    """The folder of a run: a profile, a run with other values, or any folder that has results.

    Raises:
        ValueError: there is no such run.
    """
    places = (project.build / name, project.build / CUSTOM / name, Path(name))
    for place in places:
        if any((place / "results").glob("*.json")):
            return place
    made = [path.parent.name for path in (project.build / CUSTOM).glob("*/results")] + project.profiles()
    raise ValueError(f"{name}: expected a run that has results, one of {', '.join(sorted(made, key=natural_order))}")


def compare_runs(first: Path, second: Path, stem: str) -> dict[str, list[str]]:
    """Kind of difference -> a line for each, of a figure in two runs.

    Args:
        first, second: folders with `results`, `provenance` and `figures`.
        stem: name of the figure.
    """
    results = [read_json(folder / "results" / f"{stem}.json") for folder in (first, second)]
    origins = [read_json(folder / "provenance" / f"{stem}.json") for folder in (first, second)]
    return {
        "settings": _compare_values(*(origin.get("config", {}) for origin in origins)),
        "verdicts": _compare_verdicts(first, second, stem),
        "numbers": _compare_numbers(*results),
        "tables": _compare_tables(first, second, stem),
    }


def _compare_values(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys([*first, *second])
    return [f"{n}: {first.get(n, NONE)} -> {second.get(n, NONE)}" for n in names if first.get(n) != second.get(n)]


def _compare_verdicts(first: Path, second: Path, stem: str) -> list[str]:
    claims = load_claims([stem])
    tables = [ledger(folder / "results", claims) for folder in (first, second)]
    rows = zip(*(table.itertuples() for table in tables), strict=True)
    return [f"{a.id}: {a.verdict} -> {b.verdict}" for a, b in rows if a.verdict != b.verdict]


def _compare_numbers(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """A line for every number that differs, the one that moved most of its interval first."""
    skipped = {MEASURED, *first.get(MEASURED, ())}
    names = [n for n in dict.fromkeys([*first, *second]) if n not in skipped and not n.endswith(OF_INTERVALS)]
    differing = [n for n in names if first.get(n) != second.get(n)]
    differing.sort(key=lambda n: -_distance(n, first, second))
    return [f"{n}: {_write(first.get(n))} -> {_write(second.get(n))}" for n in differing]


def _distance(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """By how many widths of its interval a number moved; 0 where it has none."""
    low, high = first.get(f"{name}_low"), first.get(f"{name}_high")
    if None in (low, high, first.get(name), second.get(name)) or high <= low:
        return 0.0
    return abs(second[name] - first[name]) / (high - low)


def _write(value: Any) -> str:
    number = isinstance(value, float) and math.isfinite(value)
    return f"{value:.4g}" if number else NONE if value is None else str(value)


def _compare_tables(first: Path, second: Path, stem: str) -> list[str]:
    files = [{path.name: path for path in (folder / "figures").glob(f"{stem}.*.csv")} for folder in (first, second)]
    return [line for name in sorted({*files[0], *files[1]}) if (line := _compare_table(name, *files))]


def _compare_table(name: str, first: dict[str, Path], second: dict[str, Path]) -> str:
    if name not in first or name not in second:
        return f"{name}: only in the {'first' if name in first else 'second'}"
    a, b = (pd.read_csv(files[name]) for files in (first, second))
    if a.shape != b.shape:
        return f"{name}: {a.shape[0]} rows and {a.shape[1]} columns -> {b.shape[0]} and {b.shape[1]}"
    moved = {}
    for column in a.columns.intersection(b.columns):
        if pd.api.types.is_float_dtype(a[column]) and pd.api.types.is_numeric_dtype(b[column]):
            moved[column] = np.nanmax(np.abs(a[column] - b[column]).to_numpy(float), initial=0.0)
    told = [f"{column} by up to {value:.3g}" for column, value in moved.items() if value]
    return f"{name}: {', '.join(told)}" if told else ""
