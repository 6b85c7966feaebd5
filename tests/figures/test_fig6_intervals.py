"""Measure, wait, go in figure 6: budgets, a short training, and errors of outputs whose interval is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cemrnn.figures.fig6_timescales.intervals import IntervalsConfig, list_published, measure_intervals
from cemrnn.network.config import count_parameters
from cemrnn.network.model import CEMRNN
from cemrnn.training.train import train

CONFIG = IntervalsConfig(
    arms=("excitability", "synaptic", "combined"),
    n_units=24,
    rank=3,
    n_contexts=5,
    n_updates=80,
    batch_trials=16,
    learning_rate=0.01,
    n_replicates=2,
    seed=1,
    test_trials=300,
)


class Echo:
    """Three networks that give back the interval, 3 steps more, or 15 steps whatever it was."""

    n_networks, flat = 3, torch.zeros(1)

    def run(self, inputs, context):
        assert context is None
        start, end, go = (inputs[..., i].argmax(2) for i in range(3))
        rises = torch.stack([(end - start)[0], (end - start)[1] + 3, torch.full_like(go[2], 15)])
        since = torch.arange(inputs.shape[2]) - go[..., None]
        return ((since / rises[..., None]).clip(0, 1) - 0.5)[..., None], None


def test_errors_of_outputs_whose_interval_is_known():
    table = measure_intervals(Echo(), CONFIG).set_index(["network", "intervals"])["error_steps"]
    assert [table[0, name] for name in ("trained", "extrapolated", "all")] == [0, 0, 0]
    assert [table[1, name] for name in ("trained", "extrapolated", "all")] == [3, 3, 3]
    far = np.mean([11, 9, 7, 5, 5, 7, 9, 11])
    assert [table[2, name] for name in ("trained", "extrapolated")] == [2, far]
    assert table[2, "all"] == pytest.approx((4 * 2 + 8 * far) / 12)


def test_arms_have_one_budget_and_learn():
    sizes = [count_parameters(CONFIG.training(arm)[0].network) for arm in CONFIG.arms]
    assert max(abs(size / sizes[-1] - 1) for size in sizes) < 0.04
    configs = CONFIG.training("combined")
    networks = train(configs, device="cpu")
    losses = np.array([network.history["loss"].to_numpy() for network in networks])
    assert (losses[:, -1] < losses[:, 0] / 2).all()
    model = CEMRNN(configs[0].network, CONFIG.seeds)
    model.load(torch.stack([network.flat for network in networks]))
    table = measure_intervals(model, CONFIG)
    assert len(table) == 6 and table["error_steps"].between(0, 50).all()


def test_published_errors_are_means_over_the_twelve_intervals():
    table = list_published().set_index(["model", "intervals"])["error_steps"]
    for model in ("NM-RNN", "low-rank RNN"):
        expected = (4 * table[model, "trained"] + 8 * table[model, "extrapolated"]) / 12
        assert table[model, "all"] == pytest.approx(expected, abs=0.005)
