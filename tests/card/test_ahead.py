"""Batches that are made ahead: training is the same to the last bit, whatever is saved, resumed or leaves meanwhile.

On the CPU, where the learners of `cemrnn.card` are used when asked for by name alone.
"""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from cemrnn.card.ahead import Ahead
from cemrnn.card.learner import CardLearner, CardSequenceLearner
from cemrnn.network.config import NetworkConfig
from cemrnn.tasks import OwnTasks, TaskSet, TrialStream
from cemrnn.tasks.cues import CueConfig
from cemrnn.tasks.sequences.images import ImageSet
from cemrnn.training.learner import Learner
from cemrnn.training.sequence_learner import SequenceLearner
from cemrnn.training.sequences import SequenceConfig
from cemrnn.training.train import train
from tests.networks import small_config

CPU = torch.device("cpu")
N_UPDATES = 12


def draw_own(generator, n_trials, task):
    """Trials (n, T, 2) whose length depends on the draw; the answer is the sum of the inputs, by task."""
    inputs = generator.standard_normal((n_trials, int(generator.integers(3, 6)), 2)).astype(np.float32)
    return {"inputs": inputs, "targets": (inputs.sum(2, keepdims=True) * (1 - 2 * task[:, None, None]))}


def image_config(seed):
    data = ImageSet(source="digits", scan="rows", n_contexts=2, transform="permute")
    sizes = dict(n_units=6, n_contexts=2, n_inputs=data.n_inputs, n_outputs=data.n_outputs, dt_ms=50.0, tau_ms=100.0)
    settings = dict(n_updates=N_UPDATES, batch_trials=4, learning_rate=1e-2, validation_size=20)
    return SequenceConfig(
        network=NetworkConfig(arm="excitability", sigma_rec=0.0, **sizes), data=data, seed=seed, **settings
    )


def make_configs(kind, seeds=(0, 1, 2)):
    if kind == "images":
        return [image_config(seed) for seed in seeds]
    tasks = {
        "own": lambda: OwnTasks.from_function(draw_own, names=["sum", "less"]),
        "noisy": lambda: TaskSet.rotate(3, preset="driscoll"),
    }.get(kind, lambda: TaskSet.rotate(3, preset="fast"))()
    cue = CueConfig(switch_share=0.5, noise_sigma=0.1, frozen_sigma=0.1, carry_share=0.5)
    changes = dict(cue=cue) if kind == "cues" else {}
    return [
        small_config(seed, tasks=tasks, n_updates=N_UPDATES, batch_trials=4, n_units=8, **changes) for seed in seeds
    ]


def make_continued(seeds=(0, 1)):
    """Recipes of networks that get a third context, and keep all else."""
    tasks = TaskSet(names=("reaction_pro", "reaction_anti", "delay_pro"), preset="fast")
    starts = [small_config(seed, tasks=replace(tasks, names=tasks.names[:2]), n_updates=2) for seed in seeds]
    network = replace(starts[0].network, n_contexts=3)
    return [replace(start, network=network, tasks=tasks, start=start, n_updates=N_UPDATES) for start in starts]


KINDS = ("fast", "noisy", "cues", "own", "images")


def open_both(kind):
    """The learner of a card, and the one that is to be equalled."""
    configs = make_configs(kind)
    if kind == "images":
        return CardSequenceLearner(configs, CPU), SequenceLearner(configs, CPU)
    return CardLearner(configs, CPU), Learner(configs, CPU)


def assert_equal(one, other):
    assert one.document() == other.document()
    assert one.tensors().keys() == other.tensors().keys()
    for name, tensor in other.tensors().items():
        torch.testing.assert_close(one.tensors()[name], tensor, rtol=0, atol=0, msg=name)


def is_expected(learner):
    """Whether a batch has been begun that is not asked for yet."""
    return (learner._ahead if hasattr(learner, "_ahead") else learner.trials._ahead)._next is not None


def advance(learners, n_updates):
    for learner in learners:
        for _ in range(n_updates):
            learner.update()


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_same_and_a_batch_is_ahead_until_the_last(kind):
    card, plain = open_both(kind)
    for number in range(1, N_UPDATES + 1):
        advance((card, plain), 1)
        assert is_expected(card) == (number < N_UPDATES)
        if number % 4 == 0:
            assert card.evaluate() == plain.evaluate()
            assert_equal(card, plain)
    assert card.finished.keys() == plain.finished.keys() == {0, 1, 2}
    assert all(torch.equal(card.finished[m].flat, plain.finished[m].flat) for m in range(3))


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_was_saved_with_a_batch_ahead_resumes_in_either_learner(kind):
    card, plain = open_both(kind)
    advance((card, plain), 5)
    assert is_expected(card)
    saved = {name: tensor.clone() for name, tensor in card.tensors().items()}, card.document()
    resumed = open_both(kind)
    advance(resumed[:1], 2)  # and with a batch ahead that is of no use
    for learner in resumed:
        learner.restore({name: tensor.clone() for name, tensor in saved[0].items()}, saved[1])
    advance((card, plain, *resumed), 4)
    for learner in (card, *resumed):
        assert_equal(learner, plain)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [[0, 2], [2, 0], [1]])
