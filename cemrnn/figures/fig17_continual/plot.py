"""Figure 17: the first map and all maps over stages, forgetting, and new tasks by their context alone."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig17_continual.config import ContinualConfig, Method
from cemrnn.figures.fig17_continual.experiment import CONTEXT, SCRATCH
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select

PULLED = dict(linestyle=":", markerfacecolor="white")  # what tells a method with EWC from its arm
LIMITS = (-0.02, 1.04)
APART = 0.12  # of points side by side


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig17_continual.experiment.run`."""
    config, tables = result.config, result.tables
    figure, panels = style.open_panels(["ab", "cd"], 6.6)
    for letter, table in (("a", tables["first"]), ("b", tables["held"])):
        _draw_stages(panels[letter], table, config)
    style.name_axes(panels["a"], "a", "maps learned so far", "accuracy on the first map", ylim=LIMITS)
    style.name_axes(panels["b"], "b", "maps learned so far", "accuracy over maps so far", ylim=LIMITS)
    _draw_together(panels["b"], tables["together"], config)
    _draw_forgetting(panels["c"], tables["forgetting"], config)
    _draw_added(panels["d"], tables["added"], tables["chance"], config)
    pulled = {m.label: dict(color=style.LOOKS[m.arm].colour, marker=style.LOOKS[m.arm].marker) | PULLED
              for m in config.methods if m.is_pulled}  # fmt: skip
    style.add_legend(figure, config.arms, style.make_handles(pulled))
    return figure


def _style_of(method: Method) -> dict:
    return dict(PULLED) if method.is_pulled else {}


def _draw_stages(axes: Axes, table: pd.DataFrame, config: ContinualConfig) -> None:
    for method in config.methods:
        part, look = select(table, method=method.key), style.LOOKS[method.arm]
        style.draw_curve(axes, part, "stage", "accuracy", look, band=0.08, **_style_of(method))
    axes.axhline(1 / config.n_sites, color="0.6", linewidth=0.7, linestyle=":")
    axes.set_xticks(range(1, config.n_maps + 1))


def _draw_together(axes: Axes, table: pd.DataFrame, config: ContinualConfig) -> None:
    """Points right of the curves: the networks that learned all maps at once."""
    for i, arm in enumerate(config.arms):
        at = config.n_maps + 1 + APART * (i - (len(config.arms) - 1) / 2)
        style.draw_points(axes, [at], select(table, arm=arm), "accuracy", style.LOOKS[arm])
    axes.set_xticks(range(1, config.n_maps + 2), [*range(1, config.n_maps + 1), "together"])


def _draw_forgetting(axes: Axes, table: pd.DataFrame, config: ContinualConfig) -> None:
    for row, method in enumerate(config.methods):
        face = dict(markerfacecolor="white") if method.is_pulled else {}
        part = select(table, method=method.key)
        style.draw_rows(axes, [row], part, "forgetting", style.LOOKS[method.arm], **face)
    style.name_rows(axes, [method.label for method in config.methods])
    axes.axvline(0, color="0.6", linewidth=0.7, linestyle=":")
    style.name_axes(axes, "c", "forgetting: best minus last accuracy")


def _draw_added(axes: Axes, table: pd.DataFrame, chance: pd.DataFrame, config: ContinualConfig) -> None:
    arms = config.adding_arms()
    for x, task in enumerate(config.left_out):
        for i, arm in enumerate(arms):
            part = select(table, task=task, arm=arm, way=CONTEXT)
            at = x + APART * (i - (len(arms) - 1) / 2)
            style.draw_points(axes, [at], part, "score", style.LOOKS[arm])
        for level, line in ((select(chance, task=task), ":"), (select(table, task=task, way=SCRATCH), "-")):
            axes.hlines(level["score"], x - 0.35, x + 0.35, color="0.5", linewidth=0.9, linestyle=line)
    handles = style.make_handles({SCRATCH: dict(linestyle="-"), "chance": dict(linestyle=":")}, color="0.5")
    style.add_small_legend(axes, handles)
    axes.set_xticks(range(len(config.left_out)), [task.replace("_", "\n") for task in config.left_out])
    axes.set_xlim(-0.6, len(config.left_out) - 0.4)
    style.name_axes(axes, "d", "task that was left out", "score by its context alone", ylim=LIMITS)
