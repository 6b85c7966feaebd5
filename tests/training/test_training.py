"""Training: loss and optimiser against references, learning, stops, failures, interrupts, resumption."""

import dataclasses
import signal
import threading
import time

import numpy as np
import pytest
import torch

from cemrnn.network.engine.recurrence import Objective
from cemrnn.system.files import read_sealed, write_sealed
from cemrnn.tasks import TaskSet, TrialStream
from cemrnn.tasks.cues import CueConfig
from cemrnn.training.learner import Learner, choose_device
from cemrnn.training.optimiser import Adam, clip_gradient
from cemrnn.training.train import Progress, TrainingInterrupted, train
from tests.networks import TASKS, flats, small_config

CPU = torch.device("cpu")


def test_loss_is_the_weighted_mean_of_squared_errors():
    learner = Learner([small_config(seed, batch_trials=5, sigma_rec=0) for seed in (0, 1)], CPU)
    trials = TrialStream(TASKS, [0, 1], name="training").draw(5, torch.arange(5) % 2)
    outputs, _ = learner.model.simulate(trials.inputs, trials.cue(), noise=None, lengths=trials.end_steps)
    learner.update()
    for m in range(2):
        top = bottom = 0.0
        for b in range(5):
            for t in range(outputs.shape[2]):
                for k in range(3):
                    weight = float(trials.weights[m, b, t]) * (2.0 if k == 0 else 1.0)
                    top += weight * float(outputs[m, b, t, k] - trials.targets[m, b, t, k]) ** 2
                    bottom += weight
        assert learner.tensors()["losses"][0, m].item() == pytest.approx(top / bottom, rel=1e-5)


