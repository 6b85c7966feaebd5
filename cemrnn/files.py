"""Tensors with a JSON document in one safetensors file: written whole or not at all, and never executed on reading."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, Tensor], document: Any) -> None:
    """Nothing; the file appears complete, under its name, or not at all.

    Args:
        path: target.
        tensors: name -> tensor.
        document: JSON-ready value, kept in one metadata key so that the file is byte-stable.
    """
    text = json.dumps(document, sort_keys=True)
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(content, metadata={"document": text}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Tensors and document of a file.

    Raises:
        ValueError: the file is not what `write_tensors` writes.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            return tensors, json.loads(file.metadata()["document"])
    except Exception as error:  # safetensors raises its own bare class
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path}: expected a complete safetensors file with a document, got: {error}") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Nothing; the file appears complete, under its name, or not at all, even if power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
