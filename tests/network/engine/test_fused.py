"""When the fused back end is used, and what happens where it cannot be; none of this needs Triton or a card."""

import logging
import sys

import pytest
import torch

from cemrnn.network.config import NetworkConfig
from cemrnn.network.engine import fused
from cemrnn.network.engine.recurrence import Objective, integrate, measure_error
from cemrnn.network.noise import CountedNoise, NoiseStream
from tests.recurrences import B, I, N, O, T, draw, leaves, to_single, values_and_gradients


@pytest.fixture
def no_triton(monkeypatch):
    """A machine without Triton, whose first refusal is still to come."""
    monkeypatch.setattr(fused, "_plans", {})
    fused._warn_once.cache_clear()
    monkeypatch.setitem(sys.modules, "triton", None)  # an import raises ImportError
    for name in ("launch", "plans", "steps", "normal"):
        monkeypatch.delitem(sys.modules, f"{fused.__name__}.{name}", raising=False)
    yield
    fused._warn_once.cache_clear()


def run(drawn, backend):
    return values_and_gradients(lambda w, d: integrate(w, d, alpha=0.3, activation="tanh", backend=backend), *drawn)


def test_without_triton_the_batched_back_end_answers_with_one_warning(no_triton, caplog):
    with caplog.at_level(logging.WARNING):
        for pathways in ("gskxil", "bmsxl", "gs"):  # calls of several kinds, each of which is refused
            drawn = to_single(*draw(pathways))
            ours, theirs = run(drawn, "fused"), run(drawn, "batched")
            assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert [r.message for r in caplog.records if "no fused kernels on cpu" in r.message] == [caplog.records[0].message]
    assert "batched back end is used (ModuleNotFoundError" in caplog.records[0].message


def test_a_plan_that_fails_on_the_card_is_refused_and_never_raised(no_triton, caplog, monkeypatch):
    class Unfit:
        @staticmethod
        def find_plan(settings, t):
            raise KeyError("out of shared memory")

    monkeypatch.setattr(fused, "_part", lambda name: Unfit)
    drawn = to_single(*draw("gs"))
    ours, theirs = run(drawn, "fused"), run(drawn, "batched")
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert "out of shared memory" in caplog.text


def test_memory_that_is_short_is_no_refusal(no_triton, monkeypatch):
    class Short:
        @staticmethod
        def find_plan(settings, t):
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fused, "_part", lambda name: Short)
    with pytest.raises(torch.OutOfMemoryError):
        integrate(*to_single(*draw("gs")), alpha=0.3, activation="tanh", backend="fused")


@pytest.mark.parametrize("pathways", ["bmskxile", "sle"])
def test_a_context_that_the_state_has_a_say_in_stays_batched(pathways, no_triton, caplog):
    drawn = to_single(*draw(pathways))
    ours, theirs = run(drawn, "fused"), run(drawn, "batched")
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert not caplog.records


def test_double_precision_stays_batched(no_triton, caplog):
    drawn = draw("gskxil")
    ours, theirs = run(drawn, "fused"), run(drawn, "batched")
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert not caplog.records


def test_the_cpu_takes_the_compiled_back_end(no_triton, caplog):
    drawn = to_single(*draw("gskxil"))
    assert all(torch.equal(run(drawn, "auto")[name], value) for name, value in run(drawn, "compiled").items())
    assert not caplog.records


def counted(sigma=0.3):
    config = NetworkConfig(arm="plain", n_units=N, n_contexts=1, n_inputs=I, n_outputs=O, sigma_rec=sigma)
    return NoiseStream([3, 8], name="n").count(config), NoiseStream([3, 8], name="n").draw(B, T, config)


@pytest.mark.parametrize("backend", ["auto", "compiled", "batched", "fused"])
def test_every_back_end_takes_counted_noise(backend, no_triton):
    weights, drive = to_single(*draw("gs"))
    keys, array = counted()
    goal = Objective(torch.ones(2, B, T, O), torch.ones(2, B, T), torch.ones(O))
    results = []
    for noise in (keys, array):
        drive = type(drive)(**{k: getattr(drive, k) for k in drive.__dataclass_fields__} | {"noise": noise})
        leaves(weights, drive)
        outputs, _ = integrate(weights, drive, alpha=0.3, activation="tanh", backend=backend)
        error = measure_error(weights, drive, goal, alpha=0.3, activation="tanh", backend=backend)
        results.append((outputs, error))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_keys_of_other_networks_are_named():
    weights, drive = to_single(*draw("gs"))
    wrong = CountedNoise(torch.zeros(3, dtype=torch.int64), 0.1)
    drive = type(drive)(**{k: getattr(drive, k) for k in drive.__dataclass_fields__} | {"noise": wrong})
    with pytest.raises(ValueError, match=r"noise: expected keys int64 \(network 2\) on cpu, got torch.int64 \(3,\)"):
        integrate(weights, drive, alpha=0.3, activation="tanh")
