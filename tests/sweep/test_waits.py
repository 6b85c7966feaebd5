"""Workers and schedulers that die, hang or never come, with real processes: a word, an end, and Ctrl-C is heard."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from cemrnn.sweep import cluster
from cemrnn.sweep.run import SweepError
from tests.sweep.processes import (
    DEADLINE_S,
    ENVIRONMENT,
    LONG,
    ROOT,
    is_alive,
    scheduling,
    sweep,
    sweeping,
    wait_for,
    working,
)  # fmt: skip

ENDLESS = ("--updates", "100000")
HEARD_S = 3.0 + 3.0  # and what a busy machine takes to end a process; what hangs takes a minute and more
QUIET = ("--bound", "QUIET_S", "1.5")
RESUME = r"Error: interrupted: \d+/10 networks saved; run the same command to resume\n$"


def read_line(process, pattern):
    """The first line of errors that matches."""
    for line in process.stderr:
        if re.search(pattern, line):
            return line
    raise AssertionError(f"the sweep ended before {pattern!r}")


def assert_ends(process, number):
    """The signal ends the process in time with the line that says how to go on."""
    sent_s = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert time.monotonic() - sent_s < HEARD_S
    assert process.returncode == 1
    assert re.search(RESUME, errors), errors
    assert "Traceback" not in errors


def two_workers(process):
    """Processes of two workers that train."""
    found = set()
    while len(found) < 2:
        found.add(int(wait_for(process, r"progress \d+ .*?/(\d+):")[1]))
        line = process.stdout.readline()
        found |= {int(pid) for pid in re.findall(r"/(\d+):", line)}
    return found


def test_workers_that_are_stopped_get_a_word_and_ctrl_c_ends_them_all(tmp_path):
    with sweeping(tmp_path, *ENDLESS, *QUIET, "--workers", "2") as process:
        pids = two_workers(process)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        line = read_line(process, "silent")
        assert re.fullmatch(r"worker \d+ is silent for \d+ s; waiting; Ctrl-C keeps what is there\n", line)
        assert_ends(process, signal.SIGINT)
        assert not any(map(is_alive, pids))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_driver_alone_ends_its_workers_after_their_checkpoints(tmp_path, number):
    with sweeping(tmp_path, *ENDLESS, "--workers", "2") as process:
        pids = two_workers(process)
        assert_ends(process, number)
        assert not any(map(is_alive, pids))
    assert len(list(tmp_path.glob("checkpoints/*.checkpoint"))) == 2


def test_a_job_on_which_every_worker_dies_is_told_and_the_others_go_on(tmp_path):
    with sweeping(tmp_path, *LONG, "--workers", "1", "--bound", "MOST_DEATHS", "2") as process:
        victim = 0
        for _ in range(2):
            victim = int(wait_for(process, rf"progress \d+ \S+/(?!{victim}:)(\d+): .*N = 9")[1])
            os.kill(victim, signal.SIGKILL)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert errors == (
        "Error: not trained: excitability, N = 9, K = 2, seeds 0, 1, 2, 3, 4 (WorkerDied: 2 workers died on it, the "
        "last with exit code -9; is there enough memory?); the rest is kept: 5/10 networks saved\n"
    )


def test_where_no_worker_starts_the_driver_trains_alone(tmp_path):
    code, n_trained, errors = sweep(tmp_path, "--workers", "2", "--broken-workers")
    assert (code, n_trained) == (0, 10)
    assert errors == (
        "worker processes do not start (exit code 7); this process goes on with those that did, or alone\n"
    )


def test_a_scheduler_without_workers_gets_a_word_and_an_end(tmp_path):
    file = tmp_path / "scheduler.json"
    with scheduling(file):
        options = (*ENDLESS, *QUIET, "--scheduler-file", file)
        with sweeping(tmp_path / "store", *options) as process:
            assert read_line(process, "no worker") == "no worker for 2 s; waiting; Ctrl-C keeps what is there\n"
            assert_ends(process, signal.SIGINT)
        code, _, errors = sweep(tmp_path / "store", *options, "--bound", "GIVE_UP_S", "3")
    assert code == 1
    assert re.search(r"\nError: no worker for \d+ s; 0/10 networks saved; run the same command to resume\n$", errors)


def test_a_scheduler_that_is_stopped_gets_a_word_and_ctrl_c_is_heard(tmp_path):
    file = tmp_path / "scheduler.json"
    options = (*ENDLESS, *QUIET, "--scheduler-file", file)
    with scheduling(file) as scheduler, working(file), sweeping(tmp_path / "store", *options) as process:
        wait_for(process, r"progress \d+ \S+/\d+:")
        scheduler.send_signal(signal.SIGSTOP)
        line = read_line(process, "no answer")
        assert re.fullmatch(r"no answer from the scheduler for \d+ s; waiting; Ctrl-C keeps what is there\n", line)
        assert_ends(process, signal.SIGINT)


def test_a_job_that_kills_the_workers_of_a_cluster_is_told_and_its_neighbours_are_not_blamed(tmp_path):
    file, n_nine = tmp_path / "scheduler.json", r"progress \d+ \S+/{pid}: .*N = 9"
    with (
        scheduling(file, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0"),
        working(file) as first,
        sweeping(tmp_path / "store", *LONG, "--scheduler-file", file) as process,
    ):
        wait_for(process, n_nine.format(pid=first.pid))
        first.kill()
        with working(file) as second:
            wait_for(process, n_nine.format(pid=second.pid))
        with working(file):
            _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert errors == (
        "Error: not trained: excitability, N = 9, K = 2, seeds 0, 1, 2, 3, 4 (WorkerDied: worker after worker died on "
        "it; is there enough memory?); the rest is kept: 5/10 networks saved\n"
    )


@pytest.mark.parametrize(
    ("content", "got"), [(None, "No such file or directory"), ("", "something else"), ('{"address": "tc', "something")]
)
def test_a_scheduler_file_that_is_none_is_one_line(tmp_path, monkeypatch, content, got):
    monkeypatch.setattr(cluster, "FILE_S", 0.3)
    file = tmp_path / "scheduler.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(
        SweepError, match=f"^scheduler file: expected one that `dask scheduler` wrote, got {file}: {got}"
    ):
        cluster.find_scheduler(file)


@pytest.mark.parametrize("place", ["http://node1:8786", "tcp://node1", "node1", "", "tcp://node1:port"])
def test_an_address_that_is_none_is_one_line(place):
    with pytest.raises(SweepError, match=f"^scheduler: expected an address such as tcp://node1:8786, got '{place}'$"):
        cluster.find_scheduler(place)


def test_a_scheduler_file_is_found_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "scheduler.json").write_text('{"address": "tcp://10.0.0.1:8786"}')
    assert cluster.find_scheduler(cluster.Path("~/scheduler.json")) == "tcp://10.0.0.1:8786"
    assert cluster.find_scheduler("node1:8786") == "node1:8786"


def test_bounds_add_up_to_an_answer_within_ten_seconds():
    assert cluster.FILE_S + cluster.CONNECT_S < 10


def test_where_nobody_listens_is_one_line(tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text('{"address": "tcp://127.0.0.1:9"}')
    code, _, errors = sweep(tmp_path / "store", "--scheduler-file", file, "--bound", "CONNECT_S", "1")
    assert (code, errors) == (1, "Error: no scheduler answers at tcp://127.0.0.1:9 (OSError)\n")


IMPORTING = """
    from cemrnn.system.interrupts import ending_at_once
    with ending_at_once("run the same command to resume"):
        print("begins", flush=True)
        import torch, numba, pandas
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_modules_load_ends_with_the_line(number):
    script = "\n".join(line[4:] for line in IMPORTING.splitlines())
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=ENVIRONMENT, cwd=ROOT) as process:
        assert process.stdout.readline() == "begins\n"
        time.sleep(0.2)
        process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, errors) == (1, "\nrun the same command to resume\n")
