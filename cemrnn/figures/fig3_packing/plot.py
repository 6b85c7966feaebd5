"""Figure 3: accuracy over numbers of maps at both readings, bits, speed, the battery, and other families and arms."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from cemrnn.figures import style
from cemrnn.figures.fig3_packing.populations import PackingConfig
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select
from cemrnn.figures.shared.packing import MATCHES, N_LOOKS, ROTATIONS, SEPARATE
from cemrnn.tasks.maps import bits_per_map

SIZE_LINES = ("-", "--", ":", "-.", (0, (1, 4)))
READINGS = dict(zip(MATCHES, ("full", "none"), strict=True))  # faces of markers where both readings share a panel
NO_BOUND = 3  # times the largest number of maps in the panel: where a K* without bound is drawn
KNOWN_BITS = 5  # per parameter. Source: Collins, Sohl-Dickstein & Sussillo 2017 (arXiv 1611.09913), abstract


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig3_packing.experiment.run`, in parts.

    b: other families of tasks and arms; c: K*, as it follows from a number of bits per trained number and as measured.
    """
    return {"": _plot_maps(result), "b": _plot_others(result), "c": _plot_packed(result)}


def _plot_maps(result: Result) -> Figure:
    config, tables = result.config, result.tables
    cells, arms = tables["cells"], [*config.arms, SEPARATE]
    usual, networks = (select(table, n_sites=config.n_sites) for table in (cells, tables["networks"]))
    figure, panels = style.open_panels(["ab", "cd", "ef"], 9)
    for letter, match in zip("ab", MATCHES, strict=True):
        _draw_accuracy(panels[letter], select(usual, match=match), select(networks, match=match), arms, config)
        style.name_axes(panels[letter], letter, "number of maps K", "accuracy over maps")
        panels[letter].set_title(f"equal {match}")
    maps = cells[cells["arm"].isin(config.arms) & (cells["n_sites"] > 0)]
    _draw_bits(panels["c"], maps, float(result.scalars["law_bits"]))
    _draw_bits_of_units(panels["d"], maps)
    for letter, match in zip("ef", MATCHES, strict=True):
        _draw_speed(panels[letter], select(tables["speed"], match=match), config)
        style.name_axes(panels[letter], letter, "number of maps K", f"updates to {config.criterion:g}")
        panels[letter].set_title(f"equal {match}")
    lines = {f"N = {n}": dict(linestyle=line) for n, line in zip(config.units, SIZE_LINES, strict=False)}
    style.add_legend(figure, arms, style.make_handles(lines, color="0.4"))
    return figure


def _plot_others(result: Result) -> Figure:
    config, tables = result.config, result.tables
    figure, panels = style.open_panels(["ab", "cd"], 6.4)
    largest = select(tables["cells"], n_units=config.units[-1], n_tasks=config.middle_count)
    _draw_sites(panels["a"], largest, config)
    _draw_battery(panels["b"], tables["battery"], config)
    _draw_beside(panels["c"], tables["cells"], config)
    _draw_added(panels["d"], tables["added"], config)
    style.add_legend(figure, [*config.arms, *config.side_arms])
    return figure


def _plot_packed(result: Result) -> Figure:
    """K* against the sites of a map, at both readings: curves as it follows, points as it was measured."""
    config, tables = result.config, result.tables
    figure, panels = style.open_panels(["ab"], 3.8)
    for letter, match in zip("ab", MATCHES, strict=True):
        rows = (select(tables[name], match=match) for name in ("contexts", "packed"))
        cells = select(tables["cells"], match=match, n_sites=config.n_sites)
        _draw_packed(panels[letter], *rows, cells, config)
        panels[letter].set_title(f"equal {match}")
        style.name_axes(panels[letter], letter, "sites S of a map", "K*, number of maps")
    lines = {f"N = {n}": dict(linestyle=line) for n, line in zip(config.units, SIZE_LINES, strict=False)}
    style.add_legend(figure, config.arms, style.make_handles(lines, color="0.4"))
    return figure


