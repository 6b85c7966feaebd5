"""The topics of the bench: what each measures, in the order in which they run. A new one is one line here."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from cemrnn.bench.cost import measure_cost
from cemrnn.bench.engine import compare_engine
from cemrnn.bench.fixed_points import compare_fixed_points
from cemrnn.bench.pathways import compare_pathways
from cemrnn.bench.rows import Bench
from cemrnn.bench.scaling import measure_scaling
from cemrnn.bench.sweeps import measure_sweeps
from cemrnn.bench.trials import compare_trials
from cemrnn.system.files import write_bytes
from cemrnn.system.machine import describe_machine

TOPICS: dict[str, Callable[[Bench], Any]] = {
    "engine": compare_engine,
    "trials": compare_trials,
    "pathways": compare_pathways,
    "fixed_points": compare_fixed_points,
    "scaling": measure_scaling,
    "cost": measure_cost,
    "sweeps": measure_sweeps,
}
PACKAGES = ("torch", "numba", "numpy")


def run_topic(name: str, bench: Bench) -> None:
    """Nothing; measures, and writes <name>.json and, on where and how it was measured, <name>.about.json."""
    bench.left_out.clear()
    measured = TOPICS[name](bench)
    about = {
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
        "packages": {package: version(package) for package in PACKAGES},
        "repeats": bench.n_repeats,
        "left_out": bench.left_out,
    }
    for suffix, document in (("", measured), (".about", about)):
        text = json.dumps(document, indent=2) + "\n"
        write_bytes(bench.folder / f"{name}{suffix}.json", text.encode())
