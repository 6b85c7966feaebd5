"""Figure 5 on outcomes, lesions and conflicts that were made up, with verdicts that are known."""

import dataclasses
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.fig5_synergy import experiment as fig5_synergy
from cemrnn.figures.fig5_synergy import maps as synergy_maps
from cemrnn.figures.fig5_synergy.experiment import DESIGN, OUTCOMES
from cemrnn.figures.fig5_synergy.pathways_apart import LESIONS
from cemrnn.figures.fig5_synergy.plot import plot
from cemrnn.figures.shared.ambiguity import Ideal
from cemrnn.figures.shared.conflict_groups import GROUPS
from cemrnn.figures.shared.conflict_tests import TESTS
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.drawn import panels_of
from tests.verdicts import judge_result

CONFIG = dataclasses.replace(
    make_config(Project(Path(__file__).parents[2]), "fig5_synergy", "smoke"), device="cpu", n_replicates=8
)
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of replicates; both halves keep their mean
# Means of mixture, noise and packing for both, excitability, synapses and neither.
SYNERGY = ((0.95, 0.95, 0.95), (0.2, 0.6, 0.2), (0.2, 0.2, 0.5), (0.0, 0.0, 0.1))
WORSE = ((0.2, 0.3, 0.2), (0.5, 0.6, 0.5), (0.4, 0.4, 0.4), (0.0, 0.0, 0.0))
ALIKE = ((0.45, 0.45, 0.45), (0.35, 0.36, 0.35), (0.35, 0.35, 0.36), (0.1, 0.1, 0.1))

# Maps of synergy: above 0, below it, both sides, still learning; of robustness: one cell of every kind.
CELLS = [("units", 4, 3), ("units", 8, 3), ("parameters", 4, 3), ("parameters", 8, 3)]
PACKED = pd.DataFrame(CELLS, columns=["match", "n_tasks", "n_units"]).assign(
    n_sites=4, value=[0.3, -0.2, 0.0, 0.1], low=[0.2, -0.3, -0.1, 0.05], high=[0.4, -0.1, 0.1, 0.2], n=8,
    counts=[True, True, True, False],
)  # fmt: skip
ROBUST = pd.DataFrame(
    {
        "group": group,
        "n_units": 24,
        "test": test,
        "value": 0.1 * i - 0.1,
        "low": 0.1 * i - 0.15,
        "high": 0.1 * i - 0.05,
        "n": 8,
    }
    for i, group in enumerate(GROUPS)
    for test in TESTS[1:]
)
OTHER = ROBUST[ROBUST["group"] == "parameters"].assign(n_units=48)


def make_outcomes(means, spread):
    rows = []
    for arm, of_arm in zip(DESIGN, means, strict=True):
        values = dict(zip(OUTCOMES, [*of_arm, np.mean(of_arm)], strict=True))
        rows += [
            dict(arm=arm, outcome=outcome, network=m, value=mean + spread * JITTER[m])
            for outcome, mean in values.items()
            for m in range(8)
        ]
    return pd.DataFrame(rows)


def make_lesions(accuracy, spread):
    return pd.DataFrame(
        dict(lesion=lesion, network=m, accuracy=mean + spread * JITTER[m] * (-1 if lesion == LESIONS[-1] else 1))
        for lesion, mean in zip(LESIONS, accuracy, strict=True)
        for m in range(8)
    )


def make_conflict(excitability, synapses, spread):
    table = pd.DataFrame({"network": np.arange(8), "excitability": excitability + spread * JITTER})
    table["synapses"] = synapses - spread * JITTER
    return table.assign(neither=1 - table["excitability"] - table["synapses"])


def run(monkeypatch, *, means=SYNERGY, units=None, lesions=(1.0, 0.9, 0.9, 0.2), conflict=(0.8, 0.1), spread=0.02):
    """The experiment on made-up outcomes, the same at equal units if no others are given; nothing is trained."""
    at_units = make_outcomes(units or means, spread)
    of_reading = {"parameters": make_outcomes(means, spread), "units": at_units[at_units["arm"] != "plain"]}
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    made = {
        "load_populations": lambda config: [SimpleNamespace(arm=arm) for arm in DESIGN],
        "measure_maps": lambda config: None,
        "load_at_equal_units": lambda config, combined: None,
        "share_packed": lambda maps, config, match: match,
        "_outcome_table": lambda populations, match, config, chance: of_reading[match],
        "score_pathway_lesions": lambda population, config, chance: make_lesions(lesions, spread),
        "score_conflict": lambda population, config: make_conflict(*conflict, spread),
        "map_packing": lambda rows, settled_rise: PACKED,
        "map_robustness": lambda sizes, chance: pd.concat([ROBUST, OTHER], ignore_index=True),
    }
    for name, function in made.items():
        monkeypatch.setattr(fig5_synergy, name, function)
    return fig5_synergy.run(CONFIG)


