"""What somebody's own code and data say, as a digest: it stands in a config, so that another content is another key."""

from __future__ import annotations

import ast
import dataclasses
import dis
import functools
import hashlib
import inspect
import json
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

import numpy as np
import torch

from cemrnn.system.source import as_written, code_of_module, is_generated, is_installed


def digest_content(*parts: Any) -> str:
    """SHA-256 of arrays, plain values, functions and objects, as hexadecimal text.

    Of a function count its source, its defaults, and whatever of one's own it refers to by name, in functions inside it
    too, in turn; of a class its source and what its methods refer to; of an object its class and attributes; of a file
    of one's own that is imported as a module, all of it, and of those that it imports. Installed code counts by name.

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
    if isinstance(part, torch.nn.Module):
        part = [type(part), dict(part.state_dict())]
    if hasattr(part, "to_numpy") and not isinstance(part, type):  # of pandas, which shows a part of itself
        part = [type(part), part.to_numpy(), [str(name) for name in getattr(part, "columns", ())]]
    if isinstance(part, np.ndarray) and part.dtype.hasobject:
        part = part.tolist()
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
    elif isinstance(part, (set, frozenset)):
        _add(total, sorted(map(repr, part)), seen)
    elif part is None or isinstance(part, (str, int, float, bool)):
        total.update(json.dumps(part).encode())
    elif inspect.ismethod(part):
        _add(total, [part.__func__, part.__self__], seen)
    elif inspect.ismodule(part):
        _add(total, [part.__name__, code_of_module(part)], seen)
    elif inspect.isroutine(as_written(part)) or isinstance(part, type):
        _add_code(total, as_written(part), seen)
    elif " at 0x" not in repr(part) and not dataclasses.is_dataclass(part):
        total.update(repr(part).encode())
    elif hasattr(part, "__dict__") and (vars(part) or dataclasses.is_dataclass(part) or _is_own(part)):
        if id(part) not in seen:
            seen.add(id(part))
            _add(total, [type(part), vars(part)], seen)
    else:
        raise ValueError(f"expected arrays, plain values and functions, got {part!r}, whose content cannot be told")


def _add_code(total, code: Callable, seen: set[int]) -> None:
    if id(code) in seen:
        return
    seen.add(id(code))
    if is_installed(sys.modules.get(getattr(code, "__module__", None) or "")):
        total.update(f"{code.__module__}.{code.__qualname__}".encode())
        return
    try:
        total.update(_source_of(code).encode())
    except (OSError, TypeError) as error:
        raise ValueError(f"expected a function with a source, as in a file or a notebook: {error}") from error
    if inspect.isfunction(code):
        names = {name: code.__globals__[name] for name in _names(code.__code__) if name in code.__globals__}
        _add(total, [code.__defaults__, code.__kwdefaults__, names, inspect.getclosurevars(code).nonlocals], seen)
    else:
        parts = [*code.__bases__, *map(as_written, vars(code).values())]
        kept = [part for part in parts if isinstance(part, type) or inspect.isfunction(part) and not is_generated(part)]
        _add(total, kept, seen)


def _source_of(code: Callable) -> str:
    """The source of a function or class; of a class in a notebook, which is in no file, that around its methods."""
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):
        if not isinstance(code, type):
            raise
        methods = [part for part in map(as_written, vars(code).values()) if inspect.isfunction(part)]
        found = (_class_around(method, code.__name__) for method in methods)
        if source := next(filter(None, found), None):
            return source
        raise


def _class_around(method: Callable, name: str) -> str | None:
    """The source of the class of that name in which the method is written, if it is written in one."""
    text, line = "".join(inspect.findsource(method)[0]), method.__code__.co_firstlineno
    classes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef) and node.name == name]
    around = [node for node in classes if node.lineno < line <= node.end_lineno]
    return ast.get_source_segment(text, around[-1]) if around else None


def _is_own(part: Any) -> bool:
    return not is_installed(sys.modules.get(type(part).__module__))


def _names(code: CodeType) -> set[str]:
    """Names of globals that a function refers to, in functions inside it too."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    own = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*map(_names, inner))
