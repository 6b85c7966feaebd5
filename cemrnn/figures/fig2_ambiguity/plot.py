"""Figure 2: accuracy under ambiguous context, thresholds, blends and controls, for every arm."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select

CURVES = (
    ("mixture", "mixture λ (share of the other cue)", "a"),
    ("noise", "cue noise σ (in units of the cue)", "c"),
    ("strength", "cue strength κ", "d"),
)
ESTIMATES = (
    ("auc", "area under a, λ from 0 to 0.5", "e"),
    ("sigma75", "σ₇₅ (in units of the cue)", "f"),
    ("blends", "share of blends at λ = 0.5", "g"),
)
IDEAL = dict(color="0.25", linewidth=2.2, alpha=0.5)
CONTROL_FILL = {"clean": "full", "shuffled": "none", "untrained": "left"}


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig2_ambiguity.experiment.run`."""
    tables, arms, accuracy = result.tables, result.config.arms, "normalised accuracy"
    figure = style.open_figure(10, 5.6)
    panels = figure.subplot_mosaic([list("abcd"), list("efgh")])
    for name, label, letter in CURVES:
        style.draw_curves(panels[letter], select(tables["curves"], manipulation=name), "level", "normalised")
        for level in (0, 1):
            panels[letter].axhline(level, color="0.8", linewidth=0.6, zorder=0)
        style.name_axes(panels[letter], letter, label, accuracy)
    ideal = tables["ideal"]
    panels["c"].plot(ideal["sigma"], ideal["normalised"], zorder=1, **IDEAL)
    style.draw_curves(panels["b"], select(tables["choices"], answer="neither"), "level", "share")
    style.name_axes(panels["b"], "b", CURVES[0][1], "share of answers of neither task", ylim=(0, None))
    for name, label, letter in ESTIMATES:
        style.draw_estimates(panels[letter], select(tables["measures"], measure=name), arms, "value")
        style.name_axes(panels[letter], letter, label)
    panels["f"].axvline(result.scalars["ideal_sigma75"], zorder=0, **IDEAL)
    _draw_controls(panels["h"], tables["controls"], arms, result.scalars["chance"])
    style.add_legend(figure, arms, style.make_handles({"ideal observer": IDEAL}))
    return figure


def _draw_controls(axes: Axes, table: pd.DataFrame, arms: Sequence[str], chance: float) -> None:
    for name, fill in CONTROL_FILL.items():
        rows = select(table, control=name).set_index("arm")
        for position, arm in enumerate(arms):
            style.draw_rows(
                axes, [position], rows.loc[[arm]], "accuracy", style.LOOKS[arm], marker="o", fillstyle=fill, ms=4.5
            )
    axes.axvline(chance, color="0.4", linewidth=1, linestyle=":")
    handles = style.make_handles(
        {n: dict(fillstyle=f) for n, f in CONTROL_FILL.items()}, color="0.3", marker="o", ls="none"
    )
    style.add_small_legend(axes, handles, loc="upper center", bbox_to_anchor=(0.55, 1.13), columnspacing=0.4)
    style.name_rows(axes, arms)
    style.name_axes(axes, "h", "accuracy on conflict trials", xlim=(-0.02, 1.02))
