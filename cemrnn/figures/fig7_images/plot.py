"""Figure 7: accuracy by rows and by pixels, learning against time, packing of permuted images."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures.result import Result
from cemrnn.figures.style import SHEET, add_legend, add_letter, draw_curves, draw_estimates, open_figure

SCANS = {"rows": "a", "pixels": "b"}


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig7_images.experiment.run`."""
    config, tables = result.config, result.tables
    units = config.packing_units
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 5.4)
        above, below = figure.subfigures(2, 1, height_ratios=(1, 1))
        panels = dict(zip("abc", above.subplots(1, 3), strict=True))
        for scan, letter in SCANS.items():
            table = tables["accuracy"][tables["accuracy"]["scan"] == scan]
            draw_estimates(panels[letter], table, list(config.models), "accuracy")
            panels[letter].set_xlabel(f"test accuracy, by {scan}")
            add_letter(panels[letter], letter)
        _draw_learning(panels["c"], tables["learning"])
        for axes, n_units, letter in zip(below.subplots(1, len(units), squeeze=False)[0], units, "defgh", strict=False):
            _draw_packing(axes, tables["packing"], n_units, letter)
        add_legend(figure, list(dict.fromkeys([*config.models, *config.packing_models])))
    return figure


def _draw_learning(axes: Axes, table: pd.DataFrame) -> None:
    draw_curves(axes, table[table["scan"] == "pixels"], "seconds", "accuracy")
    axes.set_xscale("log")
    axes.set_xlabel("time per network (s)")
    axes.set_ylabel("validation accuracy, by pixels")
    add_letter(axes, "c")


def _draw_packing(axes: Axes, table: pd.DataFrame, n_units: int, letter: str) -> None:
    part = table[table["n_units"] == n_units]
    draw_curves(axes, part, "n_contexts", "accuracy")
    counts = np.unique(part["n_contexts"])
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, counts)
    axes.set_xlabel(f"ways of permuting, N = {n_units} in the combined arm")
    axes.set_ylabel("test accuracy")
    add_letter(axes, letter)
