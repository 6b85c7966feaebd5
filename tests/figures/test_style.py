"""The look that all figures share."""

from matplotlib import pyplot, rcParams

from cemrnn.figures.style import open_figure


def test_figures_of_the_book_are_not_kept_by_pyplot_however_many_there_are():
    before = pyplot.get_fignums()
    figures = [open_figure(4, 3) for _ in range(rcParams["figure.max_open_warning"] + 1)]
    assert pyplot.get_fignums() == before
    assert tuple(figures[0].get_size_inches()) == (4, 3)
    assert figures[0].get_layout_engine() is not None  # from the book's sheet
