"""Recipes whose networks are trained with `cemrnn.card.learner` on a card, and as ever elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from cemrnn.card.learner import CardLearner, CardSequenceLearner
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import Learner
from cemrnn.training.recipe import Recipe
from cemrnn.training.sequence_learner import SequenceLearner
from cemrnn.training.sequences import SequenceConfig


class CardTraining(TrainingConfig):
    """The same training, with the same key."""

    @staticmethod
    def make_learner(configs: Sequence[TrainingConfig], device: torch.device, starts) -> Learner:
        """What trains them on this device."""
        if device.type == "cpu":
            return TrainingConfig.make_learner(configs, device, starts)
        return CardLearner(configs, device, starts)


class CardSequences(SequenceConfig):
    """The same training on sequences, with the same key."""

    @staticmethod
    def make_learner(configs: Sequence[SequenceConfig], device: torch.device, starts: None) -> SequenceLearner:
        """What trains them on this device."""
        if device.type == "cpu":
            return SequenceConfig.make_learner(configs, device, starts)
        return CardSequenceLearner(configs, device)


_KINDS: dict[type, type] = {TrainingConfig: CardTraining, SequenceConfig: CardSequences}


def for_card(configs: Sequence[Recipe]) -> list[Recipe]:
    """The same recipes, which use a card well where they are trained on one; recipes of other kinds as they are."""
    kinds = [_KINDS.get(type(config)) for config in configs]
    return [
        config if kind is None else kind(**{f.name: getattr(config, f.name) for f in dataclasses.fields(config)})
        for config, kind in zip(configs, kinds, strict=True)
    ]
