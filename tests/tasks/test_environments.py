"""Our tasks as Gymnasium environments, and environments as tasks; NeuroGym's are tried where it is installed."""

import functools
import warnings

import numpy as np
import pytest
import torch

import cemrnn
from cemrnn.tasks import OwnTasks, TaskSet
from cemrnn.training.train import train
from tests.networks import small_config

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed: pip install gymnasium")
from gymnasium.utils.env_checker import check_env  # noqa: E402

from cemrnn.tasks.environments import TaskEnvironment, from_environments  # noqa: E402
from cemrnn.tasks.registry import BATTERY, TASKS  # noqa: E402

FAST = TaskSet(names=("reaction_pro", "memory_anti"), preset="fast")
NEUROGYM = {"decide": "PerceptualDecisionMaking-v0", "match": "DelayMatchSample-v0", "go": "GoNogo-v0"}


class Echo(gymnasium.Env):
    """Twelve steps: the right action is the sign of the observation that is seen, 0 or 1."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.now = np.float32(self.np_random.choice([-1, 1]) * np.ones(1))
        self.n = 0
        return self.now, {}

    def step(self, action):
        self.n += 1
        return self.now, 0.0, self.n >= 12, False, {}


def tell_sign(observation, info):
    return int(observation[0] > 0)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_passes_the_check_of_environments(name):
    encoding = "ring" if name in BATTERY[:1] else "cosine"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # spaces without bounds
        check_env(TaskEnvironment(TaskSet(names=(name,), preset="fast", encoding=encoding)), skip_render_check=True)


def test_own_tasks_pass_it_too():
    inputs, labels = np.random.default_rng(0).standard_normal((10, 5, 2)), np.arange(10) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_env(TaskEnvironment(OwnTasks.from_arrays(inputs, labels)), skip_render_check=True)


def play(env, answer, seed=3):
    observation, info = env.reset(seed=seed)
    rewards, done = [], False
    while not done:
        assert env.observation_space.contains(observation)
        observation, reward, done, cut, info = env.step(answer(info))
        rewards.append(reward)
        assert not cut
    return rewards, info


def test_right_answers_are_rewarded_and_scored():
    env = TaskEnvironment(FAST, "memory_anti")
    rewards, info = play(env, lambda info: info["target"])
    assert info == {"task": "memory_anti", "score": 1.0} and max(map(abs, rewards)) == 0
    rewards, info = play(env, lambda info: -info["target"])
    assert info["score"] == 0 and sum(rewards) < -1


def test_the_rewards_of_an_episode_are_the_loss_of_its_trial():
    env = TaskEnvironment(FAST)
    trials = cemrnn.tasks.TrialStream(FAST, [3], name="environment").draw(1)
    rewards, info = play(env, lambda info: np.full(3, 0.25, np.float32))
    error = trials.output_weights * (0.25 - trials.targets[0, 0]) ** 2
    expected = -(trials.weights[0, 0, :, None] * error).sum() / 3
    assert sum(rewards) == pytest.approx(expected.item(), rel=1e-5)
    assert info["task"] == FAST.names[trials.task.item()] and len(rewards) == trials.end_steps.item()


def test_seeds_select_the_trials():
    env = TaskEnvironment(FAST)
    first, again = (env.reset(seed=1)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(env.reset()[0], first)  # the next trial
    assert first[FAST.n_inputs :].sum() == 1  # the cue


def test_an_environment_is_learned_with_a_teacher():
    tasks = from_environments({"echo": Echo}, teacher=tell_sign)
    assert (tasks.n_inputs, tasks.n_outputs, tasks.max_steps, tasks.answer) == (1, 2, 12, "class")
    trials = tasks.stream([0], name="test").draw(50)
    assert torch.equal(trials.targets[0, :, 0].argmax(-1), (trials.inputs[0, :, 0, 0] > 0).long())
    assert torch.equal(tasks.stream([0], name="test").draw(50).inputs, trials.inputs)
    (network,) = train([small_config(tasks=tasks, arm="plain", n_updates=60, target_score=None)], device="cpu")
    assert network.history["echo"].iloc[-1] > 0.9
    assert from_environments({"echo": Echo}, teacher=tell_sign) == tasks
    assert from_environments({"echo": Echo}, teacher=lambda observation, info: 0) != tasks


def test_what_cannot_be_learned_is_refused():
    with pytest.raises(ValueError, match="teacher: expected one, because the environment of 'echo'"):
        from_environments({"echo": Echo})
    boxes = functools.partial(TaskEnvironment, FAST)
    with pytest.raises(ValueError, match="environments: expected actions of one kind"):
        from_environments({"echo": Echo, "ours": boxes}, teacher=tell_sign)


def test_three_environments_of_neurogym_are_learned():
    pytest.importorskip("neurogym", reason="neurogym is not installed: pip install 'cemrnn[neurogym]'")
    tasks = from_environments({n: functools.partial(gymnasium.make, e, dt=20) for n, e in NEUROGYM.items()})
    assert tasks.names == ("decide", "match", "go") and tasks.n_outputs == 3
    first, again = (tasks.stream([0], name="test").draw(6, np.arange(6) % 3) for _ in range(2))
    assert torch.equal(first.inputs, again.inputs) and torch.equal(first.targets, again.targets)
    assert len(first.end_steps.unique()) > 1
    settings = dict(n_updates=150, batch_trials=24, learning_rate=5e-3, target_score=None, evaluate_every=150)
    (network,) = train([small_config(tasks=tasks, n_units=48, **settings)], device="cpu")
    assert network.history[["match", "go"]].iloc[-1].min() > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("memory_pro",), "tasks: expected a TaskSet or OwnTasks, .* got 'memory_pro'"),
        ((FAST, "delay_por"), "unknown task 'delay_por'"),
        ((FAST, None, "last37"), "unknown rule 'last37'; did you mean 'last36'"),
    ],
)
def test_what_is_no_set_of_tasks_is_refused(arguments, message):
    rule = {"rule": arguments[2]} if len(arguments) > 2 else {}
    with pytest.raises(ValueError, match=message):
        TaskEnvironment(*arguments[:2], **rule)


@pytest.mark.parametrize("environments", [{}, 3, "GoNogo-v0"])
def test_what_is_no_set_of_environments_is_refused(environments):
    with pytest.raises(ValueError, match="environments: expected a name of a task for each of one or more, got "):
        from_environments(environments)
