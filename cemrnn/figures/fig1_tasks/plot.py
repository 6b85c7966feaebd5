"""Figure 1: example trials, learning curves, score per task and arm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from cemrnn.figures import style
from cemrnn.figures.fig1_tasks.experiment import TasksConfig
from cemrnn.figures.result import Result

N_COLUMNS = 4  # of example trials
# None of these is an arm's colour; cosines are solid and sines dashed throughout.
FIXATION, FIRST, SECOND, ANSWER = "black", "#6A3D9A", "#8C6D1F", "#A50F3C"
INPUTS = (
    ("fixation", FIXATION, "-"),
    ("mod 1 cos", FIRST, "-"),
    ("mod 1 sin", FIRST, "--"),
    ("mod 2 cos", SECOND, "-"),
    ("mod 2 sin", SECOND, "--"),
)
OUTPUTS = (("fixation", FIXATION, "-"), ("cos", ANSWER, "-"), ("sin", ANSWER, "--"))


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig1_tasks.experiment.run`."""
    tables, config = result.tables, result.config
    n_rows = -(-len(config.tasks) // N_COLUMNS)
    figure = style.open_figure(10, 2.0 * n_rows + 3.4)
    above, below = figure.subfigures(2, 1, height_ratios=[2.0 * n_rows, 3.4])
    _draw_examples(above, tables["examples"], config.tasks, n_rows)
    left, right = below.subplots(1, 2, width_ratios=[1, 1.6])
    style.draw_curves(left, tables["learning"], "update", "score")
    style.name_axes(left, "b", "updates", "score on the worst task (last36)", xlim=(0, None))
    _draw_scores(right, tables["scores"], config)
    _draw_chance(right, tables["chance"].set_index("task").loc[list(config.tasks), "chance"])
    for axes in (left, right):
        axes.axhline(config.passing_score, color="0.6", linewidth=0.7, zorder=0)
        axes.set_ylim(0, 1.02)
    style.add_legend(below, config.arms)
    return figure


def _draw_examples(figure: SubFigure, table: pd.DataFrame, tasks: Sequence[str], n_rows: int) -> None:
    grid = figure.subplots(2 * n_rows, N_COLUMNS, squeeze=False)
    for k, (upper, lower) in enumerate(zip(grid[::2].flat, grid[1::2].flat, strict=True)):
        if k >= len(tasks):
            upper.remove()
            lower.remove()
            continue
        _draw_trial(upper, lower, table[table["task"] == tasks[k]])
        upper.set_title(style.spell(tasks[k]), fontsize=7)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel("time (ms)", fontsize=7, labelpad=1)
        if k % N_COLUMNS == 0:
            upper.set_ylabel("input", fontsize=7)
            lower.set_ylabel("output", fontsize=7)
    figure.text(0.0, 0.99, "a", fontweight="bold", va="top")
    lines = [("input " * (name != "fixation") + name, colour, line) for name, colour, line in INPUTS]
    lines += [(f"output {name}", colour, line) for name, colour, line in OUTPUTS[1:]]
    handles = style.make_handles({name: dict(color=colour, linestyle=line) for name, colour, line in lines})
    handles += style.make_handles({"target": dict(color="0.6", linewidth=2.5, alpha=0.6)})
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=6, columnspacing=1)


def _draw_trial(upper: Axes, lower: Axes, part: pd.DataFrame) -> None:
    for i, (_, colour, line) in enumerate(INPUTS):
        upper.plot(part["time_ms"], part[f"input_{i}"], color=colour, linestyle=line, linewidth=0.9)
    for i, (_, colour, line) in enumerate(OUTPUTS):
        lower.plot(part["time_ms"], part[f"target_{i}"], color=colour, linewidth=3, alpha=0.25)
        lower.plot(part["time_ms"], part[f"output_{i}"], color=colour, linestyle=line, linewidth=0.9)
    upper.set_ylim(-2.2, 2.2)
    lower.set_ylim(-1.4, 1.4)


def _draw_scores(axes: Axes, table: pd.DataFrame, config: TasksConfig) -> None:
    n_tasks = len(config.tasks)
    for offset, arm in style.spread_over(config.arms, 0.32):
        part = table[table["arm"] == arm].set_index("task").loc[list(config.tasks)]
        style.draw_points(axes, np.arange(n_tasks) + offset, part, "score", style.LOOKS[arm], markersize=3.5)
    crowded = n_tasks > 10
    names = [style.spell(task) if crowded else style.show_text(task.replace("_", "\n")) for task in config.tasks]
    turned = dict(rotation=35, ha="right", rotation_mode="anchor") if crowded else {}
    axes.set_xticks(range(n_tasks), names, fontsize=6, **turned)
    style.name_axes(axes, "c", "", "score (last36)", xlim=(-0.6, n_tasks - 0.1))


def _draw_chance(axes: Axes, levels: pd.Series) -> None:
    position, beside = np.arange(len(levels)), dict(xytext=(2, 0), textcoords="offset points", fontsize=6, va="center")
    axes.hlines(levels, position - 0.45, position + 0.45, color="0.4", linewidth=1, linestyle=":")
    axes.annotate("chance", (len(levels) - 0.53, levels.iloc[-1]), **beside)
