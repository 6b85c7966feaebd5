"""Figure 16: the main effects in every setting, sorted, and what every choice does to them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig16_multiverse.config import CHOICES
from cemrnn.figures.fig16_multiverse.experiment import CONTRASTS
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select
from cemrnn.figures.shared.packing import MATCHES

LABELS = {
    "excitability_minus_synaptic": "excitability − synaptic",
    "combined_minus_synaptic": "combined − synaptic",
    "combined_minus_best_single": "combined − better one",
}
NAMES = {"accuracy": "maps", "robustness": "noise", "joint": "joint"}
PARTS = {"": "accuracy", "b": "robustness", "e": "joint"}  # sorted settings; the others are choice by choice
CHOICE_PARTS = {"c": "accuracy", "d": "robustness"}
ROWS = ["abc", "def"]  # a row for each reading, a column for each contrast
CHOICE_NAMES = dict(zip(CHOICES, ("φ", "rate", "N / R", "radius", "updates"), strict=True))
CLEAR, UNCLEAR = "0.1", "0.6"  # shades: the interval excludes 0, or does not
LEAST = 0.01  # of an effect, on both sides of 0


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig16_multiverse.experiment.run`: maps; b: noise; c, d: by choice; e: joint."""
    figures = {part: _plot_sorted(result, measure) for part, measure in PARTS.items()}
    return figures | {part: _plot_choices(result, measure) for part, measure in CHOICE_PARTS.items()}


def _plot_sorted(result: Result, measure: str) -> Figure:
    figure, panels = style.open_panels(ROWS, 4.8)
    for (letter, axes), (match, contrast) in zip(panels.items(), _effects(), strict=True):
        rows = select(result.tables["effects"], measure=measure, match=match, contrast=contrast)
        rows = rows.dropna(subset="value").sort_values("value")
        _draw_sorted(axes, rows)
        overall = f"{measure}_{match}_{contrast}"
        _draw_overall(axes, *(result.scalars[f"{overall}{end}"] for end in ("", "_low", "_high")))
        axes.set_title(f"{NAMES[measure]}, equal {match}", loc="right")
        style.name_axes(axes, letter, "settings, sorted", LABELS[contrast])
        if rows.empty:
            style.say_blank(axes)
    return figure


def _effects() -> list[tuple[str, str]]:
    """Reading and contrast of every panel."""
    return list(itertools.product(MATCHES, CONTRASTS))


def _draw_sorted(axes: Axes, rows: pd.DataFrame) -> None:
    clear = (rows["low"] > 0) | (rows["high"] < 0)
    shades = np.where(clear, CLEAR, UNCLEAR)
    at = np.arange(len(rows))
    axes.vlines(at, rows["low"], rows["high"], color=shades, linewidth=1)
    axes.scatter(at, rows["value"], c=shades, s=9, zorder=3)
    axes.axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xticks([])
    axes.set_ylim(*_widen(*axes.get_ylim()))
    axes.locator_params(axis="y", nbins=6)


def _widen(low: float, high: float) -> tuple[float, float]:
    """Limits that are no nearer to 0 than a hundredth, so that rounding does not fill a panel."""
    return min(low, -LEAST), max(high, LEAST)


def _draw_overall(axes: Axes, value: float, low: float, high: float) -> None:
    """The effect over networks and settings alike, as a line with a band."""
    if np.isfinite(value):
        axes.axhline(value, color=style.LOOKS["combined"].colour, linewidth=1.2)
        axes.axhspan(low, high, color=style.LOOKS["combined"].colour, alpha=0.15, linewidth=0)


def _plot_choices(result: Result, measure: str) -> Figure:
    """The mean effect over the settings that share a choice."""
    table = result.tables["choices"]
    varied = table.groupby("choice")["level"].nunique() > 1
    table = table[table["choice"].map(varied)]
    levels = list(dict.fromkeys(zip(table["choice"], table["level"], strict=True)))
    figure, panels = style.open_panels(ROWS, 1.2 + 0.42 * len(levels))
    for (letter, axes), (match, contrast) in zip(panels.items(), _effects(), strict=True):
        rows = select(table, measure=measure, match=match, contrast=contrast).set_index(["choice", "level"])
        rows = rows.reindex(levels)
        axes.hlines(range(len(rows)), rows["low"], rows["high"], color=CLEAR, linewidth=1)
        axes.plot(rows["value"], range(len(rows)), "o", color=CLEAR, markersize=4)
        axes.axvline(0, color="0.4", linewidth=0.8, linestyle=":")
        style.name_rows(axes, [f"{CHOICE_NAMES[choice]} {style.show_text(level)}" for choice, level in levels])
        axes.set_xlim(*_widen(*axes.get_xlim()))
        axes.locator_params(axis="x", nbins=4)
        axes.set_title(f"{NAMES[measure]}, equal {match}", loc="right")
        style.name_axes(axes, letter, LABELS[contrast])
    return figure
