"""Figure 12: regret and choices since a switch, the modulators' traces, scores by length of contexts, all agents."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig12_bandit.experiment import DESIGN
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select
from cemrnn.network.pathways import Look

# Noradrenaline acts on the choice as excitability does on a unit; the colours are those of figure 5's design.
CORNERS = {"both": "combined", "acetylcholine": "synaptic", "noradrenaline": "excitability", "neither": "plain"}
LOOKS = {name: style.LOOKS[arm] for name, arm in CORNERS.items()}
BASELINE = Look("0.55", "none", "-")
SHOWN_BASELINE = "window UCB"


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig12_bandit.experiment.run`."""
    tables = result.tables
    figure, panels = style.open_panels(["abc", "def"], 6)
    for letter, curve, label in (("a", "regret", "regret a trial"), ("b", "best", "share of the best arm")):
        _draw_curves(panels[letter], select(tables["curves"], curve=curve), [*DESIGN, SHOWN_BASELINE])
        style.name_axes(panels[letter], letter, "trials since the switch", label, ylim=(0, None))
    for letter, curve, label in (("d", "rate", "learning rate"), ("e", "temperature", "temperature")):
        _draw_curves(panels[letter], select(tables["curves"], curve=curve), list(DESIGN))
        style.name_axes(panels[letter], letter, "trials since the switch", label, ylim=(0, None))
    _draw_lengths(panels["c"], tables["lengths"])
    _draw_agents(panels["f"], tables["agents"])
    looks = LOOKS | {SHOWN_BASELINE: BASELINE}
    marks = {n: dict(color=k.colour, linestyle=k.line, marker=k.marker) for n, k in looks.items()}
    handles = style.make_handles(marks)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


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
