"""The command `cemrnn validate`: our trials against those of the public generators."""

from __future__ import annotations

from pathlib import Path

import click

from cemrnn.reproduce.project import Project


@click.command()
@click.option("--yang", type=click.Path(path_type=Path), help="Folder with a copy of gyyang/multitask.")
@click.option(
    "--driscoll", type=click.Path(path_type=Path), help="Folder with one of lauradriscoll/flexible_multitask."
)
@click.option("--trials", "n_trials", default=2000, show_default=True, type=click.IntRange(100), help="Of each task.")
def validate(yang: Path | None, driscoll: Path | None, n_trials: int) -> None:
    """Compare the trials of the presets yang and driscoll with those that the public generators draw.

    Their code is not part of this project: name a copy of either repository, or of both. It is run, so look at it
    first. Results go to build/bench/validation.json, and to the page on tasks when the book is built next.
    """
    from cemrnn.bench.validate import FEWEST_P, compare, find_module, load_generator, write_validation

    folders = {name: folder for name, folder in (("yang", yang), ("driscoll", driscoll)) if folder is not None}
    if not folders:
        raise click.UsageError("expected --yang FOLDER or --driscoll FOLDER, or both")
    generators = {name: load_generator(find_module(name, folder)) for name, folder in folders.items()}
    rows = [row for name in generators for row in compare(name, generators[name], n_trials, click.echo)]
    path = Project().build / "bench" / "validation.json"
    write_validation(rows, n_trials, path)
    differing = [row for row in rows if row["p"] < FEWEST_P]
    for row in differing:
        means = f"{row['ours']:.4g} here, {row['theirs']:.4g} there, p = {row['p']:.1g}"
        click.echo(f"differs: {row['preset']} {row['task']}, {row['quantity']}: {means}")
    click.echo(f"{len(rows) - len(differing)} of {len(rows)} quantities agree; written to {path}")
