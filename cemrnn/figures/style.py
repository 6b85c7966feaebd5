"""One look for the whole book: colours and markers by arm, panels, points and curves with their interval, text."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import io
import itertools
import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from cemrnn.figures.result import Result
from cemrnn.network.pathways import ARMS, PATHWAYS, Look

SHEET = ["default", Path(__file__).with_name("cemrnn.mplstyle")]  # over matplotlib's own defaults, not a reader's
WIDTH_IN = 9.0  # of every figure of the book, which shows as much
NARROW_IN = 3.4  # of a figure on a phone, between the edges of a tab
NARROW = ".narrow"  # in the name of its file
MAX_MARKERS = 12  # per curve, about
FILLS = ("full", "none", "left", "top", "right", "bottom")  # faces of markers, where colours are those of arms
GREY = dict(color="0.3", marker="o", linestyle="none")  # of markers in a legend, whatever their arm
SECONDS = "seconds"  # column of times that this machine took
MISSING = "–"  # instead of a number that is not finite
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


class Figure(MatplotlibFigure):
    """A figure that a notebook shows at the end of a cell, though pyplot does not know of it.

    It knows the box around all that is on it, in inches, as it was found last.
    """

    tight_box = "tight"  # not found yet

    def get_tightbbox(self, *args, **kwargs):
        """See matplotlib."""
        self.tight_box = super().get_tightbbox(*args, **kwargs)
        return self.tight_box

    def _repr_svg_(self) -> str:
        return render(self, "svg", "shown").decode()


Figures = MatplotlibFigure | Mapping[str, MatplotlibFigure]  # one, or parts: "" is the first, "b" the second, ...


def list_parts(figures: Figures) -> dict[str, MatplotlibFigure]:
    """Every part of what a figure module's `plot` returned: "" is the first, or all there is."""
    return dict(figures) if isinstance(figures, Mapping) else {"": figures}


_is_narrow = contextvars.ContextVar("narrow", default=False)


@contextlib.contextmanager
def narrow() -> Iterator[None]:
    """Within the block, panels lie one below the other, for a phone."""
    before = _is_narrow.set(True)
    try:
        yield
    finally:
        _is_narrow.reset(before)


_collected = contextvars.ContextVar("collected", default=None)


@contextlib.contextmanager
def collect_curves() -> Iterator[list[Line2D]]:
    """Within the block, the lines of all curves that are drawn are put into the list, but for those over seconds."""
    before = _collected.set(lines := [])
    try:
        yield lines
    finally:
        _collected.reset(before)


def is_narrow() -> bool:
    """Whether figures are drawn for a phone."""
    return _is_narrow.get()


def page_width() -> float:
    """Inches that a figure may be wide."""
    return NARROW_IN if is_narrow() else WIDTH_IN


def are_neighbours(one: Axes, other: Axes) -> bool:
    """Whether panels lie in one row, so that what one says of its y axis holds for the other."""
    return one.get_figure(root=False) is other.get_figure(root=False)


def fit_columns(n_columns: int) -> int:
    """How many columns of small panels, of which a page has so many, or of a legend: on a phone at most two."""
    return min(n_columns, 2) if is_narrow() else n_columns


def draw_narrow(draw: Callable[[Result], Figures], result: Result) -> dict[str, MatplotlibFigure]:
    """The parts of a figure that fit on a phone; a figure whose layout is its own may have none."""
    with narrow():
        parts = list_parts(draw(result))
    return {part: figure for part, figure in parts.items() if figure.get_figwidth() == NARROW_IN}


def open_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure in the book's style, which pyplot neither shows nor keeps; sizes in inches."""
    with pyplot.style.context(SHEET):
        return Figure(figsize=(width_in, height_in))


