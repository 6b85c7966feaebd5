"""Pictures of measures and of theory for the pages that explain them, each drawn once on a curve of the results."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes

from cemrnn.figures.shared.frames import select
from cemrnn.figures.style import LOOKS, SHEET, open_figure, render, say_blank
from cemrnn.measures.robustness import Direction, threshold_level
from cemrnn.reproduce.documents import read_json
from cemrnn.system.files import write_bytes

SIGMA75 = KAPPA75 = 0.75  # normalised accuracy that is left at sigma75, and reached at kappa75
LATENCY = 0.9  # normalised accuracy at which the right cue has been on for long enough
EVEN = 0.5  # share of the other context in an even mixture
PATHWAYS = ("excitability", "synaptic", "combined")


def write_pictures(out: Path, folder: Path) -> None:
    """Draw every picture whose figure has run.

    Args:
        out: folder of the profile, with figures and results.
        folder: where the pictures go, as `<name>.svg`.
    """
    for name, (table, draw, *scalars) in PICTURES.items():
        path = out / "figures" / f"{table}.csv"
        if path.exists():
            results = read_json(out / "results" / f"{table.partition('.')[0]}.json")
            with pyplot.style.context(SHEET):
                figure = open_figure(3.6, 2.2)
                draw(figure.subplots(), pd.read_csv(path), *map(results.__getitem__, scalars))
                write_bytes(folder / f"{name}.svg", render(figure, "svg", name))


def draw_noise(axes: Axes, curves: pd.DataFrame) -> None:
    """Accuracy under noise, the mean height of a curve of figure 2, and sigma75, where it falls to 75 %."""
    axes.set(xlabel=r"noise on the context $\sigma$", ylabel="normalised accuracy", ylim=(0, 1.05))
    part = _take(axes, select(curves, group="parameters", manipulation="noise").dropna(subset="normalised"), ["arm"])
    if part is not None:
        levels, accuracy = _draw(axes, part, "level", "normalised")
        mean = np.trapezoid(accuracy, levels) / np.ptp(levels)
        axes.fill_between(levels, accuracy, color="0.9", zorder=0)
        axes.axhline(mean, color="0.5", linewidth=0.8)
        axes.annotate("accuracy under noise", (levels[-1], mean), ha="right", va="bottom", color="0.3")
        _mark(axes, levels, accuracy, SIGMA75, r"$\sigma_{75}$", "falling")


def draw_packing(axes: Axes, cells: pd.DataFrame, criterion: float, n_sites: int) -> None:
    """K*, where a curve of figure 3 falls to the criterion."""
    by = ["arm", "match", "n_units"]
    maps = select(cells, n_sites=n_sites).dropna(subset="accuracy")
    first, last = (maps.groupby(by)["accuracy"].transform(which) for which in ("first", "last"))
    axes.set(xlabel="random maps $K$", ylabel="accuracy", ylim=(0, 1.05))
    part = _take(axes, maps[(first >= criterion) & (criterion >= last)], by, "no curve falls to the criterion")
    if part is not None:
        octaves, accuracy = _draw(axes, part.assign(octaves=np.log2(part["n_tasks"])), "octaves", "accuracy")
        axes.set_xticks(octaves, part["n_tasks"])
        _mark(axes, octaves, accuracy, criterion, "$K^*$", "falling")


def draw_mixture(axes: Axes, curves: pd.DataFrame) -> None:
    """AUC, the mean height of a curve of figure 2 up to an even mixture."""
    axes.set(xlabel=r"share of the other context $\lambda$", ylabel="normalised accuracy")
    rows = select(curves, group="parameters", manipulation="mixture").dropna(subset="normalised")
    part = _take(axes, rows, ["arm"])
    if part is not None:
        levels, accuracy = _draw(axes, part, "level", "normalised")
        inside = levels <= EVEN
        axes.fill_between(levels[inside], accuracy[inside], color="0.9", zorder=0)
        mean = np.trapezoid(accuracy[inside], levels[inside]) / EVEN
        axes.plot([0, EVEN], [mean, mean], color="0.2", linestyle="--", linewidth=0.8)
        axes.annotate("AUC", (EVEN, mean), xytext=(3, 0), textcoords="offset points", va="center")


def draw_weak_cue(axes: Axes, curves: pd.DataFrame) -> None:
    """kappa75, the share of the right cue at which a curve of figure 2 rises to 75 %."""
    axes.set(xlabel=r"share of the right cue $\kappa$", ylabel="normalised accuracy")
    rows = select(curves, group="parameters", manipulation="strength").dropna(subset="normalised")
    part = _take(axes, rows, ["arm"])
    if part is not None:
        _mark(axes, *_draw(axes, part, "level", "normalised"), KAPPA75, r"$\kappa_{75}$", "rising")


def draw_switch(axes: Axes, curves: pd.DataFrame) -> None:
    """The latency of a switch, the time at which a curve of figure 6 rises to 90 %."""
    axes.set(xlabel="right cue on for (ms)", ylabel="normalised accuracy")
    rows = select(curves, manipulation="switch").dropna(subset="normalised")
    part = _take(axes, rows, ["arm", "tau_excitability_ms", "tau_synaptic_ms"])
    if part is not None:
        _mark(axes, *_draw(axes, part, "level", "normalised"), LATENCY, "latency", "rising")


def draw_bits(axes: Axes, cells: pd.DataFrame) -> None:
    """Bits that networks of figure 3 hold, below those that their maps ask for."""
    axes.set(xlabel="random maps $K$", ylabel="bits")
    rows = select(cells, arm="combined", match="parameters").dropna(subset="bits")
    part = _take(axes, rows[rows["n_units"] == rows["n_units"].max()], ["n_sites"])
    if part is not None:
        n_maps, _ = _draw(axes, part, "n_tasks", "bits")
        asked = n_maps * math.log2(math.factorial(int(part["n_sites"].iloc[0])))
        axes.plot(n_maps, asked, color="0.4", linestyle=":", label="asked for")
        axes.set(xscale="log", ylim=(0, None))
        axes.set_xticks(n_maps, [f"{n:.0f}" for n in n_maps])
        axes.minorticks_off()
        axes.legend(loc="upper left")


def draw_bifurcations(axes: Axes, paths: pd.DataFrame) -> None:
    """Where on the way between two contexts of figure 4 the number of stable points changes."""
    axes.set(xlabel=r"way between two contexts $\lambda$", ylabel="share of paths")
    part = _take(axes, paths.dropna(subset="share"), ["arm"])
    if part is not None:
        _draw(axes, part, "lambda", "share")
        axes.set_ylim(0, None)


def draw_participation(axes: Axes, paths: pd.DataFrame) -> None:
    """The participation ratio of the states of one task in the plane of figure 4: axes as long as deviations are."""
    clouds = _take_clouds(axes, paths, 1)
    if clouds:
        states = clouds[0]
        variances, directions = _find_axes(states)
        for variance, direction in zip(variances, directions.T, strict=True):
            ends = states.mean(axis=0) + np.sqrt(variance) * np.array([-direction, direction])
            axes.plot(*ends.T, color="0.2", linewidth=1.5)
        ratio = variances.sum() ** 2 / np.sum(variances**2)
        axes.set_title(f"participation ratio {ratio:.2f} of 2", fontsize="medium")


def draw_angle(axes: Axes, paths: pd.DataFrame) -> None:
    """The angle between the leading directions of the states of two tasks in the plane of figure 4."""
    clouds = _take_clouds(axes, paths, 2)
    if len(clouds) > 1:
        leading = []
        for states in clouds:
            variances, directions = _find_axes(states)
            leading.append(directions[:, 0])
            ends = states.mean(axis=0) + 2 * np.sqrt(variances[0]) * np.array([-leading[-1], leading[-1]])
            axes.plot(*ends.T, color="0.2", linewidth=1.5)
        angle = np.degrees(np.arccos(np.clip(np.abs(leading[0] @ leading[1]), 0, 1)))
        axes.set_title(f"angle {angle:.0f}°", fontsize="medium")


def _find_axes(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances (2,) along the principal axes of states (n, 2), the larger first, and the axes (2, 2) as columns."""
    variances, directions = np.linalg.eigh(np.cov(states.T))
    return np.maximum(variances, 0)[::-1], directions[:, ::-1]  # rounding may leave less than nothing


