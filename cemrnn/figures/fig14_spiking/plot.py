"""Figure 14: weights over time, who fills the synapse when, outcomes of the two by two design, synergy, rates."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig14_spiking.cells import DESIGN
from cemrnn.figures.fig14_spiking.experiment import OUTCOMES, STUDIED, SYNERGY
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select
from cemrnn.network.pathways import Look

# Noradrenaline acts on excitability; the colours are those of the same corner of figure 5's design.
CORNERS = {"both": "combined", "noradrenaline": "excitability", "acetylcholine": "synaptic", "neither": "plain"}
LOOKS = {name: style.LOOKS[arm] for name, arm in CORNERS.items()}
LINES = {"RS": ("0.55", "-"), "IB": ("0.55", "--"), "CH": ("0.55", ":"), "mixed": ("0.1", "-")}
NAMES = {"specific": "rewarded\nminus others", "kept": "kept at\nthe end", "late": "late reward,\nminus others"}


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig14_spiking.experiment.run`."""
    tables = result.tables
    figure, panels = style.open_panels(["ab", "cde"], 6)
    curves = select(tables["curves"], reward="prompt", rate="matched")
    _draw_weights(panels["a"], select(curves, mixture=STUDIED))
    _draw_full(panels["b"], select(curves, curve="full"))
    _draw_outcomes(panels["c"], tables["outcomes"], result.config.largest_weight)
    _draw_synergy(panels["d"], tables["synergy"])
    _draw_rates(panels["e"], select(tables["outcomes"], reward="prompt", rate="matched", measure="rate_hz"))
    style.lay_legend(figure, style.handle_looks(LOOKS))
    return figure


def _draw_weights(axes: Axes, table: pd.DataFrame) -> None:
    """Mean weight of the rewarded synapse, and that of all others as thin dotted lines."""
    for name, look in LOOKS.items():
        of = select(table, modulators=name)
        style.draw_curve(axes, select(of, curve="rewarded"), "time_s", "value", look, band=0)
        others = select(of, curve="others")
        axes.plot(others["time_s"], others["value"], color=look.colour, linestyle=":", linewidth=1)
    style.name_axes(axes, "a", "time (s)", "synaptic weight", ylim=(-0.1, 4.2))


def _draw_full(axes: Axes, table: pd.DataFrame) -> None:
    """Share of networks whose rewarded synapse is full, by mixture, and for the studied one with bursts."""
    lines = {(mixture, "neither"): look for mixture, look in LINES.items()}
    burst = LOOKS["noradrenaline"]
    lines[STUDIED, "noradrenaline"] = burst.colour, burst.line
    for (mixture, modulators), (colour, line) in lines.items():
        part = select(table, mixture=mixture, modulators=modulators)
        label = mixture if modulators == "neither" else f"{mixture}, bursts"
        axes.step(part["time_s"], part["value"], where="post", color=colour, linestyle=line, label=label)
    axes.legend(loc="lower right")
    style.name_axes(axes, "b", "time (s)", "share of networks\nwith a full synapse", ylim=(-0.02, 1.02))


def _draw_outcomes(axes: Axes, table: pd.DataFrame, largest: float) -> None:
    for offset, name in style.spread_over(list(DESIGN), 0.27):
        for k, (measure, reward) in enumerate(OUTCOMES.values()):
            place = dict(mixture=STUDIED, modulators=name, reward=reward, rate="matched", measure=measure)
            style.draw_points(axes, [k + offset], select(table, **place), "value", LOOKS[name], markersize=5)
    axes.axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(OUTCOMES)), list(NAMES.values()))
    style.name_axes(axes, "c", "", "share of the largest weight", ylim=(-0.6, 1.15))


def _draw_synergy(axes: Axes, table: pd.DataFrame) -> None:
    marks = {"beyond_best": Look("0.15", "o", "-"), "beyond_sum": Look("0.5", "s", "-")}
    for offset, measure in style.spread_over(SYNERGY, 0.15):
        part = select(table, measure=measure).set_index("outcome").loc[list(OUTCOMES)]
        style.draw_points(axes, np.arange(len(OUTCOMES)) + offset, part, "value", marks[measure], markersize=5)
    axes.axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(OUTCOMES)), list(NAMES.values()))
    handles = style.make_handles(
        {f"beyond the {name.split('_')[1]}": dict(color=k.colour, marker=k.marker) for name, k in marks.items()},
        linestyle="none",
    )
    axes.legend(handles=handles, loc="upper right")
    style.name_axes(axes, "d", "", "synergy (share of the weight)", ylim=(-1, 1))


def _draw_rates(axes: Axes, table: pd.DataFrame) -> None:
    """Mean rates over the run, which were equal before learning where there are no modulators."""
    mixtures = [mixture for mixture in LINES if mixture in set(table["mixture"])]
    for offset, name in style.spread_over(list(DESIGN), 0.27):
        part = select(table, modulators=name).set_index("mixture").reindex(mixtures)
        style.draw_points(axes, np.arange(len(mixtures)) + offset, part, "value", LOOKS[name], markersize=5)
    axes.set_xticks(range(len(mixtures)), mixtures)
    style.name_axes(axes, "e", "excitatory cells", "mean rate (Hz)", ylim=(0, None))
