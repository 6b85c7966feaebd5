"""Figure 10: loadings, lesions, decoding of the context, related tasks, and use of units."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cemrnn.figures.fig10_interpretability.experiment import CHANCE, SHOWN
from cemrnn.figures.result import Result
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, draw_curves, open_figure
from cemrnn.network.pathways import ARMS, PATHWAYS

WIDTHS = ((1, 1.5, 1.5), (1.1, 1.3, 1), (1, 1, 1), (1, 1, 1))  # of the panels in each row
DIVERGING, GROWING = "RdBu_r", "cividis"
USE_LABELS = {
    "mean_rate": "mean rate (absolute)",
    "active_fraction": "active fraction (share of units)",
    "energy": "energy (squared rate, all units)",
}
ENDS = ["selectivity_random", "selectivity"]
CONTROL = dict(color="0.55", linestyle="--", linewidth=1)


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig10_interpretability.experiment.run`."""
    tables, arms, tasks = result.tables, list(result.config.arms), list(result.config.tasks)
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 9.6)
        figure.get_layout_engine().set(wspace=0.08)  # or the label of a colour bar touches the next panel
        rows = figure.subfigures(4, 1, height_ratios=[1, 1, 1.05, 1.1])
        letters = [list(row) for row in ("abc", "def", "ghi", "jkl")]
        panels = {}
        for row, names, widths in zip(rows, letters, WIDTHS, strict=True):
            panels |= row.subplot_mosaic([names], width_ratios=widths)
        for letter, axes in panels.items():
            add_letter(axes, letter)
        _draw_components(panels["a"], tables["components"], tasks)
        _draw_units(panels["b"], tables["units"], tasks, "gain")
        _draw_units(panels["c"], tables["units"], tasks, "variance")
        _draw_lesions(panels["d"], tables, tasks)
        _draw_pathways(panels["e"], tables["lesions"], tasks)
        _draw_selectivity(panels["f"], tables["networks"], arms)
        _draw_decoding(panels["g"], tables, result.scalars["first_stimulus_ms"])
        _draw_pairs(panels["h"], tables["pairs"])
        _draw_relations(panels["i"], tables["relations"], arms)
        for letter, (measure, label) in zip("jkl", USE_LABELS.items(), strict=True):
            _draw_use(panels[letter], tables["use"], arms, tasks, measure)
            panels[letter].set_xlabel(label)
        add_legend(figure, arms)
    return figure


def _name_rows(axes: Axes, tasks: list[str], *, shown: bool = True) -> None:
    axes.set_yticks(range(len(tasks)), [task.replace("_", " ") for task in tasks] if shown else [])
    axes.tick_params(axis="y", labelsize=5.5)
    axes.set_ylim(len(tasks) - 0.5, -0.5)


