"""Notebook parameters: what the parameters cell declares, and how text and YAML become typed values."""

from __future__ import annotations

import ast
import dataclasses
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

from cemrnn.config import coerce, unknown_name

SCALARS = {"bool": bool, "float": float, "int": int, "str": str}
BOOLEANS = {"true": True, "false": False}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One declared parameter: `kind` is a scalar's type name, e.g. "float" for float and list[float]."""

    name: str
    kind: str
    default: Any
    help: str
    is_list: bool = False
    is_optional: bool = False

    @property
    def annotation(self) -> str:
        """The type as the notebook writes it."""
        if self.is_list:
            return f"list[{self.kind}]"
        return f"Optional[{self.kind}]" if self.is_optional else self.kind

    def parse(self, text: str) -> Any:
        """Value that the text of a command line means, in the declared type.

        Raises:
            ValueError: the text is not of that type.
        """
        if self.is_optional and text.lower() == "none":
            return None
        if self.is_list:
            return [self._parse_scalar(item.strip()) for item in text.split(",") if item.strip()]
        return self._parse_scalar(text)

    def convert(self, value: Any) -> Any:
        """The value of a YAML file in the declared type; "1e-3", which YAML calls text, becomes a float.

        Raises:
            ValueError: the value is not of that type.
        """
        if self.is_list:
            if not isinstance(value, list):
                raise self._mismatch(value)
            return [self._convert_scalar(item) for item in value]
        return None if value is None and self.is_optional else self._convert_scalar(value)

    def _convert_scalar(self, value: Any) -> Any:
        if isinstance(value, str) and self.kind == "float":
            return self._parse_scalar(value)
        try:
            return coerce(value, SCALARS[self.kind], self.name)
        except ValueError:
            raise self._mismatch(value) from None

    def _parse_scalar(self, text: str) -> Any:
        if self.kind == "bool":
            if text.lower() not in BOOLEANS:
                raise self._mismatch(text)
            return BOOLEANS[text.lower()]
        try:
            return SCALARS[self.kind](text)
        except ValueError:
            raise self._mismatch(text) from None

    def _mismatch(self, value: Any) -> ValueError:
        return ValueError(f"{self.name}: expected {self.annotation}, got {value!r}")


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """Parameters that the notebook's one cell tagged `parameters` declares, in its order.

    Raises:
        ValueError: there is not exactly one such cell, or a line is not `name: type = literal`.
            Derived values are refused, because a run sets parameters after they were computed.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{notebook.name}: expected one cell tagged 'parameters', got {len(tagged)}")
    source = tagged[0].source
    comments = _comments(source)
    declared = [_read_line(line, comments, notebook.name) for line in ast.parse(source).body]
    return {parameter.name: parameter for parameter in declared}


def apply_overrides(parameters: dict[str, Parameter], overrides: Iterable[str]) -> dict[str, Any]:
    """Typed values of `name=value` texts.

    Raises:
        ValueError: a text has no `=`, a name is unknown, or a value has the wrong type.
    """
    values = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise ValueError(f"parameter override: expected name=value, got {override!r}")
        if name not in parameters:
            raise ValueError(unknown_name(name, parameters, "parameter"))
        values[name] = parameters[name].parse(text)
    return values


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}


def _read_line(line: ast.stmt, comments: dict[int, str], where: str) -> Parameter:
    where = f"{where}, parameters cell, line {line.lineno}"
    if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name) or line.value is None:
        raise ValueError(f"{where}: expected `name: type = literal`, got `{ast.unparse(line)}`")
    name = line.target.id
    try:
        default = ast.literal_eval(line.value)
    except ValueError:
        raise ValueError(f"{where}: {name}: expected a literal, got `{ast.unparse(line.value)}`") from None
    kind, is_list, is_optional = _read_type(line.annotation, f"{where}: {name}")
    parameter = Parameter(name, kind, default, comments.get(line.end_lineno, ""), is_list, is_optional)
    parameter.convert(default)
    return parameter


def _read_type(node: ast.expr, where: str) -> tuple[str, bool, bool]:
    # `int | None` and `tuple[int, ...]` are refused because papermill leaves such lines out of its help.
    match node:
        case ast.Name(id=kind) if kind in SCALARS:
            return kind, False, False
        case ast.Subscript(value=ast.Name(id="list"), slice=ast.Name(id=kind)) if kind in SCALARS:
            return kind, True, False
        case ast.Subscript(value=ast.Name(id="Optional"), slice=ast.Name(id=kind)) if kind in SCALARS:
            return kind, False, True
    raise ValueError(
        f"{where}: expected a type among {', '.join(SCALARS)}, list[...] and Optional[...] of these, "
        f"got `{ast.unparse(node)}`"
    )