def test_networks_that_leave_take_their_part_of_the_batch_with_them(kind, kept):
    learners = open_both(kind)
    advance(learners, 3)
    for learner in learners:
        learner._keep(kept)
    advance(learners, 3)
    assert_equal(*learners)


def test_networks_that_continue_others_are_trained_the_same():
    configs = make_continued()
    starts = train([config.start for config in configs])
    card, plain = CardLearner(configs, CPU, starts), Learner(configs, CPU, starts)
    advance((card, plain), 4)
    assert_equal(card, plain)


def test_a_network_that_fails_leaves_with_a_batch_ahead():
    learners = open_both("noisy")
    advance(learners, 2)
    for learner in learners:
        learner.model.flat[1, 0] = torch.inf
    advance(learners, 3)
    assert learners[0].active == [0, 2]
    assert_equal(*learners)


def test_a_batch_of_other_networks_would_be_seen():  # negative control of the tests above
    card, plain = open_both("fast")
    advance((card, plain), 2)
    card.trials._ahead.forget = lambda: None
    for learner in (card, plain):
        learner._keep([2, 1, 0])
    advance((card, plain), 1)
    assert not torch.equal(card.model.flat, plain.model.flat)


def test_batches_are_made_in_one_other_thread_and_never_beside_an_evaluation():
    seen, busy = [], []

    def draw(generator, n_trials, task):
        assert not busy
        busy.append(n_trials)
        seen.append(threading.current_thread())
        time.sleep(0.01)
        busy.pop()
        return draw_own(generator, n_trials, task)

    tasks = OwnTasks.from_function(draw, names=["sum", "less"], content="threads")
    card = CardLearner([small_config(tasks=tasks, batch_trials=4, n_units=2)], CPU)
    seen.clear()
    for _ in range(3):
        advance([card], 2)
        card.evaluate()
    card.trials.rest()
    main = threading.main_thread()
    assert sum(thread is main for thread in seen) == 3
    assert len({thread for thread in seen if thread is not main}) == 1
    assert len(seen) == 3 + 6 + 1  # evaluations, updates, and one ahead


def test_an_error_of_drawing_is_raised_by_the_update_that_needs_the_batch():
    drawn = []

    def draw(generator, n_trials, task):
        drawn.append(n_trials)
        if len(drawn) == 4:
            raise RuntimeError("no trial is left")
        return draw_own(generator, n_trials, task)

    tasks = OwnTasks.from_function(draw, names=["sum", "less"], content="error")
    card = CardLearner([small_config(tasks=tasks, batch_trials=4, n_units=2)], CPU)
    drawn.clear()
    advance([card], 3)
    with pytest.raises(RuntimeError, match="no trial is left"):
        card.update()
    assert card.n_updates == 3 and card.trials.state() == {"n_drawn": 12}


def test_another_request_than_the_expected_one_is_made_anew():
    ahead = Ahead()
    ahead.begin("one", lambda: 1)
    assert ahead.take("two", lambda: 2) == 2
    assert ahead.take("one", lambda: 3) == 3  # what was not asked for at once is of no use
    ahead.begin("one", lambda: 1)
    assert ahead.take("one", lambda: 4) == 1


def test_two_losses_in_a_row_are_those_of_two_draws():
    card, plain = open_both("noisy")
    for _ in range(3):
        losses = [learner.measure_loss(learner.take_batch()) for learner in (card, plain)]
        torch.testing.assert_close(*losses, rtol=0, atol=0)
    assert card.document() == plain.document()


def test_without_a_card_trials_are_those_of_the_cpu():
    config = replace(make_configs("noisy")[0], seed=4)
    card = CardLearner([config], CPU)
    trials = card.trials.draw(6, torch.arange(6) % 3)
    expected = TrialStream(config.tasks, [4], name="training").draw(6, torch.arange(6) % 3)
    torch.testing.assert_close(trials.targets, expected.targets, rtol=0, atol=1e-6)
    assert torch.equal(trials.end_steps, expected.end_steps)
