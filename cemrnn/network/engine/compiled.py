"""Back end for the CPU: one fused kernel per block of trials, all its state in cache.

Trials do not interact, so a thread takes one network and a block of trials through all steps. The synaptic
components, the inputs and the modulators are appended to the state, x = [kappa r | (kappa r V) * s | u | e], so that
a step is one product of all but e with the stacked weights [W; U^T; B_in], and so is its gradient. Shifts and gains
that modulators set are made from e step by step, and no array over time and units is written for them; where the
state has a say in e, so are strengths and the scale. The way back needs x alone, which `forward` keeps; `fit` goes
both ways with a block before it takes the next, so that nothing is kept. Gradients of weights are summed per block and
then over blocks, in a fixed order: a result does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
import torch

from cemrnn.network.engine import kernel
from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.engine.kernel import Goal, Gradients, Incoming, Kept, Operands, Returning
from cemrnn.network.engine.kernel.product import round_up
from cemrnn.system.threads import count_threads, run_on_threads

BLOCK_TRIALS = 32  # rows per product at most: enough to amortise a step, few enough for trials of like length


def forward(settings, t, keep: bool):
    """Outputs (M, T, B, O), rates (M, T, B, N) or None, and with keep the values that backward needs."""
    n_networks, n_steps, n_trials, _ = t.inputs.shape
    n_units, n_components = t.recurrent.shape[-1], 0 if t.synaptic_in is None else t.synaptic_in.shape[-1]
    block, n_blocks = _blocks(n_trials)
    outputs = t.inputs.new_empty(n_networks, n_steps, n_trials, t.readout.shape[-1])
    rates = t.inputs.new_empty(n_networks, n_steps, n_trials, n_units) if settings.keep_rates else None
    stacked = _stack(t)
    operands, n_tasks = _operands(t, stacked), n_networks * n_blocks
    n_columns = round_up(stacked.shape[1] + operands.modulator.shape[3])
    has_gain = t.gain is not None or t.gain_modulation is not None
    sizes = Kept(
        (n_tasks, (n_steps + 1) * block * n_columns),
        (n_tasks, n_steps, block, n_units * has_gain),
        (n_tasks, n_steps, block, round_up(n_components)),
    )
    kept = [t.inputs.new_empty(size) if keep else None for size in sizes]
    _run(
        kernel.run_forward, operands, n_blocks, block, *_numbers(settings, t), t.inputs.dtype == torch.float32,
        operands, *_view(tuple, (outputs, rates), t, 4, 4), _view(Kept, kept, t, 2, 4, 4),
    )  # fmt: skip
    return outputs, rates, (*kept, stacked) if keep else ()


def backward(settings, t, kept, outputs_grad, rates_grad, needed):
    """Gradients of every tensor of the call, in its order; see `cemrnn.network.engine.recurrence.Tensors`."""
    *kept, stacked = kept
    block, n_blocks = _blocks(t.inputs.shape[2])
    operands = _operands(t, stacked)
    filled, gradients = _allocate_gradients(t, operands, n_blocks, needed)
    _run(
        kernel.run_backward, operands, n_blocks, block, *_numbers(settings, t), operands, _view(Kept, kept, t, 2, 4, 4),
        _view(Incoming, (outputs_grad, rates_grad), t, 4, 4), _return(t, stacked, needed), gradients,
    )  # fmt: skip
    return _collect(t, filled)


def fit(settings, t, targets, weights, output_weights, needed):
    """Loss of every network (M,) and its gradients in every tensor of the call, in its order."""
    n_networks, _, n_trials, _ = t.inputs.shape
    block, n_blocks = _blocks(n_trials)
    stacked = _stack(t)
    operands = _operands(t, stacked)
    filled, gradients = _allocate_gradients(t, operands, n_blocks, needed)
    losses = np.empty(n_networks * n_blocks)
    goal = Goal(*(x.detach().numpy() for x in (targets, weights, output_weights)))
    _run(
        kernel.run_fitting, operands, n_blocks, block, *_numbers(settings, t), t.inputs.dtype == torch.float32,
        operands, goal, _return(t, stacked, needed), gradients, losses,
    )  # fmt: skip
    loss = torch.from_numpy(losses.reshape(n_networks, n_blocks).sum(1)).to(t.inputs.dtype)
    return loss, _collect(t, filled)


def _allocate_gradients(t, operands: Operands, n_blocks: int, needed):
    """Tensors to be filled, and their arrays."""
    n_networks, _, n_trials, _ = t.inputs.shape
    n_units, n_sums = t.recurrent.shape[-1], n_networks * n_blocks

    def sums(n_rows):
        return t.inputs.new_empty(n_sums, n_rows, round_up(n_units))

    def columns_of(weight):
        return None if weight is None else sums(weight.shape[-1])

    def rows_of(weight):
        return None if weight is None else sums(weight.shape[-2])

    def unpadded(weight):
        return None if weight is None else weight.new_empty(n_sums, *weight.shape[1:])

    def like(array):
        return t.inputs.new_empty(array.shape) if array.size else None

    filled = Gradients(
        stacked=t.inputs.new_empty(n_sums, *operands.stacked.shape[1:]),
        synaptic_in=columns_of(t.synaptic_in),
        readout=columns_of(t.readout),
        readout_bias=t.inputs.new_empty(n_sums, 1, t.readout.shape[-1]),
        bias_modulation=rows_of(t.bias_modulation),
        gain_modulation=rows_of(t.gain_modulation),
        strength_modulation=unpadded(t.strength_modulation),
        scale_modulation=unpadded(t.scale_modulation),
        encoder_state=columns_of(t.encoder_state),
        initial=t.inputs.new_empty(n_networks, n_trials, n_units) if needed.initial else None,
        inputs=torch.empty_like(t.inputs) if needed.inputs else None,
        **{name: like(getattr(operands, name)) for name in ("bias", "gain", "strength", "scale", "modulator")},
    )
    return filled, _view(Gradients, filled, t, *[3] * 10, *[4] * 6)


def _return(t, stacked, needed) -> Returning:
    n_units = t.recurrent.shape[-1]
    n_rows = stacked.shape[1] - (0 if needed.inputs else t.inputs.shape[-1])
    weights = (stacked[:, :n_rows, :n_units], t.synaptic_in, t.readout, t.bias_modulation, t.gain_modulation,
               t.encoder_state)  # fmt: skip
    return _view(Returning, [_pad_columns(None if x is None else x.mT) for x in weights], t, *[3] * len(weights))


def _collect(t, filled: Gradients):
    """Gradients in the order of the tensors of the call: sums over blocks, cut out of the stacked ones."""
    n_networks, n_inputs, n_units = t.inputs.shape[0], t.inputs.shape[-1], t.recurrent.shape[-1]
    n_components = 0 if t.synaptic_in is None else t.synaptic_in.shape[-1]
    stacked, synaptic_in, readout, readout_bias, shifts, gains, strengths, scales, encoder_state = (
        None if x is None else x.unflatten(0, (n_networks, -1)).sum(1) for x in filled[:9]
    )
    recurrent, synaptic_out, input_ = stacked[..., :n_units].split([n_units, n_components, n_inputs], dim=1)
    synaptic_in, encoder_state = (None if x is None else x[..., :n_units].mT for x in (synaptic_in, encoder_state))
    shifts, gains = (None if x is None else x[..., :n_units] for x in (shifts, gains))
    return (
        recurrent, input_, readout[..., :n_units].mT, readout_bias[:, 0], synaptic_in, synaptic_out.mT,
        shifts, gains, strengths, scales, encoder_state, filled.inputs, filled.bias, filled.gain,
        filled.strength, filled.scale, filled.modulator, None, filled.initial, None,
    )  # fmt: skip


def _run(function, operands: Operands, n_blocks: int, block: int, *arguments) -> None:
    """The kernel over all blocks of trials, shared among as many threads as torch may use."""
    lasts = np.minimum(np.arange(1, n_blocks + 1) * block, operands.order.shape[1]) - 1
    n_steps = np.take_along_axis(operands.lengths, operands.order[:, lasts], axis=1)  # (M, blocks), of the longest
    tasks = np.argsort(-n_steps, axis=None, kind="stable")
    n_shares = min(count_threads(), len(tasks))
    shares = [np.ascontiguousarray(tasks[k::n_shares]) for k in range(n_shares)]  # one type, one compilation
    run_on_threads(lambda share: function(share, n_blocks, block, *arguments), shares)


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
    weights = [stacked, *map(_pad_columns, (t.synaptic_in, t.readout)), t.readout_bias[:, None]]
    weights += [*map(_pad_columns, (t.bias_modulation, t.gain_modulation)), t.strength_modulation, t.scale_modulation]
    weights += [_pad_columns(t.encoder_state), t.initial]
    strength, scale = (
        given if weight is None else t.inputs.new_empty(n_networks, n_steps, n_trials, weight.shape[-1])
        for given, weight in ((t.strength, t.strength_modulation), (t.scale, t.scale_modulation))
    )
    drive = [t.inputs, t.bias, t.gain, strength, scale, t.modulator, t.noise]
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
