"""Figure 3 on made-up networks whose capacity, speed and verdicts are known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from cemrnn.figures.fig3_packing import experiment as fig3_packing
from cemrnn.figures.fig3_packing.plot import plot
from cemrnn.figures.shared.packing import SEPARATE, PackingCell
from cemrnn.figures.style import LOOKS
from cemrnn.measures.packing import bits_stored, kept_share, majority_share, predict_bits
from cemrnn.network.config import count_parameters
from cemrnn.tasks.maps import bits_per_map, permutation
from tests.drawn import panels_of
from tests.populations import packing_config
from tests.verdicts import judge_result

CONFIG = packing_config(
    arms=("excitability", "synaptic", "combined"),
    side_arms=("plain", "bias"),
    n_replicates=8,
    side_replicates=4,
    units=(4, 8),
    task_counts=(2, 8, 32),
    site_counts=(4, 8),
    separate_pool=2,
    battery=("delay_pro", "delay_anti", "reaction_pro"),
    battery_units=(8, 16),
    battery_count=2,
)
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of replicates; both halves keep their mean
SIGN = {"excitability": 1, "synaptic": -1, "combined": 1}
MAPS = np.array([permutation(k, 4) for k in range(32)])


def make_accuracy(bits, demand, n_sites):
    """Accuracies (M,) with which so many bits of those asked for are held."""
    grid = np.linspace(1 / n_sites, 1, 20001)
    return np.interp(bits / demand, kept_share(grid, n_sites), grid)


def make_networks(cells, density, *, settled, spread, above_chance):
    """Networks that hold as many bits per trained number as their arm's density, and no more than is asked."""
    parts = []
    for cell in cells:
        tasks = PackingCell(cell.arm, cell.match, cell.n_units, min(cell.n_tasks, 2), 4).tasks("fast")
        if cell.arm == SEPARATE or not cell.n_sites:
            continue
        tasks = cell.tasks("fast")
        n_parameters = count_parameters(CONFIG.network(cell.arm, cell.match, cell.n_units, tasks))
        demand = cell.n_tasks * bits_per_map(cell.n_sites)
        n = 4 if cell.arm in CONFIG.side_arms else 8
        jitter = spread * SIGN.get(cell.arm, 1) * JITTER[:n]
        if cell.arm in density:
            bits = predict_bits(demand, n_parameters * np.exp(jitter), density[cell.arm])
            accuracy = make_accuracy(bits, demand, cell.n_sites)
        else:
            accuracy = majority_share(MAPS) + above_chance + 0.01 * jitter
        row = {**cell._asdict(), "own_units": cell.n_units, "rank": 2, "n_parameters": n_parameters}
        row |= {"network": range(n), "accuracy": accuracy, "worst": accuracy / 2, "rise": 0.0 if settled(cell) else 1.0}
        row |= {"bits": bits_stored(accuracy, cell.n_tasks, cell.n_sites), "learned": accuracy > 0.9}
        row["updates"] = np.where(accuracy > 0.9, 10.0 * 2 ** (cell.arm == "synaptic"), 40.0)
        parts.append(pd.DataFrame(row))
    return pd.concat(parts, ignore_index=True)


def make_decisive(accuracies):
    """Rows of (n_units, n_tasks) -> accuracy of excitability, synaptic, combined."""
    rows = [
        dict(arm=arm, n_units=n_units, n_tasks=n_tasks, network=m, accuracy=accuracy + 0.001 * JITTER[m])
        for (n_units, n_tasks), of_arms in accuracies.items()
        for arm, accuracy in zip(CONFIG.arms, of_arms, strict=True)
        for m in range(8)
    ]
    return pd.DataFrame(rows)


