"""The threads of this process: how many torch uses, and how many compiled functions share."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
_lock = threading.Lock()
_pins: list[int] = []  # threads that torch had, for everybody who holds it to one now


@contextlib.contextmanager
def limit_threads(n_threads: int) -> Iterator[None]:
    """Let torch, and the compiled functions, use so many threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def pin_threads() -> Iterator[None]:
    """Hold torch to one thread within the block; compiled functions keep as many as torch had.

    Torch splits sums among its threads, so that the last bits of a result depend on their number; what compiled
    functions compute does not.
    """
    with _lock:
        _pins.append(count_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            before = _pins.pop()
            if not _pins:
                torch.set_num_threads(before)


def count_threads() -> int:
    """Threads that compiled functions may share: as many as torch may use, or might before it was held to one."""
    return _pins[-1] if _pins else torch.get_num_threads()


def split_evenly(n_items: int) -> list[slice]:
    """Slices that share out so many items, one per thread, none empty."""
    n_parts = max(1, min(n_items, count_threads()))
    edges = [n_items * part // n_parts for part in range(n_parts + 1)]
    return [slice(*pair) for pair in zip(edges, edges[1:], strict=False)]


def run_on_threads(function: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call the function, which must release the interpreter's lock, with each item on a thread of its own.

    The first item runs on the calling thread. An exception of any call is raised when all have ended.
    """
    first, *others = items
    waiting = [_pool(len(others)).submit(function, item) for item in others]
    try:
        function(first)
    finally:
        for future in waiting:
            future.exception()
    for future in waiting:
        future.result()


@functools.cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="cemrnn")
