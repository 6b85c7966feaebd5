"""What a figure shows when it is drawn, and what a reader could not read of it."""

import itertools
import re
from unittest import mock

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from cemrnn.figures.style import NARROW_IN, WIDTH_IN, list_parts
from cemrnn.reproduce.record import FOOTER

DPI = 96  # of a page
SMALLEST_PT, SMALLEST_FOOTER_PT = 9, 7
MOST_PANELS = 6
NARROW_LIMIT_IN = 1.03 * NARROW_IN  # of a picture that shrinks by as much on a phone
SLACK_PX = 1.5  # on each side of a text: its box is a little larger than its letters


def panels_of(figures, part=""):
    """Letter -> axes of the panels of a part of a figure that have one in their title."""
    titled = {axes.get_title(loc="left"): axes for axes in list_parts(figures)[part].get_axes()}
    return {letter: axes for letter, axes in titled.items() if letter}


def letters_of(figure):
    """Bold letters of the panels, in the titles of axes and in texts of parts of the figure."""
    texts = [text.get_text() for part in figure.subfigs for text in part.texts]
    return sorted(text for text in [*panels_of(figure), *texts] if re.fullmatch("[a-z]", text))


def legends_of(figures):
    """All legends that stand beside the panels."""
    parts = list_parts(figures).values()
    return [legend for part in parts for whole in (part, *part.subfigs) for legend in whole.legends]


def drawn_texts(figure):
    """Every text that is drawn and not empty, with its box in pixels of a page."""
    drawn, draw = {}, Text.draw
    figure.set_dpi(DPI)

    def note(self, renderer):
        draw(self, renderer)
        if self.get_visible() and self.get_text().strip():
            drawn[self] = Text.get_window_extent(self, renderer)

    with mock.patch.object(Text, "draw", note):
        FigureCanvasAgg(figure).draw()
        drawn.clear()  # the first drawing lays the panels out
        FigureCanvasAgg(figure).draw()
    return drawn


def find_faults(figure):
    """A line for every text that is small, lies on another text or on a panel of which it is no part, and the like."""
    boxes = drawn_texts(figure)
    smallest = {t: SMALLEST_FOOTER_PT if t.get_gid() == FOOTER else SMALLEST_PT for t in boxes}
    faults = [f"{t.get_text()!r}: {t.get_fontsize()} pt" for t in boxes if t.get_fontsize() < smallest[t]]
    shrunk = {text: _shrink(box) for text, box in boxes.items()}
    for (one, box), (other, beside) in itertools.combinations(shrunk.items(), 2):
        if box.overlaps(beside):
            faults.append(f"{one.get_text()!r} lies on {other.get_text()!r}")
    for axes in figure.get_axes():
        inside = set(axes.findobj(Text)) | {t for child in axes.child_axes for t in child.findobj(Text)}
        for text in shrunk.keys() - inside:
            if axes.axison and shrunk[text].overlaps(axes.get_window_extent()):
                faults.append(f"{text.get_text()!r} lies on panel {axes.get_title(loc='left')!r}")
    if len(letters_of(figure)) > MOST_PANELS:
        faults.append(f"{len(letters_of(figure))} panels")
    limit_in = NARROW_LIMIT_IN if figure.get_figwidth() == NARROW_IN else WIDTH_IN
    if (width_in := figure.get_tightbbox().width) > limit_in:
        faults.append(f"{width_in:.2f} in wide")
    return faults


def _shrink(box):
    """The box without its slack, which may leave a line."""
    x, y = min(SLACK_PX, box.width / 2), min(SLACK_PX, box.height / 2)
    return Bbox.from_extents(box.x0 + x, box.y0 + y, box.x1 - x, box.y1 - y)
