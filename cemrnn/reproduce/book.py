"""The book: pages, executed notebooks, figures and generated tables, assembled and built."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from cemrnn.reproduce.citation import write_citation
from cemrnn.reproduce.claims import dropped_to_markdown, ledger, load_claims, load_dropped, to_markdown
from cemrnn.reproduce.documents import read_yaml
from cemrnn.reproduce.pages import find_problems
from cemrnn.reproduce.pictures import write_pictures
from cemrnn.reproduce.products import find_lost
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.provenance import read_origins, read_table
from cemrnn.reproduce.tables import describe_presets, describe_timings
from cemrnn.system.leases import hold_alone
from cemrnn.tasks.presets import PRESETS

GENERATED = "generated"  # folder of tables and figures that no notebook writes
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
OTHER_FOLDER = re.compile(r"\]\((?:\.\./)+(?:book/|tutorials/)?(?=[\w-]+\.(?:md|ipynb))")
SOURCE = re.compile(r"\]\((?:\.\./)+(cemrnn/figures/\w+/\w+)\.py\)")
TERM = re.compile(r"\[([^\]\[]+)\]\((?:\.\./)+book/glossary\.md#([\w-]+)\)")
FEWEST_NETWORKS = 5  # per condition, for the book to make no reservation


class BookError(RuntimeError):
    """The book could not be built, or a built page breaks a rule."""


def build_book(project: Project, profile: str, write_more: Callable[[Path], None] | None = None) -> Path:
    """Path of the first page, `build/<profile>/html/index.html`.

    Args:
        project: the clone.
        profile: its notebooks must have run before.
        write_more: writes further generated pieces into the folder it is given.

    Raises:
        BookError: a notebook has not run, Sphinx warned, a page loads something from the network, or an
            image has no alternative text. The book built before stays in place.
        BusyError: another process builds it.
    """
    with hold_alone(project.build / profile / ".book.lock", f"the book at profile {profile} is being built"):
        return _build(project, profile, write_more)


def _build(project: Project, profile: str, write_more: Callable[[Path], None] | None) -> Path:
    out = project.build / profile
    source = assemble(project, profile)
    if write_more is not None:
        write_more(source / GENERATED)
    with tempfile.TemporaryDirectory(prefix="cemrnn-") as plain:  # Sphinx takes [ and * in a path for a pattern
        made = Path(plain).resolve() / "book"
        shutil.copytree(source, made)
        if warnings := _run_jupyter_book(made, source, out / "book.log"):
            raise BookError(f"the book was not built: {project.explain_disk(warnings) or warnings}")
        html = made / "_build" / "html"
        if problems := find_problems(html):
            raise BookError("the book was built, but:\n" + "\n".join(problems))
        shutil.rmtree(out / "html", ignore_errors=True)
        shutil.move(html, out / "html")
    return out / "html" / "index.html"


def _run_jupyter_book(folder: Path, source: Path, log: Path) -> str:
    """Warnings, with the place of the log; empty if the book was built. Files are named as in the source."""
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", "-W", "-n", "--keep-going", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    text = done.stdout.replace(str(folder), str(source))
    log.write_text(text, encoding="utf-8")
    return f"see {log}\n{_warnings(text)}" if done.returncode != 0 else ""


def assemble(project: Project, profile: str) -> Path:
    """Folder with every source of the book: `build/<profile>/book_source`, made anew.

    Raises:
        BookError: a notebook of the project has not run at this profile, or some of what it left is lost.
    """
    out = project.build / profile
    source = out / "book_source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(project.root / "book", source, ignore=shutil.ignore_patterns("__pycache__"))
    for stem in [*project.stems(), *project.tutorials()]:
        executed = out / "notebooks" / f"{stem}.ipynb"
        if not executed.exists():
            raise BookError(f"{stem} has not run at profile {profile}: cemrnn run {stem} --profile {profile}")
        if lost := find_lost(out, stem):
            again = f"cemrnn run {stem} --profile {profile}"
            raise BookError(f"{out}: expected what {stem} left, got no {', '.join(lost)}: {again}")
        text = link_beside(executed.read_text(encoding="utf-8"))
        (source / executed.name).write_text(text, encoding="utf-8")
    shutil.copytree(out / "figures", source / "figures", dirs_exist_ok=True)
    _write_tables(project, profile, source / GENERATED)
    write_pictures(out, source / GENERATED)
    _write_announcement(out, profile, source / "_config.yml")
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


def _write_tables(project: Project, profile: str, folder: Path) -> None:
    out = project.build / profile
    claims = ledger(out / "results", load_claims(project.stems()))
    tables = {
        "ledger": to_markdown(claims),
        "dropped": dropped_to_markdown(load_dropped(project.stems())),
        "cite": write_citation(project.root / "CITATION.cff"),
        "presets": describe_presets(),
        "provenance": read_table(out / "provenance").to_markdown(index=False),
    }
    tables |= {f"timings_{preset}": describe_timings(preset) for preset in PRESETS}
    folder.mkdir()
    for name, table in tables.items():
        (folder / f"{name}.md").write_text(table.rstrip() + "\n", encoding="utf-8")


def _write_announcement(out: Path, profile: str, config: Path) -> None:
    """Set the line above every page: profile and number of networks."""
    counts = sorted({origin["n_replicates"] for origin in read_origins(out / "provenance")})
    networks = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    values = read_yaml(config)
    warning = " Too few to conclude anything." if counts[0] < FEWEST_NETWORKS else ""
    values["html"]["announcement"] = f"Profile {profile}: {networks} networks per condition.{warning}"
    config.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def write_contents(stems: list[str], contents: Path) -> None:
    """Set the pages of the part "Figures" in the table of contents."""
    values = read_yaml(contents)
    for part in values["parts"]:
        if part["caption"] == "Figures":
            part["chapters"] = [{"file": stem} for stem in stems]
    contents.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def _warnings(log: str) -> str:
    lines = log.splitlines()
    marked = [line for line in lines if "WARNING" in line or "ERROR" in line or "rror:" in line]
    return "\n".join(marked[:20] or lines[-20:])
