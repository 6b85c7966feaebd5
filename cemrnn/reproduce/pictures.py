"""Pictures of measures for the page that explains them, each drawn once on a curve of the results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes

from cemrnn.figures.shared.frames import select
from cemrnn.figures.style import LOOKS, SHEET, open_figure, render, say_blank
from cemrnn.measures.robustness import threshold_level
from cemrnn.reproduce.documents import read_json
from cemrnn.system.files import write_bytes

SIGMA75 = 0.75  # normalised accuracy that is left at sigma75


def write_pictures(out: Path, folder: Path) -> None:
    """Draw every picture whose figure has run.

    Args:
        out: folder of the profile, with figures and results.
        folder: where the pictures go, as `<name>.svg`.
    """
    for name, (table, draw) in PICTURES.items():
        path = out / "figures" / f"{table}.csv"
        if path.exists():
            with pyplot.style.context(SHEET):
                figure = open_figure(3.6, 2.2)
                draw(figure.subplots(), pd.read_csv(path), out)
                write_bytes(folder / f"{name}.svg", render(figure, "svg", name))


def draw_noise(axes: Axes, curves: pd.DataFrame, _out: Path) -> None:
    """Accuracy under noise, the mean height of a curve of figure 2, and sigma75, where it falls to 75 %."""
    part = _longest(select(curves, group="parameters", manipulation="noise").dropna(subset="normalised"), ["arm"])
    axes.set(xlabel=r"noise on the context $\sigma$", ylabel="normalised accuracy", ylim=(0, 1.05))
    if part.empty:
        say_blank(axes)
        return
    levels, accuracy = part["level"].to_numpy(), part["normalised"].to_numpy()
    mean = np.trapezoid(accuracy, levels) / np.ptp(levels)
    axes.fill_between(levels, accuracy, color="0.9")
    axes.axhline(mean, color="0.5", linewidth=0.8)
    axes.annotate("accuracy under noise", (levels[-1], mean), ha="right", va="bottom", color="0.3")
    _draw_curve(axes, levels, accuracy, part["arm"].iloc[0])
    _mark(axes, levels, accuracy, SIGMA75, r"$\sigma_{75}$")


def draw_packing(axes: Axes, cells: pd.DataFrame, out: Path) -> None:
    """K*, where a curve of figure 3 falls to the criterion."""
    results = read_json(out / "results" / "fig3_packing.json")
    criterion, by = results["criterion"], ["arm", "match", "n_units"]
    maps = select(cells, n_sites=results["n_sites"]).dropna(subset="accuracy")
    first, last = (maps.groupby(by)["accuracy"].transform(which) for which in ("first", "last"))
    part = _longest(maps[(first >= criterion) & (criterion >= last)], by)
    axes.set(xlabel="random maps $K$", ylabel="accuracy", ylim=(0, 1.05))
    if part.empty:
        say_blank(axes, "no curve falls to the criterion")
        return
    octaves, accuracy = np.log2(part["n_tasks"].to_numpy()), part["accuracy"].to_numpy()
    _draw_curve(axes, octaves, accuracy, part["arm"].iloc[0])
    axes.set_xticks(octaves, part["n_tasks"])
    _mark(axes, octaves, accuracy, criterion, "$K^*$")


def _longest(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The rows of one curve, the one of most points; the first of several."""
    groups = [part for _, part in rows.groupby(by, sort=False)]
    return max(groups, key=len, default=rows)


def _draw_curve(axes: Axes, levels: np.ndarray, values: np.ndarray, arm: str) -> None:
    look = LOOKS[arm]
    axes.plot(levels, values, color=look.colour, marker=look.marker, label=arm)
    axes.legend(loc="upper right")


def _mark(axes: Axes, levels: np.ndarray, values: np.ndarray, height: float, name: str) -> None:
    """A line from the axis over the curve, at that height, down to the level, which it names."""
    at = threshold_level(levels, values[None], height).level[0]
    axes.plot([levels[0], at, at], [height, height, 0], color="0.2", linestyle="--", linewidth=0.8)
    axes.annotate(name, (at, 0), xytext=(3, 3), textcoords="offset points")


PICTURES: dict[str, tuple[str, Callable[[Axes, pd.DataFrame, Path], None]]] = {
    "measure_noise": ("fig2_ambiguity.curves", draw_noise),
    "measure_packing": ("fig3_packing.cells", draw_packing),
}