def _draw_packed(
    axes: Axes, predicted: pd.DataFrame, measured: pd.DataFrame, cells: pd.DataFrame, config: PackingConfig
) -> None:
    """A K* without bound lies on a line of its own; a triangle points away from the numbers of maps that were tried.

    A hollow point is measured where networks were still learning.
    """
    finite = predicted["kstar"].replace(np.inf, np.nan).max()
    sites, most = sorted(predicted["n_sites"].unique()), NO_BOUND * np.nanmax([finite, max(config.task_counts)])
    where = sites.index(config.n_sites)
    for offset, arm in style.spread_over(config.arms, 0.2):
        look = style.LOOKS[arm]
        for i, (n_units, line) in enumerate(zip(config.units, SIZE_LINES, strict=False)):
            curve = select(predicted, arm=arm, n_units=n_units).sort_values("n_sites")
            at = [sites.index(n) for n in curve["n_sites"]]
            axes.plot(at, curve["kstar"].replace(np.inf, most), color=look.colour, linestyle=line, marker=".")
            row = select(measured, arm=arm, n_units=n_units)
            points = np.exp2(row[["octaves", "low", "high"]]).set_axis(["value", "low", "high"], axis="columns")
            above, below = (2 * row[name].sum() > row["n"].sum() for name in ("above", "below"))
            marks = dict(marker="^" if above else "v" if below else look.marker, markersize=6)
            if not select(cells, arm=arm, n_units=n_units)["counts"].all():
                marks["markerfacecolor"] = "white"
            style.draw_points(axes, [where + offset + 0.04 * (i - 1)], points, "value", look, **marks)
    axes.axhline(most, color="0.6", linewidth=0.7)
    axes.annotate("no bound", (1, most), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="0.4")
    axes.set(yscale="log", xlim=(-0.4, len(sites) - 0.6))
    axes.set_xticks(range(len(sites)), sites)


def _draw_accuracy(
    axes: Axes, table: pd.DataFrame, networks: pd.DataFrame, arms: list[str], config: PackingConfig
) -> None:
    for offset, arm in style.spread_over(arms, 0.06):
        single = select(networks, arm=arm)
        style.draw_networks(axes, single["n_tasks"] * 2**offset, single["accuracy"], arm)
        for n_units, line in zip(config.units, SIZE_LINES, strict=False):
            _draw_line(axes, select(table, arm=arm, n_units=n_units), "n_tasks", arm, linestyle=line)
    _name_counts(axes, config)
    axes.axhline(1 / config.n_sites, color="0.6", linewidth=0.7, linestyle=":")


def _draw_line(axes: Axes, part: pd.DataFrame, x: str, arm: str, **look) -> None:
    """A curve with its interval; an empty marker where the cell is still learning."""
    style.draw_curve(axes, part, x, "accuracy", style.LOOKS[arm], band=0.1, markersize=0, **look)
    for counts, face in ((True, style.LOOKS[arm].colour), (False, "white")):
        points = part[part["counts"] == counts]
        marks = dict(marker=style.LOOKS[arm].marker, color=style.LOOKS[arm].colour, linestyle="none", markersize=5)
        axes.plot(points[x], points["accuracy"], markerfacecolor=face, **marks)


def _name_counts(axes: Axes, config: PackingConfig) -> None:
    style.use_octaves(axes, config.task_counts)
    axes.set_ylim(-0.02, 1.04)


