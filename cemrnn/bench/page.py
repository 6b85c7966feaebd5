"""What the page on speed shows: the results of `make bench` on this machine, or that there are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cemrnn.bench.environments import REQUIREMENTS
from cemrnn.bench.figure import LABELS, plot
from cemrnn.bench.rows import Row, format_ms
from cemrnn.bench.scaling import Point, describe_exponent
from cemrnn.figures.style import render

NOT_MEASURED = "*Not measured on this machine yet: `make bench`, then `make book`.*"
FIGURE = "bench_scaling"
ALT = (
    "Twelve panels with logarithmic axes. Time per update, above, and peak memory per network, below, against the "
    "numbers of units, contexts, networks, steps and trials and the rank; points and a fitted power law."
)
CAPTION = (
    "Time per update (a to f) and peak memory per network (g to l) of the combined arm against one size at a time. "
    "Lines are the fitted power laws, grey lines mark the value that the size has in the other panels."
)


def write_bench(measured: Path, folder: Path) -> None:
    """Nothing; writes a piece of Markdown per topic, and the figure of the sizes.

    Args:
        measured: build/bench, which need not exist.
        folder: of the generated parts of the book.
    """
    for topic, describe in TOPICS.items():
        sources, text = [measured / f"{topic}{suffix}.json" for suffix in ("", ".about")], NOT_MEASURED
        if all(source.exists() for source in sources):
            result, about = (json.loads(source.read_text(encoding="utf-8")) for source in sources)
            text = f"{describe(result)}\n\n{describe_origin(about)}"
        (folder / f"bench_{topic}.md").write_text(text + "\n", encoding="utf-8")
    (folder / "bench_packages.md").write_text(describe_packages() + "\n", encoding="utf-8")
    points = measured / "scaling.json"
    if points.exists():
        figure = plot(json.loads(points.read_text(encoding="utf-8")))
        (folder / f"{FIGURE}.svg").write_bytes(render(figure, "svg", FIGURE))


def describe_rows(rows: list[Row]) -> str:
    """Markdown table of comparisons, goal beside measured."""
    lines = ["| case | against | ours (ms) | theirs (ms) | ratio | goal | |", "|---|---|---:|---:|---:|---:|---|"]
    for row in rows:
        goal = "" if row["goal"] is None else f"{row['goal']:g}"
        verdict = "" if row["goal"] is None else ("reached" if row["ratio"] >= row["goal"] else "missed")
        times = f"{format_ms(row['ours_s'])} | {format_ms(row['peer_s'])}"
        lines.append(f"| {row['case']} | {row['peer']} | {times} | {row['ratio']:.2f} | {goal} | {verdict} |")
    return "\n".join(lines)


def describe_points(points: list[Point]) -> str:
    """Markdown: the figure, then the exponents with their intervals."""
    figure = f"```{{figure}} generated/{FIGURE}.svg\n:alt: {ALT}\n:name: fig-bench-scaling\n\n{CAPTION}\n```"
    header = "| size | exponent of time | exponent of memory per network |\n|---|---|---|"
    rows = []
    for size, label in LABELS.items():
        mine = [point for point in points if point["size"] == size]
        exponents = (describe_exponent(mine, quantity) for quantity in ("seconds", "bytes_per_network"))
        rows.append(f"| {label} | {' | '.join(exponents)} |")
    return "\n".join([figure, "", header, *rows])


def describe_cost(fitted: dict[str, Any]) -> str:
    """Markdown table: how far predictions are from what was measured."""
    header = " | ".join(f"{quantile:.0%}" for quantile in fitted["quantiles"])
    lines = [f"| predicted over measured, quantile | {header} |", "|---" * (len(fitted["quantiles"]) + 1) + "|"]
    for kind, ratios in fitted["predicted_over_measured"].items():
        lines.append(f"| {kind} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")
    return "\n".join(lines)


def describe_sweeps(measured: dict[str, Any]) -> str:
    """Markdown: the rows, what a network costs besides its training, and what follows for a large cluster."""
    facts, many = measured["facts"], measured["facts"]["many"]
    per_network = {
        "writing it to the store": f"{1e3 * facts['save_s']:.1f} ms",
        "checking that it is there and whole": f"{1e3 * facts['check_s']:.1f} ms",
        "listing it": f"{1e3 * facts['list_s']:.2f} ms",
        "its place in the store, N = 8": f"{facts['entry_bytes'] / 1e3:.1f} kB",
        "the scheduler, per job": f"{1e3 * facts['submit_s']:.1f} ms",
    }
    n_networks = many["n_networks"]
    predicted = {
        "core-hours": f"{many['core_hours']:.0f}",
        "hours": f"{many['hours']:.2f}",
        "share of the cores' time that is used (the rest is waiting for the last jobs)": f"{many['efficiency']:.0%}",
        "jobs": f"{many['n_jobs']:,}",
        "jobs per second that the scheduler hands out": f"{many['jobs_per_s']:.0f}",
        "the same, as a share of what it can": f"{many['jobs_per_s'] * facts['submit_s']:.1%}",
        "networks per second that are written": f"{many['networks_per_s']:.0f}",
        "folders in each of the 256 folders of the store": f"{n_networks / 256:.0f}",
        "files and folders in the store": f"{4 * n_networks + 256:,}",
        "to see what is missing, on a local disk": f"{n_networks * facts['check_s'] / 60:.1f} min",
    }
    tables = [
        _tabulate("a network costs", per_network),
        _tabulate(f"{n_networks:,} networks of the profile quick on {many['n_workers']:,} cores", predicted),
    ]
    return "\n\n".join([describe_rows(measured["rows"]), *tables])


def _tabulate(title: str, values: dict[str, str]) -> str:
    return "\n".join([f"| {title} | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in values.items())])


def describe_packages() -> str:
    """Markdown list of the exact packages of the peers."""
    files = sorted(REQUIREMENTS.glob("*.txt"))
    return "\n".join(f"- `{file.stem}`: {', '.join(file.read_text(encoding='utf-8').split())}" for file in files)


def describe_origin(about: dict[str, Any]) -> str:
    """When, where and with what it was measured, and who was left out."""
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    lines = [f"*Measured on {about['date']}: {about['machine']}; {packages}; turns by everybody: {about['repeats']}.*"]
    return "\n".join(lines + [f"*{line}.*" for line in about["left_out"]])


TOPICS: dict[str, Callable[[Any], str]] = {
    "engine": describe_rows,
    "trials": describe_rows,
    "pathways": describe_rows,
    "fixed_points": describe_rows,
    "scaling": describe_points,
    "cost": describe_cost,
    "sweeps": describe_sweeps,
}
