"""Measures of what modulators learned, against closed forms, brute force and controls."""

import itertools

import numpy as np
import pytest

from cemrnn.measures.sharing import (
    active_fraction,
    compare_modulations,
    concentrate,
    count_effective,
    follow_use,
    permute_relation,
    share_blocks,
)
from cemrnn.tasks import BATTERY, TaskSet


def random_similarity(rng, n_tasks):
    x = rng.standard_normal((n_tasks, n_tasks))
    return x + x.T


def test_blocks_are_shared_as_the_definitions_say():
    shared = share_blocks(TaskSet(names=BATTERY, preset="fast").tasks)
    at = {name: i for i, name in enumerate(BATTERY)}
    expected = {
        ("memory_pro", "memory_anti"): 5,  # all but the angle
        ("memory_pro", "delay_pro"): 5,  # all but the timing
        ("memory_pro", "delay_anti"): 4,
        ("decide_mod1_sequential", "decide_ctx1_sequential"): 5,  # all but the modalities shown
        ("decide_mod1_sequential", "decide_ctx2_sequential"): 4,
        ("decide_mod1_sequential", "decide_mod1_simultaneous"): 4,  # other timing and coherences
        ("match_location_go", "match_location_nogo"): 5,
        ("match_location_go", "reaction_pro"): 2,  # both modalities, and no go cue
        ("match_location_go", "decide_mod1_sequential"): 0,
    }
    for (first, second), n_blocks in expected.items():
        assert shared[at[first], at[second]] == pytest.approx(n_blocks / 6), (first, second)
    np.testing.assert_array_equal(shared, shared.T)
    np.testing.assert_array_equal(np.diag(shared), 1)


def test_what_all_tasks_share_is_no_similarity():
    rng = np.random.default_rng(0)
    modulation = rng.standard_normal((4, 7))
    cosines = compare_modulations(modulation)
    np.testing.assert_allclose(compare_modulations(modulation + rng.standard_normal(7)), cosines)
    x, y = modulation[[0, 2]] - modulation.mean(axis=0)
    assert cosines[0, 2] == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    assert np.isnan(compare_modulations(np.ones((3, 2)))).all()


def test_the_relation_is_tested_by_relabelling_whole_tasks():
    rng = np.random.default_rng(1)
    tasks, modulations = random_similarity(rng, 5), np.stack([random_similarity(rng, 5) for _ in range(3)])
    r, p = permute_relation(tasks, modulations, n_permutations=1000, rng=rng)
    upper = np.triu_indices(5, k=1)

    def correlate(order):
        relabelled = tasks[np.ix_(order, order)][upper]
        return np.mean([np.corrcoef(relabelled, m[upper])[0, 1] for m in modulations])

    assert r == pytest.approx(correlate(range(5)))
    null = [correlate(order) for order in itertools.permutations(range(5))]
    assert p == pytest.approx(np.mean(np.array(null) >= r - 1e-12))


def test_a_perfect_relation_is_found_and_none_is_not():
    rng = np.random.default_rng(2)
    tasks = random_similarity(rng, 7)
    assert permute_relation(tasks, 3 * tasks[None] + 1, n_permutations=199, rng=rng) == pytest.approx((1, 1 / 200))
    p = [permute_relation(tasks, random_similarity(rng, 7)[None], n_permutations=49, rng=rng)[1] for _ in range(100)]
    assert 0.4 < np.mean(p) < 0.6  # uniform: four standard errors are .12
    assert np.mean(np.array(p) <= 0.1) < 0.22


@pytest.mark.parametrize("n_tasks", [2, 4])
def test_an_undefined_relation_is_no_number(n_tasks):
    rng = np.random.default_rng(3)
    constant = np.ones((n_tasks, n_tasks))
    assert np.isnan(permute_relation(constant, random_similarity(rng, n_tasks)[None], n_permutations=9, rng=rng)).all()
    undefined = np.full((1, n_tasks, n_tasks), np.nan)
    assert np.isnan(permute_relation(random_similarity(rng, n_tasks), undefined, n_permutations=9, rng=rng)).all()


def test_concentration_has_its_closed_forms():
    assert concentrate(np.array([[0, 0.4, 0, 0]])) == pytest.approx(1)
    assert concentrate(np.full((3, 4), 0.2)) == pytest.approx(1 / 4)
    assert concentrate(np.array([[0.3, 0.3, -0.5, 0]])) == pytest.approx(1 / 2)  # a gain is no loss
    weighted = concentrate(np.array([[0.6, 0], [0.1, 0.1], [0, 0]]))  # 1 and 1 / 2 with weights .6 and .2
    assert weighted == pytest.approx((0.6 * 1 + 0.2 * 0.5) / 0.8)
    assert np.isnan(concentrate(np.array([[-0.1, 0.0]])))


def test_fractions_and_numbers_have_their_closed_forms():
    assert active_fraction(np.array([2.0, 2, 2, 0, 0, 0, 0, 0])) == pytest.approx(3 / 8)
    assert active_fraction(np.array([1.0, 2, 3])) == pytest.approx(active_fraction(np.array([10.0, 20, 30])))
    assert count_effective(np.array([5.0, 5, 0, 0])) == pytest.approx(2)
    assert np.isnan(active_fraction(np.zeros(3))) and np.isnan(count_effective(np.zeros(3)))


def test_gain_follows_use_within_units():
    variance = np.array([[1.0, 0.2, 0], [0.5, 0.4, 0], [0.0, 0.4, 0]])  # the last unit is not used
    use = np.array([[1, 0.5], [0.5, 1], [0, 1]])
    gain = np.column_stack([use + [3, -2], [9, -9, 9]])  # offsets of units do not count
    assert follow_use(gain, variance) == pytest.approx(1)
    assert follow_use(-gain, variance) == pytest.approx(-1)
    assert np.isnan(follow_use(np.ones((3, 3)), variance))
