"""The folder of the clone: its notebooks, profiles and generated files."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path

from cemrnn.config import natural_order, unknown_name
from cemrnn.figures import list_figures
from cemrnn.system.clone import PROFILES, find_clone

SMALLEST = "smoke"  # profile that tests the machinery; its verdicts decide nothing
CUSTOM = "custom"  # where runs with other values than a profile's go
TUTORIALS = Path("notebooks") / "tutorials"
KEPT = (CUSTOM, "bench", "data", "failed", "remembered", "store", "times")  # folders of build/ that are no profile's
NO_ROOM = re.compile(r"No space left on device|File too large|Read-only file system|[Qq]uota exceeded")


@dataclasses.dataclass(frozen=True)
class Project:
    """Paths of the project in `root`, by default the clone around the current folder."""

    root: Path = dataclasses.field(default_factory=find_clone)

    @property
    def build(self) -> Path:
        """Folder of everything generated."""
        return self.root / "build"

    def explain_disk(self, text: str) -> str:
        """One line for a text that tells of a disk without room; empty if it does not."""
        found = NO_ROOM.search(text)
        places = f"{self.build} (or in {tempfile.gettempdir()}, for temporary files)"
        return f"nothing more can be written in {places}: {found[0]}; make room and run it again" if found else ""

    def stems(self) -> list[str]:
        """Names of the notebooks that belong to a figure, without extension, fig2 before fig10.

        Raises:
            ValueError: this folder is not a clone of the project.
        """
        stems = [stem for stem in self._notebooks() if stem in list_figures()]
        if not stems:
            raise ValueError(f"no notebook of a figure in {self.root}/notebooks; run this in the folder of the clone")
        return stems

    def tutorials(self) -> list[str]:
        """Names of the notebooks that teach, without extension, which have no settings and no profile."""
        return sorted(path.stem for path in (self.root / TUTORIALS).glob("*.ipynb"))

    def strays(self) -> list[str]:
        """Names of the other notebooks: Untitled, a copy; nobody runs them."""
        return [stem for stem in self._notebooks() if stem not in list_figures()]

    def _notebooks(self) -> list[str]:
        return sorted((path.stem for path in (self.root / "notebooks").glob("*.ipynb")), key=natural_order)

    def find_stem(self, name: str) -> str:
        """The notebook that a name means: fig2 is fig2_ambiguity.

        Raises:
            ValueError: there is none; the nearest name is suggested.
        """
        begun = [stem for stem in self.stems() if stem.startswith(f"{name}_")]
        stem = begun[0] if len(begun) == 1 else name
        self.notebook(stem)
        return stem

    def notebook(self, stem: str) -> Path:
        """Path of the notebook named `stem`.

        Raises:
            ValueError: there is none; the nearest name is suggested.
        """
        if stem in self.tutorials():
            return self.root / TUTORIALS / f"{stem}.ipynb"
        if stem not in self.stems():
            raise ValueError(unknown_name(stem, [*self.stems(), *self.tutorials()], "notebook"))
        return self.root / "notebooks" / f"{stem}.ipynb"

    def profiles(self) -> list[str]:
        """Names of all profiles."""
        return sorted(path.stem for path in (self.root / PROFILES).glob("*.yml"))

    def profile(self, name: str) -> Path:
        """File of the profile `name`.

        Raises:
            ValueError: there is none, or its results would lie in a folder that has another use.
        """
        if not self.profiles():
            raise ValueError(f"no profiles in {self.root / PROFILES}; run this in the folder of the clone")
        if name not in self.profiles():
            raise ValueError(unknown_name(name, self.profiles(), "profile"))
        if name in KEPT or not re.fullmatch(r"\w[\w-]*", name):
            expected = "another name, because its results go to build/" + name
            others = f"one of {', '.join(KEPT)}, or other signs than letters, digits, - and _"
            raise ValueError(f"profile {name!r}: expected {expected}; got {others}")
        return self.root / PROFILES / f"{name}.yml"
