"""Figure 9: which work is compared, ratios and exponents of known times, where an arm stops paying, who runs last."""

import dataclasses
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures import load_experiment
from cemrnn.figures.fig9_overhead_scaling import cost as overhead
from cemrnn.figures.fig9_overhead_scaling import experiment as fig9_overhead_scaling
from cemrnn.figures.fig9_overhead_scaling.cost import (
    BASE,
    base_cells,
    choose_devices,
    measure_cells,
    measure_memory,
    scaling_cells,
)
from cemrnn.figures.fig9_overhead_scaling.experiment import take_ratios, take_slopes
from cemrnn.figures.fig9_overhead_scaling.worth import (
    Stop,
    compare_arms,
    describe_stop,
    find_stop,
    find_stops,
    fit_updates,
)
from cemrnn.network.config import count_parameters
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.system import machine

ROOT = Path(__file__).parents[2]
SMOKE, QUICK = (make_config(Project(ROOT), "fig9_overhead_scaling", name) for name in ("smoke", "quick"))
ARMS = ("plain", "bias", "combined")


def test_networks_are_those_of_figures_1_and_3():
    for profile, config in (("smoke", SMOKE), ("quick", QUICK)):
        others = [
            recipe
            for stem in ("fig1_tasks", "fig3_packing")
            for recipe in load_experiment(stem).conditions(make_config(Project(ROOT), stem, profile))
        ]
        assert set(fig9_overhead_scaling.conditions(config)) <= set(others)


def test_arms_are_compared_at_equal_units_and_at_equal_parameters():
    cells = base_cells(QUICK)
    units = {cell.work.network.n_units for cell in cells if cell.match == "units"}
    counts = [count_parameters(cell.work.network) for cell in cells if cell.match == "parameters"]
    assert units == {QUICK.n_units} and len(counts) == len(QUICK.arms)
    assert max(counts) / min(counts) < 1.04
    assert all(cell.work.network.sigma_rec == 0 for cell in cells)
    sizes = {(cell.work.n_networks, cell.work.n_trials, cell.work.n_steps) for cell in cells}
    assert sizes == {(QUICK.n_replicates, QUICK.batch_trials, QUICK.n_steps)}


def test_the_control_is_the_same_work_measured_apart():
    *others, again = base_cells(QUICK)
    plain = next(cell for cell in others if cell.arm == "plain")
    assert (again.arm, again.work) == ("plain", plain.work)
    assert again.key != plain.key


def test_one_size_is_varied_at_a_time_and_the_rank_grows_with_the_units():
    cells = scaling_cells(QUICK)
    assert {cell.varied for cell in cells} == {"n_units", "n_contexts", "n_steps"}
    spans = {"n_units": QUICK.scaling_units, "n_contexts": QUICK.scaling_contexts, "n_steps": QUICK.scaling_steps}
    base = {"n_units": QUICK.n_units, "n_contexts": len(QUICK.tasks), "n_steps": QUICK.n_steps}
    for cell in cells:
        network = cell.work.network
        got = {"n_units": network.n_units, "n_contexts": network.n_contexts, "n_steps": cell.work.n_steps}
        assert got == base | {cell.varied: cell.size}
        assert cell.work.n_networks * network.n_units == QUICK.units_together
        if network.rank:
            assert network.n_units / network.rank == QUICK.n_units / QUICK.rank
    for varied, span in spans.items():
        assert {cell.size for cell in cells if cell.varied == varied and cell.arm == "combined"} == set(span)


def test_times_are_per_network_and_steps_per_step(monkeypatch):
    cells = [cell for cell in base_cells(SMOKE) if cell.arm in ARMS]
    monkeypatch.setattr(overhead, "time_rounds", lambda turns, n_rounds, _: dict.fromkeys(turns, [6.0] * n_rounds))
    table = measure_cells(cells, 2, "cpu")
    assert len(table) == len(cells) * 2 * 2
    per_network = 6.0 / SMOKE.n_replicates
    assert table[table["quantity"] == "update"]["value"].unique() == pytest.approx([per_network])
    assert table[table["quantity"] == "step"]["value"].unique() == pytest.approx([per_network / SMOKE.n_steps])