def open_panels(rows: Sequence[str], height_in: float, **heights) -> tuple[Figure, dict[str, Axes]]:
    """A figure as wide as the page, and its panels by letter; on a phone they lie one below the other.

    Args:
        rows: a part of the figure each, which needs no room for labels in other rows; in "dde" d has twice the width,
            and a "." stays empty.
        height_in: of the figure, inches.
        heights: `height_ratios` of the rows.
    """
    if is_narrow():
        ratios = heights.get("height_ratios", [1] * len(rows))
        heights_in = [height_in * ratio / sum(ratios) for ratio in ratios]
        below = [
            (letter, h)
            for row, h in zip(rows, heights_in, strict=True)
            for letter in dict.fromkeys(row)
            if letter != "."
        ]
        rows, ratios = zip(*below, strict=True)
        figure, heights = open_figure(NARROW_IN, sum(ratios)), {"height_ratios": ratios}
    else:
        figure = open_figure(WIDTH_IN, height_in)
    parts = figure.subfigures(len(rows), 1, squeeze=False, **heights)[:, 0]
    panels = [part.subplot_mosaic([list(row)]) for part, row in zip(parts, rows, strict=True)]
    return figure, dict(itertools.chain(*map(dict.items, panels)))


def in_style(draw: Callable[[Result], Figures]) -> Callable[[Result], Figures]:
    """The `plot` of a figure, drawn in the book's style."""

    @functools.wraps(draw)
    def plot(result: Result) -> Figures:
        with pyplot.style.context(SHEET):
            return draw(result)

    return plot


def show_text(text: str) -> str:
    """Any text as a figure shows it, character by character: no formula, no control characters.

    A character that an SVG cannot hold, or that has no width, is shown as a replacement character.
    """
    kinds = {"Cc": "\ufffd", "Cs": "\ufffd", "Cn": "\ufffd", "Co": "\ufffd", "Cf": "\ufffd"}
    shown = (c if c == "\n" else kinds.get(unicodedata.category(c), c) for c in text.replace("\t", " "))
    return "".join(shown).replace("$", r"\$")


def spell(name: str) -> str:
    """The name of a task for people: words with spaces between them."""
    return show_text(name.replace("_", " "))


def write_number(value: float, digits: int = 2) -> str:
    """A number for a small cell: rounded, no zero before the point, no sign on zero, a dash if it is not finite."""
    if not math.isfinite(value):
        return MISSING
    whole, rest = divmod(round(abs(value) * 10**digits), 10**digits)
    sign = "−" if value < 0 and (whole or rest) else ""
    return f"{sign}{whole or ''}.{rest:0{digits}d}"


def add_letter(axes: Axes, letter: str) -> None:
    """Write the panel's letter above its left corner."""
    axes.set_title(letter, loc="left", fontweight="bold")


def name_axes(axes: Axes, letter: str, x: str, y: str = "", **settings) -> None:
    """Set the panel's letter, the labels of its axes, and any other property of theirs, e.g. ylim."""
    axes.set(xlabel=x, ylabel=y, **settings)
    add_letter(axes, letter)


def name_rows(axes: Axes, names: Sequence[str], **text) -> None:
    """Name rows from top to bottom; `text` holds properties of the names."""
    axes.set_yticks(range(len(names)), names, **text)
    axes.set_ylim(len(names) - 0.5, -0.5)


def say_blank(axes: Axes, text: str = "not compared") -> None:
    """Say that a panel has nothing to show."""
    axes.set(xticks=[], yticks=[])
    axes.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color="0.4")


