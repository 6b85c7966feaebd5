"""Content-addressed store of trained networks: the key is the recipe, so the same recipe is trained once.

`<aa>/<key>/` holds weights.safetensors, history.csv and entry.json (config, status, checksums). An entry appears
whole or not at all. It is loaded only if its checksums match; a damaged one is moved to quarantine/.
"""

from __future__ import annotations

import ast
import csv
import functools
import hashlib
import io
import json
import logging
import os
import shutil
import uuid
from pathlib import Path

import pandas as pd
import torch

import cemrnn
from cemrnn.config import digest
from cemrnn.files import read_tensors, write_bytes, write_tensors
from cemrnn.learner import TrainedNetwork
from cemrnn.training import TrainingConfig

log = logging.getLogger(__name__)

# Modules whose code decides what a training does; a change in any of them changes every key.
DEFINING_SOURCES = (
    "activation", "batched", "compiled", "kernel", "learner", "loss", "metrics", "model", "modulation", "noise",
    "optimiser", "recurrence", "streams", "tasks",
)  # fmt: skip


@functools.cache
def source_fingerprint() -> str:
    """SHA-256 over the code that defines training; comments, docstrings and layout do not count."""
    root, total = Path(cemrnn.__file__).parent, hashlib.sha256()
    for name in DEFINING_SOURCES:
        for path in sorted((root / name).rglob("*.py")) or [root / f"{name}.py"]:
            code = strip_documentation(path.read_text(encoding="utf-8"))
            total.update(f"{path.relative_to(root).as_posix()}\0{code}\0".encode())
    return total.hexdigest()


def strip_documentation(source: str) -> str:
    """The source without comments and docstrings, in one layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def entry_key(config: TrainingConfig) -> str:
    """Key of a network: SHA-256 of its config, the training sources, and torch's major.minor version."""
    version = ".".join(torch.__version__.split(".")[:2])
    return digest({"config": config.to_dict(), "sources": source_fingerprint(), "torch": version})


class Store:
    """Trained networks on disk.

    Args:
        root: folder, made when first written to.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    @classmethod
    def default(cls) -> Store:
        """The store that CEMRNN_STORE names, else build/store."""
        return cls(os.environ.get("CEMRNN_STORE", "build/store"))

    def folder(self, key: str) -> Path:
        """Where the entry of a key lies."""
        return self.root / key[:2] / key

    def checkpoint_path(self, configs: list[TrainingConfig]) -> Path:
        """Where an ensemble in training keeps its checkpoint."""
        return self.root / "checkpoints" / f"{digest([entry_key(c) for c in configs])}.safetensors"

    def save(self, config: TrainingConfig, network: TrainedNetwork) -> None:
        """Nothing; writes the entry to a temporary folder and renames it into place."""
        key = entry_key(config)
        target, temporary = self.folder(key), self.root / "temporary" / uuid.uuid4().hex
        try:
            temporary.mkdir(parents=True)
            write_tensors(temporary / "weights.safetensors", {"flat": network.flat}, {"key": key})
            history = network.history.to_csv(index=False, lineterminator="\n", float_format="%.9g")
            write_bytes(temporary / "history.csv", history.encode())
            entry = {
                "config": config.to_dict(),
                "status": network.status,
                "n_updates": network.n_updates,
                "checksums": {name: _checksum(temporary / name) for name in ("weights.safetensors", "history.csv")},
            }
            write_bytes(temporary / "entry.json", json.dumps(entry, indent=1, sort_keys=True).encode())
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():  # another run was faster; its entry is as good
                return
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def load(self, config: TrainingConfig) -> TrainedNetwork | None:
        """The trained network of a config, or None when there is none, or none that is whole."""
        key = entry_key(config)
        folder = self.folder(key)
        if not folder.exists():
            return None
        try:
            return _read_entry(folder, config)
        except (ValueError, KeyError, OSError, csv.Error) as error:
            self._quarantine(folder, error)
            return None

    def _quarantine(self, folder: Path, error: Exception) -> None:
        target = self.root / "quarantine" / f"{folder.name}-{uuid.uuid4().hex[:8]}"
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        log.warning("store entry %s is damaged (%s); moved to quarantine, it will be trained again", folder.name, error)


def _read_entry(folder: Path, config: TrainingConfig) -> TrainedNetwork:
    entry = json.loads((folder / "entry.json").read_bytes())
    if not isinstance(entry, dict) or entry.get("config") != json.loads(json.dumps(config.to_dict())):
        raise ValueError("its config is not the one asked for")
    for name, expected in entry["checksums"].items():
        if _checksum(folder / name) != expected:
            raise ValueError(f"{name}: checksum differs")
    tensors, _ = read_tensors(folder / "weights.safetensors")
    history = pd.read_csv(io.BytesIO((folder / "history.csv").read_bytes()))
    return TrainedNetwork(tensors["flat"], entry["status"], entry["n_updates"], history)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
