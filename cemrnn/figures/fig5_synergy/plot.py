"""Figure 5: outcomes of the two by two design, measures of synergy, lesions, conflict, robustness against packing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from cemrnn.figures import style
from cemrnn.figures.fig5_synergy.experiment import OUTCOMES
from cemrnn.figures.fig5_synergy.pathways_apart import LESIONS
from cemrnn.figures.remember import Tables
from cemrnn.figures.result import Result
from cemrnn.figures.shared.conflict_groups import GROUPS
from cemrnn.figures.shared.conflict_tests import TESTS
from cemrnn.figures.shared.frames import SINGLE, select
from cemrnn.figures.shared.packing import MATCHES
from cemrnn.network.pathways import Look

MEASURES = (  # name, shade, marker, label
    ("beyond_best", "0.15", "o", "beyond the better"),
    ("beyond_best_units", "0.3", "D", "the same, equal units"),
    ("beyond_sum", "0.45", "s", "beyond the sum"),
    ("beyond_bliss", "0.65", "^", "beyond Bliss"),
)
DECIDES = ("excitability", "synapses", "neither")
READINGS = ("equal\nparameters", "equal\nunits")
NETWORKS = (*READINGS, "equal parameters,\ntrained with noise", "equal units,\ntrained with noise")
NETWORKS = dict(zip(GROUPS, NETWORKS, strict=True))  # whose robustness a panel shows


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig5_synergy.experiment.run`, and part b: where there is synergy."""
    return {"": _plot_design(result), "b": _plot_maps(result)}


def _plot_design(result: Result) -> Figure:
    tables, arms = result.tables, result.config.shown_arms
    figure, panels = style.open_panels(["ab", "cde"], 6)
    _draw_outcomes(panels["a"], tables, arms)
    _draw_synergy(panels["b"], tables["synergy"])
    _draw_plane(panels["c"], tables["outcomes_networks"], arms)
    _draw_shares(panels["d"], tables["lesions"].set_index("lesion").loc[list(LESIONS)], "accuracy")
    style.name_axes(panels["d"], "d", "normalised accuracy")
    _draw_shares(panels["e"], tables["conflict"].set_index("decides").loc[list(DECIDES)], "share")
    style.name_axes(panels["e"], "e", "share of answers for its task")
    style.add_legend(figure, arms)
    return figure


def _draw_outcomes(axes: Axes, tables: Tables, arms: Sequence[str]) -> None:
    """Outcomes at equal parameters, with all networks, and with open markers at equal units where networks differ."""
    table, at_units, networks = (tables[f"outcomes{end}"] for end in ("", "_units", "_networks"))
    for offset, arm in style.spread_over(arms, 0.24):
        for k, outcome in enumerate(OUTCOMES):
            style.draw_networks(axes, k + offset - 0.05, select(networks, arm=arm, outcome=outcome)["value"], arm)
        for rows, shift, fill in ((table, 0, "full"), (at_units, 0.05, "none")):
            part = select(rows, arm=arm).set_index("outcome")
            if len(part) and (fill == "full" or arm in SINGLE):
                at, marks = np.arange(len(OUTCOMES)) + offset + shift, dict(markersize=5, fillstyle=fill)
                style.draw_points(axes, at, part.loc[list(OUTCOMES)], "value", style.LOOKS[arm], **marks)
    names = ["mixture\n(area)", "noise\n(σ₇₅ /\nideal)", "packing\n(share\nof bits)", "joint\n(mean)"]
    axes.set_xticks(range(len(OUTCOMES)), names)
    axes.axhline(1, color="0.8", linewidth=0.6, zorder=0)
    style.name_axes(axes, "a", "", "outcome (0: no context)", ylim=(-0.03, 1.03 * np.nanmax([1.0, *table["high"]])))


def _draw_synergy(axes: Axes, table: pd.DataFrame) -> None:
    for offset, (measure, shade, marker, _) in style.spread_over(MEASURES, 0.18):
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


def _plot_maps(result: Result) -> Figure:
    """Synergy in every cell: size and maps at both readings, and kinds of ambiguity."""
    packed, robust = result.tables["map_packing"], result.tables["map_robustness"]
    most = np.nanmax(np.abs([0.1, *packed["value"], *robust["value"]]))
    groups = [group for group in GROUPS if group in set(robust["group"])]
    letters = "cdef"[: len(groups)]
    figure, panels = style.open_panels(["ab", letters], 7.2, height_ratios=(1, 1.3))
    packed = packed.assign(size=[f"N = {r.n_units}\nS = {r.n_sites}" for r in packed.itertuples()])
    sizes, counts = list(dict.fromkeys(packed["size"])), sorted(packed["n_tasks"].unique())
    for letter, match in zip("ab", MATCHES, strict=False):
        axes = panels[letter]
        cells = select(packed, match=match).set_index(["size", "n_tasks"])
        image = _draw_map(axes, cells, sizes, counts, most)
        axes.set_title(f"equal {match}", loc="right")
        style.name_axes(axes, letter, "number of maps K")
    for letter, group in zip(letters, groups, strict=True):
        axes, part = panels[letter], select(robust, group=group).assign(counts=True)
        cells, n_units = part.set_index(["test", "n_units"]), sorted(part["n_units"].unique())
        _draw_map(axes, cells, list(TESTS[1:]), n_units, most, whole=True)
        axes.set_title(NETWORKS[group], loc="right")
        style.name_axes(axes, letter, "units N (combined)")
    for first, *others in (letters, "ab"):  # side by side the names of the first hold for all
        for letter in others:
            if style.are_neighbours(panels[first], panels[letter]):
                panels[letter].set_yticks([])
    last = panels[letters[-1]]
    last.figure.colorbar(image, ax=last, label="combined minus the better one", pad=0.02, fraction=0.08)
    return figure


def _draw_map(
    axes: Axes, cells: pd.DataFrame, rows: Sequence, columns: Sequence, most: float, *, whole: bool = False
) -> AxesImage:
    """A coloured cell for every row and column of the index, framed where its interval excludes 0.

    Hatched: networks were still learning. Cells without a value stay empty, or have a dash if the grid is whole.
    """
    values = cells["value"].unstack().reindex(index=rows, columns=columns).to_numpy(float)
    image = axes.imshow(values, vmin=-most, vmax=most, cmap="PuOr", aspect="auto")
    texts = style.draw_cells(axes, values, style.write_number, lambda value: abs(value) > 0.6 * most)
    for (row, column), cell in cells.iterrows():
        i, j = list(rows).index(row), list(columns).index(column)
        if not cell["counts"]:
            axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch="///", edgecolor="0.6", linewidth=0))
        if cell["low"] > 0 or cell["high"] < 0:
            texts[i, j].set_fontweight("bold")
            axes.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, edgecolor="black", linewidth=1.6))
    for (i, j), value in np.ndenumerate(values):
        texts[i, j].set_visible(whole or not np.isnan(value))
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.spines[["top", "right"]].set_visible(True)
    return image
