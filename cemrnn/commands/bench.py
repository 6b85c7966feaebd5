"""The command `cemrnn bench`: speed on this machine."""

from __future__ import annotations

import json

import click

from cemrnn.commands.common import PROFILE, experiment_config, user_mistakes
from cemrnn.reproduce.project import Project


@click.command()
@PROFILE
@click.option("--seconds", default=2.0, show_default=True, help="Length of each measurement.")
@click.option("--repeats", default=5, show_default=True, help="Interleaved repeats against each peer.")
def bench(profile: str, seconds: float, repeats: int) -> None:
    """Measure trial generation, training and the engine against its peers on this machine.

    The last goes to build/bench/engine.json as well.
    """
    from cemrnn.bench.engine import compare_engine
    from cemrnn.bench.speed import measure_speed

    project = Project()
    with user_mistakes():
        config = experiment_config(project, "fig1_tasks", profile)
    for line in measure_speed(config, seconds):
        click.echo(line)
    rows = []
    for row in compare_engine(repeats):
        rows.append(row)
        goal = "" if row["goal"] is None else f" (goal {row['goal']:g})"
        times = f"{1e3 * row['ours_s']:.1f} ms against {1e3 * row['peer_s']:.1f} ms"
        click.echo(f"{row['case']:<32} {row['peer']:<32} {row['ratio']:6.2f} x{goal}, {times}")
    target = project.build / "bench" / "engine.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
