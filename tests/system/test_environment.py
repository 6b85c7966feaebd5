"""Environment: dependency files agree, failures of the setup are one clear line, README names real files."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from cemrnn.system import environment
from tests.fixtures.copies import copy_tiny_project

ROOT = Path(__file__).parents[2]
CONDA_NAMES = {"pytorch": "torch"}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def declared():
    """Requirements of pyproject.toml by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [Requirement(text) for text in project["dependencies"]]
    return {canonicalize_name(r.name): r for r in requirements} | {
        "python": Requirement(f"python{project['requires-python']}")
    }


def conda():
    """Requirements of environment.yml by PyPI name, and those that pip installs."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    packages = [Requirement(entry) for entry in entries if isinstance(entry, str)]
    return {CONDA_NAMES.get(r.name, canonicalize_name(r.name)): r for r in packages}, pip


def test_conda_and_pyproject_agree():
    packages, pip = conda()
    by_pip = {canonicalize_name(Requirement(text).name): Requirement(text) for text in pip if text != "-e ."}
    assert "-e ." in pip
    assert set(packages) | set(by_pip) == set(declared()) | {"pip", "setuptools"}
    for name, requirement in declared().items():
        if name != "jupyter-book":
            assert (packages | by_pip)[name].specifier == requirement.specifier, name
    # conda-forge numbers its builds without .post1.
    assert str(packages["jupyter-book"].specifier) == "<2"


def test_conda_channels_are_free_of_other_channels():
    channels = yaml.safe_load((ROOT / "environment.yml").read_text())["channels"]
    assert channels == ["conda-forge", "nodefaults"]


def locked():
    """Versions of requirements.lock by name."""
    lines = (ROOT / "requirements.lock").read_text().split()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9a-z.]+", line) for line in lines)
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}


def installed():
    """Packages of this environment in their locked versions, by name."""
    found = {canonicalize_name(package.metadata["Name"]): package for package in metadata.distributions()}
    same = {name: found[name] for name, version in locked().items() if name in found}
    return {name: package for name, package in same.items() if package.version.split("+")[0] == locked()[name]}


def test_the_lock_is_exact_and_satisfies_pyproject():
    pins = locked()
    for name, requirement in declared().items():
        if name != "python":
            assert requirement.specifier.contains(pins[name]), name


def test_every_pin_takes_every_python_that_is_named():
    for text in ((ROOT / "README.md").read_text(), (ROOT / "book" / "reproduce.md").read_text()):
        assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in text
    needs = {name: package.metadata.get("Requires-Python") or "" for name, package in installed().items()}
    assert len(needs) > 0.9 * len(locked())
    named = [f"{minor}.{patch}" for minor in PYTHONS for patch in (0, 2, 20)]
    assert [version for version in named if version not in declared()["python"].specifier] == []
    assert "3.10.20" not in declared()["python"].specifier and "3.15.0" not in declared()["python"].specifier
    refused = {name: need for name, need in needs.items() if any(v not in SpecifierSet(need) for v in named)}
    assert refused == {}


@pytest.mark.index
@pytest.mark.parametrize("version", ["3.11.0", *PYTHONS[1:]])
def test_the_index_has_every_pin_for_every_python(version, tmp_path):
    """`make lock`: what has wheels per Python; all else is the same file on each, and PyTorch's are too large."""
    tags = {name: package.read_text("WHEEL") or "" for name, package in installed().items()}
    wanted = {name for name in locked() if "py3-none" not in tags.get(name, "")} - {"torch"}
    (tmp_path / "pins").write_text("\n".join(f"{name}=={locked()[name]}" for name in wanted))
    options = ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:", "--python-version", version]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(tmp_path), "-r", "pins"]
    asked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if environment.NO_NETWORK.search(asked.stderr):
        pytest.skip("no network: pip could not reach its package index")
    assert asked.returncode == 0, asked.stderr
    assert "Would install" in asked.stdout


