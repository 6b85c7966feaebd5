"""The autonomous flow of networks whose context and input are held constant, with its Jacobian.

    dr/dt = -r + phi(p),    p = r W + g * (u B) + b + beta,    W = kappa (W0 + V diag(s) U^T) diag(g)

in units of 1 / tau, with the modulators settled at the context (e = q = c) and without noise. W0 are the trained
recurrent weights, kappa the factor of the scalar arm. The fixed points are those of the model, whose step is
r_t - r_{t-1} = alpha dr/dt; whether they are stable is judged by that step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS, combine

SHARED_STATES = 4  # states per weight matrix from which one product per matrix is faster than copies of it


@dataclass(frozen=True)
class Flow:
    """P conditions, each one network under one context and one input; a `cemrnn.dynamics.fixed_points.System`.

    Attributes:
        weights: (D, N, N) float64, distinct effective weights from unit i to unit j.
        row: (P,) int64, which of them a condition has.
        gain: (P, N) float64, sensitivity g.
        drive: (P, N) float64, what does not depend on the state, g * (u B) + b + beta.
        activation: name in ACTIVATIONS.
        step: alpha, the share of tau of a simulated step; 0 if none is meant.
    """

    weights: Tensor
    row: Tensor
    gain: Tensor
    drive: Tensor
    activation: str
    step: float = 0.0

    @classmethod
    def of(cls, model: CEMRNN, network: Tensor, inputs: Tensor, context: Tensor | None) -> Flow:
        """The flow of P conditions.

        Args:
            model: M networks.
            network: (P,) int64, which of them.
            inputs: (P, I) constant input u, which is brought to the model's device as all that is given here.
            context: (P, K) constant context; None when the arm has no pathway, or the context is inferred from the
                input.

        Raises:
            ValueError: a shape is wrong, a network does not exist, or the context is missing or not wanted.
        """
        device = model.flat.device
        network = torch.as_tensor(network, dtype=torch.int64, device=device)
        _check(model, network, inputs, context)
        context = None if context is None else context.to(device)
        with torch.no_grad():
            return _build(model, network, inputs.to(device, torch.float64), context)

    @property
    def device(self) -> torch.device:
        """Where states have to be."""
        return self.drive.device

    @property
    def n_conditions(self) -> int:
        """P."""
        return self.drive.shape[0]

    @property
    def n_units(self) -> int:
        """N."""
        return self.drive.shape[1]

    def velocity(self, states: Tensor, which: Tensor) -> Tensor:
        """dr/dt (B, N) in units of 1 / tau at the states (B, N) under the conditions (B,)."""
        return self._rates(states, which) - states

    def jacobian(self, states: Tensor, which: Tensor) -> Tensor:
        """Derivative (B, N, N) of the velocity, [b, i, j] of its element i by state j, in units of 1 / tau."""
        slope = ACTIVATIONS[self.activation].slope(self._rates(states, which)) * self.gain[which]
        transposed = torch.empty(*slope.shape, self.n_units, dtype=slope.dtype, device=slope.device)
        for part, matrix in self._groups(which):
            torch.mul(matrix, slope[part, None], out=transposed[part])  # (b, N, N)
        transposed.diagonal(dim1=1, dim2=2).sub_(1)
        return transposed.mT

    def effective_weights(self, which: Tensor) -> Tensor:
        """Recurrent weights (B, N, N) float64 from unit i to unit j under the conditions (B,), sensitivity included."""
        return self.weights[self.row[which]] * self.gain[which][:, None]

    def _groups(self, which: Tensor) -> list[tuple[slice, Tensor]]:
        """Neighbours that share a matrix, each with it (N, N); all at once, with copies (B, N, N), if few share one."""
        rows, sizes = self.row[which].unique_consecutive(return_counts=True)
        if len(rows) * SHARED_STATES >= len(which):
            return [(slice(None), self.weights[self.row[which]])]
        ends = sizes.cumsum(0).tolist()
        return [(slice(a, b), self.weights[k]) for a, b, k in zip([0, *ends], ends, rows.tolist(), strict=False)]

    def _rates(self, states: Tensor, which: Tensor) -> Tensor:
        rows, sizes = self.row[which].unique_consecutive(return_counts=True)
        if (sizes == sizes[:1]).all() and len(which):  # as many states of each: one batched product
            in_order = len(rows) == len(self.weights) and bool((rows.diff() == 1).all())  # then no copy is needed
            matrices = self.weights if in_order else self.weights[rows]
            recurrent = (states.unflatten(0, (len(rows), -1)) @ matrices).flatten(0, 1)
        else:
            recurrent = torch.cat([multiply(states[part], matrix) for part, matrix in self._groups(which)])
        return ACTIVATIONS[self.activation].value(self.gain[which] * recurrent + self.drive[which])


def multiply(states: Tensor, weights: Tensor) -> Tensor:
    """Products (b, N) of states (b, N) with the matrix that they share (N, N), or each with its own (b, N, N)."""
    return states @ weights if weights.ndim == 2 else torch.einsum("bi,bij->bj", states, weights)


def _build(model: CEMRNN, network: Tensor, inputs: Tensor, context: Tensor | None) -> Flow:
    p = {name: x.detach().to(torch.float64) for name, x in (model.parameters | model.fixed).items()}
    arm = ARMS[model.config.arm]
    if model.config.context_source == "input" and arm.pathways:
        context = torch.tanh(_project(inputs, p["encoder_input"][network]) + p["encoder_bias"][network])
    # Every condition is a network of its own, with one trial of one step.
    tensors = {name: p[name][network] for name in [*arm.matrices, *model.fixed]}
    settled = {}
    if arm.pathways:
        modulator = context.to(torch.float64)[:, None, None]
        settled = {k: x[:, 0, 0] for k, x in combine(q.drive(tensors, modulator) for q in arm.pathways).items()}
    driven = _project(inputs * settled.get("input_gain", 1), p["input"][network])  # (P, N)
    gain = settled.get("gain", torch.ones_like(driven))
    drive = gain * driven + p["bias"][network] + settled.get("bias", 0)
    weights, row = p["recurrent"], network
    if "strength" in settled or "scale" in settled:
        weights, row = _modulate_weights(p, network, settled), torch.arange(len(network), device=network.device)
    return Flow(weights, row, gain, drive, model.config.activation, model.config.alpha)


def _modulate_weights(p: dict[str, Tensor], network: Tensor, settled: dict[str, Tensor]) -> Tensor:
    weights = p["recurrent"][network]  # (P, N, N)
    if "strength" in settled:
        scaled = p["synaptic_in"][network] * settled["strength"][:, None]  # (P, N, R)
        weights = weights + scaled @ p["synaptic_out"][network].mT
    return weights * settled["scale"][:, :, None] if "scale" in settled else weights


def _project(values: Tensor, weights: Tensor) -> Tensor:
    # (P, 1, F) x (P, F, G)
    return (values[:, None] @ weights)[:, 0]


def _check(model: CEMRNN, network: Tensor, inputs: Tensor, context: Tensor | None) -> None:
    c = model.config
    if network.ndim != 1 or (len(network) and not 0 <= network.min() <= network.max() < model.n_networks):
        raise ValueError(f"network: expected (condition,) of 0 to {model.n_networks - 1}, got {network}")
    expected = (len(network), c.n_inputs)
    if tuple(inputs.shape) != expected:
        raise ValueError(f"inputs: expected (condition, input) = {expected}, got {tuple(inputs.shape)}")
    if not ARMS[c.arm].pathways:
        return
    if c.context_source == "state":
        raise ValueError("context_source: expected cue or input, because a context that follows the state is no "
                         "condition; got state")  # fmt: skip
    if c.context_source == "input":
        if context is not None:
            raise ValueError("context: expected None, because this network infers it from the input")
        return
    expected = (len(network), c.n_contexts)
    if context is None or tuple(context.shape) != expected:
        got = None if context is None else tuple(context.shape)
        raise ValueError(f"context: expected (condition, context) = {expected}, got {got}")
