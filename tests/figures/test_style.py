"""The look that all figures share."""

from matplotlib import pyplot, rc_context, rcParams

from cemrnn.figures.style import SHEET, open_figure, render


def test_figures_of_the_book_are_not_kept_by_pyplot_however_many_there_are():
    before = pyplot.get_fignums()
    figures = [open_figure(4, 3) for _ in range(rcParams["figure.max_open_warning"] + 1)]
    assert pyplot.get_fignums() == before
    assert tuple(figures[0].get_size_inches()) == (4, 3)
    assert figures[0].get_layout_engine() is not None  # from the book's sheet


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
