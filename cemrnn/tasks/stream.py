"""The stream of trials of an ensemble: draws plans, renders them, and can be saved and resumed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cemrnn.config import show
from cemrnn.random import fill_trial_keys
from cemrnn.tasks.counted import CountedStream
from cemrnn.tasks.layout import Layout
from cemrnn.tasks.own import OwnStream, OwnTasks
from cemrnn.tasks.planning import Planner
from cemrnn.tasks.taskset import TaskSet
from cemrnn.tasks.trials import Trials


class TrialStream(CountedStream):
    """Trials of a set of tasks for M networks; each network has a random stream of its own.

    Trial n of a network depends on its seed and on n only: not on the other networks, nor on how the trials are
    divided among calls. Networks with equal seeds see equal trials.
    """

    def __init__(self, tasks: TaskSet, seeds: Sequence[int], *, name: str = "trials") -> None:
        """A stream that begins at trial 0.

        Args:
            tasks: what to draw from.
            seeds: one per network.
            name: tells this stream from others with the same seed, for example training from test.
        """
        super().__init__(seeds, name)
        self.tasks = tasks
        self._planner, self._layout = Planner(tasks), Layout(tasks)

    def draw(self, n_trials: int, task: Any = None, *, conflict_with: Any = None) -> Trials:
        """The next trials of every network.

        Args:
            n_trials: B, at least 1.
            task: index of the task of each trial, broadcastable to (M, B); None: drawn with equal probability.
            conflict_with: index of another task for each trial, broadcastable to (M, B): trials are redrawn until
                its answer conflicts with the right one (see planning.find_conflicts).

        Returns:
            Trials of shape (M, B), padded to the longest.

        Raises:
            ValueError: n_trials or an index is out of range, or a conflict is impossible.
        """
        if n_trials < 1:
            raise ValueError(f"n_trials: expected at least 1, got {n_trials}")
        shape = len(self._seeds), n_trials
        task, other = self._as_tasks(task, shape, "task"), self._as_tasks(conflict_with, shape, "conflict_with")
        keys, noise_keys = np.empty(shape, np.uint64), np.empty(shape, np.uint64)
        fill_trial_keys(self.keys("parameters"), self._n_drawn, keys)
        fill_trial_keys(self.keys("noise"), self._n_drawn, noise_keys)
        if other is None:
            plan = self._planner.draw(keys.ravel(), task)
        else:
            plan = self._planner.draw_conflicting(keys.ravel(), task, other)
        self._n_drawn += n_trials
        return self._layout.lay_out(plan, noise_keys)

    def _as_tasks(self, value: Any, shape: tuple[int, int], name: str) -> np.ndarray | None:
        if value is None:
            return None
        index = np.broadcast_to(np.asarray(value), shape).ravel()
        if not np.issubdtype(index.dtype, np.integer) or index.min() < 0 or index.max() >= self.tasks.n_contexts:
            raise ValueError(f"{name}: expected indices of {self.tasks.n_contexts} tasks, got {value!r}")
        return index.astype(np.int64)


def check_source(tasks: Any) -> None:
    """Check that trials can be drawn from something.

    Raises:
        ValueError: it is neither a set of tasks nor tasks of one's own.
    """
    if not isinstance(tasks, TaskSet | OwnTasks):
        raise ValueError(
            f"tasks: expected a TaskSet or OwnTasks, such as TaskSet(names=[...], preset='fast'), got {show(tasks)}"
        )


def open_stream(tasks: TaskSet | OwnTasks, seeds: Sequence[int], *, name: str) -> TrialStream | OwnStream:
    """The named stream of trials of any tasks, ours or own ones, for networks with these seeds."""
    return tasks.stream(seeds, name=name) if isinstance(tasks, OwnTasks) else TrialStream(tasks, seeds, name=name)
