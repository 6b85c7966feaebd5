"""Lesions of modulation: a pathway, a synaptic component or a mixture of components is held at its mean over contexts.

A component that is set to zero would also lose what it does in all contexts alike, which W could do as well; held at
its mean it loses what it learned about the context and no more. Pathways are treated alike in figure 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cemrnn.figures.shared.battery import BatteryConfig, score_fresh
from cemrnn.figures.shared.frames import lay_out
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS, PATHWAYS
from cemrnn.random import stream


def read_modulations(model: CEMRNN) -> dict[str, np.ndarray]:
    """Learned modulation (M, K, F) of each pathway of an arm, in units in which its features can be compared."""
    learned = ARMS[model.config.arm].learned
    return {name: p.modulation(model.parameters).double().cpu().numpy() for name, p in learned.items()}


def hold_pathways(model: CEMRNN, pathways: Iterable[str]) -> CEMRNN:
    """A copy in which the modulation of these pathways is the same in all contexts, its mean over them."""
    held = model.select(range(model.n_networks))
    for pathway in pathways:
        PATHWAYS[pathway].hold(held.parameters)
    return held


def hold_direction(model: CEMRNN, directions: Tensor) -> CEMRNN:
    """A copy in which one direction of the synaptic strengths is the same in all contexts.

    Strengths are taken in units of weights, times the sizes of their components, so that a direction does not depend
    on how a component is scaled. Along a single component this is `hold_pathways` for that component.

    Args:
        model: M networks with synaptic components.
        directions: (M, R) or (R,), of length one.
    """
    held, pathway = model.select(range(model.n_networks)), ARMS[model.config.arm].with_components
    sizes = pathway.component_sizes(model.parameters)[:, None]
    directions = directions.expand(model.n_networks, -1)[:, None]  # (M, 1, R)
    with torch.no_grad():
        values = held.parameters[pathway.learned[0]]  # (M, K, R)
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
    parts = []
    for kind, lesion, held in _all_lesions(model, config.seed, n_bases):
        loss = intact - score_fresh(held, config.task_set, seeds, n_trials, "last36")  # (M, K)
        axes = {"network": range(len(loss)), "kind": [kind], "lesion": [lesion], "task": config.tasks}
        parts.append(lay_out(axes, loss=loss))
    return pd.concat(parts, ignore_index=True)


def _all_lesions(model: CEMRNN, seed: int, n_bases: int) -> Iterator[tuple[str, str, CEMRNN]]:
    arm, rank = ARMS[model.config.arm], model.config.rank
    for pathway in arm.learned:
        yield "pathway", pathway, hold_pathways(model, [pathway])
    if len(arm.learned) > 1:
        yield "pathway", "all", hold_pathways(model, arm.learned)
    if not arm.with_components:
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
