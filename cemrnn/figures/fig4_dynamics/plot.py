"""Figure 4: phase portraits; displacement and change of the flow, angles, dimensions, time constants, bifurcations."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from cemrnn.figures import style
from cemrnn.figures.fig4_dynamics.experiment import PORTRAYED
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select

KINDS = {
    "stable": dict(marker="o", markerfacecolor="black", markeredgecolor="white"),
    "unstable": dict(marker="o", markerfacecolor="white", markeredgecolor="black"),
    "slow": dict(marker="d", markerfacecolor="#F0E442", markeredgecolor="0.3"),
}
POINT = dict(linestyle="none", markersize=4.5, markeredgewidth=0.7, zorder=5)
HELD = ("fixation", "delay1", "delay2")  # epochs with the input under which the flow is drawn
TITLE_COLUMNS = 18  # characters that a portrait is wide
AT_REST = dict(color="#5E3C99", linewidth=1.1)  # no colour of an arm
DRIVEN = dict(color="#B2ABD2", linewidth=0.8)


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig4_dynamics.experiment.run`, and part b: sizes, times and units."""
    measures = dict(list(result.tables["measures"].groupby("measure")))
    return {"": _plot_change(result, measures), "b": _plot_states(result, measures)}


def _plot_change(result: Result, measures: dict[str, pd.DataFrame]) -> Figure:
    tables, arms = result.tables, result.config.arms
    shown = [arm for arm in PORTRAYED if arm in arms]
    rows, n_portraits = (["b", "c", "d"], max(1, len(shown))) if style.is_narrow() else (["bcd"], 1)
    heights = [2.5 * n_portraits, 3.4 * len(rows)]
    figure = style.open_figure(style.page_width(), sum(heights))
    top, bottom = figure.subfigures(2, 1, height_ratios=heights)
    _draw_portraits(top, result, shown)
    panels = bottom.subplot_mosaic(list(map(list, rows)))
    _draw_plane(panels["b"], tables["networks"], arms)
    _draw_both(panels["c"], measures, arms, {"angle": "two tasks", "angle_same_task": "one task"})
    style.name_axes(panels["c"], "c", "principal angle (degrees)")
    style.draw_curves(panels["d"], tables["bifurcations"], "lambda", "share")
    limits = dict(xlim=(0, 1), ylim=(0, None))
    style.name_axes(panels["d"], "d", "share of the second task, λ", "paths with a bifurcation", **limits)
    style.add_legend(bottom, arms)
    return figure


def _plot_states(result: Result, measures: dict[str, pd.DataFrame]) -> Figure:
    tables, arms = result.tables, result.config.arms
    if style.is_narrow():
        figure, panels = style.open_panels(["abc"], 3.4)
    else:
        figure = style.open_figure(style.WIDTH_IN, 5.2)
        panels = figure.subplot_mosaic([list("ac"), list("bc")], width_ratios=[1, 1.2])
    _draw_both(panels["a"], measures, arms, {"participation": "all tasks", "participation_task": "one task"})
    style.name_axes(panels["a"], "a", "participation ratio (dimensions)")
    style.draw_estimates(panels["b"], measures["slowest_ms"], arms, "value")
    _draw_networks(panels["b"], tables["networks"], arms, "slowest_ms")
    style.name_axes(panels["b"], "b", "slowest time constant (ms)", xlim=(0, None))
    _draw_variance(panels["c"], tables["units"], result)
    style.add_letter(panels["c"], "c")
    style.add_legend(figure, arms)
    return figure


def _draw_portraits(figure: SubFigure, result: Result, shown: list[str]) -> None:
    """Draw two panels per arm: the flow in the context of either task, on the same plane."""
    n = max(1, len(shown))
    parts = figure.subfigures(*((n, 1) if style.is_narrow() else (1, n)))
    for arm, part in zip(shown, np.atleast_1d(parts), strict=bool(shown)):
        part.suptitle(arm, color=style.LOOKS[arm].colour, fontweight="bold")
        for axes, name in zip(part.subplots(1, 2), result.config.example_tasks, strict=True):
            axes.set_box_aspect(1)
            title = textwrap.fill(f"in {style.spell(name)}", TITLE_COLUMNS)
            axes.set(xticks=[], yticks=[], xlabel="PC 1", title=title)
            if select(result.tables["portrait_field"], arm=arm)["x"].notna().any():
                _draw_portrait(axes, result, arm, result.config.tasks.index(name))
            else:
                style.say_blank(axes)
        part.axes[0].set_ylabel("PC 2")
    figure.text(0.005, 0.98, "a", fontweight="bold", va="top")
    handles = style.make_handles({f"{kind} point": look for kind, look in KINDS.items()}, **POINT)
    handles += style.make_handles(
        {"trial, under the input of the flow": AT_REST, "trial, stimulus or response": DRIVEN}
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=1 if style.is_narrow() else 3)


