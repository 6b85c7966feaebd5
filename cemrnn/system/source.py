"""Code as text: without its documentation, and with all that it names of its own."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any


def strip_documentation(source: str) -> str:
    """The source without comments and docstrings, in one layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def code_of(thing: type | FunctionType) -> str:
    """Code of a class or function, and of the functions, classes and constants that it names, without documentation.

    What belongs to another top-level package or module than the thing itself, a library, is left out.

    Raises:
        ValueError: code cannot be found, or a value that it names has no lasting form.
    """
    parts: dict[str, str] = {}
    _collect(thing, _place(thing), parts)
    return "\n".join(f"{name} = {parts[name]}" for name in sorted(parts))


def _place(thing: Any) -> str:
    return (getattr(thing, "__module__", None) or "").partition(".")[0]


def _collect(thing: type | FunctionType, place: str, parts: dict[str, str]) -> None:
    name = _name(thing)
    if name in parts:
        return
    if isinstance(thing, FunctionType):
        parts[name] = _read(thing)
        parts |= {f"{name}/{key}": _describe(key, value, place, parts) for key, value in _named(thing)}
        return
    parts[name] = ", ".join(map(_name, thing.__mro__[1:]))
    for base in thing.__mro__[1:]:
        if _place(base) == place:
            _collect(base, place, parts)
    for key, value in vars(thing).items():
        value = getattr(value, "__func__", getattr(value, "fget", value))  # of a static method, of a property
        if isinstance(value, FunctionType) or not key.startswith("__"):
            parts[f"{name}/{key}"] = _describe(key, value, place, parts)


def _describe(name: str, value: Any, place: str, parts: dict[str, str]) -> str:
    """The value as text; functions and classes by their names, and their code goes into the parts."""
    if isinstance(value, FunctionType | type):
        if _place(value) == place:
            _collect(value, place, parts)
        return _name(value)
    if isinstance(value, Mapping):
        return str({str(key): _describe(name, item, place, parts) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return str([_describe(name, item, place, parts) for item in value])
    if isinstance(value, ModuleType) or callable(value):
        return _name(value)
    text = repr(value.tolist() if hasattr(value, "tolist") else value)
    if " at 0x" in text:
        raise ValueError(f"{name}: expected a constant, whose code can be part of a key, got {text}")
    return text


def _name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', getattr(thing, '__name__', ''))}"


def _read(function: FunctionType) -> str:
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise ValueError(f"{function.__qualname__}: expected a function whose code can be read ({error})") from None
    try:
        return strip_documentation(source)
    except SyntaxError:  # a lambda in the middle of a statement
        return source.strip()


def _named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Global and enclosing values that a function names."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    yield from ((name, cell.cell_contents) for name, cell in cells if name != "__class__")
    for name in sorted(set(_names_in(function.__code__))):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)
