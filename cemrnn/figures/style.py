"""One look for the whole book: a colour, a marker and a line per arm, panel letters, curves with their interval."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cemrnn.network.pathways import ARMS, PATHWAYS, Look

SHEET = ["default", Path(__file__).with_name("cemrnn.mplstyle")]  # over matplotlib's own defaults, not a reader's
MAX_MARKERS = 12  # per curve, about


# What is drawn beside the arms of the model.
BASELINES = {
    "separate": Look("#8B5E3C", "*", "--"),  # one plain network per task
    "gru": Look("#882255", "h", "-."),
    "lstm": Look("#332288", "p", "--"),
}


class _Looks(Mapping):
    """Name -> look of every arm and baseline that there is; a pathway has one too, and is found by its name."""

    def __getitem__(self, name: str) -> Look:
        found = ARMS.get(name) or PATHWAYS.get(name)
        return BASELINES[name] if found is None else found.look

    def __iter__(self) -> Iterator[str]:
        return itertools.chain(ARMS, BASELINES)

    def __len__(self) -> int:
        return len(ARMS) + len(BASELINES)


LOOKS: Mapping[str, Look] = _Looks()


def open_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure in the book's style, which pyplot neither shows nor keeps; sizes in inches."""
    with pyplot.style.context(SHEET):
        return Figure(figsize=(width_in, height_in))


def add_letter(axes: Axes, letter: str) -> None:
    """Write the panel's letter above its left corner."""
    axes.set_title(letter, loc="left", fontweight="bold")


def draw_curves(axes: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """Draw a line with an interval band per arm (columns arm, x, y, low, high); without data, none."""
    for arm, part in table.groupby("arm", sort=False):
        if part[y].isna().all():
            continue
        look = LOOKS[arm]
        every = max(1, len(part) // MAX_MARKERS)  # a marker on every point would hide a long curve
        style = dict(color=look.colour, linestyle=look.line, marker=look.marker, markevery=every, label=arm)
        axes.plot(part[x], part[y], **style)
        axes.fill_between(part[x], part["low"], part["high"], color=look.colour, alpha=0.15, linewidth=0)


def draw_estimates(axes: Axes, table: pd.DataFrame, arms: list[str], value: str) -> None:
    """Draw a point per arm with its interval, arms from top to bottom; an arm without data is marked as such."""
    rows = table.set_index("arm")
    for position, arm in enumerate(arms):
        row, look = rows.loc[arm], LOOKS[arm]
        if np.isnan(row[value]):
            axes.annotate(
                "not compared",
                (0.02, position),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=6,
                color="0.4",
            )
            continue
        axes.plot(row[value], position, marker=look.marker, color=look.colour, linestyle="none", markersize=5)
        axes.plot([row["low"], row["high"]], [position] * 2, color=look.colour)
    axes.set_yticks(range(len(arms)), arms)
    axes.set_ylim(len(arms) - 0.5, -0.5)


def add_legend(figure: Figure, arms: list[str], extra: tuple[Line2D, ...] = ()) -> None:
    """Draw one legend for all panels, above them."""
    handles = [
        Line2D([], [], color=LOOKS[a].colour, linestyle=LOOKS[a].line, marker=LOOKS[a].marker, label=a) for a in arms
    ]
    figure.legend(handles=[*handles, *extra], loc="outside upper center", ncols=len(handles) + len(extra))


# Metadata that carries dates or versions is dropped, so that the same figure gives the same bytes.
IMAGE_METADATA = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


# The book's style also says how fonts are written; it is found without importing the figures and PyTorch.


# The tight box makes room for the footer below the axes, whatever the layout engine.
SAVE_OPTIONS = {"bbox_inches": "tight", "pad_inches": 0.05, "dpi": 200}


def render(figure: Figure, kind: str, salt: str) -> bytes:
    """Bytes of the figure as "svg", "pdf" or "png", the same bytes for the same figure."""
    buffer = io.BytesIO()
    with pyplot.style.context([*SHEET, {"svg.hashsalt": salt}]):
        figure.savefig(buffer, format=kind, metadata=IMAGE_METADATA[kind], **SAVE_OPTIONS)
    return buffer.getvalue()
