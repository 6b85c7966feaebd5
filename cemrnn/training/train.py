"""Training from configs to trained networks: stops, checkpoints, interrupts, progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cemrnn.system.files import read_tensors, write_tensors
from cemrnn.system.interrupts import deferred_interrupt
from cemrnn.training.learner import Learner, TrainedNetwork, choose_device
from cemrnn.training.recipe import Recipe

log = logging.getLogger(__name__)
CHECKPOINT_EVERY_S = 30.0


class TrainingInterrupted(Exception):
    """Ctrl-C came, and the checkpoint is safe; the message says how to go on."""


@dataclass(frozen=True)
class Progress:
    """What training reports at every evaluation."""

    n_updates: int  # so far
    worst_score: float  # median over networks in training of the score on their worst task
    n_active: int  # networks still in training


def train(
    configs: Sequence[Recipe],
    *,
    starts: Sequence[TrainedNetwork] | None = None,
    device: str = "auto",
    checkpoint: Path | None = None,
    report: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> list[TrainedNetwork]:
    """The trained networks, in the order of their configs, which differ in the seed alone.

    Args:
        configs: one per replicate.
        starts: the trained networks of the configs' starts; None if they have none.
        device: "cpu", "cuda" or "auto", which takes CUDA if there is one.
        checkpoint: file to resume from if it is there, and to keep up to date; whoever keeps the result removes it.
        report: called at every evaluation.
        stop: asked after every update; True ends the training as Ctrl-C does.

    Raises:
        ValueError: the configs differ in more than the seed, starts are missing, or the device is not there.
        TrainingInterrupted: Ctrl-C, or stop; the checkpoint was written first.
    """
    if len({c.shape for c in configs}) != 1:
        raise ValueError(f"configs: expected {len(configs)} configs that differ in the seed alone, got others")
    n_starts = 0 if configs[0].start is None else len(configs)
    if len(starts or ()) != n_starts:
        raise ValueError(f"starts: expected {n_starts} trained networks, got {len(starts or ())}")
    learner = configs[0].make_learner(configs, choose_device(device), starts)
    if checkpoint is not None and checkpoint.exists():
        _resume(learner, checkpoint)
    with deferred_interrupt() as interrupted:
        _advance(learner, checkpoint, report, lambda: interrupted() or (stop is not None and stop()))
    return [learner.finished[m] for m in range(len(configs))]


def _advance(learner: Learner, checkpoint, report, must_stop) -> None:
    saved_s = time.monotonic()
    while learner.active:
        learner.update()
        if learner.n_updates % learner.config.evaluate_every == 0 or learner.n_updates >= learner.config.n_updates:
            worst = learner.evaluate() if learner.active else float("nan")
            if report is not None:
                report(Progress(learner.n_updates, worst, len(learner.active)))
        stop = must_stop()
        if checkpoint is not None and (stop or time.monotonic() - saved_s > CHECKPOINT_EVERY_S):
            write_tensors(checkpoint, learner.tensors(), learner.document())
            saved_s = time.monotonic()
        if stop:
            kept = "checkpoint saved; run the same command to resume" if checkpoint else "no checkpoint was asked for"
            raise TrainingInterrupted(f"interrupted after update {learner.n_updates}: {kept}")


def _resume(learner: Learner, checkpoint: Path) -> None:
    try:
        learner.restore(*read_tensors(checkpoint))
    except ValueError as error:
        log.warning("checkpoint is unreadable and was removed, training starts again (%s)", error)
        checkpoint.unlink()
