"""What the training of a network on images or text costs before it runs; see `cemrnn.sweep.cost`.

Not in the folder that defines them, whose code is part of each key: a better estimate must not train anything again.
"""

from __future__ import annotations

import math

from cemrnn.network.config import NetworkConfig
from cemrnn.network.gated import GatedConfig
from cemrnn.network.pathways import ARMS
from cemrnn.tasks.sequences.images import ImageSet
from cemrnn.training.sequences import SequenceConfig

# Seconds on one core, per network: of a step of a trial, of a multiplication there, of a unit, of an input or output,
# of a trained parameter, of a step of all trials together, and of an update; fitted to updates of networks of
# N = 20 to 128 on digits and on text, on the machine that `cemrnn.sweep.cost.MACHINE` names (predicted over measured:
# .5 to 1.4 for the engine, .9 to 1.1 for the others).
COEFFICIENTS_S = {
    "engine": {
        "products": 5.7e-11, "units": 3.4e-9, "channels": 2.9e-9, "parameters": 1.0e-8, "steps": 1.9e-6, "call": 1.3e-3,
    },
    "gru": {
        "products": 4.4e-11, "units": 2.7e-8, "channels": 0.0, "parameters": 7.4e-9, "steps": 1.15e-4, "call": 1.0e-3,
    },
    "lstm": {
        "products": 3.6e-11, "units": 2.6e-8, "channels": 4.1e-9, "parameters": 1.6e-8, "steps": 1.3e-6, "call": 7.8e-4,
    },
}  # fmt: skip
FORWARD_SHARE = 0.4  # of an update that an evaluation of as many trials costs


def sequence_seconds(config: SequenceConfig, *, n_together: int = 1) -> float:
    """Seconds on one core to train one network, evaluations included; see `cemrnn.sweep.cost.core_seconds`."""
    n_held_out = _count_held_out(config)
    n_evaluations = math.ceil(config.n_updates / config.evaluate_every)
    evaluation = n_evaluations * FORWARD_SHARE * update_seconds(config, n_held_out, n_together=n_together)
    return config.n_updates * update_seconds(config, config.batch_trials, n_together=n_together) + evaluation


def update_seconds(config: SequenceConfig, n_trials: int, *, n_together: int = 1) -> float:
    """Seconds on one core of one update of one network on so many trials, without evaluations."""
    work, prices = count_update_work(config, n_trials, n_together), COEFFICIENTS_S[_kind(config.network)]
    return sum(prices[term] * work[term] for term in prices)


def count_update_work(config: SequenceConfig, n_trials: int, n_together: int) -> dict[str, float]:
    """Work by term of one update on so many trials, per network."""
    c = config.network
    n_blocks = {"engine": 1, "gru": 3, "lstm": 4}[_kind(c)]
    n_steps, n_channels = n_trials * config.data.n_steps, c.n_inputs + c.n_outputs
    n_modulated = c.n_contexts * len(ARMS[c.arm].stepped("input")) if n_blocks == 1 and c.infers_context else 0
    n_rows = n_blocks * (c.n_units + c.n_inputs) + c.n_outputs + 2 * getattr(c, "rank", 0) + n_modulated
    return {
        "products": n_steps * c.n_units * n_rows,
        "units": n_steps * c.n_units,
        "channels": n_steps * n_channels,
        "parameters": config.n_parameters,
        "steps": config.data.n_steps,
        "call": 1.0 if n_blocks > 1 else 1 / n_together,
    }


def _kind(network: NetworkConfig | GatedConfig) -> str:
    return network.arm if isinstance(network, GatedConfig) else "engine"


def _count_held_out(config: SequenceConfig) -> int:
    """Trials of one evaluation."""
    data = config.data
    if isinstance(data, ImageSet):
        return config.validation_size * data.n_contexts
    return math.ceil(config.validation_size / (data.n_steps - data.warm_up)) * data.n_contexts
