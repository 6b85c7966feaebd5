"""Titles of figures in words, from the numbers that the figures show."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import yaml

PATHWAYS, SYNERGY = "{}_excitability_minus_synaptic", "{}_combined_minus_best_single"


@functools.cache
def smallest_effects() -> dict[str, float]:
    """Measure -> the smallest effect that counts, of the measures of all claims; the same wherever it is claimed."""
    folders = [folder for folder in files("cemrnn.figures").iterdir() if folder.joinpath("claims.yml").is_file()]
    claims = [claim for folder in folders for claim in yaml.safe_load(folder.joinpath("claims.yml").read_text("utf-8"))]
    return {claim["measure"]: float(claim["smallest_effect"]) for claim in claims if "measure" in claim}


def choose(
    scalars: Mapping[str, Any], measure: str, above: str, below: str, unclear: str, *, alike: str | None = None
) -> str:
    """What to say of a measure, as its verdict does: its interval is to lie beyond the smallest effect, or within it.

    Args:
        scalars: the measure's interval, as `_low` and `_high`; without it nothing is told.
        measure: its name; for one of which nothing is claimed, the smallest effect is zero.
        above, below: what is said of an interval beyond the smallest effect.
        unclear: of one that is neither beyond nor within.
        alike: of one within it; None: the same as of the unclear.
    """
    low, high = (float(scalars.get(f"{measure}{end}", math.nan)) for end in ("_low", "_high"))
    least = smallest_effects().get(measure, 0.0)
    if least and -least < low and high < least:
        return unclear if alike is None else alike
    return above if low > 0 and low >= least else below if high < 0 and high <= -least else unclear


def at_both_readings(of_reading: Callable[[str], str]) -> str:
    """What is said at equal units and at equal parameters, once if it is the same.

    Args:
        of_reading: "units" or "parameters" -> a sentence that begins with a capital and has no full stop.
    """
    units, parameters = of_reading("units"), of_reading("parameters")
    if units == parameters:
        return f"{units}, at equal units and at equal parameters"
    return f"{units} at equal units; at equal parameters {parameters[:1].lower()}{parameters[1:]}"


def compare_pathways(scalars: Mapping[str, Any], measure: str, one: str, several: str, infinitive: str) -> str:
    """Which pathway does more of something: "Synapses bear more noise than excitability".

    Args:
        scalars: of excitability minus synaptic.
        measure: how their names begin.
        one, several, infinitive: what is done more, for excitability, for synapses, and after "to".
    """
    return choose(
        scalars,
        PATHWAYS.format(measure),
        f"Excitability {one} than synapses",
        f"Synapses {several} than excitability",
        f"Neither pathway is shown to {infinitive} than the other",
        alike=f"Neither pathway noticeably {one} than the other",
    )
