"""Pictures of measures: what is marked is what the measure says, and a curve that is not there is told."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cemrnn.reproduce.pictures import draw_noise, draw_packing, write_pictures


@pytest.fixture
def axes():
    return Figure().subplots()


@pytest.fixture
def out(tmp_path):
    for folder in ("figures", "results"):
        (tmp_path / folder).mkdir()
    (tmp_path / "results" / "fig3_packing.json").write_text('{"criterion": 0.8, "n_sites": 8}')
    return tmp_path


def make_curves(values):
    rows = {"level": [0.0, 1.0, 2.0], "normalised": values}
    return pd.DataFrame(rows).assign(group="parameters", manipulation="noise", arm="synaptic")


def make_cells(values):
    rows = {"n_tasks": [4, 16, 64], "accuracy": values}
    return pd.DataFrame(rows).assign(arm="combined", match="units", n_units=8, n_sites=8)


def marked(axes):
    """Where the dashed line comes down."""
    (line,) = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    return line.get_xydata()[-1]


def test_sigma75_and_the_mean_height_are_marked(axes, out):
    draw_noise(axes, make_curves([1.0, 0.5, 0.1]), out)
    np.testing.assert_allclose(marked(axes), [0.5, 0.0])
    heights = [line.get_ydata()[0] for line in axes.get_lines() if line.get_color() == "0.5"]
    np.testing.assert_allclose(heights, [(0.75 + 0.3) / 2])


def test_packed_maps_are_marked_in_octaves(axes, out):
    draw_packing(axes, make_cells([1.0, 0.6, 0.2]), out)
    np.testing.assert_allclose(marked(axes), [3.0, 0.0])  # 8 maps, halfway between 4 and 16 in octaves
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "16", "64"]


@pytest.mark.parametrize(
    ("draw", "table"),
    [(draw_noise, make_curves([np.nan] * 3)), (draw_packing, make_cells([0.7, 0.6, 0.2]))],
)
def test_where_nothing_can_be_marked_the_picture_says_so(axes, out, draw, table):
    draw(axes, table, out)
    assert len(axes.get_lines()) == 0 and len(axes.texts) == 1


def test_pictures_are_those_of_the_figures_that_ran(out):
    make_curves([1.0, 0.5, 0.1]).to_csv(out / "figures" / "fig2_ambiguity.curves.csv", index=False)
    write_pictures(out, out / "pictures")
    assert [path.name for path in (out / "pictures").iterdir()] == ["measure_noise.svg"]
