"""Gymnasium: our tasks as environments, and environments that know the right answer, such as NeuroGym's, as tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

from cemrnn.tasks.own import OwnTasks, ScoreFunction
from cemrnn.tasks.stream import open_stream
from cemrnn.tasks.taskset import TaskSet

LIMIT = 1e6  # steps of a trial, beyond which an environment does not end


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
        """
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
        self._trial, self._step = self._stream.draw(1, self._task), 0
        cue = self._trial.cue()[0, 0].numpy()
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
        return (
            self._observations[min(self._step, len(self._observations) - 1)],
            reward,
            done,
            False,
            self._describe(done),
        )

    def _describe(self, done: bool = False) -> dict[str, Any]:
        info: dict[str, Any] = {"task": self._tasks.names[int(self._trial.task)]}
        if done:
            answers = torch.from_numpy(self._answers)[None, None]
            return info | {"score": float(score_trials(answers, self._trial, self._rule))}
        return info | {"target": self._trial.targets[0, 0, self._step].numpy()}


def from_environments(
    environments: Mapping[str, str | Callable[[], gymnasium.Env]],
    *,
    teacher: Callable[[np.ndarray, dict[str, Any]], Any] | None = None,
    score: ScoreFunction | None = None,
    dt_ms: float = 20.0,
) -> OwnTasks:
    """Tasks whose trials are those of environments that know the right action at every step.

    An environment knows it if, like NeuroGym's, it has `new_trial`, `ob` and `gt`; or tells it as info["gt"]; else the
    teacher does. Observations and actions are padded to the widest. Discrete actions become one output each, and what
    counts is the largest output at the last step; other actions are to be matched, in R squared.

    Args:
        environments: name of a task -> name of an environment that Gymnasium can make, or what makes it.
        teacher: (observation, info) -> right action.
        score: see `OwnTasks.from_arrays`.
        dt_ms: step, ms.

    Raises:
        ValueError: actions are of two kinds, or nobody knows the right one.
    """
    made = {name: make() if callable(make) else gymnasium.make(make) for name, make in environments.items()}
    sizes = [(_width(env.observation_space), _width(env.action_space)) for env in made.values()]
    is_discrete = {isinstance(env.action_space, gymnasium.spaces.Discrete) for env in made.values()}
    if len(is_discrete) != 1:
        raise ValueError(f"environments: expected actions of one kind, got {[e.action_space for e in made.values()]}")
    n_inputs, n_outputs = (max(column) for column in zip(*sizes, strict=True))

    def draw(generator: np.random.Generator, n_trials: int, task: np.ndarray) -> dict[str, np.ndarray]:
        trials, every = [], list(made.values())
        for env in every:
            _seed(env, int(generator.integers(2**31)))
        for k in task:
            trials.append(_play(every[k], teacher))
        n_steps = max(len(observations) for observations, _ in trials)
        inputs, targets = np.zeros((n_trials, n_steps, n_inputs)), np.zeros((n_trials, n_steps, n_outputs))
        weights = np.zeros((n_trials, n_steps))
        for b, (observations, actions) in enumerate(trials):
            inputs[b, : len(observations), : observations.shape[1]] = observations
            targets[b, : len(actions), : actions.shape[1]] = actions
            weights[b, : len(actions)] = 1
        return {"inputs": inputs, "targets": targets, "weights": weights}

    return OwnTasks.from_function(draw, names=list(made), score=score, dt_ms=dt_ms)
