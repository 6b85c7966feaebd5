"""Measure, wait, go: the interval between two pulses is given back, from a third one on, as the time a ramp takes.

Source: Costacurta et al. 2024 and their public repository: trials of 110 steps, of 10 ms in the preset `nm_rnn`, with
pulses of height 10. They mark the start of the interval, its end, and 15 steps later the go; the output rises from -.5
to .5 within the interval, and stays. Their error is in steps of the interval that is produced; how it is read from an
output is ours, see `produced_intervals`.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from cemrnn.tasks.family import END, EPOCHS, Family, Stimuli, Task, Window
from cemrnn.tasks.presets import Preset, choice
from cemrnn.tasks.trials import Trials

N_STEPS = 110  # T
WAIT_STEPS = 15  # from the end of the interval to go
PULSE_HEIGHT = 10.0
TRAINED = (12, 14, 16, 18)  # intervals, steps
TESTED = tuple(range(4, 27, 2))
STARTS = tuple(range(10, 20))  # steps at which the interval can begin in training; in tests it is step 15


def draw_interval(
    rows: np.ndarray,
    uniforms: np.ndarray,
    stimuli: Stimuli,
    _preset: Preset,
    *,
    intervals: tuple[int, ...],
    starts: tuple[int, ...],
) -> None:
    """Give the trials an interval and its start, all equally likely; strength (P, 3) is the step of each pulse."""
    start = np.array(starts)[(len(starts) * uniforms[rows, 0]).astype(np.int64)]
    end = start + np.array(intervals)[(len(intervals) * uniforms[rows, 1]).astype(np.int64)]
    stimuli.strength[rows] = np.stack([start, end, end + WAIT_STEPS], axis=1)


def scale_interval(
    _direction_rad: np.ndarray, strength: np.ndarray, parameters: np.ndarray, answers: np.ndarray, defined: np.ndarray
) -> None:
    """The interval times the parameter."""
    answers[:] = parameters * (strength[:, 1] - strength[:, 0])
    defined[:] = True


def show_ramps(stimuli: Stimuli, response: np.ndarray, ends: np.ndarray, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Pulses (P, T, 3) and the ramps (P, T, 1) that are to follow; see `Family.render`."""
    inside = np.arange(n_steps)[:, None] < ends[:, None, None]
    pulses = PULSE_HEIGHT * (np.arange(n_steps)[:, None] == stimuli.strength[:, None])
    ramps = make_ramps(torch.from_numpy(stimuli.strength[:, 2]), torch.from_numpy(response), n_steps)
    return (pulses * inside).astype(np.float32), ramps[..., None].numpy() * inside


def make_ramps(go_steps: Tensor, intervals: Tensor, n_steps: int) -> Tensor:
    """Ramps (..., T) float32 from -.5 to .5 that begin at go and take the intervals, both (...) in steps."""
    since_go = torch.arange(n_steps) - go_steps[..., None]
    return ((since_go / intervals[..., None]).clamp(0, 1) - 0.5).float()


def find_go(trials: Trials) -> Tensor:
    """(M, B) int64 step of the go pulse, from the inputs."""
    return trials.inputs[..., 2].argmax(2)


def produced_intervals(outputs: Tensor, trials: Trials) -> Tensor:
    """Interval that each output gives back: that of the ramp, of a whole number of steps, which it is nearest to.

    Nearest in squared error, over as many steps from go on as every trial has.

    Args:
        outputs: (M, B, T, 1).
        trials: (M, B) that were answered.

    Returns:
        (M, B) steps, at least 1.
    """
    go = find_go(trials)
    n_steps = int((trials.end_steps - go).min())
    steps = torch.arange(n_steps, device=outputs.device)
    answers = outputs[..., 0].gather(2, go[..., None] + steps)  # (M, B, step)
    ramps = make_ramps(torch.zeros(n_steps), torch.arange(1, n_steps + 1), n_steps).to(outputs)  # (interval, step)
    squared = ramps.square().sum(1) - 2 * answers @ ramps.T  # (M, B, interval), but for what all intervals share
    return (1 + squared.argmin(-1)).to(outputs.dtype)


def interval_errors(outputs: Tensor, trials: Trials) -> dict[str, Tensor]:
    """Mean absolute errors (M,), in steps, on intervals that were trained, on the others, and on all.

    Every interval counts the same, however many trials it has.

    Args:
        outputs: (M, B, T, 1).
        trials: (M, B) of `measure_wait_go_wide`.

    Raises:
        ValueError: some network has no trial of some interval.
    """
    errors = (produced_intervals(outputs, trials) - trials.response).abs()
    member = trials.response[..., None] == torch.tensor(TESTED, device=errors.device)  # (M, B, interval)
    counts = member.sum(1)
    if not counts.all():
        raise ValueError(f"trials: expected every interval of {TESTED}, got {trials.response.unique().tolist()}")
    mean = (errors[..., None] * member).sum(1) / counts  # (M, interval)
    trained = torch.tensor([interval in TRAINED for interval in TESTED], device=errors.device)
    return {"trained": mean[:, trained].mean(1), "extrapolated": mean[:, ~trained].mean(1), "all": mean.mean(1)}


def _make_task(intervals: tuple[int, ...], starts: tuple[int, ...]) -> Task:
    ms_per_step = {"yang": 20, "fast": 80, "nm_rnn": 10}  # of the unstretched timing
    family = Family(
        {timing: {"response": choice(N_STEPS * ms)} for timing, ms in ms_per_step.items()},
        partial(draw_interval, intervals=intervals, starts=starts),
        2,
        (Window(EPOCHS.index("response"), END), Window(END, END)),
        strength_shape=(3,),
        render=show_ramps,
    )
    return Task(family, scale_interval, (1.0,), "interval")


TASKS = {"measure_wait_go": _make_task(TRAINED, STARTS), "measure_wait_go_wide": _make_task(TESTED, (15,))}
