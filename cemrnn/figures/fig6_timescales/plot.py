"""Figure 6: maps over both time constants, the front of speed and tolerance, and the curves behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cemrnn.figures.result import Result
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, open_figure

ARMS = ("excitability", "synaptic", "combined")
TAU_E, TAU_S = "tau_excitability_ms", "tau_synaptic_ms"
MAPS = (
    ("latency", "latency of a switch (ms)", "viridis_r", "{:.0f}", "a"),
    ("sigma75", "σ₇₅ of noise at each step (cue heights)", "viridis", "{:.2f}", "b"),
)
CURVES = (
    ("switch", "age of the switch when the answer is read (ms)", "d"),
    ("noise", "noise at each step σ (cue heights)", "e"),
    ("brief", "cue on for (ms)", "f"),
)
NO_PATHWAY = "–"


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig6_timescales.experiment.run`."""
    taus_ms, measures = list(result.config.taus_ms), result.tables["measures"]
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 6)
        panels = figure.subplot_mosaic([list("abc"), list("def")])
        for measure, label, colours, form, letter in MAPS:
            _draw_map(panels[letter], measures[measures["measure"] == measure], taus_ms, label, colours, form, letter)
        _draw_front(panels["c"], measures)
        for name, label, letter in CURVES:
            curves = result.tables["curves"]
            _draw_extremes(panels[letter], curves[curves["manipulation"] == name], taus_ms, label, letter)
        fast, slow = (f"{taus_ms[k]:g} ms" for k in (0, -1))
        extremes = (
            Line2D([], [], color="0.3", linestyle="--", label=f"τ = {fast}"),
            Line2D([], [], color="0.3", linestyle="-", label=f"τ = {slow}; combined: {fast} and {slow}"),
        )
        add_legend(figure, list(ARMS), extremes)
    return figure


def _draw_map(
    axes: Axes, table: pd.DataFrame, taus_ms: list[float], label: str, colours: str, form: str, letter: str
) -> None:
    """Draw means over (tau_E, tau_S), single pathways in the row and the column without the other."""
    ticks = [NO_PATHWAY, *(f"{tau:g}" for tau in taus_ms)]
    cells = np.full((len(ticks), len(ticks)), np.nan)
    for row in table.itertuples():
        place = tuple(
            0 if np.isnan(tau) else 1 + taus_ms.index(tau) for tau in (getattr(row, TAU_E), getattr(row, TAU_S))
        )
        cells[place] = row.value
    image = axes.imshow(cells, origin="lower", cmap=colours, aspect="auto")
    middle = np.nanmean([np.nanmin(cells), np.nanmax(cells)]) if not np.isnan(cells).all() else 0.0
    dark_is_low = not colours.endswith("_r")
    for (e, s), value in np.ndenumerate(cells):
        if (e, s) == (0, 0):
            continue
        on_dark = (value < middle) == dark_is_low
        text = "n.c." if np.isnan(value) else form.format(value)
        colour = "0.4" if np.isnan(value) else "white" if on_dark else "black"
        axes.text(s, e, text, ha="center", va="center", fontsize=6.5, color=colour)
    for edge in (axes.axhline, axes.axvline):
        edge(0.5, color="white", linewidth=2.5)
    axes.figure.colorbar(image, ax=axes, label=label)
    axes.set_xticks(range(len(ticks)), ticks)
    axes.set_yticks(range(len(ticks)), ticks)
    axes.set_xlabel("τ of synapses, τ_S (ms)")
    axes.set_ylabel("τ of excitability, τ_E (ms)")
    add_letter(axes, letter)


def _draw_front(axes: Axes, measures: pd.DataFrame) -> None:
    """Draw a point with both intervals per condition, and the front of the single pathways as steps."""
    keys = ["arm", TAU_E, TAU_S]
    wide = measures.set_index(["measure", *keys])
    named = [wide.loc[measure].add_suffix(f"_{measure}") for measure in ("latency", "sigma75")]
    points = named[0].join(named[1]).reset_index()
    points = points.dropna(subset=["value_latency", "value_sigma75"])
    for row in points.itertuples():
        look, equal = LOOKS[row.arm], getattr(row, TAU_E) == getattr(row, TAU_S)
        x, y = row.value_latency, row.value_sigma75
        axes.plot([row.low_latency, row.high_latency], [y, y], color=look.colour, linewidth=0.8, alpha=0.6)
        axes.plot([x, x], [row.low_sigma75, row.high_sigma75], color=look.colour, linewidth=0.8, alpha=0.6)
        fill = "none" if equal else look.colour
        axes.plot(x, y, marker=look.marker, color=look.colour, markerfacecolor=fill, markersize=5, linestyle="none")
    singles = points[points["arm"] != "combined"].sort_values("value_latency")
    if len(singles):
        best = singles["value_sigma75"].cummax()
        axes.step(singles["value_latency"], best, where="post", color="0.5", linewidth=2, alpha=0.5, zorder=0)
    axes.set_xlabel("latency of a switch (ms), shorter is better")
    axes.set_ylabel("σ₇₅ (cue heights), higher is better")
    add_letter(axes, "c")


def _draw_extremes(axes: Axes, curves: pd.DataFrame, taus_ms: list[float], label: str, letter: str) -> None:
    """Draw each arm's curve with the shortest time constant, dashed, and with the longest, or with both."""
    fast, slow = taus_ms[0], taus_ms[-1]
    shown = (
        ("excitability", (fast, None), "--"),
        ("excitability", (slow, None), "-"),
        ("synaptic", (None, fast), "--"),
        ("synaptic", (None, slow), "-"),
        ("combined", (fast, slow), "-"),
        ("combined", (slow, fast), "-."),
    )
    for arm, taus, line in shown:
        kept = curves["arm"] == arm
        for name, tau in zip((TAU_E, TAU_S), taus, strict=True):
            kept &= curves[name].isna() if tau is None else curves[name] == tau
        part, look = curves[kept], LOOKS[arm]
        if part["normalised"].isna().all():
            continue
        axes.plot(
            part["level"], part["normalised"], color=look.colour, linestyle=line, marker=look.marker, markersize=3
        )
        axes.fill_between(part["level"], part["low"], part["high"], color=look.colour, alpha=0.12, linewidth=0)
    for level in (0, 1):
        axes.axhline(level, color="0.8", linewidth=0.6, zorder=0)
    axes.set_xlabel(label)
    axes.set_ylabel("normalised accuracy")
    add_letter(axes, letter)
