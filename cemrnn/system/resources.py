"""Cores that this process may use, and bytes in words; standard library alone, so that Make can run this file."""

import contextlib
import math
import os
import sys
from pathlib import Path

CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def count_cores() -> int:
    """Cores that this process may use: those that the system has, affinity lets it use, and its cgroups pay for.

    OMP_NUM_THREADS and its like say how many threads a library starts, and make no core.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    n_cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([n_cores, *map(math.ceil, _quotas())]))


def _quotas() -> list[float]:
    """Cores that each cgroup of the process, of either version, and each above it grants; empty where none has a limit.

    Source: kernel.org, cgroup-v2 (cpu.max) and cgroup-v1 (cpu.cfs_quota_us).
    """
    with contextlib.suppress(OSError):
        lines = [line.split(":", 2) for line in MEMBERSHIP.read_text().splitlines()]
        places = [
            CGROUPS / ("cpu" if controllers else "") / path.strip("/")
            for _, controllers, path in lines
            if not controllers or "cpu" in controllers.split(",")
        ]
        folders = {
            folder for place in places for folder in (place, *place.parents) if CGROUPS in (folder, *folder.parents)
        }
        return [quota for folder in folders if (quota := _quota(folder)) is not None]
    return []


def _quota(folder: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)  # "max" is no number
    with contextlib.suppress(OSError, ValueError):
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 else None
    return None


def format_bytes(n_bytes: float) -> str:
    """A size in decimal units, e.g. 27.6 kB."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


if __name__ == "__main__":
    sys.stdout.write(f"{count_cores()}\n")
