"""The speed report, and that peers do the same work; nothing here asserts a speed."""

import re
from pathlib import Path

import pytest

from cemrnn.bench import engine, speed
from cemrnn.bench.peers import PEERS, Case, build_loop, build_ours
from cemrnn.experiments.fig1_tasks import TasksConfig
from cemrnn.reproduce.project import Project


def test_time_calls_leaves_the_first_call_out(monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now[0])

    def call():
        calls.append(1)
        now[0] += 10.0 if len(calls) == 1 else 0.5

    mean_s, n_calls = speed.time_calls(call, seconds=2.0)
    assert (mean_s, n_calls, len(calls)) == (0.5, 4, 5)


def test_the_report_has_a_line_per_arm():
    values = Project(Path(__file__).parents[1]).values("fig1_tasks", "smoke", ["arms=plain,combined"])
    lines = list(speed.measure_speed(TasksConfig.from_params(values), seconds=0.0))
    assert re.match(r"trials: +\d+\.\d M steps/s \(20 tasks, 2 networks x 32 trials\)", lines[0])
    assert [line.split()[0] for line in lines[1:]] == ["plain", "combined"]
    assert "1.00 x plain" in lines[1]
    n_parameters = [int(re.search(r"(\d+) parameters", line)[1]) for line in lines[1:]]
    assert n_parameters[0] == pytest.approx(n_parameters[1], rel=0.02)


@pytest.mark.parametrize("arm", ["plain", "combined"])
def test_the_loop_does_the_same_work_as_the_engine(arm):
    case = Case(arm, "tanh", n_units=16, n_networks=2, n_trials=8, n_steps=6)
    ours, loop = build_ours(case), build_loop(case)
    for _ in range(4):  # the same losses after every update: same forward, gradient and optimiser
        assert ours() == pytest.approx(loop(), rel=1e-4)


def test_rows_compare_what_was_timed(monkeypatch):
    monkeypatch.setattr(engine, "CASES", (Case("plain", "relu", n_units=64, n_networks=1, n_trials=2, n_steps=2),))
    rows = list(engine.compare_engine(n_repeats=1))
    assert [row["peer"] for row in rows] == list(PEERS)
    for row in rows:
        assert row["ratio"] == pytest.approx(row["peer_s"] / row["ours_s"])
        assert row["goal"] == engine.GOALS.get((row["peer"], 64))
