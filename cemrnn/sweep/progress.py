"""Progress of training: a bar on a terminal and in a notebook, a line now and then in a log."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from tqdm import TqdmWarning, tqdm

EVERY_S = 15.0  # between two lines in a log
LEAST_SHARE = 0.02  # of the work, before which the time left would be a guess


@dataclass(frozen=True)
class SweepProgress:
    """Where a sweep stands.

    Attributes:
        label: what trains now, and where if that is not here.
        work_done, work_total: what is done and all that was missing, see `cemrnn.sweep.cost.count_work`.
        n_done, n_total: networks.
        worst_score: median over the networks in training of the score on their worst task, the last reported.
    """

    label: str
    work_done: float
    work_total: float
    n_done: int
    n_total: int
    worst_score: float


class TrainingProgress:
    """Called with every report of a sweep; shows what trains, how far it is and the time left.

    Args:
        stream: where to; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.started_s = time.monotonic()
        self.shown_s = -EVERY_S
        self.bar: tqdm | None = None

    def __call__(self, progress: SweepProgress) -> None:
        if self.stream.isatty() or is_in_notebook(self.stream):
            self._draw_bar(progress)
        else:
            self._write_line(progress)

    def close(self) -> None:
        """Leave the bar on its line."""
        if self.bar is not None:
            self.bar.close()

    def _draw_bar(self, progress: SweepProgress) -> None:
        if self.bar is None:
            layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
            self.bar = choose_bar()(
                total=progress.work_total, file=self.stream, bar_format=layout, leave=self.stream.isatty()
            )
        self.bar.set_description(describe_progress(progress), refresh=False)
        self.bar.update(progress.work_done - self.bar.n)

    def _write_line(self, progress: SweepProgress) -> None:
        elapsed_s = time.monotonic() - self.started_s
        if elapsed_s - self.shown_s < EVERY_S:
            return
        self.shown_s = elapsed_s
        share = progress.work_done / progress.work_total
        left = f", {tqdm.format_interval(elapsed_s * (1 / share - 1))} left" if share > LEAST_SHARE else ""
        self.stream.write(f"training: {describe_progress(progress)}, {share:.0%}{left}\n")
        self.stream.flush()


@contextlib.contextmanager
def show_progress() -> Iterator[TrainingProgress | None]:
    """What shows the progress of a training, until it ends; None in the notebooks that are run for the book."""
    if os.environ.get("CEMRNN_OUT"):
        yield None
        return
    progress = TrainingProgress()
    try:
        yield progress
    finally:
        progress.close()


def choose_bar() -> type[tqdm]:
    """The bar for a terminal or, with ipywidgets, for a notebook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # says that ipywidgets is missing; a bar of text is shown then
        from tqdm.auto import tqdm as bar
    return bar


def is_in_notebook(stream: TextIO) -> bool:
    """Whether what is written to the stream is shown in a notebook."""
    return type(stream).__module__.startswith("ipykernel")


def describe_progress(progress: SweepProgress) -> str:
    """Which networks train, how many are done, and how well the median one does on its worst task."""
    score = "" if math.isnan(progress.worst_score) else f", worst task {progress.worst_score:.2f}"
    return f"{progress.n_done}/{progress.n_total} networks, {progress.label}{score}"
