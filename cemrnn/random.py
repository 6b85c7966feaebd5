"""Random streams by name, and random numbers by counter.

Every draw has a named stream derived from a seed, so that a new draw shifts nothing elsewhere. By counter, every value
is a hash of (network, trial, position), so that none depends on a batch.

Trial n of a network is always the same, whichever call draws it and whatever else is drawn; the whole random
state of a stream of trials is the number of the next trial. Hash: SplitMix64 (Steele, Lea & Flood 2014).
Normals: Box & Muller 1958 with polynomial logarithm, sine and cosine, exact to float32 rounding in effect; loops
over trials vectorise, several times as fast as a generator that draws one number after another.

Numba's cache does not notice that an inlined function of another file has changed: all that inline the hash or the
normal numbers belong in this file.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np
from numba import njit

compiled = functools.partial(njit, nogil=True, cache=True, error_model="numpy")
inlined = functools.partial(njit, inline="always", error_model="numpy")

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio: the step of SplitMix64
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_B27, _B30, _B31 = np.uint64(27), np.uint64(30), np.uint64(31)
_B10, _B11, _B41 = np.uint64(10), np.uint64(11), np.uint64(41)
_LOW2, _LOW24 = np.uint64(3), np.uint64(2**24 - 1)
_f = np.float32


def derive_seed(seed: int, *names: str) -> int:
    """128-bit seed of the stream that the names select, e.g. derive_seed(3, "trials", "noise")."""
    text = "/".join([str(int(seed)), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def stream(seed: int, *names: str) -> np.random.Generator:
    """NumPy generator of the named stream; its state is plain integers, so it can be written as JSON."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *names)))


@inlined()
def mix(x):
    """SplitMix64's output function: a bijection of 64-bit numbers that scrambles all bits."""
    x = (x ^ (x >> _B30)) * _FIRST
    x = (x ^ (x >> _B27)) * _SECOND
    return x ^ (x >> _B31)


@compiled()
def fill_trial_keys(network_keys, first_trial, out):
    """Fills out (M, B) with the keys of B trials of each network, from number first_trial on."""
    for m in range(out.shape[0]):
        for b in range(out.shape[1]):
            out[m, b] = mix(network_keys[m] + np.uint64(first_trial + b + 1) * GOLDEN)


def next_keys(keys: np.ndarray) -> np.ndarray:
    """Keys (P,) of another draw for each trial, given those (P,) of the last."""
    out = np.empty((len(keys), 1), np.uint64)
    fill_trial_keys(keys, 0, out)
    return out[:, 0]


@compiled()
def fill_uniforms(trial_keys, out):
    """Fills out (P, C) with uniform numbers in [0, 1): C of each trial's own."""
    for p in range(out.shape[0]):
        for c in range(out.shape[1]):
            out[p, c] = np.float64(mix(trial_keys[p] + np.uint64(c + 1) * GOLDEN) >> _B11) * 2.0**-53


@inlined()
def radius(x):
    """sqrt(-2 ln u) with u in (0, 1) from the upper 23 bits of x."""
    u = (_f(np.int32(x >> _B41)) + _f(0.5)) * _f(2.0**-23)
    bits = np.float32(u).view(np.int32)
    exponent = (bits >> np.int32(23)) - np.int32(127)
    mantissa = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    if mantissa > _f(1.41421356):
        mantissa, exponent = mantissa * _f(0.5), exponent + np.int32(1)
    z = (mantissa - _f(1)) / (mantissa + _f(1))  # ln mantissa = 2 artanh z
    w = z * z
    log = z * (_f(2) + w * (_f(2 / 3) + w * (_f(2 / 5) + w * _f(2 / 7)))) + _f(exponent) * _f(0.69314718)
    return np.sqrt(_f(-2) * log)


@inlined()
def normal_pair(x):
    """Two independent standard normal numbers from 64 random bits."""
    r = radius(x)
    angle = (_f(np.int32((x >> _B10) & _LOW24)) * _f(2.0**-24) - _f(0.5)) * _f(np.pi / 2)  # a quarter turn
    q = angle * angle
    sine = angle * (_f(1) + q * (_f(-1 / 6) + q * (_f(1 / 120) - q * _f(1 / 5040))))
    cosine = _f(1) + q * (_f(-1 / 2) + q * (_f(1 / 24) + q * (_f(-1 / 720) + q * _f(1 / 40320))))
    quarter = np.int32(x & _LOW2)  # the other three quarters, by sign and exchange
    if quarter & 1:
        cosine = -cosine
    if quarter & 2:
        sine, cosine = cosine, sine
    return r * sine, r * cosine


@compiled()
def add_noise(out, keys, on, off, sigma):
    """Adds normal numbers, independent over networks, trials, steps and features.

    Args:
        out: (M, T, B, F) float32.
        keys: (M, B) uint64, one per trial: select its noise.
        on, off: (M, B) int64 first step with noise, and first step after it.
        sigma: (F,) float32 standard deviations.
    """
    n_networks, n_steps, n_trials, n_features = out.shape
    n = n_trials * n_features
    spare = np.empty(n, np.float32)  # in place of the step after an odd last one
    for m in range(n_networks):
        key, scale = np.empty(n, np.uint64), np.zeros((n_trials, n_features), np.float32)
        for i in range(n):
            key[i] = mix(keys[m, i // n_features] + np.uint64(i % n_features + 1) * GOLDEN)
        for t in range(0, n_steps, 2):  # normal numbers come in pairs of steps
            _rescale(scale, t, on[m], off[m], sigma)
            here_scale = scale.copy().reshape(n)
            _rescale(scale, t + 1, on[m], off[m], sigma)
            after = out[m, t + 1].reshape(n) if t + 1 < n_steps else spare
            _add_pair(out[m, t].reshape(n), after, np.uint64(t), key, here_scale, scale.reshape(n))


@compiled()
def _rescale(scale, t, on, off, sigma):
    for b in range(scale.shape[0]):
        for k in range(scale.shape[1]):  # an assignment of a row takes longer to compile
            if on[b] == t:
                scale[b, k] = sigma[k]
            if off[b] == t:
                scale[b, k] = 0


@compiled()
def _add_pair(here, after, t, key, here_scale, after_scale):
    offset = t * GOLDEN
    for i in range(here.shape[0]):
        x, y = normal_pair(mix(key[i] + offset))
        here[i] += x * here_scale[i]
        after[i] += y * after_scale[i]


@compiled()
def next_draw_keys(network_keys, n_draws):
    """Keys (M,) of the next draw of each network, after n_draws of them."""
    keys = np.empty_like(network_keys)
    for m in range(len(keys)):
        keys[m] = mix(network_keys[m] + np.uint64(n_draws + 1) * GOLDEN)
    return keys


@compiled()
def fill_normals(key, out, sigma):
    """Fills out (T, P) with normal numbers of standard deviation sigma, two from every 64-bit hash.

    A step's numbers do not depend on T: padding to a longer trial elsewhere in the ensemble changes nothing.
    """
    half = out.shape[1] // 2
    for t in range(out.shape[0]):
        step_key, row = mix(key + np.uint64(t + 1) * GOLDEN), out[t]
        for i in range(half):
            first, second = normal_pair(mix(step_key + np.uint64(i + 1) * GOLDEN))
            row[i], row[half + i] = sigma * first, sigma * second
        if out.shape[1] % 2:
            row[2 * half] = sigma * normal_pair(mix(step_key + np.uint64(half + 1) * GOLDEN))[0]
