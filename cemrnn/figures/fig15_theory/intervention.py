"""Answers under noise from which is taken what the noise adds to the answers to all stimuli alike.

What that brings is measured, and predicted from clean answers and their derivatives by the cue.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cemrnn.figures.shared.ambiguity import ConflictConfig, ConflictTrials
from cemrnn.figures.shared.battery import simulate
from cemrnn.measures.ideal_observer import matches
from cemrnn.measures.linear_response import read_answers
from cemrnn.measures.robustness import normalise_accuracy
from cemrnn.network.model import CEMRNN
from cemrnn.random import stream
from cemrnn.tasks.cues import centre

Clean = tuple[np.ndarray, np.ndarray]  # outputs (M, B, O) with a clean cue, and their slopes (M, B, O, K) by the cue
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


def predict_correction(
    clean: Clean, conflicts: ConflictTrials, sigma: float, n_draws: int, chance: np.ndarray, config: ConflictConfig
) -> dict[str, np.ndarray]:
    """The same as `measure_correction` under the same noise, if outputs at the end follow the cue linearly.

    Args:
        clean: see `slopes.differentiate`.
        conflicts, sigma, n_draws, chance, config: as there.
    """
    outputs, slopes = (torch.from_numpy(x) for x in clean)
    noise = draw_shared_noise(conflicts, n_draws, config).cpu()
    moved = [sigma * torch.einsum("mbok,mbk->mbo", slopes, draw) for draw in noise]
    shifts = [common_shift(x, len(conflicts.pairs)) for x in moved]
    left = {"nothing": moved, "shift": [x - shift for x, shift in zip(moved, shifts, strict=True)]}
    right = _share_right(outputs, conflicts)
    accuracy = {name: np.mean([_share_right(outputs + x, conflicts) for x in of], axis=0) for name, of in left.items()}
    return {name: normalise_accuracy(x, chance, right) for name, x in accuracy.items()}


def _share_right(last: Tensor, conflicts: ConflictTrials) -> np.ndarray:
    """(M, P) share of right answers, of outputs (M, B, O) at the last step."""
    response = conflicts.trials.response.cpu().numpy()
    return conflicts.average(torch.from_numpy(matches(read_answers(last.numpy()), response)))


def _run(model: CEMRNN, conflicts: ConflictTrials, cue: Tensor, config: ConflictConfig) -> Tensor:
    return simulate(model, conflicts.trials, conflicts.shown(cue), config, "ambiguity")


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
