"""Baselines: ensembles of GRU and LSTM networks, which read a cue, if there is one, as part of their input.

    GRU:  z = s(u Z + h Z'),  r = s(u R + h R'),  n = tanh(u W + r * (h W')),  h <- (1 - z) n + z h
    LSTM: i, f, o = s(...),  g = tanh(...),  c <- f c + i g,  h <- o tanh c

with biases, s the logistic function, and a linear readout of h. Both are torch's.

Source: Cho et al. 2014 (arXiv 1406.1078); Hochreiter & Schmidhuber 1997 (Neural Comput 9, 1735).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cemrnn.config import Config
from cemrnn.network.ensemble import Ensemble
from cemrnn.random import stream

KINDS = {"gru": (torch.nn.GRU, 3), "lstm": (torch.nn.LSTM, 4)}  # module, gates and candidates
KEEP_GATE = 1  # position of the gate that keeps the state: z of a GRU, f of an LSTM
CORE = {"input": "weight_ih_l0", "recurrent": "weight_hh_l0", "bias": "bias_ih_l0", "recurrent_bias": "bias_hh_l0"}


@dataclass(frozen=True, kw_only=True)
class GatedConfig(Config):
    """Shape of one gated network; letters as in the model of `cemrnn.network.model`."""

    arm: Literal["gru", "lstm"]
    n_units: int  # N
    n_inputs: int  # I, without the cue
    n_outputs: int  # O
    n_contexts: int = 0  # K, numbers of a cue that is concatenated to the input; 0: no cue
    keep_bias: float = 0.0  # initial bias of the gate that keeps the state; Jozefowicz et al. 2015 take 1 for an LSTM

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_units", "n_inputs", "n_outputs"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")
        if self.n_contexts < 0:
            raise ValueError(f"n_contexts: expected 0 or more, got {self.n_contexts}")


class GatedEnsemble(Ensemble):
    """M gated networks of one shape, each drawn from its own seed."""

    @staticmethod
    def parameter_shapes(config: GatedConfig) -> dict[str, tuple[int, ...]]:
        """Shape of every trained tensor of one network, in a fixed order."""
        n_rows = KINDS[config.arm][1] * config.n_units
        return {
            "input": (n_rows, config.n_inputs + config.n_contexts),
            "recurrent": (n_rows, config.n_units),
            "bias": (n_rows,),
            "recurrent_bias": (n_rows,),
            "readout": (config.n_units, config.n_outputs),
            "readout_bias": (config.n_outputs,),
        }

    @staticmethod
    def draw_parameters(config: GatedConfig, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Initial trained tensors of one network, and no fixed ones; uniform within 1 / sqrt(N), as torch does."""
        trained = {}
        for name, shape in GatedEnsemble.parameter_shapes(config).items():
            trained[name] = stream(seed, "parameters", name).uniform(-1, 1, shape) / math.sqrt(config.n_units)
        kept = slice(KEEP_GATE * config.n_units, (KEEP_GATE + 1) * config.n_units)
        trained["bias"][kept] += config.keep_bias
        return trained, {}

    def run(self, inputs: Tensor, context: Tensor | None) -> tuple[Tensor, None]:
        """Outputs (M, B, T, O) of every network on every trial, and None; differentiable.

        Args:
            inputs: (M, B, T, I).
            context: (M, B, K) cue of the whole trial; None without one.

        Raises:
            ValueError: the cue is missing, or is there although the network reads none.
        """
        c, p = self.config, self.parameters
        if (context is None) != (c.n_contexts == 0):
            got = "None" if context is None else f"shape {tuple(context.shape)}"
            raise ValueError(f"context: expected a cue of {c.n_contexts} numbers, or None for 0 of them; got {got}")
        if context is not None:
            cue = context.to(inputs.dtype)[:, :, None].expand(-1, -1, inputs.shape[2], -1)
            inputs = torch.cat([inputs, cue], dim=-1)
        if inputs.is_cuda:
            match_precision()
        module, time_major = _module(c.arm, c.n_inputs + c.n_contexts, c.n_units), inputs.transpose(1, 2)
        states = []
        for m in range(self.n_networks):  # torch has no recurrence over a batch of weights
            weights = {theirs: p[ours][m] for ours, theirs in CORE.items()}
            states.append(torch.func.functional_call(module, weights, (time_major[m],))[0])  # (T, B, N)
        outputs = [torch.addmm(p["readout_bias"][m], h.flatten(0, 1), p["readout"][m]) for m, h in enumerate(states)]
        return torch.stack(outputs).unflatten(1, time_major.shape[1:3]).transpose(1, 2), None


def match_precision() -> None:
    """Have cuDNN's recurrences as exact as torch's products are asked to be; by itself it takes TF32."""
    torch.backends.cudnn.allow_tf32 = torch.get_float32_matmul_precision() != "highest"


def count_gated_parameters(config: GatedConfig) -> int:
    """Number of trained parameters of one network."""
    return sum(math.prod(shape) for shape in GatedEnsemble.parameter_shapes(config).values())


def match_gated(config: GatedConfig, budget: int) -> GatedConfig:
    """The config with as many units as bring its trained parameters nearest to a budget."""
    sizes = (replace(config, n_units=n) for n in range(1, math.isqrt(budget) + 2))
    return min(sizes, key=lambda c: abs(count_gated_parameters(c) - budget))


@functools.cache
def _module(kind: str, n_inputs: int, n_units: int) -> torch.nn.Module:
    """A module whose own weights are never used."""
    return KINDS[kind][0](n_inputs, n_units, device="cpu")
