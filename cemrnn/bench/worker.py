"""A peer in a process of its own, which works when asked and sleeps otherwise, so that peers can take turns.

Standard library alone: workers import this file in environments that lack everything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cemrnn.system.timing import time_turn

ROOT = Path(__file__).parents[2]
MESSAGE_CHARACTERS = 300  # of a worker's last words, in an error


class WorkerError(RuntimeError):
    """A worker ended or failed; the message is one line."""


class Worker:
    """A process that prepares work and times it, one JSON line per request and per answer.

    Args:
        python: interpreter of the worker's environment.
        script: file that calls `serve`.
        log: file for what the worker and its libraries write to standard error.
        environment: variables to set, or with None to remove, before it starts.
    """

    def __init__(self, python: Path | str, script: Path, log: Path, environment: dict[str, str | None]) -> None:
        variables = os.environ | {"PYTHONPATH": str(ROOT)} | environment
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [str(python), "-P", str(script)],  # -P: the script's folder is no place to import from
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={name: value for name, value in variables.items() if value is not None},
            )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def prepare(self, **work: Any) -> tuple[Callable[[float], float], Any]:
        """A turn at the prepared work, and what the worker's `build` answered.

        The turn takes the least seconds that it should last and gives the mean seconds of the work (`time_turn`).

        Raises:
            WorkerError: the worker ended, now or in a turn.
        """
        prepared = self._ask({"prepare": work})
        return lambda seconds: self._ask({"time": prepared["position"], "seconds": seconds}), prepared["answer"]

    def _ask(self, request: dict[str, Any]) -> Any:
        with contextlib.suppress(BrokenPipeError):  # its last words say more than the pipe
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
            raise WorkerError(f"{last[:MESSAGE_CHARACTERS]} (log in {self._log})")
        return json.loads(answer)


def serve(build: Callable[..., tuple[Callable[[], object], Any]]) -> None:
    """Answer requests on standard input until it is closed.

    Args:
        build: takes the work to prepare as keywords, gives a call that does it once, and what to answer.
    """
    calls = []
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            call, answer = build(**request["prepare"])
            calls.append(call)
            answer = {"position": len(calls) - 1, "answer": answer}
        else:
            answer = time_turn(calls[request["time"]], request["seconds"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
