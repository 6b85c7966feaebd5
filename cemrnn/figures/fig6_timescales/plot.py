"""Figure 6: maps over both time constants, the front of speed and tolerance, and the curves behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.result import Result, Tables
from cemrnn.figures.shared.frames import select

ARMS = ("excitability", "synaptic", "combined")
TAU_E, TAU_S = "tau_excitability_ms", "tau_synaptic_ms"
MAPS = (
    ("latency", "latency of a switch (ms)", "viridis_r", "{:.0f}".format, "a"),
    ("sigma75", "σ₇₅ of noise at each step (cue heights)", "viridis", "{:.2f}".format, "b"),
)
CURVES = (
    ("switch", "time since the switch (ms)", "a"),
    ("noise", "noise at each step σ (cue heights)", "b"),
    ("brief", "cue on for (ms)", "c"),
)
NO_PATHWAY = "–"
INTERVALS = {"trained": "trained", "extrapolated": "others", "all": "all"}
PUBLISHED_MARKS = {"NM-RNN": "_", "low-rank RNN": "x"}


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig6_timescales.experiment.run`, and part b: the curves behind it."""
    return {"": _plot_measures(result), "b": _plot_curves(result)}


def _plot_measures(result: Result) -> Figure:
    taus_ms, tables = list(result.config.taus_ms), result.tables
    figure, panels = style.open_panels(["ab", "cd"], 6.4)
    for measure, *described, letter in MAPS:
        _draw_map(panels[letter], select(tables["measures"], measure=measure), taus_ms, *described)
        style.name_axes(panels[letter], letter, "τ of synapses, τ_S (ms)", "τ of excitability, τ_E (ms)")
    _draw_front(panels["c"], tables["measures"])
    _draw_intervals(panels["d"], tables)
    style.add_legend(figure, ARMS)
    return figure


def _plot_curves(result: Result) -> Figure:
    taus_ms, curves = list(result.config.taus_ms), result.tables["curves"]
    figure, panels = style.open_panels(["abc"], 3.4)
    for name, label, letter in CURVES:
        _draw_extremes(panels[letter], select(curves, manipulation=name), taus_ms)
        style.name_axes(panels[letter], letter, label, "normalised accuracy")
    fast, slow = (f"{taus_ms[k]:g} ms" for k in (0, -1))
    extremes = {f"τ = {fast}": "--", f"τ = {slow}; combined: {fast} and {slow}": "-"}
    lines = style.make_handles({label: dict(linestyle=line) for label, line in extremes.items()}, color="0.3")
    style.add_legend(figure, ARMS, lines)
    return figure


def _draw_map(axes: Axes, table: pd.DataFrame, taus_ms: list[float], label: str, colours: str, write) -> None:
    """Draw means over (tau_E, tau_S), single pathways in the row and the column without the other."""
    ticks = [NO_PATHWAY, *(f"{tau:g}" for tau in taus_ms)]
    place = {tau: 1 + i for i, tau in enumerate(taus_ms)}  # 0: the pathway is not there
    cells = np.full((len(ticks), len(ticks)), np.nan)
    e, s = (table[name].map(place).fillna(0).to_numpy(int) for name in (TAU_E, TAU_S))
    cells[e, s] = table["value"]
    image = axes.imshow(cells, origin="lower", cmap=colours, aspect="auto")
    known = cells[~np.isnan(cells)]
    middle, dark_is_low = (known.min() + known.max()) / 2 if known.size else 0.0, not colours.endswith("_r")
    texts = style.draw_cells(
        axes,
        cells,
        lambda value: "n.c." if np.isnan(value) else write(value),
        lambda value: (value < middle) == dark_is_low,
    )
    texts[0, 0].remove()  # neither pathway
    for edge in (axes.axhline, axes.axvline):
        edge(0.5, color="white", linewidth=2.5)
    axes.figure.colorbar(image, ax=axes, label=label)
    axes.set_xticks(range(len(ticks)), ticks)
    axes.set_yticks(range(len(ticks)), ticks)


