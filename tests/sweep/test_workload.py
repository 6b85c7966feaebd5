"""Workloads: the update is the engine's own training step, the simulation its own run."""

import pytest
import torch

from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.sweep import workload
from cemrnn.sweep.workload import Workload, build_simulation, build_update, make_turn, time_updates
from tests.networks import small_config

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


def test_turns_are_timed_on_the_clock_of_the_device(monkeypatch):
    clocks = []
    monkeypatch.setattr(workload, "time_turn", lambda call, seconds, clock: clocks.append(clock) or 1.0)
    assert [make_turn(print, device)(0.1) for device in ("cpu", "cuda")] == [1.0, 1.0]
    assert clocks == [workload.time.process_time, workload.time.perf_counter]


def test_seconds_of_an_update_are_per_network_and_the_median_of_the_rounds(monkeypatch):
    seen = []
    rounds = iter([6.0, 9.0, 3.0])
    monkeypatch.setattr(workload, "time_rounds", lambda turns, n, s: seen.append((n, s)) or {"a": [*rounds]})
    assert time_updates({"a": [small_config(0), small_config(1)]}, n_rounds=3, seconds=0.1) == {"a": 3.0}
    assert seen == [(3, 0.1)]
