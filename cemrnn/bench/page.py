"""What the page on speed shows: the results of `make bench` on this machine, else kept ones, or that there are none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cemrnn.bench.environments import REQUIREMENTS
from cemrnn.bench.rows import MemoryRow, Row, format_amounts
from cemrnn.bench.topics import TOPICS
from cemrnn.bench.validate import describe_validation

NOT_MEASURED = "*Not measured on this machine yet: `make bench`, then `make book`.*"
KEPT = "*Kept from an earlier measurement, because there is none of this machine: `make bench`, then `make book`.*"
SUFFIXES = ("", ".about")  # of the two files of a topic


def write_bench(measured: Path, folder: Path, kept: Path) -> None:
    """Write a piece of Markdown per topic, the comparison with public generators, and the list of packages.

    Args:
        measured: build/bench, which need not exist.
        folder: of the generated parts of the book.
        kept: results of a topic without a row in `measured`; need not exist either.
    """
    for topic in TOPICS:
        text = _describe_topic(measured, topic)
        if not _has_rows(measured, topic) and _has_rows(kept, topic):
            text = f"{KEPT}\n\n{_describe_topic(kept, topic)}"
        (folder / f"bench_{topic}.md").write_text(f"{text or NOT_MEASURED}\n", encoding="utf-8")
    validation = _read(measured / "validation.json", describe_validation)
    (folder / "validation.md").write_text(validation + "\n", encoding="utf-8")
    (folder / "bench_packages.md").write_text(describe_packages() + "\n", encoding="utf-8")


def keep_bench(measured: Path, kept: Path) -> list[str]:
    """The topics with a row that was measured, after their results were put in place of what was kept of them."""
    kept.mkdir(parents=True, exist_ok=True)
    topics = [topic for topic in TOPICS if _has_rows(measured, topic)]
    for topic in topics:
        for path in list_files(measured, topic):
            shutil.copyfile(path, kept / path.name)
    return topics


def list_files(folder: Path, topic: str) -> list[Path]:
    """The files of a topic: its rows, and where they were measured."""
    return [folder / f"{topic}{suffix}.json" for suffix in SUFFIXES]


def _describe_topic(folder: Path, topic: str) -> str:
    """The rows of a topic and where they were measured; empty if they are not in the folder."""
    files = list_files(folder, topic)
    return _read(files[0], _describe_files, files[1]) if all(path.exists() for path in files) else ""


def _has_rows(folder: Path, topic: str) -> bool:
    """Whether a topic was measured there, and not left out as a whole."""
    return bool(_describe_topic(folder, topic)) and json.loads(list_files(folder, topic)[0].read_text("utf-8")) != []


def _describe_files(rows: Path, about: Path) -> str:
    measured, origin = (json.loads(path.read_text(encoding="utf-8")) for path in (rows, about))
    return "\n\n".join([describe_rows(measured), describe_origin(origin)][not measured :])  # none: why not


def _read(path: Path, describe: Callable[..., str], *more: Path) -> str:
    """What `describe` makes of files that the bench wrote; of others a ValueError that names the first."""
    try:
        return describe(path, *more)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"{path}: expected what the bench writes, got something else ({error}); remove it") from None


def describe_rows(rows: list[Row | MemoryRow]) -> str:
    """Markdown table of comparisons, goal beside measured; what is no time has its unit beside it."""
    lines = [
        "| case | against | ours (ms) | theirs (ms) | ratio | goal | goal is |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        goal = "" if row["goal"] is None else f"{row['goal']:g}"
        verdict = "" if row["goal"] is None else ("reached" if row["ratio"] >= row["goal"] else "missed")
        ours, theirs, unit = format_amounts(row)
        amounts = f"{ours} | {theirs}" if unit == "ms" else f"{ours} {unit} | {theirs} {unit}"
        lines.append(f"| {row['case']} | {row['peer']} | {amounts} | {row['ratio']:.2f} | {goal} | {verdict} |")
    return "\n".join(lines)


def describe_packages() -> str:
    """Markdown list of the exact packages of the peers."""
    files = sorted(REQUIREMENTS.glob("*.txt"))
    return "\n".join(f"- `{file.stem}`: {', '.join(file.read_text(encoding='utf-8').split())}" for file in files)


def describe_origin(about: dict[str, Any]) -> str:
    """When, where and with what it was measured, and who was left out."""
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    lines = [f"*Measured on {about['date']}: {about['machine']}; {packages}; turns by everybody: {about['repeats']}.*"]
    return "\n".join(lines + [f"*{line}.*" for line in about["left_out"]])
