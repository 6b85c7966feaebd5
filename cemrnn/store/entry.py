"""What an entry of the store is, as bytes: the recipe of a network, its key, its files, and whether they are whole.

Three files: weights.safetensors, history.csv and entry.json, which holds the recipe (config, sources, torch), the
key, the outcome, checksums of the other two files, and a checksum of itself. Reading executes nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import cemrnn
from cemrnn.config import digest
from cemrnn.network.pathways import foreign_code
from cemrnn.system.files import checksum, pack_tensors, unpack_tensors
from cemrnn.system.source import strip_documentation

if TYPE_CHECKING:  # listing a store compiles nothing
    from cemrnn.training.learner import TrainedNetwork
    from cemrnn.training.recipe import Recipe

WEIGHTS, HISTORY, RECORD = FILES = ("weights.safetensors", "history.csv", "entry.json")
FIELDS = {"config", "sources", "torch", "key", "status", "n_updates", "checksums"}
STATUSES = ("reached", "exhausted", "failed")
# What defines a training, whole: a change of code in any of these changes every key.
DEFINING_SOURCES = ("random.py", "tasks", "network", "training")


@functools.cache
def source_fingerprint() -> str:
    """SHA-256 over the code that defines a training; comments, docstrings and layout do not count."""
    return fingerprint(DEFINING_SOURCES)


def fingerprint(names: Iterable[str | Path]) -> str:
    """SHA-256 over the code of files and folders, in the package or absolute; without comments and docstrings."""
    root, total = Path(cemrnn.__file__).parent, hashlib.sha256()
    for place in map(root.joinpath, names):
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            code, name = strip_documentation(path.read_text(encoding="utf-8")), os.path.relpath(path, root)
            total.update(f"{Path(name).as_posix()}\0{code}\0".encode())
    return total.hexdigest()


def sources_of(config: Recipe) -> str:
    """What stands for the code that defines a training: the fingerprint, with foreign pathways of its arm, if any."""
    foreign = foreign_code(config.network.arm)
    return digest([source_fingerprint(), foreign]) if foreign else source_fingerprint()


def recipe_kind(config: Any) -> type[Recipe]:
    """The kind of recipe that a config in a record is one of."""
    from cemrnn.training.config import TrainingConfig
    from cemrnn.training.sequences import SequenceConfig

    return SequenceConfig if isinstance(config, dict) and "data" in config else TrainingConfig


def entry_key(config: Recipe) -> str:
    """Key of a network: SHA-256 of its config, the training sources, and torch's major.minor version."""
    return recipe_key(config.to_dict(), sources_of(config), torch.__version__)


def recipe_key(config: Any, sources: Any, torch_version: Any) -> str:
    """Key of a recipe, made with these sources or with others.

    Raises:
        ValueError: the config holds a number that is not finite.
    """
    series = ".".join(str(torch_version).split(".")[:2])
    return digest({"config": config, "sources": sources, "torch": series})


def pack_entry(config: Recipe, network: TrainedNetwork) -> dict[str, bytes]:
    """File name -> content of the entry of a network.

    Raises:
        ValueError: the network is not one of this config, and could not be read back.
    """
    key = entry_key(config)
    history = network.history.to_csv(index=False, lineterminator="\n", float_format="%.9g", na_rep="nan")
    files = {WEIGHTS: pack_tensors({"flat": network.flat}, {"key": key}), HISTORY: history.encode()}
    record = {
        "config": config.to_dict(),
        "sources": sources_of(config),
        "torch": torch.__version__,
        "key": key,
        "status": network.status,
        "n_updates": network.n_updates,
        "checksums": {name: checksum(content) for name, content in files.items()},
    }
    files[RECORD] = seal(record)
    unpack_entry(files, key, config)
    return files


def unpack_entry(files: Mapping[str, bytes], key: str, config: Recipe) -> TrainedNetwork:
    """The network in an entry.

    Args:
        files: content of every file of the entry.
        key: under which it was found.
        config: the recipe that the key stands for.

    Raises:
        ValueError: the files are not what `pack_entry` made for the config.
    """
    from cemrnn.training.learner import TrainedNetwork

    record = check_entry(files, key)
    flat = _read_weights(files[WEIGHTS], key, config.n_parameters)
    history = _read_history(files[HISTORY], config.score_names)
    if not max(history["update"], default=0) <= record["n_updates"] <= config.n_updates:
        raise ValueError(f"n_updates: expected a number up to {config.n_updates}, got {record['n_updates']}")
    return TrainedNetwork(flat, record["status"], record["n_updates"], history)


