"""The command `cemrnn validate`: our trials against those of the public generators."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cemrnn.commands.common import PROFILE, Place
from cemrnn.reproduce.project import Project

if TYPE_CHECKING:
    from cemrnn.bench.validate import Comparison, Scores

FIGURE = "fig1_tasks"


@click.command()
@click.option("--yang", type=Place("a folder"), help="Folder with a copy of gyyang/multitask.")
@click.option("--driscoll", type=Place("a folder"), help="Folder with one of lauradriscoll/flexible_multitask.")
@click.option("--trials", "n_trials", default=2000, show_default=True, type=click.IntRange(100), help="Of each task.")
@PROFILE
def validate(yang: Path | None, driscoll: Path | None, n_trials: int, profile: str) -> None:
    """Compare the trials of the presets yang and driscoll with those that the public generators draw.

    Their code is not part of this project: name a copy of either repository, or of both. It is run, so look at it
    first. Figure 1's networks of the profile are scored on trials of both kinds, if they have been trained. Results go
    to build/bench/validation.json, and to the page on tasks when the book is built next.
    """
    from cemrnn.bench.generators import find_module, load_generator
    from cemrnn.bench.validate import compare, write_validation

    folders = {name: folder for name, folder in (("yang", yang), ("driscoll", driscoll)) if folder is not None}
    if not folders:
        raise click.UsageError("expected --yang FOLDER or --driscoll FOLDER, or both")
    generators = {name: load_generator(find_module(name, folder)) for name, folder in folders.items()}
    rows = [row for name in generators for row in compare(name, generators[name], n_trials, click.echo)]
    scores = _score(generators, profile, n_trials)
    path = Project().build / "bench" / "validation.json"
    write_validation(rows, n_trials, path, scores)
    _tell(rows, "quantities")
    if scores is not None:
        _tell(scores["rows"], "scores of figure 1's networks")
    click.echo(f"written to {path}")


def _score(generators: dict[str, dict[str, Any]], profile: str, n_trials: int) -> Scores | None:
    """Scores of figure 1's networks, or None, and a line that says why."""
    from cemrnn.bench.public_scores import load_networks, score_generator
    from cemrnn.bench.validate import Scores
    from cemrnn.reproduce.settings import make_config

    config = make_config(Project(), FIGURE, profile)
    try:
        networks = load_networks(config)
    except LookupError as error:
        click.echo(f"figure 1's networks are not scored: {error}; make train PROFILE={profile}")
        return None
    rows = []
    for name, generator in generators.items():
        rows += score_generator(networks, config, name, generator, n_trials, click.echo)
    return Scores(
        profile=profile,
        learned=config.preset,
        n_networks=sum(model.n_networks for model in networks.values()),
        rows=rows,
    )


def _tell(rows: list[Comparison], what: str) -> None:
    from cemrnn.bench.validate import FEWEST_P

    differing = [row for row in rows if row["p"] < FEWEST_P]
    for row in differing:
        name = " ".join(filter(None, (row["preset"], row.get("arm"), row["task"])))
        means = f"{row['ours']:.4g} here, {row['theirs']:.4g} there, p = {row['p']:.1g}"
        click.echo(f"differs: {name}, {row['quantity']}: {means}")
    click.echo(f"{len(rows) - len(differing)} of {len(rows)} {what} agree")
