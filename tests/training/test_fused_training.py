"""Training with the fused kernels against training on the CPU, from one seed (make test-gpu)."""

import os
from functools import partialmethod

import pytest
import torch

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
N_UPDATES = 20


def config():
    return small_config(n_updates=N_UPDATES, arm="combined", rank=2)


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
    other = Learner([config()], device)
    other.restore({name: x.clone() for name, x in learner.tensors().items()}, learner.document())
    return other


def gap(one, other):
    """Distance of the parameters, as a share of what training changed in them."""
    start, (one, other) = Learner([config()], CPU).model.flat, (x.model.flat.cpu() for x in (one, other))
    return ((one - other).norm() / (other - start).norm()).item()


def test_twenty_updates_and_a_change_of_device_stay_within_rounding(monkeypatch):
    fused._plans.clear()
    half = N_UPDATES // 2
    there, here = Learner([config()], DEVICE), Learner([config()], CPU)
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
    other = Learner([config()], CPU)
    other.noise.count(config().network)
    assert gap(advance(other, N_UPDATES, monkeypatch, is_fused=False), here) > 10 * bound
