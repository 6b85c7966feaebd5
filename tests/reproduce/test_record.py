"""Records: files on disk, byte-stable figures, the finding as text."""

import dataclasses
import importlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cemrnn.figures import config_class, load_experiment, load_plot
from cemrnn.figures.style import NARROW_IN, WIDTH_IN, open_figure
from tests.fixtures.copies import add_figures, copy_tiny_project

recorder = importlib.import_module("cemrnn.reproduce.record")
PLAIN = {"rate": 2.0, "n_points": 11, "label": "level", "levels": (0.5, 1.0), "seed": 7}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """The tiny project as the current folder, at the profile quick."""
    add_figures(monkeypatch)
    monkeypatch.setenv("CEMRNN_PROFILE", "quick")
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    monkeypatch.chdir(copy_tiny_project(tmp_path / "tiny"))


def run(**changes):
    """The result at quick, with changes."""
    return load_experiment("fig1_tiny").run(config_class("fig1_tiny")(**PLAIN | changes))


def plot(result):
    return load_plot("fig1_tiny").plot(result)


@pytest.fixture
def result():
    return run()


@pytest.fixture
def displayed(monkeypatch):
    """What was displayed."""
    shown = []
    monkeypatch.setattr(recorder, "display", shown.append)
    return shown


def record_into(folder, result, monkeypatch):
    monkeypatch.setenv("CEMRNN_OUT", str(folder))
    figure = recorder.show(plot(result), result)
    recorder.record(result, figure)
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_result_gives_the_same_bytes(tmp_path, result, displayed, monkeypatch):
    first = record_into(tmp_path / "first", result, monkeypatch)
    second = record_into(tmp_path / "second", run(), monkeypatch)
    assert len(first) == 6
    assert first == second
    other = record_into(tmp_path / "other", run(rate=3.0), monkeypatch)
    assert all(first[path] != content for path, content in other.items())


def test_a_figure_for_a_phone_lies_beside_the_wide_one(tmp_path, result, displayed, monkeypatch):
    monkeypatch.setattr(recorder, "draw_narrow", lambda draw, result: {"b": open_figure(NARROW_IN, 2)})
    files = record_into(tmp_path / "out", result, monkeypatch)
    assert len(files) == 7 and b"networks per condition" in files[Path("figures") / "fig1_tinyb.narrow.svg"]


def test_figures_carry_no_dates(result):
    figure = plot(result)
    assert b"Date" not in recorder.render(figure, "pdf", "x")
    assert b"dc:date" not in recorder.render(figure, "svg", "x")


def test_the_csv_holds_the_plotted_data(tmp_path, result, displayed, monkeypatch):
    record_into(tmp_path, result, monkeypatch)
    written = pd.read_csv(tmp_path / "figures" / "fig1_tiny.curves.csv")
    pd.testing.assert_frame_equal(written, result.tables["curves"], check_exact=True)


def test_several_tables_have_a_file_each(tmp_path, result, displayed, monkeypatch):
    result.tables["other"] = pd.DataFrame({"x": [1, 2]})
    record_into(tmp_path, result, monkeypatch)
    names = {path.name for path in (tmp_path / "figures").glob("*.csv")}
    assert names == {"fig1_tiny.curves.csv", "fig1_tiny.other.csv"}


def test_scalars_are_plain_numbers(tmp_path, result, displayed, monkeypatch):
    record_into(tmp_path, result, monkeypatch)
    written = json.loads((tmp_path / "results" / "fig1_tiny.json").read_text())
    assert written["area"] == float(result.scalars["area"])
    assert written["undefined"] is None
    assert set(written) == set(result.scalars)


def test_scalars_that_are_measured_are_listed(tmp_path, result, displayed, monkeypatch):
    record_into(tmp_path, dataclasses.replace(result, measured=("change", "area")), monkeypatch)
    written = json.loads((tmp_path / "results" / "fig1_tiny.json").read_text())
    assert written["measured"] == ["area", "change"]


def test_the_footer_names_what_failed(result, displayed):
    result.scalars["networks_failed"] = "plain (2 of 3)"
    figure = recorder.show(plot(result), result)
    (footer,) = [text.get_text() for text in figure.texts if text.get_gid() == recorder.FOOTER]
    assert footer.endswith(" · failed, with a loss that is not finite: plain (2 of 3)")


