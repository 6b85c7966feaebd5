"""Context read from states by a linear classifier, at every time of a trial, on trials that it was not fitted to.

Only tasks with the same stimuli and timing are told apart: of others the input would give the task away. So whatever
is read is the context, and a network that is not told the task is at chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from cemrnn.figures.shared.ambiguity import list_pairs
from cemrnn.figures.shared.states import Visited
from cemrnn.random import derive_seed, stream
from cemrnn.tasks import TaskSet


def ambiguous_pairs(tasks: TaskSet) -> list[tuple[int, int]]:
    """Unordered pairs of tasks that only the context tells apart."""
    return [(i, j) for i, j in list_pairs(tasks).tolist() if i < j]


def decoded_steps(tasks: TaskSet, pairs: Sequence[tuple[int, int]], every_ms: float) -> np.ndarray:
    """Steps from the first on, in which every trial of these pairs still runs, however short it is."""
    shortest = min(_shortest_steps(tasks, task, slice(None)) for pair in pairs for task in pair)
    return np.arange(0, shortest, max(1, round(every_ms / tasks.dt_ms)))


def early_step(tasks: TaskSet, pair: tuple[int, int]) -> int:
    """The last step before the earliest stimulus of a pair of tasks."""
    return min(_shortest_steps(tasks, task, slice(1)) for task in pair) - 1


def decode_pair(
    visited: Visited, network: int, pair: tuple[int, int], steps: np.ndarray, early: int, n_folds: int, shuffle: bool
) -> pd.DataFrame:
    """Accuracy on held-out trials, at every step, of telling two tasks apart from the states of one network.

    Trials are dealt to folds, so that none is in both parts. The classifier is the sign of a ridge regression on
    the label with a penalty of 1. It is fitted anew at each step; and once, at the step `early`, for all.

    Args:
        visited: states on as many trials of each task.
        network: whose states.
        pair: the two tasks.
        steps: (T,) at which the states are read.
        early: step before any stimulus.
        n_folds: parts of the trials, each of which is held out once.
        shuffle: whether labels are dealt to the trials at random, which has to give one half.

    Returns:
        Columns step, accuracy (fitted at that step), held (fitted at `early`).
    """
    trials = np.flatnonzero(np.isin(visited.task, pair))
    states = visited.rates[network][trials][:, [early, *steps]].transpose(1, 0, 2)  # (1 + T, B, N)
    label = visited.task[trials] == pair[1]  # (B,)
    name, seed = "-".join(map(str, pair)), visited.seeds[network]
    if shuffle:
        label = stream(seed, "decoding", "shuffle", name).permutation(label)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=derive_seed(seed, "decoding", name) % 2**32)
    side, right = np.where(label, 1.0, -1.0), np.zeros((2, len(steps)))
    for fitted, tested in folds.split(trials, label):
        weights, shift = fit_ridge(states[:, fitted], side[fitted])
        for i, of in enumerate((slice(1, None), slice(1))):  # now, and at the early step for all
            told = (states[1:, tested] * weights[of, None]).sum(axis=-1) + shift[of, None]  # (T, B)
            right[i] += ((told > 0) == label[tested]).sum(axis=1)
    return pd.DataFrame({"step": steps, "accuracy": right[0] / len(trials), "held": right[1] / len(trials)})


def fit_ridge(states: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (T, N) and constants (T,) of ridge regressions of values (B,) on states (T, B, N), with a penalty of 1.

    A regression for each t in one batch: one by one, scikit-learn's take seventeen times as long at this size.
    """
    mean = states.mean(axis=1)
    centred = states - mean[:, None]
    squares = centred.mT @ centred + np.eye(states.shape[-1])
    weights = np.linalg.solve(squares, centred.mT @ (values - values.mean())[:, None])[..., 0]
    return weights, values.mean() - (mean * weights).sum(axis=-1)


def _shortest_steps(tasks: TaskSet, task: int, epochs: slice) -> int:
    """Steps that some epochs of a task, in their order, last at least."""
    spans = list(tasks.tasks[task].family.durations_ms(tasks.settings).values())[epochs]
    return sum(tasks.settings.to_steps(min(span.values)) for span in spans)
