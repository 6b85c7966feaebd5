"""What a reader can take away: tables and numbers of every figure, and of all, in archives."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from cemrnn.reproduce.figure_page import FILES, OWN, REFERENCE
from cemrnn.reproduce.products import list_products
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.reference import kept_stems, list_tables, reference_folder

ALL = "all.zip"
DATE = (1980, 1, 1, 0, 0, 0)  # of every file in an archive, so that the same files give the same bytes


def write_downloads(project: Project, source: Path, out: Path) -> None:
    """Write an archive per figure, for the run and for what is kept, and one of everything.

    Args:
        project: whose figures.
        source: folder of the book's source.
        out: folder of the profile.
    """
    everything: dict[str, Path] = {}
    kept = reference_folder(project)
    for name, folder, stems, find in (
        (REFERENCE, kept, kept_stems(project), lambda stem: list_tables(kept / "tables", stem)),
        (OWN, out, project.stems(), lambda stem: list_products(out, stem, "*.csv")),
    ):
        for stem in stems:
            files = {path.name: path for path in find(stem)}
            files |= {f"{part}.json": folder / part / f"{stem}.json" for part in ("results", "provenance")}
            write_archive(source / FILES / name / f"{stem}.zip", files.items())
            everything |= {f"{name}/{stem}/{file}": path for file, path in files.items()}
    write_archive(source / FILES / ALL, everything.items())


def write_archive(path: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Write a zip file with these names and contents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in sorted(files):
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
