"""The configuration of a set of tasks: which, in which context, with which preset and encoding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from cemrnn.config import Config
from cemrnn.ranges import check_numbers
from cemrnn.tasks.content import digest_content
from cemrnn.tasks.family import Task
from cemrnn.tasks.presets import PRESETS, Preset
from cemrnn.tasks.registry import OWN, find_task

RING_UNITS = 32  # per modality
# (inputs, outputs) of each answer kind; inputs of "direction" are for the cosine encoding
_SIZES = {"direction": (5, 3), "sign": (3, 2), "bits": (3, 3), "interval": (3, 1)}


@dataclass(frozen=True, kw_only=True)
class TaskSet(Config):
    """Tasks that one network learns; context k cues task names[k].

    Attributes:
        names: task names, all with the same kind of answer.
        preset: time step, noise, durations and strengths, see PRESETS.
        encoding: of directions in the input: cosine and sine, or a ring of 32 tuned units, per modality.
        content_digest: of the tasks among them that were registered from outside; set here, "" if there are none.
    """

    names: tuple[str, ...]
    preset: Literal["yang", "driscoll", "fast", "nm_rnn"]
    encoding: Literal["cosine", "ring"] = "cosine"
    content_digest: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        own = [find_task(name) for name in self.names if name in OWN]
        object.__setattr__(self, "content_digest", digest_content(*own) if own else "")
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"names: expected one or more tasks, each once, got {self.names}")
        kinds = {task.answer_kind for task in self.tasks}
        if len(kinds) > 1:
            raise ValueError(f"names: expected tasks with one kind of answer, got {sorted(kinds)}")
        if self.encoding == "ring" and self.answer_kind != "direction":
            raise ValueError(f"encoding: expected 'cosine' for answers of kind '{self.answer_kind}', got 'ring'")

    @classmethod
    def rotate(cls, n_tasks: int, *, preset: str) -> TaskSet:
        """The rotate-K family: task k answers at the stimulus plus 2 pi k / K.

        Args:
            n_tasks: K.
            preset: as in TaskSet.
        """
        check_numbers(n_tasks=n_tasks)
        names = tuple(f"rotate_{k}_of_{n_tasks}" for k in range(n_tasks))
        return cls(names=names, preset=preset)

    @classmethod
    def maps(cls, n_tasks: int, n_sites: int, *, preset: str) -> TaskSet:
        """The first K random maps of S sites.

        Args:
            n_tasks: K.
            n_sites: S, 2 to 32.
            preset: as in TaskSet.
        """
        check_numbers(n_tasks=n_tasks, n_sites=n_sites)
        return cls(names=tuple(f"map_{k}_of_{n_sites}" for k in range(n_tasks)), preset=preset)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of their contexts."""
        return tuple(find_task(name) for name in self.names)

    @property
    def settings(self) -> Preset:
        """The values of the preset."""
        return PRESETS[self.preset]

    @property
    def answer_kind(self) -> str:
        """Kind of answer that all tasks ask for, see `Task`."""
        return find_task(self.names[0]).answer_kind

    @property
    def has_fixation(self) -> bool:
        """Whether the first input and output are fixation."""
        return self.answer_kind in ("direction", "sign")

    @property
    def n_contexts(self) -> int:
        """K, one context per task."""
        return len(self.names)

    @property
    def n_inputs(self) -> int:
        """I: fixation and two modalities; fixation and two streams; three bits; or three pulses."""
        return 1 + 2 * RING_UNITS if self.encoding == "ring" else _SIZES[self.answer_kind][0]

    @property
    def n_outputs(self) -> int:
        """O: fixation, cosine and sine; fixation and sign; three bits; or a ramp."""
        return _SIZES[self.answer_kind][1]

    @property
    def dt_ms(self) -> float:
        """Length of a step, ms."""
        return self.settings.dt_ms

    @property
    def tau_ms(self) -> float:
        """Time constant of the units that the preset is meant for, ms."""
        return self.settings.tau_ms

    @property
    def sigma_x(self) -> float:
        """Input noise, before the scaling by sqrt(2 tau / dt)."""
        return self.settings.sigma_x

    @property
    def cue_sigma(self) -> float:
        """Standard deviation of the noise that the preset puts on the cue at each step; cue height 1."""
        return self.settings.sigma_cue * self.noise_scale

    @property
    def noise_scale(self) -> float:
        """sqrt(2 tau / dt): turns a sigma into the standard deviation of one step. Source: Yang et al. 2019."""
        return math.sqrt(2 * self.tau_ms / self.dt_ms)

    @property
    def max_steps(self) -> int:
        """Upper bound on the length of a trial of these tasks, steps."""
        return max(
            sum(self.settings.to_steps(max(span.values)) for span in task.family.durations_ms(self.settings).values())
            for task in self.tasks
        )

    @property
    def mean_steps(self) -> float:
        """Mean length of a trial in steps, over timings and tasks."""
        p, n_tasks = self.settings, len(self.tasks)
        spans = [span for task in self.tasks for span in task.family.durations_ms(p).values()]
        total_ms = sum(sum(span.values) / len(span.values) for span in spans)
        cut = sum(span.continuous for span in spans) / 2 if p.truncates else 0
        return (total_ms * p.stretch / p.dt_ms - cut) / n_tasks
