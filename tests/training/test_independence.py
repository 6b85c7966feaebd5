"""A network's training does not depend, to the last bit, on the ensemble around it or on the number of threads."""

import dataclasses

import pytest
import torch

from cemrnn.network.gated import KINDS, GatedConfig
from cemrnn.network.pathways import ARMS
from cemrnn.system.threads import limit_threads
from cemrnn.tasks.sequences.text import TextSet
from cemrnn.training.sequences import SequenceConfig
from cemrnn.training.train import train
from tests.networks import small_config


def train_with_threads(configs, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        networks = train(configs)
        assert torch.get_num_threads() == n_threads
        return [network.flat for network in networks]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("arm", ARMS)
def test_alone_in_an_ensemble_and_with_other_threads_a_network_has_the_same_bits(arm):
    config = small_config(n_updates=12, evaluate_every=6, target_score=None, batch_trials=34)
    network = dataclasses.replace(config.network, arm=arm, n_units=19, rank=ARMS[arm].rank_of(3))
    configs = [dataclasses.replace(config, network=network, seed=seed) for seed in range(5)]
    together = train_with_threads(configs, 2)
    alone = train_with_threads(configs[3:4], 1)
    assert torch.equal(together[3], alone[0])
    backwards = train_with_threads(configs[4:1:-1], 1)
    assert torch.equal(torch.stack(backwards), torch.stack(together[4:1:-1]))
    assert not torch.equal(together[3], together[4])


def gated(arm, seed):
    """A gated network of so many units that torch, left alone, shares out its products among threads."""
    data = TextSet(registers=("prose",), n_steps=40, n_symbols=30, warm_up=2)
    network = GatedConfig(arm=arm, n_units=64, n_inputs=data.n_inputs, n_outputs=data.n_outputs)
    settings = dict(n_updates=4, batch_trials=40, learning_rate=0.01, evaluate_every=2, validation_size=200)
    return SequenceConfig(network=network, data=data, seed=seed, **settings)


def large(arm, seed):
    config = small_config(seed, n_updates=4, evaluate_every=2, target_score=None, batch_trials=120, n_units=64)
    return dataclasses.replace(
        config, network=dataclasses.replace(config.network, arm=arm, rank=ARMS[arm].rank_of(3)), evaluation_trials=60
    )


@pytest.mark.parametrize("arm", [*ARMS, *KINDS])
def test_one_recipe_gives_one_result_whatever_the_number_of_threads(arm):
    make = gated if arm in KINDS else large
    configs = [make(arm, seed) for seed in range(2)]
    assert torch.equal(*(torch.stack(train_with_threads(configs, n_threads)) for n_threads in (1, 2)))


def test_torch_alone_depends_on_threads():
    """Negative control: without pins a long sum is not the same. Whether a product is depends on the machine."""
    numbers, sums = torch.rand(3, 10**6, generator=torch.Generator().manual_seed(0)), []
    for n_threads in (1, 2):
        with limit_threads(n_threads):
            sums.append(torch.stack([row.sum() for row in numbers]))
    assert not torch.equal(*sums)
