"""The dynamics of one network in its contexts: displacement, change of the flow, points, subspaces, units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from cemrnn.figures.fig4_dynamics.config import DynamicsConfig
from cemrnn.figures.fig4_dynamics.search import Searched, make_flow
from cemrnn.figures.shared.states import Visited
from cemrnn.measures import geometry
from cemrnn.network.model import CEMRNN


def measure_network(
    model: CEMRNN, network: int, visited: Visited, searched: Searched, config: DynamicsConfig
) -> tuple[dict[str, float], pd.DataFrame]:
    """Every measure of one network but those along paths; and its units."""
    n_tasks, states = len(config.tasks), visited.states(network)
    variance = geometry.task_variance(visited.epoch_means(network), visited.task, n_tasks)
    clusters = geometry.cluster_units(variance, config.max_clusters)
    values = {
        **_displacements(searched, network, geometry.measure_spread(states)),
        **_count_points(searched, network, model.config.tau_ms),
        **_angles(visited, network, config),
        "flow_change": _flow_change(model, network, visited, config),
        "participation": geometry.participation_ratio(states),
        "participation_task": geometry.nan_mean(
            [geometry.participation_ratio(visited.states(network, k)) for k in range(n_tasks)]
        ),
        "n_clusters": clusters.n_clusters,
        "silhouette": clusters.silhouette,
    }
    task, unit = np.indices(variance.shape)
    columns = {"task": np.array(config.tasks)[task.ravel()], "unit": unit.ravel(), "variance": variance.ravel()}
    return values, pd.DataFrame(columns | {"cluster": clusters.label[unit.ravel()]})


def _displacements(searched: Searched, network: int, spread: float) -> dict[str, float]:
    inputs = searched.conditions["input"].unique()
    by_input = [[q for _, q in searched.under(network=network, input=i, again=False)] for i in inputs]
    again = [q for _, q in searched.under(network=network, again=True)]
    floor = [geometry.distance_to_nearest(a, b) for a, b in zip(again, by_input[0], strict=True)]
    return {
        "displacement": geometry.nan_mean([geometry.displace_points(points, spread) for points in by_input]),
        "displacement_same_context": geometry.nan_mean(floor) / spread,
    }


def _count_points(searched: Searched, network: int, tau_ms: float) -> dict[str, float]:
    """Mean numbers of points per context and input; the slowest stable point of a context at rest, as a median."""
    conditions = searched.conditions
    chosen = conditions.index[(conditions["network"] == network) & ~conditions["again"]]
    counts = searched.counts().loc[chosen, ["stable", "unstable", "slow"]]
    points = searched.points[searched.points["condition"].isin(chosen)]
    rest = points[(points["kind"] == "stable") & (conditions["input"][points["condition"]] == 0).to_numpy()]
    stable = rest.groupby("condition")["time_constant"].max()
    return {
        **{f"n_{kind}": counts[kind].mean() for kind in counts},
        "share_slow": counts["slow"].sum() / max(1, counts.to_numpy().sum()),
        "slowest_ms": stable.median() * tau_ms,
        "starts": conditions.loc[chosen, "starts"].mean(),
        "settled": conditions.loc[chosen, "settled"].mean(),
        "unseen": geometry.nan_mean(conditions.loc[chosen, "unseen"]),
        "lost": conditions.loc[chosen, "lost"].mean(),
    }


def _angles(visited: Visited, network: int, config: DynamicsConfig) -> dict[str, float]:
    n_tasks, n = len(config.tasks), config.n_components
    bases = [geometry.find_components(visited.states(network, k), n) for k in range(n_tasks)]
    halves = [
        [
            geometry.find_components(visited.states(network, k, part), n)
            for part in (slice(0, None, 2), slice(1, None, 2))
        ]
        for k in range(n_tasks)
    ]
    return {
        "angle": geometry.mean_angle_of_pairs(bases),
        "angle_same_task": geometry.nan_mean([geometry.mean_angle(*pair) for pair in halves]),
    }


def _flow_change(model: CEMRNN, network: int, visited: Visited, config: DynamicsConfig) -> float:
    """Change of the Jacobian from context to context, in states visited in all tasks, each under its own input."""
    n_contexts, changes = model.config.n_contexts, []
    for task in range(n_contexts):
        states, inputs = visited.draw(network, task, config.flow_states, "flow")
        n = len(states)
        flow = make_flow(
            model,
            np.full(n * n_contexts, network),
            np.repeat(inputs, n_contexts, axis=0),
            np.tile(np.eye(n_contexts), (n, 1)),
        )
        repeated = torch.as_tensor(np.repeat(states, n_contexts, axis=0)).to(model.flat.device, torch.float64)
        jacobians = flow.jacobian(repeated, torch.arange(len(repeated), device=repeated.device))
        changes.append(geometry.change_flow(jacobians.unflatten(0, (n, n_contexts)).cpu().numpy()))
    return float(np.mean(changes))
