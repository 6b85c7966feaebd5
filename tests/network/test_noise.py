"""Recurrent noise: its distribution, its streams, its state."""

import math

import pytest
import torch
from scipy import stats

from cemrnn.network.config import NetworkConfig
from cemrnn.network.noise import NoiseStream

CONFIG = NetworkConfig(arm="plain", n_units=50, n_contexts=1, n_inputs=1, n_outputs=1, dt_ms=40.0, sigma_rec=0.05)


def test_noise_is_normal_with_the_scaled_deviation():
    noise = NoiseStream([0, 1], name="test").draw(60, 41, CONFIG)
    assert noise.shape == (2, 60, 41, 50)
    assert noise.transpose(1, 2).is_contiguous()
    sigma = 0.05 * math.sqrt(2 / 0.4)
    assert stats.kstest(noise.flatten().numpy() / sigma, "norm").pvalue > 1e-3
    n = noise.numel()
    assert noise.std().item() == pytest.approx(sigma, rel=4 / math.sqrt(2 * n))
    # neighbours in every direction are uncorrelated: |r| < 4 / sqrt(n)
    for axis in range(4):
        first, second = noise.narrow(axis, 0, noise.shape[axis] - 1), noise.narrow(axis, 1, noise.shape[axis] - 1)
        r = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]
        assert abs(r) < 4 / math.sqrt(first.numel())


def test_streams_belong_to_seed_and_name():
    both = NoiseStream([0, 1], name="test").draw(3, 4, CONFIG).clone()
    assert torch.equal(NoiseStream([1], name="test").draw(3, 4, CONFIG)[0], both[1])
    assert not torch.equal(NoiseStream([1], name="other").draw(3, 4, CONFIG)[0], both[1])


def test_draws_differ_and_resume():
    source = NoiseStream([5], name="test")
    first = source.draw(3, 4, CONFIG).clone()
    state = source.state()
    second = source.draw(3, 4, CONFIG).clone()
    assert not torch.equal(first, second)
    again = NoiseStream([5], name="test")
    again.load_state(state)
    assert torch.equal(again.draw(3, 4, CONFIG), second)


def test_odd_sizes_are_filled():
    config = NetworkConfig(arm="plain", n_units=1, n_contexts=1, n_inputs=1, n_outputs=1)
    assert (NoiseStream([0], name="test").draw(1, 7, config) != 0).all()


def test_no_noise_is_none():
    silent = NetworkConfig(arm="plain", n_units=5, n_contexts=1, n_inputs=1, n_outputs=1, sigma_rec=0.0)
    assert NoiseStream([0], name="test").draw(3, 4, silent) is None
