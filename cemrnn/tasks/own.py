"""Tasks of one's own, from arrays or from a function that draws trials; they train beside any arm, as ours do.

What is theirs and no number (arrays, functions) is kept beside the config, under its digest, which stands in the config
and so in the key of every network. A stored config can be read without it; trials can be drawn with it only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cemrnn.config import Config, show
from cemrnn.random import stream as random_stream
from cemrnn.ranges import check_numbers
from cemrnn.tasks.arrays import check_batch, check_widths, name_tasks, pad
from cemrnn.tasks.content import digest_content
from cemrnn.tasks.counted import CountedStream
from cemrnn.tasks.trials import Trials

EPOCHS = ("trial",)
TRAINING = "training"  # the stream whose trials are not held out
_CONTENTS: dict[str, Content] = {}  # by digest

# (generator, number of trials, task of each (n,)) -> arrays, see `OwnTasks.from_function`
DrawFunction = Callable[[np.random.Generator, int, np.ndarray], Mapping[str, Any]]
# (outputs, targets (M, B, T, O), weights (M, B, T)) -> (M, B), the higher the better
ScoreFunction = Callable[[Tensor, Tensor, Tensor], Any]


class Content(NamedTuple):
    """What is no number; `draw` is told whether its trials are for training, from which others are held out."""

    draw: Callable[[np.random.Generator, int, np.ndarray, bool], Mapping[str, Any]]
    score: ScoreFunction


@dataclass(frozen=True, kw_only=True)
class OwnTasks(Config):
    """K tasks of one's own; build them with `from_arrays` or `from_function`.

    Attributes:
        names: of the tasks; context k cues names[k].
        n_inputs, n_outputs: I and O.
        max_steps: T, the longest trial.
        dt_ms, tau_ms: step, and time constant of the units that it is meant for, ms.
        answer: "class" (the largest output at the last weighted step), "number" (R squared), or "own".
        content_digest: of arrays and code.
    """

    names: tuple[str, ...]
    n_inputs: int
    n_outputs: int
    max_steps: int
    dt_ms: float = 20.0
    tau_ms: float = 100.0
    answer: Literal["class", "number", "own"]
    content_digest: str

    @classmethod
    def from_arrays(
        cls,
        inputs: Any,
        targets: Any,
        *,
        weights: Any = None,
        context: Any = None,
        names: Sequence[str] | None = None,
        score: ScoreFunction | None = None,
        held_out: float = 0.2,
        dt_ms: float = 20.0,
    ) -> OwnTasks:
        """Tasks whose trials are drawn, with replacement, from given ones.

        Args:
            inputs: (trial, time, input).
            targets: (trial, time, output) numbers; or (trial,) integers, which are classes from 0 on.
            weights: (trial, time) of the steps in the loss; None: all 1. A trial ends with its last step above 0.
            context: (trial, context) or (trial, time, context) cue; None: one context. A trial belongs to the task that
                its cue names most.
            names: one per context.
            score: of one's own; None: share of right classes, or R squared.
            held_out: share of each task's trials, the last ones, that are for evaluation and never trained on.
            dt_ms: step, ms.

        Raises:
            ValueError: a shape is wrong, a number is not finite, or a task has too few trials.
        """
        _check_settings(score, dt_ms)
        batch = check_batch(dict(inputs=inputs, targets=targets, weights=weights, context=context))
        if np.ndim(targets) == 1 and batch["targets"].shape[2] > len(targets):
            raise ValueError(f"targets: expected fewer classes than the {len(targets)} trials, got {max(targets)}")
        if not 0 < held_out < 1:
            raise ValueError(f"held_out: expected a share between 0 and 1, got {held_out}")
        context = batch["context"]
        task = context.reshape(len(context), -1, context.shape[-1]).sum(1).argmax(1)  # (n,)
        rows = [np.flatnonzero(task == k) for k in range(context.shape[-1])]
        kept = [max(1, round((1 - held_out) * len(of_task))) for of_task in rows]
        for k, (of_task, n) in enumerate(zip(rows, kept, strict=True)):
            if n >= len(of_task):
                raise ValueError(f"context: expected 2 trials or more of every task, got {len(of_task)} of task {k}")

        def draw(
            generator: np.random.Generator, n_trials: int, wanted: np.ndarray, training: bool
        ) -> Mapping[str, Any]:
            share = generator.random(n_trials)
            pools = [r[:n] if training else r[n:] for r, n in zip(rows, kept, strict=True)]
            picked = np.array([pools[k][int(u * len(pools[k]))] for k, u in zip(wanted, share, strict=True)])
            return {name: values[picked] for name, values in batch.items()}

        kind = "class" if np.ndim(targets) == 1 else "number"
        parts = ["arrays", *batch.values(), float(held_out), score]
        return cls._build(batch, draw, parts, names=names, kind=kind, score=score, dt_ms=dt_ms)

    @classmethod
    def from_function(
        cls,
        draw: DrawFunction,
        *,
        names: Sequence[str],
        n_classes: int | None = None,
        score: ScoreFunction | None = None,
        dt_ms: float = 20.0,
        content: Any = None,
    ) -> OwnTasks:
        """Tasks whose trials a function draws.

        Args:
            draw: (generator, n, task (n,) int) -> {"inputs", "targets"}, and "weights" and "context" if wanted, as in
                `from_arrays`, with one row per trial. All that is random has to come from the generator.
            names: of the tasks.
            n_classes: how many there are, if the targets are classes.
            score: as in `from_arrays`.
            dt_ms: step, ms.
            content: what else decides its trials and cannot be seen from its source, see `digest_content`.

        Raises:
            ValueError: what it draws has a wrong shape, or its source cannot be read.
        """
        _check_settings(score, dt_ms)
        names = name_tasks(names)
        if n_classes is not None:
            check_numbers(n_classes=n_classes)
        if not callable(draw):
            raise ValueError(f"draw: expected a function, got {show(draw)}")
        task = np.arange(max(16, 4 * len(names))) % len(names)
        widths: dict[str, int] = {}  # of the first trials, which those of every call have

        def draw_checked(generator: np.random.Generator, n_trials: int, wanted: np.ndarray, _: bool):
            drawn = draw(generator, n_trials, wanted)
            if isinstance(drawn, Mapping):
                drawn = {"context": np.eye(len(names))[wanted], **drawn}
            drawn = check_batch(drawn, n_classes=n_classes)
            check_widths(drawn, n_trials, widths)
            return drawn

        batch = draw_checked(np.random.default_rng(0), len(task), task, True)
        kind = "number" if n_classes is None else "class"
        parts = ["function", draw, content, n_classes, score]
        return cls._build(batch, draw_checked, parts, names=names, kind=kind, score=score, dt_ms=dt_ms)

    @classmethod
    def _build(cls, batch: Mapping[str, np.ndarray], draw: Callable, parts: list, *, names, kind, score, dt_ms):
        """The config, whose content is kept under its digest."""
        n_contexts = batch["context"].shape[-1]
        names = name_tasks([f"task_{k}" for k in range(n_contexts)] if names is None else names)
        if len(names) != n_contexts:
            raise ValueError(f"names: expected {n_contexts}, one per context, got {len(names)}")
        digest = digest_content(*parts)
        _CONTENTS[digest] = Content(draw, score or SCORES[kind])
        _, max_steps, n_inputs = batch["inputs"].shape
        return cls(
            names=names,
            n_inputs=n_inputs,
            n_outputs=batch["targets"].shape[2],
            max_steps=max_steps,
            dt_ms=dt_ms,
            answer="own" if score else kind,
            content_digest=digest,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"names: expected one or more tasks, each once, got {self.names}")

    @property
    def n_contexts(self) -> int:
        """K, one context per task."""
        return len(self.names)

    @property
    def mean_steps(self) -> float:
        """Length of a trial in steps, at most."""
        return float(self.max_steps)

    def stream(self, seeds: Sequence[int], *, name: str) -> OwnStream:
        """The named stream of trials of networks with these seeds.

        Raises:
            ValueError: arrays or functions of these tasks are not here.
        """
        if self.content_digest not in _CONTENTS:
            raise ValueError(
                f"content_digest: the arrays or functions of {', '.join(self.names)} are not here; define them again"
            )
        return OwnStream(self, _CONTENTS[self.content_digest], seeds, name=name)


class OwnStream(CountedStream):
    """Trials of own tasks for M networks; each draw depends on the network's seed and the number of its first trial."""

    def __init__(self, tasks: OwnTasks, content: Content, seeds: Sequence[int], *, name: str) -> None:
        super().__init__(seeds, name)
        self._tasks, self._content = tasks, content

    def draw(self, n_trials: int, task: Any = None, *, conflict_with: Any = None) -> Trials:
        """The next trials of every network, (M, B).

        Args:
            n_trials: B.
            task: index of the task of each, broadcastable to (M, B); None: drawn with equal probability.
            conflict_with: not possible here.

        Raises:
            ValueError: a conflict is asked for, or trials have a wrong shape.
        """
        if conflict_with is not None:
            raise ValueError("conflict_with: expected None, because own tasks do not tell what others would answer")
        shape, batches, tasks = (len(self._seeds), n_trials), [], []
        for m, seed in enumerate(self._seeds):
            generator = random_stream(seed, self._name, "own trials", str(self._n_drawn))
            drawn = generator.integers(self._tasks.n_contexts, size=n_trials)
            tasks.append(drawn if task is None else np.broadcast_to(np.asarray(task), shape)[m].astype(np.int64))
            batches.append(self._content.draw(generator, n_trials, tasks[-1], self._name == TRAINING))
        self._n_drawn += n_trials
        return self._stack(batches, np.stack(tasks))

    def _stack(self, batches: list[Mapping[str, np.ndarray]], task: np.ndarray) -> Trials:
        """Trials (M, B) from the arrays of every network, padded to the longest, time-major in memory."""
        n_steps = max(batch["inputs"].shape[1] for batch in batches)
        arrays = {name: np.stack([pad(batch[name], n_steps, name) for batch in batches]) for name in batches[0]}
        steps = np.arange(1, n_steps + 1)
        ends = torch.from_numpy((steps * (arrays["weights"] > 0)).max(axis=2).clip(1))  # (M, B)
        tensors = {name: torch.from_numpy(x) for name, x in arrays.items()}
        tensors |= {
            k: tensors[k].transpose(1, 2).contiguous().transpose(1, 2) for k in ("inputs", "targets", "weights")
        }
        none = torch.zeros(ends.shape, dtype=torch.int64)
        unknown = torch.full((*ends.shape, self._tasks.n_contexts), float("nan"))
        return Trials(
            **tensors,
            output_weights=torch.ones(tensors["targets"].shape[3]),
            context_onset_steps=none,
            task=torch.from_numpy(task),
            epochs=EPOCHS,
            onsets=none[..., None],
            go_steps=none,
            end_steps=ends,
            answer_kind=self._tasks.answer,
            response=unknown[..., 0],
            alternative=unknown,
            alternative_defined=torch.zeros(unknown.shape, dtype=torch.bool),
            dt_ms=self._tasks.dt_ms,
            own_score=self._content.score,
        )


