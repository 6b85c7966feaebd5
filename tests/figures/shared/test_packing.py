"""Populations for packing: sizes, budgets, subsets, separate networks, and networks that get one more task."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.fig3_packing import populations
from cemrnn.figures.fig3_packing.populations import conditions
from cemrnn.figures.shared import rotations as packed
from cemrnn.figures.shared.rotations import BUDGET_TOLERANCE, SEPARATE, PackingCondition, RotationConfig
from cemrnn.network.config import count_context_parameters, count_parameters
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.store.store import Store
from tests.populations import packing_config

ROOT = Path(__file__).parents[3]
CONFIG = packing_config(
    arms=("plain", "excitability", "gating", "combined"),
    n_replicates=3,
    units=(8, 16),
    task_counts=(1, 4, 8),
    criteria=(0.8,),
    equal_units=(8,),
    separate_pool=3,
    battery=("delay_pro", "delay_anti", "reaction_pro", "reaction_anti"),
    battery_arms=("excitability", "combined"),
    battery_units=(8, 16),
    battery_counts=(2, 3),
    added_units=8,
    added_to=(4,),
    added_updates=10,
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMRNN_STORE", str(tmp_path))
    return Store.default()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(units=(8,)), r"units: expected 2 or more increasing levels, got \(8,\)"),
        (dict(units=(16, 8)), r"units: expected 2 or more increasing levels, got \(16, 8\)"),
        (dict(task_counts=(1, 4, 4)), r"task_counts: expected 2 or more increasing levels, got \(1, 4, 4\)"),
        (dict(task_counts=(2, 4)), r"task_counts: expected to begin with 1, got \(2, 4\)"),
        (dict(criteria=()), r"criteria: expected 1 or more increasing levels, got \(\)"),
        (dict(arms=("combind",)), "unknown arm 'combind'; did you mean 'combined'"),
        (dict(battery_arms=("gane",)), "unknown arm 'gane'; did you mean 'gain'"),
        (dict(equal_units=(8, 12)), r"equal_units: expected values among \(8, 16\), got \(8, 12\)"),
        (dict(added_units=12), r"added_units: expected values among \(8, 16\), got \(12,\)"),
        (dict(added_to=(2,)), r"added_to: expected values among \(1, 4, 8\), got \(2,\)"),
        (dict(battery_counts=(2, 5)), r"battery_counts: expected at most 4, got \(2, 5\)"),
    ],
)
def test_configs_refuse_what_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_all_arms_of_a_size_have_equal_parameters_and_are_what_the_cell_says(profile):
    config = make_config(Project(ROOT), "fig3_packing", profile)
    for cell in config.cells():
        tasks = config.rotations(cell.n_tasks)
        network = config.network(cell.arm, cell.match, cell.n_units, tasks)
        reference = config.network("combined", "parameters", cell.n_units, tasks)
        assert (network.arm, network.n_contexts) == (cell.arm, cell.n_tasks)
        assert (reference.n_units, reference.rank) == (
            cell.n_units,
            max(2, cell.n_units // config.units_per_component),
        )
        if cell.match == "parameters":
            assert abs(count_parameters(network) / count_parameters(reference) - 1) <= BUDGET_TOLERANCE == 0.1
        else:
            assert network.n_units == cell.n_units
            assert network.rank in (0, reference.rank)


def test_cells_are_every_arm_size_and_number_of_tasks_once():
    cells = CONFIG.cells()
    assert len(set(cells)) == len(cells) == 4 * (2 + 1) * 3
    assert {(c.match, c.n_units) for c in cells} == {("parameters", 8), ("parameters", 16), ("units", 8)}
    assert RotationConfig.cells(CONFIG) == [cell for cell in cells if cell.match == "parameters"]
    separate = CONFIG.separate_cells()
    assert {c.arm for c in separate} == {SEPARATE} and len(separate) == 3 * 3
    assert {c[1:] for c in separate} == {c[1:] for c in cells}


@pytest.mark.parametrize("n_units", [8, 16])
@pytest.mark.parametrize("n_tasks", [1, 4, 8])
def test_a_separate_network_is_the_one_nearest_to_its_share(n_units, n_tasks):
    tasks = CONFIG.rotations(n_tasks)
    n_combined, i, o, r = n_units, tasks.n_inputs, tasks.n_outputs, 2
    whole = n_combined**2 + (i + 1 + o) * n_combined + o + 2 * n_combined * n_tasks + 2 * n_combined * r + n_tasks * r
    brute = min(range(1, 100), key=lambda n: abs(n * n + (i + 1 + o) * n + o - whole / n_tasks))
    network = CONFIG.separate_network(PackingCondition(SEPARATE, "parameters", n_units, n_tasks))
    assert (network.arm, network.rank, network.n_contexts, network.n_units) == ("plain", 0, 1, brute)
    # a unit more or less is at most 2 N + 10 parameters, so that the nearest is off by at most half of it
    assert abs(count_parameters(network) - whole / n_tasks) <= (2 * brute + 2 + i + o + 1) / 2
    by_units = CONFIG.separate_network(PackingCondition(SEPARATE, "units", n_units, n_tasks))
    assert by_units.n_units == max(1, n_units // n_tasks)
    assert all(training.network == network and training.tasks.n_contexts == 1 for training in pool(n_units, n_tasks))


def pool(n_units, n_tasks):
    return CONFIG.separate(PackingCondition(SEPARATE, "parameters", n_units, n_tasks))


def test_a_pool_has_as_many_seeds_as_it_should():
    assert [training.seed for training in pool(8, 4)] == [4, 5, 6]


def test_subsets_are_the_same_in_every_arm_and_size_and_another_for_every_replicate():
    for n_tasks in CONFIG.battery_counts:
        by_arm = [
            [training.tasks for training in CONFIG.battery_cell(arm, n_units, n_tasks)]
            for arm in CONFIG.battery_arms
            for n_units in CONFIG.battery_units
        ]
        assert all(tasks == by_arm[0] for tasks in by_arm)
        for tasks in by_arm[0]:
            assert len(set(tasks.names)) == len(tasks.names) == n_tasks
            assert list(tasks.names) == [name for name in CONFIG.battery if name in tasks.names]  # in their order
    pairs = {CONFIG.subset(seed, 2).names for seed in range(200)}
    assert len(pairs) == 6  # every pair of four tasks
    assert CONFIG.subset(0, 2) == dataclasses.replace(CONFIG, seed=99).subset(0, 2)


def test_a_battery_is_trained_with_its_own_settings():
    for training in CONFIG.battery_cell("combined", 16, 3):
        assert (training.n_updates, training.learning_rate, training.score_rule) == (10, 0.02, "last36")
        assert training.network.n_contexts == 3
        budget = CONFIG.network("combined", "parameters", 16, training.tasks)
        assert count_parameters(training.network) == count_parameters(budget)


def test_one_more_task_lies_between_the_first_two_and_has_a_context_of_its_own():
    for training in CONFIG.added("combined", 4):
        assert training.tasks.names == (*training.start.tasks.names, "rotate_1_of_8")
        assert training.start in CONFIG.packed(PackingCondition("combined", "parameters", 8, 4))
        assert training.trained_tasks == ("rotate_1_of_8",)
        assert training.network.n_contexts == 5
    assert CONFIG.adding_arms() == ["excitability", "combined"]  # the others train nothing for a context


def test_every_network_of_the_figure_is_listed():
    listed = conditions(CONFIG)
    n_rotations, n_separate, n_battery, n_added = 4 * 3 * 3 * 3, 9 * 3, 2 * 2 * 2 * 3, 2 * 1 * 3
    assert len(listed) == n_rotations + n_separate + n_battery + n_added


def test_columns_are_selected_by_replicate_and_number_of_tasks():
    rows = [
        dict(arm=arm, match=match, n_units=n, n_tasks=k, network=m, worst=100 * n + 10 * m + k, mean=0)
        for arm, match, n in (("plain", "parameters", 8), ("plain", "units", 8), ("plain", "parameters", 16))
        for m in range(3)
        for k in (1, 4, 8)
    ]
    cells = pd.DataFrame(rows).sample(frac=1, random_state=0)
    cells.loc[cells["match"] == "units", "worst"] = -1
    selected = packed.select_scores(cells, "plain", "parameters", 16, "worst")
    np.testing.assert_array_equal(selected, 1600 + 10 * np.arange(3)[:, None] + [1, 4, 8])
    selected = packed.select_scores(cells, "plain", "parameters", 8, "worst")
    np.testing.assert_array_equal(selected, 800 + 10 * np.arange(3)[:, None] + [1, 4, 8])


def test_separate_networks_are_scored_by_the_worst_of_as_many_as_there_are_tasks(monkeypatch):
    pool_scores = np.array([[0.3], [0.9], [1.0]])
    monkeypatch.setattr(populations, "score", lambda trainings, config, rule: pool_scores)
    config = dataclasses.replace(CONFIG, n_replicates=500)
    scores = populations.score_separate(config)
    assert len(scores) == 9 * 500
    assert set(scores["arm"]) == {SEPARATE}
    np.testing.assert_allclose(scores["mean"], np.mean(pool_scores))
    assert set(scores["worst"]) <= set(pool_scores[:, 0])
    for n_tasks, part in scores[(scores["match"] == "parameters") & (scores["n_units"] == 16)].groupby("n_tasks"):
        bad = 1 - (2 / 3) ** n_tasks  # at least one of the K draws is the bad one
        assert (part["worst"] == 0.3).mean() == pytest.approx(bad, abs=3 * np.sqrt(bad * (1 - bad) / 500))
        network = CONFIG.separate_network(PackingCondition(SEPARATE, "parameters", 16, n_tasks))
        assert (part["own_units"] == n_tasks * network.n_units).all()
        assert (part["n_parameters"] == n_tasks * count_parameters(network)).all()


def test_separate_networks_that_are_trained_are_scored_on_their_own(store):
    config = dataclasses.replace(CONFIG, task_counts=(1, 4), equal_units=(8,), n_updates=5)
    scores = populations.score_separate(config)
    assert len(scores) == 3 * 2 * 3
    assert scores["worst"].between(0, 1).all()
    means = scores.groupby(["match", "n_units", "n_tasks"])["mean"].nunique()
    assert (means == 1).all()  # of the pool


@pytest.mark.parametrize(("target", "reached", "n_updates"), [(0.0, True, 5), (1.0, False, 10)])
def test_the_price_of_one_more_task_is_counted(store, target, reached, n_updates):
    config = dataclasses.replace(CONFIG, target_score=target, n_updates=5)
    added = populations.measure_added(config)
    assert list(added) == ["arm", "n_tasks", "network", "reached", "n_trained", "n_updates", "score"]
    assert added["arm"].tolist() == ["excitability"] * 3 + ["combined"] * 3
    assert added["network"].tolist() == [0, 1, 2] * 2
    assert (added["reached"] == reached).all()
    assert (added["n_updates"] == n_updates).all()  # looked at every five updates
    excitability = config.network("excitability", "parameters", 8, config.rotations(4))
    assert added["n_trained"].tolist() == [2 * excitability.n_units] * 3 + [2 * 8 + 2] * 3
    assert count_context_parameters(excitability) == 2 * excitability.n_units
    networks = [store.load(training) for training in config.added("combined", 4)]
    scores = [network.history["rotate_1_of_8"].iloc[-1] for network in networks]
    np.testing.assert_array_equal(added["score"].iloc[3:], scores)


def test_scores_of_rotations_have_a_row_per_replicate_with_the_networks_size(store):
    config = dataclasses.replace(CONFIG, arms=("plain", "combined"), n_updates=5, task_counts=(1, 4))
    scores = packed.score_rotations(config)
    assert len(scores) == 2 * 3 * 2 * 3
    row = scores[(scores["arm"] == "combined") & (scores["n_units"] == 16) & (scores["n_tasks"] == 4)].iloc[0]
    network = config.network("combined", "parameters", 16, config.rotations(4))
    assert (row["own_units"], row["rank"], row["n_parameters"]) == (16, 2, count_parameters(network))
    assert (scores["worst"] <= scores["mean"] + 1e-9).all()
    alone = scores[scores["n_tasks"] == 1]
    np.testing.assert_allclose(alone["worst"], alone["mean"])
    battery = populations.score_packed_battery(config)
    assert len(battery) == 2 * 2 * 2 * 3
    subsets = battery.groupby(["n_tasks", "network"])["tasks"].nunique()
    assert (subsets == 1).all()
