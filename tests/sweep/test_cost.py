"""The cost model: the algebra of its counts, the fit on synthetic measurements, bytes against a real entry."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.bench import cost as bench_cost
from cemrnn.bench.cost import draw_design, fit_seconds, measure_point, predict_seconds
from cemrnn.bench.rows import Bench
from cemrnn.network.config import count_parameters
from cemrnn.store.store import Store, entry_key
from cemrnn.sweep.cost import (
    COEFFICIENTS_S,
    TERMS,
    core_seconds,
    count_training_work,
    count_work,
    entry_bytes,
)
from cemrnn.tasks import CORE_TASKS, TaskSet, TrialStream
from cemrnn.tasks.cues import CueConfig
from cemrnn.training.learner import TrainedNetwork
from tests.networks import small_config

ROTATE = [TaskSet.rotate(k, preset="fast") for k in (2, 4, 8)]


def resized(config, **sizes):
    return dataclasses.replace(config, network=dataclasses.replace(config.network, **sizes))


@given(st.integers(1, 60), st.integers(1, 50), st.integers(0, 99))
def test_seconds_are_proportional_to_whole_evaluation_periods(n_periods, period, seed):
    one = core_seconds(small_config(n_updates=period, evaluate_every=period))
    many = core_seconds(small_config(seed, n_updates=n_periods * period, evaluate_every=period))
    assert many == pytest.approx(n_periods * one)


@pytest.mark.parametrize("n_together", [1, 8])
@pytest.mark.parametrize(
    "sizes",
    [
        [resized(small_config(), n_units=n) for n in (8, 16, 64)],
        [small_config(arm="combined", rank=r) for r in (1, 4, 16)],
        [small_config(tasks=tasks) for tasks in ROTATE],
        [small_config(batch_trials=b) for b in (1, 16, 64)],
        [small_config(evaluation_trials=n) for n in (1, 20, 100)],
        [small_config(tasks=TaskSet(names=CORE_TASKS, preset=preset)) for preset in ("fast", "yang")],
        [resized(small_config(), activation=name) for name in ("relu", "softplus")],
    ],
    ids=["units", "rank", "contexts", "trials", "evaluation", "steps", "activation"],
)
def test_seconds_grow_with_every_size(sizes, n_together):
    seconds = [core_seconds(config, n_together=n_together) for config in sizes]
    assert seconds[0] > 0
    assert np.all(np.diff(seconds) > 0)


def test_sharing_saves_the_calls_and_nothing_else():
    config = small_config(n_updates=30, evaluate_every=10)
    saved = core_seconds(config) - core_seconds(config, n_together=4)
    calls = 30 * COEFFICIENTS_S["update"]["call"] + 3 * COEFFICIENTS_S["evaluation"]["call"]
    assert saved == pytest.approx(0.75 * calls)
    with pytest.raises(ValueError, match="n_together: expected a positive number, got 0"):
        core_seconds(config, n_together=0)


def test_coefficients_are_complete_and_never_negative():
    for coefficients in COEFFICIENTS_S.values():
        assert set(coefficients) == set(TERMS)
        assert min(coefficients.values()) >= 0


@pytest.mark.parametrize("preset", ["fast", "yang", "driscoll"])
def test_mean_steps_is_that_of_drawn_trials(preset):
    tasks = TaskSet(names=CORE_TASKS, preset=preset)
    n = 4000
    steps = TrialStream(tasks, [1]).draw(n, np.arange(n) % len(CORE_TASKS)).end_steps.double()
    # Four standard errors, and half a step for durations that are rounded to steps.
    assert abs(steps.mean() - tasks.mean_steps) < 4 * steps.std() / math.sqrt(n) + 0.5


def test_work_counts_what_a_network_does():
    config = small_config(arm="combined", rank=3, n_units=10, batch_trials=7)
    work = count_work(config.network, config.tasks, 7, n_together=2)
    unit_steps = 7 * config.tasks.mean_steps * 10
    assert work["products"] == pytest.approx(unit_steps * (10 + 5 + 3 + 6))
    assert work["units"] == pytest.approx(2 * unit_steps)
    assert (work["softplus"], work["answers"], work["call"]) == (0, 14, 0.5)
    assert work["parameters"] == count_parameters(config.network)
    assert work["modulation"] == 0
    moved = count_work(config.network, config.tasks, 7, n_together=2, context_moves=True)
    assert moved == work | {"modulation": 7 * config.tasks.max_steps * (10 + 10 + 3 + 2)}
    assert set(work) == set(TERMS)


@pytest.mark.parametrize(
    ("arm", "change", "moves"),
    [
        ("excitability", dict(), False),
        ("excitability", dict(tau_excitability_ms=100.0), True),
        ("excitability", dict(tau_synaptic_ms=100.0), False),  # it has no such modulator
        ("plain", dict(tau_synaptic_ms=100.0), False),
    ],
)
def test_a_modulator_with_a_time_constant_or_a_cue_that_moves_is_priced(arm, change, moves):
    config = resized(small_config(arm=arm), **change)
    cued = dataclasses.replace(config, cue=CueConfig(noise_sigma=0.1))
    assert (count_training_work(config, 7)["modulation"] > 0) == moves
    assert (count_training_work(cued, 7)["modulation"] > 0) == (arm != "plain")
    if moves:
        assert core_seconds(config) == core_seconds(cued) > core_seconds(small_config(arm=arm))


def test_the_fit_finds_known_coefficients():
    known = {term: 10.0 ** -(i + 3) for i, term in enumerate(TERMS)} | {"softplus": 0.0}
    work = [count_training_work(c, c.batch_trials, n_together=m) for c, m in draw_design(60)]
    fitted = fit_seconds(work, [predict_seconds(point, known) for point in work])
    # Numbers are in float64, and the design's condition number is far below 1e6.
    assert fitted == pytest.approx(known, rel=1e-6, abs=1e-12)


def test_the_fit_never_goes_below_zero():
    work = [dict.fromkeys(TERMS, 0.0) | {"units": u, "steps": s} for u, s in ((1.0, 1.0), (1.0, 2.0), (2.0, 1.0))]
    fitted = fit_seconds(work, [2.0, 1.0, 5.0])  # steps that pay would fit best
    assert fitted["steps"] == 0
    assert fitted["units"] > 0
    assert fitted["softplus"] == 0


def test_the_design_is_the_same_every_time_and_varies_every_size():
    design = draw_design(40)
    assert design == draw_design(40)
    for name in ("arm", "n_units", "rank", "activation", "n_contexts", "n_inputs"):
        assert len({getattr(config.network, name) for config, _ in design}) >= 2, name
    assert len({m for _, m in design}) >= 3


def test_a_measurement_is_per_network_and_leaves_threads_as_they_were():
    threads = torch.get_num_threads()
    config = dataclasses.replace(small_config(), n_updates=10**6)
    point = measure_point(config, 2, seconds=0.0)
    assert set(point) == set(COEFFICIENTS_S)
    assert min(point.values()) > 0
    assert torch.get_num_threads() == threads


def test_the_topic_gives_coefficients_to_paste_and_how_well_they_predict(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(bench_cost, "N_POINTS", 3)
    monkeypatch.setattr(bench_cost, "SECONDS_PER_POINT", 0.0)
    fitted = bench_cost.measure_cost(Bench(tmp_path, n_repeats=1, turn_s=0.0, say=lines.append))
    assert json.loads(json.dumps(fitted)) == fitted
    namespace = {}
    exec(lines[-1], namespace)  # what is printed is Python, to be pasted into cemrnn/cost.py
    assert namespace["COEFFICIENTS_S"] == fitted["coefficients_s"]
    assert {kind: set(c) for kind, c in fitted["coefficients_s"].items()} == dict.fromkeys(COEFFICIENTS_S, set(TERMS))
    for quantiles in fitted["predicted_over_measured"].values():
        assert quantiles == sorted(quantiles)
        assert quantiles[0] - 0.01 <= 1 <= quantiles[-1] + 0.01  # coefficients are rounded to three digits


@pytest.mark.parametrize(
    "config",
    [
        small_config(),
        small_config(arm="combined", rank=4, n_units=64, n_updates=3000, evaluate_every=50),
        small_config(tasks=TaskSet.rotate(64, preset="yang"), n_units=32, n_updates=2000),
    ],
    ids=["tiny", "battery", "packing"],
)
def test_bytes_are_those_of_a_real_entry(tmp_path, config):
    rows = config.n_updates // config.evaluate_every
    scores = np.random.default_rng(0).random((rows, config.tasks.n_contexts)).astype(np.float32)
    history = pd.DataFrame(scores, columns=list(config.tasks.names))
    history.insert(0, "update", config.evaluate_every * np.arange(1, rows + 1))
    history.insert(1, "loss", np.float32(0.123456789))
    network = TrainedNetwork(torch.zeros(count_parameters(config.network)), "exhausted", config.n_updates, history)
    store = Store(tmp_path)
    store.save(config, network)
    written = sum(path.stat().st_size for path in store.folder(entry_key(config)).iterdir())
    assert entry_bytes(config) == pytest.approx(written, rel=0.1)