def test_cells_in_which_every_arm_reaches_its_target_are_told_from_others():
    planted = {(4, 2): (0.95, 0.96, 0.97), (4, 8): (0.7, 0.6, 0.8), (8, 8): (0.95, 0.85, 0.95)}
    found = fig3_packing._below_ceiling(make_decisive(planted), "units", 0.9)
    assert found["n_ceiling_units"] == 1
    assert found["below_units_excitability_minus_synaptic"] == pytest.approx(0.1)
    assert found["below_units_combined_minus_best_single"] == pytest.approx(0.05)
    full = fig3_packing._below_ceiling(make_decisive({(4, 2): (0.95, 0.96, 0.97)}), "units", 0.9)
    assert full["n_ceiling_units"] == 1 and np.isnan(full["below_units_excitability_minus_synaptic"])
    none = fig3_packing._below_ceiling(make_decisive(planted)[:0], "units", 0.9)
    assert none["n_ceiling_units"] == 0


def make_separate():
    parts = [
        pd.DataFrame({**cell._asdict(), "own_units": 8, "rank": 0, "n_parameters": 90, "network": range(8)})
        for cell in CONFIG.separate_cells()
    ]
    return pd.concat(parts, ignore_index=True).assign(accuracy=0.6, worst=0.4, bits=5.0, rise=0.0)


def make_battery(gains):
    """The worst task scores a tenth more in networks that are twice as large."""
    rows = [
        dict(
            arm=arm,
            match=match,
            n_units=n,
            network=m,
            mean=0.9,
            n_parameters=9,
            worst=0.4 + gain + 0.1 * np.log2(n / CONFIG.battery_units[0]) + 0.01 * JITTER[m],
        )
        for arm, gain in gains.items()
        for match in ("units", "parameters")
        for n in CONFIG.battery_units
        for m in range(8)
    ]
    return pd.DataFrame(rows).assign(tasks="a b")


def make_added():
    prices = {"excitability": 16, "synaptic": 4, "combined": 20}
    return pd.DataFrame(
        dict(arm=arm, network=m, n_trained=price, score=0.5 + price / 100 + 0.01 * JITTER[m], n_updates=100 - price)
        for arm, price in prices.items()
        for m in range(8)
    )


ALIKE = dict.fromkeys(CONFIG.arms, 0.5)
GAINS = {"excitability": 0.3, "synaptic": 0.0, "combined": 0.4}


def run(monkeypatch, *, density=ALIKE, settled=lambda cell: True, spread=0.02, above_chance=0.0, gains=GAINS):
    """The experiment on made-up networks; nothing is trained."""
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    made = dict(settled=settled, spread=spread, above_chance=above_chance)
    monkeypatch.setattr(fig3_packing, "measure_cells", lambda cells, config: make_networks(cells, density, **made))
    monkeypatch.setattr(fig3_packing.populations, "measure_separate", lambda config: make_separate())
    monkeypatch.setattr(fig3_packing.populations, "measure_battery", lambda config: make_battery(gains))
    monkeypatch.setattr(fig3_packing.populations, "measure_added", lambda config: make_added())
    return fig3_packing.run(CONFIG)


@pytest.fixture
def result(monkeypatch):
    return run(monkeypatch)


@pytest.mark.parametrize("planted", [0.05, 0.15])
def test_a_planted_number_of_bits_per_parameter_is_found_and_explains_the_others(monkeypatch, planted):
    result = run(monkeypatch, density=dict.fromkeys(CONFIG.arms, planted))
    scalars = result.scalars
    assert scalars["law_bits"] == pytest.approx(planted, rel=0.01)
    assert f"{planted:.2f}, fitted" in [text.get_text() for text in panels_of(plot(result))["c"].texts]
    assert scalars["law_explained"] > 0.99
    assert scalars["most_bits_per_parameter"] == pytest.approx(planted * np.exp(0.02 * 1.3), rel=0.01)
    shared = {
        "excitability": 64 + 9 * 8 + 3,
        "synaptic": 64 + 9 * 8 + 3 + 2 * 8 * 2,
        "combined": 64 + 9 * 8 + 3 + 2 * 8 * 2,
    }
    brought = {"excitability": 16, "synaptic": 2, "combined": 18}  # numbers of a context
    for arm, n_shared in shared.items():
        lacking = bits_per_map(4) * kept_share(CONFIG.criterion, 4) - scalars["law_bits"] * brought[arm]
        kstar = scalars["law_bits"] * n_shared / lacking if lacking > 0 else np.nan
        assert scalars[f"law_kstar_{arm}"] == pytest.approx(kstar, nan_ok=True)


