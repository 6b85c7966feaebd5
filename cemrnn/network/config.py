"""Shape and physics of one network, and how many parameters it has."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from cemrnn.config import Config, unknown_name
from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.pathways import ARMS, Matrix, Work
from cemrnn.network.pathways.matrix import CORE, ENCODER, STATE_ENCODER
from cemrnn.tasks import TaskSet


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Config):
    """Shape and physics of one network; letters of the model in brackets."""

    arm: str  # what context reaches, a name in ARMS
    n_units: int  # N
    n_contexts: int  # K
    n_inputs: int  # I
    n_outputs: int  # O
    rank: int = 0  # R, synaptic components; 0 unless a pathway of the arm has some
    activation: str = "relu"  # phi
    dt_ms: float = 20.0  # Yang 2019
    tau_ms: float = 100.0  # Yang 2019
    tau_excitability_ms: float = 0.0  # tau_E
    tau_synaptic_ms: float = 0.0  # tau_S
    sigma_rec: float = 0.05  # Yang 2019
    spectral_radius: float = 0.9  # of the initial W; Driscoll 2024 take 0.8
    recurrent_start: Literal["gaussian", "orthogonal", "diagonal"] = "diagonal"  # Yang 2019, Driscoll 2024
    gate_fraction_off: float = 0.8  # Masse 2018; read by the gating arm
    context_source: Literal["cue", "input", "state"] = "cue"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, valid in (("arm", ARMS), ("activation", ACTIVATIONS)):
            if getattr(self, name) not in valid:
                own = "" if name == "activation" else " (one of your own has to be registered first)"
                raise ValueError(unknown_name(getattr(self, name), valid, name) + own)
        for name in ("n_units", "n_contexts", "n_inputs", "n_outputs", "dt_ms", "tau_ms"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")
        for name in ("tau_excitability_ms", "tau_synaptic_ms", "sigma_rec", "spectral_radius"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected a number >= 0, got {getattr(self, name)}")
        if self.dt_ms > self.tau_ms:
            raise ValueError(f"dt_ms: expected at most tau_ms = {self.tau_ms}, got {self.dt_ms}")
        if not 0 <= self.gate_fraction_off < 1:
            raise ValueError(f"gate_fraction_off: expected a number in [0, 1), got {self.gate_fraction_off}")
        if (self.rank > 0) != bool(ARMS[self.arm].with_components) or self.rank < 0:
            raise ValueError(f"rank: expected > 0 with synaptic components, else 0; got {self.rank} ({self.arm})")
        self._check_source()

    def _check_source(self) -> None:
        for name in ("tau_excitability_ms", "tau_synaptic_ms") if self.context_source == "state" else ():
            if getattr(self, name) > 0:
                raise ValueError(f"{name}: expected 0 with context_source state, got {getattr(self, name)}")
        for pathway in ARMS[self.arm].pathways:
            if reason := pathway.refuse(self.context_source):
                got = f"got {self.context_source}: {reason}"
                raise ValueError(f"context_source: expected another with the pathway {pathway.name}, {got}")

    @classmethod
    def for_tasks(cls, tasks: TaskSet, **more: Any) -> NetworkConfig:
        """The network that learns these tasks: contexts, inputs, outputs and times are theirs, `more` is the rest."""
        names = ("n_contexts", "n_inputs", "n_outputs", "dt_ms", "tau_ms")
        return cls(**{name: getattr(tasks, name) for name in names} | more)

    @property
    def alpha(self) -> float:
        """Share of the way to its target that a unit goes in one step, dt / tau."""
        return self.dt_ms / self.tau_ms

    @property
    def infers_context(self) -> bool:
        """Whether the network finds its context itself."""
        return self.context_source != "cue"


def list_matrices(config: NetworkConfig) -> dict[str, Matrix]:
    """Every trained tensor of one network, in a fixed order."""
    arm = ARMS[config.arm]
    matrices = CORE | arm.matrices
    if config.infers_context and arm.pathways:
        matrices |= ENCODER
    if config.context_source == "state" and arm.pathways:
        matrices |= STATE_ENCODER
    return matrices


def parameter_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every trained tensor of one network, in a fixed order."""
    return {name: matrix.shape(config) for name, matrix in list_matrices(config).items()}


def count_parameters(config: NetworkConfig) -> int:
    """Number of trained parameters of one network."""
    return sum(math.prod(shape) for shape in parameter_shapes(config).values())


def count_context_parameters(config: NetworkConfig) -> int:
    """Number of trained parameters that one more context adds."""
    return count_parameters(replace(config, n_contexts=config.n_contexts + 1)) - count_parameters(config)


def count_work_of_step(config: NetworkConfig) -> Work:
    """What one step of one trial takes: products, passes over units, and numbers that a context sets."""
    c = config
    encoded = sum(math.prod(m.shape(c)) for name, m in list_matrices(c).items() if name in ENCODER | STATE_ENCODER)
    plain = Work(c.n_units * (c.n_units + c.n_inputs + c.n_outputs) + encoded, c.n_units, 0)
    return Work(*map(sum, zip(plain, *(pathway.work(c) for pathway in ARMS[c.arm].pathways), strict=True)))
