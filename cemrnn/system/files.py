"""Files that appear whole or not at all, even if power fails; tensors with a JSON document, never executed on reading.

An OSError that leaves this module names the path: a full disk is told with the file that did not fit.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import os
import socket
import stat
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

if TYPE_CHECKING:  # most files hold no tensors, and who writes them does not wait for torch
    from torch import Tensor

# What reading bytes that are no safetensors file, or not one of ours, was seen to raise.
UNREADABLE = (SafetensorError, ValueError, KeyError, TypeError, RuntimeError)
LEFTOVER_S = 24 * 3600.0
DAMAGED = ".damaged"  # ending of a checkpoint that was set aside
CHECKSUM_BYTES = 64  # of a checksum in hexadecimal digits


def write_tensors(path: Path, tensors: Mapping[str, Tensor], document: Any) -> None:
    """Write a file that appears complete, under its name, or not at all. See `pack_tensors`."""
    write_bytes(path, pack_tensors(tensors, document))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Tensors and document of a file.

    Raises:
        ValueError: the file is not what `write_tensors` writes.
        FileNotFoundError: there is none.
    """
    try:
        return unpack_tensors(read_plain(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_sealed(path: Path, tensors: Mapping[str, Tensor], document: Any) -> None:
    """As `write_tensors`, with a checksum of all of it at the end."""
    content = pack_tensors(tensors, document)
    write_bytes(path, content + checksum(content).encode())


def read_sealed(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Tensors and document of a file.

    Raises:
        ValueError: the file is not, to the byte, what `write_sealed` wrote.
        FileNotFoundError: there is none.
    """
    content = read_plain(path)
    content, seal = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    if checksum(content).encode() != seal:
        raise ValueError("checksum differs")
    return unpack_tensors(content)


def checksum(content: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read_plain(path: Path) -> bytes:
    """Content of a file.

    Raises:
        ValueError: it is no plain file: a pipe would keep its reader waiting for ever.
        FileNotFoundError: there is none.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("expected a plain file")
    return path.read_bytes()


def pack_tensors(tensors: Mapping[str, Tensor], document: Any) -> bytes:
    """Content of a safetensors file.

    Args:
        tensors: name -> tensor.
        document: JSON-ready value, kept in one metadata key so that the content is byte-stable.
    """
    from safetensors.torch import save

    text = json.dumps(document, sort_keys=True)
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(content, metadata={"document": text})


def unpack_tensors(content: bytes) -> tuple[dict[str, Tensor], Any]:
    """Tensors, on the CPU, and document of what `pack_tensors` made.

    Raises:
        ValueError: the content is something else.
    """
    from safetensors.torch import load

    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return tensors, json.loads(header["__metadata__"]["document"])
    except UNREADABLE as error:
        raise ValueError(f"expected a complete safetensors file with a document, got: {error}") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that appears complete, under its name, or not at all, even if power fails.

    Raises:
        OSError: it cannot be written; the error names the path, and what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(new_temporary_name())
    try:
        write_through(temporary, content)
        with naming(path):
            temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_through(path: Path, content: bytes) -> None:
    """Write to the disk, not only to its cache; a reader may see a part of the content meanwhile."""
    with naming(path), path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make names that were added to the folder, or renamed in it, survive a loss of power."""
    with naming(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems know no such thing
                raise
        finally:
            os.close(descriptor)


def new_temporary_name() -> str:
    """A name for something temporary that tells who writes it: .<random>.<process>.<place>.tmp"""
    return f".{uuid.uuid4().hex}.{os.getpid()}.{_place()}.tmp"


def is_leftover(path: Path) -> bool:
    """Whether something with a temporary name is of no use any more.

    It is if its writer was a process of this place and lives no more. Nobody knows about the processes of other
    places that share the disk: what they wrote is of no use if nothing was written to it for a day.
    """
    _, _, process, place = [*path.name.removesuffix(".tmp").split(".", 3), "", "", ""][:4]
    if place == _place() and process.isdecimal():
        return not _is_alive(int(process))
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.lstat().st_mtime > LEFTOVER_S
    return False


@functools.cache
def _place() -> str:
    """Host and, on Linux, what tells its containers apart: within a place a process has one number."""
    with contextlib.suppress(OSError):
        return f"{socket.gethostname()}.{os.stat('/proc/self/ns/pid').st_ino}"
    return socket.gethostname()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # alive, and another user's
        return True
    return True


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError that knows no path this one: those of writing and syncing know none."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
