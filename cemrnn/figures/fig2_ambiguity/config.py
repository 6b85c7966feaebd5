"""Settings of figure 2."""

from __future__ import annotations

from dataclasses import dataclass

from cemrnn.figures.shared.ambiguity import AmbiguityConfig
from cemrnn.figures.shared.conflict_groups import GroupsConfig


@dataclass(frozen=True, kw_only=True)
class RobustnessConfig(GroupsConfig, AmbiguityConfig):
    """What figure 2 is computed from."""

    test_sigma: float  # frozen noise with which training with and without noise are compared
    test_step_sigma: float  # noise that is drawn anew at each step, for the same
    test_mixture: float  # share of the other task's cue, for the same
    test_strength: float  # share of the right cue in a mixture with the mean of all cues, for the same
    test_ms: float  # how long a brief cue is there, and when a late cue begins or the cue switches
