"""Figure 1: example trials, learning curves, score per task and arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures.result import Result
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, draw_curves, open_figure

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


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig1_tasks.experiment.run`."""
    tasks, arms = list(result.config.tasks), list(result.config.arms)
    n_columns = 4
    n_rows = -(-len(tasks) // n_columns)
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 2.0 * n_rows + 3.4)
        above, below = figure.subfigures(2, 1, height_ratios=[2.0 * n_rows, 3.4])
        _draw_examples(above, result.tables["examples"], tasks, n_rows, n_columns)
        left, right = below.subplots(1, 2, width_ratios=[1, 1.6])
        _draw_learning(left, result.tables["learning"], result.config)
        _draw_scores(right, result.tables["scores"], result.tables["chance"], tasks, arms, result.config.passing_score)
        add_legend(below, arms)
    return figure


def _draw_examples(figure: Figure, table: pd.DataFrame, tasks: list[str], n_rows: int, n_columns: int) -> None:
    grid = figure.subplots(2 * n_rows, n_columns, squeeze=False)
    for k, task in enumerate(tasks):
        row, column = divmod(k, n_columns)
        upper, lower = grid[2 * row, column], grid[2 * row + 1, column]
        part = table[table["task"] == task]
        _draw_trial(upper, lower, part)
        upper.set_title(task.replace("_", " "), fontsize=7)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel("time (ms)", fontsize=7, labelpad=1)
        if column == 0:
            upper.set_ylabel("input", fontsize=7)
            lower.set_ylabel("output", fontsize=7)
    for k in range(len(tasks), n_rows * n_columns):
        row, column = divmod(k, n_columns)
        grid[2 * row, column].remove()
        grid[2 * row + 1, column].remove()
    figure.text(0.0, 0.99, "a", fontweight="bold", va="top")
    handles = [
        pyplot.Line2D([], [], color=c, linestyle=s, label=n if n == "fixation" else f"input {n}") for n, c, s in INPUTS
    ]
    handles += [pyplot.Line2D([], [], color=c, linestyle=s, label=f"output {n}") for n, c, s in OUTPUTS[1:]]
    handles += [pyplot.Line2D([], [], color="0.6", linewidth=2.5, alpha=0.6, label="target")]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=6, columnspacing=1)


def _draw_trial(upper: Axes, lower: Axes, part: pd.DataFrame) -> None:
    for i, (_, colour, line) in enumerate(INPUTS):
        upper.plot(part["time_ms"], part[f"input_{i}"], color=colour, linestyle=line, linewidth=0.9)
    for i, (_, colour, line) in enumerate(OUTPUTS):
        lower.plot(part["time_ms"], part[f"target_{i}"], color=colour, linewidth=3, alpha=0.25)
        lower.plot(part["time_ms"], part[f"output_{i}"], color=colour, linestyle=line, linewidth=0.9)
    upper.set_ylim(-2.2, 2.2)
    lower.set_ylim(-1.4, 1.4)


def _draw_learning(axes: Axes, table: pd.DataFrame, config) -> None:
    draw_curves(axes, table, "update", "score")
    axes.axhline(config.passing_score, color="0.6", linewidth=0.7, zorder=0)
    axes.set_xlabel("updates")
    axes.set_ylabel("score on the worst task (last36)")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    add_letter(axes, "b")


def _draw_scores(
    axes: Axes, table: pd.DataFrame, chance: pd.DataFrame, tasks: list[str], arms: list[str], passing: float
) -> None:
    offsets = np.linspace(-0.32, 0.32, len(arms))
    for offset, arm in zip(offsets, arms, strict=True):
        part, look = table[table["arm"] == arm].set_index("task").loc[tasks], LOOKS[arm]
        position = np.arange(len(tasks)) + offset
        axes.vlines(position, part["low"], part["high"], color=look.colour, linewidth=1)
        axes.plot(position, part["score"], linestyle="none", marker=look.marker, color=look.colour, markersize=3.5)
    levels = chance.set_index("task").loc[tasks, "chance"]
    axes.hlines(
        levels, np.arange(len(tasks)) - 0.45, np.arange(len(tasks)) + 0.45, color="0.4", linewidth=1, linestyle=":"
    )
    axes.annotate(
        "chance",
        (len(tasks) - 0.53, levels.iloc[-1]),
        xytext=(2, 0),
        textcoords="offset points",
        fontsize=6,
        va="center",
    )
    axes.axhline(passing, color="0.6", linewidth=0.7, zorder=0)
    labels = [task.replace("_", "\n") for task in tasks]
    axes.set_xticks(range(len(tasks)), labels, fontsize=6)
    axes.set_ylabel("score (last36)")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(-0.6, len(tasks) - 0.1)
    add_letter(axes, "c")
