"""Figure 11: every weight of one network on one screen, with its rates and its scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from cemrnn.figures import style
from cemrnn.figures.result import Result

# Matrices that send to the same units stand in one column, those that read from the same units in one row.
PLACES = [["W", "V", "C"], ["U", "bar", "bar"], ["B", "bar", "bar"], ["b", ".", "d"], ["E", "S", "."], ["G", ".", "."]]
# On a narrow screen those that send to the same units stand above the others.
RECEIVED, SENT = [["W"], ["U"], ["B"], ["b"], ["E"], ["G"]], [["V", "C"], ["S", "d"]]
CELL_IN, TITLES_IN, EQUATIONS_IN = 0.18, 1.9, 0.7  # height of a cell, of all that names matrices, and below them
BAR_IN = 0.6
LEAST_IN = 0.26  # width of a cell with a number
TITLES = {
    "W": "W, recurrent weights",
    "U": "U, from components (transposed)",
    "B": "B, input weights",
    "b": "b, bias",
    "E": "E, bias in each context",
    "G": "G, gain in each context, beyond 1",
}
EQUATIONS = (
    r"$p = g \odot (r W + ((r V) \odot s)\, U^\top + u B) + b + \beta$",
    r"$\tau\, \dot r = -r + \phi(p), \qquad y = r C + d$",
    r"context $k$: $\beta = E_k,\; g = 1 + G_k,\; s = S_k$",
)
N_NARROW = 2  # trials side by side on a narrow screen
OUTPUTS = {"fixation": ("0.5", ":"), "cos": ("#882255", "-"), "sin": ("#332288", "--")}
DIVERGING = "RdBu_r"


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig11_network.experiment.run`, and part b: trials and scores."""
    return {"": _plot_weights(result), "b": _plot_trials(result)}


def _plot_weights(result: Result) -> Figure:
    weights, config = result.tables["weights"], result.config
    n_inputs, n_outputs = (weights.loc[weights["matrix"] == m, k].nunique() for m, k in (("B", "row"), ("d", "column")))
    heights = [config.n_units, config.rank, n_inputs, 1, len(config.tasks), len(config.tasks)]
    widths = [config.n_units, max(config.rank, 2), n_outputs]
    below, panels, bar = (_open_narrow if style.is_narrow() else _open_wide)(heights, widths)
    image = _draw_matrices(panels, weights)
    bar.get_figure(root=False).colorbar(image, cax=bar, orientation="horizontal", label="value, all matrices")
    for line, height in zip(EQUATIONS, (0.8, 0.5, 0.2), strict=True):
        below.text(0.5, height, line, ha="center", va="center")
    return below.get_figure(root=True)


def _open_wide(heights: list[int], widths: list[int]) -> tuple[SubFigure, dict[str, Axes], Axes]:
    """The part for equations; all matrices, by name, in cells of as many rows and columns; the scale of colours."""
    height_in = CELL_IN * sum(heights) + TITLES_IN
    figure = style.open_figure(style.page_width(), height_in + EQUATIONS_IN)
    above, below = figure.subfigures(2, 1, height_ratios=[height_in, EQUATIONS_IN])
    panels = above.subplot_mosaic(PLACES, height_ratios=heights, width_ratios=widths)
    hidden = panels.pop("bar")
    hidden.set(xticks=[], yticks=[])
    hidden.set_axis_off()
    return below, panels, hidden.inset_axes((0.1, 0.45, 0.8, 0.12))


def _open_narrow(heights: list[int], widths: list[int]) -> tuple[SubFigure, dict[str, Axes], Axes]:
    """The same on a narrow screen."""
    sent = heights[0], heights[-1]
    parts_in = CELL_IN * sum(heights) + TITLES_IN, CELL_IN * sum(sent) + TITLES_IN / 2, BAR_IN, EQUATIONS_IN
    figure = style.open_figure(style.page_width(), sum(parts_in))
    received, others, bar, below = figure.subfigures(4, 1, height_ratios=parts_in)
    panels = received.subplot_mosaic(RECEIVED, height_ratios=heights)
    panels |= others.subplot_mosaic(SENT, height_ratios=sent, width_ratios=widths[1:])
    return below, panels, bar.subplots()


def _draw_matrices(panels: dict[str, Axes], weights: pd.DataFrame) -> AxesImage:
    """One of the images, all of which have the same colours; units and components are named once."""
    limit, image = weights["value"].abs().max(), None
    for matrix, part in weights.groupby("matrix", sort=False):
        cells = part.pivot(index="row", columns="column", values="value")
        cells = cells.loc[list(dict.fromkeys(part["row"])), list(dict.fromkeys(part["column"]))]
        image = _draw_matrix(panels[matrix], cells.T if matrix == "U" else cells, limit)
        panels[matrix].set_title(TITLES.get(matrix, matrix), pad=3)
    for matrix in "Cd" if style.is_narrow() else "VCSd":  # beside a matrix with the same rows, or with none
        panels[matrix].set_yticklabels([])
    for matrix in "WUBbEVC":  # above a matrix with the same columns
        panels[matrix].set_xticklabels([])
    panels["d"].tick_params(axis="x", labelrotation=90)
    panels["G"].set_xlabel("to unit")
    panels["S"].set_xlabel("component")
    panels["W"].set_ylabel("from unit")
    panels["U"].set_ylabel("component")
    style.add_letter(panels["W"], "a")
    return image


