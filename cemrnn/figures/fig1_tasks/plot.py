"""Figure 1: learning curves, score per task and arm, example trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig1_tasks.experiment import TasksConfig
from cemrnn.figures.result import Result

N_COLUMNS = 4  # of example trials
ROW_IN = 1.8  # height of a row of them
LEAST_IN, TASK_IN = 3.4, 0.26  # height of the other panels: at least, and for each task
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
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig1_tasks.experiment.run`, and part b: example trials."""
    return {"": _plot_scores(result), "b": _plot_examples(result)}


def _plot_scores(result: Result) -> Figure:
    tables, config = result.tables, result.config
    figure, panels = style.open_panels(["ab"], max(LEAST_IN, TASK_IN * len(config.tasks) + 1.0))
    style.draw_curves(panels["a"], tables["learning"], "update", "score")
    limits = dict(xlim=(0, None), ylim=(0, 1.02))
    style.name_axes(panels["a"], "a", "updates", "score on the worst task (last36)", **limits)
    panels["a"].axhline(config.passing_score, color="0.6", linewidth=0.7, zorder=0)
    _draw_scores(panels["b"], tables["scores"], config)
    _draw_chance(panels["b"], tables["chance"].set_index("task").loc[list(config.tasks), "chance"])
    style.add_legend(figure, config.arms)
    return figure


def _plot_examples(result: Result) -> Figure:
    table, tasks = result.tables["examples"], result.config.tasks
    n_columns = style.fit_columns(N_COLUMNS)
    n_rows = -(-len(tasks) // n_columns)
    figure = style.open_figure(
        style.page_width(), ROW_IN * n_rows + (1.6 if style.is_narrow() else 0.6)
    )  # with the legend
    grid = figure.subplots(2 * n_rows, n_columns, squeeze=False)
    for k, (upper, lower) in enumerate(zip(grid[::2].flat, grid[1::2].flat, strict=True)):
        if k >= len(tasks):
            upper.remove()
            lower.remove()
            continue
        _draw_trial(upper, lower, table[table["task"] == tasks[k]])
        upper.set_title(style.spell(tasks[k]))
        upper.tick_params(labelbottom=False)
        if k % n_columns == 0:
            upper.set_ylabel("input")
            lower.set_ylabel("output")
    figure.supxlabel("time (ms)")
    style.add_letter(grid[0, 0], "a")
    lines = [("input " * (name != "fixation") + name, colour, line) for name, colour, line in INPUTS]
    lines += [(f"output {name}", colour, line) for name, colour, line in OUTPUTS[1:]]
    handles = style.make_handles({name: dict(color=colour, linestyle=line) for name, colour, line in lines})
    handles += style.make_handles({"target": dict(color="0.6", linewidth=2.5, alpha=0.6)})
    style.lay_legend(figure, handles)
    return figure


def _draw_trial(upper: Axes, lower: Axes, part: pd.DataFrame) -> None:
    for i, (_, colour, line) in enumerate(INPUTS):
        upper.plot(part["time_ms"], part[f"input_{i}"], color=colour, linestyle=line, linewidth=0.9)
    for i, (_, colour, line) in enumerate(OUTPUTS):
        lower.plot(part["time_ms"], part[f"target_{i}"], color=colour, linewidth=3, alpha=0.25)
        lower.plot(part["time_ms"], part[f"output_{i}"], color=colour, linestyle=line, linewidth=0.9)
    upper.set_ylim(-2.2, 2.2)
    lower.set_ylim(-1.4, 1.4)


def _draw_scores(axes: Axes, table: pd.DataFrame, config: TasksConfig) -> None:
    for offset, arm in style.spread_over(config.arms, 0.32):
        part = table[table["arm"] == arm].set_index("task").loc[list(config.tasks)]
        style.draw_rows(axes, np.arange(len(part)) + offset, part, "score", style.LOOKS[arm], markersize=4)
    style.name_rows(axes, list(map(style.spell, config.tasks)))
    axes.axvline(config.passing_score, color="0.6", linewidth=0.7, zorder=0)
    style.name_axes(axes, "b", "score (last36); dotted: chance", xlim=(0, 1.02))


def _draw_chance(axes: Axes, levels: pd.Series) -> None:
    position = np.arange(len(levels))
    axes.vlines(levels, position - 0.45, position + 0.45, color="0.4", linewidth=1, linestyle=":")
