"""Phase portraits: the flow of a network in two contexts, on the plane in which it does the two tasks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from cemrnn.figures.fig4_dynamics.search import Searched, make_flow
from cemrnn.figures.shared.states import Visited
from cemrnn.measures.geometry import find_components
from cemrnn.network.model import CEMRNN
from cemrnn.tasks.family import EPOCHS

N_GRID = 15  # points of the flow along each axis
N_TRIALS = 8  # trajectories per task
MARGIN = 0.15  # of the range of the states, around them


def draw_portrait(
    model: CEMRNN, network: int, visited: Visited, searched: Searched, tasks: tuple[int, int], inputs: np.ndarray
) -> dict[str, pd.DataFrame]:
    """Flow, trajectories and points of one network in the contexts of two tasks, on the plane of both.

    The plane goes through the mean of the states visited in the two tasks, along their two leading principal
    components. The flow is that on the plane, projected onto it.

    Args:
        model: M networks.
        network: which of them.
        visited: their states.
        searched: their points.
        tasks: the two tasks.
        inputs: (I,) constant input under which the flow is shown.

    Returns:
        Tables "field" (task, x, y, u, v), "trajectories" (task, trial, step, epoch, x, y), "points" (task, kind, x, y).
    """
    states = np.concatenate([visited.states(network, k) for k in tasks])
    centre, plane = states.mean(axis=0), find_components(states, 2)  # (N,), (N, 2)
    return {
        "field": _field(model, network, tasks, inputs, (states - centre) @ plane, centre, plane),
        "trajectories": _trajectories(network, visited, tasks, centre, plane),
        "points": _points(network, searched, tasks, centre, plane),
    }


def _field(model, network, tasks, inputs, projected, centre, plane) -> pd.DataFrame:
    low, high = projected.min(axis=0), projected.max(axis=0)
    half = (0.5 + MARGIN) * (high - low).max()
    x, y = (np.linspace(middle - half, middle + half, N_GRID) for middle in (low + high) / 2)  # a square
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # (S, 2), x runs fastest
    context = np.eye(model.config.n_contexts)[list(tasks)]
    flow = make_flow(model, np.full(2, network), np.tile(inputs, (2, 1)), context)
    states = torch.as_tensor(centre + grid @ plane.T, dtype=torch.float64, device=model.flat.device)
    parts = []
    for i, task in enumerate(tasks):
        which = torch.full((len(grid),), i, device=states.device)
        velocity = flow.velocity(states, which).cpu().numpy() @ plane  # (S, 2)
        parts.append(pd.DataFrame({"task": task, "x": grid[:, 0], "y": grid[:, 1], "u": velocity[:, 0]}))
        parts[-1]["v"] = velocity[:, 1]
    return pd.concat(parts, ignore_index=True)


def _trajectories(network, visited, tasks, centre, plane) -> pd.DataFrame:
    parts = []
    for task in tasks:
        for trial in np.flatnonzero(visited.task == task)[:N_TRIALS]:
            inside = visited.epoch[network, trial] >= 0
            xy = (visited.rates[network, trial][inside] - centre) @ plane
            epoch = np.array(EPOCHS)[visited.epoch[network, trial][inside]]
            columns = {"task": task, "trial": trial, "step": np.arange(len(xy)), "epoch": epoch}
            parts.append(pd.DataFrame(columns | {"x": xy[:, 0], "y": xy[:, 1]}))
    return pd.concat(parts, ignore_index=True)


def _points(network, searched, tasks, centre, plane) -> pd.DataFrame:
    parts = [pd.DataFrame({"task": [], "kind": [], "x": [], "y": []})]
    for task in tasks:
        for row, states in searched.under(network=network, task=task, epoch="fixation", again=False):
            xy, kind = (states - centre) @ plane, searched.points["kind"][searched.points["condition"] == row.name]
            parts.append(pd.DataFrame({"task": task, "kind": kind.to_numpy(), "x": xy[:, 0], "y": xy[:, 1]}))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
