"""Figure 4: phase portraits; displacement and change of the flow, angles, dimensions, time constants, bifurcations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from cemrnn.figures.fig4_dynamics.experiment import PORTRAYED
from cemrnn.figures.result import Result
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, draw_curves, draw_estimates, open_figure

KINDS = {
    "stable": dict(marker="o", markerfacecolor="black", markeredgecolor="white"),
    "unstable": dict(marker="o", markerfacecolor="white", markeredgecolor="black"),
    "slow": dict(marker="d", markerfacecolor="#F0E442", markeredgecolor="0.3"),
}
POINT = dict(linestyle="none", markersize=4.5, markeredgewidth=0.7, zorder=5)
HELD = ("fixation", "delay1", "delay2")  # epochs with the input under which the flow is drawn
AT_REST = dict(color="#5E3C99", linewidth=1.1)  # no colour of an arm
DRIVEN = dict(color="#B2ABD2", linewidth=0.8)


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig4_dynamics.experiment.run`."""
    tables, arms = result.tables, list(result.config.arms)
    measures = {name: part for name, part in tables["measures"].groupby("measure")}
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 7.2)
        top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.75])
        _draw_portraits(top, result)
        panels = bottom.subplot_mosaic([list("bcd"), list("efg")])
        for letter, axes in panels.items():
            add_letter(axes, letter)
        _draw_plane(panels["b"], tables["networks"], arms)
        _draw_both(panels["c"], measures, arms, {"angle": "two tasks", "angle_same_task": "halves of one task"})
        panels["c"].set_xlabel("mean principal angle (degrees)")
        _draw_both(panels["d"], measures, arms, {"participation": "all tasks", "participation_task": "one task"})
        panels["d"].set_xlabel("participation ratio (dimensions)")
        draw_estimates(panels["e"], measures["slowest_ms"], arms, "value")
        _draw_networks(panels["e"], tables["networks"], arms, "slowest_ms")
        panels["e"].set_xlabel("slowest time constant of a stable point (ms)")
        _draw_bifurcations(panels["f"], tables["bifurcations"])
        _draw_variance(panels["g"], tables["units"], result)
        add_legend(bottom, arms)
    return figure


def _draw_portraits(figure: SubFigure, result: Result) -> None:
    """Draw two panels per arm: the flow in the context of either task, on the same plane."""
    field, shown = result.tables["portrait_field"], [arm for arm in PORTRAYED if arm in result.config.arms]
    for arm, part in zip(shown, np.atleast_1d(figure.subfigures(1, len(shown))), strict=True):
        part.suptitle(arm, color=LOOKS[arm].colour, fontweight="bold", fontsize=8)
        for axes, name in zip(part.subplots(1, 2), result.config.example_tasks, strict=True):
            axes.set_box_aspect(1)
            axes.set(xticks=[], yticks=[], xlabel="PC 1", ylabel="PC 2", title=f"in context {name.replace('_', ' ')}")
            if field.loc[field["arm"] == arm, "x"].notna().any():
                _draw_portrait(axes, result, arm, result.config.tasks.index(name))
            else:
                axes.annotate("not compared", (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
    figure.text(0.005, 0.98, "a", fontweight="bold", va="top")
    handles = _portrait_handles()
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _draw_portrait(axes: Axes, result: Result, arm: str, task: int) -> None:
    parts = {}
    for name in ("field", "trajectories", "points"):
        table = result.tables[f"portrait_{name}"]
        parts[name] = table[(table["arm"] == arm) & (table["task"] == task)]
    flow = parts["field"].pivot(index="y", columns="x", values=["u", "v"])
    x, y = flow["u"].columns.to_numpy(), flow.index.to_numpy()
    axes.streamplot(
        x, y, flow["u"].to_numpy(), flow["v"].to_numpy(), color="0.7", density=0.8, linewidth=0.6, arrowsize=0.6
    )
    for _, trial in parts["trajectories"].groupby("trial"):
        axes.plot(trial["x"], trial["y"], **DRIVEN)
        held = trial["epoch"].isin(HELD)
        axes.plot(trial["x"].where(held), trial["y"].where(held), **AT_REST)
    for kind, part in parts["points"].groupby("kind"):
        axes.plot(part["x"], part["y"], **KINDS[kind], **POINT)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])


