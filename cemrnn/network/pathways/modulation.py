"""What a context adds to the drive of the recurrence: its low-passes, and the parts of all pathways joined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cemrnn.config import show
from cemrnn.network.pathways.pathway import JOINED, Pathway
from cemrnn.network.pathways.registry import ARMS


class Told(NamedTuple):
    """A context for each modulator, where the two are told different things; see `cemrnn.network.model.CEMRNN.run`."""

    excitability: Tensor
    synaptic: Tensor


def modulate(
    config, tensors: Mapping[str, Tensor], context: Tensor | Told, *, n_steps: int, previous: Tensor | None = None
) -> dict[str, Tensor]:
    """What the context adds to the drive of the recurrence through the pathways of an arm.

    Args:
        config: of the network: arm, step, time constants, and source of the context.
        tensors: trained and fixed ones of its pathways, each with the network axis first.
        context: (M, B, T | 1, K), or one for each modulator; a time axis of length 1 means constant within the trial.
        n_steps: T.
        previous: (M, B, K) context at which the modulators have settled before the trial; None: they start at rest.

    Returns:
        What the pathways set, see `Pathway.drive`, and "modulator" (M, B, T, K) if the engine makes the part of some.

    Raises:
        ValueError: a pathway returns other names than it sets, or no tensors.
    """
    arm, modulators = ARMS[config.arm], {}
    for name in dict.fromkeys(pathway.modulator for pathway in arm.pathways):
        modulators[name] = low_pass(
            getattr(context, name) if isinstance(context, Told) else context,
            n_steps=n_steps,
            dt_ms=config.dt_ms,
            tau_ms=getattr(config, f"tau_{name}_ms"),
            previous=previous,
        )
    stepped, added = arm.stepped(config.context_source), {}
    if stepped:
        added["modulator"] = modulators[stepped[0].modulator].expand(-1, -1, n_steps, -1)
    others = [pathway for pathway in arm.pathways if pathway not in stepped]
    parts = [pathway.drive(tensors, modulators[pathway.modulator]) for pathway in others]
    for pathway, part in zip(others, parts, strict=True):
        _check_part(pathway, part)
    return added | combine(parts)


def _check_part(pathway: Pathway, part: Any) -> None:
    what = f"drive of the pathway {pathway.name}"
    if not isinstance(part, Mapping):
        raise ValueError(f"{what}: expected tensors by name, {', '.join(pathway.sets)}, got {show(part)}")
    if set(part) != set(pathway.sets):
        got = f"got {', '.join(part) or 'nothing'}"
        raise ValueError(f"{what}: expected {', '.join(pathway.sets)} as in sets, {got}")
    for name, value in part.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{what}: {name}: expected a tensor, got {show(value)}")


def combine(parts: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """What several pathways set, as one: shifts add up, gains and scales multiply."""
    joined: dict[str, Tensor] = {}
    for part in parts:
        for name, value in part.items():
            joined[name] = JOINED[name](joined[name], value) if name in joined else value
    return joined


def low_pass(context: Tensor, *, n_steps: int, dt_ms: float, tau_ms: float, previous: Tensor | None = None) -> Tensor:
    """The context seen through a first-order low-pass.

    e_t = e_{t-1} + (1 - exp(-dt / tau)) (c_t - e_{t-1}): exact for a context constant within each step.

    Args:
        context: (M, B, T | 1, K).
        n_steps: T.
        dt_ms, tau_ms: step and time constant, ms; tau 0 returns the context itself.
        previous: (M, B, K) where it starts when the trial starts; None: at rest, which is zero.

    Returns:
        (M, B, T, K), or the context as it came when tau is 0.
    """
    if tau_ms == 0:
        return context
    context = context.expand(-1, -1, n_steps, -1)
    rate, states = -math.expm1(-dt_ms / tau_ms), []
    state = torch.zeros_like(context[:, :, 0]) if previous is None else previous
    for step in range(n_steps):
        state = torch.lerp(state, context[:, :, step], rate)
        states.append(state)
    return torch.stack(states, dim=2)
