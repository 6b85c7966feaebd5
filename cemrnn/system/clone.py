"""The clone that a process works in, from whichever of its folders it was started."""

from __future__ import annotations

import os
from pathlib import Path

PROFILES = Path("notebooks") / "params"  # tells a clone from another folder


def find_clone() -> Path:
    """The nearest folder with profiles, from the current one upwards; else the clone that this package lies in.

    The current folder, if neither is one.
    """
    here, package = Path.cwd(), Path(__file__).resolve().parents[2]
    return next((folder for folder in (here, *here.parents, package) if (folder / PROFILES).is_dir()), here)


def find_store() -> Path:
    """The folder of trained networks: the one that CEMRNN_STORE names, else build/store of the clone."""
    return Path(os.environ.get("CEMRNN_STORE") or find_clone() / "build" / "store")
