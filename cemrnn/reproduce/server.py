"""A server of the built book, for this machine alone."""

from __future__ import annotations

import contextlib
import errno
import functools
import http.server
from pathlib import Path

PORTS = 20  # that are tried from the one that was asked for


def open_server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server of a folder, on the first free port from this one.

    Raises:
        OSError: `PORTS` of them are busy.
    """
    handler = functools.partial(_Quiet, directory=folder)
    for number in range(port, min(port + PORTS, 65536)):
        with contextlib.suppress(OSError):
            return http.server.ThreadingHTTPServer(("127.0.0.1", number), handler)
    raise OSError(errno.EADDRINUSE, f"ports {port} to {port + PORTS - 1} are busy: another one with --port or PORT=")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each of them."""

    def log_message(self, *_) -> None:
        """Say nothing."""
