"""What is random about a trial besides noise: its task, timing and stimuli; and the answers of all tasks to them."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from cemrnn.random import compiled, fill_uniforms, next_keys
from cemrnn.tasks.family import EPOCHS, Stimuli
from cemrnn.tasks.taskset import TaskSet

CONFLICT_RAD = 2 * np.pi / 5 - 1e-9  # from 72 degrees on, open windows of 36 degrees are disjoint
_MAX_REDRAWS = 1000
_N_EPOCHS = len(EPOCHS)


class TrialPlan(NamedTuple):
    """P trials of a set of K tasks."""

    task: np.ndarray  # (P,) int64
    onsets: np.ndarray  # (P, E + 1) int64 first step of each epoch, then the end of the trial
    stimuli: Stimuli
    alternative: np.ndarray  # (P, K) answers of all tasks, see Trials.response
    defined: np.ndarray  # (P, K) bool

    @property
    def response(self) -> np.ndarray:
        """(P,) right answers."""
        return self.alternative[np.arange(len(self.task)), self.task]

    def replace(self, rows: np.ndarray, other: TrialPlan) -> None:
        """Puts the trials of another plan into the given rows of this one."""
        for mine, new in zip(self._arrays(), other._arrays(), strict=True):
            mine[rows] = new

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.task, self.onsets, *self.stimuli, self.alternative, self.defined


@compiled()
def fill_onsets(onsets, uniforms, task, values, n_values, extents, truncates):
    """Fills onsets (P, E + 1) from uniforms (P, E) and tables (K, E, values), (K, E), (K, E); column 0 is left at 0."""
    for p in range(onsets.shape[0]):
        k = task[p]
        for e in range(uniforms.shape[1]):
            u = uniforms[p, e]
            steps = values[k, e, int(u * n_values[k, e])] + u * extents[k, e]
            onsets[p, e + 1] = onsets[p, e] + (int(steps) if truncates else round(steps))


class Planner:
    """Draws plans for a set of tasks, all tasks at once."""

    def __init__(self, tasks: TaskSet) -> None:
        self._tasks = tasks
        families = [task.family for task in tasks.tasks]
        self._draws = list(dict.fromkeys(family.draw for family in families))
        self._draw = np.array([self._draws.index(family.draw) for family in families])  # (K,)
        self._strength_shape = families[0].strength_shape
        self._shown = np.array([family.shown for family in families])  # (K, modality)
        self._n_uniforms = 1 + _N_EPOCHS + max(family.n_uniforms for family in families)
        self._tabulate_durations()
        self._tabulate_rules()

    def draw(self, keys: np.ndarray, task: np.ndarray | None = None) -> TrialPlan:
        """Plans of the trials with the given keys.

        Args:
            keys: (P,) uint64, one per trial: all that is random follows from it.
            task: (P,) int64, or None: drawn with equal probability.
        """
        uniforms = np.empty((len(keys), self._n_uniforms))
        fill_uniforms(keys, uniforms)
        if task is None:
            task = (uniforms[:, 0] * self._tasks.n_contexts).astype(np.int64)
        onsets = self._draw_onsets(uniforms[:, 1 : 1 + _N_EPOCHS], task)
        stimuli = self._draw_stimuli(uniforms[:, 1 + _N_EPOCHS :], task)
        return TrialPlan(task, onsets, stimuli, *self._answer(stimuli))

    def draw_conflicting(self, keys: np.ndarray, task: np.ndarray | None, other: np.ndarray) -> TrialPlan:
        """Plans whose right answer conflicts with that of another task; trials without a conflict are redrawn.

        Args:
            keys: (P,) uint64, as for `draw`.
            task: (P,) int64 or None, as for `draw`.
            other: (P,) int64 task to conflict with.

        Raises:
            ValueError: some trial found no conflict in 1000 draws.
        """
        plan, keys = self.draw(keys, task), keys.copy()
        rows = np.arange(len(keys))
        for _ in range(_MAX_REDRAWS):
            opposed = find_conflicts(plan, self._tasks.answer_kind)[rows, other[rows]]
            rows = rows[~opposed]
            if not rows.size:
                return plan
            keys[rows] = next_keys(keys[rows])
            plan.replace(rows, self.draw(keys[rows], plan.task[rows]))
        first, second = self._tasks.names[plan.task[rows[0]]], self._tasks.names[other[rows[0]]]
        raise ValueError(f"conflict_with: expected a task whose answers can conflict with '{first}', got '{second}'")

    def _tabulate_durations(self) -> None:
        preset = self._tasks.settings
        spans = [task.family.durations_ms(preset) for task in self._tasks.tasks]
        width = max(len(span.values) for of_task in spans for span in of_task.values())
        shape = (len(spans), _N_EPOCHS)
        self._values = np.zeros((*shape, width))  # steps to choose from; or the low end of a uniform distribution
        self._n_values = np.ones(shape)
        self._extents = np.zeros(shape)  # of a uniform distribution, steps
        for k, of_task in enumerate(spans):
            for name, span in of_task.items():
                at = k, EPOCHS.index(name)
                steps = np.array(span.values) * preset.stretch / preset.dt_ms
                self._values[at][: len(steps)] = steps
                if span.continuous:
                    self._extents[at] = steps[1] - steps[0]
                else:
                    self._n_values[at] = len(span.values)

    def _tabulate_rules(self) -> None:
        """Rules without repetition, grouped by function: (function, parameters, their part of all rules)."""
        functions = [task.rule for task in self._tasks.tasks]
        rules = dict.fromkeys((task.rule, task.parameters) for task in self._tasks.tasks)
        rules = sorted(rules, key=lambda rule: functions.index(rule[0]))
        self._rule = np.array([rules.index((task.rule, task.parameters)) for task in self._tasks.tasks])  # (K,)
        self._rules, start = [], 0
        for function, group in itertools.groupby(rules, key=lambda rule: rule[0]):
            parameters = np.array([values for _, values in group])
            self._rules.append((function, parameters, slice(start, start + len(parameters))))
            start += len(parameters)

    def _draw_onsets(self, uniforms: np.ndarray, task: np.ndarray) -> np.ndarray:
        onsets = np.zeros((len(task), _N_EPOCHS + 1), np.int64)
        truncates = self._tasks.settings.truncates
        fill_onsets(onsets, uniforms, task, self._values, self._n_values, self._extents, truncates)
        return onsets

    def _draw_stimuli(self, uniforms: np.ndarray, task: np.ndarray) -> Stimuli:
        stimuli = Stimuli(np.full((len(task), 2), np.nan), np.zeros((len(task), *self._strength_shape)))
        draw_of_trial = self._draw[task]
        for i, draw in enumerate(self._draws):
            draw(np.flatnonzero(draw_of_trial == i), uniforms, stimuli, self._tasks.settings)
        if not self._shown.all():
            stimuli.strength[:] *= self._shown[task][:, :, None]
        return stimuli

    def _answer(self, stimuli: Stimuli) -> tuple[np.ndarray, np.ndarray]:
        n_rules = 1 + self._rule.max()
        answers, defined = (np.empty((n_rules, len(stimuli.strength)), dtype) for dtype in (float, bool))
        for function, parameters, part in self._rules:
            function(*stimuli, parameters, answers[part], defined[part])
        answers[~defined] = np.nan
        return answers[self._rule].T, defined[self._rule].T  # (P, K)


def find_conflicts(plan: TrialPlan, answer_kind: str) -> np.ndarray:
    """Whether each task's answer conflicts with the right one.

    Answers conflict if one is to keep fixation and the other is not; if they are directions 72 degrees or more
    apart, so that no answer lies within 36 degrees of both; or if signs, bits or intervals differ.

    Args:
        plan: of P trials.
        answer_kind: as in `Task`.

    Returns:
        (P, K) bool; False where a task's answer is not defined.
    """
    response = plan.response[:, None]
    hold, other_hold = np.isnan(response), np.isnan(plan.alternative)
    if answer_kind == "direction":
        differ = np.abs((plan.alternative - response + np.pi) % (2 * np.pi) - np.pi) > CONFLICT_RAD
    else:
        differ = plan.alternative != response
    return plan.defined & np.where(hold | other_hold, hold != other_hold, differ)


def conflict_pairs(tasks: TaskSet) -> list[tuple[int, int]]:
    """Ordered pairs of tasks that share their stimuli and timing, and whose answers can conflict.

    Answers are compared on 256 stimuli of each task.

    Args:
        tasks: a set of K tasks.

    Returns:
        Pairs (i, j), i != j: on a trial of task i, the answer of task j can be told from the right one.
    """
    planner = Planner(tasks)
    keys = np.arange(1, 257, dtype=np.uint64)
    pairs = []
    for i, task in enumerate(tasks.tasks):
        plan = planner.draw(keys, np.full(len(keys), i))
        possible = find_conflicts(plan, tasks.answer_kind).any(axis=0)
        pairs += [(i, j) for j, o in enumerate(tasks.tasks) if possible[j] and o.family.looks_like(task.family)]
    return pairs
