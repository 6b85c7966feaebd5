"""Figure 2: accuracy under ambiguous context, thresholds, blends and controls, for every arm."""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cemrnn.figures.result import Result
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, draw_curves, draw_estimates, open_figure

CURVES = (
    ("mixture", "mixture λ (share of the other cue)", "a"),
    ("noise", "cue noise σ (in units of the cue)", "c"),
    ("strength", "cue strength κ", "d"),
)
ESTIMATES = (
    ("auc", "area under a, λ from 0 to 0.5", "e"),
    ("sigma75", "σ₇₅ (in units of the cue)", "f"),
    ("blends", "share of blends at λ = 0.5", "g"),
)
CONTROL_FILL = {"clean": "full", "shuffled": "none", "untrained": "left"}


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig2_ambiguity.experiment.run`."""
    arms = list(result.config.arms)
    with pyplot.style.context(SHEET):
        figure = open_figure(10, 5.6)
        panels = figure.subplot_mosaic([list("abcd"), list("efgh")])
        for name, label, letter in CURVES:
            _draw_accuracy(panels[letter], result.tables["curves"], name, label, letter)
        ideal = result.tables["ideal"]
        panels["c"].plot(ideal["sigma"], ideal["normalised"], color="0.25", linewidth=2.2, alpha=0.5, zorder=1)
        _draw_blends(panels["b"], result.tables["choices"])
        for name, label, letter in ESTIMATES:
            _draw_measure(panels[letter], result.tables["measures"], name, label, letter, arms)
        panels["f"].axvline(result.scalars["ideal_sigma75"], color="0.25", linewidth=2.2, alpha=0.5, zorder=0)
        _draw_controls(panels["h"], result.tables["controls"], arms, result.scalars["chance"])
        observer = Line2D([], [], color="0.25", linewidth=2.2, alpha=0.5, label="ideal observer")
        add_legend(figure, arms, (observer,))
    return figure


def _draw_accuracy(axes: Axes, table: pd.DataFrame, name: str, label: str, letter: str) -> None:
    draw_curves(axes, table[table["manipulation"] == name], "level", "normalised")
    for level in (0, 1):
        axes.axhline(level, color="0.8", linewidth=0.6, zorder=0)
    axes.set_xlabel(label)
    axes.set_ylabel("normalised accuracy")
    add_letter(axes, letter)


def _draw_blends(axes: Axes, table: pd.DataFrame) -> None:
    draw_curves(axes, table[table["answer"] == "neither"], "level", "share")
    axes.set_xlabel("mixture λ (share of the other cue)")
    axes.set_ylabel("share of answers of neither task")
    axes.set_ylim(bottom=0)
    add_letter(axes, "b")


def _draw_measure(axes: Axes, table: pd.DataFrame, name: str, label: str, letter: str, arms: list[str]) -> None:
    draw_estimates(axes, table[table["measure"] == name], arms, "value")
    axes.set_xlabel(label)
    add_letter(axes, letter)


def _draw_controls(axes: Axes, table: pd.DataFrame, arms: list[str], chance: float) -> None:
    for name, fill in CONTROL_FILL.items():
        rows = table[table["control"] == name].set_index("arm")
        for position, arm in enumerate(arms):
            look, row = LOOKS[arm], rows.loc[arm]
            axes.plot([row["low"], row["high"]], [position] * 2, color=look.colour, linewidth=1)
            axes.plot(row["accuracy"], position, marker="o", fillstyle=fill, color=look.colour, markersize=4.5)
    handles = [
        Line2D([], [], color="0.3", marker="o", fillstyle=fill, linestyle="none", label=name)
        for name, fill in CONTROL_FILL.items()
    ]
    axes.axvline(chance, color="0.4", linewidth=1, linestyle=":")
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.55, 1.13),
        ncols=3,
        handletextpad=0,
        columnspacing=0.4,
        fontsize=6,
    )
    axes.set_yticks(range(len(arms)), arms)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("accuracy on conflict trials")
    add_letter(axes, "h")
