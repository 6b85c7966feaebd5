"""The sources of the book: pages, figures, tutorials and generated tables, in one folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import nbformat
import yaml

from cemrnn.reproduce.citation import write_citation
from cemrnn.reproduce.claims import load_dropped
from cemrnn.reproduce.documents import read_json, read_yaml
from cemrnn.reproduce.downloads import write_downloads
from cemrnn.reproduce.evidence import Evidence, weigh_evidence
from cemrnn.reproduce.figure_page import arrange, draw_references, tell_own, tell_reference
from cemrnn.reproduce.first_page import HERO_FIGURES, SENTENCES, describe_found, load_sentences, write_hero
from cemrnn.reproduce.ledger_page import describe_dropped, describe_ledgers, describe_verdicts, tally
from cemrnn.reproduce.markdown import escape
from cemrnn.reproduce.one_table import ROWS, describe_systems
from cemrnn.reproduce.pictures import write_pictures
from cemrnn.reproduce.play import write_play
from cemrnn.reproduce.products import find_lost
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.provenance import read_origins, read_table
from cemrnn.reproduce.reference import LONG, kept_stems, read_result, reference_folder
from cemrnn.reproduce.repository import add_buttons
from cemrnn.reproduce.tables import describe_presets, describe_timings
from cemrnn.reproduce.times import describe_notebook
from cemrnn.tasks.presets import PRESETS

GENERATED = "generated"  # folder of tables and figures that no notebook writes
OTHER_FOLDER = re.compile(r"\]\((?:\.\./)+(?:book/|tutorials/)?(?=[\w-]+\.(?:md|ipynb))")
SOURCE = re.compile(r"\]\((?:\.\./)+(cemrnn/figures/\w+/\w+)\.py\)")
TERM = re.compile(r"\[([^\]\[]+)\]\((?:\.\./)+book/glossary\.md#([\w-]+)\)")
FEWEST_NETWORKS = 5  # per condition of the median figure, for the book to make no reservation


class BookError(RuntimeError):
    """The book could not be built, or a built page breaks a rule."""


def assemble(project: Project, profile: str) -> Path:
    """Folder with every source of the book: `build/<profile>/book_source`, made anew.

    Raises:
        BookError: a notebook of the project has not run at this profile, or some of what it left is lost.
    """
    out = project.build / profile
    source = out / "book_source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(project.root / "book", source, ignore=shutil.ignore_patterns("__pycache__"))
    _check_complete(project, profile)
    (source / GENERATED).mkdir()
    evidence = weigh_evidence(project, profile)
    kept = [result for stem in project.stems() if (result := evidence.kept[stem])]
    own = {} if profile == LONG else {result.stem: read_result(out, result.stem) for result in kept}
    parts = draw_references(kept, own, source)
    for stem in project.stems():
        _write_figure(project, stem, evidence, parts, source, out)
    for stem in project.tutorials():
        text = link_beside((out / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8"))
        (source / f"{stem}.ipynb").write_text(text, encoding="utf-8")
    write_downloads(project, source, out)
    _write_tables(project, profile, evidence, source / GENERATED)
    write_pictures(out, source / GENERATED)
    write_play(project, profile, source, source / GENERATED)
    _write_announcement(project, profile, source / "_config.yml")
    write_contents(project.stems(), source / "_toc.yml")
    return source


def link_beside(text: str) -> str:
    """A notebook whose links lead to where its targets lie in the book: beside it, and to terms of the glossary.

    In Lab pages lie in another folder than notebooks, tutorials in a third, and a term has no link of its own. The
    source of a figure's module is a page of the book.
    """
    text = SOURCE.sub(r"](source:\1)", text)
    text = TERM.sub(lambda found: f"{{term}}`{found[1]} <{found[2].replace('-', ' ')}>`", text)
    return OTHER_FOLDER.sub("](", text)


def _check_complete(project: Project, profile: str) -> None:
    """Refuse to build a book from notebooks that have not run, or have lost what they left."""
    out = project.build / profile
    for stem in [*project.stems(), *project.tutorials()]:
        again = f"cemrnn run {stem} --profile {profile}"
        if not (out / "notebooks" / f"{stem}.ipynb").exists():
            raise BookError(f"{stem} has not run at profile {profile}: {again}")
        if lost := find_lost(out, stem):
            raise BookError(f"{out}: expected what {stem} left, got no {', '.join(lost)}: {again}")


def _write_figure(
    project: Project, stem: str, evidence: Evidence, parts: Mapping[str, Mapping[str, bool]], source: Path, out: Path
) -> None:
    """Write the page of a figure into the book's source."""
    text = link_beside((out / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8"))
    page, subtitle = nbformat.reads(text, as_version=4), ""
    tellings = [tell_own(page, read_json(out / "provenance" / f"{stem}.json"), source, out)]
    if reference := evidence.kept[stem]:
        origin = read_json(reference_folder(project) / "provenance" / f"{stem}.json")
        tellings.insert(0, tell_reference(reference, origin, parts[stem]))
        subtitle = reference.scalars.get("title", "")
    verdicts = describe_verdicts(stem, evidence)
    page = arrange(page, stem, tellings, verdicts, escape(subtitle), describe_notebook(project.root, stem))
    nbformat.write(page, source / f"{stem}.ipynb")


def _write_tables(project: Project, profile: str, evidence: Evidence, folder: Path) -> None:
    out = project.build / profile
    shown = evidence.decided
    sentences = load_sentences(project.root / "book" / SENTENCES, evidence.claims)
    results = [evidence.kept.get(stem) or read_result(out, stem) for stem in HERO_FIGURES]
    tables = {
        "ledger": _raw(describe_ledgers(evidence)),
        "found": _raw(describe_found(sentences, shown, evidence.claims)),
        "tally": _raw(tally(shown)),
        "hero": write_hero(results, folder),
        "one_table": _raw(describe_systems(project.root / "book" / ROWS, evidence)),
        "dropped": describe_dropped(load_dropped(project.stems())),
        "cite": write_citation(project.root / "CITATION.cff"),
        "presets": describe_presets(),
        "provenance": read_table(out / "provenance").to_markdown(index=False),
    }
    tables |= {f"timings_{preset}": describe_timings(preset) for preset in PRESETS}
    for name, table in tables.items():
        (folder / f"{name}.md").write_text(table.rstrip() + "\n", encoding="utf-8")


def _raw(text: str) -> str:
    """HTML in a Markdown page."""
    return f"```{{raw}} html\n{text}\n```"


def _write_announcement(project: Project, profile: str, config: Path) -> None:
    """Set the line above every page, profiles and numbers of networks, and what leads to a repository."""
    values = read_yaml(config)
    counts = _count_networks(project.build / profile / "provenance")
    warning = " Too few to conclude anything." if median(counts) < FEWEST_NETWORKS else ""
    told = f"profile {profile}: {_range(counts)} networks per condition.{warning}"
    if kept := kept_stems(project):
        counts = _count_networks(reference_folder(project) / "provenance")
        reference = f"Reference of {len(kept)} {'figures' if len(kept) > 1 else 'figure'}, profile {LONG}"
        told = f"{reference}: {_range(counts)} networks per condition. Your run, {told}"
    values["html"]["announcement"] = told[0].upper() + told[1:]
    config.write_text(yaml.safe_dump(add_buttons(values), sort_keys=False), encoding="utf-8")


def _count_networks(folder: Path) -> list[int]:
    """Networks per condition of all figures of a folder of origins, from the fewest to the most."""
    return sorted({origin["n_replicates"] for origin in read_origins(folder)})


def _range(counts: list[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def write_contents(stems: list[str], contents: Path) -> None:
    """Set the pages of the part "Figures" in the table of contents."""
    values = read_yaml(contents)
    for part in values["parts"]:
        if part["caption"] == "Figures":
            part["chapters"] = [{"file": stem} for stem in stems]
    contents.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
