"""The look that all figures share."""

import io
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot, rc_context, rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cemrnn.figures.style import (
    LOOKS,
    SHEET,
    WIDTH_IN,
    add_legend,
    open_figure,
    open_panels,
    render,
    render_kinds,
    show_text,
    write_number,
)
from tests.drawn import find_faults


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


def test_the_ground_of_the_page_shows_through():
    figure = open_figure(4, 3)
    figure.subplots()
    image = pyplot.imread(io.BytesIO(render(figure, "png", "x")))
    assert image[..., 3].min() == 0 and np.median(image[..., 3]) == 0


def test_several_kinds_show_what_one_does():
    def read_size(picture):
        return np.array(pyplot.imread(io.BytesIO(picture)).shape[:2])

    sizes = []
    for kinds in (("svg", "png"), ("png",)):
        figure = open_figure(4, 3)
        figure.subplots().set(xlabel="x", ylabel="y")
        figure.text(0, -0.1, "below")  # in the box, and outside of the figure
        sizes.append(read_size(render_kinds(figure, kinds, "x")["png"]))
    assert (sizes[1] > 600).all() and np.abs(sizes[0] - sizes[1]).max() < 5


def test_pictures_of_one_figure_are_laid_out_alike():
    figure = open_figure(4, 3)
    panels = figure.subplots(2, 2)
    for axes in panels.flat:
        axes.plot([0, 1], [0, 12345])
        axes.set(xlabel="x", ylabel="y")
    places, pictures = [], []
    for kind in ("svg", "pdf", "svg"):
        pictures.append(render(figure, kind, "x"))
        places.append([axes.get_position().bounds for axes in panels.flat])
    assert pictures[0] == pictures[2]
    assert places[0] == places[1] == places[2]
    assert places[0] != [axes.get_position().bounds for axes in open_figure(4, 3).subplots(2, 2).flat]


def test_panels_of_a_row_share_the_width_and_other_rows_do_not_matter():
    figure, panels = open_panels(["aab", "c"], 4)
    panels["c"].set_yticks([0.5], ["a long name that needs much room"])
    FigureCanvasAgg(figure).draw()
    boxes = {letter: axes.get_window_extent() for letter, axes in panels.items()}
    assert 1.8 < boxes["a"].width / boxes["b"].width < 2.8
    assert boxes["a"].x0 < boxes["c"].x0 - 100
    assert figure.get_figwidth() == WIDTH_IN


def test_a_legend_has_the_rows_that_it_needs():
    arms = list(LOOKS)
    for some, n_rows in ((arms[:3], 1), (arms, 2)):
        figure, _ = open_panels("a", 3)
        add_legend(figure, some)
        FigureCanvasAgg(figure).draw()
        (legend,) = figure.legends
        tops = {round(text.get_window_extent().y0) for text in legend.get_texts()}
        assert len(tops) == n_rows
        assert legend.get_window_extent().width < figure.bbox.width


FAULTY = {
    "nothing": lambda axes: None,
    "small text": lambda axes: axes.set_xlabel("time", fontsize=8.9),
    "tick labels on each other": lambda axes: axes.set_xticks([0.4, 0.5], ["one long name", "another long name"]),
    "a title beside its panel": lambda axes: axes.set_title("x" * 200),
    "a label on another panel": lambda axes: axes.text(1.6, 0.5, "here").set_in_layout(False),
    "seven panels": lambda axes: [axes.inset_axes((0, 0, 1, 1)).set_title(c, loc="left") for c in "abcdefg"],
}


@pytest.mark.parametrize("fault", FAULTY)
def test_what_a_reader_cannot_read_is_found(fault):
    figure, panels = open_panels(["ab"], 3)
    for axes in panels.values():
        axes.set_xticks([0, 1])
    FAULTY[fault](panels["a"])
    assert bool(find_faults(figure)) == (fault != "nothing")


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
