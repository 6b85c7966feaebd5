"""Figure 15: the solvable cases, what is predicted against what is measured, and what noise adds to all alike."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig15_theory.experiment import SPREADS, WEAKLY
from cemrnn.figures.fig15_theory.intervention import TAKEN
from cemrnn.figures.fig15_theory.mixtures import SWITCHES
from cemrnn.figures.result import Result
from cemrnn.figures.shared.conflict_groups import GROUPS
from cemrnn.figures.shared.frames import select

CASES = {"synapses": "-"} | {f"excitability, {s:g}": line for s, line in zip(SPREADS, ("--", "-", ":"), strict=True)}
FACES = dict(zip((*GROUPS, WEAKLY), ("full", "none", "left", "right", "bottom"), strict=True))
NAMES = (
    "equal parameters",
    "equal units",
    "trained with noise",
    "trained with noise, equal units",
    "trained with weak noise",
)
NAMES = dict(zip(FACES, NAMES, strict=True))


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig15_theory.experiment.run`."""
    tables = result.tables
    arms = list(result.config.arms)
    figure, panels = style.open_panels(["abc", "def"], 6.4)
    _draw_solvable(panels["a"], tables["solvable"])
    _draw_points(panels["b"], tables["pairs"], ("predicted", "measured"))
    style.name_axes(panels["b"], "b", "predicted accuracy under noise", "measured accuracy under noise")
    _draw_points(panels["c"], tables["pairs"], (SWITCHES[1], SWITCHES[0]))
    style.name_axes(panels["c"], "c", "predicted mixture at the switch", "measured mixture at the switch")
    _draw_arms(panels["d"], tables["arms"], arms)
    common = select(tables["arms"], group="parameters", measure="common")
    style.draw_estimates(panels["e"], common, arms, "value")
    style.name_axes(panels["e"], "e", "share of the response that\nis the same for all stimuli", xlim=(-0.02, 1.02))
    _draw_correction(panels["f"], tables["arms"], arms)
    groups = set(tables["pairs"]["group"])
    faces = {NAMES[g]: dict(fillstyle=face) for g, face in FACES.items() if g in groups}
    style.add_legend(figure, arms, style.make_handles(faces, **style.GREY))
    return figure


def _draw_solvable(axes: Axes, table: pd.DataFrame) -> None:
    for case, line in CASES.items():
        part = select(table, case=case)
        colour = style.LOOKS["synaptic" if case == "synapses" else "excitability"].colour
        axes.plot(part["sigma"], part["exact"], color=colour, linestyle=line, label=case)
        axes.plot(part["sigma"], part["drawn"], color=colour, linestyle="none", marker=".")
    axes.legend(loc="lower left")
    style.name_axes(axes, "a", "cue noise σ (in units of the cue)", "share of right answers", ylim=(0, 1.02))


def _draw_points(axes: Axes, table: pd.DataFrame, columns: tuple[str, str]) -> None:
    """What is measured against what is predicted, a point for each arm, group and pair of tasks, mean over networks."""
    for (group, arm), part in table.groupby(["group", "arm"], sort=False):
        look = style.LOOKS[arm]
        marks = dict(marker=look.marker, color=look.colour, linestyle="none", markersize=4.5, fillstyle=FACES[group])
        axes.plot(part[columns[0]], part[columns[1]], alpha=0.8, **marks)
    both = pd.concat([table[column] for column in columns])
    if both.notna().any():
        axes.axline((both.min(), both.min()), slope=1, color="0.5", linewidth=0.8, linestyle=":")


def _draw_arms(axes: Axes, table: pd.DataFrame, arms: list[str]) -> None:
    """Measured (with interval) and predicted accuracy of every arm at equal parameters."""
    rows = select(table, group="parameters")
    for position, arm in enumerate(arms):
        for measure, marks in (("measured", dict(markersize=5)), ("predicted", dict(fillstyle="none", markersize=7))):
            part = select(rows, arm=arm, measure=measure)
            style.draw_rows(axes, [position] * len(part), part, "value", style.LOOKS[arm], **marks)
    handles = style.make_handles({"measured": {}, "predicted": dict(fillstyle="none")}, **style.GREY)
    style.add_small_legend(axes, handles)
    style.name_rows(axes, arms)
    style.name_axes(axes, "d", "accuracy under noise")


def _draw_correction(axes: Axes, table: pd.DataFrame, arms: list[str]) -> None:
    """Accuracy of every arm at equal parameters under noise, as it is and corrected."""
    faces = dict(zip(TAKEN, ("full", "none", "left"), strict=True))
    for position, arm in enumerate(arms):
        for (offset, name), face in zip(style.spread_over(TAKEN, 0.22), faces.values(), strict=True):
            part = select(table, group="parameters", arm=arm, measure=f"without_{name}")
            marks = dict(fillstyle=face, markersize=6)
            style.draw_rows(axes, [position + offset] * len(part), part, "value", style.LOOKS[arm], **marks)
    labels = dict(zip(TAKEN, ("as is", "corrected", "control"), strict=True))
    handles = style.make_handles({labels[name]: dict(fillstyle=face) for name, face in faces.items()}, **style.GREY)
    style.add_small_legend(axes, handles, handlelength=1)
    style.name_rows(axes, arms)
    style.name_axes(axes, "f", "accuracy under shared noise")
