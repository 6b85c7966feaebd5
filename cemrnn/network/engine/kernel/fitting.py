"""Forward, loss and back, block by block: nothing but gradients leaves the caches of a core."""

from __future__ import annotations

import numpy as np

from cemrnn.network.engine.kernel.arrays import Incoming, Kept
from cemrnn.network.engine.kernel.backward import retreat
from cemrnn.network.engine.kernel.block import (
    columns_of,
    entry,
    inlined,
    rows_of,
    sizes_of,
    sources_digest,
    states_of,
    steps_of,
)
from cemrnn.network.engine.kernel.forward import advance, read
from cemrnn.network.engine.kernel.product import round_up


def _compile(sources: str):
    @entry
    def run_fitting(tasks, n_blocks, block, alpha, one, code, single, operands, goal, returning, gradients, losses):
        """Fills the gradients (where not empty) and losses of some tasks; a task is a block of trials."""
        _ = sources
        for i in tasks:
            _fit_block(i, n_blocks, block, alpha, one, code, single, operands, goal, returning, gradients, losses)

    return run_fitting


@inlined
def _fit_block(i, n_blocks, block, alpha, one, code, single, o, goal, returning, gradients, losses):
    m, rows = i // n_blocks, rows_of(i, n_blocks, block, o)
    n_rows, n_units, n_components, _ = sizes_of(rows, o)
    n_steps, n_columns, dtype = steps_of(m, rows, o), columns_of(o), o.inputs.dtype
    kept = Kept(
        np.empty((1, (n_steps + 1) * n_rows * n_columns), dtype),
        np.empty((1, n_steps, n_rows, n_units if o.gain.size + o.gain_modulation.size else 0), dtype),
        np.empty((1, n_steps, n_rows, round_up(n_components)), dtype),
    )
    place = len(kept.states) - 1  # the only one; as a constant it would be a type of its own
    xs = states_of(place, n_steps, n_rows, n_columns, kept)
    advance(place, m, rows, xs, alpha, one, code, single, o, kept)
    ys = read(xs, n_units, m, n_rows, o)
    losses[i] = _turn_into_slopes(ys, m, rows, o, goal)
    nothing = np.empty((0, 0, 0, 0), dtype)
    retreat(i, place, m, rows, xs, ys, alpha, one, code, o, kept, Incoming(nothing, nothing), returning, gradients)


@inlined
def _turn_into_slopes(ys, m, rows, o, goal):
    """The block's part of the loss; the outputs become its slope."""
    total = _sum_weights(goal.weights[m]) * goal.output_weights.sum()
    factor, error = ys.dtype.type(2 / total), 0.0
    for t in range(goal.weights.shape[1]):
        for b in range(len(rows)):
            row = rows[b]
            weight, ended = goal.weights[m, t, row], t >= o.lengths[m, row]
            for k in range(len(goal.output_weights)):
                difference = (0 if ended else ys[t, b, k]) - goal.targets[m, t, row, k]
                slope = weight * goal.output_weights[k] * difference
                error += slope * difference
                if t < len(ys):
                    ys[t, b, k] = 0 if ended else factor * slope
    return error / total


@inlined
def _sum_weights(weights):
    """Sum of (T, B), trial by trial, so that the loop over trials vectorises."""
    totals = np.zeros(weights.shape[1])
    for t in range(weights.shape[0]):
        for b in range(weights.shape[1]):
            totals[b] += weights[t, b]
    return totals.sum()


run_fitting = _compile(sources_digest())
