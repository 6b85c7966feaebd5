"""Gymnasium: our tasks as environments, and environments that know the right answer, such as NeuroGym's, as tasks."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
import torch

from cemrnn.config import show, unknown_name
from cemrnn.tasks.cues import CueConfig, CueStream
from cemrnn.tasks.own import OwnTasks, ScoreFunction
from cemrnn.tasks.scores import TOLERANCES, score_trials
from cemrnn.tasks.stream import check_source, open_stream
from cemrnn.tasks.taskset import TaskSet

MOST_STEPS = 10_000  # of a trial of an environment
Teacher = Callable[[np.ndarray, dict[str, Any]], Any]  # (observation, info) -> right action


class TaskEnvironment(gymnasium.Env):
    """One trial of a set of tasks per episode.

    The observation is the input, then the cue of the task; the action is the output. The reward of a step is minus its
    weighted squared error, as in the loss, divided by the number of outputs. `info` has the task's name, the target of
    the step that comes, and after the last one the score.
    """

    metadata = {"render_modes": []}

    def __init__(self, tasks: TaskSet | OwnTasks, task: str | None = None, *, rule: str = "last36") -> None:
        """An environment that has to be reset before its first step.

        Args:
            tasks: what trials are drawn from.
            task: name of the one task that is asked; None: all, with equal probability.
            rule: of the score, see `cemrnn.tasks.scores.score_trials`.

        Raises:
            ValueError: these are no tasks, or a name is unknown.
        """
        check_source(tasks)
        if rule not in TOLERANCES:
            raise ValueError(unknown_name(rule, TOLERANCES, "rule"))
        if task is not None and task not in tasks.names:
            raise ValueError(unknown_name(task, tasks.names, "task"))
        self._tasks, self._rule, self._stream = tasks, rule, None
        self._task = None if task is None else tasks.names.index(task)
        width = tasks.n_inputs + tasks.n_contexts
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.action_space = gymnasium.spaces.Box(-np.inf, np.inf, (tasks.n_outputs,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """The first observation of a new trial, and its info; a seed starts the stream of trials anew."""
        super().reset(seed=seed)
        if seed is not None or self._stream is None:
            own = int(self.np_random.integers(2**62)) if seed is None else seed
            self._stream = open_stream(self._tasks, [own], name="environment")
            self._cues = CueStream(CueConfig(), [own], name="environment")
        self._trial, self._step = self._stream.draw(1, self._task), 0
        cue = self._cues.draw(self._trial).context[0, 0].numpy()
        cue = cue if cue.ndim == 2 else np.tile(cue, (self._trial.inputs.shape[2], 1))
        self._observations = np.concatenate([self._trial.inputs[0, 0].numpy(), cue], axis=1)  # (T, I + K)
        self._answers = np.zeros(self._trial.targets.shape[2:], np.float32)
        return self._observations[0], self._describe()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """The next observation, reward, whether the trial is over, False, and info."""
        now, trial = self._step, self._trial
        self._answers[now] = action
        error = (self._answers[now] - trial.targets[0, 0, now].numpy()) ** 2 * trial.output_weights.numpy()
        reward = -float(trial.weights[0, 0, now]) * float(error.mean())
        self._step += 1
        done = self._step >= int(trial.end_steps[0, 0])
        seen = self._observations[min(self._step, len(self._observations) - 1)]
        return seen, reward, done, False, self._describe(done)

    def _describe(self, done: bool = False) -> dict[str, Any]:
        info: dict[str, Any] = {"task": self._tasks.names[int(self._trial.task)]}
        if done:
            answers = torch.from_numpy(self._answers)[None, None]
            return info | {"score": float(score_trials(answers, self._trial, self._rule))}
        return info | {"target": self._trial.targets[0, 0, self._step].numpy()}


def from_environments(
    environments: Mapping[str, str | Callable[[], gymnasium.Env]],
    *,
    teacher: Teacher | None = None,
    score: ScoreFunction | None = None,
    dt_ms: float = 20.0,
) -> OwnTasks:
    """Tasks whose trials are those of environments, with the right action at every step.

    NeuroGym's environments (with `new_trial`, `ob` and `gt`) know it; for others the teacher does. Observations and
    actions are padded to the widest. Discrete actions become one output each, and the largest at the last step counts;
    other actions are to be matched, in R squared.

    Args:
        environments: name of a task -> name of an environment that Gymnasium can make, or what makes it.
        teacher: (observation, info) -> right action.
        score: see `OwnTasks.from_arrays`.
        dt_ms: step, ms.

    Raises:
        ValueError: actions are of two kinds, a space is not flat, or nobody knows the right action.
    """
    if not isinstance(environments, Mapping) or not environments:
        raise ValueError(f"environments: expected a name of a task for each of one or more, got {show(environments)}")
    made = {name: make() if callable(make) else gymnasium.make(make) for name, make in environments.items()}
    discrete = {isinstance(env.action_space, gymnasium.spaces.Discrete) for env in made.values()}
    if len(discrete) != 1:
        raise ValueError(f"environments: expected actions of one kind, got {[e.action_space for e in made.values()]}")
    for name, env in made.items():
        if teacher is None and not _knows_answers(env):
            raise ValueError(f"teacher: expected one, because the environment of '{name}' does not know right actions")

    def draw(generator: np.random.Generator, n_trials: int, task: np.ndarray) -> dict[str, np.ndarray]:
        return _draw(list(made.values()), teacher, generator, n_trials, task)

    kinds = [type(env.unwrapped) for env in made.values()]
    versions = [_version(kind) for kind in kinds]
    n_classes = max(_width(env.action_space) for env in made.values()) if discrete == {True} else None
    names, content = list(made), [dict(environments), kinds, versions, teacher]
    return OwnTasks.from_function(draw, names=names, n_classes=n_classes, score=score, dt_ms=dt_ms, content=content)


def _draw(
    every: list[gymnasium.Env], teacher: Teacher | None, generator: np.random.Generator, n_trials: int, task: np.ndarray
) -> dict[str, np.ndarray]:
    """Trials of the environments, one after another; see `OwnTasks.from_function`."""
    for env in every:
        seed = int(generator.integers(2**31))
        if hasattr(env.unwrapped, "seed"):  # NeuroGym's do not mind the seed of a reset
            env.unwrapped.seed(seed)
        env.reset(seed=seed)
    trials = [_play(every[k], teacher) for k in task]
    n_steps, widths = max(len(seen) for seen, _ in trials), [_width(env.observation_space) for env in every]
    n_outputs = max(_width(env.action_space) for env in every)
    inputs, targets = np.zeros((n_trials, n_steps, max(widths))), np.zeros((n_trials, n_steps, n_outputs))
    weights = np.zeros((n_trials, n_steps))
    for b, (seen, actions) in enumerate(trials):
        inputs[b, : len(seen), : seen.shape[1]] = seen
        targets[b, : len(seen), : actions.shape[1]] = actions
        weights[b, : len(seen)] = 1
    return {"inputs": inputs, "targets": targets, "weights": weights}


def _play(env: gymnasium.Env, teacher: Teacher | None) -> tuple[np.ndarray, np.ndarray]:
    """Observations (T, I) and right actions (T, O) of one trial."""
    if teacher is None:
        env.unwrapped.new_trial()
        seen, actions = np.array(env.unwrapped.ob), np.array(env.unwrapped.gt)
    else:
        (now, info), seen, actions, done = env.reset(), [], [], False
        while not done and len(seen) < MOST_STEPS:
            seen.append(now)
            actions.append(teacher(now, info))
            now, _, ended, cut, info = env.step(actions[-1])
            done = ended or cut
        seen, actions = np.array(seen), np.array(actions)
    if isinstance(env.action_space, gymnasium.spaces.Discrete):
        actions = np.eye(_width(env.action_space))[actions.astype(int).ravel() - int(env.action_space.start)]
    return seen.reshape(len(seen), -1), actions.reshape(len(seen), -1)


def _knows_answers(env: gymnasium.Env) -> bool:
    env.reset(seed=0)
    return all(hasattr(env.unwrapped, name) for name in ("new_trial", "ob", "gt"))


def _width(space: gymnasium.Space) -> int:
    """How many numbers a value of the space is as inputs or outputs."""
    if not isinstance(space, (gymnasium.spaces.Box, gymnasium.spaces.Discrete)):
        raise ValueError(f"environments: expected spaces Box or Discrete, got {space}")
    return gymnasium.spaces.flatdim(space)


def _version(kind: type) -> str:
    """Version of the installed package that an environment comes from; empty if it comes from none."""
    try:
        return importlib.metadata.version(kind.__module__.partition(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return ""
