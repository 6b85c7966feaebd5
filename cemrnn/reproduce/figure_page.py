"""The page of a figure, from its executed notebook: the figure and what it shows first, code folded below.

Where results of the long profile are kept, figure and text are there twice, as reference and as one's own run. The
notebook itself stays as it ran, in `build/<profile>/notebooks`.
"""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from cemrnn.figures import load_plot
from cemrnn.figures.result import Result
from cemrnn.figures.style import IMAGE_METADATA, NARROW, Figures, draw_narrow, list_parts, render
from cemrnn.reproduce.beside import IN_CAPTION, draw_beside
from cemrnn.reproduce.finding import write_finding
from cemrnn.reproduce.markdown import escape
from cemrnn.reproduce.notebooks import FOLDED, set_subtitle
from cemrnn.reproduce.products import list_products
from cemrnn.reproduce.provenance import describe_line
from cemrnn.reproduce.repository import link_source
from cemrnn.system.resources import count_cores

FILES = "_static/results"  # pictures, tables and numbers in the book, for download
OWN, REFERENCE = "run", "reference"
FIGURES_PER_PROCESS = 3  # from which on another process, which takes seconds to start, is worth it
SPOKEN = re.compile(r"(show|record|tell)\(")  # cells whose outputs the page shows elsewhere
HOW = "## How it was made\n\nThe cells of the notebook, with code and outputs folded."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Telling:
    """One telling of a figure: its pictures by part, what they show, and where they come from.

    Attributes:
        name: folder of its files, in `FILES`.
        title: of its tab.
        parts: "" for the first picture, "b" for a second one.
        finding: Markdown.
        origin: one line of Markdown.
        both: parts that have curves of one's own run as well.
    """

    name: str
    title: str
    parts: tuple[str, ...]
    finding: str
    origin: str
    both: frozenset[str] = frozenset()


