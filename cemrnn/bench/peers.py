"""What the engine is compared with: the same update, done the ways it is usually done."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS, combine
from cemrnn.sweep.workload import LEARNING_RATE, Workload, build_update

N_INPUTS, N_OUTPUTS = 5, 3


@dataclass(frozen=True)
class Case:
    """One size of work: M networks, B trials and T steps per update."""

    arm: str
    activation: str
    n_units: int
    n_networks: int
    n_trials: int = 64
    n_steps: int = 60
    n_contexts: int = 8
    rank: int = 4  # where the arm has a synaptic pathway
    sigma_rec: float = 0.0  # of recurrent noise, which this package alone draws

    @property
    def network(self) -> NetworkConfig:
        """The network of the case."""
        return NetworkConfig(
            arm=self.arm,
            activation=self.activation,
            n_units=self.n_units,
            n_contexts=self.n_contexts,
            n_inputs=N_INPUTS,
            n_outputs=N_OUTPUTS,
            rank=ARMS[self.arm].rank_of(self.rank),
            sigma_rec=self.sigma_rec,
        )

    @property
    def workload(self) -> Workload:
        """The case as work for the engine."""
        return Workload(self.network, self.n_networks, self.n_trials, self.n_steps)

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (M, B, T, I), cues (M, B, K) and targets (M, B, T, O), in the engine's layout."""
        return self.workload.draw()


def build_ours(case: Case) -> Callable[[], float]:
    """One update of the whole ensemble by this package; it returns the summed loss."""
    return build_update(case.workload)


def build_loop(case: Case) -> Callable[[], float]:
    """One update per network, by a Python loop over time under autograd: how such networks are usually trained."""
    drawn, (inputs, cue, targets) = CEMRNN(case.network, range(case.n_networks)), case.draw()
    networks = [
        {name: p[m].detach().clone().requires_grad_() for name, p in drawn.parameters.items()}
        for m in range(case.n_networks)
    ]
    return _update_one_by_one(
        [
            functools.partial(_loop_outputs, p | {k: x[m] for k, x in drawn.fixed.items()}, case, inputs[m], cue[m])
            for m, p in enumerate(networks)
        ],
        [list(p.values()) for p in networks],
        targets,
    )


def _loop_outputs(p: dict[str, Tensor], case: Case, inputs: Tensor, cue: Tensor) -> Tensor:
    phi, alpha = {"relu": torch.relu, "tanh": torch.tanh}[case.activation], case.network.alpha
    alone, context = {name: x[None] for name, x in p.items()}, cue[None, :, None]
    added = combine(pathway.drive(alone, context) for pathway in ARMS[case.arm].pathways)
    added = {name: x[0, :, 0] for name, x in added.items()}
    bias, gain, scale, strength = p["bias"] + added.get("bias", 0), *map(added.get, ("gain", "scale", "strength"))
    inputs = inputs * added["input_gain"][:, None] if "input_gain" in added else inputs
    rates, outputs = inputs.new_zeros(inputs.shape[0], case.n_units), []
    for t in range(inputs.shape[1]):
        drive = rates @ p["recurrent"]
        if strength is not None:
            drive = drive + ((rates @ p["synaptic_in"]) * strength) @ p["synaptic_out"].T
        drive = (drive if scale is None else scale * drive) + inputs[:, t] @ p["input"]
        drive = drive if gain is None else gain * drive
        rates = (1 - alpha) * rates + alpha * phi(drive + bias)
        outputs.append(rates @ p["readout"] + p["readout_bias"])
    return torch.stack(outputs, dim=1)


def build_torch_rnn(case: Case, device: str = "cpu") -> Callable[[], float]:
    """One update per network by torch.nn.RNN, which has no leak (alpha is 1) and no modulation."""
    drawn, (inputs, _, targets) = CEMRNN(case.network, range(case.n_networks)), case.draw()
    inputs, targets = inputs.to(device), targets.to(device)
    networks = [
        [part.to(device) for part in _copy_into_torch({name: p[m] for name, p in drawn.parameters.items()}, case)]
        for m in range(len(inputs))
    ]

    def read(m: int) -> Tensor:
        cell, readout = networks[m]
        return readout(cell(inputs[m])[0])

    return _update_one_by_one(
        [functools.partial(read, m) for m in range(case.n_networks)],
        [[*cell.parameters(), *readout.parameters()] for cell, readout in networks],
        targets,
    )


def _copy_into_torch(p: dict[str, Tensor], case: Case) -> tuple[torch.nn.RNN, torch.nn.Linear]:
    cell = torch.nn.RNN(N_INPUTS, case.n_units, nonlinearity=case.activation, batch_first=True)
    readout = torch.nn.Linear(case.n_units, N_OUTPUTS)
    slots = (cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0, readout.weight, readout.bias)
    with torch.no_grad():
        for theirs, name in zip(slots, ("input", "recurrent", "bias", "readout", "readout_bias"), strict=True):
            theirs.copy_(p[name].mT if p[name].ndim == 2 else p[name])
        cell.bias_hh_l0.zero_()  # torch has two biases where one is enough
    return cell, readout


def _update_one_by_one(
    forwards: list[Callable[[], Tensor]], parameters: list[list[Tensor]], targets: Tensor
) -> Callable[[], float]:
    """One update of every network after the other, each with torch's Adam; it returns the summed loss."""
    optimisers = [torch.optim.Adam(p, lr=LEARNING_RATE) for p in parameters]

    def update() -> float:
        total = 0.0
        for forward, target, optimiser in zip(forwards, targets, optimisers, strict=True):
            loss = (forward() - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        return total

    return update


def build_product(case: Case, device: str = "cpu") -> Callable[[], None]:
    """The recurrent products alone, each as one batched matrix product: what the machine could do at best."""
    rates = torch.randn(case.n_networks, case.n_trials * case.n_steps, case.n_units, device=device)
    weights = torch.randn(case.n_networks, case.n_units, case.n_units, device=device)
    out = torch.empty_like(rates)

    def multiply() -> None:
        for _ in range(3):  # forward, gradient of the state, gradient of the weights: three of equal cost
            torch.bmm(rates, weights, out=out)

    return multiply


class Peer(NamedTuple):
    """Somebody else's way to do the same work."""

    build: Callable[[Case], Callable[[], float | None]]
    arms: tuple[str, ...]  # that it can do
    same_model: bool = True  # whether its loss is ours


LOOP, TORCH_RNN, PRODUCTS = "loop per network under autograd", "torch.nn.RNN per network", "batched products alone"
PEERS = {
    LOOP: Peer(build_loop, tuple(ARMS)),
    TORCH_RNN: Peer(build_torch_rnn, ("plain",), same_model=False),
    PRODUCTS: Peer(build_product, ("plain",), same_model=False),
}


def save_case(case: Case, path: Path) -> None:
    """Write what a peer without torch needs, in one npz file: data, and parameters as "p/<name>"."""
    inputs, cue, targets = case.draw()
    parameters = CEMRNN(case.network, range(case.n_networks)).parameters
    np.savez(
        path,
        inputs=inputs.transpose(1, 2).numpy(),  # (M, T, B, I)
        cue=cue[0].numpy(),  # (B, K), the same for every network
        targets=targets.transpose(1, 2).numpy(),  # (M, T, B, O)
        **{f"p/{name}": p.detach().numpy() for name, p in parameters.items()},
    )