@pytest.mark.skipif(not machine.STATUS.exists(), reason="only Linux tells the peak of a process")
def test_memory_holds_the_trials_and_grows_with_them():
    cell = next(cell for cell in base_cells(SMOKE) if cell.arm == "plain")
    works = [dataclasses.replace(cell.work, n_trials=n, n_steps=100) for n in (64, 256)]
    table = measure_memory([cell._replace(work=work, size=work.n_trials) for work in works], 1, "cpu")
    small, large = table["value"]
    numbers = 100 * (cell.work.network.n_inputs + cell.work.network.n_outputs)  # of a trial, in float32
    grown = (large - small) / (256 - 64)
    assert 4 * numbers * 0.9 < grown < 4 * numbers * 10


def test_a_gpu_is_measured_if_there_is_one_and_it_is_not_excluded(monkeypatch):
    anywhere = dataclasses.replace(SMOKE, device="auto")
    monkeypatch.setattr(overhead.torch.cuda, "is_available", lambda: False)
    assert choose_devices(anywhere) == ["cpu"]
    monkeypatch.setattr(overhead.torch.cuda, "is_available", lambda: True)
    assert choose_devices(anywhere) == ["cpu", "cuda"]
    assert choose_devices(dataclasses.replace(SMOKE, device="cpu")) == ["cpu"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(arms=("plain", "combined")), "arms: expected plain, bias, combined among them, got no bias"),
        (dict(scaling_steps=(10, 20)), "scaling_steps: expected three sizes or more, got .10, 20."),
    ],
)
def test_configs_refuse_what_cannot_be_compared(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMOKE, **change)


def make_rows(varied, values, **labels):
    """Rows of a measurement: values (round, size)."""
    return [
        {"varied": varied, "size": size, "round": i, "value": value, "device": "cpu", "again": 0} | labels
        for i, row in enumerate(values)
        for size, value in row.items()
    ]


def test_ratios_are_of_the_same_round_and_the_same_match():
    drift = [1.0, 5.0, 2.0]  # the machine slows down in the middle, for all
    rows = []
    for match, factor in (("units", 1.0), ("parameters", 1.5)):
        for arm, again, cost in (("plain", 0, 1.0), ("plain", 1, 1.1), ("combined", 0, 1.3)):
            values = [{64: cost * factor * d} for d in drift]
            rows += make_rows(BASE, values, match=match, arm=arm, quantity="update", again=again)
    base = pd.DataFrame(rows).sample(frac=1, random_state=0)
    for match in ("units", "parameters"):
        np.testing.assert_allclose(take_ratios(base, "update", match, "combined"), [1.3] * 3)
        np.testing.assert_allclose(take_ratios(base, "update", match, "plain"), [1.0] * 3)
        np.testing.assert_allclose(take_ratios(base, "update", match, "plain", again=1), [1.1] * 3)


def test_slopes_are_the_exponents_of_every_round():
    rows = []
    for arm, exponents in (("plain", (1.0, 1.5)), ("combined", (2.0, 0.5))):
        values = [{n: 1e-3 * n**e for n in (32, 64, 256)} for e in exponents]
        rows += make_rows("n_units", values, arm=arm, quantity="update")
        rows += make_rows("n_steps", [{n: 1.0 for n in (1, 2, 3)}] * 2, arm=arm, quantity="update")
    scaling = pd.DataFrame(rows).sample(frac=1, random_state=0)
    np.testing.assert_allclose(take_slopes(scaling, "update", "n_units", "plain"), [1.0, 1.5])
    np.testing.assert_allclose(take_slopes(scaling, "update", "n_units", "combined"), [2.0, 0.5])
    np.testing.assert_allclose(take_slopes(scaling, "update", "n_steps", "combined"), [0.0, 0.0], atol=1e-12)


