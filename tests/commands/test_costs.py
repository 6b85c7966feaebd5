"""What a sweep would cost, by figure: sums of what is missing, and a GPU that was timed or is not told of."""

import pytest

from cemrnn.commands.costs import Cost, count_costs, tabulate_costs, write_number
from cemrnn.sweep.cost import entry_bytes
from cemrnn.sweep.jobs import Job
from tests.networks import small_config


def test_costs_are_those_of_the_missing_networks_of_a_figure_in_order():
    job, done = (Job(tuple(small_config(s, n_units=n) for s in range(4))) for n in (8, 20))
    figures = {config: "fig10" if config.seed == 0 else "fig2" for part in (job, done) for config in part.configs}
    found = count_costs(figures, [done, job], [job], [7200.0])
    assert list(found) == ["fig2", "fig10"]
    gib = entry_bytes(job.configs[0]) / 2**30
    assert (found["fig2"].networks, found["fig2"].missing, found["fig10"].missing) == (6, 3, 1)
    assert found["fig2"].core_hours == pytest.approx(1.5) and found["fig10"].core_hours == pytest.approx(0.5)
    assert found["fig2"].gib == pytest.approx(3 * gib, rel=0.01) and found["fig2"].gpu_share is None


def test_the_largest_missing_job_of_a_figure_is_timed_on_the_gpu():
    small, large, done = (Job(tuple(small_config(s, n_units=n) for s in range(2))) for n in (8, 20, 12))
    figures = dict.fromkeys([*small.configs, *large.configs], "fig1") | dict.fromkeys(done.configs, "fig2")
    asked, jobs = [], [large, small, done]
    found = count_costs(figures, jobs, jobs[:2], [1.0, 1.0], lambda job: asked.append(job) or 0.25)
    assert asked == [large]
    assert (found["fig1"].gpu_share, found["fig2"].gpu_share) == (0.25, 0.0)


@pytest.mark.parametrize("gpu", ["none", "NVIDIA X"])
def test_the_table_ends_with_the_sum_and_tells_of_a_gpu_that_was_timed_alone(gpu):
    share = None if gpu == "none" else 0.1
    rows = {"fig1": Cost(1200, 20, 3.0, 0.5, share), "fig2": Cost(10, 0, 0.0, 0.0, share and 0.0)}
    head, first, second, total, last = tabulate_costs(rows, 2, gpu).splitlines()
    on_gpu = [] if gpu == "none" else ["0.30"]
    assert first.split() == ["fig1", "1,200", "20", "3.0", "1.5", "0.50", *on_gpu]
    assert second.split() == ["fig2", "10", "0", "-", "-", "-", *(["-"] if on_gpu else [])]
    assert total.split() == ["all", "1,210", "20", "3.0", "1.5", "0.50", *on_gpu]
    assert ("GPU" in head) == (gpu != "none")
    assert last.startswith("GPU: not timed" if gpu == "none" else "GPU: NVIDIA X;")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "-"), (1e-9, "<0.001"), (0.0123, "0.012"), (1.0, "1.0"), (9483.8, "9,484")]
)
def test_numbers_have_two_digits_that_count(value, text):
    assert write_number(value) == text


def test_numbers_that_are_wider_than_the_head_of_their_column_stay_apart():
    _, row, *_ = tabulate_costs({"fig1": Cost(1200, 20, 1.743, 0.0098, None)}, 2, "none").splitlines()
    assert row.split() == ["fig1", "1,200", "20", "1.7", "0.87", "0.0098"]
