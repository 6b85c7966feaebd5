"""Sweeps of the bench: what is compared with what, in the seconds of all workers together."""

import contextlib

from cemrnn.bench import sweeps
from cemrnn.bench.rows import Bench


def test_workers_are_compared_with_one_thread_and_two_with_threads(tmp_path, monkeypatch):
    measured = iter([8.0, 6.0, 8.5, 4.4])  # one thread, threads, one worker, two workers
    monkeypatch.setattr(sweeps, "_time_sweep", lambda execute_on: next(measured))
    monkeypatch.setattr(sweeps, "_running_cluster", contextlib.nullcontext)
    rows = sweeps.compare_sweeps(Bench(tmp_path, n_repeats=1, turn_s=0.0, say=lambda line: None))
    assert [row["case"] for row in rows] == ["48 networks, 1 worker", *["48 networks, 2 workers"] * 2]
    assert [(row["ours_s"], row["peer_s"]) for row in rows] == [(8.5, 8.0), (8.8, 8.0), (4.4, 6.0)]
    assert [row["goal"] for row in rows] == [0.9, 0.9, None]


def test_a_sweep_is_timed_once_its_kernels_are_loaded(monkeypatch):
    monkeypatch.setattr(sweeps, "N_UPDATES", 2)
    monkeypatch.setattr(sweeps, "N_ENSEMBLES", 1)
    assert sweeps._time_sweep(sweeps._run_here) > 0
