"""The command `cemrnn`: what Make calls, from any shell in the folder of the clone."""

from __future__ import annotations

import contextlib
import operator
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cemrnn.commands.bench import bench
from cemrnn.commands.book import book, keep, serve, times
from cemrnn.commands.common import PROFILE, Commands
from cemrnn.commands.data import data
from cemrnn.commands.store import store
from cemrnn.commands.sweep import sweep, train_figure
from cemrnn.commands.validate import validate
from cemrnn.reproduce.project import SMALLEST, Project

if TYPE_CHECKING:
    from cemrnn.reproduce.run_progress import RunProgress

sys.modules.setdefault("rfc3987_syntax", None)  # for addresses in JSON schemas, of which no notebook has any: 0.8 s
LATEST = "latest"  # in build/custom: the run that was made last
MOST_TOLD = 8  # lines of a kind at the end of a run


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cemrnn", message="%(package)s %(version)s")
def main() -> None:
    """Train networks, run notebooks and build the book.

    Run it in the folder of the clone. Trained networks are kept in build/store, or in the folder that the
    environment variable CEMRNN_STORE names; everything else goes to build/<profile>.
    """


@main.command()
@click.argument("stem")
@PROFILE
@click.option("-p", "overrides", metavar="NAME=VALUE", multiple=True, help="Another value for a parameter; repeatable.")
@click.option("--parameters", default="", metavar="'NAME=VALUE ...'", help="Several; a value ends where a name begins.")
@click.option("--trained", is_flag=True, help="Its networks are in the store; look for none. `make notebooks` says so.")
def run(stem: str, profile: str, overrides: tuple[str, ...], parameters: str, trained: bool) -> None:
    """Run the notebook STEM, e.g. fig2_ambiguity, or the tutorial STEM, e.g. ten_lines.

    With -p the run starts from the profile's values and goes to a folder of its own in build/custom, to which
    build/custom/latest leads. Lists are written with commas: -p lambdas=0,0.5,1. `cemrnn params STEM` lists the
    parameters.
    """
    from cemrnn.reproduce.run_progress import RunProgress, last_seconds

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that its kernel ends, too
    project, started = Project(), time.monotonic()
    stem = project.find_stem(stem)
    given = [*overrides, *filter(None, re.split(r"\s+(?=[a-z][\w.]*=)", parameters.strip()))]
    with RunProgress(stem, last_seconds(project.build / profile, stem)) as progress:
        path, changes = _run(project, stem, profile, given, trained, progress)
    click.echo(f"{stem}: done in {time.monotonic() - started:.0f} s, {path.relative_to(project.root)}")
    if changes:
        _tell_changes(project, stem, profile, path.parents[1])


def _run(
    project: Project, stem: str, profile: str, given: list[str], is_trained: bool, progress: RunProgress
) -> tuple[Path, dict[str, Any]]:
    """The executed notebook, and the other values that it ran with."""
    from cemrnn.reproduce.settings import CUSTOM, check_texts, make_config

    if given and is_trained:
        raise click.UsageError("--trained: expected no other values with it, whose networks nobody has looked for")
    changes, out = {}, project.build / profile
    if given or not (is_trained or stem in project.tutorials()):
        check_texts(stem, given)
        progress.doing = "loading its settings"
        changes = _read_changes(project, stem, profile, given)
        config = make_config(project, stem, profile, changes)
        out = project.build / CUSTOM / f"{stem}-{config.digest()[:8]}" if changes else out
        progress.doing = "looking for its networks in the store"
        train_figure(stem, config, progress)
    progress.doing = "loading Jupyter"
    from cemrnn.reproduce.notebooks import run_notebook  # which takes seconds

    progress.doing = "starting its kernel"
    return run_notebook(project, stem, profile, out, changes, progress), changes


def _tell_changes(project: Project, stem: str, profile: str, out: Path) -> None:
    """Say where picture and numbers of a run with other values are, and how they differ from the profile's."""
    from cemrnn.reproduce.compare import compare_runs

    latest = out.parent / LATEST
    with contextlib.suppress(OSError):  # a file system may know no links
        latest.unlink(missing_ok=True)
        latest.symlink_to(out.name)
    for kind, file in (("picture", f"figures/{stem}.png"), ("numbers", f"results/{stem}.json")):
        click.echo(f"{kind}: {(out / file).relative_to(project.root)}")
    if not (project.build / profile / "results" / f"{stem}.json").exists():
        click.echo(
            f"profile {profile} has no results of its own to compare with: cemrnn run {stem} --profile {profile}"
        )
        return
    found = compare_runs(project.build / profile, out, stem)
    for kind in ("settings", "verdicts", "numbers"):
        _tell_lines(f"{kind}, {profile} -> this run", found[kind][:MOST_TOLD], len(found[kind]))
    click.echo(f"all of it: cemrnn compare {profile} {out.name}")