def use_octaves(axes: Axes, sizes: Sequence[int]) -> None:
    """Make x an axis of factors of two, with a tick at every size."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, sizes)
    axes.minorticks_off()


def draw_curves(axes: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """Draw a line with an interval band per arm (columns arm, x, y, low, high); without data, none."""
    for arm, part in table.groupby("arm", sort=False):
        draw_curve(axes, part, x, y, LOOKS[arm], label=arm)


def draw_curve(axes: Axes, part: pd.DataFrame, x: str, y: str, look: Look, *, band: float = 0.15, **style) -> None:
    """Draw one such line, with `band` the opacity of its interval and other properties of the line."""
    if part[y].isna().all():
        return
    every = max(1, len(part) // MAX_MARKERS)  # a marker on every point would hide a long curve
    style = dict(color=look.colour, linestyle=look.line, marker=look.marker, markevery=every) | style
    (line,) = axes.plot(part[x], part[y], **style)
    axes.fill_between(part[x], part["low"], part["high"], color=look.colour, alpha=band, linewidth=0)
    if (collected := _collected.get()) is not None and x != SECONDS:
        collected.append(line)


def draw_points(axes: Axes, at: Sequence[float], part: pd.DataFrame, value: str, look: Look, **style) -> None:
    """Draw points at places `at` on x, with their intervals (columns value, low, high)."""
    axes.vlines(at, part["low"], part["high"], color=look.colour, linewidth=1)
    axes.plot(at, part[value], **dict(linestyle="none", marker=look.marker, color=look.colour) | style)


def draw_rows(axes: Axes, at: Sequence[float], part: pd.DataFrame, value: str, look: Look, **style) -> None:
    """Draw points in rows `at`, with their intervals (columns value, low, high)."""
    axes.hlines(at, part["low"], part["high"], color=look.colour, linewidth=1)
    axes.plot(part[value], at, **dict(linestyle="none", marker=look.marker, color=look.colour) | style)


def draw_networks(axes: Axes, x: ArrayLike, y: ArrayLike, arm: str) -> None:
    """Draw single networks as small dots behind what they are summarised by; x and y (M,), or one of them a number."""
    x, y = np.broadcast_arrays(x, y)
    axes.scatter(x, y, s=4, color=LOOKS[arm].colour, alpha=0.35, linewidth=0, zorder=1)


def spread_over(names: Sequence[str], reach: float) -> Iterator[tuple[float, str]]:
    """Every name with its offset, evenly from -reach to reach."""
    return zip(np.linspace(-reach, reach, len(names)), names, strict=True)


def draw_estimates(
    axes: Axes, table: pd.DataFrame, arms: Sequence[str], value: str, networks: pd.DataFrame | None = None
) -> None:
    """Draw a point per arm with its interval, arms from top to bottom; an arm without data is marked as such.

    Args:
        axes: to draw on.
        table: columns arm, the value, low, high.
        arms: rows from top to bottom.
        value: name of a column.
        networks: columns arm and value, a row per network, for a dot each below the point; None: no dots.
    """
    rows = table.set_index("arm").reindex(arms)
    for position, (arm, row) in enumerate(rows.iterrows()):
        if np.isnan(row[value]):
            place = dict(xycoords=("axes fraction", "data"), va="center", color="0.4")
            axes.annotate("not compared", (0.02, position), **place)
            continue
        if networks is not None:
            draw_networks(axes, networks.loc[networks["arm"] == arm, value], position + 0.25, arm)
        look = LOOKS[arm]
        axes.plot(row[value], position, marker=look.marker, color=look.colour, linestyle="none", markersize=5)
        axes.plot([row["low"], row["high"]], [position] * 2, color=look.colour)
    name_rows(axes, arms)


def draw_bars(axes: Axes, table: pd.DataFrame, value: str) -> None:
    """Draw a grey bar per row with its interval, from top to bottom."""
    position = np.arange(len(table))
    axes.barh(position, table[value], color="0.75", height=0.6)
    axes.hlines(position, table["low"], table["high"], color="0.1", linewidth=1)


def draw_cells(axes: Axes, values: np.ndarray, write: Callable[[float], str], is_dark: Callable, **text) -> np.ndarray:
    """Texts, one in every cell of an image: its number, white where the cell is dark and grey where it is missing."""
    texts = np.empty(values.shape, object)
    for (i, j), value in np.ndenumerate(values):
        colour = "0.4" if np.isnan(value) else "white" if is_dark(value) else "black"
        texts[i, j] = axes.text(j, i, write(value), ha="center", va="center", color=colour, **text)
    return texts


def draw_units(axes: Axes, table: pd.DataFrame, tasks: Sequence[str], value: str, edge: str, **image) -> AxesImage:
    """Draw a value of every task and unit, units in the order of their clusters, with lines between clusters.

    Args:
        axes: to draw on.
        table: columns task, cluster, unit and the value; units without a cluster, -1, are left out.
        tasks: rows from top to bottom.
        value: "variance" is relative to each unit's largest.
        edge: colour of the lines.
        image: limits and colours.
    """
    cells = table[table["cluster"] >= 0].pivot(index="task", columns=["cluster", "unit"], values=value)
    cells = cells.loc[list(tasks)].sort_index(axis="columns")
    if value == "variance":
        cells = cells / cells.max()
    drawn = axes.imshow(cells, aspect="auto", interpolation="nearest", **image)
    edges = np.flatnonzero(np.diff(cells.columns.get_level_values("cluster"))) + 0.5
    axes.vlines(edges, -0.5, len(cells) - 0.5, color=edge, linewidth=0.8)
    axes.set_xticks([])
    return drawn


def make_handles(labels: Mapping[str, Mapping] | Iterator, **style) -> list[Line2D]:
    """Lines for a legend: label -> what is special about its line, beside what all have in common."""
    return [Line2D([], [], label=label, **style | dict(own)) for label, own in dict(labels).items()]


def add_legend(figure: Figure, arms: Sequence[str], extra: Sequence[Line2D] = ()) -> None:
    """Draw one legend of arms, and of more, for all panels."""
    lay_legend(figure, [*handle_looks({arm: LOOKS[arm] for arm in arms}), *extra])


def handle_looks(looks: Mapping[str, Look]) -> list[Line2D]:
    """Lines for a legend: name -> look."""
    return make_handles({n: dict(color=k.colour, linestyle=k.line, marker=k.marker) for n, k in looks.items()})


def lay_legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Draw a legend above all panels, in as many rows as it needs."""
    widths_in = [0.6 + 0.085 * len(handle.get_label()) for handle in handles]  # at 9 pt, about
    n_rows = math.ceil(sum(widths_in) / page_width())
    most = max(1, int(page_width() / max(widths_in, default=1)))  # columns as wide as the widest label
    ncols = math.ceil(len(handles) / n_rows)
    figure.legend(handles=handles, loc="outside upper center", ncols=min(ncols, most) if is_narrow() else ncols)


