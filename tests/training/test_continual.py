"""Networks that go on from others on new tasks alone, with and without a pull to where they came from."""

import dataclasses

import numpy as np
import pytest
import torch

from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS
from cemrnn.random import stream
from cemrnn.store.store import Store
from cemrnn.sweep.jobs import split_jobs
from cemrnn.sweep.run import train_missing
from cemrnn.tasks import TaskSet, TrialStream
from cemrnn.training import continual
from cemrnn.training.continual import Pull, measure_fisher
from cemrnn.training.learner import Learner
from cemrnn.training.recipe import list_starts
from cemrnn.training.train import TrainingInterrupted, train
from tests.networks import flats, small_config

CPU = torch.device("cpu")
SETTINGS = dict(n_units=8, n_updates=12, evaluate_every=4, evaluation_trials=10, fisher_trials=6)


def chain(n_stages, seed=0, *, arm="bias", strength=0.0, **changes):
    """A network that learns one map after the other; the recipe of every stage."""
    stages, start = [], None
    for k in range(n_stages):
        tasks, more = TaskSet.maps(k + 1, 4, preset="fast"), SETTINGS | changes
        more |= dict(goes_on=True, ewc_strength=strength, start=start) if k else {}
        start = small_config(seed, arm=arm, rank=ARMS[arm].rank_of(2), tasks=tasks, score_rule="nearest4", **more)
        stages.append(start)
    return stages


def open_second(stages):
    """Learner and trained starts of the second stage of some chains."""
    starts = train([first for first, *_ in stages])
    return Learner([second for _, second, *_ in stages], CPU, starts), starts


@pytest.mark.parametrize("arm", ["bias", "combined", "gating", "plain"])
def test_without_a_pull_it_is_plain_training_from_those_weights_on_the_new_task_alone(arm):
    learner, starts = open_second([chain(2, seed, arm=arm) for seed in (3, 4)])
    plain = Learner(
        [dataclasses.replace(chain(2, seed, arm=arm)[1], goes_on=False, start=None) for seed in (3, 4)], CPU
    )
    base = CEMRNN(chain(1, arm=arm)[0].network, [3, 4])
    base.load(flats(starts))
    plain.model.adopt(base)
    for other, values in base.fixed.items():
        assert torch.equal(plain.model.fixed[other][:, :1], values)  # gates do not change with more contexts
    draw = plain.trials.draw
    plain.trials.draw = lambda n_trials, task: draw(n_trials, torch.ones(n_trials, dtype=torch.int64))  # the new task
    for _ in range(12):
        learner.update()
        plain.update()
    assert torch.equal(learner.model.flat, plain.model.flat)
    recurrent = learner.model.parameters["recurrent"]
    assert (recurrent != base.parameters["recurrent"]).any()  # all of it is trained
    assert learner.config.trained_tasks == ("map_1_of_4",) == learner.config.score_names


def run_by_hand(p, config, inputs, context, n_steps):
    """Outputs (T, O) of one trial of one network with the arm excitability, step by step; 0 after its end."""
    rates, outputs = torch.zeros(config.n_units, dtype=torch.float64), []
    shift, gain = context @ p["bias_modulation"], 1 + context @ p["gain_modulation"]
    for t, u in enumerate(inputs):
        drive = gain * (rates @ p["recurrent"] + u @ p["input"]) + p["bias"] + shift
        rates = (1 - config.alpha) * rates + config.alpha * torch.relu(drive)
        out = rates @ p["readout"] + p["readout_bias"]
        outputs.append(out if t < n_steps else 0 * out)
    return torch.stack(outputs)


def fisher_by_hand(model, tasks, seed, n_tasks, trials_per_task):
    """(P,) of the first network, trial by trial, with autograd, from answers that are drawn from the named stream."""
    n = n_tasks * trials_per_task
    trials = TrialStream(tasks, [seed], name="fisher").draw(n, np.arange(n) % n_tasks)
    drawn = torch.from_numpy(stream(seed, "fisher", "answers").standard_normal(trials.targets.shape[1:]))
    tensors, total = {name: x[0].detach().clone().requires_grad_() for name, x in model.parameters.items()}, 0
    for b in range(n):
        inputs, context = trials.inputs[0, b].double(), trials.context[0, b].double()
        outputs = run_by_hand(tensors, model.config, inputs, context, int(trials.end_steps[0, b]))  # (T, O)
        share = (trials.weights[0, b][:, None] * trials.output_weights).double()
        share = share / share.sum()
        counts = share > 0
        answers = outputs.detach()[counts] + drawn[b][counts] / (2 * share[counts]).sqrt()
        loss = (share[counts] * (outputs[counts] - answers) ** 2).sum()
        gradients = torch.autograd.grad(loss, list(tensors.values()))
        total = total + torch.cat([g.flatten() for g in gradients]) ** 2 / trials_per_task
    return total


def cut(flat, model, name):
    """The part (M, ...) of (M, P) numbers that belongs to a tensor."""
    names = list(model.parameters)
    sizes = [x[0].numel() for x in model.parameters.values()]
    return flat.split(sizes, dim=1)[names.index(name)].unflatten(1, model.parameters[name].shape[1:])


