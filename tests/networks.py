"""Small networks that several tests train."""

from cemrnn.network.config import NetworkConfig
from cemrnn.tasks import TaskSet
from cemrnn.training.config import TrainingConfig

TASKS = TaskSet(names=("reaction_pro", "reaction_anti"), preset="fast")


def small_config(seed=0, *, arm="excitability", n_units=16, rank=0, sigma_rec=0.05, tasks=TASKS, **changes):
    network = NetworkConfig(
        arm=arm,
        n_units=n_units,
        rank=rank,
        n_contexts=tasks.n_contexts,
        n_inputs=tasks.n_inputs,
        n_outputs=tasks.n_outputs,
        dt_ms=tasks.dt_ms,
        tau_ms=tasks.tau_ms,
        sigma_rec=sigma_rec,
    )
    settings = dict(n_updates=20, batch_trials=16, learning_rate=1e-2, evaluate_every=10, evaluation_trials=20)
    return TrainingConfig(network=network, tasks=tasks, seed=seed, **(settings | changes))
