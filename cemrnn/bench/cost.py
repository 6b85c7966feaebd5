"""The coefficients of the cost model: seconds of updates and evaluations over a design of sizes, and their fit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from cemrnn.bench.rows import Bench
from cemrnn.network.config import NetworkConfig
from cemrnn.network.pathways import ARMS
from cemrnn.random import stream
from cemrnn.sweep.cost import COEFFICIENTS_S, TERMS, count_training_work, evaluation_trials
from cemrnn.system.threads import limit_threads
from cemrnn.tasks import BATTERY, CORE_TASKS, TaskSet
from cemrnn.tasks.cues import CueConfig
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import Learner

N_POINTS, SECONDS_PER_POINT = 60, 0.3
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
TASK_SETS = (
    TaskSet(names=("reaction_pro", "reaction_anti"), preset="fast"),
    TaskSet(names=CORE_TASKS, preset="fast"),
    TaskSet(names=BATTERY, preset="yang", encoding="ring"),
    TaskSet.rotate(24, preset="fast"),
    TaskSet.rotate(64, preset="yang"),
)
# What may happen to the context within a trial, with the time constants of the modulators.
CUES = ((CueConfig(), 0.0), (CueConfig(), 0.0), (CueConfig(switch_share=0.5, noise_sigma=0.3), 500.0))


def draw_design(n_points: int) -> list[tuple[TrainingConfig, int]]:
    """Trainings of many sizes, each with its number of networks; the same on every call.

    Sizes are drawn with equal probability from a few of each, and independently, so that no two terms of the cost
    model go together.
    """
    generator, points = stream(0, "cost design"), []
    while len(points) < n_points:
        n_units, rank = (int(generator.choice(v)) for v in ((8, 16, 32, 64, 128, 256), (2, 8, 32)))
        batch_trials, n_networks = (int(generator.choice(v)) for v in ((16, 64, 128), (1, 2, 6, 32)))
        arm, activation = (str(generator.choice(v)) for v in (sorted(ARMS), ("relu", "tanh", "softplus")))
        tasks = TASK_SETS[generator.integers(len(TASK_SETS))]
        if n_networks * batch_trials * n_units > 2**16:  # keeps the whole design within a minute
            continue
        cue, tau_ms = CUES[generator.integers(len(CUES))]
        training = _training(tasks, arm, n_units, rank, activation, batch_trials, cue=cue, tau_ms=tau_ms)
        points.append((training, n_networks))
    return points


def _training(
    tasks: TaskSet,
    arm: str,
    n_units: int,
    rank: int,
    activation: str,
    batch_trials: int,
    *,
    cue: CueConfig,
    tau_ms: float,
) -> TrainingConfig:
    network = NetworkConfig(
        arm=arm,
        n_units=n_units,
        rank=ARMS[arm].rank_of(rank),
        activation=activation,
        n_contexts=tasks.n_contexts,
        n_inputs=tasks.n_inputs,
        n_outputs=tasks.n_outputs,
        dt_ms=tasks.dt_ms,
        tau_ms=tasks.tau_ms,
        tau_excitability_ms=tau_ms,
        tau_synaptic_ms=tau_ms,
    )
    settings = dict(n_updates=10**9, learning_rate=1e-3, evaluation_trials=max(1, 256 // tasks.n_contexts))
    return TrainingConfig(network=network, tasks=tasks, batch_trials=batch_trials, cue=cue, seed=0, **settings)


def measure_point(config: TrainingConfig, n_networks: int, seconds: float) -> dict[str, float]:
    """Seconds on one core, per network, of one update and of one evaluation: medians of alternating repeats.

    Seconds are the process's own, so that other programs on the machine disturb them little.

    Args:
        config: what to train.
        n_networks: M, trained together.
        seconds: repeats are made until this much time has passed, after two that warm up.
    """
    with limit_threads(1):
        learner, times = Learner([config] * n_networks, torch.device("cpu")), []
        while len(times) < 4 or sum(map(sum, times[2:])) < seconds:
            times.append((_cpu_s(learner.update), _cpu_s(learner.evaluate)))
    update_s, evaluation_s = np.median(times[2:], axis=0) / n_networks
    return {"update": update_s, "evaluation": evaluation_s}


def _cpu_s(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def fit_seconds(work: list[dict[str, float]], seconds: list[float]) -> dict[str, float]:
    """Seconds per unit of work by term, none negative, at which relative errors are smallest (least squares).

    Args:
        work: of every measurement, by term.
        seconds: what it took.
    """
    rows = np.array([[point[term] for term in TERMS] for point in work]) / np.array(seconds)[:, None]
    scale = np.abs(rows).max(axis=0)
    scale[scale == 0] = 1.0  # a term that no measurement has costs nothing
    coefficients, _ = nnls(rows / scale, np.ones(len(rows)))
    return dict(zip(TERMS, (coefficients / scale).tolist(), strict=True))


def predict_seconds(work: dict[str, float], coefficients_s: dict[str, float]) -> float:
    """Seconds that the fitted coefficients give to the work."""
    return sum(coefficients_s[term] * work[term] for term in TERMS)


def measure_cost(bench: Bench) -> dict[str, Any]:
    """Fitted coefficients, and quantiles of predicted over measured seconds, each by kind (update, evaluation)."""
    design = draw_design(N_POINTS)
    measured = [measure_point(config, n_networks, SECONDS_PER_POINT) for config, n_networks in design]
    coefficients_s, quantiles = {}, {}
    for kind in COEFFICIENTS_S:
        work = [
            count_training_work(c, c.batch_trials if kind == "update" else evaluation_trials(c), n_together=m)
            for c, m in design
        ]
        taken = [point[kind] for point in measured]
        coefficients_s[kind] = {term: float(f"{x:.3g}") for term, x in fit_seconds(work, taken).items()}
        ratios = np.array([predict_seconds(point, coefficients_s[kind]) for point in work]) / np.array(taken)
        quantiles[kind] = np.quantile(ratios, QUANTILES).round(3).tolist()
        bench.say(f"{kind}: predicted / measured {quantiles[kind]} at quantiles {list(QUANTILES)}")
    bench.say(f"COEFFICIENTS_S = {json.dumps(coefficients_s, indent=4)}")
    return {"coefficients_s": coefficients_s, "quantiles": list(QUANTILES), "predicted_over_measured": quantiles}
