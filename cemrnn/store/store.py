"""Content-addressed store of trained networks: the key is the recipe, so the same recipe is trained once.

    <aa>/<key>/          an entry (see `cemrnn.store.entry`); aa is the beginning of the key
    checkpoints/         of trainings that are not done
    temporary/           entries on their way in or out
    quarantine/          entries that were damaged

An entry appears whole or not at all, and is used only if it is whole. Any number of processes, on any number of
machines, may read and write at once: an entry comes and goes by one renaming of its folder.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cemrnn.config import digest
from cemrnn.store.entry import entry_key, pack_entry, seal, unpack_entry, unseal
from cemrnn.system.clone import find_store
from cemrnn.system.files import is_leftover, new_temporary_name, read_plain, sync_folder, write_bytes, write_through
from cemrnn.system.leases import hold_leases

if TYPE_CHECKING:
    from cemrnn.training.learner import TrainedNetwork
    from cemrnn.training.recipe import Recipe

log = logging.getLogger(__name__)
SHARD = re.compile("[0-9a-f]{2}")
OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)  # what renaming a folder says if the name is taken
SAVE_ATTEMPTS = 10  # each fails only if another process puts a damaged entry there in between


class Store:
    """Trained networks on disk.

    Args:
        root: folder, made when first written to.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    @classmethod
    def default(cls) -> Store:
        """The store that CEMRNN_STORE names, else build/store of the clone.

        Raises:
            OSError: a file lies there.
        """
        root = find_store()
        if root.exists() and not root.is_dir():
            raise _not_a_folder(NotADirectoryError(errno.ENOTDIR, "", str(root)))
        return cls(root)

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.root / "checkpoints"

    @property
    def temporary(self) -> Path:
        """Folder of entries on their way in or out."""
        return self.root / "temporary"

    @property
    def quarantine(self) -> Path:
        """Folder of damaged entries."""
        return self.root / "quarantine"

    def folder(self, key: str) -> Path:
        """Where the entry of a key lies."""
        return self.root / key[:2] / key

    def checkpoint_path(self, configs: list[Recipe]) -> Path:
        """Where an ensemble in training keeps its checkpoint."""
        return self.checkpoints / f"{digest([entry_key(c) for c in configs])}.checkpoint"

    def lease(self, config: Recipe) -> Path:
        """What a training holds of each of its networks."""
        return self.checkpoints / f"{entry_key(config)}.lease"

    def check_writable(self) -> None:
        """Check that entries and checkpoints can be written, and remove what writers that died left.

        Raises:
            OSError: they cannot; PermissionError if that is why.
        """
        try:
            for folder in (self.root, self.checkpoints, self.temporary):
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / new_temporary_name()
                write_through(probe, b"can this be written?")
                probe.unlink()
            for path in self.shards():
                if not path.is_dir():
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        except (FileExistsError, NotADirectoryError) as error:
            raise _not_a_folder(error) from None
        except OSError as error:
            raise OSError(error.errno, f"the store cannot be written: {error.strerror}", str(self.root)) from error
        for path in self.leftovers():
            remove(path)
        for path in self.checkpoints.glob("*.lease"):
            with hold_leases([path]):  # a lease that nobody holds goes when it is given back
                pass

    def shards(self) -> list[Path]:
        """Where folders of entries lie, or should, in the order of the keys."""
        return sorted(path for path in list_folder(self.root) if SHARD.fullmatch(path.name))

    def leftovers(self) -> list[Path]:
        """What dead writers left in the folders of temporary entries and of checkpoints."""
        return [path for path in (*list_folder(self.temporary), *self.checkpoints.glob(".*.tmp")) if is_leftover(path)]

    def save(self, config: Recipe, network: TrainedNetwork) -> None:
        """Make sure that the store holds a whole entry of the config, this one or one that was there before.

        Raises:
            ValueError: the network is not one of this config.
            OSError: it cannot be written; nothing of it is left.
        """
        files = pack_entry(config, network)
        temporary = self.temporary / new_temporary_name()
        try:
            temporary.mkdir(parents=True)
            for name, content in files.items():
                write_through(temporary / name, content)
            sync_folder(temporary)
            self._publish(temporary, config)
        finally:
            remove(temporary)

    def load(self, config: Recipe) -> TrainedNetwork | None:
        """The trained network of a config, or None when there is none, or none that is whole.

        A damaged entry is moved to quarantine; one that cannot be read now, or not be moved, stays. Each says so.
        """
        key = entry_key(config)
        folder = self.folder(key)
        while True:
            try:
                if (identity := read_identity(folder)) is None:
                    return None
                return unpack_entry(read_folder(folder), key, config)
            except ValueError as error:
                if outcome := self.set_aside(folder, identity):
                    log.warning("store entry %s is damaged (%s); %s", key, _one_line(error), outcome)
                    return None
            except FileNotFoundError:  # set aside by another process while it was read here
                continue
            except OSError as error:
                log.warning("store entry %s cannot be read (%s); it is not used", key, _one_line(error))
                return None

    def set_aside(self, folder: Path, identity: int) -> str | None:
        """What became of a damaged entry, in words; None if another process moved or replaced it meanwhile.

        Args:
            folder: goes to quarantine, or stays if it cannot be moved.
            identity: its `read_identity` from before it was read.
        """
        target = self.quarantine / f"{folder.name}-{uuid.uuid4().hex[:8]}"
        try:
            self.quarantine.mkdir(parents=True, exist_ok=True)
            if read_identity(folder) != identity:
                return None
            folder.rename(target)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"it cannot be moved ({_one_line(error)}) and is not used"
        return "moved to quarantine, it will be trained again"

    def _publish(self, temporary: Path, config: Recipe) -> None:
        target = self.folder(entry_key(config))
        if not target.parent.is_dir():
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise _not_a_folder(error) from None
            sync_folder(self.root)
        for _ in range(SAVE_ATTEMPTS):
            try:
                temporary.rename(target)
            except OSError as error:
                if error.errno not in OCCUPIED:
                    raise
            else:
                sync_folder(target.parent)
                return
            if self.load(config) is not None:  # another run was faster; its entry is as good
                return
        raise FileExistsError(errno.EEXIST, "there is an entry that can be neither used nor moved", str(target))


