"""Ctrl-C: one that waits for a safe point, and one that ends with the line that says how to go on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """A function that tells whether Ctrl-C (or SIGTERM) came since; the signal itself does nothing meanwhile.

    A second Ctrl-C interrupts at once. Outside the main thread, where Python hears no signals, the function
    always says no.
    """
    came = threading.Event()

    def note(number, frame):
        if came.is_set():
            raise KeyboardInterrupt
        came.set()

    with _handling(note):
        yield came.is_set


@contextlib.contextmanager
def ending_at_once(line: str) -> Iterator[None]:
    """Let Ctrl-C (or SIGTERM) end the process with a line, wherever it is: in an import, too, which would swallow it.

    For the time in which nothing is written that would be lost.
    """

    def end(number, frame):
        os.write(2, f"\n{line}\n".encode())
        os._exit(1)

    with _handling(end):
        yield


@contextlib.contextmanager
def _handling(handler: Callable) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, former in previous.items():
            signal.signal(number, former)
