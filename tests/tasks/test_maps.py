"""Random maps: permutations that follow from their name, stimuli at the sites, answers by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from cemrnn.tasks import TaskSet, TrialStream
from cemrnn.tasks.maps import bits_per_map, permutation
from cemrnn.tasks.planning import conflict_pairs
from cemrnn.tasks.registry import find_task, register_task


def draw(n_tasks, n_sites, n_trials=4000):
    tasks = TaskSet.maps(n_tasks, n_sites, preset="fast")
    return tasks, TrialStream(tasks, [3], name="test").draw(n_trials)


def sites_of(direction_rad, n_sites):
    places = np.asarray(direction_rad) * n_sites / (2 * np.pi)
    np.testing.assert_allclose(places, np.rint(places), atol=1e-9)
    return np.rint(places).astype(int) % n_sites


@pytest.mark.parametrize("n_sites", [2, 4, 8, 32])
def test_answers_are_those_of_the_permutation(n_sites):
    tasks, trials = draw(3, n_sites)
    cosine, sine = (trials.inputs[0, :, :, [i, i + 2]].double().sum((1, 2)).numpy() for i in (1, 2))
    shown = np.rint(np.arctan2(sine, cosine) * n_sites / (2 * np.pi)).astype(int) % n_sites
    answered = sites_of(trials.response[0].numpy(), n_sites)
    for k in range(3):
        rows = (trials.task[0] == k).numpy()
        agree = permutation(k, n_sites)[shown[rows]] == answered[rows]
        assert agree.mean() > (0.999 if n_sites <= 8 else 0.9)  # read from noisy inputs of both modalities


def test_every_site_is_shown_as_often_as_another():
    _, trials = draw(1, 8)
    counts = np.bincount(sites_of(trials.response[0].numpy(), 8), minlength=8)
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("n_sites", [2, 5, 8, 32])
def test_maps_are_permutations_that_depend_on_their_name_alone(n_sites):
    maps = np.array([permutation(k, n_sites) for k in range(50)])
    assert (np.sort(maps, axis=1) == np.arange(n_sites)).all()
    np.testing.assert_array_equal(permutation(7, n_sites), maps[7])
    few, many = TaskSet.maps(2, n_sites, preset="fast"), TaskSet.maps(9, n_sites, preset="fast")
    assert few.tasks == many.tasks[:2]
    if n_sites > 2:
        means = maps.mean(axis=0)  # of independent permutations: no site is preferred
        assert np.abs(means - (n_sites - 1) / 2).max() < 4.5 * np.sqrt((n_sites**2 - 1) / 12 / 50)


@pytest.mark.parametrize("n_sites", [2, 3, 4, 8, 16, 32])
def test_the_bits_of_a_map_count_its_permutations(n_sites):
    assert bits_per_map(n_sites) == pytest.approx(math.log2(math.factorial(n_sites)), rel=1e-12)


@pytest.mark.parametrize("name", ["map_0_of_1", "map_3_of_33", "map_0_of_0"])
def test_sites_out_of_range_are_refused(name):
    with pytest.raises(ValueError, match="n_sites: expected 2 to 32, got"):
        find_task(name)


def test_the_names_of_maps_are_taken():
    with pytest.raises(ValueError, match="expected one that no task of the package has, got 'map_3_of_8'"):
        register_task("map_3_of_8", find_task("delay_pro"))


def test_maps_conflict_where_their_answers_are_far_apart():
    tasks = TaskSet.maps(4, 8, preset="fast")
    maps = np.array([permutation(k, 8) for k in range(4)])
    apart = np.abs((maps[:, None] - maps[None] + 4) % 8 - 4) >= 2  # two sites of eight are 90 degrees
    expected = [(i, j) for i in range(4) for j in range(4) if i != j and apart[i, j].any()]
    assert conflict_pairs(tasks) == expected


def test_maps_of_other_numbers_of_sites_can_share_a_network():
    tasks = TaskSet(names=("map_0_of_4", "map_0_of_8", "delay_pro"), preset="fast")
    trials = TrialStream(tasks, [1], name="test").draw(300)
    task, answers = trials.task[0].numpy(), trials.response[0].numpy()
    for k, n_sites in ((0, 4), (1, 8)):
        assert set(sites_of(answers[task == k], n_sites)) == set(range(n_sites))
    places = answers[task == 2] * 8 / (2 * np.pi)
    assert np.abs(places - np.rint(places)).max() > 0.1  # any direction, not a site
