"""What a training costs before it runs: its work, counted from sizes, its seconds, timed here, and its bytes.

Work decides what must be the same on every machine: which networks share a job, and in which order jobs are done.
Seconds are for people: some of the missing networks make an update, and work does the rest.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence

import numpy as np
import torch

from cemrnn.card.recipes import for_card
from cemrnn.network.config import count_work_of_step
from cemrnn.network.gated import KINDS, GatedConfig
from cemrnn.sweep.workload import STANDING, time_updates
from cemrnn.system.timing import time_turn
from cemrnn.tasks.sequences.images import ImageSet
from cemrnn.training.recipe import Recipe
from cemrnn.training.sequences import SequenceConfig

# Multiplications and additions that take about as long as the rest of a unit's step, and as the rest of an update.
UNIT_STEP, UPDATE = 60, 1e7
PASSES = 3  # forward, and two of that size for the gradient
LARGEST_TIMED = 2e9  # work of an update that is timed; a larger one is timed on fewer trials
SHAPES_TIMED, TOGETHER = 24, 4  # of each kind of network at most; networks of a shape at most
TRIED_S = 0.5  # that an update is repeated for, where all of it is timed
UNTIMED = 3  # updates before that: a card compiles in the first, records the second, and repeats the third
# Bytes of an entry beside weights, history and config: file headers, checksums; of a number in the history.
ENTRY_OVERHEAD_BYTES, NUMBER_BYTES = 700, 11


def count_work(config: Recipe) -> float:
    """Multiplications and additions of one training to its last update, evaluations included, from sizes alone.

    A network that reaches its target score stops earlier: this is the most that it can take.
    """
    n_evaluations = math.ceil(config.n_updates / config.evaluate_every)
    evaluation = _count_pass(config, _count_evaluated(config))
    return config.n_updates * count_update(config, config.batch_trials) + n_evaluations * evaluation


def count_update(config: Recipe, n_trials: int) -> float:
    """Multiplications and additions of one update of one network on so many trials."""
    return PASSES * _count_pass(config, n_trials)


def _count_pass(config: Recipe, n_trials: float) -> float:
    c = config.network
    n_steps = config.data.n_steps if isinstance(config, SequenceConfig) else config.tasks.max_steps
    if isinstance(c, GatedConfig):
        step = c.n_units * (KINDS[c.arm][1] * (c.n_units + c.n_inputs + UNIT_STEP) + c.n_outputs)
    else:
        work = count_work_of_step(c)
        step = work.products + UNIT_STEP * work.passes
    return n_trials * n_steps * step + UPDATE


def _count_evaluated(config: Recipe) -> float:
    """Trials of one evaluation, about."""
    if not isinstance(config, SequenceConfig):
        return config.evaluation_trials * len(config.trained_tasks)
    data = config.data
    scored = 1 if isinstance(data, ImageSet) else data.n_steps - data.warm_up
    return config.validation_size * data.n_contexts / scored


def estimate_seconds(ensembles: Sequence[Sequence[Recipe]], device: str = "cpu") -> list[float]:
    """Seconds, at most, of every ensemble's training on one core or with a card, from updates timed here and now.

    Of each kind of network some shapes are timed, spread over the sizes; for those between them the seconds of a
    multiplication are interpolated.

    Args:
        ensembles: networks that train together, each of one shape.
        device: "cpu", or a card, e.g. "cuda".
    """
    seconds = np.zeros(len(ensembles))
    kinds: dict[tuple, dict[float, list[int]]] = {}  # kind -> work of an update -> positions
    for position, configs in enumerate(ensembles):
        config = configs[0]
        kind = type(config), type(config.network), config.network.arm if isinstance(config.network, GatedConfig) else ""
        kinds.setdefault(kind, {}).setdefault(count_update(config, config.batch_trials), []).append(position)
    for members in kinds.values():
        sizes = sorted(members)
        timed = sorted({sizes[round(i)] for i in np.linspace(0, len(sizes) - 1, min(len(sizes), SHAPES_TIMED))})
        prices = [time_work(ensembles[members[size][0]], device) for size in timed]
        for size, positions in members.items():
            price = float(np.interp(np.log(size), np.log(timed), prices))
            for position in positions:
                configs = ensembles[position]
                seconds[position] = price * len(configs) * count_work(configs[0])
    return seconds.tolist()


def time_work(configs: Sequence[Recipe], device: str = "cpu") -> float:
    """Seconds of a multiplication and addition, in updates of networks of one shape that train together.

    On a core few networks and trials stand for all of them; a card has to be given all, for it works on them at once.
    """
    config, n_trials = configs[0], configs[0].batch_trials
    if device != "cpu":
        return find_fastest(configs, [device])[1][device] / len(configs) / count_update(config, n_trials)
    n_trials = min(n_trials, max(1, int(n_trials * LARGEST_TIMED / count_update(config, n_trials))))
    together = [dataclasses.replace(c, batch_trials=n_trials) for c in configs[:TOGETHER]]
    return time_updates({"": together}, n_rounds=2, seconds=0.0)[""] / count_update(config, n_trials)


def find_fastest(configs: Sequence[Recipe], devices: Sequence[str]) -> tuple[str, dict[str, float]]:
    """The device on which networks that train together make an update soonest, and the seconds of one on each.

    All threads of this process work for "cpu". Drawing is included.

    Args:
        configs: of one shape.
        devices: to choose from; each is tried for half a second, after updates that are not timed. One without
            memory enough takes forever.
    """
    standing = for_card([dataclasses.replace(c, learning_rate=STANDING) for c in configs])
    seconds = {name: _try_updates(standing, name) for name in devices}
    torch.cuda.empty_cache()  # what the tried networks held is for those that are trained
    return min(seconds, key=seconds.__getitem__), seconds


def _try_updates(configs: Sequence[Recipe], device: str) -> float:
    """Seconds of an update on a device, of networks that are let go afterwards; infinite if it lacks memory."""
    try:
        learner = configs[0].make_learner(configs, torch.device(device), None)
        for _ in range(UNTIMED):
            learner.update()
        return time_turn(learner.update, TRIED_S)
    except torch.OutOfMemoryError:
        return math.inf


def entry_bytes(config: Recipe) -> float:
    """Bytes of the files of a network in the store, about; the history is that of the longest training."""
    n_evaluations = math.ceil(config.n_updates / config.evaluate_every)
    names = config.score_names
    history = (n_evaluations * (len(names) + 2) + 1) * NUMBER_BYTES + sum(map(len, names))
    recipe = len(json.dumps(config.to_dict(), indent=1))
    return 4 * config.n_parameters + history + recipe + ENTRY_OVERHEAD_BYTES