def check_entry(files: Mapping[str, bytes], key: str) -> dict[str, Any]:
    """The record of an entry, whatever sources it was made with, once every checksum and the key are right.

    Raises:
        ValueError: something is missing, foreign, or does not match; the message says what.
    """
    if set(files) != set(FILES):
        raise ValueError(f"expected the files {', '.join(FILES)}, got {sorted(files)}")
    record = read_record(files[RECORD])
    if not key == record["key"] == recipe_key(record["config"], record["sources"], record["torch"]):
        raise ValueError("its config is not the one that its name stands for")
    for name in (WEIGHTS, HISTORY):
        if not isinstance(record["checksums"], dict) or record["checksums"].get(name) != checksum(files[name]):
            raise ValueError(f"{name}: checksum differs")
    if record["status"] not in STATUSES or type(record["n_updates"]) is not int or record["n_updates"] < 0:
        raise ValueError(f"{RECORD}: expected a status and a number of updates")
    return record


def read_record(content: bytes) -> dict[str, Any]:
    """The record in an entry.json.

    Raises:
        ValueError: the content is not, to the byte, what `seal` makes of a record.
    """
    try:
        record = unseal(content)
        if set(record) != FIELDS:
            raise ValueError("other fields than those of an entry")
    except ValueError as error:
        raise ValueError(f"{RECORD}: {error}") from error
    return record


def seal(document: Mapping[str, Any]) -> bytes:
    """The document as JSON, to the last bit of every number, with a checksum of itself."""
    text = json.dumps(document, default=lambda number: number.item())
    return json.dumps({**json.loads(text), "checksum": checksum(text.encode())}, indent=1).encode()


def unseal(content: bytes) -> dict[str, Any]:
    """What `seal` was given, in JSON's types.

    Raises:
        ValueError: the content is not, to the byte, what `seal` makes.
    """
    try:
        document = json.loads(content)
    except RecursionError as error:
        raise ValueError(f"expected JSON, got {error}") from error
    if not isinstance(document, dict) or document.pop("checksum", None) is None or seal(document) != content:
        raise ValueError("checksum differs")
    return document


def _read_weights(content: bytes, key: str, n_parameters: int) -> Tensor:
    try:
        tensors, document = unpack_tensors(content)
    except ValueError as error:
        raise ValueError(f"{WEIGHTS}: {error}") from error
    flat = tensors.get("flat")
    if document != {"key": key} or len(tensors) != 1 or flat is None:
        raise ValueError(f"{WEIGHTS}: expected one tensor named flat, of this key")
    if flat.dtype != torch.float32 or flat.shape != (n_parameters,):
        raise ValueError(f"{WEIGHTS}: expected ({n_parameters},) float32, got {tuple(flat.shape)} {flat.dtype}")
    if not torch.isfinite(flat).all():
        raise ValueError(f"{WEIGHTS}: expected finite weights")
    return flat


def _read_history(content: bytes, task_names: tuple[str, ...]) -> pd.DataFrame:
    kinds = {"update": "int64", "loss": "float64"} | dict.fromkeys(task_names, "float64")
    try:
        header, *lines = content.decode().removesuffix("\n").split("\n")
        if header != ",".join(kinds):
            raise ValueError(f"expected the columns {', '.join(kinds)}")
        rows = [(int(update), *map(float, numbers)) for update, *numbers in (line.split(",") for line in lines)]
        if any(len(row) != len(kinds) for row in rows):
            raise ValueError("expected as many numbers in every row as there are columns")
        columns = zip(kinds.items(), zip(*rows, strict=True) if rows else ((),) * len(kinds), strict=True)
        history = pd.DataFrame({name: np.array(numbers, kind) for (name, kind), numbers in columns})
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{HISTORY}: {error}") from error
    if (np.diff(history["update"], prepend=0) <= 0).any():
        raise ValueError(f"{HISTORY}: expected updates that increase")
    return history
