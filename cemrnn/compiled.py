"""Back end for the CPU: one fused kernel per block of trials, all its state in cache.

Trials do not interact, so a thread takes one network and a block of trials through all steps. The inputs and
the synaptic components are appended to the state, x = [kappa r | u | (kappa r V) * s], so that a step is one
product with the stacked weights [W; B_in; U^T], and so is its gradient. Forward keeps phi's values only: the
states are rebuilt from them exactly. Gradients of weights are summed per block and then over blocks, in a
fixed order, so that a result does not depend on the number of threads.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from cemrnn import kernel
from cemrnn.activation import ACTIVATIONS

BLOCK_TRIALS = 16  # rows per product: enough to amortise the call, few enough to stay in the first cache


class Operands(NamedTuple):
    """Arrays that both kernels read; an empty one stands for an absent tensor."""

    stacked: np.ndarray  # (M, N + I + R, N)
    synaptic_in: np.ndarray  # (M, N, R)
    readout: np.ndarray  # (M, N, O)
    readout_bias: np.ndarray  # (M, 1, O)
    initial: np.ndarray  # (M, B, N)
    inputs: np.ndarray  # (M, T, B, I)
    bias: np.ndarray  # (M, T | 1, B, N)
    gain: np.ndarray  # (M, T | 1, B, N)
    strength: np.ndarray  # (M, T | 1, B, R)
    scale: np.ndarray  # (M, T | 1, B, 1)
    noise: np.ndarray  # (M, T, B, N)
    lengths: np.ndarray  # (M, B) int64, steps of each trial
    order: np.ndarray  # (M, B) int64, trials from the shortest to the longest


class Kept(NamedTuple):
    """What forward leaves for backward, block by block (M * blocks, T, block, feature)."""

    values: np.ndarray  # f_t
    products: np.ndarray  # a_t, with a gain
    components: np.ndarray  # kappa r V, with synaptic components


class Incoming(NamedTuple):
    """Gradients of what forward returned, and weights transposed for the way back."""

    outputs: np.ndarray  # (M, T, B, O)
    rates: np.ndarray  # (M, T, B, N)
    stacked: np.ndarray  # (M, N, N + I + R)
    synaptic_in: np.ndarray  # (M, R, N)
    readout: np.ndarray  # (M, O, N)


class Gradients(NamedTuple):
    """What backward fills: sums per block for the weights, then what varies over trials."""

    stacked: np.ndarray  # (M * blocks, N + I + R, N)
    synaptic_in: np.ndarray  # (M * blocks, N, R)
    readout: np.ndarray  # (M * blocks, N, O)
    initial: np.ndarray
    inputs: np.ndarray
    bias: np.ndarray
    gain: np.ndarray
    strength: np.ndarray
    scale: np.ndarray


def forward(settings, t, keep: bool):
    """Outputs (M, T, B, O), rates (M, T, B, N) or None, and with keep the values that backward needs."""
    _limit_blas()
    n_networks, n_steps, n_trials, _ = t.inputs.shape
    n_units, n_components = t.recurrent.shape[-1], 0 if t.strength is None else t.strength.shape[-1]
    block, n_blocks = _blocks(n_trials)
    outputs = t.inputs.new_empty(n_networks, n_steps, n_trials, t.readout.shape[-1])
    rates = t.inputs.new_empty(n_networks, n_steps, n_trials, n_units) if settings.keep_rates else None
    sizes = Kept(n_units, n_units * (t.gain is not None), n_components)
    kept = [t.inputs.new_empty(n_networks * n_blocks, n_steps, block, size) if keep else None for size in sizes]
    _run(
        kernel.run_forward, n_networks, n_blocks, block, *_numbers(settings, t), t.inputs.dtype == torch.float32,
        _operands(t, _stack(t)),
        *_view(tuple, (outputs, rates), t, 4, 4), _view(Kept, kept, t, 4, 4, 4),
    )  # fmt: skip
    return outputs, rates, kept if keep else ()


def backward(settings, t, kept, outputs_grad, rates_grad, needed):
    """Gradients of every tensor of the call, in its order; see `cemrnn.recurrence.Tensors`."""
    n_networks, _, n_trials, n_inputs = t.inputs.shape
    block, n_blocks = _blocks(n_trials)
    stacked, n_units = _stack(t), t.recurrent.shape[-1]
    incoming = [outputs_grad, rates_grad, stacked.mT, _transposed(t.synaptic_in), t.readout.mT]
    filled = Gradients(
        *(_per_block(x, n_blocks) for x in (stacked, t.synaptic_in, t.readout)),
        initial=t.inputs.new_empty(n_networks, n_trials, n_units),
        inputs=torch.empty_like(t.inputs) if needed.inputs else None,
        **{name: _like(getattr(t, name)) for name in ("bias", "gain", "strength", "scale")},
    )
    _run(
        kernel.run_backward, n_networks, n_blocks, block, *_numbers(settings, t), _operands(t, stacked),
        _view(Kept, kept, t, 4, 4, 4), _view(Incoming, incoming, t, 4, 4, 3, 3, 3),
        _view(Gradients, filled, t, 3, 3, 3, 3, 4, 4, 4, 4, 4),
    )  # fmt: skip
    stacked_grad, synaptic_in_grad, readout_grad = (
        None if x is None else x.unflatten(0, (n_networks, n_blocks)).sum(1) for x in filled[:3]
    )
    recurrent_grad, input_grad, synaptic_out_grad = stacked_grad.split(
        [n_units, n_inputs, stacked.shape[1] - n_units - n_inputs], dim=1
    )
    readout_bias_grad = torch.zeros_like(t.readout_bias) if outputs_grad is None else outputs_grad.sum((1, 2))
    return (
        recurrent_grad, input_grad, readout_grad, readout_bias_grad, synaptic_in_grad, synaptic_out_grad.mT,
        *filled[4:], None, filled.initial, None,
    )  # fmt: skip


@functools.cache
def _limit_blas():
    # The kernel's threads call SciPy's BLAS (loaded by this import): one that starts its own would fight them.
    import scipy.linalg.cython_blas  # noqa: F401

    return threadpool_limits(limits=1, user_api="blas")


def _run(function, n_networks: int, n_blocks: int, *arguments) -> None:
    """The kernel over all blocks of trials, shared among as many threads as torch may use."""
    n_tasks, n_threads = n_networks * n_blocks, torch.get_num_threads()
    edges = [n_tasks * k // n_threads for k in range(n_threads + 1)]
    shares = [(a, b) for a, b in zip(edges, edges[1:], strict=False) if a < b]
    waiting = [_threads(n_threads).submit(function, share, n_blocks, *arguments) for share in shares[1:]]
    function(shares[0], n_blocks, *arguments)
    for future in waiting:
        future.result()


@functools.cache
def _threads(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="recurrence")


def _blocks(n_trials: int) -> tuple[int, int]:
    n_blocks = -(-n_trials // BLOCK_TRIALS)
    return -(-n_trials // n_blocks), n_blocks


def _numbers(settings, t):
    number = np.float64 if t.inputs.dtype == torch.float64 else np.float32
    return number(settings.alpha), number(1), ACTIVATIONS[settings.activation].code


def _stack(t):
    rows = [t.recurrent, t.input] + ([] if t.synaptic_out is None else [t.synaptic_out.mT])
    return torch.cat(rows, dim=1)  # (M, N + I + R, N)


def _operands(t, stacked) -> Operands:
    weights = [stacked, t.synaptic_in, t.readout, t.readout_bias[:, None], t.initial]
    drive = [t.inputs, t.bias, t.gain, t.strength, t.scale, t.noise]
    arrays = _view(tuple, weights + drive, t, *[3] * len(weights), *[4] * len(drive))
    n_networks, n_steps, n_trials, _ = t.inputs.shape
    lengths = np.full((n_networks, n_trials), n_steps) if t.lengths is None else t.lengths.numpy()
    # Blocks of trials of like length stop early: padding to the longest trial of the batch costs nothing.
    return Operands(*arrays, lengths, np.argsort(lengths, axis=1, kind="stable"))


def _view(group, tensors, t, *n_axes: int):
    """The tensors as NumPy arrays in a tuple type; None becomes an empty array of the expected rank."""
    arrays = []
    for tensor, rank in zip(tensors, n_axes, strict=True):
        if tensor is None:
            tensor = t.inputs.new_empty((0,) * rank)
        arrays.append(tensor.detach().contiguous().numpy())
    return group(arrays) if group is tuple else group(*arrays)


def _transposed(tensor):
    return None if tensor is None else tensor.mT


def _like(tensor):
    return None if tensor is None else torch.empty_like(tensor)


def _per_block(tensor, n_blocks: int):
    return None if tensor is None else tensor.new_empty(tensor.shape[0] * n_blocks, *tensor.shape[1:])
