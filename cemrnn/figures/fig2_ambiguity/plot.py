"""Figure 2: accuracy under ambiguous context, by answers and by pairs of tasks, and trained by tested."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from cemrnn.figures import style
from cemrnn.figures.fig2_ambiguity.experiment import ANSWERS
from cemrnn.figures.result import Result
from cemrnn.figures.shared.conflict_tests import TESTS, RobustnessConfig
from cemrnn.figures.shared.frames import select

LABELS = {"noise": "cue noise σ (cue heights)", "mixture": "mixture λ (share of the other cue)"}
PANELS = (  # letter, group, manipulation, title
    ("a", "parameters", "noise", "equal parameters"),
    ("b", "units", "noise", "equal units"),
    ("c", "trained", "noise", "trained with noise"),
    ("e", "parameters", "mixture", "equal parameters"),
)
LEAST_IN, PAIR_IN = 2.6, 0.22  # height of the lower panels: at least, and for each pair of tasks
IDEAL = dict(color="0.25", linewidth=2.2, alpha=0.5)
ANSWER_LINES = dict(zip(ANSWERS, ("-", "--", ":", "-."), strict=True))


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig2_ambiguity.experiment.run`, and part b: whose answers, and other tests."""
    return {"": _plot_accuracy(result), "b": _plot_answers(result)}


def _plot_accuracy(result: Result) -> Figure:
    tables, config = result.tables, result.config
    heights = 3.1, max(LEAST_IN, PAIR_IN * tables["pairs"]["pair"].nunique() + 0.7)
    figure, panels = style.open_panels(["abc", "dde"], sum(heights), height_ratios=heights)
    for letter, group, manipulation, title in PANELS:
        rows = select(tables["curves"], group=group, manipulation=manipulation)
        if group == "units":  # the combined arm is the same at both readings
            rows = pd.concat(
                [rows, select(tables["curves"], group="parameters", manipulation=manipulation, arm="combined")]
            )
        _draw_curves(panels[letter], rows)
        panels[letter].set_title(title)
        style.name_axes(panels[letter], letter, LABELS[manipulation], "normalised accuracy")
    for letter in "abc":
        panels[letter].set_ylim(-0.15, 1.05)
        panels[letter].plot(tables["ideal"]["sigma"], tables["ideal"]["normalised"], zorder=1, **IDEAL)
    _draw_pairs(panels["d"], tables["pairs"], config)
    style.add_legend(figure, config.arms, style.make_handles({"ideal observer": IDEAL}))
    return figure


def _plot_answers(result: Result) -> Figure:
    figure = style.open_figure(style.WIDTH_IN, 3.9)
    left, right = figure.subfigures(1, 2, width_ratios=[3.4, 5.6])
    _draw_answers(left.subplots(), result.tables["answers"], result.config)
    _draw_tests(right, result.tables["tests"], result.config)
    style.add_legend(figure, result.config.compared_arms)
    return figure


def _draw_curves(axes: Axes, rows: pd.DataFrame) -> None:
    style.draw_curves(axes, rows, "level", "normalised")
    for level in (0, 1):
        axes.axhline(level, color="0.8", linewidth=0.6, zorder=0)


def _draw_answers(axes: Axes, table: pd.DataFrame, config: RobustnessConfig) -> None:
    """Whose answers they are as the noise grows, in the compared arms at equal parameters."""
    rows = select(table, group="parameters", manipulation="noise")
    for arm in config.compared_arms:
        for answer, line in ANSWER_LINES.items():
            part = select(rows, arm=arm, answer=answer)
            style.draw_curve(axes, part, "level", "share", style.LOOKS[arm], band=0.08, linestyle=line, markersize=0)
    names = {"own": "of the cued task", "other": "of the other task", "silent": "no answer", "astray": "elsewhere"}
    lines = {names[answer]: dict(linestyle=line) for answer, line in ANSWER_LINES.items()}
    handles = style.make_handles(lines, color="0.4")
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, columnspacing=1, borderaxespad=0.1)
    style.name_axes(axes, "a", LABELS["noise"], "share of answers", ylim=(-0.02, 1.02))


def _draw_pairs(axes: Axes, table: pd.DataFrame, config: RobustnessConfig) -> None:
    """Mean accuracy over the levels of noise of every pair of tasks, a point for each compared arm."""
    rows = select(table, group="parameters")
    names = list(dict.fromkeys(rows["pair"]))
    for offset, arm in style.spread_over(config.compared_arms, 0.22):
        part = select(rows, arm=arm).set_index("pair").loc[names]
        style.draw_rows(axes, np.arange(len(names)) + offset, part, "noise", style.LOOKS[arm], markersize=4)
    style.name_rows(axes, [_shorten(name) for name in names])
    axes.set_title("equal parameters")
    style.name_axes(axes, "d", "normalised accuracy, mean over σ")


def _shorten(pair: str) -> str:
    """Both tasks, what they begin and end with once: "decide ctx1 / ctx2 sequential"."""
    first, second = (name.split("_") for name in pair.split(" / "))
    start = len(os.path.commonprefix([first, second]))
    end = len(os.path.commonprefix([first[start:][::-1], second[start:][::-1]]))
    one, other = (" ".join(words[start : len(words) - end]) for words in (first, second))
    return style.show_text(" ".join([*first[:start], f"{one} / {other}", *first[len(first) - end :]]))


def _draw_tests(figure: SubFigure, table: pd.DataFrame, config: RobustnessConfig) -> None:
    """Normalised accuracy of networks trained with a clean and with a noisy cue, under every kind of ambiguity."""
    panels = np.atleast_1d(figure.subplots(1, len(config.compared_arms), sharey=True))
    for axes, arm in zip(panels, config.compared_arms, strict=True):
        rows = select(table, arm=arm).pivot(index="test", columns="group", values="accuracy")
        cells = rows.reindex(index=list(TESTS), columns=["parameters", "trained"]).to_numpy(float)
        image = axes.imshow(cells, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        style.draw_cells(axes, cells, style.write_number, lambda value: value < 0.6)
        axes.set_title(arm, loc="right", color=style.LOOKS[arm].colour)
        axes.set_xticks([0, 1], ["clean", "noisy"])
        axes.spines[["top", "right"]].set_visible(True)
    panels[0].set_yticks(range(len(TESTS)), TESTS)
    panels[0].set_ylabel("tested with")
    figure.supxlabel("trained with a cue that is")
    style.add_letter(panels[0], "b")
    figure.colorbar(image, ax=list(panels), label="normalised accuracy", pad=0.02, fraction=0.05)
