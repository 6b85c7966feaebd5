"""Pictures of measures: what is marked is what the measure says, and a curve that is not there is told."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cemrnn.reproduce import pictures

MEASURES = Path(__file__).parents[2] / "book" / "measures.md"


@pytest.fixture
def axes():
    return Figure().subplots()


def make_curves(manipulation, levels, values):
    rows = {"level": levels, "normalised": values}
    taus = {"tau_excitability_ms": 20.0, "tau_synaptic_ms": np.nan}
    return pd.DataFrame(rows).assign(group="parameters", manipulation=manipulation, arm="synaptic", **taus)


def dashed(axes):
    (line,) = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    return line.get_xydata()


def make_cells(values):
    rows = {"n_tasks": [4, 16, 64], "accuracy": values}
    return pd.DataFrame(rows).assign(arm="combined", match="units", n_units=8, n_sites=8)


def draw_packing(axes, cells):
    pictures.draw_packing(axes, cells, 0.8, 8)


def test_sigma75_and_the_mean_height_are_marked(axes):
    pictures.draw_noise(axes, make_curves("noise", [0.0, 1.0, 2.0], [1.0, 0.5, 0.1]))
    np.testing.assert_allclose(dashed(axes)[-1], [0.5, 0.0])
    heights = [line.get_ydata()[0] for line in axes.get_lines() if line.get_color() == "0.5"]
    np.testing.assert_allclose(heights, [(0.75 + 0.3) / 2])


def test_packed_maps_are_marked_in_octaves(axes):
    draw_packing(axes, make_cells([1.0, 0.6, 0.2]))
    np.testing.assert_allclose(dashed(axes)[-1], [3.0, 0.0])  # 8 maps, halfway between 4 and 16 in octaves
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "16", "64"]


def test_auc_is_the_mean_height_up_to_an_even_mixture(axes):
    pictures.draw_mixture(axes, make_curves("mixture", [0.0, 0.25, 0.5, 1.0], [1.0, 0.8, 0.2, -1.0]))
    np.testing.assert_allclose(dashed(axes), [[0, 0.7], [0.5, 0.7]])  # (0.9 + 0.5) / 2


def test_thresholds_that_rise_are_marked(axes):
    pictures.draw_weak_cue(axes, make_curves("strength", [0.0, 0.5, 1.0], [0.0, 0.5, 1.0]))
    np.testing.assert_allclose(dashed(axes)[-1], [0.75, 0])
    other = Figure().subplots()
    pictures.draw_switch(other, make_curves("switch", [0.0, 100.0, 200.0], [-0.2, 0.8, 1.0]))
    np.testing.assert_allclose(dashed(other)[-1], [150.0, -0.2])


def test_bits_stand_below_those_asked_for(axes):
    cells = pd.DataFrame({"n_tasks": [2, 4, 2, 4], "n_units": [8, 8, 4, 4], "bits": [9.0, 12.0, 1.0, 1.0]})
    pictures.draw_bits(axes, cells.assign(arm="combined", match="parameters", n_sites=4))
    held, asked = (line.get_ydata() for line in axes.get_lines())
    np.testing.assert_allclose(held, [9, 12])
    np.testing.assert_allclose(asked, np.array([2, 4]) * np.log2(24))


def make_states(**clouds):
    """Two points at either end of each axis of a task, at these distances, the axes turned by an angle (degrees)."""
    parts = []
    for task, (long, short, turned) in clouds.items():
        c, s = np.cos(np.radians(turned)), np.sin(np.radians(turned))
        x, y = np.array([[long, 0], [-long, 0], [0, short], [0, -short]]).T
        parts.append(pd.DataFrame({"task": task, "x": c * x - s * y, "y": s * x + c * y, "arm": "synaptic"}))
    return pd.concat(parts)


@pytest.mark.parametrize(("short", "ratio"), [(2.0, "2.00"), (1.0, "1.47"), (0.0, "1.00")])
def test_participation_is_that_of_the_drawn_states(axes, short, ratio):
    pictures.draw_participation(axes, make_states(one=(2.0, short, 30), two=(5.0, 0.0, 0)))
    assert axes.get_title() == f"participation ratio {ratio} of 2"  # (4 + 1)^2 / (16 + 1) with half the spread
    assert len(axes.get_lines()) == 3  # one cloud, two axes


@pytest.mark.parametrize(("turned", "angle"), [(0, "0°"), (40, "40°"), (130, "50°")])
def test_the_angle_is_that_between_the_leading_directions(axes, turned, angle):
    pictures.draw_angle(axes, make_states(one=(2.0, 1.0, 10), two=(1.0, 0.2, 10 + turned)))
    assert axes.get_title() == f"angle {angle}"
    pictures.draw_angle(other := Figure().subplots(), make_states(one=(2.0, 1.0, 10))[:0])
    assert not other.get_lines()


def test_what_both_are_compared_with_is_marked(axes):
    values = {"excitability": 0.5, "synaptic": 0.4, "combined": 0.6, "plain": 0.1}
    table = pd.DataFrame({"arm": values.keys(), "value": values.values()}).assign(outcome="joint")
    pictures.draw_synergy(axes, table)
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], [0.5, 0.4, 0.6])
    np.testing.assert_allclose([line.get_ydata()[0] for line in axes.get_lines()], [0.5, 0.7, 0.8])


def test_what_is_forgotten_is_the_best_before_the_last_stage_minus_the_last(axes):
    table = pd.DataFrame({"stage": [1, 2, 3], "accuracy": [0.7, 0.9, 0.2]}).assign(method="synaptic")
    pictures.draw_forgetting(axes, table)
    arrow = next(text for text in axes.texts if text.arrowprops)
    assert (arrow.xy, arrow.xyann) == ((3, 0.2), (3, 0.9))


def test_formula_and_draws_of_every_case_are_in_the_picture(axes):
    sigmas = np.linspace(0.1, 1, 7)
    cases = [pd.DataFrame({"sigma": sigmas, "exact": k, "drawn": k + 0.1}).assign(case=f"case {k}") for k in (0.2, 0.6)]
    pictures.draw_solvable(axes, pd.concat(cases))
    heights = [line.get_ydata() for line in axes.get_lines()]
    np.testing.assert_allclose([each.mean() for each in heights], [0.2, 0.3, 0.6, 0.7])
    assert [len(each) for each in heights] == [7, 3, 7, 3]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["case 0.2", "case 0.6"]


def test_specialisation_is_that_of_one_channel_by_step(axes):
    steps = pd.DataFrame({"channel": ["first"] * 3 + ["last"], "step": [1, 2, 3, 1], "probe": [0.9, 0.4, 0.5, 0.1]})
    pictures.draw_specialisation(axes, steps)
    (line,) = axes.get_lines()
    np.testing.assert_allclose(line.get_xydata(), [(1, 0.9), (2, 0.4), (3, 0.5)])


@pytest.mark.parametrize(
    ("draw", "table"),
    [
        (pictures.draw_noise, make_curves("noise", [0.0, 1.0], [np.nan, np.nan])),
        (draw_packing, make_cells([0.7, 0.6, 0.2])),
        (pictures.draw_mixture, make_curves("noise", [0.0, 1.0], [1.0, 0.0])),
        (pictures.draw_bifurcations, pd.DataFrame({"arm": ["plain"], "lambda": [0.5], "share": [np.nan]})),
        (pictures.draw_synergy, pd.DataFrame({"arm": ["plain"], "outcome": "joint", "value": 0.0})),
    ],
)
def test_where_nothing_can_be_drawn_the_picture_says_so(axes, draw, table):
    draw(axes, table)
    assert len(axes.get_lines()) == 0 and len(axes.texts) == 1


def test_the_pages_show_every_picture_with_a_text():
    pages = "".join(page.read_text(encoding="utf-8") for page in (MEASURES, MEASURES.with_name("theory.md")))
    shown = dict(re.findall(r"\{image\} generated/(\w+)\.svg\n *:alt: (.+)\n", pages))
    assert set(pictures.PICTURES) == {name for name in shown if name.startswith(("measure_", "theory_"))}
    assert min(len(text) for text in shown.values()) > 60


def test_pictures_are_those_of_the_figures_that_ran(tmp_path):
    for folder in ("figures", "results"):
        (tmp_path / folder).mkdir()
    (tmp_path / "results" / "fig3_packing.json").write_text('{"criterion": 0.8, "n_sites": 8}')
    cells = make_cells([1.0, 0.6, 0.2]).assign(bits=1.0, match="parameters")
    cells.to_csv(tmp_path / "figures" / "fig3_packing.cells.csv", index=False)
    pictures.write_pictures(tmp_path, tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.svg")) == ["measure_bits", "measure_packing"]