def test_everybody_has_the_time_of_the_fastest():
    assert fit_updates({"plain": 2.0, "combined": 3.0}, 300) == {"plain": 300.0, "combined": 200.0}


def make_grid():
    """Combined is .2 above bias at 8 units and level at 16; plain scores nothing."""
    rows = []
    for n_units, more in ((8, 0.2), (16, 0.0)):
        for n_tasks in (4, 16):
            for arm, score in (("plain", 0.0), ("bias", 0.5), ("combined", 0.5 + more)):
                for m, noise in enumerate((-0.01, 0.0, 0.01)):
                    labels = {"n_units": n_units, "n_tasks": n_tasks, "arm": arm, "network": m}
                    rows += [
                        labels | {"match": "time", "score": score + noise},
                        labels | {"match": "updates", "score": 0.0},
                    ]
    return pd.DataFrame(rows)


def test_differences_are_those_of_means_over_the_other_size():
    table = compare_arms(make_grid(), ARMS).set_index(["varied", "match", "reference", "arm", "size"])
    difference = table["difference"].sort_index()
    assert difference["n_units", "time", "bias", "combined"].to_dict() == pytest.approx({8: 0.2, 16: 0.0})
    assert difference["n_tasks", "time", "bias", "combined"].to_dict() == pytest.approx({4: 0.1, 16: 0.1})
    assert difference["n_tasks", "time", "plain", "bias"].to_dict() == pytest.approx({4: 0.5, 16: 0.5})
    assert (difference.xs("updates", level="match") == 0).all()
    assert (table["n"] == 3).all()
    assert ("bias", "bias") not in {(reference, arm) for _, _, reference, arm, _ in table.index}
    assert (table["low"] <= table["difference"]).all() and (table["difference"] <= table["high"]).all()


def test_an_arm_stops_paying_where_its_difference_vanishes_for_good():
    stops = find_stops(compare_arms(make_grid(), ARMS), 0.03).set_index(["varied", "match", "reference", "arm"])
    assert stops.loc[("n_units", "time", "bias", "combined"), "size"] == 16
    assert np.isnan(stops.loc[("n_tasks", "time", "bias", "combined"), "size"])  # it still pays
    assert stops.loc[("n_tasks", "time", "bias", "plain"), "size"] == 4  # nowhere


def test_a_stop_has_bounds_from_both_ends_of_the_intervals():
    part = pd.DataFrame({"size": [4, 8, 16, 32], "difference": [0.0, 0.2, 0.1, 0.0]})
    part = part.assign(low=part["difference"] - 0.08, high=part["difference"] + 0.02)
    stop = find_stop(part, 0.03)  # low pays at 8 alone; high pays up to 16
    assert stop == Stop(32.0, 16.0, 32.0)
    assert describe_stop(stop) == "32 [16, 32]"
    assert describe_stop(find_stop(part.assign(high=1.0, low=-1.0), 0.03)) == "32 [4, none]"


def test_the_measuring_notebook_waits_for_all_others():
    command = ["make", "-npq", "PROFILE=smoke", "help"]
    database = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    folder = "build/smoke/notebooks"
    rule = re.search(rf"^{folder}/fig9_overhead_scaling\.ipynb:(.*)$", database, re.MULTILINE)[1]
    waits_for = set(re.findall(r"(\w+)\.ipynb", rule.split("|")[1]))
    notebooks = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks" / "tutorials").glob("*.ipynb")]
    assert waits_for == {path.stem for path in notebooks} - {"fig9_overhead_scaling"}
    other = re.search(rf"^{folder}/fig1_tasks\.ipynb:(.*)$", database, re.MULTILINE)
    assert other is None or "fig9" not in other[1]