def _portrait_handles() -> list[Line2D]:
    handles = [Line2D([], [], label=f"{kind} point", **look, **POINT) for kind, look in KINDS.items()]
    handles.append(Line2D([], [], label="trial, under the input of the flow", **AT_REST))
    return [*handles, Line2D([], [], label="trial, stimulus or response", **DRIVEN)]


def _draw_plane(axes: Axes, networks: pd.DataFrame, arms: list[str]) -> None:
    for arm in arms:
        part, look = networks[networks["arm"] == arm], LOOKS[arm]
        style = dict(linestyle="none", marker=look.marker, color=look.colour)
        axes.plot(part["flow_change"], part["displacement"], alpha=0.4, **style)
        centre = part[["flow_change", "displacement"]].mean()
        axes.plot(*centre, markersize=9, markeredgecolor="white", **style)
        axes.axhline(part["displacement_same_context"].mean(), color=look.colour, linewidth=0.8, linestyle=":")
    axes.set_xlim(0, None)
    axes.set_ylim(0, None)
    axes.set_xlabel("change of the flow (relative)")
    axes.set_ylabel("displacement of points (spreads)")


def _draw_both(axes: Axes, measures: dict[str, pd.DataFrame], arms: list[str], names: dict[str, str]) -> None:
    """Draw the first measure as in `draw_estimates`, the second with open markers on the same rows."""
    (first, label), (second, other) = names.items()
    draw_estimates(axes, measures[first], arms, "value")
    rows = measures[second].set_index("arm")
    for position, arm in enumerate(arms):
        row, look = rows.loc[arm], LOOKS[arm]
        axes.plot([row["low"], row["high"]], [position] * 2, color=look.colour, linewidth=0.8)
        style = dict(marker=look.marker, color=look.colour, markerfacecolor="white", linestyle="none", markersize=5)
        axes.plot(row["value"], position, **style)
    axes.set_xlim(0, None)
    style = dict(color="0.3", marker="o", linestyle="none")
    handles = [Line2D([], [], label=label, **style), Line2D([], [], label=other, markerfacecolor="white", **style)]
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        borderaxespad=0.1,
        handletextpad=0.2,
        columnspacing=1,
    )


def _draw_networks(axes: Axes, networks: pd.DataFrame, arms: list[str], measure: str) -> None:
    """Draw a faint marker per network."""
    for position, arm in enumerate(arms):
        values, look = networks.loc[networks["arm"] == arm, measure], LOOKS[arm]
        axes.plot(
            values, [position + 0.25] * len(values), linestyle="none", alpha=0.4, marker=look.marker, color=look.colour
        )
    axes.set_xlim(0, None)


def _draw_bifurcations(axes: Axes, table: pd.DataFrame) -> None:
    draw_curves(axes, table, "lambda", "share")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, None)
    axes.set_xlabel("share of the second task in the context, λ")
    axes.set_ylabel("paths with a bifurcation")


def _draw_variance(axes: Axes, units: pd.DataFrame, result: Result) -> None:
    """Draw task variance of the units of one network, grouped by cluster."""
    compared = set(units.loc[units["variance"].notna(), "arm"])
    arm = next((arm for arm in reversed(PORTRAYED) if arm in compared), None)
    if arm is None:
        axes.set(xticks=[], yticks=[], xlabel="units")
        axes.annotate("not compared", (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
        return
    part = units[units["arm"] == arm]
    part = part[(part["network"] == part["network"].min()) & (part["cluster"] >= 0)]
    cells = part.pivot(index="task", columns=["cluster", "unit"], values="variance").loc[list(result.config.tasks)]
    cells = cells.sort_index(axis="columns")
    image = axes.imshow(cells / cells.max(), aspect="auto", cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    edges = np.flatnonzero(np.diff(cells.columns.get_level_values("cluster"))) + 0.5
    axes.vlines(edges, -0.5, len(cells) - 0.5, color="white", linewidth=0.8)
    axes.set_yticks(range(len(cells)), [name.replace("_", " ") for name in cells.index], fontsize=5.5)
    axes.set_xticks([])
    axes.set_xlabel(f"units of one {arm} network, by cluster")
    axes.figure.colorbar(image, ax=axes, label="task variance", pad=0.02)
