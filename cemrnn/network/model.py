"""The CEMRNN: an ensemble of recurrent networks whose context acts through the pathways of one arm.

    p_t = g_t * (r_{t-1} W + ((r_{t-1} V) * s_t) U^T + u_t B) + b + beta_t + sqrt(2 / alpha) sigma_rec xi_t
    r_t = (1 - alpha) r_{t-1} + alpha phi(p_t),    y_t = r_t C + d,    alpha = dt / tau
    beta_t = e_t E,    g_t = 1 + e_t G,    s_t = q_t S

e and q are the context seen through low-passes with time constants tau_E and tau_S. The context is given with
the trial ("cue"), or inferred at every step from the input ("input"), c_t = tanh(u_t C_u + c_0), or from the input
and the state ("state"), c_t = tanh(u_t C_u + r_{t-1} C_r + c_0).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from cemrnn.network.config import NetworkConfig, parameter_shapes
from cemrnn.network.engine.recurrence import Drive, Objective, Weights, integrate, measure_error
from cemrnn.network.ensemble import Ensemble, draw_parameters
from cemrnn.network.noise import NoiseStream
from cemrnn.network.pathways import ARMS, Told, modulate
from cemrnn.network.pathways.matrix import STATE_ENCODER

ENGINE_CORE = ("recurrent", "input", "readout", "readout_bias")  # its weights that are the engine's, whatever the arm


class CEMRNN(Ensemble):
    """M networks whose context acts through the pathways of one arm."""

    parameter_shapes = staticmethod(parameter_shapes)

    @staticmethod
    def draw_parameters(config: NetworkConfig, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """See `draw_parameters` of the module."""
        return draw_parameters(config, seed)

    def adopt(self, base: CEMRNN) -> Tensor:
        """Which parameters (P,) bool the base lacks, after all others became the base's.

        Args:
            base: as many networks, alike but for fewer contexts; its contexts become the first ones.

        Raises:
            ValueError: the base differs in more than the number of contexts.
        """
        if replace(base.config, n_contexts=self.config.n_contexts) != self.config or base.n_networks != self.n_networks:
            raise ValueError(f"base: expected {self.n_networks} x {self.config} with fewer contexts, got {base.config}")
        is_new = CEMRNN.__new__(CEMRNN)
        is_new.config = self.config
        is_new._bind(torch.ones_like(self.flat[:1]))
        with torch.no_grad():
            for name, values in base.parameters.items():
                part = (slice(None), slice(0, values.shape[1]))  # differs from all in tensors with a context axis
                self.parameters[name][part] = values
                is_new.parameters[name][part] = 0
        return is_new.flat[0] > 0

    def infer_context(self, inputs: Tensor, rates: Tensor | None = None) -> Tensor:
        """Context (M, B, T, K) that the encoder infers.

        Args:
            inputs: (M, B, T, I).
            rates: (M, B, T, N) after each step of trials that started at zero, where the encoder reads the state.

        Raises:
            ValueError: rates are missing, or given to an encoder that does not read them.
        """
        encoding = self._encode(inputs)
        if (rates is None) == (self.config.context_source == "state"):
            expected = "None" if rates is not None else "(network, trial, time, unit)"
            raise ValueError(f"rates: expected {expected} with context_source {self.config.context_source}")
        if rates is not None:
            before = torch.nn.functional.pad(rates[:, :, :-1], (0, 0, 1, 0))  # r_{t-1}
            encoding = encoding + before @ self.parameters["encoder_state"][:, None]
        return torch.tanh(encoding)

    def _encode(self, inputs: Tensor) -> Tensor:
        """What the inputs alone bring to the encoder (M, B, T, K), before the tanh."""
        p = self.parameters
        return inputs @ p["encoder_input"][:, None] + p["encoder_bias"][:, None, None]

    def run(
        self,
        inputs: Tensor,
        context: Tensor | Told | None,
        *,
        previous: Tensor | None = None,
        noise: Tensor | None = None,
        initial: Tensor | None = None,
        lengths: Tensor | None = None,
        keep_rates: bool = False,
        backend: str = "auto",
    ) -> tuple[Tensor, Tensor | None]:
        """Outputs, and rates if kept, of every network on every trial; differentiable.

        Args:
            inputs: (M, B, T, I).
            context: (M, B, K) for the whole trial or (M, B, T, K), or two of them where the modulators are told
                different things; None when it is inferred, or when the arm has no pathway.
            previous: (M, B, K) context at which the modulators start; None: they start at rest. A modulator
                without a time constant has no past.
            noise: (M, B, T, N) recurrent noise, already scaled; None for none.
            initial: (M, B, N) rates before the first step; None for zero.
            lengths: (M, B) int64 steps of each trial, after which outputs and rates are 0; None for T.
            keep_rates: whether rates are returned.
            backend: see `cemrnn.network.engine.recurrence.integrate`.

        Returns:
            outputs (M, B, T, O), rates (M, B, T, N) or None.

        Raises:
            ValueError: the context is missing, or has the wrong shape.
        """
        return integrate(
            *self._arrange(inputs, context, previous, noise=noise, initial=initial, lengths=lengths),
            alpha=self.config.alpha,
            activation=self.config.activation,
            keep_rates=keep_rates,
            backend=backend,
        )

    def measure_error(
        self,
        inputs: Tensor,
        context: Tensor | None,
        goal: Objective,
        *,
        previous: Tensor | None = None,
        noise: Tensor | None = None,
        lengths: Tensor | None = None,
        backend: str = "auto",
    ) -> Tensor:
        """Squared error of every network (M,), averaged with the goal's weights; differentiable.

        Args:
            inputs, context, previous, noise, lengths, backend: see `run`.
            goal: see `cemrnn.network.engine.recurrence.Objective`.

        Raises:
            ValueError: the context is missing, or a shape is wrong.
        """
        weights, drive = self._arrange(inputs, context, previous, noise=noise, lengths=lengths)
        alpha, activation = self.config.alpha, self.config.activation
        return measure_error(weights, drive, goal, alpha=alpha, activation=activation, backend=backend)

    def _arrange(
        self, inputs: Tensor, context: Tensor | Told | None, previous: Tensor | None, **others: Tensor | None
    ) -> tuple[Weights, Drive]:
        c, p, arm = self.config, self.parameters, ARMS[self.config.arm]
        bias = p["bias"][:, None, None]  # (M, 1, 1, N)
        added: dict[str, Tensor] = {}
        if arm.pathways and c.context_source == "state":
            self._refuse_context(context, previous)
            added = {"modulator": self._encode(inputs)}
        elif arm.pathways:
            told = self._read_context(inputs, context)
            before = None if previous is None else self._read_context(inputs, previous)[:, :, 0]
            added = modulate(c, p | self.fixed, told, n_steps=inputs.shape[2], previous=before)
            bias = bias + added.pop("bias", 0)
            inputs = inputs * added.pop("input_gain") if "input_gain" in added else inputs
        owned = [*arm.engine_weights(c.context_source), *STATE_ENCODER]
        weights = {name: p[name] for name in (*ENGINE_CORE, *owned) if name in p}
        return Weights(**weights), Drive(inputs=inputs, bias=bias, **others, **added)

    def _read_context(self, inputs: Tensor, context: Tensor | Told | None) -> Tensor | Told:
        """The context (M, B, T | 1, K) that the modulators follow."""
        if isinstance(context, Told):
            return Told(*(self._read_context(inputs, told) for told in context))
        if self.config.context_source == "input":
            self._refuse_context(context)
            return self.infer_context(inputs)
        if context is None:
            raise ValueError("context: expected (network, trial, context) or with time, got None")
        context = context[:, :, None] if context.ndim == 3 else context
        expected = (*inputs.shape[:2], self.config.n_contexts)
        if (*context.shape[:2], context.shape[-1]) != expected or context.shape[2] not in (1, inputs.shape[2]):
            raise ValueError(
                f"context: expected (network, trial, [time,] context) = {expected}, "
                f"got {tuple(context.shape)} for inputs {tuple(inputs.shape)}"
            )
        return context.to(inputs.dtype)

    def _refuse_context(self, *contexts: Tensor | Told | None) -> None:
        if any(context is not None for context in contexts):
            raise ValueError(f"context: expected None, because this network infers it from the "
                             f"{self.config.context_source}")  # fmt: skip

    @torch.no_grad()
    def simulate(
        self,
        inputs: Tensor,
        context: Tensor | Told | None,
        *,
        noise: NoiseStream | None,
        previous: Tensor | None = None,
        lengths: Tensor | None = None,
        keep_rates: bool = False,
        chunk_trials: int = 512,
    ) -> tuple[Tensor, Tensor | None]:
        """Outputs, and rates if kept, without gradients and with fresh noise; trials go in chunks.

        Args:
            inputs, context, previous, lengths, keep_rates: see `run`.
            noise: stream of recurrent noise; None for a noiseless run.
            chunk_trials: trials per call of the engine, which bounds the memory.

        Returns:
            outputs (M, B, T, O), rates (M, B, T, N) or None.
        """
        outputs, rates = [], []
        for start in range(0, inputs.shape[1], chunk_trials):
            part = slice(start, start + chunk_trials)
            u = inputs[:, part]
            y, r = self.run(
                u,
                Told(*(told[:, part] for told in context)) if isinstance(context, Told) else _cut(context, part),
                previous=_cut(previous, part),
                noise=None if noise is None else noise.draw(*u.shape[1:3], self.config),
                lengths=_cut(lengths, part),
                keep_rates=keep_rates,
            )
            outputs.append(y)
            rates.append(r)
        return torch.cat(outputs, dim=1), torch.cat(rates, dim=1) if keep_rates else None


def _cut(tensor: Tensor | None, trials: slice) -> Tensor | None:
    return None if tensor is None else tensor[:, trials]
