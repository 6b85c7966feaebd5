"""Figure 11: one small network completely, every weight and every modulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared.battery import (
    BatteryConfig,
    LearningConfig,
    Population,
    all_conditions,
    estimate_chance,
    load_populations,
)
from cemrnn.figures.shared.frames import lay_out, mean_scalars, summarise
from cemrnn.figures.shared.states import visit
from cemrnn.network.config import count_parameters, list_matrices
from cemrnn.training.config import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class NetworkPageConfig(LearningConfig):
    """What the page is computed from: combined networks that are small enough to be shown whole."""

    tasks: tuple[str, ...]  # the tasks that one network learns
    n_units: int  # units of each network
    rank: int  # synaptic components
    n_replicates: int  # networks; the one that does its worst task best is shown
    target_score: float  # training stops when the worst task scores this
    chance_trials: int  # trials per task, to estimate chance

    def __post_init__(self) -> None:
        super().__post_init__()
        if (kind := self.battery.task_set.answer_kind) != "direction":
            raise ValueError(f"tasks: expected some that are answered by a direction, which is drawn, got a {kind}")

    @property
    def battery(self) -> BatteryConfig:
        """The networks as a battery of one arm."""
        shared = {name: value for name, value in vars(self).items() if name != "chance_trials"}
        return BatteryConfig(arms=("combined",), encoding="cosine", passing_score=self.target_score, **shared)


def conditions(config: NetworkPageConfig) -> list[TrainingConfig]:
    """Every network that the page needs."""
    return all_conditions(config.battery)


@experiment
def run(config: NetworkPageConfig) -> tuple[Tables, Scalars]:
    """Every weight of one network, its rates on a trial of each task, and the scores of all networks."""
    battery = config.battery
    (population,) = load_populations(battery)
    worst = population.scores.min(axis=1)
    shown = int(np.where(population.finite, worst, -1.0).argmax())
    chance = estimate_chance(battery, config.chance_trials)
    axes = {"network": range(len(worst)), "task": config.tasks}
    scores = lay_out(axes, score=np.where(population.finite[:, None], population.scores, np.nan))
    weights = _weight_table(population, shown, config)
    tables = {
        "weights": weights,
        "rates": _rate_table(population, shown, config),
        "scores": summarise(scores, ["task"], "score").assign(shown=population.scores[shown], chance=chance),
    }
    scalars: Scalars = {
        "n_units": config.n_units,
        "n_parameters": count_parameters(population.model.config),
        "n_numbers": len(weights),
        "n_networks": config.n_replicates,
        "n_learned": int((worst >= config.target_score).sum()),
        "seed_shown": battery.seeds[shown],
        "score_shown": float(population.scores[shown].mean()),
        "worst_shown": float(worst[shown]),
        "chance": float(np.mean(chance)),
        "largest_weight": float(weights["value"].abs().max()),
    }
    return tables, scalars | mean_scalars({"worst": worst})


def _order_units(population: Population, shown: int) -> np.ndarray:
    """Units by the direction that they drive the answer in, so that neighbours answer alike."""
    readout = population.model.parameters["readout"][shown].detach().cpu().numpy()  # (N, O)
    return np.argsort(np.arctan2(readout[:, 2], readout[:, 1]), kind="stable")


def _weight_table(population: Population, shown: int, config: NetworkPageConfig) -> pd.DataFrame:
    """One row per trained number: matrix, row, column, value; units are numbered in the order shown, from 1."""
    order, parts = _order_units(population, shown), []
    for name, (matrix, rows, columns, _) in list_matrices(population.model.config).items():
        values = population.model.parameters[name][shown].detach().cpu().numpy()
        values = values if values.ndim == 2 else values[None]
        values = values[order] if rows == "unit" else values
        values = values[:, order] if columns == "unit" else values
        row, column = (_name_axis(axis, n, config) for axis, n in zip((rows, columns), values.shape, strict=True))
        parts.append(lay_out({"matrix": [matrix], "row": row, "column": column}, value=values.astype(float)))
    return pd.concat(parts, ignore_index=True)


def _name_axis(axis: str, n: int, config: NetworkPageConfig) -> list[str]:
    names = {
        "": [""],
        "context": [task.replace("_", " ") for task in config.tasks],
        "input": ["fixation", "mod1 cos", "mod1 sin", "mod2 cos", "mod2 sin"],
        "output": ["fixation", "cos", "sin"],
    }
    return names.get(axis) or [str(i + 1) for i in range(n)]


def _rate_table(population: Population, shown: int, config: NetworkPageConfig) -> pd.DataFrame:
    """Input, rates and output at every step of one trial of each task: task, time_ms, kind, name, value."""
    battery, order = config.battery, _order_units(population, shown)
    model = population.model.select([shown])
    visited = visit(model, battery, [battery.seeds[shown]], 1)
    readout, offset = (model.parameters[name][0].detach().cpu().numpy() for name in ("readout", "readout_bias"))
    parts = []
    for k, task in enumerate(battery.tasks):
        inside = visited.epoch[0, k] >= 0
        rates, inputs = visited.rates[0, k][inside], visited.inputs[0, k][inside]
        kinds = {"input": inputs, "unit": rates[:, order], "output": rates @ readout + offset}
        time_ms = np.arange(len(rates)) * battery.task_set.dt_ms
        for kind, values in kinds.items():
            names = _name_axis(kind, values.shape[1], config)
            axes = {"task": [task.replace("_", " ")], "time_ms": time_ms, "kind": [kind], "name": names}
            parts.append(lay_out(axes, value=values.astype(float)))
    return pd.concat(parts, ignore_index=True)
