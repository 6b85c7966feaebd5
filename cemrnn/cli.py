"""The command `cemrnn`: what Make calls, from any shell in the folder of the clone."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
import typing
from collections.abc import Iterator

import click

from cemrnn.config import Config
from cemrnn.reproduce.project import Project

CUSTOM = "custom"
PROFILE = click.option(
    "--profile", default="quick", show_default=True, help="File of sizes: notebooks/params/<profile>.yml."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Train networks, run notebooks and build the book.

    Run it in the folder of the clone. Trained networks are kept in build/store, or in the folder that the
    environment variable CEMRNN_STORE names; everything else goes to build/<profile>.
    """


@main.command()
@click.argument("stem")
@PROFILE
@click.option("-p", "overrides", metavar="NAME=VALUE", multiple=True, help="Another value for a parameter; repeatable.")
def run(stem: str, profile: str, overrides: tuple[str, ...]) -> None:
    """Run the notebook STEM, e.g. fig2_ambiguity.

    With -p the run starts from the profile's values and goes to build/custom. Lists are written with
    commas: -p lambdas=0,0.5,1. `cemrnn params STEM` lists the parameters.
    """
    from cemrnn.reproduce.notebooks import NotebookError, run_notebook

    project, started = Project(), time.monotonic()
    with _user_mistakes():
        values = project.values(stem, profile, overrides)
    name = CUSTOM if overrides else profile
    try:
        path = run_notebook(project, stem, values, name, project.build / name)
    except NotebookError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{stem}: done in {time.monotonic() - started:.0f} s, {path.relative_to(project.root)}")


@main.command()
@PROFILE
def sweep(profile: str) -> None:
    """Train the networks that a profile lacks.

    An interrupted sweep loses at most the time since its last checkpoint: run the same command again.
    """
    from cemrnn.experiments import EXPERIMENTS
    from cemrnn.reproduce.progress import TrainingProgress
    from cemrnn.store import Store
    from cemrnn.sweep import train_missing
    from cemrnn.training import TrainingInterrupted

    project = Project()
    needed: dict[str, list] = {}
    with _user_mistakes():
        for stem in project.stems():
            config = _experiment_config(project, stem, profile)
            needed.setdefault(config.device, []).extend(EXPERIMENTS[stem].conditions(config))
    progress = TrainingProgress()
    try:
        n_trained = sum(
            train_missing(configs, Store.default(), device=device, report=progress)
            for device, configs in needed.items()
        )
    except TrainingInterrupted as error:
        raise click.ClickException(str(error)) from None
    finally:
        progress.close()
    click.echo(f"training: {n_trained} networks trained, the others were in the store")


@main.command()
@click.argument("stem")
@PROFILE
def params(stem: str, profile: str) -> None:
    """List the parameters of the notebook STEM."""
    project = Project()
    with _user_mistakes():
        declared, values = project.parameters(stem), project.values(stem, profile)
    for parameter in declared.values():
        value = values[parameter.name]
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        click.echo(f"{parameter.name}={text}\n    {parameter.annotation}: {parameter.help}")


@main.command()
@PROFILE
@click.option("--json", "as_json", is_flag=True, help="All columns as JSON.")
def claims(profile: str, as_json: bool) -> None:
    """Print every claim with its verdict at the profile."""
    from cemrnn.claims import ledger, to_json

    project = Project()
    table = ledger(project.build / profile / "results", project.root / "book" / "claims.yml")
    if as_json:
        click.echo(to_json(table), nl=False)
        return
    for row in table.itertuples():
        effect = "" if math.isnan(row.effect) else f" ({row.effect:.3f} [{row.low:.3f}, {row.high:.3f}])"
        click.echo(f"{row.verdict:<13} {row.statement}{effect}")


@main.command()
@PROFILE
def book(profile: str) -> None:
    """Build the book from the notebooks that ran at the profile."""
    from cemrnn.reproduce.book import BookError, build_book

    try:
        click.echo(f"book: {build_book(Project(), profile)}")
    except BookError as error:
        raise click.ClickException(str(error)) from None


@main.command()
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
    with _user_mistakes():
        config = _experiment_config(project, "fig1_tasks", profile)
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


def _experiment_config(project: Project, stem: str, profile: str) -> Config:
    from cemrnn.experiments import EXPERIMENTS

    config_class = typing.get_type_hints(EXPERIMENTS[stem].run)["config"]
    return config_class.from_params(project.values(stem, profile))


@contextlib.contextmanager
def _user_mistakes() -> Iterator[None]:
    """Show a ValueError about names and values as one line, without a traceback."""
    try:
        yield
    except ValueError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
