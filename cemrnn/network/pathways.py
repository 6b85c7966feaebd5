"""Pathways: how a context becomes a shift of threshold, a sensitivity, or synaptic strengths.

A pathway names its parameters and what it adds to the drive of the recurrence. An arm is a set of pathways. A new
mechanism is one `Pathway` and one line in `PATHWAYS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Pathway:
    """One way for context to act.

    Attributes:
        modulator: which low-pass it reads, "excitability" (tau_E) or "synaptic" (tau_S).
        shapes: config -> shapes of its trained tensors, without the network axis.
        drive: (tensors, modulator (M, B, T | 1, K)) -> what it adds: "bias" and "gain" (M, B, T | 1, N),
            "strength" (M, B, T | 1, R), "scale" (M, B, T | 1, 1).
        fixed: config -> shapes of tensors that are drawn once and never trained.
        in_engine: whether the engine can make what it adds, step by step.
    """

    modulator: str
    shapes: Callable[..., Shapes]
    drive: Callable[[dict[str, Tensor], Tensor], dict[str, Tensor]]
    fixed: Callable[..., Shapes] = lambda config: {}
    in_engine: bool = False


def _project(modulator: Tensor, weight: Tensor) -> Tensor:
    # (M, B, T | 1, K) x (M, 1, K, F). One product per network is faster, but its bits depend on the other networks.
    return modulator @ weight[:, None]


PATHWAYS = {
    "bias": Pathway(
        "excitability",
        lambda c: {"bias_modulation": (c.n_contexts, c.n_units)},
        lambda p, e: {"bias": _project(e, p["bias_modulation"])},
        in_engine=True,
    ),
    "gain": Pathway(
        "excitability",
        lambda c: {"gain_modulation": (c.n_contexts, c.n_units)},
        lambda p, e: {"gain": 1 + _project(e, p["gain_modulation"])},
        in_engine=True,
    ),
    "synaptic": Pathway(
        "synaptic",
        lambda c: {
            "synaptic_in": (c.n_units, c.rank),
            "synaptic_out": (c.n_units, c.rank),
            "strength_modulation": (c.n_contexts, c.rank),
        },
        lambda p, q: {"strength": _project(q, p["strength_modulation"])},
    ),
    "scale": Pathway(
        "synaptic",
        lambda c: {"scale_modulation": (c.n_contexts, 1)},
        lambda p, q: {"scale": 1 + _project(q, p["scale_modulation"])},
    ),
    "gate": Pathway(
        "excitability",
        lambda c: {},
        lambda p, e: {"gain": _project(e, p["gate"])},
        fixed=lambda c: {"gate": (c.n_contexts, c.n_units)},
    ),
}

ARMS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "bias": ("bias",),
    "gain": ("gain",),
    "excitability": ("bias", "gain"),
    "synaptic": ("synaptic",),
    "scalar": ("scale",),
    "gating": ("gate",),
    "combined": ("bias", "gain", "synaptic"),
}


def modulate(
    arm: str,
    tensors: dict[str, Tensor],
    context: Tensor,
    *,
    n_steps: int,
    dt_ms: float,
    tau_excitability_ms: float,
    tau_synaptic_ms: float,
    synaptic_context: Tensor | None = None,
    previous: Tensor | None = None,
    in_engine: bool = False,
) -> dict[str, Tensor]:
    """What the context adds to the drive of the recurrence through the pathways of an arm.

    Args:
        arm: name in `ARMS`.
        tensors: parameters of its pathways, each with the network axis first.
        context: (M, B, T | 1, K); a time axis of length 1 means constant within the trial.
        n_steps: T.
        dt_ms: step, ms.
        tau_excitability_ms, tau_synaptic_ms: time constants of the modulators, ms; 0 follows the context at once.
        synaptic_context: what the synaptic modulator is told instead, if it is told something else.
        previous: (M, B, K) context at which the modulators have settled before the trial; None: they start at rest.
        in_engine: whether the engine makes shifts and gains from the modulator, which it is then given.

    Returns:
        Some of "bias", "gain" (M, B, T | 1, N), "strength" (M, B, T | 1, R), "scale" (M, B, T | 1, 1),
        "modulator" (M, B, T, K).
    """
    tau_ms = {"excitability": tau_excitability_ms, "synaptic": tau_synaptic_ms}
    told = {"excitability": context, "synaptic": context if synaptic_context is None else synaptic_context}
    added: dict[str, Tensor] = {}
    modulators: dict[str, Tensor] = {}
    for pathway in (PATHWAYS[name] for name in ARMS[arm]):
        name = pathway.modulator
        if name not in modulators:
            modulators[name] = low_pass(
                told[name], n_steps=n_steps, dt_ms=dt_ms, tau_ms=tau_ms[name], previous=previous
            )
        if in_engine and pathway.in_engine:
            added["modulator"] = modulators[name].expand(-1, -1, n_steps, -1)
        else:
            added |= pathway.drive(tensors, modulators[name])
    return added


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


def draw_gate(generator: np.random.Generator, n_contexts: int, n_units: int, fraction_off: float) -> np.ndarray:
    """Fixed 0/1 gates (K, N): in every context the same number of units is off, chosen at random.

    Source: context-dependent gating, Masse, Grant & Freedman 2018 (PNAS 115, E10467); there it multiplies
    the unit's activity, here the gain of its input.
    """
    n_off = round(fraction_off * n_units)
    order = generator.permuted(np.tile(np.arange(n_units), (n_contexts, 1)), axis=1)
    return (order >= n_off).astype(np.float32)
