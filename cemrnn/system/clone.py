"""The clone that a process works in, from whichever of its folders it was started."""

from __future__ import annotations

import os
from pathlib import Path

PROFILES = Path("notebooks") / "params"  # tells a clone from another folder


def find_clone() -> Path:
    """The nearest folder, from the current one upwards, that has profiles; the current one if there is none."""
    return _search(Path.cwd(), *Path.cwd().parents)


def find_home() -> Path:
    """The clone around the current folder, else the one that this package lies in."""
    return _search(Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[2])


def find_store() -> Path:
    """The folder of trained networks: the one that CEMRNN_STORE names, else build/store of the clone."""
    return find_named("CEMRNN_STORE") or find_home() / "build" / "store"


def find_named(variable: str) -> Path | None:
    """The path that an environment variable holds, a relative one as seen from the clone; None if it holds none."""
    value = os.environ.get(variable)
    return resolve(value) if value else None


def resolve(path: str) -> Path:
    """A path that somebody wrote, the same one from all folders of the clone."""
    return find_clone() / Path(path).expanduser()


def _search(*folders: Path) -> Path:
    return next((folder for folder in folders if (folder / PROFILES).is_dir()), folders[0])
