"""What an update and a simulated step cost in every arm: seconds by turns, and bytes, over sizes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from cemrnn.figures.shared.packing import PackedBatteryConfig
from cemrnn.network.config import NetworkConfig
from cemrnn.network.pathways import ARMS
from cemrnn.sweep.workload import Workload, build_simulation, build_update, make_turn
from cemrnn.system.machine import forget_peak, peak_bytes
from cemrnn.system.threads import limit_threads
from cemrnn.system.timing import Turn, time_rounds

TURN_S = 0.005
NEEDED = ("plain", "bias", "combined")
BASE = "nothing"  # what is varied where arms are compared at one size
MEMORY_UNITS = 1024  # in all networks of one call, at least: they must need more than the rest of the process
BUILDERS = {"update": build_update, "step": build_simulation}


class TimedCase(NamedTuple):
    """One arm at one size of work.

    `again` is 1 for work that is built and measured a second time, as a control.
    """

    varied: str  # nothing, n_units, n_contexts or n_steps
    match: str  # what is equal in all arms: units or parameters
    arm: str
    size: int  # of what is varied
    work: Workload
    again: int = 0

    @property
    def key(self) -> tuple[Workload, int]:
        """Cells that share it are one measurement."""
        return self.work, self.again

    @property
    def quantities(self) -> tuple[str, ...]:
        """Times that are measured."""
        return ("update", "step") if self.varied in (BASE, "n_units") else ("update",)


@dataclass(frozen=True, kw_only=True)
class OverheadConfig(PackedBatteryConfig):
    """What figure 9 is computed from: the networks of figures 1 and 3, and the sizes whose cost is measured."""

    n_steps: int  # steps of the trials on which updates are timed
    n_repeats: int  # turns that every arm takes at one size
    scaling_repeats: int  # turns that every arm takes at every other size
    scaling_units: tuple[int, ...]  # numbers of units whose cost is measured
    scaling_contexts: tuple[int, ...]  # numbers of contexts whose cost is measured
    scaling_steps: tuple[int, ...]  # numbers of steps whose cost is measured
    scaling_trials: int  # trials per update and network, where sizes vary
    units_together: int  # units of all networks that train together, where sizes vary
    smallest_effect: float  # difference of scores that is worth its time

    def __post_init__(self) -> None:
        super().__post_init__()
        if missing := set(NEEDED) - set(self.arms):
            raise ValueError(f"arms: expected {', '.join(NEEDED)} among them, got no {', '.join(sorted(missing))}")
        for name in ("scaling_units", "scaling_contexts", "scaling_steps"):
            if len(getattr(self, name)) < 3:
                raise ValueError(f"{name}: expected three sizes or more, got {getattr(self, name)}")

    def timed_network(self, arm: str, n_units: int, rank: int, n_contexts: int) -> NetworkConfig:
        """A network like those of figure 1 in another size, without noise."""
        sizes = dict(arm=arm, n_units=n_units, rank=ARMS[arm].rank_of(rank), n_contexts=n_contexts, sigma_rec=0.0)
        return dataclasses.replace(self.network("combined"), **sizes)


def choose_devices(config: OverheadConfig) -> list[str]:
    """Where costs are measured: on the CPU, and on a GPU if there is one and the config does not exclude it."""
    return ["cpu", "cuda"] if torch.cuda.is_available() and config.device != "cpu" else ["cpu"]


def base_cells(config: OverheadConfig) -> list[TimedCase]:
    """Every arm with as many units, then with as many parameters; and plain once more."""
    sizes = config.n_units, config.rank, len(config.tasks)
    work = functools.partial(
        Workload, n_networks=config.n_replicates, n_trials=config.batch_trials, n_steps=config.n_steps
    )
    networks = [("units", arm, config.timed_network(arm, *sizes)) for arm in config.arms]
    networks += [("parameters", a, dataclasses.replace(config.network(a), sigma_rec=0.0)) for a in config.arms]
    cells = [TimedCase(BASE, match, arm, network.n_units, work(network)) for match, arm, network in networks]
    plain = next(cell for cell in cells if cell.arm == "plain")
    return [*cells, plain._replace(again=1)]


def scaling_cells(config: OverheadConfig) -> list[TimedCase]:
    """Every arm at equal units, with one size varied at a time."""

    def cell(varied: str, arm: str, size: int) -> TimedCase:
        sizes = {"n_units": config.n_units, "n_contexts": len(config.tasks), "n_steps": config.n_steps} | {varied: size}
        rank = config.rank * sizes["n_units"] // config.n_units
        network = config.timed_network(arm, sizes["n_units"], max(1, rank), sizes["n_contexts"])
        n_networks = max(1, config.units_together // network.n_units)
        work = Workload(network, n_networks, config.scaling_trials, sizes["n_steps"])
        return TimedCase(varied, "units", arm, size, work)

    spans = {"n_units": config.scaling_units, "n_contexts": config.scaling_contexts, "n_steps": config.scaling_steps}
    return [cell(varied, arm, size) for varied, span in spans.items() for size in span for arm in config.arms]


def measure_cells(cells: Sequence[TimedCase], n_rounds: int, device: str) -> pd.DataFrame:
    """Seconds of every cell in every round, per network: of an update, and of one step of a simulation of all trials.

    The latter is left out where contexts or steps are varied.

    On the CPU they are seconds of this process on one thread, which other programs on the machine disturb little; on
    a GPU they are wall time.

    Returns:
        Table with the labels of a cell, and device, quantity (update or step), round and value.
    """
    turns: dict[Hashable, Turn] = {}
    for cell in {(cell.key, cell.quantities): cell for cell in cells}.values():
        for quantity in cell.quantities:
            turns[*cell.key, quantity] = make_turn(BUILDERS[quantity](cell.work, device), device)
    with limit_threads(1):
        times = time_rounds(turns, n_rounds, TURN_S)
    rows = []
    for cell in cells:
        for quantity in cell.quantities:
            n_pieces = cell.work.n_steps if quantity == "step" else 1
            taken = np.array(times[*cell.key, quantity]) / (cell.work.n_networks * n_pieces)
            rows += _label(cell, device, quantity, enumerate(taken))
    return pd.DataFrame(rows)


def measure_memory(cells: Sequence[TimedCase], n_rounds: int, device: str) -> pd.DataFrame:
    """Bytes per network that the first update needs beyond what was held before the network was made.

    They contain parameters, the optimiser's moments, trials and all that lies between. NaN where the system does not
    tell.

    Returns:
        As `measure_cells`, with memory as quantity.
    """
    rows = []
    for cell in {cell.arm: cell for cell in cells}.values():
        build_update(cell.work, device)()  # loads and compiles what a measured update would else account for
    for i in range(n_rounds):
        for cell in cells:
            n_networks = max(2, MEMORY_UNITS // cell.work.network.n_units)
            n_bytes = _peak_of_update(dataclasses.replace(cell.work, n_networks=n_networks), device)
            rows += _label(cell, device, "memory", [(i, n_bytes / n_networks)])
    return pd.DataFrame(rows)


def _label(cell: TimedCase, device: str, quantity: str, values: Iterable[tuple[int, float]]) -> list[dict[str, Any]]:
    """A row of a table for every round and value."""
    labels = {name: value for name, value in cell._asdict().items() if name != "work"}
    labels |= {"device": device, "quantity": quantity}
    return [labels | {"round": i, "value": value} for i, value in values]


def _peak_of_update(work: Workload, device: str) -> float:
    if device == "cuda":
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        build_update(work, device)()
        return float(torch.cuda.max_memory_allocated() - before)
    forget_peak()
    before = peak_bytes()
    with limit_threads(1):
        build_update(work, device)()
    after = peak_bytes()
    return np.nan if before is None or after is None else float(after - before)
