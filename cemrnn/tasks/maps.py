"""Random maps: one of S sites on the circle is shown, and the answer is the site that a random permutation gives it.

The permutations are independent draws, so that a map holds log2 S! bits, which no other map of the family tells
anything about: a network that answers K of them has stored K log2 S! bits. Rotations (`respond.rotate`) are the
structured counterpart: two numbers a context hold all of them.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from cemrnn.random import compiled, stream
from cemrnn.tasks.family import Family, Stimuli, Task
from cemrnn.tasks.presets import Preset
from cemrnn.tasks.respond import DELAY

MOST_SITES = 32
FAMILY_SEED = 0  # of all maps


def permutation(k: int, n_sites: int) -> np.ndarray:
    """(S,) answered site of each shown site, in map k; the same whatever the number of maps that a network learns."""
    return stream(FAMILY_SEED, "map", str(n_sites), str(k)).permutation(n_sites)


def bits_per_map(n_sites: int) -> float:
    """log2 S!: what it takes to name one permutation of S sites."""
    return math.lgamma(n_sites + 1) / math.log(2)


@compiled()
def look_up(direction_rad, _strength, parameters, answers, defined):
    """Direction of the site that the map gives to the only stimulus; undefined for two, or away from the sites.

    Parameters: S, then the answered site of each of S sites, then zeros.
    """
    for i in range(len(parameters)):
        n_sites = parameters[i, 0]
        for p in range(len(direction_rad)):
            place = direction_rad[p, 0] * n_sites / (2 * np.pi)
            site = np.rint(place)
            defined[i, p] = abs(place - site) < 1e-6 and site < n_sites and np.isnan(direction_rad[p, 1])
            answers[i, p] = 2 * np.pi * parameters[i, 1 + int(site)] / n_sites if defined[i, p] else np.nan


@functools.cache
def map_sites(k: int, n_sites: int) -> Task:
    """Map k of S sites: delayed answer at the site that permutation k gives to the shown one.

    Raises:
        ValueError: there are fewer than 2 sites, or more than 32.
    """
    if not 2 <= n_sites <= MOST_SITES:
        raise ValueError(f"n_sites: expected 2 to {MOST_SITES}, got {n_sites}")
    answered = np.zeros(1 + MOST_SITES)
    answered[: 1 + n_sites] = [n_sites, *permutation(k, n_sites)]
    return Task(_family(n_sites), look_up, tuple(answered.tolist()))


@functools.cache
def _family(n_sites: int) -> Family:
    """Stimuli at S sites, with the timing of delay tasks."""
    return Family(DELAY.timing, functools.partial(_draw, n_sites), 2, DELAY.windows)


def _draw(n_sites: int, rows: np.ndarray, uniforms: np.ndarray, stimuli: Stimuli, _preset: Preset) -> None:
    _draw_site(rows, uniforms, *stimuli, n_sites)


@compiled()
def _draw_site(rows, uniforms, direction_rad, strength, n_sites):
    for p in rows:
        direction_rad[p, 0] = 2 * np.pi * int(n_sites * uniforms[p, 0]) / n_sites
        strength[p, int(uniforms[p, 1] < 0.5), 0] = 1.0