def trained_model(n_updates=40, n_units=4):
    """A network in double precision, with modulation that is not zero, and its tasks."""
    config = small_config(2, n_units=n_units, n_updates=n_updates, sigma_rec=0.0)
    model = CEMRNN(config.network, [2], dtype=torch.float64)
    model.load(flats(train([config])).double())
    return model, config.tasks


def test_fisher_information_is_that_of_brute_force(monkeypatch):
    monkeypatch.setattr(continual, "CHUNK", 3)  # fewer than there are trials
    model, tasks = trained_model()
    found = measure_fisher(model, tasks, [2], n_tasks=2, trials_per_task=4)
    assert found.shape == model.flat.shape
    torch.testing.assert_close(found[0], fisher_by_hand(model, tasks, 2, 2, 4), rtol=1e-8, atol=1e-12)


def test_fisher_information_of_the_readout_bias_has_its_closed_form():
    model, tasks = trained_model()
    found = cut(measure_fisher(model, tasks, [2], n_tasks=1, trials_per_task=400), model, "readout_bias")
    of_outputs = TrialStream(tasks, [2], name="fisher").draw(1, [0]).output_weights.double()
    expected = 2 * of_outputs / of_outputs.sum()  # sum over steps and outputs of 2 w / W times the square of 1
    torch.testing.assert_close(found[0], expected, rtol=0.25, atol=0)  # a mean of 400 squares: 7 % of error


def test_fisher_information_is_summed_over_old_tasks_and_knows_nothing_of_new_ones():
    model, tasks = trained_model()
    counted = [measure_fisher(model, tasks, [2], n_tasks=n, trials_per_task=10) for n in (1, 2)]
    one, both = (cut(fisher, model, "bias_modulation")[0] for fisher in counted)
    assert (one[1] == 0).all() and (one[0] > 0).any() and (both[1] > 0).any()
    assert counted[1].sum() > 1.3 * counted[0].sum()


def test_the_pull_minimises_its_sum_with_the_step():
    generator = torch.Generator().manual_seed(0)
    anchor, stepped, scale, stiffness = torch.rand((4, 2, 5), generator=generator, dtype=torch.float64)
    flat = stepped.clone()
    Pull(anchor, stiffness).draw_back(flat, scale, 0.3)
    gradient = stiffness * (flat - anchor) + scale / 0.3 * (flat - stepped)  # of pull and distance to the step
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-12)


def test_a_huge_pull_freezes_what_the_old_tasks_need():
    moved = {}
    for strength in (0.0, 1.0, 1e8):
        learner, _ = open_second([chain(2, arm="excitability", strength=strength)])
        fisher = measure_fisher(learner.model, learner.config.tasks, [0], n_tasks=1, trials_per_task=6)
        before = learner.model.flat.clone()
        for _ in range(12):
            learner.update()
        moved[strength] = (learner.model.flat - before).abs()[fisher > 1e-4].mean().item()
    assert moved[1e8] < 1e-5 < moved[1.0] < moved[0.0]


def test_a_pulled_training_resumes_bit_for_bit_and_does_not_depend_on_its_neighbours(tmp_path):
    stages, path = (
        [chain(2, seed, strength=10.0, target_score=0.5) for seed in (0, 1, 2)],
        tmp_path / "state.checkpoint",
    )
    starts, configs = train([first for first, _ in stages]), [second for _, second in stages]
    through = train(configs, starts=starts)
    calls = iter([False] * 5 + [True])
    with pytest.raises(TrainingInterrupted):
        train(configs, starts=starts, checkpoint=path, stop=lambda: next(calls))
    resumed = train(configs, starts=starts, checkpoint=path)
    assert torch.equal(flats(through), flats(resumed))
    alone = train(configs[1:2], starts=starts[1:2])
    torch.testing.assert_close(alone[0].flat, through[1].flat, rtol=1e-5, atol=1e-6)


def test_a_sweep_trains_a_chain_from_its_beginning(tmp_path):
    stages = [chain(3, seed, strength=1.0) for seed in (0, 1)]
    first, second, third = zip(*stages, strict=True)
    assert list(list_starts(third[0])) == [second[0], first[0]]
    jobs = split_jobs([*third, *first, *second])
    assert [len(job.configs[0].tasks.names) for job in jobs] == [1, 2, 3]
    store = Store(tmp_path)
    assert train_missing(third, store) == 2
    networks = train(third, starts=train(second, starts=train(first)))
    for config, network in zip(third, networks, strict=True):
        assert torch.equal(store.load(config).flat, network.flat)
    assert train_missing([*first, *second, *third], store) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            dict(goes_on=False, start=None, ewc_strength=1.0),
            "ewc_strength: expected 0 for a network that does not go on",
        ),
        (dict(ewc_strength=-1.0), "ewc_strength: expected a number >= 0, got -1.0"),
        (dict(start=None), "goes_on: expected False for a network without a start"),
        (dict(fisher_trials=0), "fisher_trials: expected a positive number"),
        (dict(seed=5), "start: expected the seed 5, got 0"),
    ],
)
def test_what_cannot_go_on_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(chain(2)[1], **change)