def test_bits_that_differ_between_arms_are_not_explained(monkeypatch):
    scalars = run(monkeypatch, density={"excitability": 0.3, "synaptic": 0.3, "combined": 0.02}).scalars
    assert scalars["law_explained"] < 0.7


def test_the_law_is_held_against_what_is_asked_for_and_counts_no_network_twice(monkeypatch):
    result = run(monkeypatch, density=dict.fromkeys(CONFIG.arms, 0.1))
    scalars, rows = result.scalars, result.tables["networks"]
    assert scalars["law_beyond_demand"] > 0.99 > scalars["demand_explained"]
    rows = rows[rows["arm"].isin(CONFIG.arms) & (rows["bits"] > 0) & (rows["n_sites"] > 0)]
    rows = rows[rows["match"] == "parameters"]  # made-up combined networks are the same at equal units
    error = np.log(rows["bits"] / (rows["n_tasks"] * rows["n_sites"].map(bits_per_map))) ** 2
    groups, log = rows["network"], np.log(rows["bits"])
    spread = (log - log.groupby(groups).transform("mean")) ** 2
    expected = 1 - error.groupby(groups).sum() / spread.groupby(groups).sum()
    assert scalars["demand_explained"] == pytest.approx(expected.mean())


def test_a_contrast_of_two_arms_needs_no_third_one_to_have_settled(monkeypatch):
    both = run(monkeypatch, settled=lambda cell: cell.arm != "combined").scalars
    full = run(monkeypatch).scalars
    assert (both["n_counted_units"], both["n_pair_units"]) == (0, 6)
    measure = "accuracy_units_excitability_minus_synaptic"
    assert both[measure] == full[measure] and np.isnan(both["accuracy_units_combined_minus_best_single"])
    few, many = (full[f"accuracy_units_{end}_excitability_minus_synaptic"] for end in ("fewest", "most"))
    assert few < full[measure] < many


def test_every_arm_size_reading_and_number_of_sites_has_its_predicted_number_of_maps(result):
    contexts, bits = result.tables["contexts"], result.scalars["law_bits"]
    sites = {CONFIG.n_sites, *CONFIG.site_counts}
    assert len(contexts) == len(CONFIG.arms) * 2 * len(CONFIG.units) * len(sites)
    needed = bits_stored(CONFIG.criterion, 1, contexts["n_sites"].iloc[0])  # of one map with answers at the criterion
    assert contexts["bits_at_criterion"].iloc[0] == pytest.approx(needed) and needed < contexts["bits_per_map"].iloc[0]
    lacking = contexts["bits_at_criterion"] - bits * contexts["n_per_context"]
    finite = lacking > 0
    np.testing.assert_allclose(contexts["kstar"][finite], (bits * contexts["n_shared"] / lacking)[finite])
    assert np.isinf(contexts["kstar"][~finite]).all()


def test_cells_that_are_still_learning_are_left_out_of_claims(monkeypatch):
    full = run(monkeypatch).scalars
    some = run(monkeypatch, settled=lambda cell: cell.n_tasks < 32 or cell.arm != "synaptic").scalars
    assert (full["n_counted_units"], full["n_cells_units"]) == (6, 6)
    assert (some["n_counted_units"], some["n_counted_parameters"]) == (4, 4)
    measure = "accuracy_units_excitability_minus_synaptic"
    assert some[measure] < full[measure]  # most of the difference was in the largest number of maps
    assert some["everywhere_units_synaptic"] == full["everywhere_units_synaptic"]
    none = run(monkeypatch, settled=lambda cell: False).scalars
    assert np.isnan(none[measure]) and none["n_counted_units"] == 0
    few = run(monkeypatch, settled=lambda cell: cell.n_tasks == 2).scalars  # a third of the cells
    assert few["n_counted_units"] == 2 and np.isnan(few[measure]) and "still learning" in few["title"]


