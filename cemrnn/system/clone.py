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
    return Path(os.environ.get("CEMRNN_STORE") or find_home() / "build" / "store")


def _search(*folders: Path) -> Path:
    return next((folder for folder in folders if (folder / PROFILES).is_dir()), folders[0])
