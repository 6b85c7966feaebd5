"""Training with the fused kernels against training on the CPU, from the same seeds (make test-gpu).

On a card the learner is that of a card, which fills its trials there and repeats its steps; in Triton's interpreter,
where an update takes a second, it is the one of the CPU.
"""

import os
from dataclasses import replace
from functools import partialmethod

import pytest
import torch

from cemrnn.card.learner import CardLearner
from cemrnn.network.engine import fused
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.training.learner import Learner
from tests.networks import small_config

pytest.importorskip("triton")
CPU = torch.device("cpu")
CARD = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CARD else "cpu")
if not CARD and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("no card, and not in Triton's interpreter", allow_module_level=True)
N_UPDATES = 200 if CARD else 14
SEEDS = [4, 5]


def make_configs():
    """Two networks; the slope of tanh has no jump at which rounding would decide."""
    config = small_config(n_updates=N_UPDATES, arm="combined", rank=2)
    return [replace(config, network=replace(config.network, activation="tanh"), seed=seed) for seed in SEEDS]


def open_learner(device):
    """What trains them there."""
    return (Learner if device == CPU else CardLearner)(make_configs(), device)


def advance(learner, n_updates, monkeypatch, *, is_fused):
    """Let the learner take some updates, with the fused kernels or without."""
    with monkeypatch.context() as patch:
        if is_fused and not CARD:
            patch.setattr(CEMRNN, "measure_error", partialmethod(CEMRNN.measure_error, backend="fused"))
            patch.setattr(NoiseStream, "draw", lambda stream, n_trials, n_steps, network: stream.count(network))
        for _ in range(n_updates):
            learner.update()
    return learner


def resume(learner, device):
    """A learner on a device that goes on where another one is."""
    other = open_learner(device)
    other.restore({name: x.clone() for name, x in learner.tensors().items()}, learner.document())
    return other


def gap(one, other):
    """Distance of the parameters of each network, as a share of what training changed in it; the largest."""
    start, (one, other) = open_learner(CPU).model.flat, (x.model.flat.cpu() for x in (one, other))
    return ((one - other).norm(dim=1) / (other - start).norm(dim=1)).max().item()


def test_a_run_and_a_change_of_device_stay_within_rounding(monkeypatch):
    fused._plans.clear()
    half = N_UPDATES // 2
    there, here = open_learner(DEVICE), open_learner(CPU)
    advance(there, half, monkeypatch, is_fused=True)
    advance(here, half, monkeypatch, is_fused=False)
    assert fused._plans and all(fused._plans.values())
    moved_here, moved_there = resume(there, CPU), resume(here, DEVICE)
    for learner, is_fused in ((there, True), (here, False), (moved_here, False), (moved_there, True)):
        advance(learner, half, monkeypatch, is_fused=is_fused)
    # a difference of 2^-24 of a gradient stays one of the update, and N_UPDATES of them add up
    bound = N_UPDATES * 300 * 2**-24
    assert max(gap(learner, here) for learner in (there, moved_here, moved_there)) < bound
    # negative control: the noise of another draw is far beyond that
    other = open_learner(CPU)
    other.noise.count(make_configs()[0].network)
    assert gap(advance(other, N_UPDATES, monkeypatch, is_fused=False), here) > 10 * bound
