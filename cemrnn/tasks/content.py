"""What somebody's own code and data say, as a digest: it stands in a config, so that another content is another key."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

# Folders of installed code: the environment, Python's own library, and this package.
_INSTALLED = {
    Path(sys.prefix).resolve(),
    *(Path(file).resolve().parents[depth] for file, depth in ((os.__file__, 0), (np.__file__, 1), (__file__, 1))),
}


def digest_content(*parts: Any) -> str:
    """SHA-256 of arrays, plain values and functions, as hexadecimal text.

    Of a function count its source, its defaults, and whatever of one's own it refers to by name, in turn; installed
    code counts by its name.

    Raises:
        ValueError: the source of a function cannot be read, as of one that was typed at a prompt.
    """
    total, seen = hashlib.sha256(), set()
    for part in parts:
        _add(total, part, seen)
    return total.hexdigest()


def _add(total, part: Any, seen: set[int]) -> None:
    if isinstance(part, torch.Tensor):
        part = part.numpy(force=True)
    if isinstance(part, np.ndarray):
        total.update(f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
    elif isinstance(part, functools.partial):
        _add(total, [part.func, part.args, part.keywords], seen)
    elif isinstance(part, (list, tuple)):
        total.update(f"{len(part)}(".encode())
        for item in part:
            _add(total, item, seen)
    elif isinstance(part, dict):
        _add(total, sorted(part.items(), key=lambda item: str(item[0])), seen)
    elif callable(part) and not dataclasses.is_dataclass(part) or isinstance(part, type):
        _add_code(total, getattr(part, "py_func", part), seen)  # what numba has compiled, as it was written
    elif part is None or isinstance(part, (str, int, float, bool)):
        total.update(json.dumps(part).encode())
    elif dataclasses.is_dataclass(part):
        _add(total, [type(part).__qualname__, vars(part)], seen)
    elif inspect.ismodule(part) or " at 0x" not in repr(part):
        total.update(repr(part).encode())
    else:
        raise ValueError(f"expected arrays, plain values and functions, got {part!r}, whose content cannot be told")


def _add_code(total, code: Callable, seen: set[int]) -> None:
    module = sys.modules.get(getattr(code, "__module__", None) or "")
    if id(code) in seen:
        return
    seen.add(id(code))
    if _is_installed(module):
        total.update(f"{code.__module__}.{getattr(code, '__qualname__', type(code).__qualname__)}".encode())
        return
    try:
        total.update(inspect.getsource(code).encode())
    except (OSError, TypeError) as error:
        raise ValueError(f"expected a function with a source, as in a file or a notebook: {error}") from error
    if inspect.isfunction(code):
        _add(total, [code.__defaults__, code.__kwdefaults__], seen)
        names = inspect.getclosurevars(code)
        _add(total, [{**names.globals, **names.nonlocals}], seen)


def _is_installed(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    if module is None or module.__name__ == "__main__":
        return False
    return file is None or any(place in Path(file).resolve().parents for place in _INSTALLED)
