"""What a store holds, how large it is, whether it is whole, and what of it nobody needs.

Nothing here trains or loads a network; every function bears other processes that write to the store meanwhile.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cemrnn.store.entry import RECORD, check_entry, read_record, recipe_kind, source_fingerprint, unpack_entry
from cemrnn.store.store import Store, list_folder, read_folder, read_identity, remove
from cemrnn.system.files import new_temporary_name

DAMAGED = "damaged"
DAY_S = 24 * 3600.0
SHARD = re.compile("[0-9a-f]{2}")
PREFIX = re.compile("[0-9a-f]{1,64}")


@dataclass(frozen=True)
class Entry:
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


@dataclass(frozen=True)
class Garbage:
    """Something that can go: files or folders that belong together."""

    kind: Literal["entry", "checkpoint", "temporary", "quarantine"]
    paths: tuple[Path, ...]
    n_bytes: int


@dataclass(frozen=True)
class Usage:
    """How many there are of a kind, and how large they are together."""

    count: int
    n_bytes: int


def entry_folders(store: Store) -> Iterator[Path]:
    """Everything that lies where entries lie, in the order of the keys."""
    for shard in sorted(path for path in list_folder(store.root) if SHARD.fullmatch(path.name)):
        yield from sorted(list_folder(shard))


def list_entries(store: Store) -> Iterator[Entry]:
    """Every entry, in the order of the keys; only its record is read."""
    for folder in entry_folders(store):
        with contextlib.suppress(FileNotFoundError):  # gone meanwhile
            yield _describe(folder)


def measure_folders(store: Store) -> dict[str, Usage]:
    """What lies beside the entries: checkpoints, temporary and quarantine."""
    folders = {path.name: list_folder(path) for path in (store.checkpoints, store.temporary, store.quarantine)}
    return {name: Usage(len(paths), sum(map(count_bytes, paths))) for name, paths in folders.items()}


def find_entry(store: Store, prefix: str) -> Path:
    """Folder of the one entry whose key begins with `prefix`.

    Raises:
        ValueError: there is none, or more than one, or no key begins like this.
    """
    if not PREFIX.fullmatch(prefix):
        raise ValueError(f"key: expected up to 64 hexadecimal digits, got '{prefix}'")
    shards = [store.root / prefix[:2]] if len(prefix) > 1 else store.root.glob(f"{prefix}[0-9a-f]")
    found = sorted(path for shard in shards for path in list_folder(shard) if path.name.startswith(prefix))
    if len(found) != 1:
        names = ", ".join(path.name[: len(prefix) + 6] for path in found[:3])
        more = f", and {len(found) - 3} more" if len(found) > 3 else ""
        raise ValueError(f"key: expected the beginning of one, got '{prefix}', which fits {names or 'none'}{more}")
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
        days: entries, quarantined ones and temporary folders that were written in the last `days` stay.
        checkpoint_days: the same for checkpoints; those that a training holds stay in any case.
    """
    now_s = time.time()
    entries = [path for path in entry_folders(store) if path.name not in needed and _age_s(path, now_s) > days * DAY_S]
    spoiled = [path for path in list_folder(store.quarantine) if _age_s(path, now_s) > days * DAY_S]
    garbage = [_garbage("entry", [path]) for path in entries]
    garbage += [_garbage("checkpoint", group) for group in _idle_checkpoints(store, now_s - checkpoint_days * DAY_S)]
    garbage += [_garbage("temporary", [path]) for path in store.leftovers()]
    garbage += [_garbage("quarantine", [path]) for path in spoiled]
    return garbage


def collect(store: Store, garbage: Sequence[Garbage]) -> Iterator[Garbage]:
    """Remove garbage; yields each piece that is gone.

    An entry leaves by a renaming, so that nobody sees half of it. A checkpoint that a training took meanwhile stays.
    """
    for piece in garbage:
        if any(map(is_held, piece.paths)):
            continue
        for path in piece.paths:
            _retire(store, path)
        if not any(map(os.path.lexists, piece.paths)):
            yield piece


def is_held(path: Path) -> bool:
    """Whether a living process holds a lease on the file: flock(2)."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without leases
        return False
    finally:
        os.close(descriptor)
    return False


def count_bytes(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; what vanishes meanwhile counts as nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(map(count_bytes, list_folder(path)))
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_size
    return 0


def _describe(folder: Path) -> Entry:
    found = folder.lstat()
    try:
        record = read_record((folder / RECORD).read_bytes())
    except (ValueError, OSError):
        record = {"status": DAMAGED}
    config = record.get("config", {})
    return Entry(
        key=folder.name,
        arm=_look_up(config, "network", "arm"),
        n_units=_look_up(config, "network", "n_units"),
        n_contexts=_look_up(config, "network", "n_contexts"),
        seed=_look_up(config, "seed"),
        status=record["status"],
        n_updates=record.get("n_updates"),
        n_bytes=count_bytes(folder),
        written_s=found.st_mtime,
    )


def _look_up(value: Any, *names: str) -> Any:
    """The value at a path of names; None where a config of other sources has none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _garbage(kind: str, paths: Sequence[Path]) -> Garbage:
    return Garbage(kind, tuple(paths), sum(map(count_bytes, paths)))


def _age_s(path: Path, now_s: float) -> float:
    with contextlib.suppress(FileNotFoundError):
        return now_s - path.lstat().st_mtime
    return 0.0


def _idle_checkpoints(store: Store, before_s: float) -> list[list[Path]]:
    """Checkpoints, each with its lease, that were last written before `before_s` and that no process holds."""
    groups: dict[str, list[Path]] = {}
    for path in sorted(list_folder(store.checkpoints)):
        if not path.name.endswith(".tmp"):  # on its way in: see Store.leftovers
            groups.setdefault(path.name.split(".")[0], []).append(path)
    return [
        group
        for group in groups.values()
        if min(_age_s(path, before_s) for path in group) > 0 and not any(map(is_held, group))
    ]


def _retire(store: Store, path: Path) -> None:
    temporary = store.temporary / new_temporary_name()
    with contextlib.suppress(OSError):
        temporary.parent.mkdir(parents=True, exist_ok=True)
        path.rename(temporary)
        remove(temporary)
