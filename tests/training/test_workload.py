"""Workloads: the update is the engine's own training step, the simulation its own run."""

import pytest
import torch

from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.training.workload import Workload, build_simulation, build_update

NETWORK = NetworkConfig(arm="combined", n_units=12, n_contexts=3, n_inputs=5, n_outputs=2, rank=2, sigma_rec=0.0)
WORK = Workload(NETWORK, n_networks=2, n_trials=4, n_steps=7)


def test_data_have_the_shapes_of_the_work():
    inputs, cue, targets = WORK.draw()
    assert (inputs.shape, cue.shape, targets.shape) == ((2, 4, 7, 5), (2, 4, 3), (2, 4, 7, 2))
    assert cue[0].argmax(-1).tolist() == [0, 1, 2, 0]


def test_the_first_loss_is_that_of_the_untrained_network_and_updates_lower_it():
    inputs, cue, targets = WORK.draw()
    outputs, _ = CEMRNN(NETWORK, range(2)).run(inputs, cue)
    update = build_update(WORK)
    first = update()
    assert first == pytest.approx((outputs - targets).square().mean((1, 2, 3)).sum().item(), rel=1e-5)
    assert [update() for _ in range(20)][-1] < first


def test_a_simulation_is_a_run():
    inputs, cue, _ = WORK.draw()
    outputs, _ = CEMRNN(NETWORK, range(2)).run(inputs, cue)
    torch.testing.assert_close(build_simulation(WORK)(), outputs[0, 0, 0, 0].item())
