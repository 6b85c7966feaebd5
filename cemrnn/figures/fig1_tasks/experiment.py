"""Figure 1: what the battery asks, how each arm learns it, and how well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import battery
from cemrnn.figures.shared.battery import BatteryConfig, Population
from cemrnn.figures.shared.frames import lay_out, mean_scalars, summarise
from cemrnn.figures.shared.learning_curves import follow, worst_histories
from cemrnn.network.budget import budget_gap
from cemrnn.network.config import count_parameters
from cemrnn.tasks.encoding import decode_inputs

conditions = battery.all_conditions


@dataclass(frozen=True, kw_only=True)
class TasksConfig(BatteryConfig):
    """What figure 1 is computed from."""

    example_arm: str  # arm of the network that answers the example trials
    chance_trials: int  # trials per task, to estimate chance

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.example_arm not in self.arms:
            raise ValueError(f"example_arm: expected one of {', '.join(self.arms)}, got {self.example_arm!r}")


@experiment
def run(config: TasksConfig) -> tuple[Tables, Scalars]:
    """Example trials, learning curves, and scores per task and arm."""
    populations = battery.load_populations(config)
    scores = _score_table(populations, config)
    worst = scores.groupby(["arm", "network"], sort=False)["score"].min().reset_index()
    chance = battery.estimate_chance(config, config.chance_trials)
    tables = {
        "examples": _example_table(populations, config),
        "learning": _learning_table(populations, config),
        "scores": summarise(scores, ["arm", "task"], "score"),
        "networks": _network_table(populations, worst),
        "chance": pd.DataFrame({"task": config.tasks, "chance": chance}),
    }
    return tables, _scalars(populations, config)


def _score_table(populations: list[Population], config: TasksConfig) -> pd.DataFrame:
    """A row per arm, network and task."""
    axes = [{"arm": [p.arm], "network": range(len(p.networks)), "task": config.tasks} for p in populations]
    parts = [lay_out(of_arm, score=p.scores) for of_arm, p in zip(axes, populations, strict=True)]
    return pd.concat(parts, ignore_index=True)


def _learning_table(populations: list[Population], config: TasksConfig) -> pd.DataFrame:
    """Worst-task score against updates; a network that has stopped keeps its last score."""
    histories = {p.arm: worst_histories(p.networks, config.tasks) for p in populations}
    return summarise(follow(histories, "score"), ["arm", "update"], "score")


def _network_table(populations: list[Population], worst: pd.DataFrame) -> pd.DataFrame:
    """One row per network: what it is, how long it trained, how it ended."""
    rows = []
    for p in populations:
        c = p.model.config
        shape = {"arm": p.arm, "n_units": c.n_units, "rank": c.rank, "n_parameters": count_parameters(c)}
        rows += [shape | {"network": m, "n_updates": n.n_updates, "status": n.status} for m, n in enumerate(p.networks)]
    return pd.DataFrame(rows).merge(worst.rename(columns={"score": "worst_score"}), on=["arm", "network"])


def _example_table(populations: list[Population], config: TasksConfig) -> pd.DataFrame:
    """One trial per task: inputs, targets and outputs of the first network of the example arm."""
    model = next(p.model for p in populations if p.arm == config.example_arm)
    config = config.of_arm(config.example_arm)
    trials = battery.draw_test_trials(config).to(model.flat.device)
    outputs = battery.simulate(model, trials, trials.cue(), config, "test")
    tables = []
    for k, task in enumerate(config.tasks):  # test trials come in turn, so trial k is the first of task k
        n_steps = int(trials.end_steps[0, k])
        columns = {"task": task, "time_ms": np.arange(n_steps) * trials.dt_ms}
        parts = {"input": trials.inputs, "target": trials.targets, "output": outputs}
        shown = {name: tensor[0, k, :n_steps].cpu().numpy() for name, tensor in parts.items()}
        shown["input"] = decode_inputs(shown["input"], config.task_set)
        for name, values in shown.items():
            columns |= {f"{name}_{i}": values[:, i] for i in range(values.shape[1])}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _scalars(populations: list[Population], config: TasksConfig) -> Scalars:
    worst = {p.arm: p.scores.min(axis=1) for p in populations}
    able = [arm for arm in worst if np.median(worst[arm]) >= config.passing_score]
    scalars: Scalars = {
        "arms_that_pass": ", ".join(able) or "none",
        "arms_that_do_not_pass": ", ".join(arm for arm in worst if arm not in able) or "none",
        "n_tasks": len(config.tasks),
        "n_networks": sum(len(p.networks) for p in populations),
        "n_failed": sum(n.status == "failed" for p in populations for n in p.networks),
        "largest_budget_difference": budget_gap(p.model.config for p in populations),
    }
    for p in populations:
        scalars[f"passed_{p.arm}"] = int(p.passed(config.passing_score).sum())
        scalars[f"updates_{p.arm}"] = float(np.median([n.n_updates for n in p.networks]))
    whether = "every arm learns" if len(able) == len(worst) else f"{len(able)} of {len(worst)} arms learn"
    without = "" if len(able) == len(worst) else f", and {scalars['arms_that_do_not_pass']} does not"
    scalars["title"] = f"One network for {len(config.tasks)} tasks: {whether} all of them{without}"
    return scalars | mean_scalars(worst, name="worst_{}")
