"""Settings of figures: the values of a profile, `name=value` of a command line, what a reader changed in a notebook."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cemrnn import figures
from cemrnn.config import C, MissingError, coerce, describe_fields, field_types, is_config, unknown_name
from cemrnn.figures import config_class, find_figure, list_figures
from cemrnn.ranges import check_ranges
from cemrnn.reproduce.documents import parse_yaml, read_sections
from cemrnn.reproduce.project import CUSTOM, Project

BASE = "quick"  # the profile whose values stand where another says nothing
SHARED = "networks"  # section of a profile that holds for every figure with such a field
INJECTED = "# Parameters"  # how the cell begins that papermill puts behind the one tagged `parameters`


def current_profile() -> str:
    """The profile that the environment variable CEMRNN_PROFILE names, else quick."""
    return os.environ.get("CEMRNN_PROFILE") or BASE


def name_profile(stem: str, config: C) -> str:
    """The current profile if these are its settings of the figure, else custom."""
    try:
        return current_profile() if make_config(Project(), stem, current_profile()) == config else CUSTOM
    except ValueError:
        return CUSTOM


def load_config(stem: str, namespace: Mapping[str, Any]) -> C:
    """The settings of a figure: those of the current profile, and what its notebook changes.

    A name of the notebook counts if its value is not the one of quick, which the parameters cell shows, or if the run
    set it, as `papermill -p` does.

    Args:
        stem: name of the figure.
        namespace: `globals()` of the notebook.

    Raises:
        ValueError: the run set a name that is no setting of the figure, or a value is not of its type.
    """
    project, types = Project(), field_types(config_class(stem))
    injected = find_injected(namespace.get("In", ()))
    _check_names(injected, types, f"parameter of {stem}")
    shown, changes = read_values(project, stem, BASE), {}
    for name in types.keys() & namespace.keys():
        value = namespace[name]
        value = parse_text(value, types[name], name) if isinstance(value, str) else value
        if name in injected or value != shown.get(name, value):
            changes[name] = value
    return make_config(project, stem, current_profile(), changes)


def find_injected(cells: Iterable[str]) -> set[str]:
    """Names that papermill set, from the cells of a notebook that have run."""
    lines = [line for cell in cells if cell.startswith(INJECTED) for line in ast.parse(cell).body]
    return {target.id for line in lines for target in line.targets}


def make_config(project: Project, stem: str, profile: str, changes: Mapping[str, Any] | None = None) -> C:
    """The settings of a figure at a profile, with these changes; those of settings inside settings are merged.

    Raises:
        ValueError: profile, section or name is unknown, a value is missing, not of its type or out of its range.
    """
    values = read_values(project, stem, profile)
    for name, change in (changes or {}).items():
        values[name] = values[name] | change if isinstance(change, dict) else change
    try:
        kind = config_class(stem)
        check_ranges(values, kind)
        return kind.from_params(values)
    except MissingError as error:
        where = f"in the section {stem} of notebooks/params/{BASE}.yml, or a default in the class"
        raise ValueError(f"{error}; it can have one {where}") from None
    except ValueError as error:
        raise ValueError(f"{stem} at profile {profile}: {error}") from None


def read_values(project: Project, stem: str, profile: str, within: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a profile says of a figure: the section `networks`, then the figure's own, over the same of quick.

    For settings inside the settings a profile names the figure whose values they are, gives values, or both in turn.

    `within` are the figures that ask for the values of this one.

    Raises:
        ValueError: profile, section or name is unknown, or figures name each other in a circle.
    """
    if stem in within:
        raise ValueError(f"{' -> '.join((*within, stem))}: expected a figure whose settings do not name this one")
    types, values, inner = field_types(config_class(stem)), {}, {}
    for name in dict.fromkeys((BASE, profile)):
        sections = _read_sections(project, name)
        own, shared = sections.get(stem, {}), sections.get(SHARED, {})
        _check_names(own, types, f"parameter in section {stem} of {name}.yml:")
        _check_shared(shared.keys() - types.keys(), name)
        for key, value in ({key: shared[key] for key in shared if key in types} | own).items():
            if is_config(types[key]):
                named = read_values(project, value, profile, (*within, stem)) if isinstance(value, str) else value
                if not isinstance(named, dict):
                    raise ValueError(f"{stem}, {key}: expected the name of a figure or settings, got {named!r}")
                fields = field_types(types[key])
                inner.setdefault(key, {}).update({k: named[k] for k in named if k in fields or named is value})
            else:
                values[key] = value
    return values | inner