def test_octaves_are_flagged_outside_the_grid(monkeypatch):
    found = run(monkeypatch, density=dict.fromkeys(CONFIG.arms, 100.0))
    packed = found.tables["packed"]
    rows = packed[packed["arm"] == "combined"]
    assert (rows["above"] == 8).all() and (rows["octaves"] == 5).all()
    separate = packed[packed["arm"] == SEPARATE]
    assert (separate["below"] == 8).all() and (separate["octaves"] == 1).all()
    assert {found.scalars[f"kstar_units_{arm}"] for arm in CONFIG.arms} == {2**5}


MAPS_UNITS = ["packing-maps-pathways", "packing-maps-synergy"]
CLAIMS = {  # what is made up -> verdicts
    "sparse synapses": (
        dict(density={"excitability": 0.08, "synaptic": 0.04, "combined": 0.4}),
        dict.fromkeys([*MAPS_UNITS, "packing-maps-synergy-parameters"], "supported")
        | {"packing-maps-pathways-parameters": "opposite", "packing-speed-pathways": "no evidence"},
    ),
    "all alike": (
        dict(density=dict.fromkeys(CONFIG.arms, 50.0)),
        dict.fromkeys([*MAPS_UNITS, "packing-maps-synergy-parameters"], "equivalent")
        | {"packing-maps-pathways-parameters": "supported", "packing-speed-pathways": "supported"}
        | {"packing-law": "no evidence"},  # no network is full
    ),
    "combined worst": (
        dict(density={"excitability": 0.1, "synaptic": 1.0, "combined": 0.02}),
        dict.fromkeys([*MAPS_UNITS, "packing-maps-synergy-parameters"], "opposite"),
    ),
    "still learning": (
        dict(settled=lambda cell: False),
        dict.fromkeys([*MAPS_UNITS, "packing-maps-pathways-parameters", "packing-law"], "no evidence"),
    ),
    "battery and law": (
        dict(density=dict.fromkeys(CONFIG.arms, 0.1)),
        {"packing-battery-pathways": "supported", "packing-law": "supported"},
    ),
    "battery alike": (
        dict(gains=dict.fromkeys(GAINS, 0.2)),
        {"packing-battery-pathways": "equivalent", "packing-control-plain": "supported"},
    ),
    "fewer units": (
        dict(gains={"excitability": 0.48, "synaptic": 0.43, "combined": 0.4}),
        {"packing-battery-size": "supported"},  # half an octave
    ),
    "more units": (
        dict(gains={"excitability": 0.43, "synaptic": 0.48, "combined": 0.4}),
        {"packing-battery-size": "opposite"},
    ),
    "never learned": (dict(gains=dict.fromkeys(GAINS, 0.1)), {"packing-battery-size": "no evidence"}),
    "plain knows": (dict(above_chance=0.3), {"packing-control-plain": "opposite"}),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_known_networks_get_their_verdict(monkeypatch, tmp_path, name):
    made, verdicts = CLAIMS[name]
    rows = judge_result(run(monkeypatch, **made), tmp_path)
    assert rows.loc[list(verdicts), "verdict"].to_dict() == verdicts


def test_sizes_that_are_needed_are_read_between_those_that_were_tested(monkeypatch):
    scalars = run(monkeypatch, gains={"excitability": 0.48, "synaptic": 0.43, "combined": 0.45}).scalars
    first = CONFIG.battery_units[0]
    for arm, octaves in (("excitability", 0.2), ("synaptic", 0.7), ("combined", 0.5)):
        assert scalars[f"size_units_{arm}"] == pytest.approx(first * 2**octaves, rel=0.01)


def test_the_figure_shows_the_tables_and_hollow_marks_are_still_learning(monkeypatch):
    result = run(monkeypatch, settled=lambda cell: cell.n_tasks < 32)
    panels = panels_of(plot(result))
    assert set(panels) == {*panels_of(plot(result), "b"), "e", "f"} == set("abcdef")
    asked = {
        line.get_ydata()[0]
        for line in panels["d"].get_lines()
        if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2
    }
    maps = result.tables["cells"].query("n_sites > 0 and arm in @CONFIG.arms")
    assert asked >= set(maps["n_tasks"] * maps["n_sites"].map(bits_per_map))
    cells = result.tables["cells"]
    shown = cells[(cells["match"] == "units") & (cells["n_sites"] == 4) & (cells["n_units"] == 4)]
    curves = [line for line in panels["a"].get_lines() if line.get_linestyle() == "-" and len(line.get_xdata()) == 3]
    for arm in (*CONFIG.arms, SEPARATE):
        values = shown[shown["arm"] == arm]["accuracy"].to_numpy()
        assert any(np.array_equal(line.get_ydata(), values) for line in curves)
    hollow = [line for line in panels["a"].get_lines() if line.get_markerfacecolor() == "white"]
    assert {tuple(line.get_xdata()) for line in hollow if len(line.get_xdata())} == {(32,)}
    assert len(panels["c"].get_lines()) >= 12  # arms, readings, and the two bounds
    dots = [points for points in panels["a"].collections if isinstance(points, PathCollection)]
    networks = result.tables["networks"].query("match == 'units' and n_sites == @CONFIG.n_sites")
    assert len(dots) == len(CONFIG.arms) + 1
    arms = networks["arm"].isin([*CONFIG.arms, SEPARATE])
    assert sum(len(points.get_offsets()) for points in dots) == arms.sum() > 0


def test_the_predicted_numbers_of_maps_are_drawn_beside_the_measured_ones(monkeypatch):
    result = run(monkeypatch)
    contexts, packed = result.tables["contexts"].copy(), result.tables["packed"].copy()
    contexts["kstar"] = np.where(contexts["n_sites"] == contexts["n_sites"].min(), np.inf, 3.0 * contexts["n_sites"])
    packed[["octaves", "low", "high", "n", "below", "above"]] = [2.0, 1.5, 2.5, 8, 0, 0]
    packed.loc[packed["arm"] == "combined", "above"] = 8
    packed.loc[packed["arm"] == "synaptic", "below"] = 8
    packed.loc[packed["arm"] == "excitability", "above"] = 4  # no more than half
    cells = result.tables["cells"].copy()
    cells["counts"] = ~((cells["arm"] == "synaptic") & (cells["n_tasks"] == 2))  # one cell is enough to be hollow
    changed = {"contexts": contexts, "packed": packed, "cells": cells}
    shown = dataclasses.replace(result, tables=result.tables | changed)
    panels = panels_of(plot(shown), "c")
    assert [panels[letter].get_title() for letter in "ab"] == ["equal units", "equal parameters"]
    sites = [int(label.get_text()) for label in panels["b"].get_xticklabels()]
    curves = [line.get_ydata() for line in panels["b"].get_lines() if line.get_marker() == "."]
    assert len(curves) == len(CONFIG.arms) * len(CONFIG.units)
    top = 3 * max(*CONFIG.task_counts, 3 * max(sites))
    for curve in curves:
        np.testing.assert_allclose(curve, [top, *(3.0 * n for n in sites[1:])])
    points = [line for line in panels["b"].get_lines() if len(line.get_xdata()) == 1]
    assert {point.get_ydata()[0] for point in points} == {4.0} and len(points) == len(curves)
    assert all(round(point.get_xdata()[0]) == sites.index(CONFIG.n_sites) for point in points)
    markers = {point.get_color(): point.get_marker() for point in points}
    own = LOOKS["excitability"].marker
    assert [markers[LOOKS[arm].colour] for arm in ("combined", "synaptic", "excitability")] == ["^", "v", own]
    hollow = {point.get_color() for point in points if point.get_markerfacecolor() == "white"}
    assert hollow == {LOOKS["synaptic"].colour}
