"""How long everything takes, measured in a clone that had nothing, kept in `book/times.yml`, told by README and pages.

A notebook's seconds are those without training; the networks of all figures are trained before.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import yaml

from cemrnn.config import Config
from cemrnn.figures import list_figures
from cemrnn.reproduce.documents import parse_yaml
from cemrnn.reproduce.expected import replace_between
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.run_progress import last_seconds

FILE = Path("book") / "times.yml"
BEGIN, END = "<!-- times: written by cemrnn times -->", "<!-- /times -->"
HEADER = "# Seconds, measured by `make times` in a clone that had nothing, and told by README. Written, not typed.\n"
COARSE = ((90, 5, "s"), (5400, 60, "min"), (float("inf"), 3600, "h"))  # below so many seconds, rounded to, in
FIGURE_ROW = re.compile(r"^(\|.*\| `notebooks/(\w+)\.ipynb` \|)[^|]*\|$", re.MULTILINE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Times(Config):
    """Seconds of a build from nothing, and where they were measured.

    Attributes:
        machine: processor and cores.
        date: of the measurement, year-month-day.
        profile: of the build.
        networks: how many were trained.
        training_s: of all networks.
        reproduce_s: of `make reproduce`, training included.
        test_s: of `make test`.
        notebooks: the figures, in order.
        notebooks_s: of each without training.
    """

    machine: str
    date: str
    profile: str
    networks: int
    training_s: float | None = None
    reproduce_s: float
    test_s: float
    notebooks: tuple[str, ...]
    notebooks_s: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.notebooks) != len(self.notebooks_s):
            raise ValueError(f"notebooks_s: expected {len(self.notebooks)} numbers, got {len(self.notebooks_s)}")


def measure_notebooks(clone: Project, profile: str) -> dict[str, float]:
    """Seconds of the notebook of every figure, from what a finished build says of itself.

    Raises:
        ValueError: a figure has not run.
    """
    seconds = {stem: last_seconds(clone.build / profile, stem) for stem in clone.stems()}
    if lacking := [stem for stem, value in seconds.items() if value is None]:
        raise ValueError(f"{clone.root}: expected a finished build at profile {profile}, got no {', '.join(lacking)}")
    return {stem: round(value, 1) for stem, value in seconds.items()}


def measure_training(clone: Project, profile: str, environment: str = ".venv") -> float | None:
    """Seconds between the end of the environment and that of the training; None in a build that went on."""
    begun, ended = clone.root / environment / ".installed", clone.build / profile / "trained"
    if not (begun.exists() and ended.exists()):
        return None
    return round(max(ended.stat().st_mtime - begun.stat().st_mtime, 0.0), 1) or None


def load_times(root: Path) -> Times:
    """What the clone's file says; errors as `Times`."""
    values = parse_yaml((root / FILE).read_text(encoding="utf-8"))
    seconds = values.pop("seconds")
    return Times.from_params(values | {"notebooks": list(seconds), "notebooks_s": list(seconds.values())})


def write_times(root: Path, times: Times) -> None:
    """Write the file, and what README tells of it."""
    values = times.to_dict()
    values["seconds"] = dict(zip(values.pop("notebooks"), values.pop("notebooks_s"), strict=True))
    body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
    (root / FILE).write_text(HEADER + body, encoding="utf-8")
    readme = root / "README.md"
    if readme.exists():
        replace_between(readme, BEGIN, describe_totals(times), END)
        readme.write_text(replace_times(readme.read_text(encoding="utf-8"), times), encoding="utf-8")


def describe_totals(times: Times) -> str:
    """A sentence for README: what both commands take, and on which machine."""
    networks, training = f"{times.networks:,} small networks are trained", times.training_s
    within = f"in which {networks}" if training is None else f"{round_duration(training)} of it while {networks}"
    return (
        f"From a bare clone the first takes about {round_duration(times.reproduce_s)}, {within},\n"
        f"and the second about {round_duration(times.test_s)}, as measured on {times.date} ({times.machine})."
    )


def describe_notebook(root: Path, stem: str) -> str:
    """A sentence for the page of a figure: what its notebook takes; none if it was not measured."""
    if not (root / FILE).exists():
        return ""
    times = load_times(root)
    known = dict(zip(times.notebooks, times.notebooks_s, strict=True))
    if stem not in known:
        return ""
    return (
        f"With its networks trained, the notebook takes about {round_duration(known[stem])} at profile"
        f" {times.profile}, as measured on {times.date} ({times.machine});"
        " what networks take at any profile is told by `cemrnn sweep --dry-run`."
    )


def replace_times(text: str, times: Times) -> str:
    """The text with the time of its notebook at the end of every row of the table of figures."""
    known = {stem: s for stem, s in zip(times.notebooks, times.notebooks_s, strict=True) if stem in list_figures()}

    def write(row: re.Match) -> str:
        return f"{row[1]} {round_duration(known[row[2]])} |" if row[2] in known else row[0]

    return FIGURE_ROW.sub(write, text)


def round_duration(seconds: float) -> str:
    """Seconds in words, as coarse as another machine's would differ: "40 s", "3 min", "2 h"."""
    step, unit = next((step, unit) for below, step, unit in COARSE if seconds < below)
    return f"{max(round(seconds / step), 1) * (step if unit == 's' else 1)} {unit}"