@pytest.mark.parametrize(("batch_trials", "n_tasks"), [(4, 3), (2, 5), (7, 4), (6, 3)])
def test_tasks_get_equal_shares_over_batches_that_do_not_divide(batch_trials, n_tasks):
    tasks = TaskSet.rotate(n_tasks, preset="fast")
    learner = Learner([small_config(tasks=tasks, batch_trials=batch_trials, n_units=4)], CPU)
    draw, counts = learner.trials.draw, torch.zeros(n_tasks, dtype=torch.int64)

    def draw_and_count(n_trials, task, *others):
        trials = draw(n_trials, task, *others)
        counts.add_(torch.bincount(trials.task[0], minlength=n_tasks))
        return trials

    learner.trials.draw = draw_and_count
    for n_updates in range(1, 9):
        learner.update()
        assert counts.sum() == n_updates * batch_trials
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_equals_that_of_torch(weight_decay):
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn((3, 7), generator=generator, dtype=torch.float64)
    reference = flat.clone().requires_grad_()
    ours = Adam(flat, weight_decay=weight_decay)
    theirs = torch.optim.AdamW([reference], lr=0.02, weight_decay=weight_decay)
    for _ in range(10):
        gradient = torch.randn((3, 7), generator=generator, dtype=torch.float64)
        ours.move(flat, gradient, ours.advance(0.02))
        reference.grad = gradient
        theirs.step()
    torch.testing.assert_close(flat, reference.detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_parameters", [2, 16, 37])  # fewer than, as many as, and more than the lanes of the sum
def test_gradients_are_clipped_per_network(n_parameters):
    unit = torch.ones(n_parameters, dtype=torch.float64) / n_parameters**0.5
    gradient = torch.stack([5 * unit, 0.5 * unit]).float()
    norm = clip_gradient(gradient, 1.0)
    torch.testing.assert_close(norm, torch.tensor([5.0, 0.5]))
    torch.testing.assert_close(gradient, torch.stack([unit, 0.5 * unit]).float())


def test_networks_learn_and_stop_at_the_target():
    config = small_config(n_updates=600, evaluate_every=20, target_score=0.9, batch_trials=32)
    networks = train([config, dataclasses.replace(config, seed=1)])
    for network in networks:
        assert network.status == "reached"
        assert network.n_updates < 600
        assert network.n_updates == network.history["update"].iloc[-1]
        scores = network.history[list(TASKS.names)]
        assert scores.iloc[-1].min() >= 0.9 - 1e-6
        assert scores.iloc[:-1].min(axis="columns").max() < 0.9  # it did not go on after the target
        assert network.history["loss"].iloc[-1] < 0.5 * network.history["loss"].iloc[0]


def test_shuffled_targets_are_not_learned():
    """Negative control: the same training with each trial's targets taken from another trial stays at chance."""
    config = small_config(n_updates=150)
    learner = Learner([config], CPU)
    draw = learner.trials.draw

    def draw_shuffled(*arguments):
        trials = draw(*arguments)
        return dataclasses.replace(trials, targets=trials.targets.roll(2, dims=1))  # same task, another direction

    learner.trials.draw = draw_shuffled
    for _ in range(150):
        learner.update()
    learner.config = dataclasses.replace(config, evaluation_trials=200)
    worst = learner.evaluate()
    assert worst < 0.2 + 4 * np.sqrt(0.2 * 0.8 / 200)  # chance is 72 of 360 degrees


def test_a_network_with_a_loss_that_is_not_finite_fails_alone():
    configs = [small_config(seed) for seed in range(3)]
    learner = Learner(configs, CPU)
    learner.update()
    learner.model.flat[1, 0] = float("inf")
    learner.update()
    assert learner.active == [0, 2]
    assert learner.finished[1].status == "failed"
    reference = Learner([configs[0], configs[2]], CPU)
    for _ in range(2):
        reference.update()
    torch.testing.assert_close(learner.model.flat, reference.model.flat, rtol=1e-4, atol=1e-5)


def test_a_failed_network_keeps_the_weights_it_had():
    learner = Learner([small_config(seed) for seed in range(2)], CPU)
    learner.update()
    before, draw = learner.model.flat[1].clone(), learner.trials.draw

    def draw_broken(*arguments):
        trials = draw(*arguments)
        trials.targets[1] = float("nan")
        return trials

    learner.trials.draw = draw_broken
    learner.update()
    kept = learner.finished[1].flat
    assert torch.equal(kept, before)


@pytest.mark.parametrize("learning_rate", [1e3, 1e38, 1e39, 1e300])
def test_a_network_that_a_rate_throws_out_of_all_bounds_has_failed_with_finite_weights(learning_rate):
    for network in train([small_config(seed, learning_rate=learning_rate) for seed in range(2)]):
        assert torch.isfinite(network.flat).all()
        assert network.status == "failed" or learning_rate == 1e3


def test_a_network_does_not_depend_on_its_ensemble():
    configs = [small_config(seed, n_updates=3, evaluate_every=3) for seed in range(3)]
    together = flats(train(configs))
    alone = flats(train([config])[0] for config in configs)
    # Adam divides by the root of the second moment, so rounding of the gradient reaches the weights at rate lr
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    assert (together[0] - together[1]).abs().max() > 0.01


@pytest.mark.parametrize("field", ["learning_rate", "batch_trials", "clip_norm", "weight_decay", "schedule", "seed"])
def test_every_setting_changes_training(field):
    base = small_config(n_updates=4, clip_norm=0.2)
    values = dict(learning_rate=2e-2, batch_trials=18, clip_norm=0.1, weight_decay=0.5, schedule="cosine", seed=1)
    changed = dataclasses.replace(base, **{field: values[field]})
    assert not torch.equal(train([base])[0].flat, train([changed])[0].flat)


@pytest.mark.parametrize("cue", [CueConfig(), CueConfig(noise_sigma=0.3, switch_share=0.5, settle_ms=100.0)])
def test_looking_changes_nothing(cue):
    often, seldom, thoroughly = (
        train([small_config(seed, sigma_rec=0.3, n_updates=20, cue=cue, **look) for seed in range(2)])
        for look in (dict(evaluate_every=1), dict(evaluate_every=20), dict(evaluate_every=7, evaluation_trials=33))
    )
    for seen, unseen in zip(often + thoroughly, seldom + seldom, strict=True):
        assert torch.equal(seen.flat, unseen.flat)
    assert len(often[0].history) == 20 and len(seldom[0].history) == 1


def test_configs_must_differ_in_the_seed_alone():
    with pytest.raises(ValueError, match="seed alone"):
        train([small_config(0), small_config(1, learning_rate=1e-3)])


def test_network_must_fit_its_tasks():
    config = small_config()
    with pytest.raises(ValueError, match="network.n_contexts: expected 2 as in tasks, got 3"):
        dataclasses.replace(config, network=dataclasses.replace(config.network, n_contexts=3))


def test_cuda_without_a_card_is_refused():
    if torch.cuda.is_available():
        assert choose_device("auto").type == "cuda"
    else:
        assert choose_device("auto") == CPU
        with pytest.raises(ValueError, match="device: expected a CUDA device"):
            choose_device("cuda")


def test_an_interrupt_saves_a_checkpoint_and_the_resumed_run_is_the_same_bit_for_bit(tmp_path):
    configs = [small_config(seed, n_updates=60, target_score=0.55) for seed in range(3)]
    reference = train(configs)
    checkpoint = tmp_path / "state.checkpoint"

    def interrupt(progress: Progress) -> None:
        if progress.n_updates == 30:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(TrainingInterrupted, match="after update 30: checkpoint saved; run the same command"):
        train(configs, checkpoint=checkpoint, report=interrupt)
    assert checkpoint.exists()
    resumed = train(configs, checkpoint=checkpoint)
    assert checkpoint.exists()  # it goes when the result is safe
    for one, other in zip(reference, resumed, strict=True):
        assert torch.equal(one.flat, other.flat)
        assert (one.status, one.n_updates) == (other.status, other.n_updates)
        assert one.history.equals(other.history)
    assert len({network.n_updates for network in reference}) > 1  # some had left before the interrupt or after


def slow_config(**cue):
    """Modulators with a past, and a cue to which the given things happen."""
    config = small_config(n_updates=30, cue=CueConfig(**cue))
    return dataclasses.replace(config, network=dataclasses.replace(config.network, tau_excitability_ms=200.0))


def test_the_default_cue_is_the_trials_own_to_the_last_bit():
    learner = Learner([slow_config()], CPU)
    reference = Learner([slow_config()], CPU)
    for _ in range(3):
        learner.update()
        # one step by hand, with the cue as the trial gives it
        trials = reference.trials.draw(16, torch.arange(16) % 2)
        noise = reference.noise.draw(*trials.inputs.shape[1:3], reference.config.network)
        goal = Objective(trials.targets, trials.weights, trials.output_weights)
        loss = reference.model.measure_error(trials.inputs, trials.cue(), goal, noise=noise, lengths=trials.end_steps)
        gradients = torch.autograd.grad(loss.sum(), list(reference.model.parameters.values()))
        gradient = torch.cat([g.flatten(1) for g in gradients], dim=1)
        clip_gradient(gradient, 1.0)
        optimiser = reference.optimiser
        optimiser.move(reference.model.flat, gradient, optimiser.advance(1e-2))
    assert torch.equal(learner.model.flat, reference.model.flat)


@pytest.mark.parametrize("cue", [dict(switch_share=0.5), dict(carry_share=0.5), dict(noise_sigma=0.3)])
def test_everything_that_happens_to_a_cue_changes_training(cue):
    plain, changed = Learner([slow_config()], CPU), Learner([slow_config(**cue)], CPU)
    plain.update()
    changed.update()
    # modulation starts at zero, so that what the cue says reaches the loss from the second update on
    plain.update()
    changed.update()
    assert not torch.equal(plain.tensors()["losses"][1], changed.tensors()["losses"][1])
    assert not torch.equal(plain.model.flat, changed.model.flat)


@pytest.mark.parametrize("cue", [dict(), dict(switch_share=0.5, carry_share=0.5, noise_sigma=0.3)])
def test_a_checkpoint_between_evaluations_resumes_bit_for_bit(tmp_path, cue):
    config = slow_config(**cue)
    whole, first, second = (Learner([config], CPU) for _ in range(3))
    for _ in range(14):
        whole.update()
    for _ in range(7):
        first.update()
    write_sealed(tmp_path / "state", first.tensors(), first.document())
    second.restore(*read_sealed(tmp_path / "state"))
    for _ in range(7):
        second.update()
    assert whole.evaluate() == second.evaluate()
    assert torch.equal(whole.model.flat, second.model.flat)


def test_training_runs_outside_the_main_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(train([small_config()])))
    thread.start()
    thread.join(timeout=60)
    assert done[0][0].status == "exhausted"


def test_progress_is_reported_at_every_evaluation():
    seen: list[Progress] = []
    started = time.monotonic()
    train([small_config(n_updates=25)], report=seen.append)
    assert [p.n_updates for p in seen] == [10, 20, 25]
    assert seen[-1].n_active == 0
    assert all(0 <= p.worst_score <= 1 for p in seen)
    assert time.monotonic() > started
