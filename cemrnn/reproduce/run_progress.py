"""Signs of life of a run: a line after a second, then every ten, on what it is doing and how long it has taken."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cemrnn.reproduce.documents import read_json

if TYPE_CHECKING:  # the first line waits for no package
    from nbformat import NotebookNode

FIRST_S, EVERY_S = 1.0, 10.0  # before the first line, which a mistake in a command comes before; between two lines
TOLD_CHARACTERS = 60  # of a cell's first line


class RunProgress:
    """Tells what a run is doing, between the moments at which it is entered and left.

    Lines and no bar, on a terminal too: several notebooks run at once and share it.

    Args:
        name: of the notebook.
        last_s: seconds that it took the last time at its profile; None if that is not known.
        stream: where to; standard error by default.
        first_s, every_s: seconds before the first line, and between two.

    Attributes:
        doing: what is told; nothing is while it is empty.
    """

    def __init__(
        self,
        name: str,
        last_s: float | None = None,
        stream: TextIO | None = None,
        first_s: float = FIRST_S,
        every_s: float = EVERY_S,
    ) -> None:
        self.name, self.last_s, self.first_s, self.every_s = name, last_s, first_s, every_s
        self.stream = stream or sys.stderr
        self.doing = "starting"
        self.page: NotebookNode | None = None
        self.started_s = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell_often, daemon=True)

    def __enter__(self) -> RunProgress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def watch(self, page: NotebookNode) -> None:
        """Tell from now on which cell of a notebook runs; papermill marks it."""
        self.page = page

    def _tell_often(self) -> None:
        wait_s = self.first_s
        while not self._ended.wait(wait_s):
            self._tell()
            wait_s = self.every_s

    def _tell(self) -> None:
        if not self.doing:
            return
        doing = self.doing if self.page is None else describe_cell(self.page) or self.doing
        last = "" if self.last_s is None else f"; the last time it took {self.last_s:.0f} s"
        self.stream.write(f"{self.name}: {doing}, {time.monotonic() - self.started_s:.0f} s{last}\n")
        self.stream.flush()


def describe_cell(page: NotebookNode) -> str:
    """The cell that runs, in words: its number, of how many, and the first line of its code; empty if none does."""
    for number, cell in enumerate(page.cells, 1):
        if cell.metadata.get("papermill", {}).get("status") == "running":
            line = next((line for line in cell.source.splitlines() if line.strip()), "")[:TOLD_CHARACTERS]
            return f"cell {number} of {len(page.cells)}: {line}"
    return ""


def last_seconds(out: Path, stem: str) -> float | None:
    """Seconds that a notebook took the last time, or its result where that was remembered; None if it has not run.

    Args:
        out: folder of the profile.
        stem: name of the notebook.
    """
    with contextlib.suppress(ValueError, AttributeError):  # what is damaged there is about to be made anew
        ran_s = read_json(out / "notebooks" / f"{stem}.ipynb").get("metadata", {}).get("papermill", {}).get("duration")
        computed_s = read_json(out / "provenance" / f"{stem}.json").get("wall_seconds")
        return max(filter(None, (ran_s, computed_s)), default=None)
    return None
