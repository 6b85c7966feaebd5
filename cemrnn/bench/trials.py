"""Drawing trials: against NeuroGym's Dataset, against a generator of single trials, and against a training step.

The first two are in seconds per million steps of trials, where padding does not count.
"""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

import numpy as np
import torch

from cemrnn.bench.engine import EXTERNAL, own_turns
from cemrnn.bench.environments import peer_python
from cemrnn.bench.rows import Bench, Row, make_row, take_turns
from cemrnn.bench.single_trials import draw_batch
from cemrnn.bench.worker import Worker, WorkerError
from cemrnn.figures.shared.battery import BatteryConfig
from cemrnn.random import stream
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.system.timing import Turn, time_turn
from cemrnn.tasks import BATTERY, TaskSet, TrialStream
from cemrnn.training.learner import Learner

NEUROGYM, SINGLE, STEP = "NeuroGym, Dataset", "a trial at a time, in NumPy", "the whole training step"
GOALS = {NEUROGYM: 20.0, SINGLE: 40.0, STEP: 20.0}  # drawing may take 5 % of a training step
# NeuroGym writes a direction on a ring of 16 units, ours on one of 32 or as cosine and sine.
COMPARED = ((NEUROGYM, "yang", "ring"), (SINGLE, "yang", "cosine"), (SINGLE, "fast", "cosine"))
SHAPES = ((1, 16), (16, 64))  # networks x trials: one small batch, and an ensemble's
NEUROGYM_BATCH, NEUROGYM_STEPS, SINGLE_BATCH = 16, 100, 64
STEP_ARMS = ("plain", "combined")


def compare_trials(bench: Bench) -> list[Row]:
    """Rows of the 20-task battery, then of a training step of the profile quick."""
    rows = []
    for peer, preset, encoding in COMPARED:
        tasks = TaskSet(names=BATTERY, preset=preset, encoding=encoding)
        with contextlib.ExitStack() as stack:
            turns = {NEUROGYM: _take_neurogym, SINGLE: _take_single}[peer](tasks, stack, bench)
            for n_networks, n_trials in SHAPES if turns else ():
                label = f"20 tasks, {preset}, {encoding}, {n_networks} x {n_trials} trials"
                ours = _take_ours(tasks, n_networks, n_trials)
                seconds = take_turns({"ours": ours, peer: turns}, bench.n_repeats, bench.turn_s)
                rows.append(bench.report(make_row(label, peer, seconds["ours"], seconds[peer], GOALS[peer])))
    return rows + [compare_with_step(quick_config(), arm, bench) for arm in STEP_ARMS]


def compare_with_step(config: BatteryConfig, arm: str, bench: Bench) -> Row:
    """The row of drawing the trials of an update against the whole update."""
    learner, tasks = Learner(config.training(arm), torch.device("cpu")), config.task_set
    trials, task = TrialStream(tasks, config.seeds), np.arange(config.batch_trials) % tasks.n_contexts
    turns = {"ours": own_turns(lambda: trials.draw(config.batch_trials, task)), STEP: own_turns(learner.update)}
    seconds = take_turns(turns, bench.n_repeats, bench.turn_s)
    label = f"{arm}, N = {config.network(arm).n_units}, {len(config.seeds)} x {config.batch_trials} trials"
    return bench.report(make_row(label, STEP, seconds["ours"], seconds[STEP], GOALS[STEP]))


def quick_config() -> BatteryConfig:
    """The battery of figure 1 at the profile quick."""
    return make_config(Project(), "fig1_tasks", "quick")


def per_million_steps(turn: Turn, n_steps: float) -> Turn:
    """The same turn in seconds per million steps, where one piece of its work has `n_steps`."""
    return lambda seconds: turn(seconds) / n_steps * 1e6


def mean_steps(tasks: TaskSet) -> float:
    """Mean length of a trial in steps, over a thousand drawn ones."""
    return TrialStream(tasks, [0]).draw(1000).end_steps.double().mean().item()


def _take_ours(tasks: TaskSet, n_networks: int, n_trials: int) -> list[Turn]:
    trials, n_steps = TrialStream(tasks, range(n_networks)), n_networks * n_trials * tasks.mean_steps
    return [per_million_steps(turn, n_steps) for turn in own_turns(lambda: trials.draw(n_trials))]


def _take_single(tasks: TaskSet, _stack: contextlib.ExitStack, _bench: Bench) -> list[Turn]:
    draw = functools.partial(draw_batch, tasks, SINGLE_BATCH, stream(0, "single trials"))
    return [per_million_steps(functools.partial(time_turn, draw), SINGLE_BATCH * tasks.mean_steps)]


def _take_neurogym(tasks: TaskSet, stack: contextlib.ExitStack, bench: Bench) -> list[Turn]:
    try:
        python = peer_python("neurogym", bench.folder, bench.pip_arguments, bench.say)
        variables = {"TORCH_FOLDER": str(Path(torch.__file__).parents[1])}
        script, log = EXTERNAL / "neurogym_dataset.py", bench.folder / "neurogym.log"
        worker = stack.enter_context(Worker(python, script, log, variables))
        turn, n_steps = worker.prepare(batch_size=NEUROGYM_BATCH, n_steps=NEUROGYM_STEPS, dt_ms=tasks.dt_ms)
    except WorkerError as error:
        bench.leave_out(NEUROGYM, error)
        return []
    return [per_million_steps(turn, n_steps)]
