"""Kept results: small tables and numbers of a long profile, which the book shows as the result, beside one's own run.

`book/reference/<profile>/` has `results/<stem>.json`, `provenance/<stem>.json` and `tables/<stem>.<table>.csv`, as the
notebooks leave them. Numbers of tables are rounded, and those of results are not; large tables are compressed. A figure
that has none is shown from one's own run alone.
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pandas as pd

from cemrnn.figures import config_class
from cemrnn.figures.result import MEASURED, Result
from cemrnn.reproduce.documents import read_json
from cemrnn.reproduce.products import list_products
from cemrnn.reproduce.project import Project

LONG = "night"  # profile whose results are kept
FOLDERS = ("results", "provenance", "tables")
DIGITS = "%.5g"  # of a number in a table
MOST_BYTES = 5_000_000  # of all that is kept
LARGE_BYTES = 500_000  # of a table, from which on it is compressed
REMEDY = "make it anew, or keep it again: cemrnn keep"


class ReferenceError(RuntimeError):
    """Results can't be kept, or kept results can't be read any more."""


def reference_folder(project: Project) -> Path:
    """Where results of the long profile are kept."""
    return project.root / "book" / "reference" / LONG


def kept_stems(project: Project) -> list[str]:
    """The figures of the project whose results are kept."""
    return [stem for stem in project.stems() if (reference_folder(project) / "results" / f"{stem}.json").exists()]


def keep_results(project: Project, stems: list[str]) -> int:
    """Bytes that are kept, after those of some figures were put in place of what was kept of them.

    Raises:
        ReferenceError: a figure has not run at the long profile, or all is more than `MOST_BYTES`.
    """
    out, folder = project.build / LONG, reference_folder(project)
    for stem in stems:
        if not (out / "results" / f"{stem}.json").exists():
            raise ReferenceError(f"{stem} has not run at profile {LONG}: cemrnn run {stem} --profile {LONG}")
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for stem in stems:
        for name in ("results", "provenance"):
            shutil.copyfile(out / name / f"{stem}.json", folder / name / f"{stem}.json")
        for old in list_tables(folder / "tables", stem):
            old.unlink()
        for table in list_products(out, stem, "*.csv"):
            _keep_table(table, folder / "tables" / table.name)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MOST_BYTES:
        raise ReferenceError(f"{folder}: expected at most {MOST_BYTES:,} bytes, got {size:,}")
    return size


def _keep_table(table: Path, kept: Path) -> None:
    """Keep a table with rounded numbers; the same table gives the same bytes."""
    text = _read_table(table).to_csv(index=False, float_format=DIGITS).encode()
    if len(text) > LARGE_BYTES:
        kept, text = kept.with_name(f"{kept.name}.gz"), gzip.compress(text, mtime=0)
    kept.write_bytes(text)


def list_tables(folder: Path, stem: str) -> list[Path]:
    """The tables of a figure in a folder, plain or compressed."""
    return sorted(folder.glob(f"{stem}.*.csv*"))


def read_reference(project: Project, stem: str) -> Result | None:
    """The kept result of a figure, None if there is none; errors as `read_result`."""
    return read_result(reference_folder(project), stem, "tables")


def read_result(folder: Path, stem: str, tables: str = "figures") -> Result | None:
    """The result of a figure from its files, None if there is none.

    Args:
        folder: of a profile, or what is kept of one.
        stem: name of the figure.
        tables: the folder's part with the tables.

    Raises:
        ReferenceError: it was made with other settings than the figure has now.
    """
    scalars = read_json(folder / "results" / f"{stem}.json", REMEDY)
    if not scalars:
        return None
    origin = read_json(folder / "provenance" / f"{stem}.json", REMEDY)
    try:
        config = config_class(stem).from_params(origin["config"])
    except (KeyError, ValueError) as error:
        raise ReferenceError(f"{folder}: the results of {stem} are of other settings ({error}); {REMEDY}") from None
    paths = list_tables(folder / tables, stem)
    return Result(
        stem=stem,
        config=config,
        tables={path.name.split(".")[1]: _read_table(path) for path in paths},
        scalars={name: float("nan") if x is None else x for name, x in scalars.items() if name != MEASURED},
        n_replicates=origin["n_replicates"],
        seconds=origin["wall_seconds"],
        measured=tuple(scalars.get(MEASURED, ())),
    )


def _read_table(path: Path) -> pd.DataFrame:
    """A table as it was recorded: empty cells of numbers are missing, those of texts are empty texts."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    return table.fillna(dict.fromkeys(texts, ""))
