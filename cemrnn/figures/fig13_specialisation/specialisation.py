"""How far two modules have specialised in their own digits: by what they tell, by their states, by what they do.

Each measure gives what module m has of digit i, a number p(m, i) from 0 on. How much more of digit i module 0 has is
D(i) = (p(0, i) - p(1, i)) / (p(0, i) + p(1, i)), and specialisation is |D(0) - D(1)| / 2: 1 if each digit is one
module's, 0 if modules have the same.
Source: Béna & Goodman 2025; they take other correlations, see `correlate_classes`.
"""

from __future__ import annotations

import torch
from torch import Tensor

N_DIGITS = 10
CHANCE = 1 / N_DIGITS
RIDGE = 1e-3  # of the probe, relative to the mean square of its inputs


def specialise(has: Tensor) -> Tensor:
    """(...,) specialisation in [0, 1].

    Args:
        has: (..., 2 modules, 2 digits) not negative.
    """
    total = has.sum(dim=-2)
    lead = torch.where(total > 0, (has[..., 0, :] - has[..., 1, :]) / total.clamp(min=1e-12), 0.0)
    return (lead[..., 0] - lead[..., 1]).abs() / 2


def above_chance(accuracy: Tensor) -> Tensor:
    """Accuracy from 0 at chance to 1; below chance it is 0."""
    return ((accuracy - CHANCE) / (1 - CHANCE)).clamp(min=0)


def ablate(outputs: Tensor, answers: Tensor, counted: Tensor) -> Tensor:
    """(M, 2, 2) what module m answers of digit i where that counts, when the other's readout is silent.

    Args:
        outputs: (M, B, 2, digits) of each module.
        answers: (M, B) labels of the digits that count.
        counted: (M, B) which these are; each counts in some trial.
    """
    right = (outputs.argmax(dim=-1) == answers[..., None]).float()  # (M, B, 2)
    of_digit = torch.nn.functional.one_hot(counted, 2).float()  # (M, B, 2)
    return above_chance(torch.einsum("mbn,mbi->mni", right, of_digit) / of_digit.sum(dim=1)[:, None])


def probe(fitted: Tensor, fitted_labels: Tensor, states: Tensor, labels: Tensor) -> Tensor:
    """(M, 2, 2) how well a linear readout of module m, fitted on other trials, tells digit i.

    Args:
        fitted, states: (M, B, 2, n) on the trials of the fit, and on those of the test.
        fitted_labels, labels: (M, B, 2) digits.
    """
    pad = torch.nn.functional.pad  # with a constant input of the readout
    inputs, tests = (pad(x.transpose(1, 2), (0, 1), value=1.0).double() for x in (fitted, states))  # (M, 2, B, n + 1)
    targets = torch.nn.functional.one_hot(fitted_labels, N_DIGITS).double().flatten(2)  # (M, B, 2 * digits)
    squares = inputs.mT @ inputs
    size = squares.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None, None]
    squares = squares + RIDGE * size * torch.eye(squares.shape[-1], dtype=torch.double, device=squares.device)
    told = tests @ torch.linalg.solve(squares, inputs.mT @ targets[:, None])  # (M, 2, B, 2 * digits)
    right = told.unflatten(-1, (2, N_DIGITS)).argmax(dim=-1) == labels[:, None]  # (M, 2, B, 2)
    return above_chance(right.float().mean(dim=2))


def correlate_classes(states: Tensor, labels: Tensor) -> Tensor:
    """(M, 2, 2) intraclass correlation: how alike states of module m are on two trials that share digit i.

    Source: ICC(1) of Shrout & Fleiss 1979, with squares summed over units; where it is negative it is 0.

    Args:
        states: (M, B, 2, n).
        labels: (M, B, 2) digits.
    """
    b, classes = labels.shape[1], torch.nn.functional.one_hot(labels, N_DIGITS).to(states)  # (M, B, 2, C)
    centred = states - states.mean(dim=1, keepdim=True)
    counts = classes.sum(dim=1)[:, None]  # (M, 1, 2, C)
    sums = torch.einsum("mbpn,mbic->mpicn", centred, classes)
    between = (sums.square().sum(dim=-1) / counts.clamp(min=1)).sum(dim=-1)  # (M, 2 modules, 2 digits)
    within = centred.square().sum(dim=(1, 3))[..., None] - between
    there = (counts > 0).sum(dim=-1)
    between, within = between / (there - 1).clamp(min=1), within / (b - there).clamp(min=1)
    size = (b - counts.square().sum(dim=-1) / b) / (there - 1).clamp(min=1)
    total = between + (size - 1) * within
    return torch.where(total > 0, (between - within) / total.clamp(min=1e-30), 0.0).clamp(min=0)
