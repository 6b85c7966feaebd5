"""Figure 4: what a change of context does to the dynamics: it moves points, changes the flow, turns subspaces."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import pandas as pd

from cemrnn.figures.fig4_dynamics.config import DynamicsConfig
from cemrnn.figures.fig4_dynamics.measure import measure_network
from cemrnn.figures.fig4_dynamics.portraits import draw_portrait
from cemrnn.figures.fig4_dynamics.search import Searched, follow_paths, search_epochs
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared.battery import (
    SINGLE,
    Population,
    all_conditions,
    load_populations,
    mean_scalars,
    summarise,
    summarise_measures,
    weigh_pathways,
)
from cemrnn.figures.shared.states import constant_inputs, visit
from cemrnn.measures.geometry import find_bifurcations
from cemrnn.measures.intervals import bootstrap_difference

conditions = all_conditions
PORTRAYED = (*SINGLE, "combined")
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
    """Tables of one arm; NaN where no network is compared."""

    networks: pd.DataFrame
    points: pd.DataFrame
    paths: pd.DataFrame
    units: pd.DataFrame
    portrait: dict[str, pd.DataFrame]


@experiment
def run(config: DynamicsConfig) -> tuple[Tables, Scalars]:
    """Points, flows and subspaces of every context; bifurcations between contexts; phase portraits."""
    arms = {p.arm: measure_dynamics(p, config) for p in load_populations(config)}
    joined = {
        name: pd.concat([getattr(arm, name) for arm in arms.values()], ignore_index=True)
        for name in ("networks", "points", "paths", "units")
    }
    portraits = {
        name: pd.concat([arm.portrait[name] for arm in arms.values() if name in arm.portrait] or [pd.DataFrame()])
        for name in ("field", "trajectories", "points")
    }
    tables = {
        **joined,
        "measures": summarise_measures(joined["networks"], MEASURES, seed=config.seed),
        "bifurcations": summarise(joined["paths"], ["arm", "lambda"], "share", seed=config.seed),
        **{f"portrait_{name}": table.reset_index(drop=True) for name, table in portraits.items()},
    }
    return tables, _scalars(arms, joined, config)


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
    portrait = {}
    if population.arm in PORTRAYED:
        tasks = tuple(config.tasks.index(name) for name in config.example_tasks)
        portrait = draw_portrait(model, 0, visited, searched, tasks, hold)
    named = {"arm": population.arm}
    paths["network"] = kept[paths["network"]]
    return ArmDynamics(
        networks=networks.merge(pd.DataFrame(measures), on="network", how="left"),
        points=_point_table(searched, kept).assign(**named),
        paths=paths.assign(**named),
        units=pd.concat(units, ignore_index=True).assign(**named),
        portrait={name: table.assign(**named) for name, table in portrait.items()},
    )


def _leave_blank(networks: pd.DataFrame, config: DynamicsConfig) -> ArmDynamics:
    """The tables of an arm none of whose networks (columns arm, network, passed) learned their tasks."""
    named = networks[["arm", "network"]]
    levels = np.array(config.lambdas)
    middles = pd.DataFrame({"lambda": levels[:-1] + np.diff(levels) / 2, "share": np.nan})
    portrait = {
        "field": {"u": np.nan, "v": np.nan},
        "trajectories": {"trial": -1, "step": -1, "epoch": ""},
        "points": {"kind": ""},
    }
    place = {"arm": networks["arm"][:1], "task": -1, "x": np.nan, "y": np.nan}
    return ArmDynamics(
        networks=networks.assign(**dict.fromkeys(MEASURES, np.nan)),
        points=named.assign(epoch="fixation", stable=np.nan, unstable=np.nan, slow=np.nan),
        paths=named.merge(middles, how="cross"),
        units=named.assign(task=config.tasks[0], unit=0, variance=np.nan, cluster=-1),
        portrait={name: pd.DataFrame(place | columns) for name, columns in portrait.items()}
        if networks["arm"][0] in PORTRAYED
        else {},
    )


def _point_table(searched: Searched, kept: np.ndarray) -> pd.DataFrame:
    """Mean number of points of each kind per network and epoch."""
    counts = searched.counts()
    counts = counts[~counts["again"]]
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


def _scalars(arms: dict[str, ArmDynamics], tables: dict[str, pd.DataFrame], config: DynamicsConfig) -> Scalars:
    by_arm, seed = dict(list(tables["networks"].groupby("arm", sort=False))), config.seed
    compared = {arm: int(part["passed"].sum()) >= 2 for arm, part in by_arm.items()}
    scalars: Scalars = {
        "n_paths": len(config.paths),
        "arms_compared": ", ".join(arm for arm in arms if compared[arm]) or "none",
        "arms_not_compared": ", ".join(arm for arm in arms if not compared[arm]) or "none",
    }
    for arm, part in by_arm.items():
        scalars |= {f"passed_{arm}": int(part["passed"].sum())}
        samples = {f"{measure}_{arm}": part[measure].to_numpy(float) for measure in MEASURES}
        scalars |= mean_scalars(samples, seed=seed)
    if set(SINGLE) <= by_arm.keys():  # arms are not paired: their networks have nothing but trials in common
        difference = functools.partial(bootstrap_difference, paired=False, seed=seed)
        for measure in CLAIMED:
            samples = {arm: part[measure].to_numpy(float) for arm, part in by_arm.items()}
            scalars |= weigh_pathways(measure, difference, samples, both=False)
    return scalars