def _take_clouds(axes: Axes, paths: pd.DataFrame, most: int) -> list[np.ndarray]:
    """The states (n, 2) of the first tasks of one arm, after they were drawn; none, and words, if there are none."""
    axes.set(xlabel="first axis", ylabel="second axis")
    if paths.empty:
        say_blank(axes)
        return []
    of_arm = select(paths, arm=paths["arm"].iloc[0])
    clouds = [part[["x", "y"]].to_numpy(float) for _, part in of_arm.groupby("task", sort=False)][:most]
    for states, marker, shade in zip(clouds, "o^", ("0.45", "0.75"), strict=False):
        axes.plot(*states.T, color=shade, marker=marker, linestyle="none", markersize=2)
    axes.set_aspect("equal", adjustable="datalim")
    return clouds


def draw_synergy(axes: Axes, outcomes: pd.DataFrame) -> None:
    """The outcome of both pathways beside those of each, and what it is compared with, from figure 5."""
    values = select(outcomes, outcome="joint").set_index("arm")["value"]
    axes.set(ylabel="joint outcome")
    if not set(PATHWAYS) | {"plain"} <= set(values.dropna().index):
        say_blank(axes)
        return
    excitability, synaptic, both, neither = values[[*PATHWAYS, "plain"]]
    axes.bar(PATHWAYS, [excitability, synaptic, both], color=[LOOKS[arm].colour for arm in PATHWAYS], width=0.6)
    levels = {
        "better": max(excitability, synaptic),
        "Bliss": excitability + synaptic - excitability * synaptic,
        "sum": excitability + synaptic - neither,
    }
    for name, level in levels.items():
        axes.plot([1.6, 2.4], [level, level], color="0.2", linestyle="--", linewidth=0.8)
        axes.annotate(name, (2.45, level), va="center", annotation_clip=False)
    axes.set_ylim(0, 1.1 * max(*levels.values(), both))


