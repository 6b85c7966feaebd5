"""One trial of one network: inputs, rates, and outputs over their targets."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from cemrnn.figures.style import SHEET, open_figure, show_text


def draw_trial(
    time_ms: np.ndarray, inputs: np.ndarray, rates: np.ndarray, outputs: np.ndarray, targets: np.ndarray, title: str
) -> Figure:
    """The figure of one trial.

    Args:
        time_ms: (T,) start of every step.
        inputs: (T, I).
        rates: (T, N); units are ordered by the time of their peak.
        outputs, targets: (T, O).
        title: what it is a trial of.
    """
    end = time_ms[-1] + (time_ms[1] - time_ms[0] if len(time_ms) > 1 else 1)
    order = np.argsort(rates.argmax(axis=0), kind="stable")
    with pyplot.style.context(SHEET):
        figure = open_figure(5, 5)
        above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1.6, 1])
        colours = pyplot.cm.viridis(np.linspace(0, 0.9, inputs.shape[1]))
        for colour, values in zip(colours, inputs.T, strict=True):
            above.plot(time_ms, values, color=colour, linewidth=0.9)
        extent = (0, end, rates.shape[1] + 0.5, 0.5)
        image = middle.imshow(rates.T[order], aspect="auto", cmap="cividis", interpolation="nearest", extent=extent)
        figure.colorbar(image, ax=middle, label="rate", pad=0.02)
        for i, (answer, target) in enumerate(zip(outputs.T, targets.T, strict=True)):
            (line,) = below.plot(time_ms, answer, linewidth=0.9, label=f"output {i + 1}")
            below.plot(time_ms, target, color=line.get_color(), linewidth=3, alpha=0.25)
        above.set(ylabel="input", title=show_text(title))
        middle.set_ylabel("unit")
        below.set(ylabel="output, target", xlabel="time (ms)")
        below.legend(loc="upper left")
    return figure
