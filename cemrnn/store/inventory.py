"""What a store holds, how large it is, whether it is whole, and what of it nobody needs.

Nothing here trains or loads a network; every function bears other processes that write to the store meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cemrnn.store.entry import RECORD, check_entry, read_record, recipe_kind, source_fingerprint, unpack_entry
from cemrnn.store.store import Store, list_folder, read_folder, read_identity, remove
from cemrnn.system.files import DAMAGED, new_temporary_name, read_plain
from cemrnn.system.leases import is_held

DAY_S = 24 * 3600.0
KEY, PREFIX = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{1,64}")


class Entry(NamedTuple):
    """One entry as a list shows it; what its record does not tell is None."""

    key: str
    arm: str | None
    n_units: int | None  # N
    n_contexts: int | None  # K
    seed: int | None
    status: str  # as in TrainedNetwork; "damaged" if its record cannot be read
    n_updates: int | None
    n_bytes: int
    written_s: float  # since 1970


class Garbage(NamedTuple):
    """A file or folder that can go."""

    kind: str  # entry, checkpoint, temporary or quarantine
    path: Path
    n_bytes: int


def entry_folders(store: Store) -> Iterator[Path]:
    """Everything that has the name of an entry where entries lie, in the order of the keys."""
    for shard in store.shards():
        yield from sorted(path for path in list_folder(shard) if KEY.fullmatch(path.name))


def list_foreign(store: Store) -> list[Path]:
    """What a store never makes, but somebody put where entries lie: it is in nobody's way, and no damage."""
    shards = store.shards()
    inside = [path for shard in shards for path in list_folder(shard) if not KEY.fullmatch(path.name)]
    return inside + [shard for shard in shards if not shard.is_dir()]


def list_entries(store: Store) -> Iterator[Entry]:
    """Every entry, in the order of the keys; only its record is read."""
    for folder in entry_folders(store):
        with contextlib.suppress(FileNotFoundError):  # gone meanwhile
            yield _describe(folder)


def find_entry(store: Store, prefix: str) -> Path:
    """Folder of the one entry whose key begins with `prefix`.

    Raises:
        ValueError: there is none, or more than one, or no key begins like this.
    """
    if not PREFIX.fullmatch(prefix):
        raise ValueError(f"key: expected up to 64 hexadecimal digits, got '{prefix}'")
    found = [path for path in entry_folders(store) if path.name.startswith(prefix)]
    if len(found) != 1:
        names = ", ".join(path.name[: len(prefix) + 6] for path in found[:3]) or "none"
        raise ValueError(f"key: expected the beginning of one, got '{prefix}', which fits {names}")
    return found[0]


def find_damage(folder: Path) -> str | None:
    """What is wrong with an entry; None if nothing is, or if it is gone.

    Every checksum is computed again, and the key, from the recipe in the entry. An entry of the present sources is
    read just as a sweep reads it.
    """
    try:
        files = read_folder(folder)
        record = check_entry(files, folder.name)
        own = "content_digest" in record["config"].get("tasks", {}) and record["config"]["tasks"]["content_digest"]
        if record["sources"] == source_fingerprint() and not own:  # own tasks may be known elsewhere alone
            unpack_entry(files, folder.name, recipe_kind(record["config"]).from_params(record["config"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, OSError) as error:
        return " ".join(str(error).split())
    return None


def verify_entry(store: Store, folder: Path, *, move: bool) -> str | None:
    """What is wrong with an entry, and what became of it; None if nothing is.

    Args:
        store: where it lies.
        folder: the entry.
        move: to quarantine, if it is damaged.
    """
    identity = read_identity(folder)
    damage = find_damage(folder)
    if damage is None or identity is None or not move:
        return damage
    outcome = store.set_aside(folder, identity)
    return f"{damage}; {outcome}" if outcome else None


def find_garbage(store: Store, needed: Container[str], *, days: float, checkpoint_days: float) -> list[Garbage]:
    """What can go without loss.

    Args:
        store: where to look.
        needed: keys of entries that stay.
        days: entries and what was damaged that were written in the last `days` stay.
        checkpoint_days: the same for checkpoints; those that a training holds stay in any case.
    """
    found = [("entry", path, days) for path in entry_folders(store) if path.name not in needed]
    found += [("quarantine", path, days) for path in list_folder(store.quarantine)]
    for path in sorted(list_folder(store.checkpoints)):
        if path.suffix == DAMAGED:
            found.append(("quarantine", path, days))
        elif path.suffix != ".tmp" and not is_held(path):
            found.append(("checkpoint", path, checkpoint_days))
    old = [(kind, path) for kind, path, least in found if _age_s(path) > least * DAY_S]
    old += [("temporary", path) for path in store.leftovers()]
    return [Garbage(kind, path, count_bytes(path)) for kind, path in old]


def collect(store: Store, garbage: Iterable[Garbage]) -> Iterator[Garbage]:
    """Remove garbage; yields each piece that is gone.

    An entry leaves by a renaming, so that nobody sees half of it. A checkpoint that a training took meanwhile stays.
    """
    for piece in garbage:
        if not is_held(piece.path):
            temporary = store.temporary / new_temporary_name()
            with contextlib.suppress(OSError):
                temporary.parent.mkdir(parents=True, exist_ok=True)
                piece.path.rename(temporary)
                remove(temporary)
            if not os.path.lexists(piece.path):
                yield piece


def count_bytes(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; what vanishes meanwhile counts as nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(map(count_bytes, list_folder(path)))
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_size
    return 0


def _describe(folder: Path) -> Entry:
    written_s = folder.lstat().st_mtime
    try:
        record = read_record(read_plain(folder / RECORD))
    except (ValueError, OSError):
        record = {"status": "damaged", "config": None, "n_updates": None}
    network = (_look_up(record["config"], "network", name) for name in ("arm", "n_units", "n_contexts"))
    outcome = _look_up(record["config"], "seed"), record["status"], record["n_updates"]
    return Entry(folder.name, *network, *outcome, count_bytes(folder), written_s)


def _look_up(value: Any, *names: str) -> Any:
    """The value at a path of names; None where a config of other sources has none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _age_s(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.lstat().st_mtime
    return 0.0
