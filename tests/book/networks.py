"""Networks of random weights, as records for the live model."""

import dataclasses

import numpy as np
import torch

from cemrnn.network.config import count_parameters
from cemrnn.network.model import CEMRNN
from cemrnn.reproduce.play import Shown, describe
from tests.networks import small_config

RANKS = {"excitability": 0, "synaptic": 3, "combined": 2}  # by arm


def make_model(arm, tasks, *, size=0.4, **changes):
    """A network of random weights of that size, and its record for the page."""
    training = small_config(arm=arm, n_units=12, rank=RANKS[arm], tasks=tasks)
    training = dataclasses.replace(training, network=dataclasses.replace(training.network, **changes))
    drawn = np.random.default_rng(5).standard_normal(count_parameters(training.network), dtype=np.float32)
    model, flat = CEMRNN(training.network, [0]), size * torch.from_numpy(drawn)
    model.load(flat[None])
    return model, describe(tasks, [Shown(training, flat, 1.0, True)])
