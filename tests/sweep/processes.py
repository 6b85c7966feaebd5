"""Sweeps in processes of their own, and schedulers and workers of Dask, for tests that stop and kill them."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0
LONG = ("--updates", "250")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def sweeping(store, *options):
    """A sweep that is killed, with its whole group of processes, when the test is over."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.sweeping", str(store), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def sweep(store, *options):
    """Exit code, number of networks trained (or None), and standard error of a whole sweep."""
    with sweeping(store, *options) as process:
        output, errors = process.communicate(timeout=DEADLINE_S)
    trained = re.search(r"^trained (\d+)$", output, re.MULTILINE)
    return process.returncode, trained and int(trained[1]), errors


def wait_for(process, pattern):
    """The first line of output that matches."""
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"the sweep ended before {pattern!r}: {process.stderr.read()}")


def is_alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def wait_until(condition):
    end_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


@contextlib.contextmanager
def dask(kind, *options, **environment):
    """A scheduler or a worker of Dask, which is killed when the test is over."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", kind, "--no-dashboard", *options],
        env=ENVIRONMENT | environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def scheduling(file, **environment):
    """A scheduler that has written its file."""
    with dask("scheduler", "--port", "0", "--scheduler-file", file, **environment) as process:
        wait_until(lambda: file.exists() and file.read_text().strip().endswith("}"))
        yield process


def working(file):
    """A worker of one thread for the scheduler of a file."""
    return dask("worker", "--scheduler-file", file, "--nthreads", "1", "--no-nanny")