def recall(path: Path) -> dict[str, Any] | None:
    """The document that `keep` wrote, or None when there is none, or none that is whole; the latter is told."""
    try:
        return unseal(read_plain(path))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        log.warning("%s is not used (%s); it is computed again", path, _one_line(error))
        return None


def keep(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document; the file appears complete, with a checksum, or not at all."""
    write_bytes(path, seal(document))


def read_identity(path: Path) -> int | None:
    """A number that another file or folder of this name would not have; None if nothing has the name."""
    try:
        return path.lstat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_folder(folder: Path) -> dict[str, bytes]:
    """File name -> content of everything in a folder; names that begin with a dot are the system's (.DS_Store, .nfs…).

    Raises:
        ValueError: it is not a folder of plain files; links do not count as such.
        OSError: it is gone, or cannot be read.
    """
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise ValueError("expected a folder")
    with os.scandir(folder) as items:
        files = {item.name: item.is_file(follow_symlinks=False) for item in items if not item.name.startswith(".")}
    for name, is_plain in files.items():
        if not is_plain:
            raise ValueError(f"{name!r}: expected a plain file")
    return {name: (folder / name).read_bytes() for name in files}


def list_folder(folder: Path) -> list[Path]:
    """What is in a folder, in any order; nothing if there is no such folder."""
    try:
        return [folder / name for name in os.listdir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, as far as it may go and still exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _not_a_folder(error: OSError) -> OSError:
    return OSError(errno.ENOTDIR, "expected a folder, got a file, which has to be moved away", error.filename)


def _one_line(text: Exception | str) -> str:
    return " ".join(str(text).split())
