"""Code as text: without its documentation, and with all that it names of its own; what is one's own, and what not."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

LIBRARIES = {"site-packages", "dist-packages"}  # folders of packages that pip or a distribution installed
# Python's own library, and this package.
_INSTALLED = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
_INSTALLED.add(Path(__file__).resolve().parents[1])


def strip_documentation(source: str) -> str:
    """The source without comments and docstrings, in one layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def is_installed(module: ModuleType | None) -> bool:
    """Whether a module belongs to Python, to an installed package or to this one; else it is somebody's own."""
    if module is None or module.__name__ == "__main__":
        return False
    file = getattr(module, "__file__", None)
    if file is None:
        return True
    return bool(LIBRARIES & {*Path(file).parts}) or any(place in Path(file).resolve().parents for place in _INSTALLED)


def code_of_module(module: ModuleType) -> dict[str, str]:
    """Name -> code of a module of one's own that lies in a file, and of those that it imports; nothing of others."""
    parts: dict[str, str] = {}
    waiting = [module]
    while waiting:
        module = waiting.pop()
        if module.__name__ in parts or is_installed(module) or not getattr(module, "__file__", None):
            continue
        file = Path(module.__file__)
        code, imports = _read_module(file, file.stat().st_mtime_ns)
        parts[module.__name__] = code
        waiting += _imported(module, imports)
    return parts


@functools.lru_cache
def _read_module(file: Path, _changed: int) -> tuple[str, tuple[str, ...]]:
    """Code of a file, or a digest of one that is compiled, and the names that it imports, relative ones with dots."""
    if file.suffix != ".py":
        return hashlib.sha256(file.read_bytes()).hexdigest(), ()
    text, names = file.read_text(encoding="utf-8"), []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source, aliases = "." * node.level + (node.module or ""), [alias.name for alias in node.names]
            names += [source, *(f"{source}{'.' if node.module else ''}{alias}" for alias in aliases)]
    return strip_documentation(text), tuple(names)


def _imported(module: ModuleType, names: Sequence[str]) -> list[ModuleType]:
    """The modules among what a module imports by these names, and those that it holds."""
    package = getattr(module, "__package__", None)
    found = {value.__name__ for value in vars(module).values() if isinstance(value, ModuleType)}
    found |= {importlib.util.resolve_name(name, package) for name in names if package or not name.startswith(".")}
    return [sys.modules[name] for name in sorted(found) if sys.modules.get(name) is not None]


def as_written(code: Any) -> Any:
    """The function behind one that numba compiled or that keeps what it computed, behind a static method or a property.

    Anything else is returned as it is.
    """
    if isinstance(code, functools.cached_property):
        return code.func
    for name in ("py_func", "__func__", "fget"):
        code = getattr(code, name, code)
    return inspect.unwrap(code)


def code_of(thing: type | FunctionType) -> str:
    """Code of a class or function, and of what it names of its own: functions, classes, constants, whole modules.

    Installed code is left out, unless it is of the same top-level package as the thing itself.

    Raises:
        ValueError: code cannot be found, or a value that it names has no lasting form.
    """
    parts: dict[str, str] = {}
    try:
        _collect(thing, _place(thing), parts)
    except RecursionError:
        raise ValueError(f"{_name(thing)}: expected values that do not contain themselves") from None
    return "\n".join(f"{name} = {parts[name]}" for name in sorted(parts))


def _place(thing: Any) -> str:
    return (getattr(thing, "__module__", None) or "").partition(".")[0]


def _is_own(thing: Any, place: str) -> bool:
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    return _place(thing) == place or (module is not None and not is_installed(module))


def is_generated(function: Any) -> bool:
    """Whether Python wrote a function itself, as it does for data classes and named tuples."""
    return isinstance(function, FunctionType) and function.__code__.co_filename.startswith(("<string>", "<attrs"))


def _collect(thing: type | FunctionType, place: str, parts: dict[str, str]) -> None:
    name = _name(thing)
    if name in parts:
        return
    if isinstance(thing, FunctionType):
        parts[name] = _read(thing)
        parts |= {f"{name}/{key}": _describe(key, value, place, parts) for key, value in _named(thing)}
        return
    parts[name] = ", ".join([*map(_name, thing.__mro__[1:]), str(vars(thing).get("__annotations__", ""))])
    for base in thing.__mro__[1:]:
        if _is_own(base, place):
            _collect(base, place, parts)
    for key, value in vars(thing).items():
        value = as_written(value)
        if is_generated(value):
            continue
        if isinstance(value, FunctionType) or not key.startswith("__"):
            parts[f"{name}/{key}"] = _describe(key, value, place, parts)


def _describe(name: str, value: Any, place: str, parts: dict[str, str]) -> str:
    """The value as text; functions, classes and modules by their names, and their code goes into the parts."""
    if isinstance(value, ModuleType):
        parts |= code_of_module(value)
        return _name(value)
    if inspect.ismethod(value):
        return _describe(name, [value.__func__, value.__self__], place, parts)
    value = as_written(value)
    if isinstance(value, FunctionType | type):
        if _is_own(value, place):
            _collect(value, place, parts)
        return _name(value)
    if isinstance(value, functools.partial):
        return _describe(name, [value.func, value.args, value.keywords], place, parts)
    if isinstance(value, Mapping):
        return str({str(key): _describe(name, item, place, parts) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return str([_describe(name, item, place, parts) for item in value])
    return _describe_object(name, value, place, parts)


def _describe_object(name: str, value: Any, place: str, parts: dict[str, str]) -> str:
    if _is_own(type(value), place):
        _collect(type(value), place, parts)
    elif callable(value):
        return _name(value)
    text = repr(value.tolist() if hasattr(value, "tolist") else value)
    if " at 0x" in text and _is_own(type(value), place) and hasattr(value, "__dict__"):
        return _describe(name, vars(value), place, parts)
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
    """Global and enclosing values that a function names, and its defaults."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    yield from ((name, cell.cell_contents) for name, cell in cells if name != "__class__")
    for name in sorted(set(_names_in(function.__code__))):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    if function.__defaults__ or function.__kwdefaults__:
        yield "defaults", [function.__defaults__ or (), function.__kwdefaults__ or {}]


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)
