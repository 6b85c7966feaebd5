"""The machine that measures: what it is called, and the most memory that this process has held (Linux only)."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

import torch

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def describe_machine() -> str:
    """Processor and number of cores."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        model = next(value.strip() for key, value in fields.items() if key.strip() == "model name")
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"


def describe_gpu() -> str:
    """The CUDA device's name, or "none"."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"


def peak_bytes() -> int | None:
    """Most memory that this process has held so far; None where the system is not Linux.

    The high-water mark of the status file: getrusage begins with that of the process that started this one.
    """
    if not STATUS.exists():
        return None
    lines = STATUS.read_text(encoding="ascii").splitlines()
    kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return 1024 * kibibytes


def forget_peak() -> None:
    """Give freed memory back to the system, and count the peak from now on (Linux only)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if FORGET.exists() else None
    if trim is not None:
        trim(0)
        FORGET.write_text("5", encoding="ascii")  # proc(5): resets the high-water mark