def _check_settings(score: Any, dt_ms: Any) -> None:
    check_numbers(dt_ms=dt_ms)
    if score is not None and not callable(score):
        raise ValueError(f"score: expected a function, got {show(score)}")


def _right_class(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """1 where the largest output at the last weighted step is that of the target, else 0: (M, B)."""
    steps = torch.arange(1, weights.shape[2] + 1, device=weights.device)
    last = (steps * (weights > 0)).argmax(2)[..., None, None]  # (M, B, 1, 1)
    answer, right = (x.gather(2, last.expand(-1, -1, 1, x.shape[3]))[:, :, 0].argmax(-1) for x in (outputs, targets))
    return (answer == right).float()


def _r_squared(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """1 minus each trial's squared error over the variance of the targets of all trials: (M, B)."""
    share = weights / weights.sum((1, 2), keepdim=True)
    mean = (share[..., None] * targets).sum((1, 2), keepdim=True)
    variance = (share[..., None] * (targets - mean).square()).sum((1, 2, 3))  # (M,)
    of_trial = weights / weights.sum(2, keepdim=True)
    error = (of_trial[..., None] * (outputs - targets).square()).sum((2, 3))  # (M, B)
    return 1 - error / variance.clamp_min(1e-12)[:, None]


SCORES = {"class": _right_class, "number": _r_squared}
