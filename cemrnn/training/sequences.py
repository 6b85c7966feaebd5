"""Recipe of a network that learns images or text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import torch

from cemrnn.config import Config
from cemrnn.network.config import NetworkConfig, count_parameters
from cemrnn.network.ensemble import Ensemble
from cemrnn.network.gated import GatedConfig, GatedEnsemble, count_gated_parameters
from cemrnn.network.model import CEMRNN
from cemrnn.ranges import check_numbers
from cemrnn.tasks.sequences.images import ImageSet
from cemrnn.tasks.sequences.text import TextSet
from cemrnn.training.sequence_learner import SequenceLearner


@dataclass(frozen=True, kw_only=True)
class SequenceConfig(Config):
    """One network to train: what it is, what it learns, how, and from which seed. See `Recipe`."""

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
        check_numbers(seed=self.seed)
        for name in ("n_inputs", "n_outputs"):
            got, expected = getattr(self.network, name), getattr(self.data, name)
            if got != expected:
                raise ValueError(f"network.{name}: expected {expected} as in data, got {got}")
        is_told = not getattr(self.network, "infers_context", False) and self.network.n_contexts > 0
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
