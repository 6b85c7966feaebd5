"""What a training costs before it runs: seconds on one core, and bytes in the store.

The work of one update, or of one evaluation, is counted from the sizes of the network and its tasks; seconds are
that work times coefficients fitted to measurements (`cemrnn bench --topic cost` measures again, and prints them):

    products    S N (N + I + O + 2 R)    multiplications of the recurrence
    units       S N (1 + gain)           passes over the units; a gain is one more
    softplus    S N                      if it is softplus
    steps       B T (I + O)              drawing and weighing trials, padding included
    modulation  B T (N_mod + K)          what the context adds at each step, if it or a modulator moves in the trial
    answers     B K                      what every task would answer, and the cue
    parameters  P                        gradient and optimiser
    network     1                        what a network pays, however small it is
    call        1 / M                    what an ensemble pays once, however many networks it has

N_mod: numbers that the pathways of the arm set, N for a bias or a gain, R for synapses, 1 for a scale.
B trials of T steps at most, S steps in them without padding. All but `call` are per network.
"""

from __future__ import annotations

import json
import math

from cemrnn.network.config import NetworkConfig, count_parameters
from cemrnn.network.pathways import ARMS, PATHWAYS
from cemrnn.sweep.sequence_cost import sequence_seconds
from cemrnn.tasks import OwnTasks, TaskSet
from cemrnn.training.config import TrainingConfig
from cemrnn.training.recipe import Recipe
from cemrnn.training.sequences import SequenceConfig

TERMS = ("products", "units", "softplus", "steps", "modulation", "answers", "parameters", "network", "call")
MACHINE = "AMD EPYC, Zen 4, one core at 2.6 GHz, float32"
COEFFICIENTS_S: dict[str, dict[str, float]] = {
    "update": {
        "products": 6.16e-11,
        "units": 2.31e-09,
        "softplus": 3.27e-08,
        "steps": 4.12e-09,
        "modulation": 3.00e-09,
        "answers": 6.84e-08,
        "parameters": 3.50e-08,
        "network": 5.46e-05,
        "call": 1.31e-03,
    },
    "evaluation": {
        "products": 2.31e-11,
        "units": 2.12e-09,
        "softplus": 1.33e-08,
        "steps": 4.09e-09,
        "modulation": 1.80e-09,
        "answers": 2.40e-08,
        "parameters": 0.0,
        "network": 3.93e-04,
        "call": 5.44e-04,
    },
}
# Bytes of an entry beside weights, history and config: file headers, checksums; of a number in the history.
ENTRY_OVERHEAD_BYTES, NUMBER_BYTES = 700, 11


def core_seconds(config: Recipe, *, n_together: int = 1) -> float:
    """Seconds on one core to train one network to its last update, evaluations included.

    A network that reaches its target score stops earlier: this is the most that it can take. The coefficients hold
    for the machine that `MACHINE` names.

    Args:
        config: the network, its tasks and its training.
        n_together: M, networks that train as one ensemble.
    """
    if isinstance(config, SequenceConfig):
        return sequence_seconds(config, n_together=n_together)
    update = count_training_work(config, config.batch_trials, n_together=n_together)
    evaluation = count_training_work(config, evaluation_trials(config), n_together=n_together)
    n_evaluations = math.ceil(config.n_updates / config.evaluate_every)
    return config.n_updates * _price(update, "update") + n_evaluations * _price(evaluation, "evaluation")


def entry_bytes(config: Recipe) -> float:
    """Bytes of the files of a network in the store, about; the history is that of the longest training."""
    n_evaluations = math.ceil(config.n_updates / config.evaluate_every)
    names = config.score_names
    history = (n_evaluations * (len(names) + 2) + 1) * NUMBER_BYTES + sum(map(len, names))
    recipe = len(json.dumps(config.to_dict(), indent=1))
    return 4 * config.n_parameters + history + recipe + ENTRY_OVERHEAD_BYTES


def count_training_work(config: TrainingConfig, n_trials: int, *, n_together: int = 1) -> dict[str, float]:
    """Work by term of one pass of a training over `n_trials` trials, see `count_work`."""
    moves = not config.cue.is_plain or _has_time_constant(config.network)
    return count_work(config.network, config.tasks, n_trials, n_together=n_together, context_moves=moves)


def count_work(
    network: NetworkConfig,
    tasks: TaskSet | OwnTasks,
    n_trials: int,
    *,
    n_together: int = 1,
    context_moves: bool = False,
) -> dict[str, float]:
    """Work by term (see the module) of one pass over `n_trials` trials, per network.

    Args:
        network: N, I, O, R, P, arm and activation.
        tasks: gives K and the length of trials.
        n_trials: B.
        n_together: M.
        context_moves: whether the context, as the pathways see it, varies within a trial.

    Raises:
        ValueError: a count is not positive.
    """
    for name, value in (("n_trials", n_trials), ("n_together", n_together)):
        if value <= 0:
            raise ValueError(f"{name}: expected a positive number, got {value}")
    c, n_channels = network, network.n_inputs + network.n_outputs
    unit_steps = n_trials * tasks.mean_steps * c.n_units
    return {
        "products": unit_steps * (c.n_units + n_channels + 2 * c.rank),
        "units": unit_steps * (1 + len({"gain", "gate"} & set(ARMS[c.arm]))),
        "softplus": unit_steps * (c.activation == "softplus"),
        "steps": n_trials * tasks.max_steps * n_channels,
        "modulation": context_moves * n_trials * tasks.max_steps * _modulated_numbers(c),
        "answers": n_trials * tasks.n_contexts,
        "parameters": count_parameters(network),
        "network": 1.0,
        "call": 1 / n_together,
    }


def evaluation_trials(config: TrainingConfig) -> int:
    """Trials of one evaluation, all tasks together."""
    return config.evaluation_trials * len(config.trained_tasks)


def _modulated_numbers(network: NetworkConfig) -> int:
    """N_mod + K; 0 for an arm that no context reaches."""
    widths = {"synaptic": network.rank, "scale": 1}
    pathways = ARMS[network.arm]
    return sum(widths.get(name, network.n_units) for name in pathways) + network.n_contexts * bool(pathways)


def _has_time_constant(network: NetworkConfig) -> bool:
    """Whether a modulator that the arm reads follows the context slowly."""
    tau_ms = {"excitability": network.tau_excitability_ms, "synaptic": network.tau_synaptic_ms}
    return any(tau_ms[PATHWAYS[name].modulator] > 0 for name in ARMS[network.arm])


def _price(work: dict[str, float], kind: str) -> float:
    return sum(COEFFICIENTS_S[kind][term] * work[term] for term in TERMS)
