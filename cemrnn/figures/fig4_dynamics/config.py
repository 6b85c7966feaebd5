"""Settings of figure 4."""

from __future__ import annotations

from dataclasses import dataclass

from cemrnn.figures.shared.battery import BatteryConfig, check_increasing, check_least


@dataclass(frozen=True, kw_only=True)
class DynamicsConfig(BatteryConfig):
    """What figure 4 is computed from: the networks of figures 1 and 2."""

    example_tasks: tuple[str, ...]  # the two tasks of the phase portraits
    state_trials: int  # trials per task whose states are used
    n_directions: int  # directions of the stimuli under which points are searched, per modality
    n_starts: int  # visited states from which points are searched, per context and input; along paths, a quarter
    most_starts: int  # of them, where the second half of the starts led to new fixed points
    flow_states: int  # visited states per task in which the flows of all contexts are compared
    n_components: int  # principal components that span the subspace of a task
    max_clusters: int  # clusters of units, at most
    lambdas: tuple[float, ...]  # share of the second task's context

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.example_tasks) != 2 or not set(self.example_tasks) <= set(self.tasks):
            raise ValueError(f"example_tasks: expected two of {', '.join(self.tasks)}, got {self.example_tasks}")
        if len(self.tasks) < 2:
            raise ValueError(f"tasks: expected two or more, got {self.tasks}")
        check_increasing(self, "lambdas", 2, (0.0, 1.0))
        check_least(self, state_trials=4, max_clusters=2, n_directions=1, n_starts=2, flow_states=1, n_components=1)
        if self.most_starts < self.n_starts:
            raise ValueError(f"most_starts: expected at least n_starts = {self.n_starts}, got {self.most_starts}")

    @property
    def paths(self) -> list[tuple[int, int]]:
        """Pairs of tasks between which contexts are mixed."""
        return neighbouring_pairs(len(self.tasks))


def neighbouring_pairs(n_tasks: int) -> list[tuple[int, int]]:
    """Each task with the next one, and the last with the first: every task is on two paths."""
    return sorted({tuple(sorted((k, (k + 1) % n_tasks))) for k in range(n_tasks)})
