"""Frozen configurations: strict construction from parameters, what each field means, canonical form, digest."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import hashlib
import inspect
import io
import json
import math
import re
import textwrap
import tokenize
import types
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

MOST_SHOWN = 60  # characters of a value, in an error
C = TypeVar("C", bound="Config")


class MissingError(ValueError):
    """A setting without a default has no value."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Base of every configuration: values are checked against the annotated types, names are strict.

    Attributes:
        ranges: field -> (least, most) where its name would give it another range in `cemrnn.ranges`; None: any value.
    """

    ranges: ClassVar[Mapping[str, tuple[float, float] | None]] = {}

    def __post_init__(self) -> None:
        hints = field_types(type(self))
        for field in dataclasses.fields(self):
            value = coerce(getattr(self, field.name), hints[field.name], field.name)
            object.__setattr__(self, field.name, value)

    @classmethod
    def from_params(cls: type[C], params: dict[str, Any]) -> C:
        """Configuration built from a mapping of parameter names to values.

        Raises:
            ValueError: a name is unknown (the nearest valid one is suggested), or a value is missing or mistyped.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in params:
            if name not in names:
                raise ValueError(unknown_name(name, names, f"parameter of {cls.__name__}"))
        nothing = dataclasses.MISSING
        required = [f.name for f in dataclasses.fields(cls) if f.default is nothing and f.default_factory is nothing]
        if missing := [name for name in required if name not in params]:
            raise MissingError(f"{cls.__name__}: expected a value for {', '.join(missing)}, got none")
        return cls(**params)

    def to_dict(self) -> dict[str, Any]:
        """Plain, JSON-ready values of every field."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON form, as hexadecimal text."""
        return digest(self.to_dict())


class Description(NamedTuple):
    """What is known of a field: its type, as the class says it, and unit, meaning and source, from the comment."""

    hint: Any
    annotation: str
    meaning: str


def describe_fields(config_class: type[Config], prefix: str = "") -> dict[str, Description]:
    """Every field of a configuration by its name; those of a configuration inside it as outer.inner."""
    written: dict[str, tuple[str, str]] = {}
    for base in reversed(config_class.__mro__):
        if issubclass(base, Config):
            written |= _read_fields(base)
    described = {}
    for field in dataclasses.fields(config_class):
        hint = field_types(config_class)[field.name]
        if is_config(hint):
            described |= describe_fields(hint, f"{prefix}{field.name}.")
        else:
            described[prefix + field.name] = Description(hint, *written[field.name])
    return described


def is_config(hint: Any) -> bool:
    """Whether a type is a class of configurations."""
    return isinstance(hint, type) and issubclass(hint, Config)


def _read_fields(config_class: type) -> dict[str, tuple[str, str]]:
    """Field -> annotation and trailing comment, of the fields in the body of one class."""
    source = textwrap.dedent(inspect.getsource(config_class))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    lines = (line for line in ast.parse(source).body[0].body if isinstance(line, ast.AnnAssign))
    return {line.target.id: (ast.unparse(line.annotation), comments.get(line.end_lineno, "")) for line in lines}


@functools.cache
def field_types(config_class: type) -> dict[str, Any]:
    """Every field of a class of configurations with its type, in order."""
    hints = typing.get_type_hints(config_class)
    return {field.name: hints[field.name] for field in dataclasses.fields(config_class)}


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON form of any JSON-ready value, as hexadecimal text."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def unknown_name(name: Any, valid: typing.Iterable[str], what: str) -> str:
    """Message for an unknown name, with the nearest valid one when there is one."""
    valid = sorted(valid)
    nearest = difflib.get_close_matches(str(name), valid, n=1)
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"expected one of: {', '.join(valid)}"
    return f"unknown {what} '{name}'; {hint}"


def show(value: Any) -> str:
    """A value in a message: as Python writes it, if that is short; of arrays the type of their numbers."""
    kind = getattr(value, "dtype", None)
    text = repr(value) if kind is None else f"{kind}"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}... ({type(value).__name__})"


def natural_order(name: str) -> list[tuple[int, str]]:
    """Key to sort names by, in which fig2 comes before fig10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def coerce(value: Any, hint: Any, name: str) -> Any:
    """The value in the annotated type: int to float and list to tuple are the only conversions.

    Raises:
        ValueError: the value is not of the annotated type.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _coerce_union(value, args, name, hint)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise ValueError(_mismatch(name, hint, value))
        return tuple(coerce(item, args[0], f"{name}[{i}]") for i, item in enumerate(value))
    if origin is typing.Literal:
        if value not in args:
            raise ValueError(unknown_name(str(value), map(str, args), f"value of {name}:"))
        return value
    if is_config(hint) and isinstance(value, dict):
        return hint.from_params(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value}")
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ValueError(_mismatch(name, hint, value))


def _coerce_union(value: Any, args: tuple, name: str, hint: Any) -> Any:
    for option in args:
        if option is type(None):
            if value is None:
                return None
            continue
        try:
            return coerce(value, option, name)
        except ValueError:
            continue
    raise ValueError(_mismatch(name, hint, value))


def _mismatch(name: str, hint: Any, value: Any) -> str:
    expected = getattr(hint, "__name__", str(hint)) if not typing.get_origin(hint) else str(hint)
    return f"{name}: expected {expected}, got {value!r} ({type(value).__name__})"
