"""How fast this machine generates trials and trains each arm, at the sizes of a profile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from cemrnn.experiments.battery import BatteryConfig
from cemrnn.learner import Learner, choose_device
from cemrnn.model import count_parameters
from cemrnn.tasks import BATTERY, TaskSet, TrialStream


def measure_speed(config: BatteryConfig, seconds: float) -> Iterator[str]:
    """Lines of a report, each as soon as it is measured.

    Args:
        config: arms, tasks and sizes to train with.
        seconds: length of each measurement, after one call that warms up.
    """
    stream = TrialStream(TaskSet(names=BATTERY, preset=config.preset, encoding=config.encoding), config.seeds)
    shape = (config.n_replicates, config.batch_trials)
    n_steps = 0

    def draw() -> None:
        nonlocal n_steps
        n_steps += int(stream.draw(config.batch_trials).end_steps.sum())  # padding is not counted

    per_call_s, n_calls = time_calls(draw, seconds)
    rate = n_steps / (n_calls + 1) / per_call_s
    yield f"trials: {rate / 1e6:.1f} M steps/s ({len(BATTERY)} tasks, {shape[0]} networks x {shape[1]} trials)"
    plain_s = None
    for arm in config.arms:
        training = config.training(arm)
        learner = Learner(training, choose_device(config.device))
        per_update_s, _ = time_calls(learner.update, seconds)
        plain_s = per_update_s if arm == "plain" else plain_s
        relative = f", {per_update_s / plain_s:.2f} x plain" if plain_s else ""
        network = training[0].network
        yield (
            f"{arm:<12} {1e3 * per_update_s / len(training):6.2f} ms per update and network{relative} "
            f"(N = {network.n_units}, R = {network.rank}, {count_parameters(network)} parameters)"
        )


def time_calls(call: Callable[[], None], seconds: float) -> tuple[float, int]:
    """Mean duration of a call in seconds, and the number of calls that were timed, after one that is not.

    Args:
        call: what to time.
        seconds: calls are made until this much time has passed.
    """
    call()
    started, n_calls = time.perf_counter(), 0
    while n_calls == 0 or time.perf_counter() - started < seconds:
        call()
        n_calls += 1
    return (time.perf_counter() - started) / n_calls, n_calls
