"""The book, built from its assembled sources by Jupyter Book, and checked."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cemrnn.reproduce.assembly import GENERATED, BookError, assemble
from cemrnn.reproduce.pages import find_problems
from cemrnn.reproduce.project import Project
from cemrnn.system.leases import hold_alone

JUPYTER_BOOK = "import sys; sys.modules['rfc3987_syntax'] = None; from jupyter_book.cli.main import main; main()"


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


def _warnings(log: str) -> str:
    lines = log.splitlines()
    marked = [line for line in lines if "WARNING" in line or "ERROR" in line or "rror:" in line]
    return "\n".join(marked[:20] or lines[-20:])
