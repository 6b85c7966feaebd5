"""Leases: who trains a network now, so that two sweeps on one store do not train it twice.

A lease is flock(2) on an empty file. The kernel gives it back when its holder ends, however it ends. Where a file
system knows no leases, everybody gets them: work may then be done twice, with the same result.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path


class BusyError(RuntimeError):
    """Another process does this now; the message says which."""


@contextlib.contextmanager
def hold_alone(path: Path, what: str) -> Iterator[None]:
    """Hold one lease, in which stands who holds it.

    Raises:
        BusyError: another process holds it.
        OSError: the file cannot be made.
    """
    with hold_leases([path]) as (is_free,):
        if not is_free:
            with contextlib.suppress(OSError):
                what = f"{what} by {path.read_text(encoding='utf-8') or 'another process'}"
            raise BusyError(f"{what}; try again when it is done")
        path.write_text(f"process {os.getpid()} of {socket.gethostname()}", encoding="utf-8")
        yield


@contextlib.contextmanager
def hold_leases(paths: Sequence[Path]) -> Iterator[list[bool]]:
    """Whether each lease was free; those that were are held until the context ends.

    Args:
        paths: files, made if they are not there and removed when they are given back.

    Raises:
        OSError: a file cannot be made.
    """
    held: dict[Path, int | None] = {}
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(BlockingIOError):
                held[path] = _acquire(path)
        yield [path in held for path in paths]
    finally:
        for path, descriptor in held.items():
            if descriptor is not None:
                path.unlink(missing_ok=True)  # before it is given back: who comes next makes a file of its own
                os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a living process holds a lease on the file, or on what the lease of its name is for: flock(2)."""
    return any(map(_is_locked, {path, path.with_suffix(".lease")}))


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not keep us waiting
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without leases
        return False
    finally:
        os.close(descriptor)
    return False


def _acquire(path: Path) -> int | None:
    """Descriptor of the locked file; None where there are no leases.

    Raises:
        BlockingIOError: somebody else holds it.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise
        except FileNotFoundError:  # its last holder removed it in between
            pass
        except OSError:
            os.close(descriptor)
            return None
        os.close(descriptor)
