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
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select

RATIOS = {"update": "time of an update / plain", "step": "time of a step / plain", "memory": "memory / plain"}
COSTS = (
    ("update", "n_units", "units N", "time per update (ms)", 1e3),
    ("update", "n_contexts", "contexts K", "time per update (ms)", 1e3),
    ("update", "n_steps", "steps T", "time per update (ms)", 1e3),
    ("memory", "n_units", "units N", "memory per network (MB)", 1e-6),
)
SIZES = {"n_units": "units N of the combined arm", "n_tasks": "tasks K"}
NARROW = 5  # a cost that varies less is drawn from zero on a linear axis
# Device and match -> face of the marker, and place beside the arm's line.
KINDS = {
    ("cpu", "units"): ("full", -0.18),
    ("cpu", "parameters"): ("none", 0.18),
    ("cuda", "units"): ("left", -0.36),
    ("cuda", "parameters"): ("right", 0.36),
}


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig9_overhead_scaling.experiment.run`, and part b: costs and scores by size."""
    return {"": _plot_worth(result), "b": _plot_sizes(result)}


def _plot_worth(result: Result) -> Figure:
    config, tables = result.config, result.tables
    figure, panels = style.open_panels(["abc", "def"], 6.2)
    for letter, (quantity, label) in zip("abc", RATIOS.items(), strict=True):
        _draw_ratios(panels[letter], select(tables["overhead"], quantity=quantity, again=0), config)
        style.name_axes(panels[letter], letter, label)
    style.draw_curves(panels["d"], tables["learning"], "seconds", "score")
    panels["d"].axhline(config.passing_score, color="0.6", linewidth=0.7, zorder=0)
    style.name_axes(panels["d"], "d", "time of training (s)", "score on the worst task", xlim=(0, None))
    gained = select(tables["differences"], match="time", reference="bias")
    for letter, (varied, label) in zip("ef", SIZES.items(), strict=True):
        _draw_differences(panels[letter], select(gained, varied=varied), config.smallest_effect)
        style.name_axes(panels[letter], letter, label, "score minus bias, equal time")
    style.add_legend(figure, config.arms, _explain_marks(tables["overhead"]))
    return figure


def _plot_sizes(result: Result) -> Figure:
    config, tables = result.config, result.tables
    on_cpu = {name: select(tables[name], device="cpu") for name in ("scaling", "exponents")}
    figure, panels = style.open_panels(["abc", "def"], 6.2)
    for letter, (quantity, varied, x, y, factor) in zip("abcd", COSTS, strict=True):
        _draw_cost(panels[letter], select(on_cpu["scaling"], quantity=quantity, varied=varied), factor)
        style.name_axes(panels[letter], letter, x, y)
        exponents = select(on_cpu["exponents"], quantity=quantity, varied=varied).set_index("arm")["exponent"]
        text = "\n".join(f"exponent, {arm}: {style.write_number(exponents[arm])}" for arm in ("plain", "combined"))
        panels[letter].set_title(text, loc="right")
    _draw_scores(panels["e"], panels["f"], select(tables["scores"], match="updates"), config)
    style.add_legend(figure, config.arms)
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


def _draw_scores(by_units: Axes, by_tasks: Axes, scores: pd.DataFrame, config: OverheadConfig) -> None:
    units, counts = config.packing.units, config.packing.task_counts
    style.draw_curves(by_units, select(scores, n_tasks=max(counts)), "n_units", "score")
    style.use_octaves(by_units, units)
    style.draw_curves(by_tasks, select(scores, n_units=max(units)), "n_tasks", "score")
    style.use_octaves(by_tasks, counts)
    labels = f"units N, combined (K = {max(counts)})", f"tasks K (N = {max(units)})"
    for axes, letter, label in zip((by_units, by_tasks), "ef", labels, strict=True):
        style.name_axes(axes, letter, label, "score on the worst map", ylim=(-0.02, 1.02))


def _draw_differences(axes: Axes, rows: pd.DataFrame, smallest_effect: float) -> None:
    style.draw_curves(axes, rows, "size", "difference")
    style.use_octaves(axes, np.unique(rows["size"]))
    axes.axhline(0, color="0.6", linewidth=0.7, zorder=0)
    axes.axhline(smallest_effect, color="0.6", linewidth=0.7, linestyle=":", zorder=0)
