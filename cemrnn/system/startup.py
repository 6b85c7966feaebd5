"""Settings of the process that decide speed and nothing else; applied when `cemrnn` is imported.

Measured on two cores for one update of five networks (N = 64, 120 trials, 53 steps): 24 ms without, 15 ms with.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)


def keep_freed_memory() -> None:
    """Keep freed buffers with the process, so that the next ones cause no page faults (glibc only)."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def let_idle_threads_sleep() -> None:
    """Keep torch's idle threads from spinning on the cores that the kernels use. Works before torch is loaded."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
