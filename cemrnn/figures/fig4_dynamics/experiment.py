"""Figure 4: what a change of context does to the dynamics: it moves points, changes the flow, turns subspaces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from cemrnn.figures.fig4_dynamics.config import DynamicsConfig
from cemrnn.figures.fig4_dynamics.measure import measure_network
from cemrnn.figures.fig4_dynamics.portraits import draw_portrait
from cemrnn.figures.fig4_dynamics.search import Searched, follow_paths, search_epochs
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import frames, titles
from cemrnn.figures.shared.battery import Population, all_conditions, load_populations
from cemrnn.figures.shared.states import constant_inputs, visit
from cemrnn.measures.geometry import find_bifurcations

conditions = all_conditions
PORTRAYED = (*frames.SINGLE, "combined")
CLAIMED = ("displacement", "flow_change", "angle")
MEASURES = (
    *CLAIMED,
    "displacement_same_context",  # floor of the displacement: two searches of the same points
    "angle_same_task",  # floor of the angle: two halves of the trials
    "participation",
    "participation_task",
    "n_stable",
    "n_unstable",
    "n_slow",
    "share_slow",
    "starts",
    "settled",  # share of searches whose second half of starts led to no other fixed point
    "unseen",
    "lost",
    "slowest_ms",
    "n_clusters",
    "silhouette",
    "bifurcations",
)


class ArmDynamics(NamedTuple):
    """Tables of one arm; NaN where no network is compared, and empty portraits where none is shown."""

    networks: pd.DataFrame
    points: pd.DataFrame
    paths: pd.DataFrame
    units: pd.DataFrame
    portrait_field: pd.DataFrame = pd.DataFrame()
    portrait_trajectories: pd.DataFrame = pd.DataFrame()
    portrait_points: pd.DataFrame = pd.DataFrame()


FIELDS = ArmDynamics._fields


@experiment
def run(config: DynamicsConfig) -> tuple[Tables, Scalars]:
    """Points, flows and subspaces of every context; bifurcations between contexts; phase portraits."""
    arms = {p.arm: measure_dynamics(p, config) for p in load_populations(config)}
    tables = {
        name: pd.concat([getattr(a, name) for a in arms.values()], ignore_index=True) for name in ArmDynamics._fields
    }
    networks = tables["networks"]
    tables["measures"] = frames.summarise_columns(networks, ["arm"], MEASURES)
    tables["bifurcations"] = frames.summarise(tables["paths"], ["arm", "lambda"], "share")
    return tables, _scalars(networks, config)


def _scalars(networks: pd.DataFrame, config: DynamicsConfig) -> Scalars:
    scalars = {"n_paths": len(config.paths), "largest_budget_difference": config.largest_gap}
    scalars |= frames.arm_scalars(networks, MEASURES)
    scalars |= frames.name_compared(networks.groupby("arm", sort=False)["passed"].sum())
    scalars |= frames.weigh_measures(networks, CLAIMED, both=False)
    return scalars | {"title": name_outcome(scalars)}


def name_outcome(scalars: Scalars) -> str:
    """The title."""
    apart = titles.choose(
        scalars,
        titles.PATHWAYS.format("angle"),
        "excitability turns the subspaces of tasks further apart",
        "synapses turn the subspaces of tasks further apart",
        "neither is shown to turn the subspaces of tasks further apart",
        alike="both turn the subspaces of tasks as far apart",
    )
    flow = (f"{verb} the flow more in a change of context" for verb in ("changes", "change", "change"))
    return f"{titles.compare_pathways(scalars, 'flow_change', *flow)}, and {apart}"


def measure_dynamics(population: Population, config: DynamicsConfig) -> ArmDynamics:
    """Dynamics of the networks of one arm that learned their tasks."""
    passed = population.passed(config.passing_score)
    kept = np.flatnonzero(passed)
    networks = pd.DataFrame({"arm": population.arm, "network": np.arange(len(passed)), "passed": passed})
    if not len(kept):
        return _leave_blank(networks, config)
    model, shown = population.model.select(kept), constant_inputs(config.task_set, config.n_directions)
    visited = visit(model, config, [config.seeds[m] for m in kept], config.state_trials)
    searched = search_epochs(model, visited, shown, (config.n_starts, config.most_starts))
    hold = shown["inputs"][0]
    along = follow_paths(model, visited, config.paths, np.array(config.lambdas), hold, max(2, config.n_starts // 4))
    paths = _path_table(along)
    measures, units = [], []
    for i, m in enumerate(kept):
        values, unit_table = measure_network(model, i, visited, searched, config)
        values["bifurcations"] = paths.loc[paths["network"] == i, "share"].sum()
        measures.append({"network": m} | values)
        units.append(unit_table.assign(network=m))
    portrait: dict[str, pd.DataFrame] = {}
    if population.arm in PORTRAYED:
        tasks = tuple(config.tasks.index(name) for name in config.example_tasks)
        portrait = draw_portrait(model, 0, visited, searched, tasks, hold)
    paths["network"] = kept[paths["network"]]
    tables = {"points": _point_table(searched, kept), "paths": paths, "units": pd.concat(units, ignore_index=True)}
    tables |= {f"portrait_{name}": table for name, table in portrait.items()}
    return ArmDynamics(
        networks=networks.merge(pd.DataFrame(measures), on="network", how="left"),
        **{name: table.assign(arm=population.arm) for name, table in tables.items()},
    )


def _leave_blank(networks: pd.DataFrame, config: DynamicsConfig) -> ArmDynamics:
    """The tables of an arm none of whose networks (columns arm, network, passed) learned their tasks."""
    named = networks[["arm", "network"]]
    levels = np.array(config.lambdas)
    middles = pd.DataFrame({"lambda": levels[:-1] + np.diff(levels) / 2, "share": np.nan})
    place = {"arm": networks["arm"][:1], "task": -1, "x": np.nan, "y": np.nan}
    portrait = {
        "portrait_field": pd.DataFrame(place | {"u": np.nan, "v": np.nan}),
        "portrait_trajectories": pd.DataFrame(place | {"trial": -1, "step": -1, "epoch": ""}),
        "portrait_points": pd.DataFrame(place | {"kind": ""}),
    }
    return ArmDynamics(
        networks=networks.assign(**dict.fromkeys(MEASURES, np.nan)),
        points=named.assign(epoch="fixation", stable=np.nan, unstable=np.nan, slow=np.nan),
        paths=named.merge(middles, how="cross"),
        units=named.assign(task=config.tasks[0], unit=0, variance=np.nan, cluster=-1),
        **portrait if networks["arm"][0] in PORTRAYED else {},
    )


def _point_table(searched: Searched, kept: np.ndarray) -> pd.DataFrame:
    """Mean number of points of each kind per network and epoch."""
    counts = frames.select(searched.counts(), again=False)
    table = counts.groupby(["network", "epoch"], sort=False)[["stable", "unstable", "slow"]].mean().reset_index()
    return table.assign(network=kept[table["network"]])


def _path_table(along: pd.DataFrame) -> pd.DataFrame:
    """Share of a network's paths on which the number of stable points changes, between neighbouring lambdas."""
    levels, rows = np.unique(along["lambda"]), []
    middles = find_bifurcations(levels, np.arange(len(levels))[:, None])  # where everything changes
    for network, part in along.groupby("network"):
        changes = [
            find_bifurcations(path["lambda"].to_numpy(), path[["stable"]].to_numpy())
            for _, path in part.groupby(["first", "second"])
        ]
        at = np.concatenate(changes)
        rows += [{"network": network, "lambda": x, "share": (at == x).sum() / len(changes)} for x in middles]
    return pd.DataFrame(rows)
