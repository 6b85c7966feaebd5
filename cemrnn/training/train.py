"""Training from configs to trained networks: stops, checkpoints, interrupts, progress."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cemrnn.config import digest
from cemrnn.system.files import DAMAGED, read_sealed, write_sealed
from cemrnn.system.interrupts import deferred_interrupt
from cemrnn.system.threads import pin_threads
from cemrnn.training.learner import Learner, TrainedNetwork, choose_device
from cemrnn.training.recipe import Recipe

log = logging.getLogger(__name__)
CHECKPOINT_EVERY_S = 30.0
# What going on from a document that is none of ours was seen to raise.
DAMAGE = (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, OverflowError)
CPU = torch.device("cpu")


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

    They are the same bits whatever number of threads torch may use.

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
    with pin_threads(), deferred_interrupt() as interrupted:
        learner = resume(configs, checkpoint, device=choose_device(device), starts=starts)
        _advance(learner, digest_of(configs), checkpoint, report, lambda: interrupted() or bool(stop and stop()))
    return [learner.finished[m] for m in range(len(configs))]


def _advance(learner: Learner, networks: str, checkpoint, report, must_stop) -> None:
    saved_s = time.monotonic()
    while learner.active:
        learner.update()
        if learner.n_updates % learner.config.evaluate_every == 0 or learner.n_updates >= learner.config.n_updates:
            worst = learner.evaluate() if learner.active else float("nan")
            if report is not None:
                report(Progress(learner.n_updates, worst, len(learner.active)))
        stop = must_stop()
        if checkpoint is not None and (stop or time.monotonic() - saved_s > CHECKPOINT_EVERY_S):
            write_sealed(checkpoint, learner.tensors(), {"networks": networks, **learner.document()})
            saved_s = time.monotonic()
        if stop:
            kept = "checkpoint saved; run the same command to resume" if checkpoint else "no checkpoint was asked for"
            raise TrainingInterrupted(f"interrupted after update {learner.n_updates}: {kept}")


def resume(
    configs: Sequence[Recipe],
    checkpoint: Path | None,
    *,
    device: torch.device = CPU,
    starts: Sequence[TrainedNetwork] | None = None,
) -> Learner:
    """The learner of some networks, where a checkpoint left it, or at the beginning if there is none that is whole.

    A damaged checkpoint is set aside with one line.
    """
    learner = configs[0].make_learner(configs, device, starts)
    try:
        if checkpoint is None:
            return learner
        tensors, document = read_sealed(checkpoint)
        if document.pop("networks") != digest_of(configs):
            raise ValueError("expected a state of these networks, got one of others")
        for name in ("flat", "first", "second"):
            if tensors[name].shape != tensors["flat"].shape or tensors[name].isnan().any():
                raise ValueError(f"{name}: expected {tuple(tensors['flat'].shape)} numbers, got others")
        learner.restore(tensors, document)
    except FileNotFoundError:
        return learner
    except (OSError, *DAMAGE) as error:
        aside = checkpoint.with_suffix(f".{uuid.uuid4().hex[:8]}{DAMAGED}")
        try:
            checkpoint.rename(aside)
        except OSError as problem:
            raise OSError(
                problem.errno, f"a damaged checkpoint cannot be moved: {problem.strerror}", str(checkpoint)
            ) from None
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        log.warning("checkpoint %s is damaged (%s); kept as %s, training starts again", checkpoint, what, aside.name)
        return configs[0].make_learner(configs, device, starts)
    return learner


def digest_of(configs: Sequence[Recipe]) -> str:
    """What tells the networks of a checkpoint from others."""
    return digest([config.to_dict() for config in configs])
