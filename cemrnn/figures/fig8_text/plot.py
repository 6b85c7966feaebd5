"""Figure 8: bits per character, learning against time, one network for several registers, what the models write."""

from __future__ import annotations

import itertools
import textwrap

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from cemrnn.figures.fig8_text.experiment import TextConfig
from cemrnn.figures.result import Result
from cemrnn.figures.style import LOOKS, SHEET, add_legend, add_letter, draw_curves, draw_estimates, open_figure

CUES = {"none": "", "told": "told", "ambiguous": "ambiguous", "swapped": "told another", "inferred": "inferred"}
FILLS = ("full", "none", "left", "top", "right", "bottom")  # first register, second, ...
SAMPLE_COLUMNS = 96
UPPER_IN = 3.05  # height of the upper panels
LOWER_IN, POINT_IN = 3.35, 0.065  # height of the lower ones at least, and for each point of panel d


def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig8_text.experiment.run`."""
    config, tables = result.config, result.tables
    with pyplot.style.context(SHEET):
        lower_in = max(LOWER_IN, POINT_IN * len(tables["packed"]))
        figure = open_figure(10, UPPER_IN + lower_in)
        panels = figure.subplot_mosaic([list("aabbcc"), list("ddeeee")], height_ratios=(UPPER_IN, lower_in))
        draw_estimates(panels["a"], tables["bits"], list(config.models), "bits")
        panels["a"].axvline(result.scalars["bits_bigram"], color="0.4", linestyle=":", linewidth=0.8)
        panels["a"].set_xlabel("bits per character (dotted: bigrams)")
        add_letter(panels["a"], "a")
        draw_curves(panels["b"], tables["learning"], "seconds", "bits")
        panels["b"].set_xscale("log")
        panels["b"].xaxis.set_minor_formatter(NullFormatter())
        panels["b"].set_xlabel("time per network (s)")
        panels["b"].set_ylabel("bits per character, validation")
        add_letter(panels["b"], "b")
        _draw_separation(panels["c"], tables["separation"], config)
        _draw_packed(panels["d"], tables["packed"])
        _write_samples(panels["e"], tables["samples"])
        add_legend(figure, list(dict.fromkeys([*config.models, *config.packing_models])))
    return figure


def _draw_separation(axes: Axes, table: pd.DataFrame, config: TextConfig) -> None:
    rows = table.set_index("training").loc[["before", "after"]]
    axes.barh([0, 1], rows["share"], color="0.75", height=0.6)
    axes.hlines([0, 1], rows["low"], rows["high"], color="0.1", linewidth=1)
    axes.axvline(1 / len(config.registers), color="0.4", linestyle=":", linewidth=0.8)
    axes.set_yticks([0, 1], ["before\ntraining", "after\ntraining"])
    axes.set_ylim(1.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel(
        f"passages of {config.passage_characters} characters whose\ncontext tells the register (dotted: chance)"
    )
    add_letter(axes, "c")


def _draw_packed(axes: Axes, table: pd.DataFrame) -> None:
    conditions = list(dict.fromkeys(zip(table["arm"], table["cue"], strict=True)))
    registers = list(dict.fromkeys(table["register"]))
    offsets = 0.3 * np.linspace(-1, 1, len(registers)) * (1 - 1 / len(registers))  # two: a third of a row apart
    for position, (arm, cue) in enumerate(conditions):
        part = table[(table["arm"] == arm) & (table["cue"] == cue)].set_index("register")
        for register, fill, offset in zip(registers, itertools.cycle(FILLS), offsets, strict=False):
            row, look = part.loc[register], LOOKS[arm]
            axes.hlines(position + offset, row["low"], row["high"], color=look.colour, linewidth=1)
            axes.plot(row["bits"], position + offset, look.marker, color=look.colour, fillstyle=fill, markersize=4)
    axes.set_yticks(range(len(conditions)), [f"{arm} {CUES[cue]}".strip() for arm, cue in conditions])
    axes.set_ylim(len(conditions) - 0.5, -0.5)
    axes.set_xlabel("bits per character, one network for all")
    handles = [
        Line2D([], [], color="0.3", marker="o", linestyle="none", fillstyle=fill, label=register)
        for register, fill in zip(registers, itertools.cycle(FILLS), strict=False)
    ]
    place = dict(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(handles), columnspacing=1.2)
    axes.legend(handles=handles, title="in each row from top to bottom", **place)
    add_letter(axes, "d")


def _write_samples(axes: Axes, table: pd.DataFrame) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_axis_off()
    add_letter(axes, "e")
    tops = np.linspace(0.97, 0, len(table), endpoint=False)
    style = dict(transform=axes.transAxes, va="top", ha="left", fontsize=6, parse_math=False)
    for top, row in zip(tops, table.itertuples(), strict=True):
        lines = textwrap.wrap(" ".join(row.text.split()), SAMPLE_COLUMNS)[:2]
        axes.text(0.0, top, row.arm, color=LOOKS[row.arm].colour, fontweight="bold", **style)
        axes.text(0.14, top, "\n".join(lines), family="monospace", **style)
