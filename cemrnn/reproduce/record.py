"""What a notebook leaves behind: figure files, plotted data, scalars and their origin."""

from __future__ import annotations

import json
import math
import os
import textwrap
from pathlib import Path
from typing import Any

import matplotlib
from IPython.display import SVG, Markdown, display
from matplotlib import pyplot
from matplotlib.figure import Figure

from cemrnn.figures import load_plot
from cemrnn.figures.result import FAILED, MEASURED, NONE_FAILED, Result
from cemrnn.figures.style import (
    IMAGE_METADATA,
    NARROW,
    NARROW_IN,
    Figures,
    draw_narrow,
    list_parts,
    render,
    render_kinds,
    show_text,
)
from cemrnn.reproduce.finding import write_finding
from cemrnn.reproduce.provenance import describe, describe_line, summarise
from cemrnn.reproduce.settings import CUSTOM
from cemrnn.system.clone import find_clone, find_named

FOOTER = "provenance"
FOOTER_COLUMNS, NARROW_COLUMNS = 140, 52  # characters of 7 pt that a figure is wide, and one for a phone
matplotlib.rcdefaults()  # notebooks alone import this: they draw alike, whatever a reader's matplotlibrc says


def show(figures: Figures, result: Result) -> Figures:
    """The figure, or its parts, with a footer each, displayed once as SVG.

    Args:
        figures: what the figure module's `plot` returned.
        result: the result that was plotted; profile, seeds, replicates and what failed are written below the figure.

    Returns:
        The same figures.
    """
    for part, figure in list_parts(figures).items():
        _add_footer(figure, result)
        display(SVG(data=render(figure, "svg", result.stem + part)))
        # Closed, or the notebook would display an open pyplot figure a second time.
        pyplot.close(figure)
    return figures


def record(result: Result, figures: Figures) -> None:
    """Write figure, data, scalars and origin; display links and origin.

    The files go to the folder in the environment variable CEMRNN_OUT, build/custom of the clone by default:
    `figures/<stem>.{svg,pdf,png}`, `figures/<stem>.<table>.csv`, `results/<stem>.json` and
    `provenance/<stem>.json`; those of another part, b, are `figures/<stem>b.{svg,pdf,png}`. The same figure for a
    phone is `figures/<stem>.narrow.svg`.

    Args:
        result: tables and scalars of the experiment.
        figures: what was plotted from it.
    """
    out = find_named("CEMRNN_OUT") or find_clone() / "build" / CUSTOM
    links: dict[str, str] = {}
    for part, figure in list_parts(figures).items():
        _add_footer(figure, result)
        links |= _write_images(figure, result.stem, part, out)
    for part, figure in draw_narrow(load_plot(result.stem).plot, result).items():
        _add_footer(figure, result)
        _write(out / "figures" / f"{result.stem}{part}{NARROW}.svg", render(figure, "svg", f"{result.stem}{part}"))
    links |= _write_tables(result, out)
    scalars = {name: _plain(value) for name, value in result.scalars.items()}
    scalars |= {MEASURED: sorted(result.measured)} if result.measured else {}
    origin = describe(result)
    _write_json(out / "results" / f"{result.stem}.json", scalars)
    _write_json(out / "provenance" / f"{result.stem}.json", origin)
    # A notebook that is run for the book lies beside the folder of figures; one in Lab where it was opened.
    folder = "" if os.environ.get("CEMRNN_OUT") else f"{os.path.relpath(out)}/"
    texts = [f"[{text}]({folder}figures/{file})" for text, file in links.items()]
    display(Markdown(f"Download: {' · '.join(texts)}\n\n*{describe_line(origin)}*"))


def tell(result: Result) -> None:
    """Display the finding: the figure's `finding.md` with the numbers of the result."""
    display(Markdown(write_finding(result)))


def _add_footer(figure: Figure, result: Result) -> None:
    if any(text.get_gid() == FOOTER for text in figure.texts):
        return
    line, failed = summarise(describe(result)), result.scalars.get(FAILED, NONE_FAILED)
    if failed != NONE_FAILED:
        line += f" · failed, with a loss that is not finite: {failed}"
    columns = NARROW_COLUMNS if figure.get_figwidth() == NARROW_IN else FOOTER_COLUMNS
    text = show_text(textwrap.fill(line, columns))
    figure.text(0.0, -0.01, text, va="top", ha="left", fontsize=7, color="0.35", gid=FOOTER)


def _write_images(figure: Figure, stem: str, part: str, out: Path) -> dict[str, str]:
    """Label of every link, and its file: "svg" of the first part, "svg b" of part b."""
    for kind, picture in render_kinds(figure, IMAGE_METADATA, stem + part).items():
        _write(out / "figures" / f"{stem}{part}.{kind}", picture)
    return {f"{kind} {part}".strip(): f"{stem}{part}.{kind}" for kind in IMAGE_METADATA}


def _write_tables(result: Result, out: Path) -> dict[str, str]:
    links = {}
    for name, table in result.tables.items():
        file = f"{result.stem}.{name}.csv"
        _write(out / "figures" / file, table.to_csv(index=False, lineterminator="\n").encode())
        links[f"csv ({name})"] = file
    return links


def _plain(value: Any) -> float | int | str | None:
    """The scalar as JSON can hold it; NaN and NumPy's numbers are none of its."""
    if isinstance(value, list):
        return [_plain(x) for x in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_json(path: Path, value: dict[str, Any]) -> None:
    _write(path, (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
