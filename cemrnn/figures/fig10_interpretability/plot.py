"""Figure 10: loadings, lesions, decoding of the context, related tasks, and use of units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig10_interpretability.experiment import CHANCE, SHOWN
from cemrnn.figures.result import Result, Tables
from cemrnn.figures.shared.frames import select
from cemrnn.network.pathways import ARMS, PATHWAYS

LEAST_IN, TASK_IN = 2.9, 0.2  # height of a row of panels: at least, and for each task
DIVERGING = "RdBu_r"
USE_LABELS = {
    "mean_rate": "mean rate (absolute)",
    "active_fraction": "active share of units",
    "energy": "energy (sum of rate²)",
}
ENDS = ["selectivity_random", "selectivity"]
DOTTED = (0, (1, 1))
CONTROL = dict(color="0.55", linestyle="--", linewidth=1)


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig10_interpretability.experiment.run`, and part b: units and pathways."""
    return {"": _plot_components(result), "b": _plot_units(result)}


def _plot_components(result: Result) -> Figure:
    tables, arms, tasks = result.tables, result.config.arms, list(result.config.tasks)
    figure, panels = _open_panels(["aaaabbbccc", "dddeeefff"], tasks)
    _draw_components(panels["a"], tables["components"], tasks)
    _draw_lesions(panels["b"], tables, tasks)
    _name_tasks(panels["a"], tasks)
    _name_tasks(panels["b"], tasks, beside=panels["a"])
    _draw_selectivity(panels["c"], tables["networks"], arms)
    _draw_decoding(panels["d"], tables, result.scalars["first_stimulus_ms"])
    _draw_pairs(panels["e"], select(tables["pairs"], arm=SHOWN))
    _draw_relations(panels["f"], tables["relations"], arms)
    style.add_legend(figure, arms)
    return figure


def _plot_units(result: Result) -> Figure:
    tables, arms, tasks = result.tables, result.config.arms, list(result.config.tasks)
    figure, panels = _open_panels(["aaaabbbccc", "ddddeeefff"], tasks)
    _draw_units(panels["a"], tables["units"], tasks, "gain")
    _draw_units(panels["b"], tables["units"], tasks, "variance")
    _draw_pathways(panels["c"], select(tables["lesions"], arm=SHOWN), tasks)
    for letter, (measure, label) in zip("def", USE_LABELS.items(), strict=True):
        _draw_use(panels[letter], select(tables["use"], measure=measure), arms, tasks)
        panels[letter].set(xlabel=label, xlim=(0, None))
    for letter, named in zip("abcdef", "aaaddd", strict=True):
        _name_tasks(panels[letter], tasks, beside=None if letter == named else panels[named])
    style.add_legend(figure, arms)
    return figure


def _open_panels(rows: list[str], tasks: list[str]) -> tuple[Figure, dict[str, Axes]]:
    """Figure and panels with their letters, as high as the names of tasks need it."""
    figure, panels = style.open_panels(rows, 2 * max(LEAST_IN, TASK_IN * len(tasks) + 0.7))
    for letter, axes in panels.items():
        style.add_letter(axes, letter)
    return figure, panels


def _name_tasks(axes: Axes, tasks: list[str], beside: Axes | None = None) -> None:
    """Name rows, if no panel in the same row of the figure does."""
    hidden = beside is not None and style.are_neighbours(axes, beside)
    style.name_rows(axes, [""] * len(tasks) if hidden else list(map(style.spell, tasks)))


def _draw_components(axes: Axes, table: pd.DataFrame, tasks: list[str]) -> None:
    axes.set_xlabel("components of one network")
    if table["strength"].isna().all():
        style.say_blank(axes)
        return
    order = list(dict.fromkeys(table["component"]))
    cells = table.pivot(index="task", columns="component", values="strength").loc[tasks, order]
    _draw_image(axes, cells, "strength")


def _draw_image(axes: Axes, cells: pd.DataFrame, label: str) -> None:
    """Draw tasks in rows and components in columns, on a scale with zero in the middle."""
    limit = np.nanmax(np.abs(cells.to_numpy()))
    image = axes.imshow(cells, aspect="auto", interpolation="nearest", vmin=-limit, vmax=limit, cmap=DIVERGING)
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.02)
    axes.set_xticks(range(cells.shape[1]), range(1, cells.shape[1] + 1))


def _draw_units(axes: Axes, table: pd.DataFrame, tasks: list[str], value: str) -> None:
    """Draw gain, or task variance relative to each unit's largest, of units in the order of their clusters."""
    axes.set_xlabel("units, by cluster")
    if table[value].isna().all():
        style.say_blank(axes)
        return
    limit = table.loc[table["cluster"] >= 0, value].abs().max()
    gain = dict(edge="black", vmin=-limit, vmax=limit, cmap=DIVERGING)
    look = gain if value == "gain" else dict(edge="white", vmin=0, vmax=1, cmap="cividis")
    image = style.draw_units(axes, table, tasks, value, **look)
    label = "gain of the context" if value == "gain" else "task variance (relative)"
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.02)


def _draw_lesions(axes: Axes, tables: Tables, tasks: list[str]) -> None:
    """Draw the loss by lesions of each component of the shown network, in the order of panel a."""
    axes.set_xlabel("component held at its mean")
    shown = tables["components"]
    if shown["strength"].isna().all():
        style.say_blank(axes)
        return
    order = list(dict.fromkeys(shown["component"].astype(str)))
    part = select(tables["lesions_networks"], arm=SHOWN, network=shown["network"].iloc[0], kind="component")
    cells = part.pivot(index="task", columns="lesion", values="loss").loc[tasks, order]
    _draw_image(axes, cells, "loss of score")