def _draw_sites(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    table = table[table["n_sites"] > 0].assign(bits=lambda rows: rows["n_sites"].map(bits_per_map)).sort_values("bits")
    for arm in config.arms:
        for match, line in zip(MATCHES, SIZE_LINES, strict=False):
            _draw_line(axes, select(table, arm=arm, match=match), "bits", arm, linestyle=line)
    sites = sorted(table["n_sites"].unique())
    axes.set_xscale("log")
    axes.set_xticks([bits_per_map(n) for n in sites], [f"{bits_per_map(n):.1f}\n(S = {n})" for n in sites])
    axes.minorticks_off()
    lines = {f"equal {match}": dict(linestyle=line) for match, line in zip(MATCHES, SIZE_LINES, strict=False)}
    axes.legend(handles=style.make_handles(lines, color="0.4"), loc="lower left")
    axes.set_title(f"N = {config.units[-1]}, K = {config.middle_count}")
    style.name_axes(axes, "a", "bits of a map", "accuracy over maps", ylim=(-0.02, 1.04))


def _draw_bits(axes: Axes, table: pd.DataFrame, fitted: float) -> None:
    """Bits held against trained numbers, the known bounds, and the number of bits that was fitted, if it was."""
    _draw_cells(axes, table, "n_parameters")
    span = np.array([table["n_parameters"].min(), table["n_parameters"].max()])
    bounds = {bits: f"{bits} bit{'s' * (bits > 1)} per parameter" for bits in (1, KNOWN_BITS)}
    for (bits, label), line in zip({**bounds, fitted: f"{fitted:.2f}, fitted"}.items(), ("-", "--", ":"), strict=True):
        if np.isnan(bits):
            continue
        axes.plot(span, bits * span, color="0.5", linewidth=0.8, linestyle=line)
        end, ha, above = (span[0], "left", 20) if bits == fitted else (span[1], "right", 3)  # clear of the points
        place = dict(xytext=(0, above), textcoords="offset points", ha=ha, color="0.4")
        axes.annotate(label, (end, bits * end), **place)
    _use_decades(axes, "x")
    style.name_axes(axes, "c", "trained parameters", "bits stored")


def _draw_bits_of_units(axes: Axes, table: pd.DataFrame) -> None:
    """Bits held against units, and the most there can be: what the maps ask for."""
    _draw_cells(axes, table, "own_units")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.name_axes(axes, "d", "units", "bits stored")


def _draw_cells(axes: Axes, table: pd.DataFrame, x: str) -> None:
    for (arm, match, counts), part in table.groupby(["arm", "match", "counts"], sort=False):
        look = style.LOOKS[arm]
        marks = dict(color=look.colour, marker=look.marker, linestyle="none", markersize=5)
        marks |= dict(fillstyle=READINGS[match], alpha=1.0 if counts else 0.35)
        axes.plot(part[x], part["bits"].where(part["bits"] > 0.5), **marks)
    for asked in sorted(set(table["n_tasks"] * table["n_sites"].map(bits_per_map))):
        axes.axhline(asked, color="0.8", linewidth=0.7, zorder=0)
    _use_decades(axes, "y")


def _use_decades(axes: Axes, name: str) -> None:
    """Make an axis logarithmic, with ticks at 1, 2 and 5."""
    axes.set(**{f"{name}scale": "log"})
    axis = getattr(axes, f"{name}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _draw_speed(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    for arm in config.arms:
        for n_units, line in zip(config.units, SIZE_LINES, strict=False):
            part = select(table, arm=arm, n_units=n_units)
            style.draw_curve(axes, part, "n_tasks", "updates", style.LOOKS[arm], band=0.1, linestyle=line)
    allowed = sorted({config.n_updates, config.units_updates})
    for n_updates in allowed:
        axes.axhline(n_updates, color="0.6", linewidth=0.7)
    style.use_octaves(axes, config.task_counts)
    axes.set(yscale="log", ylim=(allowed[0] / N_LOOKS, 1.5 * allowed[-1]))


def _draw_battery(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    for offset, arm in style.spread_over(config.arms, 0.08):
        for match, line in zip(MATCHES, SIZE_LINES, strict=False):
            part = select(table, arm=arm, match=match)
            points = dict(linestyle=line, fillstyle=READINGS[match])
            style.draw_points(axes, part["n_units"] * 2**offset, part, "worst", style.LOOKS[arm], **points)
    axes.axhline(config.criterion, color="0.6", linewidth=0.7)
    style.use_octaves(axes, config.battery_units)
    axes.set_title(f"{config.battery_count} tasks of the battery")
    style.name_axes(axes, "b", "units N of the combined arm", "score on the worst task", ylim=(-0.02, 1.04))


def _draw_beside(axes: Axes, cells: pd.DataFrame, config: PackingConfig) -> None:
    side = select(cells, match="parameters", n_units=config.units[-1], n_sites=config.n_sites)
    for arm in config.side_arms:
        _draw_line(axes, select(side, arm=arm), "n_tasks", arm)
    rotations = select(cells, n_sites=ROTATIONS)
    for arm in config.arms:
        part = select(rotations, arm=arm)
        axes.plot(part["n_tasks"], part["accuracy"], color=style.LOOKS[arm].colour, linewidth=0.8, linestyle="-.")
    handles = style.make_handles({f"rotations, N = {config.units[-1]}": dict(linestyle="-.")}, color="0.4")
    axes.legend(handles=handles, loc="lower left")
    _name_counts(axes, config)
    axes.set_title(f"other arms, N = {config.units[-1]}; other tasks")
    style.name_axes(axes, "c", "number of tasks K", "accuracy over tasks")


def _draw_added(axes: Axes, table: pd.DataFrame, config: PackingConfig) -> None:
    scores = select(table, measure="score")
    for row in scores.to_dict(orient="records"):
        style.draw_points(axes, [row["n_trained"]], pd.DataFrame([row]), "value", style.LOOKS[row["arm"]], markersize=6)
    axes.axhline(1 / config.n_sites, color="0.6", linewidth=0.7, linestyle=":")
    axes.set_title(f"one more map, N = {config.units[-1]}")
    style.name_axes(axes, "d", "numbers that a context brings", "accuracy on the new map", ylim=(-0.02, 1.04))
    axes.set_xlim(0, None)
