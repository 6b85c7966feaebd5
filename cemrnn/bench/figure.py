"""The figure of the bench: time and peak memory against every size, with the power law that fits."""

from __future__ import annotations

import dataclasses

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from cemrnn.bench.scaling import BASE, SIZES, Point
from cemrnn.figures.style import LOOKS, SHEET, add_letter, open_figure
from cemrnn.measures.exponents import fit_exponent

LABELS = {
    "n_units": "units N",
    "n_contexts": "contexts K",
    "n_networks": "networks M",
    "n_steps": "steps T",
    "n_trials": "trials B",
    "rank": "rank R",
}
QUANTITIES = {"seconds": ("time per update (ms)", 1e3), "bytes_per_network": ("peak memory per network (MB)", 1e-6)}


def plot(points: list[Point]) -> Figure:
    """Two rows of panels, time and memory; a column per size.

    Args:
        points: what `measure_scaling` returned.
    """
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 4.2)
        panels = figure.subplots(len(QUANTITIES), len(SIZES), sharey="row", squeeze=False)
        letters = iter("abcdefghijkl")
        for row, (quantity, (label, factor)) in zip(panels, QUANTITIES.items(), strict=True):
            row[0].set_ylabel(label)
            for axes, size in zip(row, SIZES, strict=True):
                mine = [point for point in points if point["size"] == size and point[quantity]]
                _draw(axes, [p["value"] for p in mine], [factor * p[quantity] for p in mine])
                axes.set_xlabel(LABELS[size])
                axes.axvline(dataclasses.asdict(BASE)[size], color="0.8", linewidth=0.6, zorder=0)
                add_letter(axes, next(letters))
    return figure


def _draw(axes: Axes, x: list[int], y: list[float]) -> None:
    look = LOOKS[BASE.arm]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.plot(x, y, color=look.colour, marker=look.marker, linestyle="none")
    axes.set_xticks(x, map(str, x))
    if len(x) >= 3:
        exponent = fit_exponent(x, y).slope
        middle = np.exp(np.mean(np.log(y)) - exponent * np.mean(np.log(x)))
        axes.plot(x, middle * np.array(x, float) ** exponent, color=look.colour, linewidth=0.8)
        axes.set_title(f"exponent {exponent:.2f}", loc="right", fontsize=7)
