"""Figure 2: accuracy under ambiguous context, by answers and by pairs of tasks, and trained by tested."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig2_ambiguity.experiment import ANSWERS
from cemrnn.figures.fig2_ambiguity.trained import TrainedConfig
from cemrnn.figures.result import Result
from cemrnn.figures.shared.conflict_tests import TESTS
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
# Group -> what its networks were trained with.
TRAINED = (
    {"parameters": "clean cues", "trained": "step noise"}
    | {kind: kind for kind in ("weak step noise", "frozen noise", "weak frozen noise", "mixture", "brief")}
    | {"switch": "late, switch"}
)
ANSWER_LINES = dict(zip(ANSWERS, ("-", "--", ":", "-."), strict=True))


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig2_ambiguity.experiment.run`; part b: whose answers; c: trained by tested."""
    return {"": _plot_accuracy(result), "b": _plot_answers(result), "c": _plot_tests(result)}


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
    """Whose answers they are as the noise grows, in the compared arms at equal parameters."""
    config, table = result.config, select(result.tables["answers"], group="parameters", manipulation="noise")
    letters = "abc"[: len(config.compared_arms)]
    figure, panels = style.open_panels([letters], 2.6)
    for letter, arm in zip(letters, config.compared_arms, strict=True):
        for answer, line in ANSWER_LINES.items():
            part = select(table, arm=arm, answer=answer)
            style.draw_curve(
                panels[letter], part, "level", "share", style.LOOKS[arm], band=0.15, linestyle=line, markersize=0
            )
        style.name_axes(panels[letter], letter, LABELS["noise"], "share of answers", ylim=(-0.02, 1.02))
    names = {"own": "of the cued task", "other": "of the other task", "silent": "no answer", "astray": "elsewhere"}
    lines = {names[answer]: dict(linestyle=line, color="0.4") for answer, line in ANSWER_LINES.items()}
    style.add_legend(figure, config.compared_arms, style.make_handles(lines))
    return figure


def _plot_tests(result: Result) -> Figure:
    """Normalised accuracy under every kind of ambiguity, of networks that were trained for none or for one."""
    config, table = result.config, result.tables["tests"]
    groups = [group for group in TRAINED if group in set(table["group"])]
    letters = "abc"[: len(config.compared_arms)]
    figure, panels = style.open_panels([letters], 3.6)
    for letter, arm in zip(letters, config.compared_arms, strict=True):
        axes, rows = panels[letter], select(table, arm=arm).pivot(index="test", columns="group", values="accuracy")
        cells = rows.reindex(index=list(TESTS), columns=groups).to_numpy(float)
        axes.imshow(cells, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        style.draw_cells(axes, cells, style.write_number, lambda value: value < 0.6)
        axes.set_title(arm, loc="right", color=style.LOOKS[arm].colour)
        axes.set_xticks(range(len(groups)), [TRAINED[group] for group in groups], rotation=90)
        is_named = letter == "a" or style.is_narrow()  # side by side the names of the first hold for all
        axes.set_yticks(range(len(TESTS)), TESTS if is_named else [""] * len(TESTS))
        axes.spines[["top", "right"]].set_visible(True)
        style.name_axes(axes, letter, "trained with", "tested with" if is_named else "")
    return figure


def _draw_curves(axes: Axes, rows: pd.DataFrame) -> None:
    style.draw_curves(axes, rows, "level", "normalised")
    for level in (0, 1):
        axes.axhline(level, color="0.8", linewidth=0.6, zorder=0)


def _draw_pairs(axes: Axes, table: pd.DataFrame, config: TrainedConfig) -> None:
    """Mean accuracy over the levels of noise of every pair of tasks, a point for each compared arm.

    Below a line are the pairs of other tasks than the battery, which other networks learned.
    """
    rows = table[table["group"].isin(["parameters", "other_parameters", "streams_parameters"])]
    names, own = list(dict.fromkeys(rows["pair"])), select(rows, group="parameters")["pair"].nunique()
    if own < len(names):
        axes.axhline(own - 0.5, color="0.6", linewidth=0.7)
    for offset, arm in style.spread_over(config.compared_arms, 0.22):
        part = select(rows, arm=arm).set_index("pair").loc[names]
        style.draw_rows(axes, np.arange(len(names)) + offset, part, "noise", style.LOOKS[arm], markersize=4)
    style.name_rows(axes, [_shorten(name) for name in names])
    axes.set_title("equal\nparameters" if style.is_narrow() else "equal parameters", loc="right")  # beside long names
    style.name_axes(
        axes, "d", "normalised accuracy,\nmean over σ" if style.is_narrow() else "normalised accuracy, mean over σ"
    )


def _shorten(pair: str) -> str:
    """Both tasks, what they begin and end with once: "decide ctx1 / ctx2 sequential"."""
    first, second = (name.split("_") for name in pair.split(" / "))
    start = len(os.path.commonprefix([first, second]))
    end = len(os.path.commonprefix([first[start:][::-1], second[start:][::-1]]))
    one, other = (" ".join(words[start : len(words) - end]) for words in (first, second))
    return style.show_text(" ".join([*first[:start], f"{one} / {other}", *first[len(first) - end :]]))
