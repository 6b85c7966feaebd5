"""Figure 3 on tables of scores whose K*, exponents, prices and verdicts are known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.fig3_packing import experiment as fig3_packing
from cemrnn.figures.fig3_packing.plot import plot
from cemrnn.figures.shared.rotations import SEPARATE
from cemrnn.measures.packing import blind_share
from cemrnn.tasks.scores import TOLERANCES
from tests.populations import packing_config
from tests.verdicts import judge_result

CONFIG = packing_config(
    arms=("plain", "excitability", "synaptic", "combined"),
    n_replicates=8,
    units=(8, 16, 32),
    task_counts=(1, 2, 4, 8, 16, 32, 64),
    criteria=(0.8, 0.85),
    equal_units=(16,),
    separate_pool=2,
    battery=("delay_pro", "delay_anti", "reaction_pro"),
    battery_arms=("excitability", "synaptic", "combined"),
    battery_units=(16,),
    battery_counts=(2, 3),
    added_units=16,
    added_to=(4, 16),
    added_updates=100,
)
PLANTED = {  # arm: octaves of tasks at 8 units, exponent
    "plain": (0.5, 0.0),
    "excitability": (1.25, 1.0),
    "synaptic": (2.5, 0.5),
    "combined": (3.75, 1.0),
    SEPARATE: (1.5, 0.25),
}
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of replicates; both halves keep their mean
BLIND = blind_share(64, TOLERANCES["last18"]["direction"])
TRAINED = {"excitability": 32, "synaptic": 2, "combined": 34}


def make_cells(arms, planted, spread, above_chance):
    """Scores that fall by .05 per octave, through .8 at the planted number of tasks."""
    rows = []
    for arm in arms:
        for match, n_units in [("parameters", n) for n in CONFIG.units] + [("units", n) for n in CONFIG.equal_units]:
            octaves = planted[arm][0] + planted[arm][1] * np.log2(n_units / 8) + spread * JITTER
            for n_tasks in CONFIG.task_counts:
                worst = np.clip(0.8 - 0.05 * (np.log2(n_tasks) - octaves), 0, 1)
                mean = (
                    BLIND + above_chance * JITTER
                    if arm == "plain"
                    else worst + 0.01 * n_units / 32 * np.log2(64 / n_tasks)
                )
                row = dict(arm=arm, match=match, n_units=n_units, n_tasks=n_tasks, own_units=n_units + 1, rank=2)
                row |= dict(n_parameters=100 * n_units + n_tasks)
                rows += [row | dict(network=m, worst=worst[m], mean=mean[m]) for m in range(8)]
    return pd.DataFrame(rows)


def make_battery(gains):
    """Scores of the worst of some tasks: what a subset brings, the same in every arm, and what an arm adds (M,)."""
    subset = np.random.default_rng(0).uniform(0.2, 0.5, (2, 8))
    rows = [
        dict(arm=arm, n_units=16, n_tasks=k, network=m, worst=subset[i, m] + gain[m], mean=0.9, tasks="a b")
        for arm, gain in gains.items()
        for i, k in enumerate(CONFIG.battery_counts)
        for m in range(8)
    ]
    return pd.DataFrame(rows)


def make_gains(combined, excitability, synaptic, spread=0.0):
    """What every arm adds (M,)."""
    means = dict(excitability=excitability, synaptic=synaptic, combined=combined)
    noise = dict(excitability=JITTER, synaptic=-JITTER, combined=JITTER[[2, 3, 0, 1, 6, 7, 4, 5]])
    return {arm: mean + spread * noise[arm] for arm, mean in means.items()}


def make_added():
    return pd.DataFrame(
        dict(arm=arm, n_tasks=k, network=m, reached=m < 6, n_trained=n, n_updates=5 * k if m < 6 else 100, score=0.9)
        for arm, n in TRAINED.items()
        for k in CONFIG.added_to
        for m in range(8)
    )


def run(monkeypatch, *, planted=PLANTED, spread=0.1, above_chance=0.0, gains=None):
    """The experiment on made-up scores; nothing is trained."""
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    gains = gains or {
        arm: np.full(8, gain) for arm, gain in (("excitability", 0.3), ("synaptic", 0), ("combined", 0.45))
    }
    made = {
        "score_rotations": lambda config: make_cells(config.arms, planted, spread, above_chance),
        "score_separate": lambda config: make_cells([SEPARATE], planted, spread, 0),
        "score_packed_battery": lambda config: make_battery(gains),
        "measure_added": lambda config: make_added(),
    }
    for name, function in made.items():
        owner = fig3_packing if name == "score_rotations" else fig3_packing.populations
        monkeypatch.setattr(owner, name, function)
    return fig3_packing.run(CONFIG)


@pytest.fixture
def result(monkeypatch):
    return run(monkeypatch)


def test_planted_numbers_of_tasks_come_back(result):
    packed = result.tables["packed"].set_index(["arm", "match", "n_units", "criterion"])
    assert len(packed) == 5 * 4 * 2
    for (arm, _, n_units, criterion), row in packed.iterrows():
        # a stricter criterion by .05 is met one octave earlier; the axis begins at one task
        octaves = PLANTED[arm][0] + PLANTED[arm][1] * np.log2(n_units / 8) - (criterion == 0.85) + 0.1 * JITTER
        assert row["octaves"] == pytest.approx(np.clip(octaves, 0, 6).mean(), abs=1e-9)
        assert row["kstar"] == (2 ** int(np.floor(np.median(octaves))) if np.median(octaves) >= 0 else 0)
        assert row["censored"] == (octaves < 0).sum()
        assert row["low"] <= row["octaves"] <= row["high"] and row["n"] == 8
        assert row["per_unit"] == pytest.approx(row["kstar"] / (n_units + 1))
        assert row["per_parameter"] == pytest.approx(row["kstar"] / (100 * n_units + max(row["kstar"], 1)))


def test_planted_exponents_and_octaves_are_the_scalars(result):
    scalars = result.scalars
    for arm, (octaves, exponent) in PLANTED.items():
        assert scalars[f"exponent_{arm}"] == pytest.approx(exponent, abs=1e-9)
        assert scalars[f"octaves_{arm}"] == pytest.approx(octaves + exponent * 1)  # mean of 0, 1 and 2 octaves of units
        assert scalars[f"octaves_{arm}_low"] < scalars[f"octaves_{arm}"] < scalars[f"octaves_{arm}_high"]
        assert scalars[f"kstar_{arm}"] == 2 ** int(octaves + 2 * exponent)  # at 32 units
    assert scalars["octaves_excitability_minus_synaptic"] == pytest.approx(2.25 - 3)
    assert scalars["octaves_combined_minus_best_single"] == pytest.approx(4.75 - 3)
    assert scalars["battery_excitability_minus_synaptic"] == pytest.approx(0.3)
    assert scalars["battery_combined_minus_best_single"] == pytest.approx(0.15)
    # replicates are paired, so that what their subsets have in common drops out
    assert scalars["battery_excitability_minus_synaptic_low"] == pytest.approx(0.3)
    assert scalars["plain_above_chance"] == pytest.approx(0)
    assert scalars["largest_budget_difference"] == 0


def test_interference_and_the_price_of_a_task_are_those_of_the_scores(result):
    lost = result.tables["interference"].set_index(["arm", "n_tasks"])["lost"]
    # at 32 units: the score falls by .05 and the mean's lead by .01 per octave, until the score is at its ceiling
    for arm in ("excitability", "synaptic"):
        assert lost[arm, 1] == 0
        assert lost[arm, 64] == pytest.approx(6 * 0.06, abs=1e-9)
        assert lost[arm, 8] == pytest.approx(3 * 0.06, abs=1e-9)
    added = result.tables["added"].set_index(["arm", "n_tasks"])
    assert added["updates"].to_dict() == {(arm, k): 5 * k for arm in TRAINED for k in (4, 16)}
    assert (added["reached"] == 0.75).all() and (added["n"] == 8).all()
    assert {arm: result.scalars[f"added_numbers_{arm}"] for arm in TRAINED} == TRAINED
    assert result.scalars["added_updates_combined"] == 80  # added to 16, the last


def test_a_network_that_packs_everything_is_flagged_and_stays_at_the_bound(monkeypatch):
    result = run(monkeypatch, planted=PLANTED | {"combined": (9.0, 0.0)})
    rows = result.tables["packed"].query("arm == 'combined' and criterion == 0.8")
    assert (rows["octaves"] == 6).all() and (rows["censored"] == 8).all() and (rows["kstar"] == 64).all()


ALIKE = {"excitability": (2.0, 1.0), "synaptic": (2.1, 1.0), "combined": (2.2, 1.0)}
HIDDEN = {arm: (9.0, 0.0) for arm in ALIKE}
ROTATIONS = ("packing-rotations-pathways-differ", "packing-rotations-synergy")
BATTERY = ("packing-battery-pathways-differ", "packing-battery-synergy")
CONTROL = ("packing-control-plain",)


@pytest.mark.parametrize(
    ("claims", "verdict", "made"),
    [
        (ROTATIONS, "supported", dict()),
        (ROTATIONS, "equivalent", dict(planted=PLANTED | ALIKE)),
        (ROTATIONS, "undecided", dict(planted=PLANTED | ALIKE, spread=1.2)),
        (ROTATIONS, "no evidence", dict(planted=PLANTED | HIDDEN)),
        (BATTERY, "supported", dict(gains=make_gains(0.5, 0.1, 0.3))),
        (BATTERY, "equivalent", dict(gains=make_gains(0.3, 0.28, 0.26))),
        (BATTERY, "undecided", dict(gains=make_gains(0.3, 0.25, 0.25, spread=0.2))),
        (BATTERY, "no evidence", dict(gains=make_gains(0.3, np.nan, 0.25))),
        (CONTROL, "supported", dict()),
        (CONTROL, "undecided", dict(above_chance=0.3)),
    ],
)
def test_known_scores_get_their_verdict(monkeypatch, tmp_path, claims, verdict, made):
    rows = judge_result(run(monkeypatch, **made), tmp_path).loc[list(claims)]
    assert rows["verdict"].to_list() == [verdict] * len(claims)
    if verdict in ("supported", "no evidence"):
        assert not (rows["halves_agree"] < 0.9).any()


def test_a_plain_network_above_chance_contradicts_the_control(monkeypatch, tmp_path):
    result = run(monkeypatch)
    cells = result.tables["cells"].copy()
    cells.loc[cells["arm"] == "plain", "mean"] += 0.2 + 0.01 * cells["network"]
    scalars = fig3_packing._scalars(result.tables | {"cells": cells}, [*CONFIG.arms, SEPARATE], CONFIG)
    assert scalars["plain_above_chance"] == pytest.approx(0.235)
    rows = judge_result(dataclasses.replace(result, scalars=scalars), tmp_path)
    assert rows.loc["packing-control-plain", "verdict"] == "opposite"


def panels_of(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.get_axes() if axes.get_title(loc="left")}


def test_the_figure_shows_the_tables(result):
    figure = plot(result)
    panels = panels_of(figure)
    assert set(panels) == set("abcdefg")
    packed = result.tables["packed"]
    for letter, criterion in (("b", 0.8), ("c", 0.85)):
        drawn = {line.get_label(): line.get_ydata() for line in panels[letter].get_lines()}
        for arm in PLANTED:
            rows = packed[(packed["arm"] == arm) & (packed["match"] == "parameters")]
            np.testing.assert_array_equal(drawn[arm], rows.loc[rows["criterion"] == criterion, "octaves"])
    maps = {axes.get_title(): axes for axes in figure.get_axes() if axes.get_images() and axes.get_title()}
    assert set(maps) == set(PLANTED)
    scores = result.tables["scores"].set_index(["arm", "match", "n_units", "n_tasks"])["worst"]
    cells = np.asarray(maps["synaptic"].get_images()[0].get_array())
    assert cells[2, 3] == scores["synaptic", "parameters", 32, 8]
    assert cells.shape == (3, 7)
