"""Figure 2: accuracy under ambiguous context, by answers and by pairs of tasks, and trained by tested."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig2_ambiguity.trained import AT_UNITS, TrainedConfig, with_combined
from cemrnn.figures.result import Result
from cemrnn.figures.shared.ambiguity import ANSWERS
from cemrnn.figures.shared.conflict_tests import TESTS
from cemrnn.figures.shared.frames import select

LABELS = {"noise": "cue noise σ (cue heights)", "mixture": "mixture λ (share of the other cue)"}
PANELS = (  # letter, group, manipulation, title
    ("a", "parameters", "noise", "equal parameters"),
    ("b", "units", "noise", "equal units"),
    ("c", "trained", "noise", "trained with noise"),
    ("d", "parameters", "mixture", "equal parameters"),
    ("e", "units", "mixture", "equal units"),
)
BATTERY, OTHERS = "parameters", ("other_parameters", "streams_parameters")  # groups whose pairs are shown
MATCHES = {"a": "equal parameters", "b": "equal units"}
SHOWN = (-0.15, 1.05)  # of normalised accuracy; intervals from few networks can be wider
PAIR_IN = 0.22  # height of a panel for each pair of tasks
IDEAL = dict(color="0.25", linewidth=2.2, alpha=0.5)
KINDS = {name: name for name in ("weak step noise", "frozen noise", "weak frozen noise", "mixture", "brief", "late")}
KINDS |= {"switch": "late, switch"}
# What is equal -> group -> what its networks were trained with.
TRAINED = {
    "parameters": {"parameters": "clean cues", "trained": "step noise"} | KINDS,
    "units": {"units": "clean cues", "trained_units": "step noise"} | {f"{k}{AT_UNITS}": v for k, v in KINDS.items()},
}
ANSWER_LINES = dict(zip(ANSWERS, ("-", "--", ":", "-."), strict=True))
ANSWER_FILLS = dict(zip(ANSWERS, ("", "0.25", "white", "0.8"), strict=True))  # own answers have the arm's colour


@style.in_style
def plot(result: Result) -> style.Figures:
    """The figure of `cemrnn.figures.fig2_ambiguity.experiment.run`, in parts.

    b: whose answers; c: trained by tested; d: pairs of tasks.
    """
    parts = {"": _plot_accuracy, "b": _plot_answers, "c": _plot_tests, "d": _plot_pairs}
    return {part: draw(result) for part, draw in parts.items()}


def _plot_accuracy(result: Result) -> Figure:
    tables, config = result.tables, result.config
    figure, panels = style.open_panels(["abc", "de"], 5.6)
    for letter, group, manipulation, title in PANELS:
        rows = with_combined(select(tables["curves"], manipulation=manipulation), group)
        _draw_curves(panels[letter], rows)
        panels[letter].set_title(title)
        style.name_axes(panels[letter], letter, LABELS[manipulation], "normalised accuracy")
    for letter in "abc":
        panels[letter].set_ylim(*SHOWN)
        panels[letter].plot(tables["ideal"]["sigma"], tables["ideal"]["normalised"], zorder=1, **IDEAL)
    style.add_legend(figure, config.arms, style.make_handles({"ideal observer": IDEAL}))
    return figure


def _plot_answers(result: Result) -> Figure:
    """Whose answers they are as the noise grows, and in every test, in the compared arms at equal parameters."""
    config, table = result.config, select(result.tables["answers"], group="parameters", manipulation="noise")
    tests = select(result.tables["test_answers"], group="parameters")
    letters, n = "abcdef", len(config.compared_arms)
    figure, panels = style.open_panels([letters[:n], letters[n : 2 * n]], 5.4)
    for letter, below, arm in zip(letters[:n], letters[n : 2 * n], config.compared_arms, strict=True):
        is_named = letter == "a" or style.is_narrow()  # side by side the names of the first hold for all
        shares = select(tests, arm=arm).pivot(index="test", columns="answer", values="share").reindex(TESTS)
        left = np.zeros(len(shares))
        for answer, fill in ANSWER_FILLS.items():
            colour = style.LOOKS[arm].colour if answer == "own" else fill
            panels[below].barh(
                range(len(shares)), shares[answer], left=left, color=colour, edgecolor="0.4", linewidth=0.5
            )
            left += shares[answer].to_numpy(float)
        style.name_rows(panels[below], TESTS if is_named else [""] * len(TESTS))
        panels[below].set_title(arm, loc="right", color=style.LOOKS[arm].colour)
        style.name_axes(panels[below], below, "share of answers", xlim=(0, 1))
        for answer, line in ANSWER_LINES.items():
            part = select(table, arm=arm, answer=answer)
            style.draw_curve(
                panels[letter], part, "level", "share", style.LOOKS[arm], band=0.15, linestyle=line, markersize=0
            )
        style.name_axes(panels[letter], letter, LABELS["noise"], "share of answers", ylim=(-0.02, 1.02))
    names = {"own": "of the cued task", "other": "of the other task", "silent": "no answer", "astray": "elsewhere"}
    lines = {names[answer]: dict(linestyle=line, color="0.4") for answer, line in ANSWER_LINES.items()}
    boxes = dict(linestyle="", marker="s", markeredgecolor="0.4", markersize=8)
    fills = style.make_handles({names[a]: dict(color=fill) for a, fill in ANSWER_FILLS.items() if a != "own"}, **boxes)
    style.add_legend(figure, config.compared_arms, [*style.make_handles(lines), *fills])
    return figure


def _plot_pairs(result: Result) -> Figure:
    """Mean accuracy over the levels of noise of every pair of tasks, at both readings."""
    table, networks, config = result.tables["pairs"], result.tables["pair_networks"], result.config
    figure, panels = style.open_panels(["ab"], PAIR_IN * table["pair"].nunique() + 1.1)
    break_ = "\n" if style.is_narrow() else " "  # beside long names
    for (letter, title), match in zip(MATCHES.items(), ("parameters", "units"), strict=True):
        groups = [group.replace("parameters", match) for group in (BATTERY, *OTHERS)]
        shown = (pd.concat([with_combined(rows, group) for group in groups]) for rows in (table, networks))
        _draw_pairs(panels[letter], *shown, config, groups[0])
        panels[letter].set_title(title.replace(" ", break_), loc="right")
        if letter == "b" and not style.is_narrow():
            panels[letter].tick_params(labelleft=False)  # the names of the first hold for both
        style.name_axes(panels[letter], letter, f"normalised accuracy,{break_}mean over σ", xlim=SHOWN)
    style.add_legend(figure, config.compared_arms)
    return figure


def _plot_tests(result: Result) -> Figure:
    """Normalised accuracy under every kind of ambiguity, of networks that were trained for none or for one.

    Below, the same of single pathways at equal units, if some of these were trained for ambiguity.
    """
    config, table = result.config, result.tables["tests"]
    above = [(arm, "parameters") for arm in config.compared_arms]
    below = [(arm, "units") for arm in config.compared_arms if arm != "combined"] * config.train_at_units
    letters = "abcdefgh"[: len(above) + len(below)]
    rows = [letters[: len(above)]]
    if below:
        rows.append(letters[len(above) :] + "." * (len(above) - len(below)))
    figure, panels = style.open_panels(rows, 3.4 * len(rows))
    for letter, (arm, match) in zip(letters, above + below, strict=True):
        axes, is_named = panels[letter], letter in [row[0] for row in rows] or style.is_narrow()  # for a row
        groups = {group: name for group, name in TRAINED[match].items() if group in set(table["group"])}
        of_arm = select(table, arm=arm).pivot(index="test", columns="group", values="accuracy")
        cells = of_arm.reindex(index=list(TESTS), columns=list(groups)).to_numpy(float)
        axes.imshow(cells, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        style.draw_cells(axes, cells, _write_percent, lambda value: value < 0.6)
        axes.set_title(f"{arm},\nequal units" if match == "units" else arm, loc="right", color=style.LOOKS[arm].colour)
        axes.set_xticks(range(len(groups)), groups.values(), rotation=90)
        axes.set_yticks(range(len(TESTS)), TESTS if is_named else [""] * len(TESTS))
        axes.spines[["top", "right"]].set_visible(True)
        style.name_axes(axes, letter, "trained with", "tested with" if is_named else "")
    return figure


def _write_percent(share: float) -> str:
    """A share in per cent, which is short enough for narrow columns; a dash where there is none."""
    return style.write_number(np.nan) if np.isnan(share) else f"{round(100 * share)}".replace("-", "−")


def _draw_curves(axes: Axes, rows: pd.DataFrame) -> None:
    style.draw_curves(axes, rows, "level", "normalised")
    for level in (0, 1):
        axes.axhline(level, color="0.8", linewidth=0.6, zorder=0)


def _draw_pairs(axes: Axes, rows: pd.DataFrame, networks: pd.DataFrame, config: TrainedConfig, battery: str) -> None:
    """A point for each compared arm and pair of tasks, with single networks as dots.

    Below a line are the pairs of other tasks than the battery, which other networks learned.
    """
    names, own = list(dict.fromkeys(rows["pair"])), select(rows, group=battery)["pair"].nunique()
    if own < len(names):
        axes.axhline(own - 0.5, color="0.6", linewidth=0.7)
    for offset, arm in style.spread_over(config.compared_arms, 0.22):
        part, single = select(rows, arm=arm).set_index("pair").loc[names], select(networks, arm=arm)
        style.draw_networks(axes, single["noise"], single["pair"].map(names.index) + offset, arm)
        style.draw_rows(axes, np.arange(len(names)) + offset, part, "noise", style.LOOKS[arm], markersize=4)
    style.name_rows(axes, [_shorten(name) for name in names])


def _shorten(pair: str) -> str:
    """Both tasks, what they begin and end with once: "decide ctx1 / ctx2 sequential"."""
    first, second = (name.split("_") for name in pair.split(" / "))
    start = len(os.path.commonprefix([first, second]))
    end = len(os.path.commonprefix([first[start:][::-1], second[start:][::-1]]))
    one, other = (" ".join(words[start : len(words) - end]) for words in (first, second))
    return style.show_text(" ".join([*first[:start], f"{one} / {other}", *first[len(first) - end :]]))
