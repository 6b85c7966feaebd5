"""The folder of the clone: its notebooks, profiles and generated files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from cemrnn.config import natural_order, unknown_name
from cemrnn.reproduce.parameters import Parameter, apply_overrides, read_parameters

SHARED_SECTION = "networks"


@dataclasses.dataclass(frozen=True)
class Project:
    """Paths and parameters of the project in `root`, the current folder by default."""

    root: Path = dataclasses.field(default_factory=Path.cwd)

    @property
    def build(self) -> Path:
        """Folder of everything generated."""
        return self.root / "build"

    def stems(self) -> list[str]:
        """Names of all notebooks without extension, fig2 before fig10.

        Raises:
            ValueError: this folder is not a clone of the project.
        """
        stems = [path.stem for path in (self.root / "notebooks").glob("*.ipynb")]
        if not stems:
            raise ValueError(f"no notebooks in {self.root}/notebooks; run this in the folder of the clone")
        return sorted(stems, key=natural_order)

    def notebook(self, stem: str) -> Path:
        """Path of the notebook named `stem`.

        Raises:
            ValueError: there is none; the nearest name is suggested.
        """
        if stem not in self.stems():
            raise ValueError(unknown_name(stem, self.stems(), "notebook"))
        return self.root / "notebooks" / f"{stem}.ipynb"

    def parameters(self, stem: str) -> dict[str, Parameter]:
        """Parameters that the notebook declares."""
        return read_parameters(self.notebook(stem))

    def profile(self, name: str) -> dict[str, dict[str, Any]]:
        """Values that the profile sets, per notebook.

        The section `networks` applies to every notebook that has the parameter; a notebook's own section
        comes after it.

        Raises:
            ValueError: profile, section or parameter is unknown, or a value has the wrong type.
        """
        sections = self._read_profile(name)
        declared = {stem: self.parameters(stem) for stem in self.stems()}
        shared = sections.get(SHARED_SECTION, {})
        anywhere = {key for parameters in declared.values() for key in parameters}
        _check_names(shared, anywhere, f"parameter in section {SHARED_SECTION} of {name}.yml:")
        values = {}
        for stem, parameters in declared.items():
            own = sections.get(stem, {})
            _check_names(own, parameters, f"parameter in section {stem} of {name}.yml:")
            merged = {key: value for key, value in shared.items() if key in parameters} | own
            values[stem] = {key: parameters[key].convert(value) for key, value in merged.items()}
        return values

    def values(self, stem: str, profile: str, overrides: Iterable[str] = ()) -> dict[str, Any]:
        """Value of every parameter of a notebook: its default, then the profile's, then the override's."""
        parameters = self.parameters(stem)
        defaults = {name: parameter.default for name, parameter in parameters.items()}
        return defaults | self.profile(profile)[stem] | apply_overrides(parameters, overrides)

    def _read_profile(self, name: str) -> dict[str, dict[str, Any]]:
        folder = self.root / "notebooks" / "params"
        profiles = [path.stem for path in folder.glob("*.yml")]
        if name not in profiles:
            raise ValueError(unknown_name(name, profiles, "profile"))
        sections = yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8")) or {}
        _check_names(sections, {SHARED_SECTION, *self.stems()}, f"section of {name}.yml:")
        return {section: values or {} for section, values in sections.items()}


def _check_names(names: Iterable[str], valid: Iterable[str], what: str) -> None:
    valid = set(valid)
    for name in names:
        if name not in valid:
            raise ValueError(unknown_name(name, valid, what))
