"""Buttons of the book that lead to a repository, drawn if the environment variable REPOSITORY names its address.

`make book REPOSITORY=https://github.com/owner/name` draws buttons that open a page's notebook on Binder and Colab, edit
a page, or report a mistake; JUPYTERHUB=https://... adds one for that hub. Without an address none is drawn.
"""

from __future__ import annotations

import os
import re
from typing import Any

ADDRESS, HUB, BRANCH = "REPOSITORY", "JUPYTERHUB", "BRANCH"  # environment variables
FOLDER = "book"  # where the pages lie; book/_ext/repository.py knows where notebooks do


def find_repository() -> str:
    """The repository's address, empty if there is none.

    Raises:
        ValueError: it is no address of a repository.
    """
    address = os.environ.get(ADDRESS, "").strip().rstrip("/").removesuffix(".git")
    if address and not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w./-]+", address):
        raise ValueError(f"{ADDRESS}: expected an address such as https://github.com/owner/name, got {address!r}")
    return address


def branch() -> str:
    """The branch that links lead to."""
    return os.environ.get(BRANCH) or "main"


def add_buttons(values: dict[str, Any]) -> dict[str, Any]:
    """The book's configuration with the buttons that there is an address for."""
    if not (address := find_repository()):
        return values
    launch = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}
    if "//github.com/" in address:
        launch["colab_url"] = "https://colab.research.google.com"
    if hub := os.environ.get(HUB, "").strip():
        launch["jupyterhub_url"] = hub
    buttons = {f"use_{name}_button": True for name in ("repository", "issues", "edit_page")}
    place = {"url": address, "path_to_book": FOLDER, "branch": branch()}
    return values | {"html": values["html"] | buttons, "repository": place, "launch_buttons": launch}


def link_source(file: str) -> str:
    """Where a file of the clone is to be read in the repository; empty without an address."""
    address = find_repository()
    return f"{address}/blob/{branch()}/{file}" if address else ""