def _say_blank(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.annotate("not compared", (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=6, color="0.4")


def _draw_image(axes: Axes, cells: pd.DataFrame, label: str, *, diverging: bool) -> None:
    limit = np.nanmax(np.abs(cells.to_numpy()))
    limits = dict(vmin=-limit, vmax=limit, cmap=DIVERGING) if diverging else dict(vmin=0, vmax=limit, cmap=GROWING)
    image = axes.imshow(cells, aspect="auto", interpolation="nearest", **limits)
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.02)


def _draw_components(axes: Axes, table: pd.DataFrame, tasks: list[str]) -> None:
    axes.set_xlabel(f"components of one {SHOWN} network")
    if table["strength"].isna().all():
        return _say_blank(axes)
    order = list(dict.fromkeys(table["component"]))
    cells = table.pivot(index="task", columns="component", values="strength").loc[tasks, order]
    _draw_image(axes, cells, "strength", diverging=True)
    axes.set_xticks(range(len(order)), range(1, len(order) + 1))
    _name_rows(axes, tasks)
    return None


def _draw_units(axes: Axes, table: pd.DataFrame, tasks: list[str], value: str) -> None:
    """Draw gain, or task variance relative to each unit's largest, of units in the order of their clusters."""
    axes.set_xlabel("units of the same network, by cluster")
    if table[value].isna().all():
        return _say_blank(axes)
    cells = table.pivot(index="task", columns=["cluster", "unit"], values=value).loc[tasks].sort_index(axis="columns")
    cells = cells.loc[:, cells.columns.get_level_values("cluster") >= 0]
    if value == "variance":
        cells = cells / cells.max()
    label = "gain of the context" if value == "gain" else "task variance (relative)"
    _draw_image(axes, cells, label, diverging=value == "gain")
    edges = np.flatnonzero(np.diff(cells.columns.get_level_values("cluster"))) + 0.5
    axes.vlines(edges, -0.5, len(cells) - 0.5, color="black" if value == "gain" else "white", linewidth=0.7)
    axes.set_xticks([])
    _name_rows(axes, tasks, shown=False)
    return None


def _draw_lesions(axes: Axes, tables: dict[str, pd.DataFrame], tasks: list[str]) -> None:
    """Draw the loss by lesions of each component of the shown network, in the order of panel a."""
    axes.set_xlabel("component held at its mean")
    shown, lesions = tables["components"], tables["lesions_networks"]
    if shown["strength"].isna().all():
        return _say_blank(axes)
    order = list(dict.fromkeys(shown["component"].astype(str)))
    part = lesions[(lesions["arm"] == SHOWN) & (lesions["network"] == shown["network"].iloc[0])]
    cells = part[part["kind"] == "component"].pivot(index="task", columns="lesion", values="loss").loc[tasks, order]
    _draw_image(axes, cells, "loss of score", diverging=True)
    axes.set_xticks(range(len(order)), range(1, len(order) + 1))
    _name_rows(axes, tasks)
    return None


def _draw_pathways(axes: Axes, table: pd.DataFrame, tasks: list[str]) -> None:
    pathways = [*ARMS[SHOWN].learned, "all"]
    for offset, pathway in zip(np.linspace(-0.27, 0.27, len(pathways)), pathways, strict=True):
        part = table[(table["arm"] == SHOWN) & (table["lesion"] == pathway)].set_index("task").reindex(tasks)
        look, position = LOOKS[SHOWN if pathway == "all" else pathway], np.arange(len(tasks)) + offset
        axes.hlines(position, part["low"], part["high"], color=look.colour, linewidth=1)
        style = dict(marker=look.marker, color=look.colour, linestyle="none", label=_label(pathway))
        axes.plot(part["loss"], position, **style)
    axes.axvline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xlabel(f"loss of score, {SHOWN} networks, pathway held at its mean")
    _add_small_legend(axes, ncols=len(pathways))
    _name_rows(axes, tasks, shown=False)


def _draw_selectivity(axes: Axes, networks: pd.DataFrame, arms: list[str]) -> None:
    """Draw a line per network, from random directions to components."""
    shown = [arm for arm in arms if ARMS[arm].with_components]
    for i, arm in enumerate(shown):
        look, part = LOOKS[arm], networks[networks["arm"] == arm]
        for pair in part[ENDS].to_numpy(float):
            axes.plot([2 * i, 2 * i + 1], pair, color=look.colour, linewidth=0.8, alpha=0.5)
        style = dict(linestyle="none", marker=look.marker, color=look.colour, markersize=6)
        axes.plot([2 * i, 2 * i + 1], part[ENDS].mean(), **style)
    axes.set_xticks(range(2 * len(shown)), ["random\ndirections", "single\ncomponents"] * len(shown), fontsize=6)
    axes.set_xlim(-0.5, 2 * len(shown) - 0.5)
    axes.set_ylabel("concentration of losses")


def _draw_decoding(axes: Axes, tables: dict[str, pd.DataFrame], first_stimulus_ms: float) -> None:
    accuracy, held = tables["decoding"], tables["decoding_held"]
    draw_curves(axes, accuracy[accuracy["labels"] == "true"], "time_ms", "accuracy")
    for arm, part in held[held["labels"] == "true"].groupby("arm", sort=False):
        if ARMS[arm].learned:
            axes.plot(part["time_ms"], part["held"], color=LOOKS[arm].colour, linewidth=0.8, linestyle=(0, (1, 1)))
    shuffled = accuracy[accuracy["labels"] == "shuffled"]
    axes.plot(shuffled["time_ms"], shuffled["accuracy"], **CONTROL)
    axes.axhline(CHANCE, color="0.4", linewidth=0.8, linestyle=":")
    axes.axvline(first_stimulus_ms, color="0.85", linewidth=3, zorder=0)
    axes.set_ylim(min(0.4, np.nanmin([CHANCE, *accuracy["low"]]) - 0.03), 1.03)
    axes.set_xlabel("time from the onset of the cue (ms)")
    axes.set_ylabel("context decoded\n(share of held-out trials)")
    grey = dict(color="0.3", linewidth=0.9)
    handles = [
        Line2D([], [], linestyle=(0, (1, 1)), label="early decoder", **grey),
        Line2D([], [], label="shuffled labels", **CONTROL),
    ]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1, fontsize=6, ncols=2)