def add_small_legend(axes: Axes, handles: Sequence[Line2D] | None = None, **place) -> None:
    """Draw a legend of one row above the panel, beside its letter."""
    handles = axes.get_legend_handles_labels()[0] if handles is None else handles
    over_letter = is_narrow() and len(handles) > 2  # which is as high as one and a half lines
    beside = dict(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles), borderaxespad=1.6 if over_letter else 0.1
    )
    axes.legend(handles=handles, **beside | dict(columnspacing=0.6, handletextpad=0.2) | place)


# Metadata that carries dates or versions is dropped, so that the same figure gives the same bytes.
IMAGE_METADATA = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
# The tight box makes room for the footer below the axes, whatever the layout engine. The page is the ground.
PAD_IN = 0.03
SAVE_OPTIONS = {"dpi": 200, "transparent": True}


def render(figure: MatplotlibFigure, kind: str, salt: str) -> bytes:
    """Bytes of the figure as "svg", "pdf" or "png", the same bytes for the same figure.

    Panels stay where they were laid out for the first of its pictures.
    """
    return render_kinds(figure, [kind], salt)[kind]


def render_kinds(figure: MatplotlibFigure, kinds: Iterable[str], salt: str) -> dict[str, bytes]:
    """Kind -> bytes of the figure, see `render`; all kinds show what is in the box of the first.

    To find the box of what is drawn takes half the time of a picture.
    """
    pictures, box = {}, "tight"
    with pyplot.style.context([*SHEET, {"svg.hashsalt": salt}]):
        for kind in kinds:
            buffer = io.BytesIO()
            crop = dict(bbox_inches=box, pad_inches=PAD_IN)
            figure.savefig(buffer, format=kind, metadata=IMAGE_METADATA[kind], **crop, **SAVE_OPTIONS)
            pictures[kind] = buffer.getvalue()
            if box == "tight" and (found := getattr(figure, "tight_box", "tight")) != "tight":
                box = found.padded(PAD_IN)
            figure.set_layout_engine("none")
    return pictures
