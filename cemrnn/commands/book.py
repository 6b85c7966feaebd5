"""The commands that build the pages and show them (`book`, `serve`), or keep what they show (`keep`, `times`)."""

from __future__ import annotations

import datetime
import functools
from pathlib import Path

import click

from cemrnn.commands.bench import KEPT_BENCH
from cemrnn.commands.common import PROFILE, Number, Place
from cemrnn.reproduce.project import Project


@click.command()
@click.argument("stems", nargs=-1)
def keep(stems: tuple[str, ...]) -> None:
    """Keep the results of the profile night, for the book to show as the reference.

    Tables and numbers of the figures STEMS, by default of all that have run, go to book/reference.
    """
    from cemrnn.reproduce.reference import LONG, keep_results, reference_folder

    project = Project()
    stems = tuple(map(project.find_stem, stems))
    ran = [stem for stem in project.stems() if (project.build / LONG / "results" / f"{stem}.json").exists()]
    if not (stems or ran):
        raise click.ClickException(f"nothing has run at profile {LONG}: make reproduce PROFILE={LONG}")
    size = keep_results(project, [*stems] or ran)
    click.echo(f"kept {len(stems or ran)} figures, in all {size / 1e6:.1f} MB, in {reference_folder(project)}")


@click.command()
@click.argument("clone", type=Place("the folder of a clone"))
@PROFILE
@click.option("--reproduce", required=True, type=Number(0), help="Seconds that `make reproduce` took there.")
@click.option("--test", required=True, type=Number(0), help="Seconds that `make test` took there.")
def times(clone: Path, profile: str, reproduce: float, test: float) -> None:
    """Keep how long everything took in CLONE, which had nothing before: in book/times.yml, and in README.

    `make times` makes such a clone and measures.
    """
    from cemrnn.commands.sweep import collect_configs
    from cemrnn.reproduce.times import FILE, Times, measure_notebooks, measure_training, write_times
    from cemrnn.system.machine import describe_machine

    project, built = Project(), Project(clone)
    seconds, (_, figures) = measure_notebooks(built, profile), collect_configs(profile)
    measured = Times(
        machine=describe_machine(),
        date=datetime.date.today().isoformat(),
        profile=profile,
        networks=len(figures),
        training_s=measure_training(built, profile),
        reproduce_s=reproduce,
        test_s=test,
        notebooks=tuple(seconds),
        notebooks_s=tuple(seconds.values()),
    )
    write_times(project.root, measured)
    click.echo(f"written: {FILE}, README.md")


@click.command()
@PROFILE
def book(profile: str) -> None:
    """Build the book from the notebooks that ran at the profile."""
    from cemrnn.bench.page import write_bench
    from cemrnn.reproduce.book import build_book

    project = Project()
    write = functools.partial(write_bench, project.build / "bench", kept=project.root / KEPT_BENCH)
    if stray := project.strays():
        click.echo(f"no figure, so left alone: {', '.join(stray)}")
    click.echo(f"book: {build_book(project, profile, write)}")


@click.command()
@PROFILE
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="The first one to try.")
def serve(profile: str, port: int) -> None:
    """Show the book that was built last at the profile, to this machine alone, until Ctrl-C.

    A port that another program holds is left to it, and the next free one is taken.
    """
    from cemrnn.reproduce.server import open_server

    folder = Project().build / profile / "html"
    if not (folder / "index.html").exists():
        raise click.ClickException(f"no book at profile {profile} yet: make reproduce PROFILE={profile}")
    with open_server(folder, port) as server:
        if server.server_port != port:
            click.echo(f"port {port} is busy", err=True)
        click.echo(f"http://localhost:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo()
