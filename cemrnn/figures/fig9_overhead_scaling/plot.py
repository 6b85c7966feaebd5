"""Figure 9: cost relative to plain, cost against size, score against time and size, and what the cost buys."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from cemrnn.figures import style
from cemrnn.figures.fig9_overhead_scaling.cost import OverheadConfig
from cemrnn.figures.result import Result, Tables
from cemrnn.figures.shared.frames import select

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


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig9_overhead_scaling.experiment.run`."""
    config, tables = result.config, result.tables
    on_cpu = {name: select(tables[name], device="cpu") for name in ("scaling", "exponents")}
    figure = style.open_figure(10, 9.6)
    rows = figure.subfigures(4, 1, height_ratios=[1.15, 1, 1, 1])
    for axes, letter, (quantity, label) in zip(rows[0].subplots(1, 3), "abc", RATIOS.items(), strict=True):
        _draw_ratios(axes, select(tables["overhead"], quantity=quantity, again=0), config)
        style.name_axes(axes, letter, label)
    for axes, letter, (quantity, varied, x, y, factor) in zip(rows[1].subplots(1, 4), "defg", COSTS, strict=True):
        _draw_cost(axes, select(on_cpu["scaling"], quantity=quantity, varied=varied), factor)
        style.name_axes(axes, letter, x, y)
        exponents = select(on_cpu["exponents"], quantity=quantity, varied=varied).set_index("arm")["exponent"]
        text = ", ".join(f"{arm} {exponents[arm]:.2f}" for arm in ("plain", "combined"))
        axes.set_title(f"exponent: {text}", loc="right", fontsize=6)
    _draw_times(*rows[2].subplots(1, 4)[:2], tables, config)
    _draw_scores(*rows[2].axes[2:], select(tables["scores"], match="updates"), config)
    gained = select(tables["differences"], match="time", reference="bias")
    labels = {"n_units": "units N of the combined arm", "n_tasks": "tasks K"}
    for axes, letter, (varied, label) in zip(rows[3].subplots(1, 2), "lm", labels.items(), strict=True):
        _draw_differences(axes, select(gained, varied=varied), config.smallest_effect)
        style.name_axes(axes, letter, label, "score minus bias, equal time")
    style.add_legend(figure, config.arms, _explain_marks(tables["overhead"]))
    return figure


def _draw_ratios(axes: Axes, rows: pd.DataFrame, config: OverheadConfig) -> None:
    arms = [arm for arm in config.arms if arm != "plain"]
    for row in rows[rows["arm"].isin(arms)].itertuples():
        look, (face, offset) = style.LOOKS[row.arm], KINDS[row.device, row.match]
        place = arms.index(row.arm) + offset
        axes.plot([row.low, row.high], [place] * 2, color=look.colour)
        axes.plot(row.ratio, place, marker=look.marker, color=look.colour, fillstyle=face, markersize=5)
    style.name_rows(axes, arms)
    axes.axvline(1, color="0.6", linewidth=0.7, zorder=0)


def _explain_marks(table: pd.DataFrame) -> list[Line2D]:
    """A line for the legend per kind of marker that is shown."""
    shown = set(zip(table["device"], table["match"], strict=True))
    labels = {kind: f"equal {kind[1]}" + (", GPU" if kind[0] == "cuda" else "") for kind in KINDS if kind in shown}
    return style.make_handles({label: dict(fillstyle=KINDS[k][0]) for k, label in labels.items()}, **style.GREY)


def _draw_cost(axes: Axes, rows: pd.DataFrame, factor: float) -> None:
    scaled = rows.assign(**{name: rows[name] * factor for name in ("value", "low", "high")})
    style.draw_curves(axes, scaled, "size", "value")
    style.use_octaves(axes, np.unique(rows["size"]))
    if scaled["value"].max() < NARROW * scaled["value"].min():
        axes.set_ylim(bottom=0)
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_times(learning: Axes, passing: Axes, tables: Tables, config: OverheadConfig) -> None:
    style.draw_curves(learning, tables["learning"], "seconds", "score")
    learning.axhline(config.passing_score, color="0.6", linewidth=0.7, zorder=0)
    style.name_axes(learning, "h", "time of training (s)", "score on the worst task", xlim=(0, None))
    style.draw_estimates(passing, tables["passing"], config.arms, "seconds")
    style.name_axes(passing, "i", f"time to a score of {config.passing_score:g} (s)", xlim=(0, None))


def _draw_scores(by_units: Axes, by_tasks: Axes, scores: pd.DataFrame, config: OverheadConfig) -> None:
    units, counts = config.packing.units, config.packing.task_counts
    style.draw_curves(by_units, select(scores, n_tasks=max(counts)), "n_units", "score")
    style.use_octaves(by_units, units)
    style.draw_curves(by_tasks, select(scores, n_units=max(units)), "n_tasks", "score")
    style.use_octaves(by_tasks, counts)
    labels = f"units N of the combined arm (K = {max(counts)})", f"tasks K (N = {max(units)})"
    for axes, letter, label in zip((by_units, by_tasks), "jk", labels, strict=True):
        style.name_axes(axes, letter, label, "score on the worst map", ylim=(-0.02, 1.02))


def _draw_differences(axes: Axes, rows: pd.DataFrame, smallest_effect: float) -> None:
    style.draw_curves(axes, rows, "size", "difference")
    style.use_octaves(axes, np.unique(rows["size"]))
    axes.axhline(0, color="0.6", linewidth=0.7, zorder=0)
    axes.axhline(smallest_effect, color="0.6", linewidth=0.7, linestyle=":", zorder=0)
