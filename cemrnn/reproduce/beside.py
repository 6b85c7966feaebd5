"""Curves of one's own run, drawn into the pictures of the kept results where both show the same."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FixedLocator

from cemrnn.figures.result import Result
from cemrnn.figures.style import Figures, collect_curves, list_parts

OWN_LINE = dict(linewidth=0.5, alpha=0.8, marker="", zorder=1.5)  # thinner than any line of a figure, without markers
IN_CAPTION = "The thinnest lines, without markers, are your run."
log = logging.getLogger(__name__)


def draw_beside(draw: Callable[[Result], Figures], reference: Result, own: Result) -> tuple[Figures, frozenset[str]]:
    """The pictures of a kept result with the curves of one's own, and the parts that got some.

    A panel gets them if it is there in both, with the same names of its axes, their ticks and the same titles, and if
    all that the legends name in one's own picture looks the same in the other; else a line would be taken for what it
    is not. What was measured on a machine is no measure of another one, and is left out.
    """
    figures = draw(reference)
    if reference.measured:
        return figures, frozenset()
    try:
        with collect_curves() as lines:
            others = list_parts(draw(own))
    except (KeyError, ValueError, IndexError) as error:
        log.warning("%s: your results are of other code (%s); run it again to see them there", own.stem, error)
        return figures, frozenset()
    found = set()
    for part, figure in list_parts(figures).items():
        panels = dict(_pair_panels(figure, others[part])) if part in others else {}
        for line in lines:
            if (panel := panels.get(line.axes)) is not None:
                look = dict(color=line.get_color(), linestyle=line.get_linestyle())
                panel.plot(line.get_xdata(), line.get_ydata(), **look | OWN_LINE)
                found.add(part)
    return figures, frozenset(found)


def _pair_panels(figure: Figure, other: Figure) -> Iterator[tuple[Axes, Axes]]:
    """Every panel of the other figure with the one that shows the same in the first."""
    if not _mean_alike(_list_legends(figure), _list_legends(other)):
        return
    of_first, of_other = (_panels_by_name(x) for x in (figure, other))
    for name, theirs in of_other.items():
        ours = of_first.get(name, [])
        if len(ours) == len(theirs):
            pairs = zip(theirs, ours, strict=True)
            yield from ((one, two) for one, two in pairs if _mean_alike(_list_legends(two), _list_legends(one)))


def _panels_by_name(figure: Figure) -> dict[tuple[str, ...], list[Axes]]:
    panels: dict[tuple[str, ...], list[Axes]] = {}
    for axes in figure.axes:
        titles = (axes.get_title(place) for place in ("left", "center", "right"))
        ticks = (_read_ticks(axis) for axis in (axes.xaxis, axes.yaxis))
        name = *titles, axes.get_xlabel(), axes.get_ylabel(), *ticks
        panels.setdefault(name, []).append(axes)
    return panels


def _read_ticks(axis: Axis) -> str:
    """The texts at the ticks, where they were set: a place may mean what its text says."""
    is_set = isinstance(axis.get_major_locator(), FixedLocator)
    return "\n".join(label.get_text() for label in axis.get_ticklabels()) if is_set else ""


def _list_legends(owner: Figure | Axes) -> list[Legend]:
    """The legends of a panel, or those of a figure that lie outside of its panels."""
    if isinstance(owner, Axes):
        return [owner.get_legend()] if owner.get_legend() else []
    return [*owner.legends, *itertools.chain(*(part.legends for part in owner.subfigs))]


def _mean_alike(legends: list[Legend], others: list[Legend]) -> bool:
    """Whether all that the others name has the same look in the first."""
    first, other = (dict(itertools.chain(*map(_read_looks, x))) for x in (legends, others))
    return all(first.get(label) == look for label, look in other.items())


def _read_looks(legend: Legend) -> Iterator[tuple[str, tuple]]:
    for text, line in zip(legend.get_texts(), legend.get_lines(), strict=False):
        yield text.get_text(), (line.get_color(), line.get_linestyle(), line.get_marker(), line.get_fillstyle())