def _draw_front(axes: Axes, measures: pd.DataFrame) -> None:
    """Draw a point with both intervals per condition, and the front of the single pathways as steps."""
    wide = measures.set_index(["measure", "arm", TAU_E, TAU_S])
    named = [wide.loc[measure].add_suffix(f"_{measure}") for measure in ("latency", "sigma75")]
    points = named[0].join(named[1]).reset_index().dropna(subset=["value_latency", "value_sigma75"])
    for row in points.itertuples():
        look, equal = style.LOOKS[row.arm], getattr(row, TAU_E) == getattr(row, TAU_S)
        x, y = row.value_latency, row.value_sigma75
        thin = dict(color=look.colour, linewidth=0.8, alpha=0.6)
        axes.plot([row.low_latency, row.high_latency], [y, y], **thin)
        axes.plot([x, x], [row.low_sigma75, row.high_sigma75], **thin)
        fill = "none" if equal else look.colour
        axes.plot(x, y, marker=look.marker, color=look.colour, markerfacecolor=fill, markersize=5, linestyle="none")
    singles = points[points["arm"] != "combined"].sort_values("value_latency")
    if len(singles):
        best = singles["value_sigma75"].cummax()
        axes.step(singles["value_latency"], best, where="post", color="0.5", linewidth=2, alpha=0.5, zorder=0)
    style.name_axes(axes, "c", "latency of a switch (ms), shorter is better", "σ₇₅ (cue heights), higher is better")


def _draw_extremes(axes: Axes, curves: pd.DataFrame, taus_ms: list[float]) -> None:
    """Draw each arm's curve with the shortest time constant, dashed, and with the longest, or with both."""
    fast, slow, none = taus_ms[0], taus_ms[-1], np.nan
    shown = [("excitability", tau, none, line) for tau, line in ((fast, "--"), (slow, "-"))]
    shown += [("synaptic", none, tau, line) for tau, line in ((fast, "--"), (slow, "-"))]
    shown += [("combined", fast, slow, "-"), ("combined", slow, fast, "-.")]
    taus = curves[[TAU_E, TAU_S]].fillna(0)
    for arm, tau_e, tau_s, line in shown:
        kept = (curves["arm"] == arm) & (taus == np.nan_to_num([tau_e, tau_s])).all(axis="columns")
        part = dict(band=0.12, linestyle=line, markersize=3, markevery=1)
        style.draw_curve(axes, curves[kept], "level", "normalised", style.LOOKS[arm], **part)
    for level in (0, 1):
        axes.axhline(level, color="0.8", linewidth=0.6, zorder=0)


def _draw_intervals(axes: Axes, tables: Tables) -> None:
    """Draw the errors of every network and their means, beside the published ones."""
    errors, means, published = (tables[name] for name in ("intervals", "interval_means", "published"))
    for x, name in enumerate(INTERVALS):
        for shift, arm in style.spread_over(list(means["arm"].unique()), 0.2):
            look = style.LOOKS[arm]
            networks = select(errors, arm=arm, intervals=name)["error_steps"]
            axes.plot([x + shift] * len(networks), networks, ".", color=look.colour, alpha=0.4, markersize=4)
            style.draw_points(axes, [x + shift], select(means, arm=arm, intervals=name), "error_steps", look)
        for model, mark in PUBLISHED_MARKS.items():
            axes.plot(x, select(published, model=model, intervals=name)["error_steps"], mark, color="0.4", markersize=9)
    axes.set_xticks(range(len(INTERVALS)), INTERVALS.values())
    marks = {model: dict(marker=mark) for model, mark in PUBLISHED_MARKS.items()}
    style.add_small_legend(axes, style.make_handles(marks, color="0.4", linestyle="none"))
    style.name_axes(axes, "d", "intervals", "error of the interval (steps)", ylim=(0, None))
