"""Small networks that several tests train."""

import torch

from cemrnn.network.config import NetworkConfig
from cemrnn.tasks import TaskSet
from cemrnn.training.config import TrainingConfig

TASKS = TaskSet(names=("reaction_pro", "reaction_anti"), preset="fast")


def small_config(seed=0, *, arm="excitability", n_units=16, rank=0, sigma_rec=0.05, tasks=TASKS, **changes):
    network = NetworkConfig.for_tasks(tasks, arm=arm, n_units=n_units, rank=rank, sigma_rec=sigma_rec)
    settings = dict(n_updates=20, batch_trials=16, learning_rate=1e-2, evaluate_every=10, evaluation_trials=20)
    return TrainingConfig(network=network, tasks=tasks, seed=seed, **(settings | changes))


def flats(networks):
    """Parameters (M, P) of trained networks."""
    return torch.stack([network.flat for network in networks])
