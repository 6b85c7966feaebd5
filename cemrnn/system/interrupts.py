"""Ctrl-C that waits for a safe point."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """A function that tells whether Ctrl-C (or SIGTERM) came since; the signal itself does nothing meanwhile.

    A second Ctrl-C interrupts at once. Outside the main thread, where Python hears no signals, the function
    always says no.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number, frame):
        if came.is_set():
            raise KeyboardInterrupt
        came.set()

    for number in previous:
        signal.signal(number, note)
    try:
        yield came.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
