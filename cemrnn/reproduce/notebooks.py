"""Strict runs of notebooks: a target file exists only if every cell succeeded."""

from __future__ import annotations

import ast
import contextlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.engines import NBClientEngine, papermill_engines

from cemrnn.reproduce.documents import read_json
from cemrnn.reproduce.markdown import escape
from cemrnn.reproduce.products import write_products
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.run_progress import RunProgress
from cemrnn.reproduce.settings import find_differing
from cemrnn.system.files import is_leftover, new_temporary_name

FAILED_FOLDER = "failed"
FOLDED = "hide-input"  # tag of a cell whose code the book folds
# The kernel warns at every start that its local connection is not encrypted, and logs an error at some ends because it
# was asked to stop. What a cell raises comes back in the notebook.
logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of settings that the cell does not show
KERNEL_ARGUMENTS = ["--IPKernelApp.log_level=CRITICAL"]
ENGINE = "watched"  # papermill's name of what runs the cells


class NotebookError(RuntimeError):
    """A notebook stopped before its end; `path` is the folder with what it had done."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class WatchedEngine(NBClientEngine):
    """Papermill's usual engine, whose notebook is shown to a `RunProgress` while its cells run."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, progress: RunProgress | None = None, **options):
        """Run the cells."""
        if progress is not None:
            progress.watch(nb_man.nb)
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register(ENGINE, WatchedEngine)


def run_notebook(
    project: Project,
    stem: str,
    profile: str,
    out: Path,
    changes: dict[str, Any] | None = None,
    progress: RunProgress | None = None,
) -> Path:
    """Path of the executed notebook, `<out>/notebooks/<stem>.ipynb`.

    The run happens in `build/.tmp`. Its files move to `out` when the last cell is done, with a list, the notebook last;
    otherwise they move to `build/failed/<stem>`, because papermill leaves a failed notebook that looks
    finished to Make.

    Args:
        project: the clone.
        stem: name of the notebook.
        profile: whose values the notebook takes.
        out: folder of the profile, e.g. build/quick.
        changes: other values, by name.
        progress: tells which cell runs.

    Raises:
        NotebookError: a cell raised, or the kernel died.
    """
    staging = project.build / ".tmp" / new_temporary_name()
    for left in filter(is_leftover, staging.parent.glob(".*.tmp")):  # by runs that were killed
        shutil.rmtree(left, ignore_errors=True)
    notebook = staging / "notebooks" / f"{stem}.ipynb"
    notebook.parent.mkdir(parents=True)
    is_tutorial = stem in project.tutorials()
    differing = {} if is_tutorial else find_differing(project, stem, profile, read_shown(project.notebook(stem)))
    ours = dict(
        CEMRNN_OUT=staging,
        CEMRNN_PROFILE=profile,
        CEMRNN_RESULTS=project.build / "remembered",
    )
    try:
        with tempfile.TemporaryDirectory(prefix="cemrnn-") as scratch, _environment(**ours, **isolation(scratch)):
            papermill.execute_notebook(
                project.notebook(stem),
                notebook,
                parameters=differing | (changes or {}),
                kernel_name="python3",
                cwd=project.root,
                progress_bar=False,
                engine_name=ENGINE,
                progress=progress,
                extra_arguments=KERNEL_ARGUMENTS,
                shutdown_kernel="immediate",  # who ends a run does not wait for what a cell computes
            )
    except BaseException as error:
        # BaseException, so that Ctrl-C leaves no half-finished run behind either.
        failed = _replace_folder(staging, project.build / FAILED_FOLDER / stem)
        if not isinstance(error, Exception):
            raise
        reason = project.explain_disk(str(error)) or f"{_reason(error)}\nkept in {failed}"
        raise NotebookError(f"notebook {stem} failed: {reason}", failed) from error
    _finish_page(notebook, staging / "results" / f"{stem}.json")
    return _publish(staging, out, notebook, stem)


def isolation(scratch: str) -> dict[str, str]:
    """Variables with which a kernel is that of this environment, and reads nothing of a reader's own settings."""
    ours = {"JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_RUNTIME_DIR": scratch, "IPYTHONDIR": scratch}
    return dict.fromkeys(("JUPYTER_PATH", "MATPLOTLIBRC", "MPLBACKEND", "PYTHONSTARTUP"), "") | ours


def read_shown(notebook: Path) -> dict[str, Any]:
    """The values that the notebook's cell tagged `parameters` shows, by name.

    Raises:
        ValueError: there is not one such cell, or a line of it is not `name: type = literal`.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{notebook.name}: expected one cell tagged 'parameters', got {len(tagged)}")
    shown = {}
    for line in ast.parse(tagged[0]).body:
        try:
            shown[line.target.id] = ast.literal_eval(line.value)
        except (AttributeError, ValueError):
            expected = "expected `name: type = literal` in the parameters cell"
            raise ValueError(f"{notebook.name}: {expected}, got `{ast.unparse(line)}`") from None
    return shown


def _finish_page(notebook: Path, results: Path) -> None:
    """Fold the cell of injected parameters, and tell what was found below the title."""
    page = nbformat.read(notebook, as_version=4)
    for cell in page.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags and FOLDED not in tags:
            cell.metadata["tags"] = [*tags, FOLDED]
    if title := read_json(results).get("title"):
        page.cells[0].source = set_subtitle(page.cells[0].source, escape(title))
    nbformat.write(page, notebook)


def set_subtitle(text: str, subtitle: str) -> str:
    """The text of a page's first cell, with what was found as a line of its own below the heading."""
    heading, *rest = text.splitlines()
    while rest and (not rest[0].strip() or re.fullmatch(r"\*\*.*\*\*", rest[0])):
        rest = rest[1:]
    return "\n".join([heading, "", f"**{subtitle}.**", "", *rest])


def _reason(error: Exception) -> str:
    if isinstance(error, papermill.PapermillExecutionError):
        return f"{error.ename}: {error.evalue} (cell {error.exec_count})"
    return f"{type(error).__name__}: {error}"


def _publish(staging: Path, out: Path, notebook: Path, stem: str) -> Path:
    others = [path for path in sorted(staging.rglob("*")) if path.is_file() and path != notebook]
    for path in others:
        _move(path, out / path.relative_to(staging))
    write_products(out, stem, [path.relative_to(staging) for path in others])
    _move(notebook, out / notebook.relative_to(staging))
    shutil.rmtree(staging)
    return out / notebook.relative_to(staging)


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)


def _replace_folder(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    return source.rename(target)


@contextlib.contextmanager
def _environment(**variables: str | Path) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
