"""Answers under noise from which is taken what the noise adds to the answers to all stimuli alike."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cemrnn.figures.shared.ambiguity import ConflictConfig, ConflictTrials
from cemrnn.figures.shared.battery import simulate
from cemrnn.measures.robustness import normalise_accuracy
from cemrnn.network.model import CEMRNN
from cemrnn.random import stream
from cemrnn.tasks.cues import centre

TAKEN = ("nothing", "shift", "another")  # from the outputs: nothing, the common shift, that of another draw


def measure_correction(
    model: CEMRNN, conflicts: ConflictTrials, sigma: float, n_draws: int, chance: np.ndarray, config: ConflictConfig
) -> dict[str, np.ndarray]:
    """What is taken from the outputs -> normalised accuracy (M, P) under noise on the cue.

    All trials of a pair get the same noise, draw after draw. The common shift is how the outputs at the end of the
    other trials of the pair moved, in the mean; it says nothing on the stimulus of the trial that it is taken from.

    Args:
        model: M networks.
        conflicts: trials of P pairs of tasks.
        sigma: of the noise on every context unit.
        n_draws: two or more.
        chance: (P,) accuracy of answers that ignore the stimulus.
        config: seeds and recurrent noise.
    """
    clean = _run(model, conflicts, conflicts.own, config)
    noise = draw_shared_noise(conflicts, n_draws, config)
    moved = [_run(model, conflicts, conflicts.own + sigma * draw, config) for draw in noise]
    shifts = [common_shift(read_last(x, conflicts) - read_last(clean, conflicts), len(conflicts.pairs)) for x in moved]
    taken = {"nothing": [0 * shift for shift in shifts], "shift": shifts, "another": [*shifts[1:], shifts[0]]}
    zero, right = chance, conflicts.answers(clean)[0]
    accuracy = {}
    for name, corrections in taken.items():
        corrected = (take(x, shift, conflicts) for x, shift in zip(moved, corrections, strict=True))
        accuracy[name] = np.mean([conflicts.answers(x)[0] for x in corrected], axis=0)
    return {name: normalise_accuracy(x, zero, right) for name, x in accuracy.items()}


def _run(model: CEMRNN, conflicts: ConflictTrials, cue: Tensor, config: ConflictConfig) -> Tensor:
    return simulate(model, conflicts.trials, cue, config, "ambiguity")


def draw_shared_noise(conflicts: ConflictTrials, n_draws: int, config: ConflictConfig) -> Tensor:
    """Noise (D, M, B, K) of size 1 that is the same in all trials of a pair; it adds nothing to the sum of the cues."""
    n_networks, n_trials, n_contexts = conflicts.own.shape
    shape = n_draws, n_networks, len(conflicts.pairs), n_contexts
    drawn = torch.as_tensor(stream(config.seed, "shared cue noise").standard_normal(shape)).to(conflicts.own)
    return centre(drawn.repeat(1, 1, n_trials // len(conflicts.pairs), 1))


def common_shift(moved: Tensor, n_pairs: int) -> Tensor:
    """(M, B, O) the mean over the other trials of each trial's pair, of what outputs moved by (M, B, O)."""
    by_pair = moved.unflatten(1, (-1, n_pairs))  # (M, n, P, O)
    n = by_pair.shape[1]
    return ((by_pair.sum(1, keepdim=True) - by_pair) / max(1, n - 1)).flatten(1, 2)


def read_last(outputs: Tensor, conflicts: ConflictTrials) -> Tensor:
    """Outputs (M, B, O) at the last step of each trial, of outputs (M, B, T, O)."""
    return outputs.gather(2, _last(outputs, conflicts))[:, :, 0]


def take(outputs: Tensor, shift: Tensor, conflicts: ConflictTrials) -> Tensor:
    """Outputs (M, B, T, O) without a shift (M, B, O) at the last step of each trial, by which answers are scored."""
    return outputs.scatter_add(2, _last(outputs, conflicts), -shift[:, :, None])


def _last(outputs: Tensor, conflicts: ConflictTrials) -> Tensor:
    return (conflicts.trials.end_steps - 1)[..., None, None].expand(-1, -1, 1, outputs.shape[-1])
