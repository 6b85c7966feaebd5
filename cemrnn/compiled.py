"""Back end for the CPU: one fused kernel per block of trials, all its state in cache.

Trials do not interact, so a thread takes one network and a block of trials through all steps. The synaptic
components and the inputs are appended to the state, x = [kappa r | (kappa r V) * s | u], so that a step is one
product with the stacked weights [W; U^T; B_in], and so is its gradient. Forward keeps x, from which the way
back finds phi's slope again. Gradients of weights are summed per block and then over blocks, in a
fixed order, so that a result does not depend on the number of threads.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from cemrnn import kernel
from cemrnn.activation import ACTIVATIONS
from cemrnn.kernel.product import round_up

BLOCK_TRIALS = 32  # rows per product at most: enough to amortise a step, few enough for trials of like length


class Operands(NamedTuple):
    """Arrays that both kernels read; an empty one stands for an absent tensor."""

    stacked: np.ndarray  # (M, N + R + I, N)
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
    """What forward leaves for backward, block by block."""

    states: np.ndarray  # (M * blocks, (T + 1) * block * columns of x), x with r in place of kappa r
    products: np.ndarray  # (M * blocks, T, block, N), a_t, with a gain
    components: np.ndarray  # (M * blocks, T, block, R), kappa r V, with synaptic components


class Incoming(NamedTuple):
    """Gradients of what forward returned, and weights transposed for the way back."""

    outputs: np.ndarray  # (M, T, B, O)
    rates: np.ndarray  # (M, T, B, N)
    stacked: np.ndarray  # (M, N, N + R), with I more columns if the inputs need a gradient
    synaptic_in: np.ndarray  # (M, R, N)
    readout: np.ndarray  # (M, O, N)


class Gradients(NamedTuple):
    """What backward fills: sums per block for the weights, then what varies over trials."""

    stacked: np.ndarray  # (M * blocks, N + R + I, N)
    synaptic_in: np.ndarray  # (M * blocks, N, R)
    readout: np.ndarray  # (M * blocks, O, N)
    readout_bias: np.ndarray  # (M * blocks, 1, O)
    initial: np.ndarray
    inputs: np.ndarray
    bias: np.ndarray
    gain: np.ndarray
    strength: np.ndarray
    scale: np.ndarray


def forward(settings, t, keep: bool):
    """Outputs (M, T, B, O), rates (M, T, B, N) or None, and with keep the values that backward needs."""
    n_networks, n_steps, n_trials, _ = t.inputs.shape
    n_units, n_components = t.recurrent.shape[-1], 0 if t.strength is None else t.strength.shape[-1]
    block, n_blocks = _blocks(n_trials)
    outputs = t.inputs.new_empty(n_networks, n_steps, n_trials, t.readout.shape[-1])
    rates = t.inputs.new_empty(n_networks, n_steps, n_trials, n_units) if settings.keep_rates else None
    stacked = _stack(t)
    operands, n_tasks = _operands(t, stacked), n_networks * n_blocks
    sizes = Kept(
        (n_tasks, (n_steps + 1) * block * round_up(operands.stacked.shape[1])),
        (n_tasks, n_steps, block, n_units * (t.gain is not None)),
        (n_tasks, n_steps, block, n_components),
    )
    kept = [t.inputs.new_empty(size) if keep else None for size in sizes]
    _run(
        kernel.run_forward, operands, n_blocks, block, *_numbers(settings, t), t.inputs.dtype == torch.float32,
        operands, *_view(tuple, (outputs, rates), t, 4, 4), _view(Kept, kept, t, 2, 4, 4),
    )  # fmt: skip
    return outputs, rates, (*kept, stacked) if keep else ()


def backward(settings, t, kept, outputs_grad, rates_grad, needed):
    """Gradients of every tensor of the call, in its order; see `cemrnn.recurrence.Tensors`."""
    *kept, stacked = kept
    n_networks, _, n_trials, n_inputs = t.inputs.shape
    block, n_blocks = _blocks(n_trials)
    n_units, n_outputs = t.recurrent.shape[-1], t.readout.shape[-1]
    n_components = 0 if t.strength is None else t.strength.shape[-1]
    operands = _operands(t, stacked)
    n_rows = stacked.shape[1] if needed.inputs else n_units + n_components
    returning = (stacked[:, :n_rows, :n_units], t.synaptic_in, t.readout)
    back = [_pad_columns(None if x is None else x.mT) for x in returning]
    n_sums = n_networks * n_blocks
    filled = Gradients(
        stacked=t.inputs.new_empty(n_sums, *operands.stacked.shape[1:]),
        synaptic_in=None if t.synaptic_in is None else t.inputs.new_empty(n_sums, *operands.synaptic_in.shape[1:]),
        readout=t.inputs.new_empty(n_sums, n_outputs, round_up(n_units)),
        readout_bias=t.inputs.new_empty(n_sums, 1, n_outputs),
        initial=t.inputs.new_empty(n_networks, n_trials, n_units) if needed.initial else None,
        inputs=torch.empty_like(t.inputs) if needed.inputs else None,
        **{name: _like(getattr(t, name)) for name in ("bias", "gain", "strength", "scale")},
    )
    _run(
        kernel.run_backward, operands, n_blocks, block, *_numbers(settings, t), operands,
        _view(Kept, kept, t, 2, 4, 4), _view(Incoming, [outputs_grad, rates_grad, *back], t, 4, 4, 3, 3, 3),
        _view(Gradients, filled, t, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4),
    )  # fmt: skip
    stacked_grad, synaptic_in_grad, readout_grad, readout_bias_grad = (
        None if x is None else x.unflatten(0, (n_networks, n_blocks)).sum(1) for x in filled[:4]
    )
    recurrent_grad, synaptic_out_grad, input_grad = stacked_grad[..., :n_units].split(
        [n_units, n_components, n_inputs], dim=1
    )
    if synaptic_in_grad is not None:
        synaptic_in_grad = synaptic_in_grad[..., :n_components]
    return (
        recurrent_grad, input_grad, readout_grad[..., :n_units].mT, readout_bias_grad[:, 0], synaptic_in_grad,
        synaptic_out_grad.mT, *filled[5:], None, filled.initial, None,
    )  # fmt: skip


def _run(function, operands: Operands, n_blocks: int, block: int, *arguments) -> None:
    """The kernel over all blocks of trials, shared among as many threads as torch may use."""
    lasts = np.minimum(np.arange(1, n_blocks + 1) * block, operands.order.shape[1]) - 1
    n_steps = np.take_along_axis(operands.lengths, operands.order[:, lasts], axis=1)  # (M, blocks), of the longest
    tasks = np.argsort(-n_steps, axis=None, kind="stable")
    n_threads = min(torch.get_num_threads(), len(tasks))
    shares = [np.ascontiguousarray(tasks[k::n_threads]) for k in range(n_threads)]  # one type, one compilation
    waiting = [_threads(n_threads).submit(function, share, n_blocks, block, *arguments) for share in shares[1:]]
    function(shares[0], n_blocks, block, *arguments)
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
    rows = [t.recurrent, t.input] if t.synaptic_out is None else [t.recurrent, t.synaptic_out.mT, t.input]
    return _pad_columns(torch.cat(rows, dim=1))  # (M, N + R + I, N)


def _pad_columns(tensor):
    """The tensor with columns of zeros until the kernel's products can take it."""
    n_missing = 0 if tensor is None else round_up(tensor.shape[-1]) - tensor.shape[-1]
    return torch.nn.functional.pad(tensor, (0, n_missing)) if n_missing else tensor


def _operands(t, stacked) -> Operands:
    n_networks, n_steps, n_trials, _ = t.inputs.shape
    weights = [stacked, *map(_pad_columns, (t.synaptic_in, t.readout)), t.readout_bias[:, None], t.initial]
    drive = [t.inputs, t.bias, t.gain, t.strength, t.scale, t.noise]
    arrays = _view(tuple, weights + drive, t, *[3] * len(weights), *[4] * len(drive))
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


def _like(tensor):
    return None if tensor is None else torch.empty_like(tensor)