@pytest.mark.parametrize("name", ["README.md", "codecheck.yml"])
def test_named_paths_exist_or_are_generated(name):
    text = (ROOT / name).read_text()
    paths = set(re.findall(r"(?<![\w/.:-])((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:md|yml|toml|lock|cff))(?![\w:])", text))
    ours = {path for path in paths if not re.match(r"build/|\.venv/|\d+/\d+$", path)}
    assert name == "codecheck.yml" or len(ours) > 5
    assert [path for path in sorted(ours) if not (ROOT / path).exists()] == []
    stems = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    figures = set(re.findall(r"(?:figures|results)/(\w+)\.", text))
    assert figures <= stems


def test_readme_is_short_and_its_commands_exist():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 185
    targets = set(re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split())
    used = set(re.findall(r"\bmake ([a-z]+)", text))
    assert {"reproduce", "test"} <= used <= targets


def test_citation_and_codecheck_are_valid():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert citation["version"] == version
    codecheck = yaml.safe_load((ROOT / "codecheck.yml").read_text())
    assert {"version", "paper", "manifest"} <= set(codecheck)
    assert all({"file", "comment"} == set(entry) for entry in codecheck["manifest"])


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "no space"),
        ("WARNING: Retrying: NewConnectionError('...: Failed to establish a new connection')", "no network"),
        ("Temporary failure in name resolution\nERROR: No matching distribution found", "no network"),
        ("Collecting torch\nERROR: Hashes do not match\n\n", "pip failed: ERROR: Hashes do not match"),
        ("", "pip failed: no message"),
    ],
)
def test_a_failure_is_explained_in_one_line(log, expected):
    message = environment.explain_failure(log)
    assert message.startswith(expected)
    assert "\n" not in message


def test_a_full_disk_is_noticed_before_the_install(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 3.9 * environment.GIB})
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(environment.SetupError, match="no space: 3.9 GiB free"):
        environment.check_space(tmp_path)
    usage.free = 4.1 * environment.GIB
    environment.check_space(tmp_path)


def test_no_network_is_one_line_and_a_failure(tmp_path):
    (tmp_path / "requirements.lock").write_text("a-package-that-is-nowhere==1.0\n")
    # Port 9 of this machine answers nobody.
    unreachable = ["--index-url", "http://127.0.0.1:9/simple", "--retries", "1"]
    command = [sys.executable, environment.__file__, "venv", *unreachable]
    settings = {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null"}
    made = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert made.returncode == 1
    assert made.stderr == "environment: no network: pip could not reach its package index\n"


def test_an_old_python_is_one_line_and_a_failure(tmp_path):
    project = copy_tiny_project(tmp_path / "tiny")
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    (project / "requirements.lock").touch()
    (project / "pyproject.toml").touch()
    command = ["make", "-s", "-C", str(project), "environment", f"PYTHON={old}", f"VENV={tmp_path}/venv"]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode != 0
    first, *others = made.stderr.splitlines()
    assert first.startswith(f"Python 3.11 to 3.14 is needed, but {old} is: Python 3.9.2.")
    assert all(line.startswith("make") for line in others)
    assert not (tmp_path / "venv").exists()


def test_an_unknown_profile_is_one_line_and_a_failure(tmp_path):
    project = copy_tiny_project(tmp_path / "tiny")
    made = subprocess.run(["make", "-C", str(project), "book", "PROFILE=quikc"], capture_output=True, text=True)
    assert made.returncode != 0
    assert "unknown PROFILE=quikc; expected one of: quick smoke" in made.stderr


def test_packages_are_compiled_without_their_tests_and_what_is_no_python_is_left_alone(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    found = subprocess.run([str(python), "-c", environment.WHERE], capture_output=True, text=True, check=True)
    package = Path(found.stdout.strip()) / "package"
    sources = {"module.py": "x = 1", "template.py": "{{ name }} =", "tests/module.py": "x = 1"}
    for name, source in sources.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(source)
    environment.compile_packages(python)
    assert [path.name.split(".")[0] for path in package.rglob("*.pyc")] == ["module"]
    assert not (package / "tests" / "__pycache__").exists()