def _even(places: np.ndarray) -> np.ndarray:
    """The places of a grid, evenly spaced again after their table was rounded."""
    return np.linspace(places[0], places[-1], len(places))


def _draw_portrait(axes: Axes, result: Result, arm: str, task: int) -> None:
    names = ("field", "trajectories", "points")
    parts = {name: select(result.tables[f"portrait_{name}"], arm=arm, task=task) for name in names}
    flow = parts["field"].pivot(index="y", columns="x", values=["u", "v"])
    x, y = (_even(places.to_numpy()) for places in (flow["u"].columns, flow.index))
    thin = dict(color="0.7", density=0.8, linewidth=0.6, arrowsize=0.6)
    axes.streamplot(x, y, flow["u"].to_numpy(), flow["v"].to_numpy(), **thin)
    for _, trial in parts["trajectories"].groupby("trial"):
        axes.plot(trial["x"], trial["y"], **DRIVEN)
        held = trial["epoch"].isin(HELD)
        axes.plot(trial["x"].where(held), trial["y"].where(held), **AT_REST)
    for kind, part in parts["points"].groupby("kind"):
        axes.plot(part["x"], part["y"], **KINDS[kind], **POINT)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))


def _draw_plane(axes: Axes, networks: pd.DataFrame, arms: Sequence[str]) -> None:
    for arm in arms:
        part, look = select(networks, arm=arm), style.LOOKS[arm]
        marks = dict(linestyle="none", marker=look.marker, color=look.colour)
        axes.plot(part["flow_change"], part["displacement"], alpha=0.4, **marks)
        axes.plot(*part[["flow_change", "displacement"]].mean(), markersize=9, markeredgecolor="white", **marks)
        axes.axhline(part["displacement_same_context"].mean(), color=look.colour, linewidth=0.8, linestyle=":")
    limits = dict(xlim=(0, None), ylim=(0, None))
    style.name_axes(axes, "b", "change of the flow (relative)", "displacement of points (spreads)", **limits)


def _draw_both(axes: Axes, measures: dict[str, pd.DataFrame], arms: Sequence[str], names: dict[str, str]) -> None:
    """Draw the first measure as in `draw_estimates`, the second with open markers on the same rows."""
    (first, label), (second, other) = names.items()
    style.draw_estimates(axes, measures[first], arms, "value")
    rows, hollow = measures[second].set_index("arm"), dict(markerfacecolor="white")
    for position, arm in enumerate(arms):
        style.draw_rows(axes, [position], rows.loc[[arm]], "value", style.LOOKS[arm], markersize=5, **hollow)
    axes.set_xlim(0, None)
    style.add_small_legend(axes, style.make_handles({label: {}, other: hollow}, **style.GREY))


def _draw_networks(axes: Axes, networks: pd.DataFrame, arms: Sequence[str], measure: str) -> None:
    """Draw a faint marker per network."""
    for position, arm in enumerate(arms):
        values, look = select(networks, arm=arm)[measure], style.LOOKS[arm]
        marks = dict(linestyle="none", alpha=0.4, marker=look.marker, color=look.colour)
        axes.plot(values, [position + 0.25] * len(values), **marks)


def _draw_variance(axes: Axes, units: pd.DataFrame, result: Result) -> None:
    """Draw task variance of the units of one network, grouped by cluster."""
    compared = set(units.loc[units["variance"].notna(), "arm"])
    arm = next((arm for arm in reversed(PORTRAYED) if arm in compared), None)
    axes.set_xlabel(f"units of one {arm or 'trained'} network, by cluster")
    if arm is None:
        style.say_blank(axes)
        return
    part, tasks = select(units, arm=arm), result.config.tasks
    part = part[part["network"] == part["network"].min()]
    image = style.draw_units(axes, part, tasks, "variance", "white", cmap="cividis", vmin=0, vmax=1)
    axes.set_yticks(range(len(tasks)), list(map(style.spell, tasks)))
    axes.figure.colorbar(image, ax=axes, label="task variance", pad=0.02)
