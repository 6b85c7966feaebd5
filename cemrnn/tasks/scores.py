"""Scores: from the outputs of networks to right and wrong answers, and the level that chance reaches."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from cemrnn.config import unknown_name
from cemrnn.tasks import TaskSet, Trials, TrialStream
from cemrnn.tasks.encoding import encode_answers
from cemrnn.tasks.measure_wait_go import find_go, make_ramps, produced_intervals

# How far an answer may be from the right one: rad for directions, the units of the outputs for signs and bits, steps
# for intervals. Source: Yang et al. 2019 (36 degrees), Driscoll et al. 2024 (18 degrees); the others are ours.
TOLERANCES = {
    "last36": {"direction": math.pi / 5, "sign": 1.0, "bits": 1.0, "interval": 1.5},
    "last18": {"direction": math.pi / 10, "sign": 0.5, "bits": 0.5, "interval": 0.5},
    "strict": {"direction": math.pi / 10, "sign": 0.5, "bits": 0.5, "interval": 0.5},
}
SITES = {f"nearest{n}": n for n in (4, 8, 16, 32)}  # rules by which the nearest of S sites has to be the right one
TOLERANCES |= {rule: TOLERANCES["last18"] | {"direction": math.pi / n} for rule, n in SITES.items()}
_ROUNDING = 1e-5  # category directions are 36 degrees apart: rounding must not decide about neighbours
_FIXATION_LEVEL = 0.5  # a fixation output above it keeps fixation, below it has let go
_KEPT_SHARE = 0.95  # of the steps on which `strict` asks for fixation
_STRICT_MS = 100.0  # `strict` reads the mean answer over this time, at the end of the trial


def decode_direction(outputs: Tensor) -> Tensor:
    """Direction of an answer, by atan2, so that opposite answers differ.

    Args:
        outputs: (..., 3) fixation, cosine, sine.

    Returns:
        (...) rad, in [-pi, pi].
    """
    return torch.atan2(outputs[..., 2], outputs[..., 1])


def angular_error(response_rad: Tensor, target_rad: Tensor) -> Tensor:
    """Smallest absolute angle between response and target.

    Args:
        response_rad: directions, rad, any branch.
        target_rad: directions, rad, of a shape that broadcasts with it.

    Returns:
        Errors, rad, in [0, pi]; NaN where an argument is NaN.
    """
    return ((response_rad - target_rad + math.pi) % (2 * math.pi) - math.pi).abs()


def score_trials(outputs: Tensor, trials: Trials, rule: str) -> Tensor:
    """1 for trials that were answered right, 0 for the others.

    `last36`, `last18`: at the last step the fixation output is below .5 and the direction within 36 or 18
    degrees; where the right answer is to keep fixation, the fixation output is above .5. Sources: Yang et al.
    2019; Driscoll et al. 2024.
    `strict`, ours: on at least 95 % of the weighted steps before go, and after go too where the right answer is
    to keep fixation, the fixation output is above .5; and the mean output over the last 100 ms is as in `last18`.
    A sign, and every bit, has to be within 1 (`last36`) or .5 of its target. An interval has to be
    produced to the step, or within one (`last36`), see `measure_wait_go`. Bits and intervals have no fixation.

    `nearest4` to `nearest32`: of 4 to 32 directions, evenly spaced, the answer is nearest to the right one; else as
    `last18`.

    Own tasks have a score of their own, whatever the rule.

    Args:
        outputs: (M, B, T, O).
        trials: the trials that were answered.
        rule: a name in TOLERANCES.

    Returns:
        (M, B) float32. Outputs that are not finite score 0.

    Raises:
        ValueError: there is no such rule, or the shape of the outputs is not that of the targets.
    """
    if rule not in TOLERANCES:
        raise ValueError(unknown_name(rule, TOLERANCES, "rule"))
    _check_shape(outputs, trials)
    if trials.own_score is not None:
        return _score_own(outputs, trials)
    tolerance, kind = TOLERANCES[rule][trials.answer_kind], trials.answer_kind
    if rule != "strict":
        return _matches(_read_answers(outputs, trials, 1), trials.response, kind, tolerance).float()
    n_steps = max(1, round(_STRICT_MS / trials.dt_ms))
    right = _matches(_read_answers(outputs, trials, n_steps), trials.response, kind, tolerance)
    return (right & _keeps_fixation(outputs, trials) if kind in ("direction", "sign") else right).float()


def matches_response(outputs: Tensor, trials: Trials, response: Tensor) -> Tensor:
    """Whether the answers at the last step are the given ones, by the rule `last36`.

    Args:
        outputs: (M, B, T, O).
        trials: the trials that were answered.
        response: broadcastable to (M, B), in the form of Trials.response; NaN: keep fixation.

    Returns:
        (M, B) bool.
    """
    _check_shape(outputs, trials)
    tolerance = TOLERANCES["last36"][trials.answer_kind]
    return _matches(_read_answers(outputs, trials, 1), response, trials.answer_kind, tolerance)


def score_per_task(scores: Tensor, task: Tensor, n_tasks: int) -> Tensor:
    """Mean score of every network on every task.

    Args:
        scores: (M, B).
        task: (M, B) int64.
        n_tasks: K.

    Returns:
        (M, K); NaN for tasks without trials.
    """
    member = torch.nn.functional.one_hot(task, n_tasks).to(scores.dtype)  # (M, B, K)
    return torch.einsum("mb,mbk->mk", scores, member) / member.sum(1)


def answer_outputs(trials: Trials, response: Tensor) -> Tensor:
    """Outputs of a noiseless network that keeps fixation until go and then gives the response until the end.

    Args:
        trials: whose timing is used.
        response: (M, B) in the form of Trials.response. Bits are held from the first step on, intervals are ramps.

    Returns:
        (M, B, T, O) float32, 0 in padding.
    """
    if trials.answer_kind == "interval":
        return make_ramps(find_go(trials), response, trials.targets.shape[2])[..., None]
    answer = encode_answers(response.flatten().cpu().numpy(), trials.answer_kind)
    answer = torch.from_numpy(answer).to(response.device).unflatten(0, response.shape).unsqueeze(2)  # (M, B, 1, O)
    step = torch.arange(trials.targets.shape[2], device=response.device)[:, None]  # (T, 1)
    early, inside = step < trials.go_steps[..., None, None], step < trials.end_steps[..., None, None]
    fixation = torch.zeros_like(answer)
    fixation[..., 0] = 1
    return torch.where(early, fixation, answer) * inside


def chance_level(tasks: TaskSet, rule: str, *, seed: int, n_trials: int) -> np.ndarray:
    """Score of answers that have the right distribution and do not depend on the stimulus.

    Every trial is given the answer that the next trial of the same task requires: fixation is kept until go, then
    that answer is given without noise. By Monte Carlo.

    Args:
        tasks: a set of K tasks.
        rule: as in score_trials.
        seed: of the trials.
        n_trials: per task, at least 2.

    Returns:
        (K,) float64.

    Raises:
        ValueError: fewer than two trials.
    """
    if n_trials < 2:
        raise ValueError(f"n_trials: expected at least 2, got {n_trials}")
    stream = TrialStream(tasks, [seed], name="chance")
    levels = []
    for task in range(tasks.n_contexts):
        trials = stream.draw(n_trials, task)
        outputs = answer_outputs(trials, trials.response.roll(-1, dims=1))
        levels.append(score_trials(outputs, trials, rule).mean(dtype=torch.float64).item())
    return np.array(levels)


def _score_own(outputs: Tensor, trials: Trials) -> Tensor:
    scores = torch.as_tensor(trials.own_score(outputs, trials.targets, trials.weights), dtype=torch.float32)
    if scores.shape != trials.task.shape:
        raise ValueError(f"score: expected (network, trial) {tuple(trials.task.shape)}, got {tuple(scores.shape)}")
    return scores


def _check_shape(outputs: Tensor, trials: Trials) -> None:
    if outputs.shape != trials.targets.shape:
        raise ValueError(
            f"outputs: expected the shape of the targets (network, trial, time, output) "
            f"{tuple(trials.targets.shape)}, got {tuple(outputs.shape)}"
        )


def _read_answers(outputs: Tensor, trials: Trials, n_steps: int) -> Tensor:
    """Mean outputs (M, B, O) over the last n_steps of every trial; or the intervals (M, B, 1) that are produced."""
    if trials.answer_kind == "interval":
        return produced_intervals(outputs, trials)[..., None]
    steps = trials.end_steps[..., None] - 1 - torch.arange(n_steps, device=outputs.device)  # (M, B, n)
    return outputs.gather(2, steps[..., None].expand(-1, -1, -1, outputs.shape[3])).mean(2)


def _matches(answer: Tensor, response: Tensor, kind: str, tolerance: float) -> Tensor:
    """Whether answers (M, B, O) are the responses (M, B)."""
    tolerance -= _ROUNDING
    if kind == "interval":
        return (answer[..., 0] - response).abs() < tolerance
    if kind == "bits":
        bits = (response.long()[..., None] >> torch.arange(answer.shape[-1], device=answer.device)) & 1
        return ((answer - (2 * bits - 1)).abs() < tolerance).all(-1)
    error = angular_error(decode_direction(answer), response) if kind == "direction" else answer[..., 1] - response
    fixation = answer[..., 0]
    given = (fixation < _FIXATION_LEVEL) & (error.abs() < tolerance)
    return torch.where(response.isnan(), fixation > _FIXATION_LEVEL, given)


def _keeps_fixation(outputs: Tensor, trials: Trials) -> Tensor:
    """Whether fixation (M, B) is kept on enough of the weighted steps on which it should be."""
    step = torch.arange(outputs.shape[2], device=outputs.device)
    hold = trials.response.isnan()[..., None] | (step < trials.go_steps[..., None])  # (M, B, T)
    asked = (trials.weights > 0) & hold
    kept = asked & (outputs[..., 0] > _FIXATION_LEVEL)
    return kept.sum(2) >= _KEPT_SHARE * asked.sum(2)
