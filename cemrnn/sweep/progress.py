"""Progress of training: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from cemrnn.sweep.run import SweepProgress

EVERY_S = 15.0  # between two lines in a log
LEAST_SHARE = 0.02  # of the work, before which the time left would be a guess


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
        if self.stream.isatty():
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
            self.bar = tqdm(total=progress.work_total, file=self.stream, bar_format=layout)
        self.bar.set_description(describe_progress(progress), refresh=False)
        self.bar.update(progress.work_done - self.bar.n)

    def _write_line(self, progress: SweepProgress) -> None:
        elapsed_s = time.monotonic() - self.started_s
        if elapsed_s - self.shown_s < EVERY_S:
            return
        self.shown_s = elapsed_s
        share = progress.work_done / progress.work_total
        left = f", {format_seconds(elapsed_s * (1 / share - 1))} left" if share > LEAST_SHARE else ""
        self.stream.write(f"training: {describe_progress(progress)}, {share:.0%}{left}\n")
        self.stream.flush()


def describe_progress(progress: SweepProgress) -> str:
    """Which networks train, how many are done, and how well the median one does on its worst task."""
    score = "" if math.isnan(progress.worst_score) else f", worst task {progress.worst_score:.2f}"
    return f"{progress.n_done}/{progress.n_total} networks, {progress.label}{score}"


def format_seconds(seconds: float) -> str:
    """Hours, minutes and seconds, e.g. 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
