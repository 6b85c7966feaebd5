"""Figure 5: outcomes of the two by two design, measures of synergy, lesions, conflict, robustness against packing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig5_synergy.experiment import OUTCOMES
from cemrnn.figures.fig5_synergy.pathways_apart import LESIONS
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select
from cemrnn.network.pathways import Look

MEASURES = (  # name, shade, marker, label
    ("beyond_best", "0.15", "o", "beyond the better"),
    ("beyond_sum", "0.45", "s", "beyond the sum"),
    ("beyond_bliss", "0.65", "^", "beyond Bliss"),
)
DECIDES = ("excitability", "synapses", "neither")


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig5_synergy.experiment.run`."""
    tables, arms = result.tables, result.config.shown_arms
    figure, panels = style.open_panels(["ab", "cde"], 6)
    _draw_outcomes(panels["a"], tables["outcomes"], arms)
    _draw_synergy(panels["b"], tables["synergy"])
    _draw_plane(panels["c"], tables["outcomes_networks"], arms)
    _draw_shares(panels["d"], tables["lesions"].set_index("lesion").loc[list(LESIONS)], "accuracy")
    style.name_axes(panels["d"], "d", "normalised accuracy")
    _draw_shares(panels["e"], tables["conflict"].set_index("decides").loc[list(DECIDES)], "share")
    style.name_axes(panels["e"], "e", "share of answers for its task")
    style.add_legend(figure, arms)
    return figure


def _draw_outcomes(axes: Axes, table: pd.DataFrame, arms: Sequence[str]) -> None:
    for offset, arm in style.spread_over(arms, 0.24):
        part = select(table, arm=arm).set_index("outcome").loc[list(OUTCOMES)]
        style.draw_points(axes, np.arange(len(OUTCOMES)) + offset, part, "value", style.LOOKS[arm], markersize=5)
    names = ["mixture\n(area)", "noise\n(σ₇₅ / ideal)", "packing\n(share of bits)", "joint\n(mean)"]
    axes.set_xticks(range(len(OUTCOMES)), names)
    axes.axhline(1, color="0.8", linewidth=0.6, zorder=0)
    style.name_axes(axes, "a", "", "outcome (0: no context)", ylim=(-0.03, 1.03 * np.nanmax([1.0, *table["high"]])))


def _draw_synergy(axes: Axes, table: pd.DataFrame) -> None:
    for offset, (measure, shade, marker, _) in style.spread_over(MEASURES, 0.2):
        part, look = select(table, measure=measure).set_index("outcome").loc[list(OUTCOMES)], Look(shade, marker, "-")
        for k, outcome in enumerate(OUTCOMES):
            fill = shade if part["holm"][outcome] < 0.05 else "white"
            style.draw_points(axes, k + offset, part.loc[outcome], "value", look, markerfacecolor=fill, markersize=5)
    axes.axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(OUTCOMES)), OUTCOMES)
    marks = {label: dict(color=shade, marker=marker) for _, shade, marker, label in MEASURES}
    marks["p > .05 (Holm)"] = dict(color="0.4", marker="o", markerfacecolor="white")
    style.add_small_legend(axes, style.make_handles(marks, linestyle="none"), ncols=2)
    style.name_axes(axes, "b", "", "synergy (share of the scale)")


def _draw_plane(axes: Axes, table: pd.DataFrame, arms: Sequence[str]) -> None:
    for arm in arms:
        part, look = select(table, arm=arm).pivot(index="network", columns="outcome", values="value"), style.LOOKS[arm]
        marks = dict(marker=look.marker, color=look.colour, linestyle="none")
        axes.plot(part["noise"], part["packing"], alpha=0.35, **marks)
        axes.plot(*part[["noise", "packing"]].mean(), markersize=9, markeredgecolor="white", **marks)
    style.name_axes(axes, "c", "robustness to noise (σ₇₅ / ideal)", "packing (share of bits)")


def _draw_shares(axes: Axes, table: pd.DataFrame, value: str) -> None:
    style.draw_bars(axes, table, value)
    style.name_rows(axes, table.index)
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_xlim(min(0.0, np.nanmin([0.0, *table["low"]]) * 1.1), 1.05)
