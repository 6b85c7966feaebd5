"""Random numbers by counter: against the published hash, against NumPy's mathematics, and in distribution."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from cemrnn.random import add_noise, fill_trial_keys, fill_uniforms, next_keys

MASK = 2**64 - 1


def splitmix(state: int) -> int:
    """The generator of Steele, Lea & Flood 2014 in Python integers: state after its step -> output."""
    z = state & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def noise(keys: np.ndarray, n_steps: int, sigma=(1.0, 1.0, 1.0)) -> np.ndarray:
    out = np.zeros((1, n_steps, len(keys), len(sigma)), np.float32)
    whole = np.zeros((1, len(keys)), np.int64)
    add_noise(out, keys[None], whole, whole + n_steps, np.array(sigma, np.float32))
    return out[0]


def test_keys_are_the_outputs_of_splitmix():
    out = np.empty((1, 3), np.uint64)
    fill_trial_keys(np.array([1234567], np.uint64), 0, out)
    assert out.tolist() == [[6457827717110365317, 3203168211198807973, 9817491932198370423]]  # known values


def test_keys_go_on_where_they_ended():
    whole, part = np.empty((2, 9), np.uint64), np.empty((2, 4), np.uint64)
    network_keys = np.array([3, 2**64 - 5], np.uint64)
    fill_trial_keys(network_keys, 0, whole)
    fill_trial_keys(network_keys, 5, part)
    assert (part == whole[:, 5:]).all()


def test_uniforms_are_the_hash_of_key_and_column():
    keys = np.array([7, 2**63 + 11], np.uint64)
    out = np.empty((2, 5))
    fill_uniforms(keys, out)
    golden = 0x9E3779B97F4A7C15
    expected = [[(splitmix(int(key) + (c + 1) * golden) >> 11) * 2.0**-53 for c in range(5)] for key in keys]
    assert out.tolist() == expected


def test_uniforms_are_uniform_and_independent():
    out = np.empty((20000, 8))
    fill_uniforms(next_keys(np.arange(20000, dtype=np.uint64)), out)
    assert out.min() >= 0 and out.max() < 1
    assert min(stats.kstest(column, "uniform").pvalue for column in out.T) > 1e-4
    correlation = np.corrcoef(out.T) - np.eye(8)
    assert np.abs(correlation).max() < 4.5 / math.sqrt(len(out))


def test_noise_is_box_muller_in_float32():
    key = 123456789
    pair = noise(np.array([key], np.uint64), 2, (1.0,))[:, 0, 0]
    x = splitmix(splitmix(key + 0x9E3779B97F4A7C15))  # of the first feature, at step 0
    radius = math.sqrt(-2 * math.log(((x >> 41) + 0.5) / 2**23))
    angle = (((x >> 10) & (2**24 - 1)) / 2**24 - 0.5) * math.pi / 2
    sine, cosine = math.sin(angle), math.cos(angle) * (-1) ** (x & 1)
    expected = (cosine, sine) if x & 2 else (sine, cosine)
    np.testing.assert_allclose(pair, radius * np.array(expected), atol=2e-6)  # a few float32 roundings of numbers < 6


def test_noise_is_normal_and_white():
    values = noise(next_keys(np.arange(400, dtype=np.uint64)), 101)  # (T, B, F), an odd number of steps
    flat = values.ravel()
    n = flat.size
    assert stats.kstest(flat, "norm").pvalue > 1e-4
    assert abs(flat.mean()) < 4 / math.sqrt(n) and abs(flat.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs(stats.kurtosis(flat)) < 4 * math.sqrt(24 / n)
    for axis in range(3):
        neighbours = np.delete(values, -1, axis) * np.delete(values, 0, axis)
        assert abs(neighbours.mean()) < 4 / math.sqrt(neighbours.size), axis


def test_noise_stays_in_its_window_and_scales():
    keys, out = np.arange(2, dtype=np.uint64)[None], np.zeros((1, 9, 2, 2), np.float32)
    add_noise(out, keys, np.array([[0, 3]]), np.array([[9, 6]]), np.array([0.0, 2.0], np.float32))
    reference = noise(keys[0], 9, (1.0, 1.0))
    assert not out[..., 0].any()
    np.testing.assert_array_equal(out[0, :, 0, 1], 2 * reference[:, 0, 1])
    np.testing.assert_array_equal(out[0, 3:6, 1, 1], 2 * reference[3:6, 1, 1])
    assert not out[0, :3, 1].any() and not out[0, 6:, 1].any()
