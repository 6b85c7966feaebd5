"""What the store and a sweep need to know of a network to train, whatever it learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch


class Recipe(Protocol):
    """One network to train: a frozen config, see `cemrnn.training.config.TrainingConfig` and `cemrnn.tasks.sequences`.

    Attributes:
        seed: of the network and of its data.
        n_updates: at most.
        evaluate_every: updates.
        start: recipe of the network that this one continues, or None.
        shape: everything but the seed; recipes that share it train together as one ensemble.
        label: what it is, for people.
        n_parameters: trained numbers.
        score_names: columns of the history after update and loss.
    """

    network: Any
    seed: int
    n_updates: int
    evaluate_every: int
    start: Recipe | None
    shape: tuple
    label: str
    n_parameters: int
    score_names: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]: ...

    @staticmethod
    def make_learner(configs: Sequence[Any], device: torch.device, starts: Sequence[Any] | None) -> Any: ...

    @staticmethod
    def make_ensemble(network: Any, seeds: Sequence[int], device: Any) -> Any: ...


def list_starts(recipe: Recipe) -> Iterator[Recipe]:
    """The networks that a network goes back to: what it continues, what that continues, and so on."""
    while (recipe := recipe.start) is not None:
        yield recipe
