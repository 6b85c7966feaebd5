"""Which of two tasks a network does as their cues are mixed: measured, and predicted from both clean cues."""

from __future__ import annotations

import numpy as np
import torch

from cemrnn.figures.fig15_theory.slopes import Clean, differentiate
from cemrnn.figures.shared.ambiguity import ConflictConfig, ConflictTrials, answer_shares
from cemrnn.measures.ideal_observer import matches
from cemrnn.measures.linear_response import follow_mixture, read_answers
from cemrnn.measures.robustness import mean_switch
from cemrnn.network.model import CEMRNN
from cemrnn.tasks.cues import mix_cues

# Measured, predicted, and what a jump half-way between the answers to the clean cues would give.
SWITCHES = ("switch", "predicted_switch", "ends_switch")


def locate_switches(
    model: CEMRNN, conflicts: ConflictTrials, own: Clean, unordered: list[tuple[int, int]], config: ConflictConfig
) -> dict[str, np.ndarray]:
    """The mixture (M, U) at which choice goes over, in the mean, from one task of an unordered pair to the other.

    A share of the cue of the pair's second task, by the names of `SWITCHES`: .5 where no task outweighs the other. The
    mean of what trials of either task tell, see `mean_switch`.

    Args:
        model: M networks.
        conflicts: trials of P ordered pairs of tasks.
        own: see `differentiate`, with the cue of each trial's own task.
        unordered: U pairs of tasks, each in both orders among the ordered ones.
        config: mixtures, seeds and recurrent noise.
    """
    cues = [mix_cues(conflicts.own, conflicts.other, share) for share in config.lambdas]
    shares = {"switch": answer_shares(model, conflicts, cues, config)[:2]}
    shares["predicted_switch"] = predict_shares(model, conflicts, own, config.lambdas)
    shares["ends_switch"] = tuple(
        np.where(np.array(config.lambdas) < 0.5, x[..., :1], x[..., -1:]) for x in shares["predicted_switch"]
    )
    rows = {tuple(pair): row for row, pair in enumerate(conflicts.pairs.tolist())}
    found = {}
    for name, (first, second) in shares.items():
        ordered = mean_switch(config.lambdas, first, second)  # (M, P)
        both = [(ordered[:, rows[i, j]] + 1 - ordered[:, rows[j, i]]) / 2 for i, j in unordered]
        found[name] = np.stack(both, axis=1)
    return found


def predict_shares(
    model: CEMRNN, conflicts: ConflictTrials, own: Clean, lambdas: tuple[float, ...]
) -> tuple[np.ndarray, ...]:
    """Shares of answers of the first and of the second task (M, P, L), see `follow_mixture`."""
    way = (conflicts.other - conflicts.own).cpu().numpy()
    ends, by_cue = zip(own, differentiate(model, conflicts, conflicts.other), strict=True)
    slopes = [np.einsum("mbok,mbk->mbo", x, way) for x in by_cue]
    given = read_answers(follow_mixture(ends, slopes, lambdas))  # (L, M, B)
    required = [response.cpu().numpy() for response in (conflicts.trials.response, conflicts.other_response)]
    right = [[torch.from_numpy(matches(answers, response)) for answers in given] for response in required]
    return tuple(np.stack([conflicts.average(x) for x in of_task], axis=-1) for of_task in right)
