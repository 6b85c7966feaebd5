"""Figure 12: regret and choices since a switch, the modulators' traces, scores; part b: what each modulator adds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig12_bandit.experiment import DESIGN, READINGS, SINGLE, SYNERGY
from cemrnn.figures.result import Result, Tables
from cemrnn.figures.shared.frames import select
from cemrnn.network.pathways import Look

# Noradrenaline acts on the choice as excitability does on a unit; the colours are those of figure 5's design.
CORNERS = {"both": "combined", "acetylcholine": "synaptic", "noradrenaline": "excitability", "neither": "plain"}
LOOKS = {name: style.LOOKS[arm] for name, arm in CORNERS.items()}
BASELINE = Look("0.55", "none", "-")
SHOWN_BASELINE = "window UCB"
READING_NAMES = {"score": "places kept", "redrawn": "places redrawn"}
MARKS = {"beyond_best": Look("0.15", "o", "-"), "beyond_sum": Look("0.5", "s", "-")}


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig12_bandit.experiment.run`, and part b: what each modulator adds, and when."""
    return {"": _plot_agents(result.tables), "b": _plot_synergy(result.tables)}


def _plot_agents(tables: Tables) -> Figure:
    figure, panels = style.open_panels(["abc", "def"], 6)
    for letter, curve, label in (("a", "regret", "regret a trial"), ("b", "best", "share of the best arm")):
        _draw_curves(panels[letter], select(tables["curves"], curve=curve), [*DESIGN, SHOWN_BASELINE])
        style.name_axes(panels[letter], letter, "trials since the switch", label, ylim=(0, None))
    for letter, curve, label in (("d", "rate", "learning rate"), ("e", "temperature", "temperature")):
        _draw_curves(panels[letter], select(tables["curves"], curve=curve), list(DESIGN))
        style.name_axes(panels[letter], letter, "trials since the switch", label, ylim=(0, None))
    _draw_lengths(panels["c"], tables["lengths"])
    _draw_agents(panels["f"], tables["agents"])
    style.lay_legend(figure, style.handle_looks(LOOKS | {SHOWN_BASELINE: BASELINE}))
    return figure


def _plot_synergy(tables: Tables) -> Figure:
    figure, panels = style.open_panels(["abc"], 3.2)
    for agent in ("both", *SINGLE):
        part = select(tables["gains"], agent=agent)
        style.draw_curve(panels["a"], part, "length", "value", LOOKS[agent], markersize=4)
    panels["a"].axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    style.use_octaves(panels["a"], sorted(tables["gains"]["length"].unique()))
    style.name_axes(panels["a"], "a", "trials of a context", "score beyond neither")
    _draw_readings(panels["b"], tables["readings"], LOOKS, 0.27)
    style.name_axes(panels["b"], "b", "members", "score")
    _draw_readings(panels["c"], tables["readings"], MARKS, 0.12)
    panels["c"].axhline(0, color="0.4", linewidth=0.8, linestyle=":")
    style.name_axes(panels["c"], "c", "members", "synergy (score)")
    names = {name: f"beyond the {name.split('_')[1]}" for name in SYNERGY}
    style.lay_legend(figure, style.handle_looks(LOOKS | {names[name]: look for name, look in MARKS.items()}))
    return figure


def _draw_readings(axes: Axes, table: pd.DataFrame, looks: Mapping[str, Look], reach: float) -> None:
    """A point for every measure that has a look, in both readings."""
    for offset, measure in style.spread_over(list(looks), reach):
        rows = select(table, measure=measure).set_index("reading").loc[list(READINGS)]
        style.draw_points(axes, np.arange(len(READINGS)) + offset, rows, "value", looks[measure], markersize=5)
    axes.set_xticks(range(len(READINGS)), [READING_NAMES[reading] for reading in READINGS])
    axes.set_xlim(-0.5, len(READINGS) - 0.5)


def _draw_curves(axes: Axes, table: pd.DataFrame, agents: list[str]) -> None:
    for agent in agents:
        style.draw_curve(axes, select(table, agent=agent), "since", "value", LOOKS.get(agent, BASELINE), markersize=4)


def _draw_lengths(axes: Axes, table: pd.DataFrame) -> None:
    for agent in DESIGN:
        style.draw_curve(axes, select(table, agent=agent), "length", "score", LOOKS[agent], markersize=4)
    style.use_octaves(axes, sorted(table["length"].unique()))
    style.name_axes(axes, "c", "trials of a context", "score")


def _draw_agents(axes: Axes, table: pd.DataFrame) -> None:
    rows = table.sort_values("score", ascending=False)
    for position, row in enumerate(rows.to_dict(orient="records")):
        look = LOOKS.get(row["agent"], Look("0.45", "o", "-"))
        style.draw_rows(axes, [position], pd.DataFrame([row]), "score", look, markersize=5)
    style.name_rows(axes, [style.show_text(name) for name in rows["agent"]])
    style.name_axes(axes, "f", "score", "", xlim=(min(0, np.nanmin(rows["low"])), 1))
