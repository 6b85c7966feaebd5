"""Curves of one's own run in the pictures of kept results: where they mean the same, and nowhere else."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures import style
from cemrnn.reproduce.beside import draw_beside

X = np.linspace(0, 1, 5)


def make_result(
    height,
    title="noise",
    label="size",
    arms=("synaptic", "combined"),
    x="sigma",
    line="--",
    ticks="ab",
    column="x",
    measured=(),
):
    """What `draw` draws: a panel with curves of arms at a height, and one with points."""
    made = dict(height=height, title=title, label=label, arms=arms, x=x, line=line, ticks=ticks, column=column)
    return SimpleNamespace(**made, measured=measured, stem="fig0_made_up")


def draw(result):
    figure, panels = style.open_panels(["ab"], 3)
    rows = [dict(arm=arm, y=result.height, low=0, high=1, **{result.column: x}) for arm in result.arms for x in X]
    table = pd.DataFrame(rows)
    style.draw_curves(panels["a"], table, result.column, "y")
    panels["a"].set_xticks([0, 1], result.ticks)
    style.name_axes(panels["a"], "a", result.x, "accuracy")
    panels["a"].set_title(result.title)
    panels["b"].plot(X, X, "o")
    style.name_axes(panels["b"], "b", "x", "y")
    handles = style.make_handles({result.label: dict(linestyle=result.line)}, color="0.4")
    style.add_legend(figure, result.arms, handles)
    return {"": figure}


def lines_at(figures, height):
    return [line for line in figures[""].axes[0].lines if np.all(line.get_ydata() == height)]


def test_curves_of_the_run_lie_thin_and_in_their_colours_over_those_that_are_kept():
    figures, parts = draw_beside(draw, make_result(0.5), make_result(0.3))
    assert parts == {""}
    kept, own = lines_at(figures, 0.5), lines_at(figures, 0.3)
    assert [line.get_color() for line in own] == [line.get_color() for line in kept] and len(own) == 2
    for thin, thick in zip(own, kept, strict=True):
        assert thin.get_linewidth() < thick.get_linewidth() and thin.get_marker() in ("", "None")
        np.testing.assert_array_equal(thin.get_xdata(), X)
    assert len(figures[""].axes[1].lines) == 1  # points are no curve


def test_fewer_arms_in_the_run_are_no_hindrance():
    figures, _ = draw_beside(draw, make_result(0.5), make_result(0.3, arms=("synaptic",)))
    assert len(lines_at(figures, 0.3)) == 1


@pytest.mark.parametrize(
    "other",
    [
        dict(title="mixtures"),
        dict(x="lambda"),
        dict(label="another size"),
        dict(line=":"),
        dict(arms=("gain",)),
        dict(ticks="ac"),
        dict(column="seconds"),
    ],
)
def test_what_means_something_else_is_not_drawn_in(other):
    figures, parts = draw_beside(draw, make_result(0.5), make_result(0.3, **other))
    assert parts == frozenset() and not lines_at(figures, 0.3) and len(lines_at(figures, 0.5)) == 2


def test_nothing_is_collected_outside_of_the_block():
    with style.collect_curves() as lines:
        draw(make_result(0.5))
    draw(make_result(0.3))
    assert len(lines) == 2


def test_what_was_measured_on_a_machine_is_no_measure_of_another():
    _, parts = draw_beside(draw, make_result(0.5, measured=("update_ms",)), make_result(0.3))
    assert parts == frozenset()


def test_results_of_other_code_are_left_out_with_a_word(caplog):
    old = make_result(0.3)
    old.arms = ("of_old",)
    figures, parts = draw_beside(draw, make_result(0.5), old)
    assert parts == frozenset() and len(lines_at(figures, 0.5)) == 2 and "fig0_made_up" in caplog.text
