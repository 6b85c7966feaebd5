"""Cores that a process may use, with and without affinity and cgroups, and what runs where Linux is not."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cemrnn.system import resources
from cemrnn.system.resources import count_cores, format_bytes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of eight cores whose cgroups are files in a folder."""
    monkeypatch.setattr(resources, "CGROUPS", tmp_path)
    monkeypatch.setattr(resources, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    return tmp_path


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 8), ("150000 100000", 2), ("10000 100000", 1)])
def test_the_limit_of_any_group_above_counts(machine, quota, expected):
    (machine / "membership").write_text("0::/pod/container\n")
    (machine / "pod" / "container").mkdir(parents=True)
    (machine / "pod" / "container" / "cpu.max").write_text("max 100000\n")
    (machine / "pod" / "cpu.max").write_text(quota)
    assert count_cores() == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("300000", 3)])
def test_groups_of_the_first_version_count(machine, quota, expected):
    (machine / "membership").write_text("4:memory:/\n3:cpu,cpuacct:/pod\n")
    (machine / "cpu" / "pod").mkdir(parents=True)
    (machine / "cpu" / "pod" / "cpu.cfs_quota_us").write_text(quota)
    (machine / "cpu" / "pod" / "cpu.cfs_period_us").write_text("100000")
    assert count_cores() == expected


def test_without_groups_affinity_counts_and_without_affinity_the_machine(machine, monkeypatch):
    assert count_cores() == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_cores() == 1


def test_threads_that_a_library_is_told_to_start_make_no_core():
    command = [sys.executable, "-I", resources.__file__]
    asked = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "64"})
    assert (int(asked.stdout), asked.stderr) == (count_cores(), "")


def test_sizes_have_units():
    assert [format_bytes(n) for n in (0, 999, 27_600, 5e12)] == ["0 B", "999 B", "27.6 kB", "5.0 TB"]


ELSEWHERE = """
    import builtins, ctypes, os, pathlib, sys
    import distributed, numba, pandas, torch  # libraries know where they are

    def hide(call):
        def look(path, *arguments, **others):
            if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(("/proc", "/sys/fs", "/dev/shm")):
                raise FileNotFoundError(2, "no such thing here", os.fspath(path))
            return call(path, *arguments, **others)
        return look

    del os.sched_getaffinity
    sys.platform, ctypes.CDLL = "darwin", None
    builtins.open, os.stat, os.open = hide(open), hide(os.stat), hide(os.open)
    pathlib.io.open = builtins.open
    from cemrnn.store.inventory import find_garbage, list_entries
    from cemrnn.store.store import Store
    from cemrnn.sweep.run import train_missing
    from cemrnn.system import machine, resources
    from tests.networks import small_config

    store = Store(sys.argv[1])
    assert train_missing([small_config()], store) == len(list(list_entries(store))) == 1
    assert find_garbage(store, (), days=1, checkpoint_days=1) == []
    machine.forget_peak()
    assert machine.peak_bytes() is None and machine.describe_machine() and resources.count_cores() == os.cpu_count()
"""


def test_a_sweep_runs_where_there_is_no_affinity_no_proc_and_no_glibc(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(ELSEWHERE), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stderr) == (0, "")
