"""A folder that holds trained networks by themselves, for another project to carry.

Three files: weights.safetensors, history.csv and networks.json, which holds what the networks are, and checksums of the
other two and of itself. Reading executes nothing.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from cemrnn.config import digest
from cemrnn.system.files import checksum, pack_tensors, unpack_tensors, write_bytes

WEIGHTS, HISTORY, RECORD = "weights.safetensors", "history.csv", "networks.json"


def write_bundle(folder: Path, flat: Tensor, history: pd.DataFrame, document: dict[str, Any]) -> None:
    """Write networks into a folder, which is made; the record comes last, so that a part is not taken for the whole.

    Args:
        folder: what it holds under the three names is replaced.
        flat: (M, P) parameters.
        history: a row per network and evaluation.
        document: JSON-ready description of the networks.
    """
    files = {WEIGHTS: pack_tensors({"flat": flat}, {}), HISTORY: history.to_csv(index=False).encode()}
    record = {**document, "checksums": {name: checksum(content) for name, content in files.items()}}
    files[RECORD] = json.dumps({**record, "checksum": digest(record)}, indent=1, sort_keys=True).encode()
    for name, content in files.items():
        write_bytes(folder / name, content)


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds networks that `write_bundle` wrote."""
    return (folder / RECORD).is_file()


def read_bundle(folder: Path) -> tuple[Tensor, pd.DataFrame, dict[str, Any]]:
    """Parameters (M, P), history and document of a folder.

    Raises:
        FileNotFoundError: weights or history are not there.
        ValueError: there are no networks, or a file is not as it was written.
    """
    if not is_bundle(folder):
        found = f"no {RECORD} in it" if folder.is_dir() else "no folder"
        raise ValueError(f"{folder}: expected a folder that `save` wrote, got {found}")
    files = {name: (folder / name).read_bytes() for name in (WEIGHTS, HISTORY, RECORD)}
    try:
        record = json.loads(files[RECORD])
        if record.pop("checksum") != digest(record):
            raise ValueError("checksum differs")
        checksums = record.pop("checksums")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{folder / RECORD}: {error}") from error
    for name in (WEIGHTS, HISTORY):
        if checksums[name] != checksum(files[name]):
            raise ValueError(f"{folder / name}: checksum differs")
    history = pd.read_csv(io.BytesIO(files[HISTORY]))
    return unpack_tensors(files[WEIGHTS])[0]["flat"], history, record
