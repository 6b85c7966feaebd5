"""Figure 7: accuracy by rows and by pixels, learning against time, packing of permuted images."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select

SCANS = {"rows": "a", "pixels": "b"}


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig7_images.experiment.run`."""
    config, tables = result.config, result.tables
    units = config.packing_units
    sizes = dict(zip("defgh", units, strict=False))
    figure, panels = style.open_panels(["abc", "".join(sizes)], 5.6)
    for scan, letter in SCANS.items():
        means, networks = (select(tables[name], scan=scan) for name in ("accuracy", "networks"))
        style.draw_estimates(panels[letter], means, config.models, "accuracy", networks)
        style.name_axes(panels[letter], letter, f"test accuracy, by {scan}")
    style.draw_curves(panels["c"], select(tables["learning"], scan="pixels"), "seconds", "accuracy")
    style.name_axes(panels["c"], "c", "time per network (s)", "validation accuracy, by pixels", xscale="log")
    for letter, n_units in sizes.items():
        axes = panels[letter]
        part = select(tables["packing"], n_units=n_units)
        style.draw_curves(axes, part, "n_contexts", "accuracy")
        style.use_octaves(axes, np.unique(part["n_contexts"]))
        style.name_axes(axes, letter, f"ways of permuting, N = {n_units} (combined)", "test accuracy")
    style.add_legend(figure, list(dict.fromkeys([*config.models, *config.packing_models])))
    return figure
