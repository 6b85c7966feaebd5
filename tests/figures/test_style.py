"""The look that all figures share."""

import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot, rc_context, rcParams

from cemrnn.figures.style import SHEET, open_figure, render, show_text, write_number


def test_figures_of_the_book_are_not_kept_by_pyplot_however_many_there_are():
    before = pyplot.get_fignums()
    figures = [open_figure(4, 3) for _ in range(rcParams["figure.max_open_warning"] + 1)]
    assert pyplot.get_fignums() == before
    assert tuple(figures[0].get_size_inches()) == (4, 3)
    assert figures[0].get_layout_engine() is not None  # from the book's sheet


def test_a_figure_at_the_end_of_a_cell_is_shown():
    figure = open_figure(4, 3)
    figure.text(0.5, 0.5, "here")
    assert ElementTree.fromstring(figure._repr_svg_()).tag.endswith("svg")


CONTROLS = "".join(map(chr, [*range(32), *range(127, 160), 0x200B, 0xD800, 0xFFFE]))


@pytest.mark.parametrize("text", ["a $x^2$ b", "$", "{glue}`x` <b>_under_</b> `code` \\frac", CONTROLS, "日本 €", ""])
def test_any_text_is_shown_in_a_figure_as_it_is(text):
    figure = open_figure(4, 3)
    drawn = figure.text(0.5, 0.5, show_text(text))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of characters that the font lacks
        shown, is_formula = drawn._preprocess_math(drawn.get_text())
        svg = render(figure, "svg", "x")
    assert not is_formula
    if text.isprintable():
        assert shown == text
    ElementTree.fromstring(svg)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.534, ".53"),
        (-0.534, "−.53"),
        (-10.085, "−10.09"),
        (10.5, "10.50"),
        (100.04, "100.04"),
        (0.0, ".00"),
        (-0.001, ".00"),
        (1.0, "1.00"),
        (-1.0, "−1.00"),
        (20.051, "20.05"),
        (np.nan, "–"),
        (-np.inf, "–"),
    ],
)
def test_numbers_keep_their_digits_in_small_cells(value, text):
    assert write_number(value) == text


@given(st.floats(-1e6, 1e6))
def test_a_written_number_reads_as_the_number(value):
    assert float(write_number(value).replace("−", "-")) == pytest.approx(value, abs=0.0051)


def draw():
    with pyplot.style.context(SHEET):
        figure = open_figure(4, 3)
        figure.subplots().imshow([[0, 1], [1, 0]])
    return render(figure, "svg", "salt")


def test_a_style_of_the_readers_own_does_not_reach_a_figure():
    expected = draw()
    own = {"axes.grid": True, "text.usetex": True, "font.size": 30, "savefig.facecolor": "red", "image.cmap": "hot"}
    with rc_context(own):
        assert draw() == expected