def test_the_finding_is_told_as_text(result, displayed):
    recorder.tell(result)
    (text,) = displayed
    assert text.data.splitlines()[0] == f"The area under the unit curve is {result.scalars['area']:.3f}."
    assert "reads –, and" in text.data


def test_links_lead_to_the_files_from_where_the_notebook_is_open(tmp_path, result, displayed, monkeypatch):
    notebooks = tmp_path / "tiny" / "notebooks"
    monkeypatch.chdir(notebooks)
    monkeypatch.delenv("CEMRNN_OUT", raising=False)
    recorder.record(result, plot(result))
    links = re.findall(r"\]\(([^)]+)\)", displayed[-1].data)
    assert len(links) == 4
    assert all((notebooks / link).is_file() for link in links)


def test_the_profile_is_told_only_of_its_own_settings():
    origins = [recorder.describe(run(**changes))["profile"] for changes in ({}, {"rate": 3.0})]
    assert origins == ["quick", "custom"]


def test_origin_says_where_the_figure_comes_from(tmp_path, result, displayed, monkeypatch):
    record_into(tmp_path, result, monkeypatch)
    origin = json.loads((tmp_path / "provenance" / "fig1_tiny.json").read_text())
    assert origin["profile"] == "quick"
    assert origin["seeds"] == {"seed": 7}
    assert origin["n_replicates"] == 3
    assert origin["config_digest"] == result.config.digest()
    assert origin["versions"]["matplotlib"] == importlib.import_module("matplotlib").__version__
    line = displayed[-1].data
    for part in ("profile quick", "seed 7", "3 networks", origin["commit"][:10], result.config.digest()[:8]):
        assert part in line
    for link in ("svg", "pdf", "png", "curves.csv"):
        assert f"(figures/fig1_tiny.{link})" in line
    assert not any(text.startswith("#") for text in line.splitlines())


def test_the_footer_is_drawn_once_below_the_axes(result, displayed, monkeypatch):
    figure = recorder.show(recorder.show(plot(result), result), result)
    footers = [text for text in figure.texts if text.get_gid() == recorder.FOOTER]
    assert [text.get_text() for text in footers] == [
        f"profile quick · seed 7 · 3 networks per condition · config {result.config.digest()[:8]}"
    ]
    renderer = FigureCanvasAgg(figure).get_renderer()
    lowest_axis = min(axes.get_tightbbox(renderer).ymin for axes in figure.axes)
    assert footers[0].get_window_extent(renderer).ymax <= lowest_axis


def test_a_figure_of_two_parts_is_shown_and_recorded_as_two(tmp_path, result, displayed, monkeypatch):
    whole = record_into(tmp_path / "whole", result, monkeypatch)
    displayed.clear()
    monkeypatch.setenv("CEMRNN_OUT", str(tmp_path / "parts"))
    parts = {"": plot(result), "b": plot(result)}
    parts["b"].axes[0].set_xlabel("another label")
    assert recorder.show(parts, result) is parts
    assert len(displayed) == 2 and displayed[0].data != displayed[1].data
    recorder.record(result, parts)
    for part in ("", "b"):
        footers = [text for text in parts[part].texts if text.get_gid() == recorder.FOOTER]
        assert len(footers) == 1
        assert f"(figures/fig1_tiny{part}.svg)" in displayed[-1].data
    files = {path.name: path.read_bytes() for path in (tmp_path / "parts" / "figures").iterdir()}
    assert set(files) == {f"fig1_tiny{part}.{kind}" for part in ("", "b") for kind in ("svg", "pdf", "png")} | {
        "fig1_tiny.curves.csv"
    }
    assert files["fig1_tiny.svg"] == whole[Path("figures/fig1_tiny.svg")] != files["fig1_tinyb.svg"]


def test_a_long_footer_is_no_wider_than_a_figure(result, displayed):
    result.scalars["networks_failed"] = ", ".join(f"arm_{i} (2 of 3)" for i in range(40))
    figure = open_figure(WIDTH_IN, 3)
    recorder.show(figure, result)
    (footer,) = [text for text in figure.texts if text.get_gid() == recorder.FOOTER]
    assert footer.get_text().count("\n") >= 3
    renderer = FigureCanvasAgg(figure).get_renderer()
    assert footer.get_window_extent(renderer).width < figure.bbox.width


def test_show_leaves_no_open_figure_to_display_twice(result, displayed):
    before = pyplot.get_fignums()
    recorder.show(plot(result), result)
    assert pyplot.get_fignums() == before
    assert len(displayed) == 1
