"""In which range the values of settings lie, and why; told before anything starts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Range(NamedTuple):
    """Least and largest value of settings with a name like this."""

    name: str  # pattern
    least: float
    most: float
    why: str


TINY = 5e-324  # the smallest positive number: what is above zero
RANGES = (
    Range(r"seed", 0, 2**31 - 1, "random streams are numbered"),
    Range(r"(.*_)?learning_rate", TINY, math.inf, "a step of the optimiser is positive"),
    Range(r".*(score|share)|criteria|lambdas", 0, 1, "it is a share"),
    Range(r"taus_ms|decode_every_ms", TINY, math.inf, "it is a time that passes"),
    Range(r".*_ms|.*sigmas?|kappas|warm_up|smallest_effect", 0, math.inf, "it is a size"),
    Range(r"n_.*|rank|.*units|units_.*|added_to|.*(updates|trials|size|counts|contexts|steps|repeats|starts|states"
          r"|clusters|characters|pool)", 1, math.inf, "it is a number of things"),
)  # fmt: skip


def check_ranges(values: Mapping[str, Any], prefix: str = "") -> None:
    """Check values of settings by their names; lists have an entry or more, and each once.

    Raises:
        ValueError: one is outside its range; the message says which, and why.
    """
    for field, value in values.items():
        name = f"{prefix}{field}"
        if isinstance(value, dict):
            check_ranges(value, f"{name}.")
            continue
        items = list(value) if isinstance(value, list | tuple) else [value]
        if not items or any(item in items[:i] for i, item in enumerate(items)):
            raise ValueError(f"{name}: expected one or more, each once, got {','.join(map(str, items)) or 'none'}")
        found = next((limits for limits in RANGES if re.fullmatch(limits.name, str(field))), None)
        for item in items if found else ():
            if _is_number(item) and not found.least <= item <= found.most:
                raise ValueError(f"{name}: expected {_describe(found)}, because {found.why}; got {item}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _describe(limits: Range) -> str:
    if limits.most < math.inf:
        return f"{limits.least:g} to {limits.most:g}"
    return "more than 0" if limits.least == TINY else f"at least {limits.least:g}"
