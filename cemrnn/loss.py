"""The loss of an ensemble and its gradient, in one pass over the outputs."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from cemrnn.tasks import Trials


def weighted_loss(outputs: Tensor, trials: Trials) -> Tensor:
    """Loss of every network (M,): squared error averaged with the trials' weights.

    sum w v (y - y*)^2 / sum w v, w the weight of the step and v that of the output. Weights are not squared; in
    Yang et al. 2019 the mask is, so that theirs are 1 : 25 where ours are 1 : 5.
    """
    return weighted_error(outputs, trials.targets, trials.weights, trials.output_weights)


def weighted_error(outputs: Tensor, targets: Tensor, weights: Tensor, output_weights: Tensor) -> Tensor:
    """Squared error of every network (M,), averaged with weights; differentiable in the outputs.

    Args:
        outputs, targets: (M, B, T, O).
        weights: (M, B, T), of the steps.
        output_weights: (O,).
    """
    if outputs.device.type == "cpu":
        return _WeightedError.apply(outputs, targets, weights, output_weights)
    w = weights.unsqueeze(-1) * output_weights  # (M, B, T, O)
    return (w * (outputs - targets) ** 2).sum((1, 2, 3)) / w.sum((1, 2, 3))


class _WeightedError(torch.autograd.Function):
    """The gradient is found on the way forward, where the errors are at hand."""

    @staticmethod
    def forward(ctx, outputs, targets, weights, output_weights):
        loss = outputs.new_empty(outputs.shape[0])
        time_major = [x.detach().transpose(1, 2).contiguous() for x in (outputs, targets, weights)]
        gradient = torch.empty_like(time_major[0])
        arrays = (x.numpy() for x in (*time_major, output_weights, loss, gradient))
        _fill_errors(*arrays)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, loss_gradient):
        (gradient,) = ctx.saved_tensors
        return (gradient * loss_gradient[:, None, None, None]).transpose(1, 2), None, None, None


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_errors(outputs, targets, weights, output_weights, loss, gradient):
    """Fills loss (M,) and gradient (M, T, B, O); sums run over time first, so that the loop over trials vectorises."""
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
            y, target, w, slope = outputs[m, t].ravel(), targets[m, t].ravel(), weights[m, t], gradient[m, t].ravel()
            for i in range(n):
                difference = y[i] - target[i]
                weighted = w[trial[i]] * share[i] * difference
                error[i] += weighted * difference
                slope[i] = factor * weighted
        loss[m] = error.sum() / bottom