def _draw_matrix(axes: Axes, cells: pd.DataFrame, limit: float) -> AxesImage:
    """The image; a number in every cell, on one scale for all matrices."""
    values = cells.to_numpy()
    image = axes.imshow(values, aspect="auto", cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    if values.shape[1] * LEAST_IN < style.page_width():
        style.draw_cells(axes, values, _write, lambda value: abs(value) > 0.6 * limit)
    axes.set_xticks(range(values.shape[1]), list(map(style.show_text, cells.columns)))
    axes.set_yticks(range(values.shape[0]), list(map(style.show_text, cells.index)))
    axes.tick_params(length=0, pad=1.5)
    axes.spines[["top", "right"]].set_visible(True)
    return image


def _write(value: float) -> str:
    """A number in a cell; on a phone one digit after the point, and a hyphen, which is shorter than a minus sign."""
    return style.write_number(value, 1).replace("−", "-") if style.is_narrow() else style.write_number(value)


def _plot_trials(result: Result) -> Figure:
    tables, tasks = result.tables, [task.replace("_", " ") for task in result.config.tasks]
    n_blocks = -(-len(tasks) // N_NARROW) if style.is_narrow() else 1
    figure = style.open_figure(style.page_width(), 5.1 * n_blocks + 1.9)
    upper, lower = figure.subfigures(2, 1, height_ratios=[5.1 * n_blocks, 1.9])
    _draw_trials(upper, tables["rates"], tasks, n_blocks)
    axes = lower.subplots()
    _draw_scores(axes, tables["scores"], tasks)
    style.add_letter(axes, "b")
    return figure


def _draw_trials(figure: SubFigure, rates: pd.DataFrame, tasks: list[str], n_blocks: int) -> None:
    """Draw one trial per task, tasks side by side in blocks."""
    blocks = np.array_split(np.array(tasks, object), n_blocks)
    for part, block in zip(figure.subfigures(n_blocks, 1, squeeze=False)[:, 0], blocks, strict=True):
        panels = _draw_block(part, rates, list(block))
        part.supxlabel("time (ms)")
    style.lay_legend(figure, panels[2, 0].get_legend_handles_labels()[0])
    figure.text(0.005, 0.99, "a", fontweight="bold", va="top")


def _draw_block(figure: SubFigure, rates: pd.DataFrame, tasks: list[str]) -> np.ndarray:
    """Panels with one trial per task in a column: input, rates, output."""
    panels = figure.subplots(3, len(tasks), squeeze=False, sharex="col", height_ratios=[0.8, 1.6, 1])
    finite = rates["value"].where(np.isfinite(rates["value"])).abs()
    largest = finite.groupby(rates["kind"]).max().fillna(1.0)  # 1: nothing of a network that failed is finite
    for k, task in enumerate(tasks):
        part = {kind: x for kind, x in rates[rates["task"] == task].groupby("kind")}
        for i, (kind, cmap, low) in enumerate((("input", DIVERGING, -1), ("unit", "cividis", 0))):
            cells = part[kind].pivot(index="name", columns="time_ms", values="value")
            cells = cells.loc[list(dict.fromkeys(part[kind]["name"]))]
            end = cells.columns[-1] + (cells.columns[-1] - cells.columns[-2])
            limits = dict(vmin=low * largest[kind], vmax=largest[kind], extent=(0, end, len(cells) - 0.5, -0.5))
            image = panels[i, k].imshow(cells, aspect="auto", cmap=cmap, interpolation="nearest", **limits)
            panels[i, k].set_yticks(range(len(cells)), cells.index if k == 0 else [])
            if k == len(tasks) - 1:
                figure.colorbar(image, ax=panels[i, k], label="input" if kind == "input" else "rate", pad=0.03)
        for name, values in part["output"].groupby("name", sort=False):
            colour, line = OUTPUTS[name]
            panels[2, k].plot(values["time_ms"], values["value"], color=colour, linestyle=line, label=f"output: {name}")
        panels[2, k].set_ylim(-largest["output"] * 1.1, largest["output"] * 1.1)
        if k:
            panels[2, k].set_yticklabels([])
        panels[0, k].set_title(style.show_text(task))
    panels[1, 0].set_ylabel("unit")
    panels[2, 0].set_ylabel("output")
    return panels


def _draw_scores(axes: Axes, scores: pd.DataFrame, tasks: list[str]) -> None:
    position, look = np.arange(len(scores)), style.LOOKS["combined"]
    axes.barh(position, scores["shown"], color="0.8", height=0.6, label="this network")
    axes.hlines(position, scores["low"], scores["high"], color=look.colour, linewidth=1)
    axes.plot(scores["score"], position, linestyle="none", marker=look.marker, color=look.colour, label="all networks")
    axes.plot(scores["chance"], position, linestyle="none", marker="|", markersize=9, color="0.4", label="chance")
    style.name_rows(axes, list(map(style.show_text, tasks)))
    axes.set(xlim=(0, 1.02), xlabel="score (share of fresh trials)")
    style.lay_legend(axes.get_figure(root=False), axes.get_legend_handles_labels()[0])
