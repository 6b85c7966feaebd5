"""Figure 3: score over sizes and numbers of tasks, K*, interference, random subsets, and the price of one more task."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from cemrnn.figures.fig3_packing.populations import PackingConfig
from cemrnn.figures.result import Result
from cemrnn.figures.shared.rotations import SEPARATE
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, draw_curves, open_figure

HEAT = "viridis"
SIZE_LINES = ("-", "--", ":", "-.")


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig3_packing.experiment.run`."""
    config = result.config
    arms = [*config.arms, SEPARATE]
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 7.2)
        above, below = figure.subfigures(2, 1, height_ratios=[2.3, 4.9])
        _draw_maps(above, result.tables["scores"], arms, config)
        panels = below.subplot_mosaic([list("bcd"), list("efg")])
        packed = result.tables["packed"]
        for letter, criterion in zip("bc", config.criteria[:2], strict=True):
            rows = packed[(packed["match"] == "parameters") & (packed["criterion"] == criterion)]
            _draw_packed(panels[letter], rows, criterion, config, letter)
        rows = packed[(packed["match"] == "units") & (packed["criterion"] == config.criteria[0])]
        _draw_equal_units(panels["d"], rows, arms, config)
        _draw_interference(panels["e"], result.tables["interference"], config)
        _draw_battery(panels["f"], result.tables["battery"], config)
        _draw_added(panels["g"], result.tables["added"], config)
        add_legend(below, arms)
    return figure


def _draw_maps(figure: SubFigure, table: pd.DataFrame, arms: list[str], config: PackingConfig) -> None:
    axes = figure.subplots(1, len(arms), sharey=True)
    rows = table[table["match"] == "parameters"]
    for axis, arm in zip(axes, arms, strict=True):
        scores = rows[rows["arm"] == arm].pivot(index="n_units", columns="n_tasks", values="worst")
        image = axis.imshow(scores.to_numpy(), vmin=0, vmax=1, cmap=HEAT, aspect="auto", origin="lower")
        axis.set_title(arm, fontsize=7)
        axis.set_xticks(range(scores.shape[1]), scores.columns, fontsize=6)
        axis.spines[["top", "right"]].set_visible(True)
        for (i, j), value in np.ndenumerate(scores.to_numpy()):
            colour = "white" if value < 0.6 else "black"
            axis.text(j, i, f"{value:.2f}".removeprefix("0"), ha="center", va="center", fontsize=5.5, color=colour)
    axes[0].set_yticks(range(len(config.units)), config.units)
    axes[0].set_ylabel("units N of the combined arm")
    figure.supxlabel("number of tasks K", fontsize=8)
    add_letter(axes[0], "a")
    axes[0].set_title(arms[0], fontsize=7)
    figure.colorbar(image, ax=axes, label="score on the worst task", pad=0.01, fraction=0.02)


def _draw_packed(axes: Axes, rows: pd.DataFrame, criterion: float, config: PackingConfig, letter: str) -> None:
    draw_curves(axes, rows, "n_units", "octaves")
    axes.set_xscale("log", base=2)
    axes.set_xticks(config.units, config.units)
    axes.minorticks_off()
    _label_octaves(axes, config)
    axes.set_xlabel("units N of the combined arm (equal parameters)")
    axes.set_title(f"worst task at {criterion:.2f}", fontsize=7)
    add_letter(axes, letter)


def _label_octaves(axes: Axes, config: PackingConfig) -> None:
    top = np.log2(config.task_counts[-1])
    axes.set_yticks(np.log2(config.task_counts), config.task_counts)
    axes.set_ylim(-0.25, top + 0.25)
    axes.axhline(top, color="0.7", linewidth=0.7, zorder=0)
    axes.set_ylabel("tasks packed")


def _draw_equal_units(axes: Axes, rows: pd.DataFrame, arms: list[str], config: PackingConfig) -> None:
    offsets = np.linspace(-0.3, 0.3, len(arms))
    for offset, arm in zip(offsets, arms, strict=True):
        part, look = rows[rows["arm"] == arm], LOOKS[arm]
        position = np.arange(len(part)) + offset
        axes.vlines(position, part["low"], part["high"], color=look.colour, linewidth=1)
        axes.plot(position, part["octaves"], linestyle="none", marker=look.marker, color=look.colour, markersize=4)
    axes.set_xticks(range(len(config.equal_units)), [f"N = {n}" for n in config.equal_units])
    axes.set_xlim(-0.5, len(config.equal_units) - 0.5)
    _label_octaves(axes, config)
    axes.set_xlabel("units of every arm (equal units)")
    axes.set_title(f"worst task at {config.criteria[0]:.2f}", fontsize=7)
    add_letter(axes, "d")


def _draw_interference(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    draw_curves(axes, table, "n_tasks", "lost")
    axes.set_xscale("log", base=2)
    axes.set_xticks(config.task_counts, config.task_counts)
    axes.minorticks_off()
    axes.set_xlabel(f"number of tasks K (N = {config.units[-1]})")
    axes.set_ylabel("loss of score per task")
    add_letter(axes, "e")


def _draw_battery(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    sizes = dict(zip(config.battery_units, SIZE_LINES, strict=False))
    offsets = np.linspace(-0.06, 0.06, len(config.battery_arms) * len(sizes))
    place = iter(offsets)
    for arm in config.battery_arms:
        look = LOOKS[arm]
        for n_units, line in sizes.items():
            part = table[(table["arm"] == arm) & (table["n_units"] == n_units)]
            x = part["n_tasks"] * 2 ** next(place)
            axes.plot(x, part["worst"], color=look.colour, marker=look.marker, linestyle=line)
            axes.vlines(x, part["low"], part["high"], color=look.colour, linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_xticks(config.battery_counts, config.battery_counts)
    axes.minorticks_off()
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("tasks of the battery in a subset")
    axes.set_ylabel("score on the worst task")
    handles = [Line2D([], [], color="0.4", linestyle=line, label=f"N = {n}") for n, line in sizes.items()]
    axes.legend(handles=handles, loc="lower left")
    add_letter(axes, "f")


def _draw_added(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    for arm, part in table.groupby("arm", sort=False):
        look = LOOKS[arm]
        for row in part.itertuples():
            n_tasks = config.added_to.index(row.n_tasks)
            fill = ("full", "none", "left", "top")[n_tasks % 4]
            x = row.n_trained * 1.06 ** (n_tasks - (len(config.added_to) - 1) / 2)
            axes.plot([x, x], [row.low, row.high], color=look.colour, linewidth=1)
            axes.plot(x, row.updates, color=look.colour, marker=look.marker, fillstyle=fill, linestyle="none", ms=5)
    axes.axhline(config.added_updates, color="0.7", linewidth=0.7, zorder=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("numbers trained for one more task")
    axes.set_ylabel("updates for one more task")
    handles = [
        Line2D([], [], color="0.4", marker="o", fillstyle=fill, linestyle="none", label=f"added to {n}")
        for n, fill in zip(config.added_to, ("full", "none", "left", "top"), strict=False)
    ]
    axes.legend(handles=handles, loc="lower left")
    add_letter(axes, "g")