def test_configs_need_the_whole_design():
    with pytest.raises(ValueError, match="arms: expected the two by two design combined, .* got plain, combined"):
        dataclasses.replace(CONFIG, arms=("plain", "combined"))


def test_the_maps_are_trained_with_their_own_settings():
    maps, packing = CONFIG.maps, CONFIG.packing
    assert (maps.n_updates, maps.target_score) == (packing.n_updates, packing.target_score)
    assert (maps.units, maps.task_counts, maps.arms) == (packing.units, packing.task_counts, packing.arms)
    assert maps.n_replicates == packing.n_replicates != CONFIG.n_replicates
    conditions = fig5_synergy.conditions(CONFIG)
    battery = [n for arm in CONFIG.arms for n in CONFIG.training(arm)]
    assert conditions[: len(battery)] == battery
    assert set(conditions) >= {*maps.map_conditions(), *maps.site_conditions()}
    assert len(set(conditions)) == len(conditions)


def test_the_tested_populations_are_those_of_figure_2():
    tested = CONFIG.tested
    assert (tested.trained_sigma, tested.test_ms) == (CONFIG.robustness.trained_sigma, CONFIG.robustness.test_ms)
    assert (tested.n_replicates, tested.tasks, tested.pair_trials) == (8, CONFIG.tasks, CONFIG.pair_trials)
    noisy = [n for n in fig5_synergy.conditions(CONFIG) if n.cue.noise_sigma]
    assert {n.network.arm for n in noisy} == set(tested.compared_arms)


def test_networks_of_equal_units_have_as_many_units_and_the_combined_ones_are_the_same(monkeypatch):
    monkeypatch.setattr(fig5_synergy, "load_arm", lambda config, trainings: trainings)
    both = CONFIG.training("combined")
    found = fig5_synergy.load_at_equal_units(CONFIG, both)
    assert set(found) == {"combined", "excitability", "synaptic"} and found["combined"] is both
    for arm in ("excitability", "synaptic"):
        assert {(n.network.arm, n.network.n_units) for n in found[arm]} == {(arm, CONFIG.n_units)}
        assert not any(n.cue.noise_sigma for n in found[arm])
    assert CONFIG.training("excitability")[0].network.n_units > CONFIG.n_units  # the other reading


def test_outcomes_are_shares_of_their_scales_and_a_network_without_context_is_at_zero(monkeypatch):
    chance = np.array([0.2, 0.2])
    ideal = 0.5  # of these levels: 1 falls to .5 from 0 to 1
    config = dataclasses.replace(CONFIG, sigmas=(0.0, 1.0))
    monkeypatch.setattr(fig5_synergy, "measure_ideal", lambda config, chance: Ideal(np.empty(0), np.array([1.0, 0.5])))
    networks = pd.DataFrame({"auc": [0.5, np.nan], "sigma75": [ideal / 2, np.nan]})
    shares = dict.fromkeys(DESIGN, np.array([0.25, 0.75]))
    monkeypatch.setattr(fig5_synergy, "measure_ambiguity", lambda *_: SimpleNamespace(networks=lambda: networks))
    table = fig5_synergy._outcome_table(dict.fromkeys(DESIGN), shares, config, chance)
    value = table.set_index(["arm", "outcome", "network"])["value"].sort_index()
    assert len(value) == 4 * 4 * 2
    expected = {"mixture": (0.5, np.nan), "noise": (0.5, np.nan), "packing": (0.25, 0.75), "joint": (1.25 / 3, np.nan)}
    for outcome, values in expected.items():
        np.testing.assert_allclose(value["combined", outcome], values)
    np.testing.assert_allclose(value["plain", "mixture"], [0.5, 0])
    np.testing.assert_allclose(value["plain", "joint"], [1.25 / 3, 0.25])


