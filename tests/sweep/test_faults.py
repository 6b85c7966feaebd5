"""What can happen to a sweep, with real processes: whatever ends it, the next one ends with the same networks."""

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.sweep.processes import (
    DEADLINE_S,
    LONG,
    is_alive,
    scheduling,
    sweep,
    sweeping,
    wait_for,
    wait_until,
    working,
)


def entries(store):
    """Content of every file of every entry; checkpoints and leases do not count."""
    return {path.relative_to(store): path.read_bytes() for path in store.glob("??/*/*")}


def leftovers(store):
    return [path for name in ("checkpoints", "temporary", "quarantine") for path in store.glob(f"{name}/*")]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """What a serial sweep of the long training leaves."""
    store = tmp_path_factory.mktemp("serial")
    assert sweep(store, *LONG)[:2] == (0, 10)
    assert leftovers(store) == []
    return entries(store)


def assert_rerun_completes(store, reference, *options, spared=()):
    """Nothing is left but spared files, which a writer that was killed while it saved may leave for `store gc`."""
    before = len(entries(store)) / 3  # files of an entry
    code, n_trained, errors = sweep(store, *LONG, *options)
    assert (code, n_trained) == (0, 10 - before), errors
    assert entries(store) == reference
    assert set(leftovers(store)) <= set(spared)


def test_workers_shards_and_order_make_no_difference(tmp_path, reference):
    assert sweep(tmp_path / "workers", *LONG, "--workers", "2", "--backwards")[:2] == (0, 10)
    assert entries(tmp_path / "workers") == reference
    shards = [sweep(tmp_path / "shards", *LONG, "--shard", str(i), "2")[:2] for i in (2, 1)]
    assert shards == [(0, 5), (0, 5)]
    assert entries(tmp_path / "shards") == reference


def test_a_killed_worker_is_replaced(tmp_path, reference):
    with sweeping(tmp_path, *LONG, "--workers", "2") as process:
        worker = int(wait_for(process, r"progress \d+ \S+/(\d+):")[1])
        os.kill(worker, signal.SIGKILL)
        output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, errors
    assert "trained 10" in output
    assert entries(tmp_path) == reference
    assert leftovers(tmp_path) == []


def test_a_killed_driver_takes_its_workers_along_and_the_next_goes_on(tmp_path, reference):
    with sweeping(tmp_path, *LONG, "--workers", "2") as process:
        worker = int(wait_for(process, r"progress \d+ \S+/(\d+):")[1])
        process.kill()
        wait_until(lambda: not is_alive(worker))
    assert_rerun_completes(tmp_path, reference, "--workers", "2")


def test_a_killed_sweep_without_workers_goes_on_from_its_checkpoint(tmp_path, reference):
    with sweeping(tmp_path, *LONG) as process:
        wait_until(lambda: any(tmp_path.glob("checkpoints/*.checkpoint")))
        process.kill()
        process.wait()
    assert any(tmp_path.glob("checkpoints/*.checkpoint"))
    assert_rerun_completes(tmp_path, reference)


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_ctrl_c_saves_checkpoints_and_says_how_to_go_on(tmp_path, reference, options):
    with sweeping(tmp_path, *LONG, *options) as process:
        wait_for(process, r"progress \d+ ")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    n_saved = len(entries(tmp_path)) // 3
    assert errors == f"Error: interrupted: {n_saved}/10 networks saved; run the same command to resume\n"
    assert any(tmp_path.glob("checkpoints/*.checkpoint"))
    assert_rerun_completes(tmp_path, reference)


def test_a_killed_scheduler_is_noticed(tmp_path, reference):
    store, file = tmp_path / "store", tmp_path / "scheduler.json"
    with scheduling(file) as scheduler, working(file):
        with sweeping(store, *LONG, "--scheduler-file", file) as process:
            wait_for(process, r"progress \d+ \S+/\d+:")
            scheduler.kill()
            _, errors = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 1
        expected = r"^Error: .*scheduler.*; \d+/10 networks saved; run the same command to resume\n$"
        assert re.search(expected, errors), errors
    spared = [path for path in leftovers(store) if path.suffix in (".lease", ".tmp")]  # the worker may be at its end
    assert_rerun_completes(store, reference, spared=spared)


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_a_full_disk_is_one_clear_error_and_nothing_is_half_written(tmp_path, reference, options):
    code, _, errors = sweep(tmp_path, *LONG, "--largest-file", "1500", *options)
    assert code == 1
    assert re.match(rf"Error: File too large: {tmp_path}/\S+; 0/10 networks saved\n$", errors), errors
    assert entries(tmp_path) == {}
    assert not any(path for path in leftovers(tmp_path) if path.suffix != ".checkpoint")
    assert_rerun_completes(tmp_path, reference)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 64 KiB."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("disks cannot be mounted here")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_a_disk_that_is_too_small_is_told_before_and_what_is_needed_when_it_is_full(small_disk):
    store = small_disk / "store"
    code, _, errors = sweep(store, *LONG)
    assert code == 1
    warning, error = errors.splitlines()
    assert re.fullmatch(rf"{store}: about \d+\.\d kB are needed, \d+\.\d kB are free", warning)
    expected = rf"Error: No space left on device: {store}/\S+; {store} needs \d+\.\d kB more; \d/10 networks saved"
    assert re.fullmatch(expected, error)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_read_only_store_is_refused_before_training():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        code, _, errors = sweep(Path(folder), "--user", "65534")
        assert code == 1
        assert errors == f"Error: the store cannot be written: Permission denied: {folder}; 0/10 networks saved\n"
        assert os.listdir(folder) == []


def test_two_sweeps_on_one_store_share_the_work(tmp_path, reference):
    with sweeping(tmp_path, *LONG) as first, sweeping(tmp_path, *LONG, "--backwards") as second:
        outputs = [process.communicate(timeout=DEADLINE_S) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    counts = [int(re.search(r"^trained (\d+)$", output, re.MULTILINE)[1]) for output, _ in outputs]
    assert sum(counts) == 10  # no network was trained twice
    assert min(counts) > 0
    assert entries(tmp_path) == reference
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_a_job_that_fails_does_not_stop_the_others(tmp_path, reference, options):
    code, _, errors = sweep(tmp_path, *LONG, "--with-failing", *options)
    assert code == 1
    assert re.match(r"Error: not trained: excitability, N = 16, K = 2, seeds 99 \(RuntimeError: ", errors)
    assert errors.endswith("); the rest is kept: 10/11 networks saved\n")
    assert errors.count("\n") == 1
    assert entries(tmp_path) == reference


def test_a_damaged_entry_is_trained_again(tmp_path, reference):
    assert sweep(tmp_path, *LONG)[:2] == (0, 10)
    victim = next(tmp_path.glob("??/*/weights.safetensors"))
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    code, n_trained, errors = sweep(tmp_path, *LONG)
    assert (code, n_trained) == (0, 1)
    assert errors.count("is damaged") == 1
    assert entries(tmp_path) == reference
