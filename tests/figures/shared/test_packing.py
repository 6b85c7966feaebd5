"""Populations for packing: sizes, budgets, subsets, separate networks, and networks that get one more map."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.fig3_packing import populations
from cemrnn.figures.fig3_packing.populations import conditions
from cemrnn.figures.shared import packing
from cemrnn.figures.shared.frames import select
from cemrnn.figures.shared.packing import ROTATIONS, SEPARATE, PackingCell
from cemrnn.measures.packing import draw_separate, worst_of_halves
from cemrnn.network.config import count_context_parameters, count_parameters
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.store.store import Store
from cemrnn.training.learner import TrainedNetwork
from tests.populations import packing_config

ROOT = Path(__file__).parents[3]
CONFIG = packing_config(
    arms=("excitability", "synaptic", "combined"),
    side_arms=("plain", "gating"),
    n_replicates=3,
    side_replicates=2,
    units=(4, 8),
    task_counts=(2, 4, 8),
    site_counts=(4, 8),
    separate_pool=3,
    battery=("delay_pro", "delay_anti", "reaction_pro", "reaction_anti"),
    battery_units=(8, 16),
    battery_count=2,
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
        (dict(task_counts=(2, 4, 4)), r"task_counts: expected 2 or more increasing levels, got \(2, 4, 4\)"),
        (dict(arms=("combind",)), "unknown arm 'combind'; did you mean 'combined'"),
        (dict(side_arms=("gane",)), "unknown arm 'gane'; did you mean 'gain'"),
        (dict(side_arms=("synaptic", "plain")), "side_arms: expected none of arms, got synaptic"),
        (dict(n_sites=5), "n_sites: expected one of 4, 8, 16, 32, got 5"),
        (dict(site_counts=(4, 6)), "site_counts: expected one of 4, 8, 16, 32, got 6"),
        (dict(battery_count=5), "battery_count: expected at most 4, got 5"),
    ],
)
def test_configs_refuse_what_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_both_readings_of_a_size_are_what_the_cell_says(profile):
    config = make_config(Project(ROOT), "fig3_packing", profile)
    for cell in config.cells():
        tasks = cell.tasks(config.preset)
        network = config.network(cell.arm, cell.match, cell.n_units, tasks)
        reference = config.network("combined", "parameters", cell.n_units, tasks)
        rank = max(2, cell.n_units // config.units_per_component)
        assert (network.arm, network.n_contexts, tasks.n_contexts) == (cell.arm, cell.n_tasks, cell.n_tasks)
        assert (reference.n_units, reference.rank) == (cell.n_units, rank)
        if cell.match == "units":
            assert network.n_units == cell.n_units
            assert network.rank in (0, rank)
            continue
        # a unit or a component more or less would be further off
        name = "rank" if network.rank else "n_units"
        gap = abs(count_parameters(network) - count_parameters(reference))
        for other in (getattr(network, name) - 1, getattr(network, name) + 1):
            if other >= 1 and cell.arm != "combined":
                resized = dataclasses.replace(network, **{name: other})
                assert gap <= abs(count_parameters(resized) - count_parameters(reference))


def test_cells_are_every_arm_size_and_number_of_maps_once_and_side_arms_at_equal_parameters_alone():
    cells = CONFIG.cells()
    assert len(set(cells)) == len(cells) == 3 * 2 * 2 * 3 + 2 * 2 * 3
    assert {c.match for c in cells if c.arm in CONFIG.side_arms} == {"parameters"}
    assert {c.n_sites for c in cells} == {4}
    assert {c[1:4] for c in CONFIG.site_cells()} == {("units", 8, 4), ("parameters", 8, 4)}
    assert {c.n_sites for c in CONFIG.site_cells()} == {8}
    rotations = CONFIG.rotation_cells()
    assert {(c.match, c.n_units, c.n_sites) for c in rotations} == {("units", 8, ROTATIONS)}
    assert len(CONFIG.packed(rotations[0])) == 2 < len(CONFIG.packed(cells[0])) == 3
    assert {c[1:] for c in CONFIG.separate_cells()} == {c[1:] for c in CONFIG.main_cells()}


def test_each_task_is_seen_as_often_whatever_their_number_and_the_rate_falls_late():
    for cell in CONFIG.cells():
        for training in CONFIG.packed(cell):
            assert training.batch_trials == 2 * cell.n_tasks
            assert (training.schedule, training.score_rule) == ("late", "nearest4")
            assert training.evaluate_every == 1
    rotation = CONFIG.packed(CONFIG.rotation_cells()[0])[0]
    assert (rotation.score_rule, rotation.tasks.names[1]) == ("last18", "rotate_1_of_2")


@pytest.mark.parametrize("n_units", [4, 8])
@pytest.mark.parametrize("n_tasks", [2, 8])
def test_a_separate_network_is_the_one_nearest_to_its_share(n_units, n_tasks):
    tasks = PackingCell("combined", "units", n_units, n_tasks, 4).tasks("fast")
    i, o, r = tasks.n_inputs, tasks.n_outputs, 2
    whole = n_units**2 + (i + 1 + o) * n_units + o + 2 * n_units * n_tasks + 2 * n_units * r + n_tasks * r
    brute = min(range(1, 100), key=lambda n: abs(n * n + (i + 1 + o) * n + o - whole / n_tasks))
    network = CONFIG.separate_network(PackingCell(SEPARATE, "parameters", n_units, n_tasks, 4))
    assert (network.arm, network.rank, network.n_contexts, network.n_units) == ("plain", 0, 1, brute)
    by_units = CONFIG.separate_network(PackingCell(SEPARATE, "units", n_units, n_tasks, 4))
    assert by_units.n_units == max(1, n_units // n_tasks)
    pool = CONFIG.separate(PackingCell(SEPARATE, "parameters", n_units, n_tasks, 4))
    assert all(training.network == network and training.tasks.n_contexts == 1 for training in pool)
    assert [training.seed for training in pool] == [4, 5, 6]


def test_subsets_are_the_same_in_every_arm_and_size_and_another_for_every_replicate():
    by_arm = [[training.tasks for training in CONFIG.battery_networks(*cell)] for cell in CONFIG.battery_cells()]
    assert len(by_arm) == 3 * 2 * 2
    assert all(tasks == by_arm[0] for tasks in by_arm)
    for tasks in by_arm[0]:
        assert len(set(tasks.names)) == len(tasks.names) == 2
        assert list(tasks.names) == [name for name in CONFIG.battery if name in tasks.names]  # in their order
    pairs = {CONFIG.subset(seed).names for seed in range(200)}
    assert len(pairs) == 6  # every pair of four tasks
    assert CONFIG.subset(0) == dataclasses.replace(CONFIG, seed=99).subset(0)


def test_a_battery_is_trained_with_its_own_settings():
    for training in CONFIG.battery_networks("combined", "units", 16):
        assert (training.n_updates, training.learning_rate, training.score_rule) == (40, 0.02, "last36")
        assert (training.batch_trials, training.target_score) == (8, 0.9)
        assert training.network.n_units == 16


def test_one_more_map_follows_the_others_and_has_a_context_of_its_own():
    for training in CONFIG.added("combined"):
        assert training.tasks.names == (*training.start.tasks.names, "map_4_of_4")
        assert training.start in CONFIG.packed(PackingCell("combined", "units", 8, 4, 4))
        assert training.trained_tasks == ("map_4_of_4",)


def test_every_network_of_the_figure_is_listed_once():
    listed = conditions(CONFIG)
    assert len(set(listed)) == len(listed)
    needed = [training for cell in CONFIG.cells() for training in CONFIG.packed(cell)]
    needed += [training for cell in CONFIG.site_cells() for training in CONFIG.packed(cell)]
    needed += [training for cell in CONFIG.separate_cells() for training in CONFIG.separate(cell)]
    needed += [training for cell in CONFIG.battery_cells() for training in CONFIG.battery_networks(*cell)]
    needed += [training for arm in CONFIG.arms for training in CONFIG.added(arm)]
    needed += [training for cell in CONFIG.rotation_cells() for training in CONFIG.packed(cell)]
    assert set(listed) == set(needed)


def test_what_is_measured_of_a_cell_was_listed(monkeypatch):
    measured = []

    def remember(trainings, config, rule):
        measured.extend(trainings)
        networks = [make_network("exhausted", np.ones(40)) for _ in trainings]
        return np.ones((len(trainings), 2, trainings[0].tasks.n_contexts)), networks

    monkeypatch.setattr(packing, "answer", remember)
    monkeypatch.setattr(packing, "late_rise", lambda *_: 0.0)
    monkeypatch.setattr(packing, "updates_to", lambda *_: 1.0)
    packing.measure_cells(CONFIG.cells() + CONFIG.site_cells() + CONFIG.rotation_cells(), CONFIG)
    assert measured and set(measured) <= set(conditions(CONFIG))


def make_network(status, losses, scores=(0.5,)):
    looks = np.arange(1, len(losses) + 1)
    history = pd.DataFrame({"update": looks, "loss": losses, "a": np.resize(scores, len(losses)), "b": 1.0})
    return TrainedNetwork(flat=None, status=status, n_updates=len(losses), history=history)


def test_networks_that_reached_their_target_have_nothing_left_to_rise_to():
    losses, rising = np.full(40, 0.2), np.linspace(0, 1, 40)
    rise_of = functools.partial(packing.late_rise, n_updates=CONFIG.n_updates, tasks=("a", "b"))
    assert rise_of(make_network("reached", losses[:10], rising[:10])) == 0
    assert rise_of(make_network("exhausted", losses)) == 0
    assert rise_of(make_network("exhausted", losses, rising)) == pytest.approx(16 / 39 / 2)  # of one of two tasks
    assert np.isnan(rise_of(make_network("failed", losses)))


def test_a_criterion_is_reached_when_the_mean_over_tasks_is():
    network = make_network("exhausted", np.ones(4), scores=(0.2, 0.7, 0.9, 0.6))  # the other task is at 1
    assert packing.updates_to(network, 0.85, ("a", "b")) == 2
    assert packing.updates_to(network, 0.96, ("a", "b")) == np.inf


def make_rows(rising, accuracy=0.9):
    rows = [
        dict(arm=arm, match="units", n_units=n, n_tasks=2, n_sites=4, network=m, accuracy=accuracy)
        | dict(rise=np.nan if rise is None else 2 * m * rise / 4)
        for (arm, n), rise in rising.items()
        for m in range(5)
    ]
    return pd.DataFrame(rows)


def test_a_cell_counts_when_the_mean_of_its_networks_has_stopped_to_rise_in_all_arms():
    rows = make_rows({("synaptic", 4): 0.029, ("combined", 4): -0.1, ("synaptic", 8): 0.0, ("combined", 8): 0.031})
    counted = packing.count_cells(rows, 0.03)
    assert counted.set_index(["arm", "n_units"])["counts"].to_dict() == {
        ("synaptic", 4): True,
        ("combined", 4): True,
        ("synaptic", 8): True,
        ("combined", 8): False,
    }
    common = packing.common_cells(rows, ("synaptic", "combined"), counted)
    assert set(common["n_units"]) == {4} and len(common) == 10
    assert set(packing.common_cells(rows, ("synaptic",), counted)["n_units"]) == {4, 8}
    assert packing.common_cells(rows, ("synaptic", "excitability"), counted).empty  # one arm has no such cell
    assert not packing.count_cells(make_rows({("gain", 4): None}), 0.03)["counts"].any()  # all of them failed


def test_networks_of_low_accuracy_have_to_rise_by_less_to_have_settled():
    rising = {("synaptic", 4): 0.01, ("synaptic", 8): 0.02}
    counts = [packing.count_cells(make_rows(rising, level), 0.05)["counts"].tolist() for level in (0.9, 0.4, 0.3)]
    assert counts == [[True, True], [True, False], [False, False]]  # chance is .25
    rotations = make_rows(rising, 0.15).assign(n_sites=packing.ROTATIONS)
    assert packing.count_cells(rotations, 0.05)["counts"].tolist() == [True, False]


def test_cells_are_measured_with_a_row_for_every_replicate(store):
    cells = [cell for cell in CONFIG.cells() if cell.n_tasks == 2 and cell.n_units == 4]
    table = packing.measure_cells(cells, CONFIG)
    assert len(table) == 3 * 2 * 3 + 2 * 2
    assert table["accuracy"].between(0, 1).all() and table["worst"].between(0, 1).all()
    assert (table["bits"] <= 2 * np.log2(24) + 1e-9).all()
    row = table[(table["arm"] == "excitability") & (table["match"] == "parameters")].iloc[0]
    network = CONFIG.network("excitability", "parameters", 4, cells[0].tasks("fast"))
    assert (row["own_units"], row["n_parameters"]) == (network.n_units, count_parameters(network))
    assert (table["updates"] <= CONFIG.n_updates).all()


def test_the_largest_networks_at_equal_units_have_their_own_updates_and_no_others_have():
    cells = CONFIG.cells() + CONFIG.site_cells() + CONFIG.rotation_cells()
    longer = {cell for cell in cells if CONFIG.packed(cell)[0].n_updates == CONFIG.units_updates}
    largest = ("units", CONFIG.units[-1])
    assert longer == {cell for cell in CONFIG.main_cells() if (cell.match, cell.n_units) == largest}
    assert {CONFIG.packed(cell)[0].n_updates for cell in set(cells) - longer} == {CONFIG.n_updates}
    alike = dataclasses.replace(CONFIG, units_updates=CONFIG.n_updates)
    whole = [PackingCell("combined", match, CONFIG.units[-1], 2, CONFIG.n_sites) for match in packing.MATCHES]
    assert alike.packed(whole[0]) == alike.packed(whole[1])  # the combined arm is the reference of both readings


def test_separate_networks_subsets_and_one_more_map_are_measured(store):
    separate = populations.measure_separate(CONFIG)
    assert len(separate) == 2 * 2 * 3 * 3 and set(separate["arm"]) == {SEPARATE}
    cell = CONFIG.separate_cells()[0]
    right, _ = populations.answer(CONFIG.separate(cell), CONFIG, cell.rule)
    drawn = draw_separate(right[:, :, 0], cell.n_tasks, CONFIG.n_replicates, seed=CONFIG.seed)
    of_cell = select(separate, match=cell.match, n_units=cell.n_units, n_tasks=cell.n_tasks)
    np.testing.assert_allclose(of_cell["worst"], worst_of_halves(drawn))
    np.testing.assert_allclose(of_cell["accuracy"], drawn.mean(axis=(1, 2)), rtol=1e-6)
    battery = populations.measure_battery(CONFIG)
    assert len(battery) == 3 * 2 * 2 * 2
    assert (battery.groupby("network")["tasks"].nunique() == 1).all()
    added = populations.measure_added(CONFIG)
    assert list(added) == ["arm", "network", "n_trained", "score", "n_updates"]
    assert added.groupby("arm", sort=False)["n_trained"].first().to_dict() == {
        "excitability": 16,
        "synaptic": 2,
        "combined": 18,
    }
    trained = CONFIG.added("synaptic")[0].network
    assert count_context_parameters(trained) == 2
    networks = [store.load(training) for training in CONFIG.added("combined")]
    scores = [network.history["map_4_of_4"].iloc[-1] for network in networks]
    np.testing.assert_array_equal(added["score"].iloc[-3:], scores)
