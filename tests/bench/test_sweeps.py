"""The simulated schedule: closed forms for equal jobs, never faster than the longest job or the whole work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.bench.sweeps import predict_many, predict_seconds
from cemrnn.sweep.jobs import Job
from tests.networks import small_config

CONFIG = small_config(n_updates=1000)


def jobs_of(sizes):
    return sorted((Job((CONFIG,) * size) for size in sizes), key=lambda job: -job.core_seconds)


def test_equal_jobs_take_as_many_rounds_as_they_need():
    job = Job((CONFIG,) * 4)
    for n_jobs, n_workers, rounds in ((6, 2, 3), (7, 2, 4), (3, 5, 1)):
        assert predict_seconds([job] * n_jobs, n_workers, 0.0) == pytest.approx(rounds * job.core_seconds)


def test_writing_counts_for_every_network():
    job = Job((CONFIG,) * 4)
    assert predict_seconds([job], 1, 0.5) == pytest.approx(job.core_seconds + 4 * 0.5)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 8))
def test_a_schedule_is_bounded_by_work_and_longest_job(sizes, n_workers):
    jobs = jobs_of(sizes)
    total_s, longest_s = sum(job.core_seconds for job in jobs), jobs[0].core_seconds
    seconds = predict_seconds(jobs, n_workers, 0.0)
    assert seconds >= max(total_s / n_workers, longest_s) * (1 - 1e-12)
    assert seconds <= (total_s / n_workers + longest_s) * (1 + 1e-12)  # Graham 1969, eq. 5, loosely


def test_a_large_cluster_is_predicted_whole():
    many = predict_many(0.005)
    assert many["n_networks"] == 100_000
    assert many["core_hours"] == pytest.approx(many["efficiency"] * many["hours"] * many["n_workers"])
    assert many["n_jobs"] == pytest.approx(many["jobs_per_s"] * many["hours"] * 3600)
    assert 0.5 < many["efficiency"] <= 1
