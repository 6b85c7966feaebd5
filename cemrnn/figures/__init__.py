"""One folder per figure: what it computes from (`config`), what it computes (`experiment`), what it draws (`plot`).

A folder `<stem>/` with `experiment.py` and `plot.py` is a figure; nothing else lists it. `experiment` has
`conditions(config)`, the networks that the figure needs, and `run(config)`, its Result; `plot` has `plot(result)`.
"""

from __future__ import annotations

import importlib
import typing
from pathlib import Path
from types import ModuleType

from cemrnn.config import Config, natural_order


def list_figures() -> list[str]:
    """Stems of all figures, fig2 before fig10."""
    found = (path.parent.name for path in Path(__file__).parent.glob("*/experiment.py"))
    return sorted(found, key=natural_order)


def load_experiment(stem: str) -> ModuleType:
    """The module that computes a figure."""
    return importlib.import_module(f"{__name__}.{stem}.experiment")


def load_plot(stem: str) -> ModuleType:
    """The module that draws a figure."""
    return importlib.import_module(f"{__name__}.{stem}.plot")


def config_class(stem: str) -> type[Config]:
    """The class of the settings that a figure is computed from."""
    return typing.get_type_hints(load_experiment(stem).run)["config"]
