"""Modulators with time constants: what networks answer as the cue switches, is noisy or brief, or carries over."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cemrnn.figures.fig6_timescales.config import Condition, TimescalesConfig
from cemrnn.measures.robustness import Threshold, normalise_accuracy, threshold_level
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.tasks import Trials, TrialStream
from cemrnn.tasks.counted import derive_keys
from cemrnn.tasks.cues import draw_step_noise, shorten_cue, switch_cue
from cemrnn.tasks.scores import TOLERANCES, score_per_task, score_trials

RULE = "last36"
CHANCE = TOLERANCES[RULE]["direction"] / math.pi  # of a direction that has nothing to do with the stimulus
# curve -> criterion, whether accuracy falls or rises with the level, and the name of the threshold
THRESHOLDS = {
    "switch": (0.9, "rising", "latency"),
    "noise": (0.75, "falling", "sigma75"),
    "brief": (0.75, "rising", "brief75"),
}


@dataclass(frozen=True)
class Switches:
    """Test trials, the same for all conditions: each has a task, and another one that the cue may name before."""

    trials: Trials  # (M, B)
    other: Tensor  # (M, B, K) cue of the other task; over the trials of a task, all others come round in turn
    noise: Tensor  # (M, B, T, K) standard normal numbers, one per step and context, which every level scales


def draw_switches(config: TimescalesConfig, device: torch.device) -> Switches:
    """Test trials of a config."""
    n_tasks, n_trials = config.n_tasks, config.n_tasks * config.test_trials
    trials = TrialStream(config.task_set, config.seeds, name="timescales").draw(n_trials, np.arange(n_trials) % n_tasks)
    turn = torch.arange(n_trials) // n_tasks
    other = (trials.task + 1 + turn % (n_tasks - 1)) % n_tasks
    keys = derive_keys(config.seeds, "timescales", "cue noise")
    return Switches(
        trials=trials.to(device),
        other=torch.nn.functional.one_hot(other, n_tasks).to(trials.context).to(device),
        noise=draw_step_noise(keys, 0, trials).to(device),
    )


@dataclass(frozen=True)
class Responses:
    """What the networks of one condition answer to the curves "switch", "noise", "brief" and "carry"."""

    condition: Condition
    worst: np.ndarray  # (M,) score on the worst task with a clear cue from the start
    clear: np.ndarray  # (M,) score on all tasks with it
    levels: dict[str, np.ndarray]  # curve -> (L,)
    accuracy: dict[str, np.ndarray]  # curve -> (M, L)
    passing_score: float  # worst task of a network that is compared

    @property
    def passed(self) -> np.ndarray:
        """(M,) bool: networks that are compared."""
        return self.worst >= self.passing_score

    def normalised(self, curve: str) -> np.ndarray:
        """(M, L) accuracy, 0 at chance and 1 with the clear cue; NaN for networks that are not compared."""
        values = normalise_accuracy(self.accuracy[curve], CHANCE, self.clear[:, None])
        return np.where(self.passed[:, None], values, np.nan)

    def threshold(self, curve: str) -> Threshold:
        """Level (M,) at which a curve reaches its criterion."""
        criterion, direction, _ = THRESHOLDS[curve]
        return threshold_level(self.levels[curve], self.normalised(curve), criterion, direction)

    def measures(self) -> dict[str, np.ndarray]:
        """Every measure (M,): latency ms, sigma75, brief75 ms, and the loss when the modulators carry over."""
        thresholds = {name: self.threshold(curve).level for curve, (_, _, name) in THRESHOLDS.items()}
        return thresholds | {"carry_loss": 1 - self.normalised("carry")[:, 0]}


def measure_condition(model: CEMRNN, condition: Condition, switches: Switches, config: TimescalesConfig) -> Responses:
    """Answers of the networks of a condition to every way of cueing, on the same trials and noise throughout.

    Args:
        model: M networks.
        condition: what they are.
        switches: test trials.
        config: levels.
    """
    trials = switches.trials
    own, n_steps = trials.context, trials.inputs.shape[2]

    def accuracy(context: Tensor, previous: Tensor | None = None) -> np.ndarray:
        return score(model, trials, context, config, previous).mean(1).cpu().numpy()

    def steps(time_ms: float) -> int:
        return round(time_ms / trials.dt_ms)

    ways: dict[str, tuple[tuple[float, ...], Callable[[float], np.ndarray]]] = {
        "switch": (
            config.switch_ages_ms,
            lambda age: accuracy(switch_cue(switches.other, own, trials.end_steps - steps(age), n_steps)),
        ),
        "noise": (config.sigmas, lambda sigma: accuracy(own[:, :, None] + sigma * switches.noise)),
        "brief": (config.durations_ms, lambda duration: accuracy(shorten_cue(own, steps(duration), n_steps))),
        "carry": ((1.0,), lambda height: accuracy(own, height * switches.other)),
    }
    clear = score(model, trials, own, config)
    return Responses(
        condition=condition,
        worst=score_per_task(clear, trials.task, config.n_tasks).amin(1).cpu().numpy(),
        clear=clear.mean(1).cpu().numpy(),
        levels={name: np.array(levels) for name, (levels, _) in ways.items()},
        accuracy={name: np.stack([answer(x) for x in levels], axis=1) for name, (levels, answer) in ways.items()},
        passing_score=config.passing_score,
    )


def score(
    model: CEMRNN, trials: Trials, context: Tensor, config: TimescalesConfig, previous: Tensor | None = None
) -> Tensor:
    """Whether the answers (M, B) are right, with recurrent noise that is the same on every call."""
    noise = NoiseStream(config.seeds, name="timescales", device=model.flat.device)
    outputs, _ = model.simulate(trials.inputs, context, noise=noise, previous=previous, lengths=trials.end_steps)
    return score_trials(outputs, trials, RULE)
