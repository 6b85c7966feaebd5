"""Recipe of a network that learns images or text, and what its training costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import torch

from cemrnn.config import Config
from cemrnn.model import CEMRNN, Ensemble, NetworkConfig, count_parameters
from cemrnn.sequences.gated import GatedConfig, GatedEnsemble, count_gated_parameters
from cemrnn.sequences.images import ImageSet
from cemrnn.sequences.learner import SequenceLearner
from cemrnn.sequences.text import TextSet


@dataclass(frozen=True, kw_only=True)
class SequenceConfig(Config):
    """One network to train: what it is, what it learns, how, and from which seed. See `cemrnn.recipe.Recipe`."""

    more_sources: ClassVar[tuple[str, ...]] = ("sequences",)
    start: ClassVar[None] = None

    network: NetworkConfig | GatedConfig
    data: ImageSet | TextSet
    n_updates: int
    batch_trials: int  # trials per update
    learning_rate: float  # of the first update
    schedule: Literal["constant", "cosine"] = "cosine"  # cosine falls to zero at n_updates
    clip_norm: float = 1.0  # of the gradient of one network
    evaluate_every: int = 100  # updates
    validation_size: int = 500  # images or characters per register
    target_score: ClassVar[None] = None  # every network takes all its updates
    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_updates", "batch_trials", "learning_rate", "clip_norm", "evaluate_every", "validation_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")
        for name in ("n_inputs", "n_outputs"):
            got, expected = getattr(self.network, name), getattr(self.data, name)
            if got != expected:
                raise ValueError(f"network.{name}: expected {expected} as in data, got {got}")
        is_told = getattr(self.network, "context_source", "cue") == "cue" and self.network.n_contexts > 0
        if is_told and self.network.n_contexts != self.data.n_contexts:
            got = self.network.n_contexts
            raise ValueError(f"network.n_contexts: expected {self.data.n_contexts} as in data, got {got}")

    @property
    def shape(self) -> tuple:
        """Everything but the seed: configs that share it train together as one ensemble."""
        return type(self).__name__, *(getattr(self, field.name) for field in fields(self) if field.name != "seed")

    @property
    def label(self) -> str:
        """Kind of network, size and data, for people."""
        what = self.data.scan if isinstance(self.data, ImageSet) else "+".join(self.data.registers)
        return f"{self.network.arm}, N = {self.network.n_units}, {what}"

    @property
    def n_parameters(self) -> int:
        """Trained parameters."""
        return count_any_parameters(self.network)

    @property
    def score_names(self) -> tuple[str, ...]:
        """Columns of the history after update and loss."""
        return (self.data.score_name,)

    @staticmethod
    def make_learner(configs: Sequence[SequenceConfig], device: torch.device, starts: None) -> SequenceLearner:
        """What trains them."""
        return SequenceLearner(configs, device)

    @staticmethod
    def make_ensemble(network: NetworkConfig | GatedConfig, seeds: Sequence[int], device) -> Ensemble:
        """Networks, not yet trained."""
        kind = GatedEnsemble if isinstance(network, GatedConfig) else CEMRNN
        return kind(network, seeds, device=device)


def count_any_parameters(network: NetworkConfig | GatedConfig) -> int:
    """Number of trained parameters of one network of either kind."""
    return count_gated_parameters(network) if isinstance(network, GatedConfig) else count_parameters(network)


# Seconds on one core, per network: of a step of a trial, of a multiplication there, of a unit, of an input or output,
# of a trained parameter, of a step of all trials together, and of an update; fitted to updates of networks of
# N = 32 to 128 on digits and on text, on the machine that `cemrnn.cost.MACHINE` names.
COEFFICIENTS_S = {
    "engine": {
        "products": 6.2e-11,
        "units": 4.0e-9,
        "channels": 6.0e-9,
        "parameters": 4e-9,
        "steps": 0.0,
        "call": 8e-4,
    },
    "gru": {"products": 1.4e-10, "units": 3.0e-8, "channels": 6.0e-9, "parameters": 4e-9, "steps": 6e-5, "call": 1e-3},
    "lstm": {"products": 1.4e-10, "units": 3.0e-8, "channels": 6.0e-9, "parameters": 4e-9, "steps": 6e-5, "call": 1e-3},
}
FORWARD_SHARE = 0.4  # of an update that an evaluation of as many trials costs


def sequence_seconds(config: SequenceConfig, *, n_together: int = 1) -> float:
    """Seconds on one core to train one network, evaluations included; see `cemrnn.cost.core_seconds`."""
    n_held_out = _count_held_out(config)
    n_evaluations = math.ceil(config.n_updates / config.evaluate_every)
    evaluation = n_evaluations * FORWARD_SHARE * update_seconds(config, n_held_out, n_together=n_together)
    return config.n_updates * update_seconds(config, config.batch_trials, n_together=n_together) + evaluation


def update_seconds(config: SequenceConfig, n_trials: int, *, n_together: int = 1) -> float:
    """Seconds on one core of one update of one network on so many trials, without evaluations."""
    work, prices = count_update_work(config, n_trials, n_together), COEFFICIENTS_S[_kind(config.network)]
    return sum(prices[term] * work[term] for term in prices)


def count_update_work(config: SequenceConfig, n_trials: int, n_together: int) -> dict[str, float]:
    """Work by term of one update on so many trials, per network."""
    c = config.network
    n_blocks = {"engine": 1, "gru": 3, "lstm": 4}[_kind(c)]
    n_steps, n_channels = n_trials * config.data.n_steps, c.n_inputs + c.n_outputs
    n_modulated = c.n_contexts * ("bias" in c.arm) if n_blocks == 1 else 0
    if n_blocks == 1 and c.context_source == "input":
        n_modulated = c.n_contexts * {"bias": 1, "gain": 1, "excitability": 2, "combined": 2}.get(c.arm, 0)
    n_rows = n_blocks * (c.n_units + c.n_inputs) + c.n_outputs + 2 * getattr(c, "rank", 0) + n_modulated
    return {
        "products": n_steps * c.n_units * n_rows,
        "units": n_steps * c.n_units,
        "channels": n_steps * n_channels,
        "parameters": config.n_parameters,
        "steps": config.data.n_steps,
        "call": 1.0 if n_blocks > 1 else 1 / n_together,
    }


def _kind(network: NetworkConfig | GatedConfig) -> str:
    return network.arm if isinstance(network, GatedConfig) else "engine"


def _count_held_out(config: SequenceConfig) -> int:
    """Trials of one evaluation."""
    data = config.data
    if isinstance(data, ImageSet):
        return config.validation_size * data.n_contexts
    return math.ceil(config.validation_size / (data.n_steps - data.warm_up)) * data.n_contexts
