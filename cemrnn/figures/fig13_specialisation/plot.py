"""Figure 13: specialisation by coupling, size, environment and measure, by senders, in time, and under modulation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cemrnn.figures import style
from cemrnn.figures.fig13_specialisation.experiment import ARMS, CHANNELS, KEYS, MEASURES
from cemrnn.figures.fig13_specialisation.modules import Setting
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import select
from cemrnn.network.pathways import Look

GREYS = (Look("0.1", "o", "-"), Look("0.4", "s", "--"), Look("0.6", "^", ":"))
LIMITS = -0.05, 1.05


@style.in_style
def plot(result: Result) -> Figure:
    """The figure of `cemrnn.figures.fig13_specialisation.experiment.run`."""
    config, outcomes = result.config, result.tables["outcomes"]
    figure, panels = style.open_panels(["abc", "def"], 6)

    def rows(measure: str = "ablation", **changes) -> pd.DataFrame:
        """Those that differ from the base in its coupling and in nothing else but the changes."""
        fixed = config.base._replace(**changes)._asdict()
        return select(outcomes, measure=measure, **{key: fixed[key] for key in KEYS if key != "coupling"})

    sizes = {f"{n} units": rows(n_units=n, senders=n) for n in config.sizes}
    shares = {f"{100 * share:.0f} % alike": rows(alike=share) for share in config.correlations}
    measured = {measure: rows(measure) for measure in MEASURES}
    for letter, lines in zip("abc", (sizes, shares, measured), strict=True):
        _draw_couplings(panels[letter], letter, lines, dict(zip(lines, itertools.cycle(GREYS), strict=False)))
        panels[letter].legend(loc="best", handlelength=1.2)
    _draw_senders(panels["d"], outcomes, config.base._replace(coupling=1.0))
    _draw_steps(panels["e"], result.tables["steps"])
    _draw_couplings(panels["f"], "f", {arm: rows(arm=arm) for arm in ARMS}, style.LOOKS)
    for letter, measure in {"a": "ablation", "b": "ablation", "e": "probe", "f": "ablation"}.items():
        panels[letter].set_ylabel(f"specialisation, {measure}")
    style.add_legend(figure, ARMS)
    return figure


def _draw_couplings(axes: Axes, letter: str, lines: Mapping[str, pd.DataFrame], looks: Mapping[str, Look]) -> None:
    """A line for each; markers without a line for what states tell before training, when readouts say nothing."""
    for label, part in lines.items():
        part, look = part.assign(place=part["coupling"].rank(method="dense")).sort_values("place"), looks[label]
        style.draw_curve(axes, select(part, trained=True), "place", "value", look, label=label, markersize=4)
        before = select(part, trained=False)
        before = before[before["measure"] != "ablation"]
        axes.plot(before["place"], before["value"], look.marker, color=look.colour, fillstyle="none", markersize=4)
    shown = ["one" if coupling == 0 else f"{100 * coupling:g} %" for coupling in sorted(part["coupling"].unique())]
    axes.set_xticks(range(1, len(shown) + 1), shown)
    style.name_axes(axes, letter, "connections between modules", "specialisation", ylim=LIMITS)


def _draw_senders(axes: Axes, outcomes: pd.DataFrame, dense: Setting) -> None:
    """All measures, where only some units send to the other module."""
    fixed = {key: value for key, value in dense._asdict().items() if key != "senders"}
    for measure, look in zip(MEASURES, GREYS, strict=True):
        part = select(outcomes, measure=measure, trained=True, **fixed).sort_values("senders")
        style.draw_curve(axes, part, "senders", "value", look, label=measure, markersize=4)
    axes.legend(loc="best")
    style.name_axes(axes, "d", "units that send", "specialisation", ylim=LIMITS)


def _draw_steps(axes: Axes, steps: pd.DataFrame) -> None:
    for channel, look in zip(CHANNELS, GREYS, strict=True):
        style.draw_curve(axes, select(steps, channel=channel), "step", "probe", look, label=channel, markersize=4)
    style.add_small_legend(axes)
    style.name_axes(axes, "e", "step of time", "", ylim=LIMITS)
