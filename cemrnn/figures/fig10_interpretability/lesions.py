"""Lesions of modulation: a pathway, a synaptic component or a mixture of components is held at its mean over contexts.

A component that is set to zero would also lose what it does in all contexts alike, which W could do as well; held at
its mean it loses what it learned about the context and no more. Pathways are treated alike in figure 5.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cemrnn.figures.shared.battery import BatteryConfig, score_fresh
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS
from cemrnn.random import stream

# Trained tensor (context, feature) of each pathway; the gate is not trained.
LEARNED = {
    "bias": "bias_modulation",
    "gain": "gain_modulation",
    "synaptic": "strength_modulation",
    "scale": "scale_modulation",
}


def learned_pathways(arm: str) -> list[str]:
    """Pathways of an arm whose modulation is learned."""
    return [pathway for pathway in ARMS[arm] if pathway in LEARNED]


def measure_components(model: CEMRNN) -> Tensor:
    """Sizes (M, R) of the synaptic components: |u_r| |v_r|, the Frobenius norm of the weights at strength 1."""
    p = model.parameters
    return (p["synaptic_in"].norm(dim=1) * p["synaptic_out"].norm(dim=1)).detach()


def read_modulations(model: CEMRNN) -> dict[str, np.ndarray]:
    """Learned modulation (M, K, F) of each pathway of an arm; strengths are in units of weights, times the sizes."""
    found = {name: model.parameters[LEARNED[name]].detach() for name in learned_pathways(model.config.arm)}
    if "synaptic" in found:
        found["synaptic"] = found["synaptic"] * measure_components(model)[:, None]
    return {name: values.double().cpu().numpy() for name, values in found.items()}


def hold_pathways(model: CEMRNN, pathways: list[str]) -> CEMRNN:
    """A copy in which the modulation of these pathways is the same in all contexts, its mean over them."""
    held = model.select(range(model.n_networks))
    with torch.no_grad():
        for pathway in pathways:
            values = held.parameters[LEARNED[pathway]]  # (M, K, F)
            values.copy_(values.mean(dim=1, keepdim=True).expand_as(values))
    return held


def hold_direction(model: CEMRNN, directions: Tensor) -> CEMRNN:
    """A copy in which one direction of the synaptic strengths is the same in all contexts.

    Strengths are taken in units of weights, times the sizes of their components, so that a direction does not depend
    on how a component is scaled. Along a single component this is `hold_pathways` for that component.

    Args:
        model: M networks with synaptic components.
        directions: (M, R) or (R,), of length one.
    """
    held, sizes = model.select(range(model.n_networks)), measure_components(model)[:, None]
    directions = directions.expand(model.n_networks, -1)[:, None]  # (M, 1, R)
    with torch.no_grad():
        values = held.parameters[LEARNED["synaptic"]]  # (M, K, R)
        centred = (values - values.mean(dim=1, keepdim=True)) * sizes
        along = (centred * directions).sum(dim=2, keepdim=True) * directions
        values.sub_(along / sizes)
    return held


def score_component_lesions(
    model: CEMRNN, config: BatteryConfig, seeds: list[int], n_trials: int, n_bases: int
) -> pd.DataFrame:
    """Loss of score on every task by every lesion, on the same trials with the same noise.

    Args:
        model: M networks of an arm with learned pathways.
        config: tasks; its seed draws the random directions.
        seeds: (M,) of the networks, for trials and noise.
        n_trials: per task.
        n_bases: orthonormal bases of random directions.

    Returns:
        Columns network, kind ("pathway", "component" or "random"), lesion, task, loss.
    """
    intact = score_fresh(model, config.task_set, seeds, n_trials, "last36")
    rows = []
    for kind, lesion, held in _all_lesions(model, config.seed, n_bases):
        loss = intact - score_fresh(held, config.task_set, seeds, n_trials, "last36")  # (M, K)
        network, task = np.indices(loss.shape)
        columns = {"network": network.ravel(), "kind": kind, "lesion": lesion}
        rows.append(pd.DataFrame(columns | {"task": np.array(config.tasks)[task.ravel()], "loss": loss.ravel()}))
    return pd.concat(rows, ignore_index=True)


def _all_lesions(model: CEMRNN, seed: int, n_bases: int) -> Iterator[tuple[str, str, CEMRNN]]:
    pathways, rank = learned_pathways(model.config.arm), model.config.rank
    for pathway in pathways:
        yield "pathway", pathway, hold_pathways(model, [pathway])
    if len(pathways) > 1:
        yield "pathway", "all", hold_pathways(model, pathways)
    if "synaptic" not in pathways:
        return
    for r, direction in enumerate(torch.eye(rank, device=model.flat.device)):
        yield "component", str(r), hold_direction(model, direction)
    for i, basis in enumerate(draw_bases(rank, n_bases, seed)):
        for r, direction in enumerate(torch.as_tensor(basis).to(model.flat)):
            yield "random", f"{i}.{r}", hold_direction(model, direction)


def draw_bases(rank: int, n_bases: int, seed: int) -> np.ndarray:
    """Random orthonormal bases (n_bases, R, R), one direction per row, uniform over rotations."""
    drawn = stream(seed, "lesions", "bases").standard_normal((n_bases, rank, rank))
    q, r = np.linalg.qr(drawn)
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
