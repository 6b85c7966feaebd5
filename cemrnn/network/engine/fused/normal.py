"""Normal numbers by counter inside a Triton kernel: those of `cemrnn.random.fill_normals`, to float32 rounding.

The hash is the same bits; logarithm, sine and cosine are the same polynomials, whose sums a card may round otherwise.
An element works out its pair's hash for itself, so that no two need to be in the same thread.
"""

import math

import triton
import triton.language as tl

GOLDEN = tl.constexpr(0x9E3779B97F4A7C15)
FIRST = tl.constexpr(0xBF58476D1CE4E5B9)
SECOND = tl.constexpr(0x94D049BB133111EB)
SQRT2 = tl.constexpr(1.41421356)
LN2 = tl.constexpr(0.69314718)
HALF_PI = tl.constexpr(math.pi / 2)


@triton.jit
def mix(x):
    """SplitMix64's output function on uint64."""
    x = (x ^ (x >> 30)) * tl.full((), FIRST, tl.uint64)
    x = (x ^ (x >> 27)) * tl.full((), SECOND, tl.uint64)
    return x ^ (x >> 31)


@triton.jit
def count_up(key, n):
    """The hash of `key` (uint64) at position n (int64) of its sequence, from 0 on."""
    return mix(key + (n + 1).to(tl.uint64) * tl.full((), GOLDEN, tl.uint64))


@triton.jit
def radius(x):
    """sqrt(-2 ln u) with u in (0, 1) from the upper 23 bits of x."""
    u = ((x >> 41).to(tl.int32).to(tl.float32) + 0.5) * (2.0**-23)
    bits = u.to(tl.int32, bitcast=True)
    exponent = ((bits >> 23) - 127).to(tl.float32)
    mantissa = ((bits & 0x7FFFFF) | 0x3F800000).to(tl.float32, bitcast=True)
    is_large = mantissa > SQRT2
    mantissa = tl.where(is_large, mantissa * 0.5, mantissa)
    exponent = tl.where(is_large, exponent + 1, exponent)
    z = (mantissa - 1) / (mantissa + 1)  # ln mantissa = 2 artanh z
    w = z * z
    log = z * (2 + w * (2 / 3 + w * (2 / 5 + w * (2 / 7)))) + exponent * LN2
    return tl.sqrt(-2 * log)


@triton.jit
def normal(x, is_second):
    """The first or second of the two standard normal numbers that 64 random bits make."""
    angle = (((x >> 10) & 0xFFFFFF).to(tl.int32).to(tl.float32) * (2.0**-24) - 0.5) * HALF_PI  # a quarter turn
    q = angle * angle
    sine = angle * (1 + q * (-1 / 6 + q * (1 / 120 - q * (1 / 5040))))
    cosine = 1 + q * (-1 / 2 + q * (1 / 24 + q * (-1 / 720 + q * (1 / 40320))))
    quarter = (x & 3).to(tl.int32)  # the other three quarters, by sign and exchange
    cosine = tl.where((quarter & 1) != 0, -cosine, cosine)
    return radius(x) * tl.where(((quarter & 2) != 0) != is_second, cosine, sine)


@triton.jit
def normals_of_step(key, t, position, n_positions):
    """Numbers of step t at some positions (int64) of the n_positions that a step has, two from every hash."""
    half = n_positions // 2
    is_second = (position >= half) & (position < 2 * half)
    pair = tl.where(position < half, position, position - half)
    return normal(count_up(count_up(key, t), pair), is_second)


@triton.jit
def fill(KEYS, OUT, T, P, sigma, BLOCK: tl.constexpr):
    """Write the numbers of all steps into OUT (M, T, P), BLOCK positions of a step at a time."""
    m, t = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    position = tl.program_id(2).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    key = tl.load(KEYS + m).to(tl.uint64, bitcast=True)
    numbers = normals_of_step(key, t, position, m * 0 + P)
    tl.store(OUT + (m * T + t) * P + position, sigma * numbers, position < P)
