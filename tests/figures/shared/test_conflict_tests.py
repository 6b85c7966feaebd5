"""Disturbances of the cue, the observer and answers, on real conflict trials."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cemrnn.figures.shared import ambiguity, conflict_tests
from cemrnn.figures.shared.ambiguity import draw_conflicts, draw_cue_noise, measure_ideal
from cemrnn.figures.shared.battery import answer_fresh, estimate_chance
from cemrnn.figures.shared.conflict_groups import PopulationKey
from cemrnn.figures.shared.conflict_tests import TESTS, disturb
from cemrnn.network.model import CEMRNN
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.figures.test_fig2_ambiguity import CHANCE, CONFIG, PAIRS, ROOT, TASKS


@pytest.fixture(scope="module")
def conflicts():
    return draw_conflicts(dataclasses.replace(CONFIG, n_replicates=2, pair_trials=200), torch.device("cpu"))


def test_no_disturbance_changes_the_sum_of_the_cues(conflicts):
    config = dataclasses.replace(CONFIG, n_replicates=2, pair_trials=200)
    cues = disturb(conflicts, config)
    assert tuple(cues) == TESTS
    for name, cue in cues.items():
        total = cue.sum(-1)
        inside = total > 0.5  # steps after the end of a trial have no cue in noise of steps
        torch.testing.assert_close(total[inside], torch.ones_like(total[inside]), rtol=0, atol=1e-5), name
        assert inside.float().mean() > 0.5


def test_moving_cues_are_there_when_they_should_be(conflicts):
    config = dataclasses.replace(CONFIG, n_replicates=2, pair_trials=200, test_ms=120.0)
    cues, moment = disturb(conflicts, config), 3  # steps of 40 ms
    for name, before, after in (("brief", "own", "none"), ("late", "none", "own"), ("switch", "other", "own")):
        named = {"own": conflicts.own, "other": conflicts.other, "none": torch.full_like(conflicts.own, 1 / len(TASKS))}
        torch.testing.assert_close(cues[name][:, :, moment - 1], named[before])
        torch.testing.assert_close(cues[name][:, :, moment], named[after])


def test_the_observer_is_at_one_without_noise_and_no_policy_beats_it(conflicts):
    config = dataclasses.replace(CONFIG, n_replicates=2, pair_trials=200, sigmas=(0.0, 0.5, 1.0, 50.0))
    curve = measure_ideal(config, CHANCE).normalised
    assert curve[0] == pytest.approx(1) and (np.diff(curve) < 0).all()
    noise = draw_cue_noise(config, conflicts.own)
    n = len(conflicts.pairs) * 200 * 2
    for sigma in (0.5, 1.0):
        best = conflicts.ideal(sigma, noise).mean()
        named = (conflicts.own + sigma * noise).argmax(-1, keepdim=True)  # the most probable task of all, or of those
        masked = (conflicts.own + sigma * noise).masked_fill(~conflicts.possible, -torch.inf).argmax(-1, keepdim=True)
        for chosen in (named, masked):
            given = conflicts.trials.alternative.gather(2, chosen)[..., 0]
            right = torch.as_tensor(fig_matches(given, conflicts.trials.response)).float().mean().item()
            assert right <= best + 3 * 0.5 / np.sqrt(n)


def fig_matches(given, right):
    return ambiguity.matches(given.numpy(), right.numpy())


def test_tasks_of_one_family_cannot_be_told_apart_and_others_can(conflicts):
    groups = [{name.split("_")[0].replace("rotate", "delay") for name in np.array(TASKS)[row]} for row in
              conflicts.possible[: len(PAIRS)].numpy()]  # fmt: skip
    assert all(len(group) == 1 for group in groups)


def test_silences_and_answers_share_all_trials(conflicts):
    outputs = torch.zeros((2, conflicts.own.shape[1], conflicts.trials.inputs.shape[2], 3))
    outputs[..., 0] = 1.0  # fixation is kept throughout
    first, second = conflicts.answers(outputs)
    assert (first + second == 0).all() and (conflicts.silences(outputs) == 1).all()
    outputs[..., 0], outputs[..., 1] = 0.0, 1.0  # every answer is at angle 0
    assert (conflicts.silences(outputs) == 0).all()


def test_a_row_of_a_test_has_its_share_of_every_kind_of_answer_and_its_accuracy(monkeypatch):
    config = dataclasses.replace(CONFIG, n_replicates=2, pair_trials=2)
    shape, chance = (2, len(PAIRS), len(TESTS)), np.full(len(TASKS), 0.2)
    own = np.broadcast_to(np.linspace(0.9, 0.2, len(TESTS)), shape)  # from the clean test on
    known = own, np.full(shape, 0.05), np.full(shape, 0.02)
    monkeypatch.setattr(conflict_tests, "answer_shares", lambda model, conflicts, cues, config: known)
    scores = np.array([[1.0] * len(TASKS), [0.1] * len(TASKS)])  # the second network did not learn
    networks = [SimpleNamespace(status="reached")] * 2
    model = SimpleNamespace(flat=torch.zeros(1))
    population = ambiguity.Population("synaptic", model, networks, scores)
    table = conflict_tests.measure_tests(PopulationKey("parameters", "synaptic"), population, config, chance)
    first, second = (table[table["network"] == m].set_index("test") for m in (0, 1))
    assert list(first.index) == list(TESTS) and second["accuracy"].isna().all() and second["own"].isna().all()
    np.testing.assert_allclose(first["own"], own[0, 0])
    np.testing.assert_allclose(first["accuracy"], (own[0, 0] - 0.2) / 0.7)
    np.testing.assert_allclose(first[["other", "silent"]], [[0.05, 0.02]] * len(TESTS))
    np.testing.assert_allclose(first["astray"], 0.93 - own[0, 0])


def test_the_mean_of_fresh_answers_is_the_score():
    config = make_config(Project(ROOT), "fig2_ambiguity", "smoke")
    model = CEMRNN(config.network("combined"), config.seeds)
    right = answer_fresh(model, config.task_set, config.seeds, 12, "last36")
    assert right.shape == (2, 12, 4) and set(np.unique(right)) <= {0.0, 1.0}
    assert estimate_chance(config, 50).shape == (4,)


def test_a_network_of_figure_2_is_one_of_figure_1():
    keys = {training.digest() for _, of_key in CONFIG.populations() for training in of_key}
    assert {training.digest() for arm in CONFIG.arms for training in CONFIG.training(arm)} <= keys
