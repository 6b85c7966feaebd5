"""Settings of figure 10."""

from __future__ import annotations

from dataclasses import dataclass

from cemrnn.figures.fig10_interpretability.decoding import ambiguous_pairs
from cemrnn.figures.shared.battery import BatteryConfig, check_least
from cemrnn.figures.shared.frames import SINGLE

NEEDED = ("plain", *SINGLE, "combined")  # what the claims are about


@dataclass(frozen=True, kw_only=True)
class InterpretabilityConfig(BatteryConfig):
    """What figure 10 is computed from: the networks of figures 1 and 2."""

    state_trials: int  # trials per task whose states are used
    decode_every_ms: float  # between two times at which the context is read from the state
    n_folds: int  # parts of the trials, each of which is held out once
    n_bases: int  # orthonormal bases of random directions, for lesions
    n_permutations: int  # random relabellings of the tasks, at most
    max_clusters: int  # clusters of units, at most

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(NEEDED) <= set(self.arms):
            raise ValueError(f"arms: expected {', '.join(NEEDED)} among them, got {', '.join(self.arms)}")
        if not ambiguous_pairs(self.task_set):
            raise ValueError(f"tasks: expected two that only the context tells apart, got {self.tasks}")
        check_least(self, n_folds=2, n_bases=1, n_permutations=1, max_clusters=2, state_trials=2 * self.n_folds)
        if self.decode_every_ms <= 0:
            raise ValueError(f"decode_every_ms: expected a positive time, got {self.decode_every_ms}")
