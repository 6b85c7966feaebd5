"""Recipes for a card: the same networks under the same keys, and another learner on a card alone."""

import pytest
import torch

from cemrnn.card import recipes
from cemrnn.card.recipes import for_card
from cemrnn.store.entry import entry_key
from cemrnn.training.learner import Learner
from cemrnn.training.sequence_learner import SequenceLearner
from cemrnn.training.train import digest_of
from tests.card.test_ahead import make_configs, make_continued
from tests.networks import small_config


@pytest.mark.parametrize("kind", ["fast", "own", "images", "continued"])
def test_keys_and_checkpoints_are_those_of_the_given_recipes(kind):
    configs = make_continued(range(3)) if kind == "continued" else make_configs(kind)
    assert [entry_key(config) for config in for_card(configs)] == [entry_key(config) for config in configs]
    assert digest_of(for_card(configs)) == digest_of(configs)
    assert [config.shape for config in for_card(configs)][1:] == [for_card(configs)[0].shape] * 2
    assert for_card(configs) == for_card(for_card(configs))  # what is for a card already stays so


@pytest.mark.parametrize(("kind", "learner"), [("fast", Learner), ("own", Learner), ("images", SequenceLearner)])
def test_a_cpu_has_the_learner_that_it_always_had(kind, learner):
    configs = for_card(make_configs(kind))
    assert type(configs[0].make_learner(configs, torch.device("cpu"), None)) is learner


@pytest.mark.parametrize(("kind", "name"), [("fast", "CardLearner"), ("images", "CardSequenceLearner")])
def test_a_card_has_its_own(kind, name, monkeypatch):
    monkeypatch.setattr(recipes, name, lambda configs, device, *starts: (name, device.type))
    configs = for_card(make_configs(kind))
    assert configs[0].make_learner(configs, torch.device("cuda"), None) == (name, "cuda")


def test_a_recipe_of_another_kind_stays_as_it_is():
    config = small_config()
    other = type("Other", (), {})()
    assert for_card([other, config])[0] is other
