"""The loss of an ensemble and its slope, in one pass over the outputs."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from cemrnn.tasks import Trials


def weighted_loss(outputs: Tensor, trials: Trials) -> tuple[Tensor, Tensor]:
    """Loss of every network (M,), squared error averaged with the trials' weights, and its slope (M, B, T, O).

    sum w v (y - y*)^2 / sum w v, w the weight of the step and v that of the output. Weights are not squared; in
    Yang et al. 2019 the mask is, so that theirs are 1 : 25 where ours are 1 : 5.
    """
    return weighted_error(outputs, trials.targets, trials.weights, trials.output_weights)


def weighted_error(outputs: Tensor, targets: Tensor, weights: Tensor, output_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Squared error of every network (M,), averaged with weights, and its slope in the outputs (M, B, T, O).

    Args:
        outputs, targets: (M, B, T, O).
        weights: (M, B, T), of the steps.
        output_weights: (O,).
    """
    outputs, targets, weights = (x.detach().transpose(1, 2).contiguous() for x in (outputs, targets, weights))
    if outputs.device.type == "cpu":
        loss, slope = outputs.new_empty(outputs.shape[0]), torch.empty_like(outputs)
        _fill_errors(*(x.numpy() for x in (outputs, targets, weights, output_weights, loss, slope)))
    else:
        w = weights.unsqueeze(-1) * output_weights  # (M, T, B, O)
        slope = w * (outputs - targets) / w.sum((1, 2, 3), keepdim=True)
        loss = (slope * (outputs - targets)).sum((1, 2, 3))
        slope *= 2
    return loss, slope.transpose(1, 2)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_errors(outputs, targets, weights, output_weights, loss, slope):
    """Fills loss (M,) and slope (M, T, B, O); sums run over time first, so that the loop over trials vectorises."""
    n_networks, n_steps, n_trials, n_outputs = outputs.shape
    n = n_trials * n_outputs
    trial = np.arange(n) // n_outputs
    share = output_weights[np.arange(n) % n_outputs]
    for m in range(n_networks):
        total = np.zeros(n_trials)
        for t in range(n_steps):
            w = weights[m, t]
            for b in range(n_trials):
                total[b] += w[b]
        bottom = total.sum() * output_weights.sum()
        factor = outputs.dtype.type(2 / bottom)
        error = np.zeros(n)
        for t in range(n_steps):
            y, target, w, d = outputs[m, t].ravel(), targets[m, t].ravel(), weights[m, t], slope[m, t].ravel()
            for i in range(n):
                difference = y[i] - target[i]
                weighted = w[trial[i]] * share[i] * difference
                error[i] += weighted * difference
                d[i] = factor * weighted
        loss[m] = error.sum() / bottom
