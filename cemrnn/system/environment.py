"""Virtual environment with the locked packages; a bare python3 runs this file: standard library only."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

GIB = 1024**3
NEEDED_GIB = 4
LOCK, LOG, VIRTUALENV = Path("requirements.lock"), Path("build/pip.log"), Path("build/.virtualenv")
NO_NETWORK = re.compile(
    "ConnectTimeout|ReadTimeout|ConnectionError|ProxyError|NameResolutionError"
    "|Temporary failure in name resolution|Network is unreachable|Could not fetch URL"
)
NO_SPACE = re.compile("No space left on device|Errno 28|Disk quota exceeded|Errno 122")
# How pip begins the line of a package from the index, from a local wheel, or already installed.
FOUND = ("Collecting ", "Processing ", "Requirement already satisfied: ")
WHERE = "import sysconfig; print(sysconfig.get_path('purelib'))"
UNUSED = r"[\\/]tests?[\\/]"  # folders with the tests of packages: a third of their modules
MOST_PROCESSES = 4  # more wait for the disk


class SetupError(RuntimeError):
    """The environment could not be made; the message is one line for the reader."""


def main(arguments: list[str]) -> int:
    """Exit status; makes the environment in the folder that the first argument names, the others are pip's."""
    try:
        create_environment(Path(arguments[0]), arguments[1:])
    except SetupError as error:
        sys.stderr.write(f"environment: {error}\n")
        return 1
    return 0


def create_environment(venv: Path, pip_arguments: list[str]) -> None:
    """Make the environment, then install the lock and this project into it.

    Raises:
        SetupError: no space, no network, or pip failed for another reason.
    """
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("", encoding="utf-8")
    python = venv / "bin" / "python"
    if not python.exists():
        check_space(venv.absolute().parent)
        make_venv(venv, pip_arguments)
    n_packages = len(LOCK.read_text(encoding="utf-8").split())
    _say(f"installing {n_packages} packages into {venv}; log in {LOG}")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    _run([*pip, "--no-compile", *pip_arguments, "-r", str(LOCK)], n_packages)
    _run([*pip, "--no-deps", "--no-build-isolation", "-e", "."])
    compile_packages(python)


def compile_packages(python: Path) -> None:
    """Compile what is installed on several cores; pip does it on one, and the packages' own tests with it.

    What a package ships and no Python compiles, e.g. a template, is left alone, as pip does.
    """
    folder = subprocess.run([str(python), "-c", WHERE], capture_output=True, text=True, check=True).stdout.strip()
    processes = str(min(os.cpu_count() or 1, MOST_PROCESSES))
    subprocess.run([str(python), "-m", "compileall", "-qq", "-j", processes, "-x", UNUSED, folder], check=False)


def check_space(folder: Path) -> None:
    """Raise SetupError unless the folder's disk has room for the environment."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED_GIB * GIB:
        raise SetupError(f"no space: {free / GIB:.1f} GiB free in {folder}, about {NEEDED_GIB} GiB needed")


def make_venv(venv: Path, pip_arguments: list[str]) -> None:
    """Make an empty environment, with virtualenv where this Python's own venv is incomplete (Debian).

    Raises:
        SetupError: neither works.
    """
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True)
    if made.returncode != 0:
        LOG.write_text(made.stdout + made.stderr, encoding="utf-8")
        shutil.rmtree(venv, ignore_errors=True)
        target = ["--target", str(VIRTUALENV), "--upgrade", "--disable-pip-version-check"]
        _run([sys.executable, "-m", "pip", "install", *pip_arguments, *target, "virtualenv"])
        _run([sys.executable, "-m", "virtualenv", str(venv)], PYTHONPATH=str(VIRTUALENV))


def explain_failure(log: str) -> str:
    """One line that says why pip failed, from its log."""
    if NO_SPACE.search(log):
        return f"no space left on the disk; about {NEEDED_GIB} GiB are needed"
    if NO_NETWORK.search(log):
        return "no network: pip could not reach its package index"
    lines = [line for line in log.splitlines() if line.strip()]
    return f"pip failed: {lines[-1].strip() if lines else 'no message'} (log in {LOG})"


def _say(text: str) -> None:
    sys.stdout.write(f"environment: {text}\n")
    sys.stdout.flush()


def _run(command: list[str], n_packages: int = 0, **environment: str) -> None:
    """Run it, its output goes to the log; says now and then how many packages are found."""
    pipes, n_found = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}, 0
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process, LOG.open("a") as log:
        for line in process.stdout:
            log.write(line)
            n_found += line.startswith(FOUND)
            if line.startswith(FOUND) and n_packages and n_found % 25 == 0:
                _say(f"{n_found}/{n_packages} packages found")
    if process.returncode != 0:
        raise SetupError(explain_failure(LOG.read_text(encoding="utf-8")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