@pytest.mark.parametrize("learning", [0, 1, 2])
def test_packing_is_the_share_of_the_bits_that_networks_hold_where_they_have_settled(monkeypatch, learning):
    """Half of the usual cells at chance and half perfect; other sites and equal units are perfect and do not count.

    In some of those at chance, combined networks are still learning.
    """

    def measure_cells(cells, maps):
        assert len(set(cells)) == len(cells)  # each is measured once
        usual = [cell for cell in cells if (cell.match, cell.n_sites) == ("parameters", maps.n_sites)]
        of_arm = {arm: [cell for cell in usual if cell.arm == arm] for arm in DESIGN}
        bad = {cell for of in of_arm.values() for cell in of[: len(of) // 2]}
        rises = dict.fromkeys([*of_arm["combined"][:2]][:learning], 1.0)
        rows = [
            dict(cell._asdict(), network=m, accuracy=0.25 if cell in bad else 1.0, rise=rises.get(cell, 0.0))
            for cell in cells
            for m in (0, 1)
        ]
        assert len(of_arm["combined"]) == 4
        return pd.DataFrame(rows)

    monkeypatch.setattr(fig5_synergy, "measure_cells", measure_cells)
    config = dataclasses.replace(CONFIG, arms=(*CONFIG.arms, "gain"))
    shares = fig5_synergy.share_packed(fig5_synergy.measure_maps(config), config, "parameters")
    assert np.isnan(shares.pop("gain")).all()  # it learns no maps
    assert set(shares) == set(DESIGN)
    for arm, share in shares.items():  # two networks learned maps; of side arms fewer learned the battery
        expected = [(1 / 2, 2 / 3, 1)[learning]] * 2 + [np.nan] * 6
        np.testing.assert_allclose(share, expected[: config.count_arm(arm)])
    assert config.count_arm("plain") == 1 < config.count_arm("combined") == 8
    at_units = fig5_synergy.share_packed(fig5_synergy.measure_maps(config), config, "units")
    assert all(np.nanmin(at_units[arm]) == 1 for arm in ("combined", "excitability", "synaptic"))


def test_where_most_networks_still_learn_packing_and_joint_are_no_evidence(monkeypatch):
    def measure_cells(cells, maps):
        return pd.DataFrame([dict(cell._asdict(), network=m, accuracy=1.0, rise=1.0) for cell in cells for m in (0, 1)])

    monkeypatch.setattr(fig5_synergy, "measure_cells", measure_cells)
    shares = fig5_synergy.share_packed(fig5_synergy.measure_maps(CONFIG), CONFIG, "parameters")
    assert all(len(share) == CONFIG.count_arm(arm) and np.isnan(share).all() for arm, share in shares.items())


def test_measures_are_those_of_the_means(monkeypatch):
    result = run(monkeypatch)
    synergy = result.tables["synergy"].set_index(["outcome", "measure"])
    assert len(synergy) == 4 * 4 + 3 == result.scalars["n_measures"]
    value = synergy["value"]
    for k, outcome in enumerate(OUTCOMES[:3]):
        both, e, s, neither = (means[k] for means in SYNERGY)
        assert value[outcome, "beyond_best"] == pytest.approx(both - max(e, s))
        assert value[outcome, "beyond_best_units"] == pytest.approx(both - max(e, s))
        assert value[outcome, "beyond_sum"] == pytest.approx(both - e - s + neither)
        assert value[outcome, "beyond_bliss"] == pytest.approx(both - 1 + (1 - e) * (1 - s))
    both, e, s, neither = (np.mean(means) for means in SYNERGY)
    assert result.scalars["joint_beyond_sum"] == pytest.approx(both - e - s + neither)
    assert result.scalars["lesion_excess"] == pytest.approx(0.8 - 0.1 - 0.1)
    assert result.scalars["conflict_preference"] == pytest.approx(0.7)
    # differences of .4 in noise and -.3 in packing, in standard deviations of a replicate
    assert result.scalars["complementarity"] == pytest.approx(0.3 / (0.02 * JITTER.std(ddof=1)))


def test_networks_without_context_limit_no_measure_that_does_not_use_them(monkeypatch):
    outcomes = make_outcomes(SYNERGY, 0.02)
    few = outcomes["value"].mask((outcomes["arm"] == "plain") & (outcomes["network"] >= 3))
    monkeypatch.setitem(globals(), "make_outcomes", lambda means, spread: outcomes.assign(value=few))
    scalars = run(monkeypatch).scalars
    counts = [scalars[f"joint_{measure}_n"] for measure in ("beyond_best", "beyond_bliss", "beyond_sum")]
    assert counts == [8, 8, 3]


def test_the_correction_counts_every_measure(monkeypatch):
    table = run(monkeypatch).tables["synergy"]
    assert (table["holm"] >= table["p"]).all() and (table["holm"] <= 1).all()
    assert table["holm"].min() == pytest.approx(min(1, 19 * table["p"].min()))
    alike = run(monkeypatch, means=ALIKE, lesions=(1, 0.5, 0.5, 0), conflict=(0.45, 0.45), spread=0.2)
    assert alike.scalars["n_beyond_holm"] == 0 < run(monkeypatch).scalars["n_beyond_holm"]


def test_a_measure_that_perfect_networks_would_not_exceed_is_not_asked_for(monkeypatch):
    """Single pathways at .8 and .7: 1 is below their sum, and .06 above Bliss independence; at .9 and .8 not even."""
    means = ((0.9, 0.9, 0.9), (0.8, 0.9, 0.2), (0.7, 0.8, 0.2), (0.0, 0.0, 0.0))
    result = run(monkeypatch, means=means)
    synergy = result.tables["synergy"].set_index(["outcome", "measure"])
    hidden = {("mixture", "beyond_sum"), ("noise", "beyond_sum"), ("noise", "beyond_bliss"), ("joint", "beyond_sum")}
    assert {where for where in synergy.index if np.isnan(synergy["value"][where])} == hidden
    assert result.scalars["n_measures"] == 19 - len(hidden)
    assert np.isnan(result.scalars["joint_beyond_sum"]) and np.isnan(result.scalars["joint_beyond_sum_holm"])


def test_the_other_reading_is_judged_by_its_own_outcomes(monkeypatch, tmp_path):
    result = run(monkeypatch, units=WORSE)
    rows = judge_result(result, tmp_path)
    assert rows.loc[["synergy-joint", "synergy-joint-units"], "verdict"].to_list() == ["supported", "opposite"]
    worse, better = (f"oth pathways together do {how} than the better one" for how in ("worse", "better"))
    assert result.scalars["title"] == f"B{worse} at equal units; at equal parameters b{better}"
    assert run(monkeypatch).scalars["title"] == f"B{better}, at equal units and at equal parameters"


NO_SYNERGY = dict(means=WORSE, lesions=(1.0, 0.3, 0.3, 0.2), conflict=(0.45, 0.44))
UNCLEAR = dict(means=ALIKE, lesions=(1.0, 0.5, 0.5, 0.0), conflict=(0.47, 0.43), spread=0.25)
NOTHING = dict(means=np.full((4, 3), np.nan), lesions=[np.nan] * 4, conflict=(np.nan, np.nan))


@pytest.mark.parametrize(
    ("made", "verdict"),
    [({}, "supported"), (NO_SYNERGY, "opposite"), (UNCLEAR, "undecided"), (NOTHING, "no evidence")],
)
def test_known_outcomes_get_their_verdict(monkeypatch, tmp_path, made, verdict):
    alike = "complementarity" if verdict == "undecided" else None  # narrow about zero as planted
    rows = judge_result(run(monkeypatch, **made), tmp_path)
    assert set(rows.index) == {"synergy-joint", "synergy-joint-units", "synergy-lesion", "complementarity"}
    assert rows["verdict"].to_dict() == dict.fromkeys(rows.index, verdict) | ({alike: "equivalent"} if alike else {})
    if verdict in ("supported", "no evidence"):
        assert not (rows["halves_agree"] < 0.9).any()


def test_the_figure_shows_the_tables(monkeypatch):
    result = run(monkeypatch, units=WORSE)
    panels = panels_of(plot(result)[""])
    assert set(panels) == set("abcde")
    lesions = result.tables["lesions"].set_index("lesion")["accuracy"]
    assert [bar.get_width() for bar in panels["d"].patches] == [lesions[lesion] for lesion in LESIONS]
    assert [label.get_text() for label in panels["d"].get_yticklabels()] == list(LESIONS)
    conflict = result.tables["conflict"].set_index("decides")["share"]
    shares = [bar.get_width() for bar in panels["e"].patches]
    assert shares == [conflict[name] for name in ("excitability", "synapses", "neither")]
    for name, fill, arms in (("outcomes", "full", DESIGN), ("outcomes_units", "none", DESIGN[1:3])):
        outcomes = result.tables[name].set_index(["arm", "outcome"])["value"]
        lines = [line for line in panels["a"].get_lines() if line.get_fillstyle() == fill]
        for line, arm in zip(lines, arms, strict=False):
            np.testing.assert_array_equal(line.get_ydata(), [outcomes[arm, outcome] for outcome in OUTCOMES])


def test_a_figure_without_comparable_networks_is_drawn_without_a_warning(monkeypatch):
    result = run(monkeypatch, **NOTHING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        panels = panels_of(plot(result)[""])
    assert panels["a"].get_ylim() == pytest.approx((-0.03, 1.03))


def test_maps_have_a_frame_where_the_interval_excludes_zero_and_are_hatched_where_networks_still_learn(monkeypatch):
    result = run(monkeypatch)
    panels = panels_of(plot(result)["b"])
    assert set(panels) == set("abcdef")
    frames = {k: sum(patch.get_linewidth() > 1 for patch in panels[k].patches) for k in panels}
    hatched = {k: sum(patch.get_hatch() is not None for patch in panels[k].patches) for k in panels}
    n = len(TESTS[1:])
    assert frames == {"a": 2, "b": 1, "c": 2 * n, "d": 0, "e": n, "f": n}
    sizes = {k: [label.get_text() for label in panels[k].get_xticklabels()] for k in "cdef"}
    assert sizes == {"c": ["24", "48"], "d": ["24"], "e": ["24"], "f": ["24"]}
    titles = [panels[k].get_title(loc="right").replace("\n", " ") for k in "cdef"]
    noisy = ["equal parameters, trained with noise", "equal units, trained with noise"]
    assert titles == ["equal parameters", "equal units", *noisy]
    assert hatched == dict.fromkeys(panels, 0) | {"b": 1}
    assert [text.get_text() for text in panels["a"].texts] == [".30", "−.20"]
    names = ("map_packing_cells", "map_packing_above", "map_packing_below", "map_packing_learning")
    assert [result.scalars[name] for name in names] == [3, 1, 1, 1]  # one cell does not count
    robust = [result.scalars[f"map_robustness_{name}"] for name in ("cells", "above", "below")]
    assert robust == [5 * n, 2 * n, 2 * n]
    of_trained = [result.scalars[f"map_trained_{name}"] for name in ("cells", "above", "below")]
    assert of_trained == [2 * n, 2 * n, 0]
    assert result.scalars["map_robustness_fewest"] == 8


def test_the_budget_is_told_of_the_size_at_which_it_is_missed_most(monkeypatch):
    result = run(monkeypatch)
    gaps = [tested.largest_gap for tested in result.config.sizes]
    assert result.scalars["largest_budget_difference"] == max(gaps) and len(gaps) > 1


def test_cells_without_networks_are_empty_and_have_a_dash(monkeypatch):
    result = run(monkeypatch)
    robust = result.tables["map_robustness"].copy()
    none = (robust["group"] == "units") & (robust["test"] == TESTS[1])
    robust.loc[none, ["value", "low", "high", "n"]] = np.nan, np.nan, np.nan, 0
    counts = synergy_maps.count_where(robust, "map")
    assert (counts["map_cells"], counts["map_empty"]) == (len(robust) - none.sum(), none.sum()) and none.any()
    shown = dataclasses.replace(result, tables=result.tables | {"map_robustness": robust})
    panels = panels_of(plot(shown)["b"])
    dashes = {k: [text.get_text() for text in panels[k].texts if text.get_visible()].count("–") for k in "cdef"}
    assert dashes == dict.fromkeys("cdef", 0) | {"d": none.sum()}
    few = robust[robust["group"] != "trained_units"]
    shown = dataclasses.replace(result, tables=result.tables | {"map_robustness": few})
    assert set(panels_of(plot(shown)["b"])) == set("abcde")


def test_the_map_of_packing_compares_with_the_better_pathway_cell_by_cell():
    level = {"combined": 0.8, "excitability": 0.5, "synaptic": 0.6}
    maps = CONFIG.maps
    rows = [
        cell._asdict()
        | dict(network=m, accuracy=level[cell.arm] + 0.01 * JITTER[m], rise=0.0)
        | ({"accuracy": 0.9 + 0.01 * JITTER[m]} if (cell.arm, cell.match) == ("combined", "units") else {})
        for cell in maps.main_cells() + maps.site_cells()
        if cell.arm in level
        for m in range(8)
    ]
    learning = "synaptic", maps.task_counts[0]  # one arm is enough for a cell not to count
    unsettled = [row | {"rise": 1.0} if (row["arm"], row["n_tasks"]) == learning else row for row in rows]
    table = synergy_maps.map_packing(pd.DataFrame(unsettled), maps.settled_rise)
    np.testing.assert_allclose(table["value"], table["match"].map({"units": 0.3, "parameters": 0.2}))
    assert (table["low"] > 0).all() and set(table["n_tasks"]) == set(maps.task_counts)
    np.testing.assert_array_equal(table["counts"], table["n_tasks"] != maps.task_counts[0])


def test_the_map_of_robustness_takes_the_combined_arm_at_equal_units_from_equal_parameters(monkeypatch):
    def measure_tests(key, population, config, chance):
        level = {"combined": 0.5, "excitability": 0.7, "synaptic": 0.6}[key.arm] - 0.3 * key.group.endswith("units")
        level -= 0.2 * (config.n_units == 12) * (key.arm == "combined")
        rows = [
            dict(group=key.group, arm=key.arm, test=test, network=m, accuracy=level + 0.01 * JITTER[m])
            for test in TESTS
            for m in range(8)
        ]
        return pd.DataFrame(rows)

    monkeypatch.setattr(synergy_maps, "measure_tests", measure_tests)
    monkeypatch.setattr(synergy_maps, "load_arm", lambda config, trainings: None)
    usual = dataclasses.replace(CONFIG.tested, train_at_units=False)
    table = synergy_maps.map_robustness([CONFIG.tested, synergy_maps.resize(usual, 12, 8)], np.zeros(2))
    n = len(TESTS[1:])  # a clean cue is no ambiguity
    assert table.groupby(["group", "n_units"]).size().to_dict() == {
        **{(group, 24): n for group in GROUPS},
        **{(group, 12): n for group in GROUPS if group != "trained_units"},
    }
    values = table.set_index(["group", "n_units"])["value"]
    expected = {"parameters": -0.2, "units": 0.1, "trained": -0.2, "trained_units": 0.1}
    for group, value in expected.items():
        np.testing.assert_allclose(values[group, 24], value)
        if group != "trained_units":
            np.testing.assert_allclose(values[group, 12], value - 0.2)


def test_other_sizes_in_the_map_have_as_many_units_per_component_and_are_trained():
    assert synergy_maps.resize(CONFIG.tested, 72, 3).rank == 3 * CONFIG.tested.rank
    small = synergy_maps.resize(CONFIG.tested, 12, 3)
    assert (small.network("combined").n_units, small.network("combined").rank) == (12, 2)
    populations = dict(small.populations())
    assert {key.arm for key in populations} == set(synergy_maps.COMPARED)
    assert {key.group for key in populations} == set(GROUPS)
    assert {key: len(networks) for key, networks in populations.items()} == {
        key: min(3, CONFIG.tested.count_networks(key)) for key in populations
    }
    assert {len(networks) for networks in dict(synergy_maps.resize(CONFIG.tested, 12, 1).populations()).values()} == {1}
    at_units = populations["units", "synaptic"][0]
    assert (at_units.network.n_units, at_units.network.rank) == (12, 2)
    assert populations["trained_units", "synaptic"][0].network == at_units.network
    needed = fig5_synergy.conditions(dataclasses.replace(CONFIG, map_units=(12,), map_replicates=3))
    assert set(needed) >= {network for networks in populations.values() for network in networks}
    with_own = dataclasses.replace(CONFIG, map_units=(12, 24))  # 24 is there anyway
    assert [size.n_units for size in with_own.sizes] == [24, 12]
