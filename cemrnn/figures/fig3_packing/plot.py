"""Figure 3: score over sizes and numbers of tasks, K*, interference, random subsets, and the price of one more task."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, NullLocator

from cemrnn.figures import style
from cemrnn.figures.fig3_packing.populations import PackingConfig
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select
from cemrnn.figures.shared.rotations import SEPARATE

SIZE_LINES = ("-", "--", ":", "-.")


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig3_packing.experiment.run`."""
    config, tables = result.config, result.tables
    arms, packed = [*config.arms, SEPARATE], result.tables["packed"]
    figure = style.open_figure(10, 7.2)
    above, below = figure.subfigures(2, 1, height_ratios=[2.3, 4.9])
    _draw_maps(above, select(tables["scores"], match="parameters"), arms, config)
    panels = below.subplot_mosaic([list("bcd"), list("efg")])
    for letter, criterion in zip("bc", config.criteria, strict=False):
        rows = select(packed, match="parameters", criterion=criterion)
        style.draw_curves(panels[letter], rows, "n_units", "octaves")
        style.use_octaves(panels[letter], config.units)
        _name_octaves(panels[letter], letter, "units N of the combined arm (equal parameters)", criterion, config)
    _draw_equal_units(panels["d"], select(packed, match="units", criterion=config.criteria[0]), arms, config)
    style.draw_curves(panels["e"], tables["interference"], "n_tasks", "lost")
    style.use_octaves(panels["e"], config.task_counts)
    style.name_axes(panels["e"], "e", f"number of tasks K (N = {config.units[-1]})", "loss of score per task")
    _draw_battery(panels["f"], tables["battery"], config)
    _draw_added(panels["g"], tables["added"], config)
    style.add_legend(below, arms)
    return figure


def _draw_maps(figure: SubFigure, table: pd.DataFrame, arms: list[str], config: PackingConfig) -> None:
    panels = figure.subplots(1, len(arms), sharey=True)
    for axes, arm in zip(panels, arms, strict=True):
        scores = select(table, arm=arm).pivot(index="n_units", columns="n_tasks", values="worst")
        image = axes.imshow(scores, vmin=0, vmax=1, cmap="viridis", aspect="auto", origin="lower")
        axes.set_title(arm, fontsize=7)
        axes.set_xticks(range(scores.shape[1]), scores.columns, fontsize=6)
        axes.spines[["top", "right"]].set_visible(True)
        style.draw_cells(axes, scores.to_numpy(), style.write_number, lambda score: score < 0.6, fontsize=5.5)
    panels[0].set_yticks(range(len(config.units)), config.units)
    panels[0].set_ylabel("units N of the combined arm")
    figure.supxlabel("number of tasks K", fontsize=8)
    style.add_letter(panels[0], "a")
    figure.colorbar(image, ax=panels, label="score on the worst task", pad=0.01, fraction=0.02)


def _name_octaves(axes: Axes, letter: str, x: str, criterion: float, config: PackingConfig) -> None:
    """Name the axes of a panel in which numbers of tasks, as octaves, run upwards."""
    top = np.log2(config.task_counts[-1])
    axes.set_yticks(np.log2(config.task_counts), config.task_counts)
    axes.axhline(top, color="0.7", linewidth=0.7, zorder=0)
    axes.set_title(f"worst task at {criterion:.2f}", fontsize=7)
    style.name_axes(axes, letter, x, "tasks packed", ylim=(-0.25, top + 0.25))


def _draw_equal_units(axes: Axes, rows: pd.DataFrame, arms: list[str], config: PackingConfig) -> None:
    n_sizes = len(config.equal_units)
    for offset, arm in style.spread_over(arms, 0.3):
        part = select(rows, arm=arm)
        style.draw_points(axes, np.arange(n_sizes) + offset, part, "octaves", style.LOOKS[arm], markersize=4)
    axes.set_xticks(range(n_sizes), [f"N = {n}" for n in config.equal_units])
    axes.set_xlim(-0.5, n_sizes - 0.5)
    _name_octaves(axes, "d", "units of every arm (equal units)", config.criteria[0], config)


def _draw_battery(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    sizes = dict(zip(config.battery_units, SIZE_LINES, strict=False))
    cells = [(arm, n_units) for arm in config.battery_arms for n_units in sizes]
    for offset, (arm, n_units) in style.spread_over(cells, 0.06):
        part = select(table, arm=arm, n_units=n_units)
        x = part["n_tasks"] * 2**offset
        style.draw_points(axes, x, part, "worst", style.LOOKS[arm], linestyle=sizes[n_units])
    style.use_octaves(axes, config.battery_counts)
    lines = {f"N = {n}": dict(linestyle=line) for n, line in sizes.items()}
    axes.legend(handles=style.make_handles(lines, color="0.4"), loc="lower left")
    style.name_axes(axes, "f", "tasks of the battery in a subset", "score on the worst task", ylim=(-0.02, 1.02))


def _draw_added(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    fills = dict(zip(config.added_to, itertools.cycle(style.FILLS), strict=False))
    middle = (len(config.added_to) - 1) / 2
    for (arm, n_tasks), row in table.groupby(["arm", "n_tasks"], sort=False):
        x = row["n_trained"] * 1.06 ** (config.added_to.index(n_tasks) - middle)
        style.draw_points(axes, x, row, "updates", style.LOOKS[arm], fillstyle=fills[n_tasks], markersize=5)
    axes.axhline(config.added_updates, color="0.7", linewidth=0.7, zorder=0)
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    added = {f"added to {n}": dict(fillstyle=fill) for n, fill in fills.items()}
    axes.legend(handles=style.make_handles(added, **style.GREY), loc="lower left")
    style.name_axes(axes, "g", "numbers trained for one more task", "updates for one more task")