def _tell_lines(title: str, lines: list[str], n_lines: int) -> None:
    rest = f" ({len(lines)} of {n_lines})" if n_lines > len(lines) else ""
    click.echo(f"{title}{rest}:" if lines else f"{title}: no difference")
    for line in lines:
        click.echo(f"  {line}")


@main.command()
@click.argument("first")
@click.argument("second")
@click.option("--figure", help="Of this figure alone.")
def compare(first: str, second: str, figure: str | None) -> None:
    """What differs between two runs: settings, verdicts, numbers, and tables.

    FIRST and SECOND are profiles, runs with other values (names of folders in build/custom, or latest), or folders.
    """
    from cemrnn.reproduce.compare import compare_runs, find_run

    project = Project()
    folders = [find_run(project, name) for name in (first, second)]
    stems = [project.find_stem(figure)] if figure else project.stems()
    both = [stem for stem in stems if all((folder / "results" / f"{stem}.json").exists() for folder in folders)]
    if not both:
        raise click.ClickException(f"{first} and {second}: expected results of the same figure, got none")
    for stem in both:
        click.echo(stem)
        for kind, lines in compare_runs(*folders, stem).items():
            _tell_lines(f" {kind}", lines, len(lines))


def _read_changes(project: Project, stem: str, profile: str, given: list[str]) -> dict[str, Any]:
    """Other values of a figure's settings, refused before anything starts; a tutorial has none."""
    from cemrnn.figures import load_experiment
    from cemrnn.reproduce.settings import make_config, parse_overrides

    if stem in project.tutorials():
        if given:
            raise ValueError(f"{stem}: expected no parameters, because it is a tutorial, got {', '.join(given)}")
        return {}
    changes = parse_overrides(stem, given)
    load_experiment(stem).conditions(make_config(project, stem, profile, changes))
    return changes


@main.command()
@click.argument("stem")
@PROFILE
def params(stem: str, profile: str) -> None:
    """List the parameters of the notebook STEM, with their values at the profile."""
    from cemrnn.config import describe_fields
    from cemrnn.reproduce.settings import make_config

    stem = Project().find_stem(stem)
    config = make_config(Project(), stem, profile)
    for name, field in describe_fields(type(config)).items():
        value = operator.attrgetter(name)(config)
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        click.echo(f"{name}={text}\n    {field.annotation}: {field.meaning}")


def find_results(project: Project, profile: str) -> Path:
    """The folder of results of a profile, which must have some.

    Raises:
        click.ClickException: nothing was made at that profile.
    """
    results = project.build / profile / "results"
    if not any(results.glob("*.json")):
        raise click.ClickException(f"nothing was made at profile {profile} yet: make reproduce PROFILE={profile}")
    return results


@main.command()
@PROFILE
@click.option("--json", "as_json", is_flag=True, help="All columns as JSON.")
def claims(profile: str, as_json: bool) -> None:
    """Print every claim with its verdict at the profile, and how firm it is."""
    from cemrnn.reproduce.claims import describe_doubt, ledger, load_claims, to_json, write_effect

    project = Project()
    results = find_results(project, profile)
    table = ledger(results, load_claims(project.stems()))
    if as_json:
        click.echo(to_json(table), nl=False)
        return
    if profile == SMALLEST:
        click.echo(f"{SMALLEST} tests the machinery: a verdict decides nothing", err=True)
    for row in table.itertuples():
        effect, doubt = write_effect(row), describe_doubt(row)
        click.echo(f"{row.verdict:<13} {row.statement}{effect and f' ({effect})'}{doubt and f' [{doubt}]'}")


@main.command()
@PROFILE
@click.option("--accept", is_flag=True, help="Make these results the expected ones.")
def verify(profile: str, accept: bool) -> None:
    """Compare the results of a profile with those that are expected of it (book/expected.yml).

    At night only figures count whose results are kept. With --accept at night or quick the table of README is
    written, too.

    Exits with 1 if an effect lies outside the interval that is expected of it. A verdict that turned although its
    effect did not is told.
    """
    from cemrnn.reproduce import expected as stored
    from cemrnn.reproduce.claims import load_claims
    from cemrnn.reproduce.reference import LONG, kept_stems

    project = Project()
    stems = kept_stems(project) if profile == LONG else project.stems()
    if profile == SMALLEST and not accept:
        raise click.ClickException(f"{SMALLEST} tests the machinery: nothing is expected of effects in two networks")
    path, results = project.root / "book" / "expected.yml", find_results(project, profile)
    claims = load_claims(stems)
    if accept:
        stored.accept(project.root, profile, results, stems, claims)
    expected = stored.load_expected(path, profile)
    differences, turned = stored.find_differences(expected, results, claims)
    for line in [*differences, *turned]:
        click.echo(line)
    if differences:
        raise click.ClickException(f"{len(differences)} of {len(expected)} effects are not as expected at {profile}")
    click.echo(f"{len(expected)} effects are as expected at profile {profile}, and all but {len(turned)} verdicts")


for command in (sweep, store, bench, data, validate, keep, times, book, serve):
    main.add_command(command)

if __name__ == "__main__":
    sys.exit(main())
