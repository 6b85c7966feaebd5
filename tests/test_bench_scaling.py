"""Scaling: exponents of known power laws, points, peaks of memory, and the figure through its artists."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.bench import figure, scaling
from cemrnn.bench.rows import Bench


@pytest.fixture
def a_bench(tmp_path):
    return Bench(tmp_path, n_repeats=1, turn_s=0.0, say=lambda line: None)


@given(st.floats(-2, 3), st.floats(1e-3, 1e3), st.integers(3, 8))
def test_an_exponent_is_found_exactly(slope, factor, n):
    x = 2.0 ** np.arange(n)
    fitted = scaling.fit_exponent(x, factor * x**slope)
    # Logarithms of numbers below 1e9 in float64, divided by their spread of one at least.
    assert fitted == pytest.approx((slope, slope, slope), abs=1e-6)


def test_the_interval_of_an_exponent_covers_it_as_often_as_it_says():
    rng, x = np.random.default_rng(0), np.array([16, 32, 64, 128, 256])
    fits = [scaling.fit_exponent(x, x**1.5 * np.exp(0.1 * rng.standard_normal(5))) for _ in range(1000)]
    covered = np.mean([fit.low <= 1.5 <= fit.high for fit in fits])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 1000)
    with pytest.raises(ValueError, match="x: expected three points or more, got 2"):
        scaling.fit_exponent([1, 2], [1, 2])


def test_scaling_varies_one_size_at_a_time(a_bench, monkeypatch):
    monkeypatch.setattr(scaling, "BASE", dataclasses.replace(scaling.SMALLEST, n_networks=2))
    monkeypatch.setattr(scaling, "SIZES", {"n_units": (4, 64)})
    points = scaling.measure_scaling(a_bench)
    assert [(point["size"], point["value"]) for point in points] == [("n_units", 4), ("n_units", 64)]
    assert min(point["seconds"] for point in points) > 0


@pytest.mark.skipif(not scaling.STATUS.exists(), reason="only Linux tells the peak of a process")
def test_the_peak_is_what_was_held_since_it_was_forgotten():
    held = np.ones(2**24)  # 128 MiB
    highest = scaling.peak_bytes()
    size = held.nbytes
    del held
    scaling.forget_peak()
    before = scaling.peak_bytes()
    assert before < highest - 0.9 * size
    held = np.ones(2**23)
    del held
    assert 0.9 < (scaling.peak_bytes() - before) / (size / 2) < 1.1


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