def _draw_pairs(axes: Axes, table: pd.DataFrame) -> None:
    part, look = table[table["arm"] == SHOWN], LOOKS[SHOWN]
    shift = part.groupby("blocks")["cosine"].rank(method="first") - 1  # pairs with as many blocks stand side by side
    x = part["blocks"] + 0.006 * (shift - shift.groupby(part["blocks"]).transform("mean"))
    axes.vlines(x, part["low"], part["high"], color="0.7", linewidth=0.8)
    axes.plot(x, part["cosine"], linestyle="none", marker=look.marker, color=look.colour, markersize=3)
    axes.axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xlabel("building blocks that two tasks share")
    axes.set_ylabel(f"similarity of modulation\n(cosine, {SHOWN})")


def _draw_relations(axes: Axes, table: pd.DataFrame, arms: list[str]) -> None:
    """Draw a row per arm and pathway; filled if the tasks are related beyond relabelled ones."""
    rows = [(arm, name) for arm in arms if ARMS[arm].learned for name in _relation_names(arm)]
    found = table.set_index(["arm", "pathway"])
    if table["r"].isna().all():  # fewer than three tasks
        _say_blank(axes)
    for position, (arm, name) in enumerate(rows):
        if (arm, name) not in found.index:
            continue
        row, look = found.loc[(arm, name)], LOOKS[arm]
        axes.plot([row["low"], row["high"]], [position] * 2, color=look.colour, linewidth=1)
        fill = look.colour if row["p"] < 0.05 else "white"
        axes.plot(row["r"], position, marker=look.marker, color=look.colour, markerfacecolor=fill, markersize=5)
    axes.axvline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(rows)), [f"{arm}: {_label(name)}" for arm, name in rows], fontsize=6)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("related tasks, related modulation (r)")


def _relation_names(arm: str) -> list[str]:
    pathways = list(ARMS[arm].learned)
    return pathways if len(pathways) == 1 else [*pathways, "all"]


def _label(pathway: str) -> str:
    return "all" if pathway == "all" else PATHWAYS[pathway].label


def _draw_use(axes: Axes, table: pd.DataFrame, arms: list[str], tasks: list[str], measure: str) -> None:
    for offset, arm in zip(np.linspace(-0.27, 0.27, len(arms)), arms, strict=True):
        part = table[(table["arm"] == arm) & (table["measure"] == measure)].set_index("task").reindex(tasks)
        look, position = LOOKS[arm], np.arange(len(tasks)) + offset
        axes.hlines(position, part["low"], part["high"], color=look.colour, linewidth=1)
        axes.plot(part["value"], position, linestyle="none", marker=look.marker, color=look.colour, markersize=3.5)
    axes.set_xlim(0, None)
    _name_rows(axes, tasks, shown=measure == "mean_rate")


def _add_small_legend(axes: Axes, *, ncols: int) -> None:
    narrow = dict(columnspacing=0.6, handletextpad=0.1, borderaxespad=0.1, fontsize=6)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=ncols, **narrow)