def draw_forgetting(axes: Axes, first: pd.DataFrame) -> None:
    """How much of its best accuracy on the first map is gone at the end, from figure 17."""
    axes.set(xlabel="stage of training", ylabel="accuracy, first map")
    part = _take(axes, first[first["method"].isin(LOOKS)].dropna(subset="accuracy"), ["method"])
    if part is not None:
        stages, accuracy = _draw(axes, part.rename(columns={"method": "arm"}), "stage", "accuracy")
        axes.annotate(
            "", (stages[-1], accuracy[-1]), (stages[-1], accuracy[:-1].max()), arrowprops={"arrowstyle": "->"}
        )
        middle = (accuracy[-1] + accuracy[:-1].max()) / 2
        axes.annotate("forgotten", (stages[-1], middle), xytext=(-4, 0), textcoords="offset points", ha="right")
        axes.set_xticks(stages)


def draw_specialisation(axes: Axes, steps: pd.DataFrame) -> None:
    """Specialisation of two modules by a probe of their states, step by step, from figure 13."""
    axes.set(xlabel="time step", ylabel="specialisation", ylim=(0, 1.05))
    part = _take(axes, steps.dropna(subset="probe"), ["channel"])
    if part is not None:
        axes.plot(part["step"], part["probe"], color="0.2", marker="o")
        axes.set_xticks(part["step"])
        axes.annotate("each its own digit", (part["step"].iloc[-1], 1), ha="right", va="top", color="0.3")
        axes.annotate("both alike", (part["step"].iloc[0], 0), ha="left", va="bottom", color="0.3")


def draw_solvable(axes: Axes, cases: pd.DataFrame) -> None:
    """Right answers under noise in the cases that can be solved, from figure 15: formulas as lines, draws as points."""
    axes.set(xlabel=r"noise on the context $\sigma$", ylabel="right answers", ylim=(0, 1.05))
    for (case, part), line in zip(cases.groupby("case", sort=False), ("-", "--", "-.", ":"), strict=False):
        colour = LOOKS["synaptic" if case == "synapses" else "excitability"].colour
        axes.plot(part["sigma"], part["exact"], color=colour, linestyle=line, label=case)
        axes.plot(part["sigma"][::3], part["drawn"][::3], color=colour, linestyle="none", marker=".")
    axes.legend(loc="lower left")


def _take(axes: Axes, rows: pd.DataFrame, by: list[str], *otherwise: str) -> pd.DataFrame | None:
    """The rows of the curve of most points, the first of several; None, and words in the picture, if there is none."""
    groups = [part for _, part in rows.groupby(by, sort=False, dropna=False) if len(part) > 1]
    if not groups:
        say_blank(axes, *otherwise)
        return None
    return max(groups, key=len)


def _draw(axes: Axes, part: pd.DataFrame, x: str, y: str) -> tuple[np.ndarray, np.ndarray]:
    """The points of a curve, after it was drawn in the look of its arm."""
    levels, values, arm = part[x].to_numpy(float), part[y].to_numpy(float), part["arm"].iloc[0]
    axes.plot(levels, values, color=LOOKS[arm].colour, marker=LOOKS[arm].marker, label=arm)
    axes.legend(loc="best")
    return levels, values


def _mark(axes: Axes, levels: np.ndarray, values: np.ndarray, height: float, name: str, direction: Direction) -> None:
    """A line from the axis at that height to the curve, and down to the level, which it names."""
    at, bottom = threshold_level(levels, values[None], height, direction).level[0], min(0.0, values.min())
    axes.plot([levels[0], at, at], [height, height, bottom], color="0.2", linestyle="--", linewidth=0.8)
    axes.annotate(name, (at, bottom), xytext=(3, 3), textcoords="offset points")


# Name -> table, what draws it, and scalars of its figure that this needs.
PICTURES: dict[str, tuple[str, Callable[..., None], *tuple[str, ...]]] = {
    "measure_noise": ("fig2_ambiguity.curves", draw_noise),
    "measure_packing": ("fig3_packing.cells", draw_packing, "criterion", "n_sites"),
    "measure_mixture": ("fig2_ambiguity.curves", draw_mixture),
    "measure_weak_cue": ("fig2_ambiguity.curves", draw_weak_cue),
    "measure_switch": ("fig6_timescales.curves", draw_switch),
    "measure_bits": ("fig3_packing.cells", draw_bits),
    "measure_bifurcations": ("fig4_dynamics.bifurcations", draw_bifurcations),
    "measure_participation": ("fig4_dynamics.portrait_trajectories", draw_participation),
    "measure_angle": ("fig4_dynamics.portrait_trajectories", draw_angle),
    "measure_synergy": ("fig5_synergy.outcomes", draw_synergy),
    "measure_forgetting": ("fig17_continual.first", draw_forgetting),
    "measure_specialisation": ("fig13_specialisation.steps", draw_specialisation),
    "theory_solvable": ("fig15_theory.solvable", draw_solvable),
}
