"""Which worker takes which job: all are done, by whoever is faster, and helpers do not make a sweep longer."""

import dataclasses
import heapq
import logging
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.sweep import cost, places, run
from cemrnn.sweep.jobs import Job
from cemrnn.sweep.places import choose_job, describe_prices, list_places, price_jobs
from cemrnn.training.config import TrainingConfig
from tests.networks import small_config

SECONDS = st.floats(0.1, 1000)


def play(devices, prices):
    """When the last job ends, and who did which, if every worker takes jobs as `choose_job` says."""
    waiting, done = list(range(len(next(iter(prices.values()))))), {}
    free = [(0.0, i) for i in range(len(devices))]
    end, idle = 0.0, []
    while free:
        now, i = heapq.heappop(free)
        number = choose_job(devices[i], waiting, devices, prices)
        if number is None:
            idle.append(i)
            continue
        waiting.remove(number)
        done[number] = devices[i]
        ends = now + prices[devices[i].partition(":")[0]][number]
        heapq.heappush(free, (ends, i))
        end = max(end, ends)
    assert waiting == []
    return end, done


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=20), st.integers(1, 4), st.integers(1, 3))
def test_every_job_is_done_and_none_is_worth_more_on_what_did_not_take_it(jobs, n_cores, n_cards):
    prices = {"cpu": [core for core, _ in jobs], "cuda": [card for _, card in jobs]}
    end, done = play([f"cuda:{i}" for i in range(n_cards)] + ["cpu"] * n_cores, prices)
    assert len(done) == len(jobs)
    gains = {kind: [core / card for (core, card), n in zip(jobs, range(len(jobs)), strict=True)
                    if done[n].startswith(kind)] for kind in ("cpu", "cuda")}  # fmt: skip
    assert not gains["cpu"] or not gains["cuda"] or max(gains["cpu"]) <= min(gains["cuda"]) * (1 + 1e-9)
    # Never longer than by one kind alone, each job whole, beyond what its last job can hang over.
    for kind, n in (("cpu", n_cores), ("cuda", n_cards)):
        assert end <= sum(prices[kind]) / n + 2 * max(max(prices["cpu"]), max(prices["cuda"]))


def test_both_together_are_sooner_than_the_faster_alone():
    prices = {"cpu": [4.0] * 30, "cuda": [1.0] * 30}
    assert play(["cuda:0"], {"cuda": prices["cuda"]})[0] == 30
    end, done = play(["cuda:0", "cpu", "cpu"], prices)
    assert end == 20 and sum(place == "cpu" for place in done.values()) == 10


def test_a_core_leaves_to_the_card_what_would_take_it_longer_than_all_the_rest_takes_the_card():
    prices = {"cpu": [50.0, 1000.0, 60.0], "cuda": [10.0, 10.0, 10.0]}
    assert choose_job("cpu", [0, 1, 2], ["cuda:0", "cpu"], prices) is None
    assert choose_job("cuda:0", [0, 1, 2], ["cuda:0", "cpu"], prices) == 1
    assert choose_job("cpu", [0, 1, 2], ["cpu", "cpu"], prices) == 0  # the card is gone
    assert choose_job("cpu", [], ["cuda:0", "cpu"], prices) is None


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("auto", ["cuda:0", "cuda:1", "cpu", "cpu"]),
        ("cpu", ["cpu"] * 4),
        ("cuda", ["cuda:0", "cuda:1"]),
    ],
)
def test_a_card_has_a_worker_and_that_a_core(monkeypatch, device, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert list_places(device, 4) == expected


def test_jobs_are_timed_where_there_is_a_choice_alone(monkeypatch):
    jobs = [Job((small_config(),)), Job((small_config(n_units=32),))]
    monkeypatch.setattr(places, "estimate_seconds", lambda ensembles, kind: [3.0, 8.0] if kind == "cpu" else [1.0, 2.0])
    assert price_jobs(jobs, ["cpu", "cpu"]) == {"cpu": [job.work for job in jobs]}
    prices = price_jobs(jobs, ["cuda:0", "cpu"])
    assert prices == {"cuda": [1.0, 2.0], "cpu": [3.0, 8.0]}
    assert "3 to 4 times as fast as a core" in describe_prices(prices)


def test_all_networks_and_trials_of_an_ensemble_are_timed_on_a_card(monkeypatch):
    timed = []

    def pretend(configs, devices):
        timed.append((len(configs), devices))
        return devices[0], dict.fromkeys(devices, 6.0)

    monkeypatch.setattr(cost, "find_fastest", pretend)
    config = small_config(batch_trials=16)
    assert cost.time_work([config] * 6, "cuda") == 1 / cost.count_update(config, 16)
    assert timed == [(6, ["cuda"])]


def test_auto_is_the_device_whose_updates_take_less_time(monkeypatch):
    configs = [small_config(), small_config(1)]
    assert run.choose_place(configs, "cuda:1") == "cuda:1"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run.choose_place(configs, "auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for fastest in ("cpu", "cuda"):
        seconds = {name: 1.0 if name == fastest else 2.0 for name in ("cpu", "cuda")}
        monkeypatch.setattr(run, "find_fastest", lambda c, d, s=seconds: (min(s, key=s.get), s))
        assert run.choose_place(configs, "auto") == fastest


def test_whoever_waits_is_told_what_was_measured(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(run, "find_fastest", lambda *_: ("cuda", {"cpu": 0.034, "cuda": 0.002}))
    with caplog.at_level(logging.WARNING):  # less is shown to nobody
        run.choose_place([small_config(), small_config(1)], "auto")
    assert "an update of 2 networks takes 34 ms on cpu, 2 ms on cuda; trained on cuda" in caplog.text


def test_what_a_card_does_in_its_first_updates_is_not_timed_and_what_it_held_is_let_go(monkeypatch):
    class Counting:
        def __init__(self, configs, device, starts):
            self.n_updates = 0
            learners.append(weakref.ref(self))

        def update(self):
            self.n_updates += 1
            return self.n_updates

    learners, emptied = [], []
    monkeypatch.setattr(TrainingConfig, "make_learner", Counting)
    monkeypatch.setattr(cost, "time_turn", lambda update, _: update())
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append([learner() for learner in learners]))
    _, number_of_the_first_timed = cost.find_fastest([small_config()], ["cpu"])
    assert number_of_the_first_timed["cpu"] > 3  # compiled, recorded, repeated
    assert emptied == [[None]]


def test_a_device_that_lacks_memory_is_not_the_fastest(monkeypatch):
    def make(config, configs, device, starts):
        if device.type == "meta":  # in place of a card
            raise torch.OutOfMemoryError("none left")
        return SimpleNamespace(update=lambda: None)

    monkeypatch.setattr(TrainingConfig, "make_learner", make)
    monkeypatch.setattr(cost, "for_card", list)
    fastest, seconds = cost.find_fastest([small_config()], ["meta", "cpu"])
    assert fastest == "cpu" and np.isinf(seconds["meta"])


def test_updates_are_tried_on_networks_that_stand_still():
    configs = [dataclasses.replace(small_config(seed), learning_rate=1e30) for seed in range(2)]
    fastest, seconds = cost.find_fastest(configs, ["cpu"])
    assert fastest == "cpu" and 0 < seconds["cpu"] < 5
