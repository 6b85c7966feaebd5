"""Training from configs to trained networks: stops, checkpoints, interrupts, progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, Literal

import torch

from cemrnn.config import Config
from cemrnn.cues import CueConfig
from cemrnn.files import read_tensors, write_tensors
from cemrnn.interruption import deferred_interrupt
from cemrnn.learner import Learner, TrainedNetwork, choose_device
from cemrnn.model import CEMRNN, NetworkConfig, count_context_parameters, count_parameters
from cemrnn.recipe import Recipe
from cemrnn.tasks import TaskSet

log = logging.getLogger(__name__)
CHECKPOINT_EVERY_S = 30.0


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Config):
    """One network to train: what it is, what it learns, how, and from which seed."""

    more_sources: ClassVar[tuple[str, ...]] = ()

    network: NetworkConfig
    tasks: TaskSet
    n_updates: int  # at most
    batch_trials: int  # trials per update, dealt to the tasks in turn
    learning_rate: float
    schedule: Literal["constant", "cosine"] = "constant"  # cosine falls to zero at n_updates
    weight_decay: float = 0.0  # AdamW's
    clip_norm: float = 1.0  # of the gradient of one network
    target_score: float | None = None  # a network stops once its worst task scores this; None: never
    score_rule: str = "last36"
    evaluate_every: int = 50  # updates
    evaluation_trials: int = 100  # per task
    cue: CueConfig = CueConfig()
    start: TrainingConfig | None = None  # network that gets more contexts, with their tasks, and stays as it is
    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_updates", "batch_trials", "learning_rate", "clip_norm", "evaluate_every", "evaluation_trials"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")
        for name in ("n_contexts", "n_inputs", "n_outputs", "dt_ms", "tau_ms"):
            got, expected = getattr(self.network, name), getattr(self.tasks, name)
            if got != expected and not (name == "n_contexts" and self.network.infers_context):
                raise ValueError(f"network.{name}: expected {expected} as in tasks, got {got}")
        if self.start is not None:
            _check_start(self, self.start)

    @property
    def shape(self) -> tuple:
        """Everything but the seed: configs that share it train together as one ensemble."""
        values = (getattr(self, field.name) for field in fields(self) if field.name != "seed")
        return tuple(value.shape if isinstance(value, TrainingConfig) else value for value in values)

    @property
    def label(self) -> str:
        """Arm and size, for people."""
        return f"{self.network.arm}, N = {self.network.n_units}, K = {self.network.n_contexts}"

    @property
    def n_parameters(self) -> int:
        """Trained parameters."""
        return count_parameters(self.network)

    @property
    def score_names(self) -> tuple[str, ...]:
        """What the history has a column for: every task that is trained."""
        return self.trained_tasks

    @staticmethod
    def make_learner(configs: Sequence[TrainingConfig], device: torch.device, starts) -> Learner:
        """What trains them."""
        return Learner(configs, device, starts)

    @staticmethod
    def make_ensemble(network: NetworkConfig, seeds: Sequence[int], device) -> CEMRNN:
        """Networks, not yet trained."""
        return CEMRNN(network, seeds, device=device)

    @property
    def first_task(self) -> int:
        """Index of the first task that is trained; those before it were trained in the start."""
        return 0 if self.start is None else self.start.tasks.n_contexts

    @property
    def trained_tasks(self) -> tuple[str, ...]:
        """Names of the tasks that are trained."""
        return self.tasks.names[self.first_task :]


def _check_start(config: TrainingConfig, start: TrainingConfig) -> None:
    """Nothing, if the start can be given the contexts that the config has beyond it.

    Raises:
        ValueError: it cannot; the message says why.
    """
    n_contexts = config.network.n_contexts
    if replace(start.network, n_contexts=n_contexts) != config.network or start.network.n_contexts >= n_contexts:
        raise ValueError(f"start: expected the same network with fewer contexts than {n_contexts}, got {start.network}")
    if replace(config.tasks, names=config.tasks.names[: config.first_task]) != start.tasks:
        raise ValueError(f"start: expected its tasks to come first, got {start.tasks.names} and {config.tasks.names}")
    if start.seed != config.seed:
        raise ValueError(f"start: expected the seed {config.seed}, got {start.seed}")
    if config.weight_decay:
        raise ValueError(f"weight_decay: expected 0 for a network that stays as it is, got {config.weight_decay}")
    if not count_context_parameters(config.network):
        raise ValueError(f"start: nothing of the arm {config.network.arm} is trained for a new context")


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
