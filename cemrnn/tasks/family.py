"""What a task is made of: a family of stimuli with its timing, and a rule from the stimulus to the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cemrnn.config import show, unknown_name
from cemrnn.tasks.presets import Preset, Span

EPOCHS = ("fixation", "stimulus1", "delay1", "stimulus2", "delay2", "response")
ANSWER_KINDS = ("direction", "sign", "bits", "interval")
END = len(EPOCHS)  # index of the end of the trial, after the last epoch


class Stimuli(NamedTuple):
    """The stimuli of P trials, before they are laid out in time."""

    direction_rad: np.ndarray  # (P, 2) first and second direction, in [0, 2 pi); NaN: not shown
    strength: np.ndarray  # (P, modality, stimulus), 0: not shown; of families that render their own, as they say


class Window(NamedTuple):
    """When a stimulus is shown: from the start of one epoch to the start of another."""

    on: int
    off: int


# (rows, uniforms, stimuli, preset): fills these rows of the stimuli of P trials, which are NaN and 0 before, from
# uniform numbers (P, n_uniforms or more) in [0, 1).
DrawStimuli = Callable[[np.ndarray, np.ndarray, Stimuli, Preset], None]
# (direction_rad, strength, parameters, answers, defined): fills answers (n, P), which are radians, signs, numbers of
# bits or steps, NaN for keeping fixation, and defined (n, P), whether there is one, from the stimuli of P trials and
# the parameters (n, d) of n rules.
RuleFunction = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], None]


@dataclass(frozen=True, eq=False)
class Family:
    """A distribution of stimuli and timing that several tasks may share.

    Attributes:
        timing: by source (`Preset.timing`), the durations in ms of the epochs that the family has; a source that is
            missing falls back to "yang".
        draw: fills the stimuli of some trials, see `DrawStimuli`; families may share it.
        n_uniforms: how many uniform numbers a trial needs.
        windows: when the first and the second stimulus are shown, as indices into EPOCHS.
        go_cue: whether the fixation input goes off to ask for the answer; otherwise a stimulus is the cue.
        shown: which of the two modalities are shown; strengths in the other are set to 0.
        context_epoch: index of the epoch with which the context begins.
        strength_shape: of Stimuli.strength, without its first axis.
        render: of families without fixation and windows: (stimuli, right answers (P,), lengths (P,) of the trials, T)
            -> inputs (P, T, I) and targets (P, T, O), float32, 0 from the end of a trial on.
    """

    timing: dict[str, dict[str, Span]]
    draw: DrawStimuli
    n_uniforms: int
    windows: tuple[Window, Window]
    go_cue: bool = True
    shown: tuple[bool, bool] = (True, True)
    context_epoch: int = 0
    strength_shape: tuple[int, ...] = (2, 2)
    render: Callable[[Stimuli, np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]] | None = None

    def durations_ms(self, preset: Preset) -> dict[str, Span]:
        """Durations of the family's epochs, in ms, before the preset's stretch."""
        return self.timing.get(preset.timing, self.timing["yang"])

    def looks_like(self, other: Family) -> bool:
        """Whether both show the same in the same order and timing; strengths may be drawn differently."""
        mine, theirs = ((f.timing, f.windows, f.go_cue, f.shown, f.context_epoch) for f in (self, other))
        return mine == theirs


@dataclass(frozen=True)
class Task:
    """A family of stimuli and a rule.

    Attributes:
        rule: function shared by all rules of a kind.
        parameters: what tells this rule from the others of its kind, as many numbers as it reads: `respond.turn` reads
            an angle in rad, `decide.choose` a weight per modality.
        answer_kind: "direction" (rad), "sign" (-1 or 1), "bits" (their number, first bit lowest) or "interval" (steps).
    """

    family: Family
    rule: RuleFunction
    parameters: tuple[float, ...]
    answer_kind: str = "direction"

    def __post_init__(self) -> None:
        if not isinstance(self.family, Family):
            raise ValueError(f"family: expected a Family, got {show(self.family)}")
        if not callable(self.rule):
            raise ValueError(f"rule: expected a function, got {show(self.rule)}")
        if self.answer_kind not in ANSWER_KINDS:
            raise ValueError(unknown_name(self.answer_kind, ANSWER_KINDS, "answer_kind"))
