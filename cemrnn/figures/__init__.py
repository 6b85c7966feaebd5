"""One folder per figure: what it computes from (`config`), what it computes (`experiment`), what it draws (`plot`).

A folder `<stem>/` with `experiment.py` and `plot.py` is a figure; nothing else lists it. `experiment` has
`conditions(config)`, the networks that the figure needs, and `run(config)`, its tables and scalars; `plot` has
`plot(result)`, a figure or its parts, {"": first, "b": second}, each of at most six panels. Beside them lie
`claims.yml`, what the figure is to decide, and `finding.md`, the text of its page. Folders of figures outside the
package are named by the environment variable CEMRNN_FIGURES, as in PATH; relative ones are those of the clone. Values
of settings lie in the ranges that their names suggest (`cemrnn.ranges`), unless their class says another:
`ranges = {"shift_ms": (-200, 200), "score": None}`.
"""

from __future__ import annotations

import importlib
import os
import typing
from pathlib import Path
from types import ModuleType

from cemrnn.config import Config, natural_order, unknown_name
from cemrnn.system.clone import resolve

__path__ += [str(resolve(path)) for path in os.environ.get("CEMRNN_FIGURES", "").split(os.pathsep) if path]


def list_figures() -> list[str]:
    """Stems of all figures, fig2 before fig10."""
    found = {path.parent.name for folder in __path__ for path in Path(folder).glob("*/experiment.py")}
    return sorted(found, key=natural_order)


def find_figure(stem: str) -> Path:
    """The folder of a figure.

    Raises:
        ValueError: there is none; the nearest name is suggested.
    """
    if stem not in list_figures():
        raise ValueError(unknown_name(stem, list_figures(), "figure"))
    return next(path for folder in __path__ if (path := Path(folder) / stem).is_dir())


def load_experiment(stem: str) -> ModuleType:
    """The module that computes a figure; errors as `find_figure`."""
    find_figure(stem)
    return importlib.import_module(f"{__name__}.{stem}.experiment")


def load_plot(stem: str) -> ModuleType:
    """The module that draws a figure."""
    return importlib.import_module(f"{__name__}.{stem}.plot")


def config_class(stem: str) -> type[Config]:
    """The class of the settings that a figure is computed from."""
    return typing.get_type_hints(load_experiment(stem).run)["config"]
