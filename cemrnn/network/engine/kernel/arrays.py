"""Groups of arrays that the kernels take; an empty array stands for an absent tensor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Operands(NamedTuple):
    """What every kernel reads."""

    stacked: np.ndarray  # (M, N + R + I, N)
    synaptic_in: np.ndarray  # (M, N, R)
    readout: np.ndarray  # (M, N, O)
    readout_bias: np.ndarray  # (M, 1, O)
    bias_modulation: np.ndarray  # (M, K, N)
    gain_modulation: np.ndarray  # (M, K, N)
    strength_modulation: np.ndarray  # (M, K, R)
    scale_modulation: np.ndarray  # (M, K, 1)
    encoder_state: np.ndarray  # (M, N, K)
    initial: np.ndarray  # (M, B, N)
    inputs: np.ndarray  # (M, T, B, I)
    bias: np.ndarray  # (M, T | 1, B, N)
    gain: np.ndarray  # (M, T | 1, B, N)
    strength: np.ndarray  # (M, T | 1, B, R); with a strength_modulation, room for what the kernel makes of it
    scale: np.ndarray  # (M, T | 1, B, 1); the same with a scale_modulation
    modulator: np.ndarray  # (M, T, B, K)
    noise: np.ndarray  # (M, T, B, N)
    lengths: np.ndarray  # (M, B) int64, steps of each trial
    order: np.ndarray  # (M, B) int64, trials from the shortest to the longest


class Kept(NamedTuple):
    """What the way forward leaves for the way back, block by block."""

    states: np.ndarray  # (blocks, (T + 1) * block * columns of x), x with r in place of kappa r
    products: np.ndarray  # (blocks, T, block, N), a_t, with a gain
    components: np.ndarray  # (blocks, T, block, R), kappa r V, with synaptic components


class Incoming(NamedTuple):
    """Gradients of outputs and rates, unless a goal gives them."""

    outputs: np.ndarray  # (M, T, B, O)
    rates: np.ndarray  # (M, T, B, N)


class Returning(NamedTuple):
    """Weights transposed for the way back."""

    stacked: np.ndarray  # (M, N, N + R), with I more columns if the inputs need a gradient
    synaptic_in: np.ndarray  # (M, R, N)
    readout: np.ndarray  # (M, O, N)
    bias_modulation: np.ndarray  # (M, N, K)
    gain_modulation: np.ndarray  # (M, N, K)
    encoder_state: np.ndarray  # (M, K, N)


class Goal(NamedTuple):
    """What the outputs should be; the loss is the squared error averaged with the weights."""

    targets: np.ndarray  # (M, T, B, O)
    weights: np.ndarray  # (M, T, B)
    output_weights: np.ndarray  # (O,)


class Gradients(NamedTuple):
    """What the way back fills: sums per block for the weights, then what varies over trials."""

    stacked: np.ndarray  # (M * blocks, N + R + I, N)
    synaptic_in: np.ndarray  # (M * blocks, R, N), transposed as that of the readout: the longer axis last
    readout: np.ndarray  # (M * blocks, O, N)
    readout_bias: np.ndarray  # (M * blocks, 1, O)
    bias_modulation: np.ndarray  # (M * blocks, K, N)
    gain_modulation: np.ndarray  # (M * blocks, K, N)
    strength_modulation: np.ndarray  # (M * blocks, K, R)
    scale_modulation: np.ndarray  # (M * blocks, K, 1)
    encoder_state: np.ndarray  # (M * blocks, K, N), transposed
    initial: np.ndarray  # these and the following as in Operands
    inputs: np.ndarray
    bias: np.ndarray
    gain: np.ndarray
    strength: np.ndarray
    scale: np.ndarray
    modulator: np.ndarray
