"""In which range values lie, and why: settings of figures, of networks, and what a user types."""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from cemrnn.config import Config, field_types, is_config, show


class Range(NamedTuple):
    """Least and largest value of settings with a name like this."""

    name: str  # pattern
    least: float
    most: float
    why: str
    whole: bool = False  # whether these are whole numbers


TINY = 5e-324  # the smallest positive number: what is above zero
RANGES = (
    Range(r"seed", 0, 2**31 - 1, "random streams are numbered", whole=True),
    Range(r"(.*_)?learning_rate", TINY, math.inf, "a step of the optimiser is positive"),
    Range(r".*(score|share)|criteria|lambdas", 0, 1, "it is a share"),
    Range(r"dt_ms|tau_ms|taus_ms|decode_every_ms", TINY, math.inf, "it is a time that passes"),
    Range(r".*_ms|.*sigmas?|noise|kappas|warm_up|smallest_effect", 0, math.inf, "it is a size"),
    Range(r"n_.*|rank|.*units|units_.*|added_to|.*(updates|trials|size|counts|contexts|steps|repeats|starts|states"
          r"|clusters|characters|pool)", 1, math.inf, "it is a number of things", whole=True),
)  # fmt: skip


def check_ranges(values: Mapping[str, Any], kind: type[Config] = Config, prefix: str = "") -> None:
    """Check values of settings by their names; lists have each entry once, and one or more unless none is the default.

    Args:
        values: by name; those of settings inside the settings as a mapping.
        kind: the class of the settings, whose `ranges` come first.
        prefix: of the names, in messages.

    Raises:
        ValueError: one is outside its range; the message says which, and why.
    """
    types = field_types(kind)
    may_be_empty = {field.name for field in dataclasses.fields(kind) if field.default == ()}
    for field, value in values.items():
        name = f"{prefix}{field}"
        if isinstance(value, dict):
            inner = types.get(field)
            check_ranges(value, inner if is_config(inner) else Config, f"{name}.")
            continue
        items = list(value) if isinstance(value, list | tuple) else [value]
        if not (items or field in may_be_empty) or any(item in items[:i] for i, item in enumerate(items)):
            raise ValueError(f"{name}: expected one or more, each once, got {','.join(map(str, items)) or 'none'}")
        found = _find_range(str(field), kind)
        for item in items if found else ():
            if is_number(item):
                _check_bounds(name, item, found)


def check_numbers(**values: Any) -> None:
    """Check what a user typed, by the names of the arguments: finite numbers in their ranges, whole where they count.

    Raises:
        ValueError: one is not; the message says which, and why.
    """
    for name, value in values.items():
        found = _find_range(name, Config)
        if found and found.whole:
            try:
                operator.index(None if isinstance(value, bool) else value)
            except TypeError:
                raise ValueError(f"{name}: expected a whole number, got {show(value)}") from None
        elif not is_number(value) or not math.isfinite(value):
            raise ValueError(f"{name}: expected a finite number, got {show(value)}")
        if found:
            _check_bounds(name, value, found)


def is_number(value: Any) -> bool:
    """Whether a value is a number, of Python or of NumPy, and no truth value."""
    if hasattr(value, "dtype") and hasattr(value, "item"):
        value = value.item() if getattr(value, "ndim", 0) == 0 else None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _find_range(field: str, kind: type[Config]) -> Range | None:
    if field in kind.ranges:
        own = kind.ranges[field]
        return own and Range(field, *own, f"{kind.__name__} says so")
    return next((limits for limits in RANGES if re.fullmatch(limits.name, field)), None)


def _check_bounds(name: str, value: Any, limits: Range) -> None:
    if not limits.least <= value <= limits.most:
        raise ValueError(f"{name}: expected {_describe(limits)}, because {limits.why}; got {value}")


def _describe(limits: Range) -> str:
    if limits.most < math.inf:
        return f"{limits.least:g} to {limits.most:g}"
    return "more than 0" if limits.least == TINY else f"at least {limits.least:g}"
