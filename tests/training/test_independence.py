"""A network's training does not depend, to the last bit, on the ensemble around it or on the number of threads."""

import dataclasses

import pytest
import torch

from cemrnn.network.pathways import ARMS
from cemrnn.training.train import train
from tests.networks import small_config


def train_with_threads(configs, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        return [network.flat for network in train(configs)]
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
