"""What the run of a notebook leaves, by a list beside the executed notebook: Make runs it again where some is lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cemrnn.system.files import write_bytes


def list_path(out: Path, stem: str) -> Path:
    """Where the list of a notebook lies in the folder of a profile; the Makefile reads it."""
    return out / "notebooks" / f"{stem}.files"


def write_products(out: Path, stem: str, files: Iterable[Path]) -> None:
    """Keep which files a notebook left.

    Args:
        out: folder of the profile, e.g. build/quick.
        stem: name of the notebook.
        files: relative to the folder.
    """
    write_bytes(list_path(out, stem), "".join(f"{file.as_posix()}\n" for file in files).encode())


def list_products(out: Path, stem: str, pattern: str) -> list[Path]:
    """The files that a notebook left whose names fit a pattern, and none that an older run left."""
    listed = list_path(out, stem).read_text(encoding="utf-8").splitlines()
    return [out / file for file in listed if Path(file).match(pattern)]


def find_lost(out: Path, stem: str) -> list[str]:
    """What is not there any more of what a notebook left, relative to the folder; the list itself, if that is lost."""
    path = list_path(out, stem)
    if not path.exists():
        return [path.relative_to(out).as_posix()]
    return [file for file in path.read_text(encoding="utf-8").splitlines() if not (out / file).exists()]
