"""Titles of figures in words, from the numbers that the figures show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

PATHWAYS, SYNERGY = "{}_excitability_minus_synaptic", "{}_combined_minus_best_single"


def choose(scalars: Mapping[str, Any], measure: str, above: str, below: str, unclear: str) -> str:
    """What to say of a measure: whether its interval lies above zero, below it, or does not tell.

    Args:
        scalars: the measure's interval, as `_low` and `_high`; without it nothing is told.
        measure: its name.
        above, below, unclear: what is said then.
    """
    low, high = (float(scalars.get(f"{measure}{end}", math.nan)) for end in ("_low", "_high"))
    return above if low > 0 else below if high < 0 else unclear


def compare_pathways(scalars: Mapping[str, Any], measure: str, one: str, several: str, infinitive: str) -> str:
    """Which pathway does more of something: "Synapses bear more noise than excitability".

    Args:
        scalars: of excitability minus synaptic.
        measure: how their names begin.
        one, several, infinitive: what is done, for excitability, for synapses, and after "to".
    """
    return choose(
        scalars,
        PATHWAYS.format(measure),
        f"Excitability {one} than synapses",
        f"Synapses {several} than excitability",
        f"Neither pathway is shown to {infinitive} than the other",
    )
