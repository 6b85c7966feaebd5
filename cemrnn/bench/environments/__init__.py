"""Environments of peers whose packages do not go with ours: made on first use, from exact requirements."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from cemrnn.bench.worker import WorkerError
from cemrnn.system import environment

REQUIREMENTS = Path(__file__).parent  # <name>.txt


def peer_python(
    name: str, folder: Path, pip_arguments: Sequence[str], say: Callable[[str], None] = lambda _: None
) -> Path:
    """Interpreter of a peer's environment, which is made unless it is there with these requirements.

    Args:
        name: of a file of requirements beside this module.
        folder: where environments are.
        pip_arguments: for pip.
        say: shows a line to whoever waits.

    Raises:
        WorkerError: the environment cannot be made; the message says why.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    venv, digest = folder / name, hashlib.sha256(requirements.read_bytes()).hexdigest()
    python, stamp = venv / "bin" / "python", venv / ".installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return python
    say(f"making the environment of {name}, once, in {venv}: a minute or more")
    shutil.rmtree(venv, ignore_errors=True)
    try:
        environment.make_venv(venv, list(pip_arguments))
    except environment.SetupError as error:
        raise WorkerError(f"its environment cannot be made: {error}") from None
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", *pip_arguments, "-r", requirements]
    made = subprocess.run(pip, capture_output=True, text=True)
    environment.LOG.write_text(made.stdout + made.stderr, encoding="utf-8")
    if made.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        raise WorkerError(f"its environment cannot be made: {environment.explain_failure(made.stdout + made.stderr)}")
    stamp.write_text(digest, encoding="utf-8")
    return python
