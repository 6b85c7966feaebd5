"""Figure 5: outcomes of the two by two design, measures of synergy, lesions, conflict, robustness against packing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cemrnn.figures.fig5_synergy.experiment import OUTCOMES
from cemrnn.figures.fig5_synergy.pathways_apart import LESIONS
from cemrnn.figures.result import Result
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, open_figure

MEASURES = (
    ("beyond_best", "o", "beyond the better"),
    ("beyond_sum", "s", "beyond the sum"),
    ("beyond_bliss", "^", "beyond Bliss"),
)
SHADES = ("0.15", "0.45", "0.65")
DECIDES = ("excitability", "synapses", "neither")


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig5_synergy.experiment.run`."""
    tables = result.tables
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 5.4)
        panels = figure.subplot_mosaic([list("aabb"), list("ccde")])
        _draw_outcomes(panels["a"], tables["outcomes"], result.config.shown_arms)
        _draw_synergy(panels["b"], tables["synergy"])
        _draw_plane(panels["c"], tables["outcomes_networks"], result.config.shown_arms)
        _draw_bars(panels["d"], tables["lesions"].set_index("lesion").loc[list(LESIONS)], "accuracy")
        panels["d"].set_xlabel("normalised accuracy")
        add_letter(panels["d"], "d")
        _draw_bars(panels["e"], tables["conflict"].set_index("decides").loc[list(DECIDES)], "share")
        panels["e"].set_xlabel("share of answers for its task")
        add_letter(panels["e"], "e")
        add_legend(figure, result.config.shown_arms)
    return figure


def _draw_outcomes(axes: Axes, table: pd.DataFrame, arms: list[str]) -> None:
    for offset, arm in zip(np.linspace(-0.24, 0.24, len(arms)), arms, strict=True):
        part, look = table[table["arm"] == arm].set_index("outcome").loc[list(OUTCOMES)], LOOKS[arm]
        position = np.arange(len(OUTCOMES)) + offset
        axes.vlines(position, part["low"], part["high"], color=look.colour, linewidth=1)
        axes.plot(position, part["value"], linestyle="none", marker=look.marker, color=look.colour, markersize=5)
    axes.set_xticks(
        range(len(OUTCOMES)), ["mixture\n(area)", "noise\n(σ₇₅ / ideal)", "packing\n(octaves)", "joint\n(mean)"]
    )
    axes.set_ylabel("outcome (0: no context)")
    axes.set_ylim(-0.03, 1.03 * np.nanmax([1.0, *table["high"]]))
    axes.axhline(1, color="0.8", linewidth=0.6, zorder=0)
    add_letter(axes, "a")


def _draw_synergy(axes: Axes, table: pd.DataFrame) -> None:
    for offset, shade, (measure, marker, _) in zip((-0.2, 0, 0.2), SHADES, MEASURES, strict=True):
        part = table[table["measure"] == measure].set_index("outcome").loc[list(OUTCOMES)]
        position = np.arange(len(OUTCOMES)) + offset
        axes.vlines(position, part["low"], part["high"], color=shade, linewidth=1)
        for x, value, holm in zip(position, part["value"], part["holm"], strict=True):
            fill = shade if holm < 0.05 else "white"
            axes.plot(x, value, marker=marker, color=shade, markerfacecolor=fill, linestyle="none", markersize=5)
    axes.axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(OUTCOMES)), OUTCOMES)
    axes.set_ylabel("synergy (share of the scale)")
    handles = [
        Line2D([], [], color=shade, marker=marker, linestyle="none", label=label)
        for shade, (_, marker, label) in zip(SHADES, MEASURES, strict=True)
    ]
    handles.append(
        Line2D([], [], color="0.4", marker="o", markerfacecolor="white", linestyle="none", label="p > .05 (Holm)")
    )
    narrow = dict(ncols=4, columnspacing=0.5, handletextpad=0, fontsize=6)  # beside the letter
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), **narrow)
    add_letter(axes, "b")


def _draw_plane(axes: Axes, table: pd.DataFrame, arms: list[str]) -> None:
    for arm in arms:
        part, look = table[table["arm"] == arm].pivot(index="network", columns="outcome", values="value"), LOOKS[arm]
        axes.plot(part["noise"], part["packing"], linestyle="none", marker=look.marker, color=look.colour, alpha=0.35)
        centre = part[["noise", "packing"]].mean()
        axes.plot(
            *centre, marker=look.marker, color=look.colour, markersize=9, markeredgecolor="white", linestyle="none"
        )
    axes.set_xlabel("robustness to noise (σ₇₅ / ideal)")
    axes.set_ylabel("packing (share of octaves)")
    add_letter(axes, "c")


def _draw_bars(axes: Axes, table: pd.DataFrame, value: str) -> None:
    position = np.arange(len(table))
    axes.barh(position, table[value], color="0.75", height=0.6)
    axes.hlines(position, table["low"], table["high"], color="0.1", linewidth=1)
    axes.set_yticks(position, table.index)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_xlim(min(0.0, np.nanmin([0.0, *table["low"]]) * 1.1), 1.05)
