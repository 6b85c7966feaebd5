"""Scaling: points, and the figure through its artists."""

import dataclasses

import numpy as np
import pytest

from cemrnn.bench import figure, scaling
from cemrnn.bench.rows import Bench


@pytest.fixture
def a_bench(tmp_path):
    return Bench(tmp_path, n_repeats=1, turn_s=0.0, say=lambda line: None)


def test_scaling_varies_one_size_at_a_time(a_bench, monkeypatch):
    monkeypatch.setattr(scaling, "BASE", dataclasses.replace(scaling.SMALLEST, n_networks=2))
    monkeypatch.setattr(scaling, "SIZES", {"n_units": (4, 64)})
    points = scaling.measure_scaling(a_bench)
    assert [(point["size"], point["value"]) for point in points] == [("n_units", 4), ("n_units", 64)]
    assert min(point["seconds"] for point in points) > 0


def a_point(size, value, seconds, memory):
    return {"size": size, "value": value, "seconds": seconds, "bytes_per_network": memory}


POINTS = [a_point(size, v, 1e-3 * v**2, 1e6 * v) for size in scaling.SIZES for v in (2, 4, 8)]


def test_the_figure_shows_every_point_and_its_exponent():
    panels = figure.plot(POINTS).axes
    assert len(panels) == 12
    for axes, (size, exponent, factor) in zip(
        panels, [(s, e, f) for e, f in (("2.00", 1.0), ("1.00", 1.0)) for s in scaling.SIZES], strict=True
    ):
        points, line = axes.get_lines()[:2]
        assert axes.get_xlabel() == figure.LABELS[size]
        assert axes.get_title("right") == f"exponent {exponent}"
        np.testing.assert_allclose(points.get_ydata(), factor * np.array([2, 4, 8.0]) ** float(exponent))
        np.testing.assert_allclose(line.get_ydata(), points.get_ydata())


def test_without_memory_the_figure_shows_time_alone():
    panels = figure.plot([point | {"bytes_per_network": None} for point in POINTS]).axes
    assert [len(axes.get_lines()[0].get_xdata()) for axes in panels] == [3] * 6 + [0] * 6
    assert scaling.describe_exponent([a_point("rank", 1, 1.0, None)] * 3, "bytes_per_network") == "not measured"
