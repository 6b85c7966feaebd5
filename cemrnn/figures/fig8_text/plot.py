"""Figure 8: bits per character, learning against time, one network for several registers, what the models write."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from cemrnn.figures import style
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select

CUES = {"none": "", "told": "told", "ambiguous": "ambiguous", "swapped": "told another", "inferred": "inferred"}
SAMPLE_COLUMNS, SAMPLE_IN = 94, 0.45  # width in characters of what a model wrote, and height
LEAST_IN, POINT_IN = 3.2, 0.11  # height of the lower panels: at least, and for each point of panel d


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig8_text.experiment.run`, and part b: what the models write."""
    return {"": _plot_bits(result), "b": _plot_samples(result)}


def _plot_bits(result: Result) -> Figure:
    config, tables = result.config, result.tables
    heights = 2.8, max(LEAST_IN, POINT_IN * len(tables["packed"]))
    figure, panels = style.open_panels(["ab", "cd"], sum(heights), height_ratios=heights)
    style.draw_estimates(panels["a"], tables["bits"], config.models, "bits", tables["networks"])
    panels["a"].axvline(result.scalars["bits_bigram"], color="0.4", linestyle=":", linewidth=0.8)
    style.name_axes(panels["a"], "a", "bits per character (dotted: bigrams)")
    style.draw_curves(panels["b"], tables["learning"], "seconds", "bits")
    style.name_axes(panels["b"], "b", "time per network (s)", "bits per character, validation", xscale="log")
    panels["b"].xaxis.set_minor_formatter(NullFormatter())
    style.draw_bars(panels["c"], tables["separation"].set_index("training").loc[["before", "after"]], "share")
    panels["c"].axvline(1 / len(config.registers), color="0.4", linestyle=":", linewidth=0.8)
    style.name_rows(panels["c"], ["before\ntraining", "after\ntraining"])
    passages = f"passages of {config.passage_characters} characters whose\ncontext tells the register (dotted: chance)"
    style.name_axes(panels["c"], "c", passages, xlim=(0, 1))
    _draw_packed(panels["d"], tables["packed"], config.learned_registers)
    style.add_legend(figure, list(dict.fromkeys([*config.models, *config.packing_models])))
    return figure


def _plot_samples(result: Result) -> Figure:
    table = result.tables["samples"]
    share = style.page_width() / style.WIDTH_IN  # on a phone a sample has more lines, and its arm one of its own
    figure, panels = style.open_panels(["a"], SAMPLE_IN * len(table) / share + 0.3)
    _write_samples(panels["a"], table, share)
    return figure


def _draw_packed(axes: Axes, table: pd.DataFrame, registers: Sequence[str]) -> None:
    conditions = list(dict.fromkeys(zip(table["arm"], table["cue"], strict=True)))
    fills = dict(zip(registers, itertools.cycle(style.FILLS), strict=False))
    reach = 0.3 * (1 - 1 / len(registers))  # two: a third of a row apart
    for position, (arm, cue) in enumerate(conditions):
        part = select(table, arm=arm, cue=cue).set_index("register")
        for offset, register in style.spread_over(registers, reach):
            marks = dict(fillstyle=fills[register])
            style.draw_rows(axes, [position + offset], part.loc[[register]], "bits", style.LOOKS[arm], **marks)
    style.name_rows(axes, [f"{arm} {CUES[cue]}".strip() for arm, cue in conditions])
    handles = style.make_handles({name: dict(fillstyle=fill) for name, fill in fills.items()}, **style.GREY)
    place = dict(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(handles), columnspacing=1.2)
    axes.legend(handles=handles, title="in each row from top to bottom", **place)
    style.name_axes(axes, "d", "bits per character, one network for all")


def _write_samples(axes: Axes, table: pd.DataFrame, share: float) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_axis_off()
    style.add_letter(axes, "a")
    tops = np.linspace(0.97, 0, len(table), endpoint=False)
    text = dict(transform=axes.transAxes, va="top", ha="left")
    for top, row in zip(tops, table.itertuples(), strict=True):
        shown = " ".join(row.text.split())[: 2 * SAMPLE_COLUMNS]
        lines = textwrap.wrap(shown, int(share * SAMPLE_COLUMNS))[: round(2 / share)] or [style.MISSING]
        left, below_pt = (0.14, 0) if share == 1 else (0.0, 14)
        axes.text(0.0, top, row.arm, color=style.LOOKS[row.arm].colour, fontweight="bold", **text)
        place = dict(xycoords=axes.transAxes, xytext=(0, -below_pt), textcoords="offset points", va="top", ha="left")
        axes.annotate("\n".join(map(style.show_text, lines)), (left, top), family="monospace", **place)
