"""The command `cemrnn store`: what is in the store, whether it is whole, and what of it nobody needs."""

from __future__ import annotations

import json
import sys
import time

import click

from cemrnn.commands.common import Number, Text
from cemrnn.config import unknown_name
from cemrnn.reproduce.project import Project
from cemrnn.system.resources import format_bytes

COLUMNS = "{:<12}  {:<12} {:>5} {:>4} {:>6}  {:<9} {:>8} {:>9}  {}"
KEY_DIGITS = 12  # shown in a list


@click.group()
def store() -> None:
    """List, check and clean the store of trained networks.

    The store is build/store, or the folder that the environment variable CEMRNN_STORE names.
    """


@store.command("ls")
@click.option("--arm", type=Text("the name of an arm"), help="Only networks of this arm.")
@click.option("--status", type=click.Choice(("reached", "exhausted", "failed", "damaged")), help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="All columns as JSON, one entry per line.")
def list_(arm: str | None, status: str | None, as_json: bool) -> None:
    """List the entries, and what lies beside them.

    An entry is damaged if its record cannot be read; `cemrnn store verify` reads the weights as well.
    """
    from cemrnn.store.inventory import count_bytes, list_entries
    from cemrnn.store.store import Store, list_folder

    place, count, n_bytes, arms = Store.default(), 0, 0, set()
    if not as_json:
        click.echo(COLUMNS.format("key", "arm", "N", "K", "seed", "status", "updates", "size", "written"))
    for entry in list_entries(place):
        arms.add(entry.arm or "")
        if arm in (None, entry.arm) and status in (None, entry.status):
            click.echo(json.dumps(entry._asdict()) if as_json else format_entry(entry))
            count, n_bytes = count + 1, n_bytes + entry.n_bytes
    if arm and arms and arm not in arms:
        raise ValueError(unknown_name(arm, arms, f"arm in {place.root}:"))
    if not as_json:
        click.echo(f"entries: {count}, {format_bytes(n_bytes)} in {place.root}")
        for folder in (place.checkpoints, place.temporary, place.quarantine):
            paths = list_folder(folder)
            click.echo(f"{folder.name}: {len(paths)}, {format_bytes(sum(map(count_bytes, paths)))}")
        _tell_foreign(place)


@store.command()
@click.argument("key")
def show(key: str) -> None:
    """Show the entry whose key begins with KEY: recipe, outcome, files, and which figures need it."""
    from cemrnn.store.entry import HISTORY, RECORD
    from cemrnn.store.inventory import find_damage, find_entry
    from cemrnn.store.store import Store

    folder = find_entry(Store.default(), key)
    click.echo(f"key       {folder.name}\nfolder    {folder}")
    if damage := find_damage(folder):
        raise click.ClickException(f"the entry is damaged: {damage}")
    record, rows = json.loads((folder / RECORD).read_bytes()), (folder / HISTORY).read_text().splitlines()
    click.echo(f"needed by {', '.join(needed_keys(Project()).get(folder.name, ())) or 'no current config'}")
    click.echo(f"status    {record['status']} after {record['n_updates']} updates, {len(rows) - 1} evaluations")
    for row in dict.fromkeys([*rows[:2], rows[-1]]):
        click.echo(f"          {row}")
    for name, checksum in record["checksums"].items():
        click.echo(f"file      {name}, {format_bytes((folder / name).stat().st_size)}, sha256 {checksum}")
    for name in ("sources", "torch"):
        click.echo(f"{name:<10}{record[name]}")
    click.echo(f"config    {json.dumps(record['config'], indent=2)}")


@store.command()
@click.option("--dry-run", is_flag=True, help="Only report; move nothing.")
def verify(dry_run: bool) -> None:
    """Read every entry again and compare checksums and keys; exit code 1 if any is damaged.

    Damaged entries are moved to quarantine, and the next sweep trains them again.
    """
    from tqdm import tqdm

    from cemrnn.store.inventory import entry_folders, verify_entry
    from cemrnn.store.store import Store

    place, damages = Store.default(), {}
    folders = list(entry_folders(place))
    for folder in tqdm(folders, desc="verify", unit=" entries", disable=not sys.stderr.isatty()):
        if damage := verify_entry(place, folder, move=not dry_run):
            damages[folder.name] = damage
    for name, damage in damages.items():
        click.echo(f"{name}: {damage}")
    click.echo(f"entries: {len(folders)} read, {len(damages)} damaged")
    _tell_foreign(place)
    sys.exit(1 if damages else 0)


@store.command()
@click.option("--days", default=1.0, show_default=True, type=Number(0), help="What is younger stays.")
@click.option("--checkpoint-days", default=30.0, show_default=True, type=Number(0), help="The same for them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def gc(days: float, checkpoint_days: float, yes: bool) -> None:
    """Remove what nobody needs, after asking.

    \b
    entry       that no notebook needs at any profile, with the present sources
    checkpoint  that no training holds
    temporary   what processes left that died
    quarantine  damaged entries and checkpoints

    Networks of `make figure` with other parameters are needed by no profile: they go too, and are trained again
    when they are asked for.
    """
    from cemrnn.store.inventory import collect, find_garbage
    from cemrnn.store.store import Store

    place = Store.default()
    garbage = find_garbage(place, needed_keys(Project()), days=days, checkpoint_days=checkpoint_days)
    if not garbage:
        click.echo("nothing to remove")
        return
    for kind in dict.fromkeys(piece.kind for piece in garbage):
        sizes = [piece.n_bytes for piece in garbage if piece.kind == kind]
        click.echo(f"{kind:<10} {len(sizes):>7}  {format_bytes(sum(sizes)):>9}")
    if not yes and not sys.stdin.isatty():
        raise click.ClickException("nothing was removed: there is no terminal to ask on; use --yes")
    if not yes and not click.confirm("Remove them?"):
        return
    removed = list(collect(place, garbage))
    click.echo(f"removed {len(removed)} of {len(garbage)}, {format_bytes(sum(g.n_bytes for g in removed))}")


def _tell_foreign(place) -> None:
    """One line about what somebody else put among the entries, if anything."""
    from cemrnn.store.inventory import list_foreign

    if foreign := list_foreign(place):
        click.echo(f"others: {len(foreign)} that no store makes, e.g. {foreign[0]}; nothing needs them: move them away")


def needed_keys(project: Project) -> dict[str, list[str]]:
    """Key of every network that a notebook needs at a profile -> the places that need it, as profile/notebook.

    Raises:
        ValueError: the folder is not a clone, or a profile is not valid.
    """
    from cemrnn.figures import load_experiment
    from cemrnn.reproduce.settings import make_config
    from cemrnn.store.entry import entry_key

    stems, needed = project.stems(), {}
    for profile in project.profiles():
        for stem in stems:
            configs = load_experiment(stem).conditions(make_config(project, stem, profile))
            for key in map(entry_key, configs):
                needed.setdefault(key, []).append(f"{profile}/{stem}")
    return needed


def format_entry(entry) -> str:
    """The entry as a row under `COLUMNS`."""
    written = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.written_s))
    shown = ["-" if value is None else str(value) for value in entry[1:-2]]
    return COLUMNS.format(entry.key[:KEY_DIGITS], *shown, format_bytes(entry.n_bytes), written)
