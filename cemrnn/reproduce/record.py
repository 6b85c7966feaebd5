"""What a notebook leaves behind: figure files, plotted data, scalars and their origin."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import matplotlib
from IPython.display import SVG, Markdown, display
from matplotlib import pyplot
from matplotlib.figure import Figure

from cemrnn.figures.result import FAILED, MEASURED, NONE_FAILED, Result
from cemrnn.figures.style import IMAGE_METADATA, render, show_text
from cemrnn.reproduce.finding import write_finding
from cemrnn.reproduce.provenance import describe, describe_line, summarise
from cemrnn.reproduce.settings import CUSTOM
from cemrnn.system.clone import find_clone, find_named

FOOTER = "provenance"
matplotlib.rcdefaults()  # notebooks alone import this: they draw alike, whatever a reader's matplotlibrc says


def show(figure: Figure, result: Result) -> Figure:
    """The figure with its footer, displayed once as SVG.

    Args:
        figure: what the figure module's `plot` returned.
        result: the result that was plotted; profile, seeds, replicates and what failed are written below the figure.

    Returns:
        The same figure.
    """
    _add_footer(figure, result)
    display(SVG(data=render(figure, "svg", result.stem)))
    # Closed, or the notebook would display an open pyplot figure a second time.
    pyplot.close(figure)
    return figure


def record(result: Result, figure: Figure) -> None:
    """Write figure, data, scalars and origin; display links and origin.

    The files go to the folder in the environment variable CEMRNN_OUT, build/custom of the clone by default:
    `figures/<stem>.{svg,pdf,png}`, `figures/<stem>.<table>.csv`, `results/<stem>.json` and
    `provenance/<stem>.json`.

    Args:
        result: tables and scalars of the experiment.
        figure: what was plotted from it.
    """
    out = find_named("CEMRNN_OUT") or find_clone() / "build" / CUSTOM
    _add_footer(figure, result)
    links = _write_images(figure, result.stem, out) | _write_tables(result, out)
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
    figure.text(0.0, -0.01, show_text(line), va="top", ha="left", fontsize=6, color="0.35", gid=FOOTER)


def _write_images(figure: Figure, stem: str, out: Path) -> dict[str, str]:
    for kind in IMAGE_METADATA:
        _write(out / "figures" / f"{stem}.{kind}", render(figure, kind, stem))
    return {kind: f"{stem}.{kind}" for kind in IMAGE_METADATA}


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