def draw_references(
    references: Sequence[Result], own: Mapping[str, Result], source: Path
) -> dict[str, dict[str, bool]]:
    """The pictures of kept results, drawn into the book's source by as many processes as there are cores.

    Args:
        references: the kept results.
        own: name of a figure -> result of one's own run, whose curves are drawn beside them.
        source: of the book.

    Returns:
        Name of each figure -> its parts, "" for the first picture -> whether curves of one's own run are in it.
    """
    folder = source / FILES / REFERENCE
    folder.mkdir(parents=True, exist_ok=True)
    draw = functools.partial(_draw_reference, folder=folder)
    pairs = [references, [own.get(reference.stem) for reference in references]]
    n_processes = min(count_cores(), len(references) // FIGURES_PER_PROCESS)
    if n_processes > 1:
        with ProcessPoolExecutor(n_processes, multiprocessing.get_context("spawn")) as pool:
            parts = list(pool.map(draw, *pairs))
    else:
        parts = list(map(draw, *pairs))
    return {reference.stem: found for reference, found in zip(references, parts, strict=True)}


def _draw_reference(reference: Result, own: Result | None, folder: Path) -> dict[str, bool]:
    """Write the pictures of a figure that pages show; returns its parts, and which have curves of both."""
    plot, both = load_plot(reference.stem).plot, set()

    def draw(result: Result) -> Figures:
        if own is None:
            return plot(result)
        figures, found = draw_beside(plot, result, own)
        both.update(found)
        return figures

    figures = list_parts(draw(reference))
    for part, figure in figures.items():
        (folder / f"{reference.stem}{part}.svg").write_bytes(render(figure, "svg", reference.stem))
    for part, figure in draw_narrow(draw, reference).items():
        (folder / f"{reference.stem}{part}{NARROW}.svg").write_bytes(render(figure, "svg", reference.stem))
    return {part: part in both for part in figures}


def tell_reference(reference: Result, origin: dict, parts: Mapping[str, bool]) -> Telling:
    """The telling of kept results, whose pictures were drawn; see `draw_references`."""
    title = f"Reference ({origin['profile']}, {reference.n_replicates} networks)"
    finding = write_finding(reference)
    line = f"*{describe_line(origin)}*"
    both = frozenset(part for part, is_both in parts.items() if is_both)
    return Telling(name=REFERENCE, title=title, parts=tuple(parts), finding=finding, origin=line, both=both)


def tell_own(page: NotebookNode, origin: dict, source: Path, out: Path) -> Telling:
    """The telling of one's own run, whose pictures are copied into the book's source."""
    stem = origin["stem"]
    folder = source / FILES / OWN
    folder.mkdir(parents=True, exist_ok=True)
    names = [path.name for kind in IMAGE_METADATA for path in list_products(out, stem, f"*.{kind}")]
    for name in names:
        shutil.copyfile(out / "figures" / name, folder / name)
    parts = tuple(name.removeprefix(stem).removesuffix(".svg") for name in names if re.fullmatch(r"[^.]*\.svg", name))
    title = f"Your run ({escape(origin['profile'])}, {origin['n_replicates']} networks)"
    finding = next((text for cell in page.cells if (text := _spoken(cell, "tell("))), "")
    return Telling(name=OWN, title=title, parts=parts, finding=finding, origin=f"*{describe_line(origin)}*")


def arrange(
    page: NotebookNode, stem: str, tellings: list[Telling], verdicts: str, subtitle: str, time: str
) -> NotebookNode:
    """The page: title, what it is about, figure and finding in a tab for each telling, verdicts, text, folded code.

    Args:
        page: the executed notebook.
        stem: name of the figure.
        tellings: what the page shows, the main one first.
        verdicts: HTML of the figure's claims; empty if it has none.
        subtitle: what was found, instead of the notebook's, in Markdown; empty keeps it.
        time: how long the notebook takes, in Markdown; empty if it is not known.
    """
    first, *rest = page.cells
    if subtitle:
        first.source = set_subtitle(first.source, subtitle)
    pictured = next((cell for cell in rest if "figure" in cell.metadata.get("mystnb", {})), None)
    if pictured is None:
        raise ValueError(f"{stem}.ipynb: expected a cell with a caption, metadata mystnb.figure.caption, got none")
    shown = _markdown(_show(pictured, stem, tellings))
    texts = [cell for cell in rest if cell.cell_type == "markdown" and not _is_heading(cell)]
    claimed = f"```{{raw}} html\n{verdicts}\n```" if verdicts else ""
    made = [_fold(cell) for cell in rest if cell.cell_type == "code"]
    cells = [first, shown, *texts]
    cells += [_markdown(text) for text in (claimed, f"{HOW}\n{time}".strip()) if text]
    page.cells = [*cells, *made]
    return page


def _is_heading(cell: NotebookNode) -> bool:
    """Whether a cell is no more than the heading of what the page shows elsewhere."""
    return bool(re.fullmatch(r"## .*", cell.source.strip()))


def _markdown(text: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text)


def _spoken(cell: NotebookNode, call: str) -> str:
    """The Markdown that a cell with this call displayed; empty for other cells."""
    if cell.cell_type != "code" or not cell.source.startswith(call):
        return ""
    return "\n".join(output.get("data", {}).get("text/markdown", "") for output in cell.outputs)


def _fold(cell: NotebookNode) -> NotebookNode:
    """A cell whose code is folded; what the page shows elsewhere is not shown again."""
    tags = cell.metadata.get("tags", [])
    if SPOKEN.search(cell.source):
        cell.outputs = []
        cell.metadata.pop("mystnb", None)
    if not any(tag.startswith("hide-") for tag in tags):
        cell.metadata["tags"] = [*tags, FOLDED]
    return cell


def _show(pictured: NotebookNode, stem: str, tellings: list[Telling]) -> str:
    """All tellings, in tabs if there are several."""
    texts = [_tell(pictured, stem, telling, named=i == 0) for i, telling in enumerate(tellings)]
    if len(texts) == 1:
        return texts[0]
    tabs = [f"::::{{tab-item}} {telling.title}\n{text}\n::::" for telling, text in zip(tellings, texts, strict=True)]
    return "\n".join([":::::{tab-set}", *tabs, ":::::"])


def _tell(pictured: NotebookNode, stem: str, telling: Telling, *, named: bool) -> str:
    shown = pictured.metadata["mystnb"]
    name, more = shown["figure"].get("name", stem), pictured.metadata.get("cemrnn", {})
    blocks = []
    for part in telling.parts:
        own = more.get(part, {}) if part else {}
        caption = own.get("caption") or shown["figure"]["caption"]
        alt = own.get("alt") or shown.get("image", {}).get("alt", "")
        picture = f"{FILES}/{telling.name}/{stem}{part}.svg"
        options = [f":name: {name}{part}"] if named else []
        options += [f":alt: {alt}"] if alt else []
        if part in telling.both:
            caption, alt = f"{caption} {IN_CAPTION}", f"{alt} {IN_CAPTION}".strip()
        links = _link(stem, part, telling)
        lines = [f":::{{figure}} {picture}", f":target: {picture}", *options, "", f"{caption} {links}", ":::"]
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, telling.finding, telling.origin])


def _link(stem: str, part: str, telling: Telling) -> str:
    """The end of a caption: data, vector picture and code."""
    folder = f"{FILES}/{telling.name}"
    targets = {
        "data": f"{folder}/{stem}.zip",
        "vector": f"{folder}/{stem}{part}.{'pdf' if telling.name == OWN else 'svg'}",  # kept ones have no other
        "code": f"_modules/cemrnn/figures/{stem}/experiment.html",
    }
    if source := link_source(f"cemrnn/figures/{stem}/experiment.py"):
        targets["code in the repository"] = source
    return " · ".join(f'<a href="{target}">{text}</a>' for text, target in targets.items())
