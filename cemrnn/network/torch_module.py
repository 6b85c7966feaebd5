"""One network as an ordinary `torch.nn.Module`, to be trained by anybody's loop beside other modules.

It runs on the engine of the ensembles, as an ensemble of one: equal to it to rounding, and as fast.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from cemrnn.network import model
from cemrnn.network.config import NetworkConfig
from cemrnn.ranges import check_numbers


class CEMRNN(torch.nn.Module):
    """One network whose context acts through the pathways of one arm; parameters have the names of the model.

    Attributes:
        config: shape and physics.
        seed: of the initial parameters.
    """

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        """A network that has not learned.

        Args:
            seed: of the initial parameters; the same as in an ensemble.
            settings: of `NetworkConfig`: arm, n_units, n_contexts, n_inputs, n_outputs, and what differs from its
                defaults.

        Raises:
            ValueError: a setting is unknown, missing or not valid.
        """
        super().__init__()
        needed = [f.name for f in dataclasses.fields(NetworkConfig) if f.default is dataclasses.MISSING]
        if missing := [name for name in needed if name not in settings]:
            raise ValueError(f"settings: expected {', '.join(needed)}, got none for {', '.join(missing)}")
        check_numbers(seed=seed)
        self.config, self.seed = NetworkConfig.from_params(settings), seed
        one = model.CEMRNN(self.config, [seed])
        for name, values in one.parameters.items():
            self.register_parameter(name, torch.nn.Parameter(values.detach()[0].clone()))
        for name, values in one.fixed.items():
            self.register_buffer(name, values[0].clone())

    @classmethod
    def of(cls, ensemble: model.CEMRNN, network: int, seed: int = 0) -> CEMRNN:
        """A copy of one network of an ensemble, on the same device."""
        module = cls(seed=seed, **ensemble.config.to_dict()).to(ensemble.flat)
        tensors = ensemble.parameters | ensemble.fixed
        module.load_state_dict({name: values[network].detach() for name, values in tensors.items()})
        return module

    def forward(
        self, inputs: Tensor, context: Tensor | None = None, state: Tensor | None = None, *, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Outputs (B, T, O) and rates (B, T, N); differentiable once.

        Args:
            inputs: (B, T, I).
            context: (B, K) for the whole trial or (B, T, K); None when the network infers it or has no pathway.
            state: (B, N) rates before the first step; None for zero. Modulators with a time constant start at rest.
            noise: (B, T, N) recurrent noise, already scaled; None for none.

        Raises:
            ValueError: a shape does not fit, or the context is missing.
        """
        if inputs.ndim != 3 or inputs.shape[2] != self.config.n_inputs:
            expected = f"(trial, time, input {self.config.n_inputs})"
            raise ValueError(f"inputs: expected {expected}, got {tuple(inputs.shape)}")
        alone = [None if x is None else x[None] for x in (inputs, context, state, noise)]
        outputs, rates = self._as_ensemble().run(alone[0], alone[1], initial=alone[2], noise=alone[3], keep_rates=True)
        return outputs[0], rates[0]

    def _as_ensemble(self) -> model.CEMRNN:
        """An ensemble of one network, made of these very parameters."""
        one = model.CEMRNN.__new__(model.CEMRNN)
        one.config = self.config
        one.parameters = {name: values[None] for name, values in self.named_parameters()}
        one.fixed = {name: values[None] for name, values in self.named_buffers()}
        return one


def join(modules: list[CEMRNN]) -> model.CEMRNN:
    """An ensemble of networks that modules became; copies, on the CPU.

    Raises:
        ValueError: there is none, or they differ in shape.
    """
    if len({module.config for module in modules}) != 1:
        raise ValueError(f"modules: expected one or more of one config, got {len(modules)} others")
    ensemble = model.CEMRNN(modules[0].config, [module.seed for module in modules])
    with torch.no_grad():
        for name, values in (ensemble.parameters | ensemble.fixed).items():
            values.copy_(torch.stack([module.state_dict()[name] for module in modules]))
    return ensemble
