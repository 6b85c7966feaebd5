"""What a training is: network, tasks, optimiser, stops and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch

from cemrnn.config import Config, unknown_name
from cemrnn.network.config import NetworkConfig, count_context_parameters, count_parameters
from cemrnn.network.model import CEMRNN
from cemrnn.ranges import check_numbers
from cemrnn.tasks import OwnTasks, TaskSet
from cemrnn.tasks.cues import CueConfig
from cemrnn.tasks.scores import TOLERANCES
from cemrnn.training.learner import Learner


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Config):
    """One network to train: what it is, what it learns, how, and from which seed."""

    network: NetworkConfig
    tasks: TaskSet | OwnTasks
    n_updates: int  # at most
    batch_trials: int  # trials per update, dealt to the tasks in turn
    learning_rate: float
    schedule: Literal["constant", "cosine", "late"] = "constant"  # see `schedule_rate`
    weight_decay: float = 0.0  # AdamW's
    clip_norm: float = 1.0  # of the gradient of one network
    target_score: float | None = None  # a network stops once its worst task scores this; None: never
    score_rule: str = "last36"
    evaluate_every: int = 50  # updates
    evaluation_trials: int = 100  # per task
    cue: CueConfig = CueConfig()
    start: TrainingConfig | None = None  # network that gets more contexts, with their tasks, which are trained alone
    goes_on: bool = False  # whether all of the start is trained further; otherwise it stays as it is
    ewc_strength: float = 0.0  # of the pull to the start's weights, see `cemrnn.training.continual`
    fisher_trials: int = 100  # of every earlier task, from which that pull is computed
    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_updates", "batch_trials", "learning_rate", "clip_norm", "evaluate_every", "evaluation_trials",
                     "fisher_trials"):  # fmt: skip
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")
        check_numbers(seed=self.seed, **({} if self.target_score is None else {"target_score": self.target_score}))
        if self.score_rule not in TOLERANCES:
            raise ValueError(unknown_name(self.score_rule, TOLERANCES, "score_rule"))
        for name in ("n_contexts", "n_inputs", "n_outputs", "dt_ms", "tau_ms"):
            got, expected = getattr(self.network, name), getattr(self.tasks, name)
            if got != expected and not (name == "n_contexts" and self.network.infers_context):
                raise ValueError(f"network.{name}: expected {expected} as in tasks, got {got}")
        if self.start is not None:
            _check_start(self, self.start)
        _check_pull(self)

    @property
    def shape(self) -> tuple:
        """Everything but the seed: configs that share it train together as one ensemble."""
        values = (getattr(self, field.name) for field in fields(self) if field.name != "seed")
        return tuple(value.shape if isinstance(value, TrainingConfig) else value for value in values)

    @property
    def label(self) -> str:
        """Arm and size, and whether the cue was noisy, for people."""
        network = self.network
        rank = f", R = {network.rank}" if network.rank else ""
        noisy = ", noisy cue" if self.cue.noise_sigma else ""
        return f"{network.arm}, N = {network.n_units}{rank}, K = {network.n_contexts}{noisy}"

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
    """Check that the start can be given the contexts that the config has beyond it.

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
    if config.goes_on:
        return
    if config.weight_decay:
        raise ValueError(f"weight_decay: expected 0 for a network that stays as it is, got {config.weight_decay}")
    if not count_context_parameters(config.network):
        raise ValueError(f"start: nothing of the arm {config.network.arm} is trained for a new context")


def _check_pull(config: TrainingConfig) -> None:
    """Check that there is a start to go on from, and to be pulled to.

    Raises:
        ValueError: there is none, or the pull is no finite number from 0 on.
    """
    if config.goes_on and config.start is None:
        raise ValueError("goes_on: expected False for a network without a start, got True")
    if config.ewc_strength < 0 or (config.ewc_strength and not config.goes_on):
        expected = "a number >= 0" if config.goes_on else "0 for a network that does not go on from a start"
        raise ValueError(f"ewc_strength: expected {expected}, got {config.ewc_strength}")
