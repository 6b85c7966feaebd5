"""Figure 9: cost relative to plain, cost against size, score against time and size, and what the cost buys."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from cemrnn.figures.fig9_overhead_scaling.cost import OverheadConfig
from cemrnn.figures.result import Result
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, draw_curves, draw_estimates, open_figure

RATIOS = {"update": "time of an update / plain", "step": "time of a simulated step / plain", "memory": "memory / plain"}
COSTS = (
    ("update", "n_units", "units N", "time per update (ms)", 1e3),
    ("update", "n_contexts", "contexts K", "time per update (ms)", 1e3),
    ("update", "n_steps", "steps T", "time per update (ms)", 1e3),
    ("memory", "n_units", "units N", "memory per network (MB)", 1e-6),
)
NARROW = 5  # a cost that varies less is drawn from zero on a linear axis
# Device and match -> face of the marker, and place beside the arm's line.
KINDS = {
    ("cpu", "units"): ("full", -0.18),
    ("cpu", "parameters"): ("none", 0.18),
    ("cuda", "units"): ("left", -0.36),
    ("cuda", "parameters"): ("right", 0.36),
}


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig9_overhead_scaling.experiment.run`."""
    config, tables = result.config, result.tables
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 9.6)
        rows = figure.subfigures(4, 1, height_ratios=[1.15, 1, 1, 1])
        for axes, letter, quantity in zip(rows[0].subplots(1, 3), "abc", RATIOS, strict=True):
            _draw_ratios(axes, tables["overhead"], quantity, config, letter)
        for axes, letter, cost in zip(rows[1].subplots(1, 4), "defg", COSTS, strict=True):
            _draw_cost(axes, tables["scaling"], *cost, letter)
            _write_exponents(axes, tables["exponents"], *cost[:2])
        _draw_scores(rows[2], tables, config)
        for axes, letter, varied in zip(rows[3].subplots(1, 2), "lm", ("n_units", "n_tasks"), strict=True):
            _draw_differences(axes, tables["differences"], varied, config, letter)
        add_legend(figure, list(config.arms), _explain_marks(tables["overhead"]))
    return figure


def _draw_ratios(axes: Axes, table: pd.DataFrame, quantity: str, config: OverheadConfig, letter: str) -> None:
    rows = table[(table["quantity"] == quantity) & (table["again"] == 0)]
    arms = [arm for arm in config.arms if arm != "plain"]
    for row in rows[rows["arm"].isin(arms)].itertuples():
        look, (face, offset) = LOOKS[row.arm], KINDS[row.device, row.match]
        place = arms.index(row.arm) + offset
        axes.plot([row.low, row.high], [place] * 2, color=look.colour)
        axes.plot(row.ratio, place, marker=look.marker, color=look.colour, fillstyle=face, markersize=5)
    axes.set_yticks(range(len(arms)), arms)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.axvline(1, color="0.6", linewidth=0.7, zorder=0)
    axes.set_xlabel(RATIOS[quantity])
    add_letter(axes, letter)


def _explain_marks(table: pd.DataFrame) -> tuple[Line2D, ...]:
    """A line for the legend per kind of marker that is shown."""
    shown = set(zip(table["device"], table["match"], strict=True))
    labels = {kind: f"equal {kind[1]}" + (", GPU" if kind[0] == "cuda" else "") for kind in KINDS if kind in shown}
    style = dict(color="0.3", marker="o", linestyle="none")
    return tuple(Line2D([], [], fillstyle=KINDS[kind][0], label=label, **style) for kind, label in labels.items())


def _draw_cost(
    axes: Axes, table: pd.DataFrame, quantity: str, varied: str, x_label: str, y_label: str, factor: float, letter: str
) -> None:
    rows = table[(table["quantity"] == quantity) & (table["varied"] == varied) & (table["device"] == "cpu")]
    scaled = rows.assign(**{name: rows[name] * factor for name in ("value", "low", "high")})
    draw_curves(axes, scaled, "size", "value")
    _use_log(axes, np.unique(rows["size"]))
    if scaled["value"].max() < NARROW * scaled["value"].min():
        axes.set_ylim(bottom=0)
    else:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    add_letter(axes, letter)


def _write_exponents(axes: Axes, table: pd.DataFrame, quantity: str, varied: str) -> None:
    rows = table[(table["quantity"] == quantity) & (table["varied"] == varied) & (table["device"] == "cpu")]
    values = rows.set_index("arm")["exponent"]
    text = ", ".join(f"{arm} {values[arm]:.2f}" for arm in ("plain", "combined"))
    axes.set_title(f"exponent: {text}", loc="right", fontsize=6)


def _use_log(axes: Axes, sizes: np.ndarray) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, sizes)


def _draw_scores(figure: SubFigure, tables: dict[str, pd.DataFrame], config: OverheadConfig) -> None:
    learning, passing, by_units, by_tasks = figure.subplots(1, 4)
    draw_curves(learning, tables["learning"], "seconds", "score")
    learning.axhline(config.passing_score, color="0.6", linewidth=0.7, zorder=0)
    learning.set_xlabel("time of training (s)")
    learning.set_ylabel("score on the worst task")
    learning.set_xlim(left=0)
    draw_estimates(passing, tables["passing"], list(config.arms), "seconds")
    passing.set_xlabel(f"time to a score of {config.passing_score:g} (s)")
    passing.set_xlim(left=0)
    scores = tables["scores"]
    scores = scores[scores["match"] == "updates"]
    draw_curves(by_units, scores[scores["n_tasks"] == max(config.packing.task_counts)], "n_units", "score")
    _use_log(by_units, np.array(config.packing.units))
    by_units.set_xlabel(f"units N of the combined arm (K = {max(config.packing.task_counts)})")
    draw_curves(by_tasks, scores[scores["n_units"] == max(config.packing.units)], "n_tasks", "score")
    _use_log(by_tasks, np.array(config.packing.task_counts))
    by_tasks.set_xlabel(f"tasks K (N = {max(config.packing.units)})")
    for axes in (by_units, by_tasks):
        axes.set_ylabel("score on the worst rotation")
        axes.set_ylim(-0.02, 1.02)
    for axes, letter in zip((learning, passing, by_units, by_tasks), "hijk", strict=True):
        add_letter(axes, letter)


def _draw_differences(axes: Axes, table: pd.DataFrame, varied: str, config: OverheadConfig, letter: str) -> None:
    rows = table[(table["varied"] == varied) & (table["match"] == "time") & (table["reference"] == "bias")]
    draw_curves(axes, rows, "size", "difference")
    _use_log(axes, np.unique(rows["size"]))
    axes.axhline(0, color="0.6", linewidth=0.7, zorder=0)
    axes.axhline(config.smallest_effect, color="0.6", linewidth=0.7, linestyle=":", zorder=0)
    axes.set_xlabel("units N of the combined arm" if varied == "n_units" else "tasks K")
    axes.set_ylabel("score minus bias, equal time")
    add_letter(axes, letter)