def _draw_pathways(axes: Axes, table: pd.DataFrame, tasks: list[str]) -> None:
    for offset, pathway in style.spread_over([*ARMS[SHOWN].learned, "all"], 0.27):
        part = select(table, lesion=pathway).set_index("task").reindex(tasks)
        look = style.LOOKS[SHOWN if pathway == "all" else pathway]
        style.draw_rows(axes, np.arange(len(tasks)) + offset, part, "loss", look, label=_label(pathway))
    axes.axvline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xlabel("loss, pathway at its mean")
    style.add_small_legend(axes, ncols=2)


def _draw_selectivity(axes: Axes, networks: pd.DataFrame, arms: Sequence[str]) -> None:
    """Draw a line per network, from random directions to components."""
    shown = [arm for arm in arms if ARMS[arm].with_components]
    for i, arm in enumerate(shown):
        look, part = style.LOOKS[arm], select(networks, arm=arm)
        for pair in part[ENDS].to_numpy(float):
            axes.plot([2 * i, 2 * i + 1], pair, color=look.colour, linewidth=0.8, alpha=0.5)
        marks = dict(linestyle="none", marker=look.marker, color=look.colour, markersize=6)
        axes.plot([2 * i, 2 * i + 1], part[ENDS].mean(), **marks)
    axes.set_xticks(range(2 * len(shown)), ["random", "single"] * len(shown), rotation=90)
    axes.set(xlim=(-0.5, 2 * len(shown) - 0.5), xlabel="lesioned directions", ylabel="concentration of losses")


def _draw_decoding(axes: Axes, tables: Tables, first_stimulus_ms: float) -> None:
    accuracy, held = tables["decoding"], tables["decoding_held"]
    style.draw_curves(axes, select(accuracy, labels="true"), "time_ms", "accuracy")
    for arm, part in select(held, labels="true").groupby("arm", sort=False):
        if ARMS[arm].learned:
            axes.plot(part["time_ms"], part["held"], color=style.LOOKS[arm].colour, linewidth=0.8, linestyle=DOTTED)
    shuffled = select(accuracy, labels="shuffled")
    axes.plot(shuffled["time_ms"], shuffled["accuracy"], **CONTROL)
    axes.axhline(CHANCE, color="0.4", linewidth=0.8, linestyle=":")
    axes.axvline(first_stimulus_ms, color="0.85", linewidth=3, zorder=0)
    axes.set_ylim(min(0.4, np.nanmin([CHANCE, *accuracy["low"]]) - 0.03), 1.03)
    axes.set(xlabel="time from the onset of the cue (ms)", ylabel="context decoded\n(share of held-out trials)")
    lines = {"early decoder": dict(color="0.3", linewidth=0.9, linestyle=DOTTED), "shuffled labels": CONTROL}
    style.add_small_legend(axes, style.make_handles(lines), ncols=1)


def _draw_pairs(axes: Axes, part: pd.DataFrame) -> None:
    shift = part.groupby("blocks")["cosine"].rank(method="first") - 1  # pairs with as many blocks stand side by side
    x = part["blocks"] + 0.006 * (shift - shift.groupby(part["blocks"]).transform("mean"))
    axes.vlines(x, part["low"], part["high"], color="0.7", linewidth=0.8)
    look = style.LOOKS[SHOWN]
    axes.plot(x, part["cosine"], linestyle="none", marker=look.marker, color=look.colour, markersize=3)
    axes.axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set(xlabel="building blocks that two tasks share", ylabel=f"similarity of modulation\n(cosine, {SHOWN})")


def _draw_relations(axes: Axes, table: pd.DataFrame, arms: Sequence[str]) -> None:
    """Draw a row per arm and pathway; filled if the tasks are related beyond relabelled ones."""
    rows = [(arm, name) for arm in arms if ARMS[arm].learned for name in _relation_names(arm)]
    found = table.set_index(["arm", "pathway"])
    if table["r"].isna().all():  # fewer than three tasks
        style.say_blank(axes)
    for position, (arm, name) in enumerate(rows):
        if (arm, name) in found.index:
            row, look = found.loc[[(arm, name)]], style.LOOKS[arm]
            fill = look.colour if row["p"].item() < 0.05 else "white"
            style.draw_rows(axes, [position], row, "r", look, markerfacecolor=fill, markersize=5)
    axes.axvline(0, color="0.4", linewidth=0.8, linestyle=":")
    style.name_rows(axes, [f"{arm}: {_label(name)}" for arm, name in rows])
    axes.set_xlabel("related tasks,\nrelated modulation (r)")


def _relation_names(arm: str) -> list[str]:
    pathways = list(ARMS[arm].learned)
    return pathways if len(pathways) == 1 else [*pathways, "all"]


def _label(pathway: str) -> str:
    return "all" if pathway == "all" else PATHWAYS[pathway].label


def _draw_use(axes: Axes, table: pd.DataFrame, arms: Sequence[str], tasks: list[str]) -> None:
    for offset, arm in style.spread_over(arms, 0.27):
        part = select(table, arm=arm).set_index("task").reindex(tasks)
        style.draw_rows(axes, np.arange(len(tasks)) + offset, part, "value", style.LOOKS[arm], markersize=3.5)
