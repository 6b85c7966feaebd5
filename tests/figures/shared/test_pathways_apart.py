"""Lesions and conflict in combined networks made by hand, in which it is known what each pathway does.

Four units hold the stimulus as +cos, -cos, +sin, -sin. Two circuits read it. In the first, the gain of one of two
groups of units is on: one answers at the stimulus, the other opposite to it. In the second, synapses of strength +1 or
-1 lead from the stimulus to units of the answer. Told both contexts at half strength, either circuit says nothing.
"""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cemrnn.figures.fig5_synergy.pathways_apart import LESIONS, score_conflict, score_pathway_lesions
from cemrnn.figures.shared.ambiguity import AmbiguityConfig, draw_conflicts
from cemrnn.figures.shared.battery import Population
from cemrnn.measures.synergy import lesion_excess
from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN

CONFIG = AmbiguityConfig(
    arms=("combined",),
    tasks=("reaction_pro", "reaction_anti"),
    preset="fast",
    encoding="cosine",
    n_units=16,
    rank=2,
    activation="relu",
    n_replicates=3,
    seed=1,
    n_updates=1,
    batch_trials=1,
    learning_rate=0.01,
    target_score=0.9,
    passing_score=0.7,
    test_trials=10,
    lambdas=(0.0, 0.5, 1.0),
    sigmas=(0.0, 1.0),
    kappas=(0.0, 1.0),
    pair_trials=300,
    chance_trials=100,
    device="cpu",
)
CHANCE = np.array([0.2, 0.2])  # an answer at random is within 36 degrees of the right one
STIMULUS, PRO, ANTI, ANSWER = (slice(k, k + 4) for k in (0, 4, 8, 12))
# Chance of 300 trials per pair and two pairs, three standard errors of a share of .2, normalised by .8.
NEAR = 3 * np.sqrt(0.2 * 0.8 / 600) / 0.8


def make_population(excitability=1.0, synapses=1.0, scores=((0.9, 0.9),) * 3):
    """Three equal networks whose two circuits drive the answer with these strengths."""
    tasks = CONFIG.task_set
    sizes = dict(n_contexts=2, n_inputs=tasks.n_inputs, n_outputs=tasks.n_outputs)
    network = NetworkConfig(
        arm="combined", n_units=16, rank=2, dt_ms=tasks.dt_ms, tau_ms=tasks.tau_ms, sigma_rec=0.02, **sizes
    )
    model = CEMRNN(network, CONFIG.seeds)
    model.flat.zero_()
    p = {name: tensor.data for name, tensor in model.parameters.items()}
    signs = torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])  # (cos | sin, unit)
    for units in (STIMULUS, PRO, ANTI):
        p["input"][:, 1:3, units] = p["input"][:, 3:5, units] = signs  # either modality
    p["gain_modulation"][:, 0, ANTI] = p["gain_modulation"][:, 1, PRO] = -1  # off in the other context
    p["readout"][:, PRO, 1:] = excitability * signs.T
    p["readout"][:, ANTI, 1:] = -excitability * signs.T
    p["synaptic_in"][:, STIMULUS] = signs.T
    p["synaptic_out"][:, ANSWER] = signs.T
    p["strength_modulation"][:, 0], p["strength_modulation"][:, 1] = 1, -1
    p["readout"][:, ANSWER, 1:] = synapses * signs.T
    networks = [SimpleNamespace(status="exhausted")] * len(scores)
    return Population("combined", model, networks, np.array(scores))


def accuracy_after(population):
    """Mean over networks of the normalised accuracy after each lesion."""
    lesions = score_pathway_lesions(population, CONFIG, CHANCE)
    assert list(lesions) == ["lesion", "network", "accuracy"] and len(lesions) == 4 * 3
    return lesions.groupby("lesion")["accuracy"].mean()[list(LESIONS)].to_numpy()


@pytest.mark.parametrize(
    ("excitability", "synapses", "preference"), [(1.0, 0.0, 1), (0.0, 1.0, -1), (4.0, 1.0, 1), (1.0, 4.0, -1)]
)
def test_the_pathway_that_decides_is_found(excitability, synapses, preference):
    conflict = score_conflict(make_population(excitability, synapses), CONFIG)
    assert list(conflict["network"]) == [0, 1, 2]
    np.testing.assert_allclose(conflict["excitability"] - conflict["synapses"], preference, atol=0.02)
    np.testing.assert_allclose(conflict["neither"], 0, atol=0.02)


@pytest.mark.parametrize(
    ("excitability", "synapses", "expected"),
    [
        (1.0, 0.0, (1, 0, 1, 0)),  # excitability does it alone
        (0.0, 1.0, (1, 1, 0, 0)),  # synapses do it alone
        (1.0, 1.0, (1, 1, 1, 0)),  # either can stand in for the other
    ],
)
def test_lesions_hurt_where_the_answer_comes_from(excitability, synapses, expected):
    accuracy = accuracy_after(make_population(excitability, synapses))
    np.testing.assert_allclose(accuracy, expected, atol=NEAR)
    excess = lesion_excess(*accuracy)
    assert excess == pytest.approx(sum(expected[1:3]) - 1, abs=3 * NEAR)


def test_a_clamped_pathway_keeps_what_it_does_in_all_contexts():
    population = make_population(1.0, 0.0)
    p = population.model.parameters
    p["gain_modulation"].data[:, :, PRO] = -0.8  # a gain of .2 whatever the context; of -.6, were contexts added up
    p["readout"].data[:, ANTI] = 0
    np.testing.assert_allclose(accuracy_after(population), 1, atol=0.02)


def test_answers_with_the_right_cue_are_normalised_to_one():
    lesions = score_pathway_lesions(make_population(), CONFIG, CHANCE).set_index(["lesion", "network"])["accuracy"]
    np.testing.assert_allclose(lesions["intact"], 1, rtol=1e-6)


def test_a_network_that_did_not_pass_is_left_out():
    population = make_population(scores=((0.9, 0.9), (0.9, 0.5), (0.9, 0.9)))
    conflict, lesions = score_conflict(population, CONFIG), score_pathway_lesions(population, CONFIG, CHANCE)
    assert conflict["excitability"].isna().tolist() == conflict["neither"].isna().tolist() == [False, True, False]
    missing = lesions.set_index(["network", "lesion"])["accuracy"].isna().groupby("network").all()
    assert missing.tolist() == [False, True, False]
    assert lesions["accuracy"].isna().sum() == 4


def test_both_orders_of_a_pair_count_the_same():
    conflicts = draw_conflicts(dataclasses.replace(CONFIG, pair_trials=2), torch.device("cpu"))
    assert conflicts.pairs.tolist() == [[0, 1], [1, 0]]
    # a network that always does the first task, whatever it is told, prefers no pathway
    population = make_population(0.0, 1.0)
    population.model.parameters["strength_modulation"].data.fill_(1)
    conflict = score_conflict(population, CONFIG)
    np.testing.assert_allclose(conflict["excitability"] - conflict["synapses"], 0, atol=0.02)
    np.testing.assert_allclose(conflict["neither"], 0, atol=0.02)