def find_differing(project: Project, stem: str, profile: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a profile that a figure's notebook shows otherwise; the class of the settings is not loaded."""
    values: dict[str, Any] = {}
    for name in dict.fromkeys((BASE, profile)):
        sections = _read_sections(project, name)
        values |= sections.get(SHARED, {}) | sections.get(stem, {})
    return {name: values[name] for name in shown if values.get(name, shown[name]) != shown[name]}


def _read_sections(project: Project, profile: str) -> dict[str, dict[str, Any]]:
    sections = read_sections(project.profile(profile), "names of figures, or networks,")
    known = [SHARED, *list_figures()]
    try:
        _check_names(sections, known, f"section of {profile}.yml:")
    except ValueError as error:
        raise ValueError(f"{error} (a figure of your own is known where CEMRNN_FIGURES names its folder)") from None
    return sections


def _check_shared(others: set[str], profile: str) -> None:
    """Refuse names of the shared section that are settings of no figure; `others` are not those of the one at hand."""
    known: set[str] = set()
    for stem in list_figures():
        if others <= known:
            return
        known |= field_types(config_class(stem)).keys()
    _check_names(others, known, f"parameter in section {SHARED} of {profile}.yml:")


def parse_overrides(stem: str, overrides: Iterable[str]) -> dict[str, Any]:
    """Typed values of `name=value` texts; `outer.inner=value` is one of the settings inside the settings.

    Raises:
        ValueError: a text has no `=`, a name is unknown or given twice, or a value is not of its type.
    """
    fields, values, given = describe_fields(config_class(stem)), {}, []
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise ValueError(f"parameter override: expected name=value, got {override!r}")
        _check_names([name], fields, "parameter")
        if name in (given := [*given, name])[:-1]:
            raise ValueError(f"{name}: expected one value, got it twice")
        outer, _, inner = name.partition(".")
        value = parse_text(text, fields[name].hint, name)
        values |= {outer: values.get(outer, {}) | {inner: value}} if inner else {name: value}
    return values


def check_texts(stem: str, overrides: Iterable[str]) -> None:
    """Refuse values of `name=value` texts by their names alone, before the class of the settings is loaded.

    Loading it takes seconds. Whatever passes is checked again by `make_config`; figures of one's own are left to that,
    because their classes may say other ranges, and so are empty lists, which only some classes allow.

    Raises:
        ValueError: a value is out of the range of its name.
    """
    if stem not in list_figures() or find_figure(stem).parent != Path(figures.__file__).parent:
        return
    for override in overrides:
        name, _, text = override.partition("=")
        value = _read_text(text)
        value = _read_text(f"[{text}]") if isinstance(value, str) else value
        if not value and isinstance(value, list):
            continue
        try:
            outer, point, inner = name.rpartition(".")
            check_ranges({inner: value}, prefix=outer + point)
        except ValueError as error:
            raise ValueError(f"{stem}: {error}") from None


def parse_text(text: str, hint: Any, name: str) -> Any:
    """What a text means in a field of that type: 2, 1e-3, true, none, 0,0.5,1 or [0, 0.5, 1].

    Raises:
        ValueError: it is not of that type.
    """
    for reading in (text, None if text.lower() == "none" else _read_text(text), _read_text(f"[{text}]")):
        try:
            value = coerce(reading, hint, name)
        except ValueError:
            continue
        return list(value) if isinstance(value, tuple) else value
    return coerce(text, hint, name)  # which says what is expected


def _read_text(text: str) -> Any:
    """What a text of YAML means; the text itself if it is none."""
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        return text


def _check_names(names: Iterable[str], valid: Iterable[str], what: str) -> None:
    for name in names:
        if name not in valid:
            raise ValueError(unknown_name(str(name), valid, what))
