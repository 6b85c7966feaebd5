"""Kinds of cells, mixtures of them, and what the two modulators make of excitatory ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cemrnn.figures.fig14_spiking.kernel import Cells
from cemrnn.random import stream


class Kind(NamedTuple):
    """Parameters of Izhikevich's neuron."""

    a: float  # rate of recovery, 1 / ms
    b: float  # how recovery follows the membrane
    c: float  # membrane after a spike, mV
    d: float  # what a spike adds to recovery


# Source: Izhikevich 2003, figure 2.
KINDS = {
    "RS": Kind(0.02, 0.2, -65, 8),  # regular spiking
    "IB": Kind(0.02, 0.2, -55, 4),  # intrinsically bursting
    "CH": Kind(0.02, 0.2, -50, 2),  # chattering
    "FS": Kind(0.1, 0.2, -65, 2),  # fast spiking
    "LTS": Kind(0.02, 0.25, -65, 2),  # low-threshold spiking
}
# name -> kinds of excitatory and of inhibitory cells, in equal shares
MIXTURES = {
    "RS": (("RS",), ("FS",)),
    "IB": (("IB",), ("FS",)),
    "CH": (("CH",), ("FS",)),
    "mixed": (("RS", "IB", "CH"), ("FS", "LTS")),
}
BURSTING, REGULAR = (-50, 2), (-65, 8)  # c and d under noradrenaline and under acetylcholine
DESIGN = {  # name -> whether there is noradrenaline until the synapse is full, and acetylcholine from then on
    "both": (True, True),
    "noradrenaline": (True, False),
    "acetylcholine": (False, True),
    "neither": (False, False),
}


def draw_kinds(mixture: str, n_excitatory: int, n_inhibitory: int, seed: int) -> list[str]:
    """Kind of every neuron, excitatory ones first; shares are equal, and who has which is drawn."""
    generator, drawn = stream(seed, "spiking", "kinds"), []
    for names, n in zip(MIXTURES[mixture], (n_excitatory, n_inhibitory), strict=True):
        drawn += [names[i % len(names)] for i in generator.permutation(n)]
    return drawn


def make_cells(
    kinds: list[str], n_excitatory: int, condition: str, *, width: float, most: float, tonic: float, reward: float
) -> Cells:
    """Cells of one network.

    Args:
        kinds: of every neuron.
        n_excitatory: the first of them, which modulators reach.
        condition: an entry of `DESIGN`.
        width: of the uniform input.
        most: largest weight.
        tonic: dopamine without reward.
        reward: dopamine that a reward adds.
    """
    a, b, c, d = np.array([KINDS[kind] for kind in kinds]).T
    c, d = np.tile(c, (2, 1)), np.tile(d, (2, 1))
    noradrenaline, acetylcholine = DESIGN[condition]
    for phase, (is_on, values) in enumerate(((noradrenaline, BURSTING), (acetylcholine, REGULAR))):
        if is_on:
            c[phase, :n_excitatory], d[phase, :n_excitatory] = values
    return Cells(a, b, c, d, np.array([1.0, 1.0 - acetylcholine]), tonic, reward, most, width)
