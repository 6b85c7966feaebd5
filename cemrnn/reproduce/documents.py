"""Files of YAML 1.2, read strictly: no number in base 8, no key twice, no `on` for true; errors name file and line.

And generated files of JSON.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

MOST_SHOWN = 60  # characters of what a file says, in an error


class Loader(yaml.SafeLoader):
    """The core schema of YAML 1.2 (PyYAML's own is 1.1), without numbers that begin with a zero."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """The mapping of a node, whose keys must differ."""
        seen: list = []
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"expected each key once, got {name!r} again",
                                                        key.start_mark)  # fmt: skip
            seen.append(name)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int:
        """The whole number of a node."""
        if re.match(r"[-+]?0\d", node.value):
            problem = f"expected a number that does not begin with 0, got {node.value}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return int(node.value, 0)


for tag, pattern, first in (
    ("null", "~|null|Null|NULL|", "~nN"),
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?\d+|0o[0-7]+|0x[\da-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789"),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"({pattern})$"), [*first, ""])
Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_number)


def read_json(path: Path, remedy: str = "run its notebook again") -> dict[str, Any]:
    """The names and values of a generated JSON file; nothing if there is none.

    Raises:
        ValueError: it says something else, or is not JSON; the message names the file and the remedy.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got {error}; {remedy}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected names with their values, got {str(content)[:MOST_SHOWN]}; {remedy}")
    return content


def read_yaml(path: Path) -> Any:
    """What a file says.

    Raises:
        ValueError: it is not UTF-8, not YAML, or says something twice; the message names file and line.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 ({error.reason} at byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{path}{where}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def parse_yaml(text: str) -> Any:
    """What a text says; PyYAML's errors if it says nothing."""
    loader = Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def read_sections(path: Path, what: str) -> dict[str, Any]:
    """What a file says that is a mapping of names to mappings; an empty one says nothing.

    Raises:
        ValueError: it does not; or as `read_yaml`.
    """
    sections = read_yaml(path)
    sections = {} if sections is None else sections
    if not isinstance(sections, dict):
        raise ValueError(f"{path}: expected {what} with their values, got {sections!r}")
    for name, values in sections.items():
        if not isinstance(name, str) or not isinstance(values, dict | None):
            raise ValueError(f"{path}: {name}: expected names with their values, got {values!r}")
    return {name: values or {} for name, values in sections.items()}
