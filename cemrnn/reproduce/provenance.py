"""Where a figure comes from: profile, seeds, code, configuration, versions, wall time."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas

from cemrnn.figures.result import Result
from cemrnn.reproduce.documents import read_json
from cemrnn.reproduce.markdown import escape
from cemrnn.reproduce.settings import name_profile

# Of an origin, for the table of the book.
NEEDED = (
    "stem", "profile", "seeds", "n_replicates", "commit", "has_uncommitted_changes", "config_digest", "wall_seconds",
)  # fmt: skip
PACKAGES = ("cemrnn", "torch", "numpy", "scipy", "matplotlib")


def describe(result: Result) -> dict[str, Any]:
    """JSON-ready origin of a result, as the book shows it."""
    config = result.config.to_dict()
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "stem": result.stem,
        "profile": name_profile(result.stem, result.config),
        "seeds": {name: value for name, value in config.items() if "seed" in name},
        "n_replicates": int(result.n_replicates),
        **read_commit(Path(__file__)),
        "config_digest": result.config.digest(),
        "config": config,
        "versions": {"python": platform.python_version()} | versions,
        "wall_seconds": round(float(result.seconds), 1),
    }


def read_commit(file: Path) -> dict[str, Any]:
    """Commit of the repository that tracks this file, and whether its tracked files differ; "unknown" without one."""
    tracked = _git(file.parent, "ls-files", "--error-unmatch", "--", f":(literal){file.name}")
    head = _git(file.parent, "rev-parse", "HEAD") if tracked else ""
    changes = _git(file.parent, "status", "--porcelain", "--untracked-files=no") if head else ""
    return {"commit": head or "unknown", "has_uncommitted_changes": bool(changes)}


def summarise(origin: dict[str, Any]) -> str:
    """One line that is the same for the same configuration: the figure's footer."""
    seeds = ", ".join(f"{name} {value}" for name, value in origin["seeds"].items())
    parts = [f"profile {origin['profile']}", seeds, f"{origin['n_replicates']} networks per condition"]
    return " · ".join(part for part in [*parts, f"config {origin['config_digest'][:8]}"] if part)


def describe_line(origin: dict[str, Any]) -> str:
    """One line of Markdown with everything a reader needs to find the run again."""
    changed = " with uncommitted changes" if origin["has_uncommitted_changes"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in origin["versions"].items())
    return escape(
        f"{summarise(origin)} · commit {origin['commit'][:10]}{changed} · {versions} · {origin['wall_seconds']:.0f} s"
    )


def read_origins(folder: Path) -> list[dict[str, Any]]:
    """What `describe` said of every figure of a provenance folder.

    Raises:
        ValueError: a file is not one of these; the message names it.
    """
    origins = {path: read_json(path) for path in sorted(folder.glob("*.json"))}
    for path, origin in origins.items():
        if missing := [name for name in NEEDED if name not in origin]:
            raise ValueError(f"{path}: expected {', '.join(missing)}, got none; run its notebook again")
    return list(origins.values())


def read_table(folder: Path) -> pandas.DataFrame:
    """One row per recorded figure of a provenance folder: figure, profile, replicates, code, time."""
    rows = [
        {
            "figure": origin["stem"],
            "profile": escape(origin["profile"]),
            "seeds": ", ".join(str(value) for value in origin["seeds"].values()),
            "networks per condition": origin["n_replicates"],
            "commit": origin["commit"][:10] + ("*" if origin["has_uncommitted_changes"] else ""),
            "config": origin["config_digest"][:8],
            "seconds": origin["wall_seconds"],
        }
        for origin in read_origins(folder)
    ]
    return pandas.DataFrame(rows)


def _git(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
