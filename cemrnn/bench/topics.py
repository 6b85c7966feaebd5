"""The topics of the bench: what each measures, in the order in which they run. A new one is one line here."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from importlib.metadata import version

from cemrnn.bench.card import compare_card
from cemrnn.bench.engine import compare_engine
from cemrnn.bench.fixed_points import compare_fixed_points
from cemrnn.bench.play import compare_play
from cemrnn.bench.rows import Bench, MemoryRow, Row
from cemrnn.bench.sweeps import compare_sweeps
from cemrnn.bench.trials import compare_trials
from cemrnn.system.files import write_bytes
from cemrnn.system.machine import describe_gpu, describe_machine

TOPICS: dict[str, Callable[[Bench], list[Row] | list[Row | MemoryRow]]] = {
    "engine": compare_engine,
    "trials": compare_trials,
    "fixed_points": compare_fixed_points,
    "sweeps": compare_sweeps,
    "gpu": compare_card,
    "play": compare_play,
}
PACKAGES = ("torch", "numba", "numpy")


def run_topic(name: str, bench: Bench) -> None:
    """Measure, and write <name>.json and, on where and how it was measured, <name>.about.json."""
    bench.left_out.clear()
    measured = TOPICS[name](bench)
    about = {
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine() if name != "gpu" else f"{describe_machine()}, {describe_gpu()}",
        "packages": {package: version(package) for package in PACKAGES},
        "repeats": bench.n_repeats,
        "left_out": bench.left_out,
    }
    for suffix, document in (("", measured), (".about", about)):
        text = json.dumps(document, indent=2) + "\n"
        write_bytes(bench.folder / f"{name}{suffix}.json", text.encode())
