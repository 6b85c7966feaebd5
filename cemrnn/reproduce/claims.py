"""The ledger of claims: what was claimed before a run, and what the results say.

A claim is an entry of `claims.yml` in the folder of the figure that tests it, written before the runs. Its evidence is
one scalar with a 95 % interval over replicate networks, from the figure's experiment. The verdict is computed from the
two and never typed. It is computed again from random halves of the networks, so that a verdict that hangs on the seeds
shows. A few claims are primary, one for each sentence of the sources; their p values are corrected for their number,
those on the paper apart from those on neighbouring papers; all others are exploratory.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from cemrnn.config import Config
from cemrnn.figures import find_figure
from cemrnn.figures.result import MEASURED
from cemrnn.measures.multiple_tests import adjust_holm
from cemrnn.reproduce.documents import read_json, read_yaml

SOURCES = ("abstract", "summary", "neighbour", "control")
VERDICTS = ("supported", "opposite", "equivalent", "undecided", "no evidence")
ALPHA = 0.05  # of primary claims, corrected
MOST_NETWORKS = 1000  # that we would tell anybody to train
COLUMNS = (
    *("id", "statement", "source", "primary", "figure", "measure", "criterion"),
    *("effect", "low", "high", "n", "p_adjusted", "profile", "verdict", "halves_agree", "n_to_decide", "conditions"),
    *("measured", "reading", "other_effect", "other_low", "other_high", "other_n", "other_verdict"),
)
READINGS = ("units", "parameters")  # what is equal where networks of a given size are compared
CRITERIA = {
    "positive": "at least {size} ({unit})",
    "negative": "at most -{size} ({unit})",
    "zero": "within ±{size} of 0 ({unit})",
    "above": "above {size} ({unit})",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim(Config):
    """One claim and what counts as evidence for it.

    Attributes:
        id: lower-case words joined by hyphens, unique over all figures.
        statement: the claim as a sentence.
        source: where it comes from: the paper's abstract, its published summary, the abstract of a neighbouring paper,
            or a control of ours.
        figure: stem of the figure that tests it.
        measure: name of the scalar in the figure's results.
        direction: sign of the effect that is claimed; "zero" claims that there is none worth the name, "above" that a
            share is larger than the smallest that counts, so that any smaller one is the opposite.
        smallest_effect: size from which an effect is worth the name, in `unit`, positive.
        unit: of measure and smallest effect.
        note: how the measure is to be read.
        primary: whether it is the claim that stands for a sentence of its source.
        settings: the nearest effect of figure 16, in other settings of training and on random maps, if there is one.
        reading: what is equal between the networks that are compared; empty where it compares none of a given size.
        other_reading: the same measure at the other reading, if it was taken. Where it has no claim of its own that
            is judged alike, the ledger shows it beside this one, judged in the same way, and does not count it.
    """

    id: str
    statement: str
    source: Literal[SOURCES]
    figure: str
    measure: str
    direction: Literal[tuple(CRITERIA)]
    smallest_effect: float
    unit: str
    note: str
    primary: bool = False
    settings: str = ""
    reading: Literal["", *READINGS] = ""
    other_reading: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.other_reading and not self.reading:
            raise ValueError(f"other_reading: expected it beside a reading, got {self.other_reading!r}")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise ValueError(f"id: expected lower-case words joined by hyphens, got {self.id!r}")
        for name in ("figure", "measure"):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", getattr(self, name)):
                raise ValueError(f"{name}: expected lower-case words joined by _, got {getattr(self, name)!r}")
        if not (self.smallest_effect > 0 and math.isfinite(self.smallest_effect)):
            raise ValueError(f"smallest_effect: expected a positive size, got {self.smallest_effect}")

    @property
    def criterion(self) -> str:
        """The criterion in words, e.g. "at least 0.03 (normalised accuracy)"."""
        return CRITERIA[self.direction].format(size=f"{self.smallest_effect:g}", unit=self.unit)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DroppedClaim(Config):
    """A claim that was made once and is not judged any more.

    Attributes:
        id, statement: as they were.
        dropped: why, and what stands in its place.
    """

    id: str
    statement: str
    dropped: str


def load_claims(stems: Iterable[str]) -> list[Claim]:
    """Claims of figures, in their order.

    Raises:
        ValueError: a figure is unknown, an entry has an unknown, missing or mistyped field, or an id occurs twice.
    """
    return [claim for claim in _load_all(stems) if isinstance(claim, Claim)]


def load_dropped(stems: Iterable[str]) -> list[DroppedClaim]:
    """Claims of figures that were dropped; errors as `load_claims`."""
    return [claim for claim in _load_all(stems) if isinstance(claim, DroppedClaim)]


def _load_all(stems: Iterable[str]) -> list[Claim | DroppedClaim]:
    paths = {stem: find_figure(stem) / "claims.yml" for stem in stems}
    claims = [claim for stem, path in paths.items() if path.exists() for claim in read_claims(path, stem)]
    ids = [claim.id for claim in claims]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise ValueError(f"claims: id '{min(twice)}' occurs twice")
    return claims


def read_claims(path: Path, figure: str) -> list[Claim | DroppedClaim]:
    """Claims of the file of one figure, and those that were dropped; errors as `load_claims`."""
    entries = read_yaml(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{path}: expected a list of claims, got {type(entries).__name__}")
    claims = []
    for i, entry in enumerate(entries):
        try:
            if "figure" in entry:
                raise ValueError(f"figure: expected no such entry, because the folder says it, got {entry['figure']!r}")
            kept = "dropped" not in entry
            claims.append(Claim.from_params(entry | {"figure": figure}) if kept else DroppedClaim.from_params(entry))
        except ValueError as error:
            raise ValueError(f"{path}: claim {i + 1} ({entry.get('id', 'without id')}): {error}") from error
    return claims


def judge(claim: Claim, effect: float, low: float, high: float, n: int) -> str:
    """Verdict on a claim: one of `VERDICTS`.

    It rests on the interval alone, so that an effect counts when it is larger than the smallest one for sure.

    Args:
        claim: direction and smallest effect.
        effect, low, high: estimate and interval; NaN or None where there is no result.
        n: replicate networks behind them; fewer than two are no evidence.

    Returns:
        "supported": the whole interval is beyond the smallest effect in the claimed direction; for a zero claim, the
        whole interval is within it. "opposite": beyond it in the other direction; for a zero claim, in either; for a
        share that should be above it, the whole interval is below.
        "equivalent": within it, so that any effect is too small to matter. "no evidence": a number is missing or
        there are too few networks. Else "undecided".

    Raises:
        ValueError: low exceeds high.
    """
    if n is None or n < 2 or any(value is None or math.isnan(value) for value in (effect, low, high)):
        return "no evidence"
    if low > high:
        raise ValueError(f"low: expected at most high = {high}, got {low}")
    size = claim.smallest_effect
    if claim.direction == "above":
        return "supported" if low >= size else "opposite" if high < size else "undecided"
    rises, falls, within = low >= size, high <= -size, -size < low and high < size
    claimed = {"positive": rises, "negative": falls, "zero": within}[claim.direction]
    if claimed:
        return "supported"
    if rises or falls:
        return "opposite"
    return "equivalent" if within else "undecided"


def count_networks_to_decide(claim: Claim, effect: float, low: float, high: float, n: int) -> int | None:
    """About how many networks would give an interval that decides, if the effect stayed as it is.

    The width of an interval falls with the root of the number of networks, and, where conditions were drawn as well, of
    networks and conditions together: as many times more of both are needed. None where even `MOST_NETWORKS` would not
    do, because the effect is as large as the smallest one that counts.
    """
    beside = effect if claim.direction == "above" else abs(effect)
    room = abs(beside - claim.smallest_effect)  # to the nearer edge of what does not matter
    half = (high - low) / 2
    if half >= room * math.sqrt(MOST_NETWORKS / n):
        return None
    return math.ceil(n * (half / room) ** 2)


def ledger(results_dir: Path | str, claims: Iterable[Claim]) -> pd.DataFrame:
    """Table of all claims with evidence and verdict, one row each, columns `COLUMNS`.

    Args:
        results_dir: folder of `<figure>.json` files; the profile is read from `../provenance/<figure>.json`.
        claims: see `load_claims`.

    Raises:
        ValueError: a file of results is not one, or has a measure without its interval.
    """
    results_dir = Path(results_dir)
    claims = list(claims)
    rows = [_find_row(claim, results_dir) for claim in claims]
    numbers = {f"{of}{name}": float for of in ("", "other_") for name in ("effect", "low", "high")}
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(numbers | {"n": int, "other_n": int})
    chosen = table["primary"].to_numpy(bool) & np.array([claim.direction != "zero" for claim in claims], bool)
    p, neighbours = table["p_adjusted"].to_numpy(float), (table["source"] == "neighbour").to_numpy()
    families = [adjust_holm(np.where(chosen & family, p, np.nan)) for family in (neighbours, ~neighbours)]
    table["p_adjusted"] = np.where(neighbours, *families)
    doubtful = chosen & (table["p_adjusted"] >= ALPHA) & table["verdict"].isin(["supported", "opposite"])
    table.loc[doubtful, "verdict"] = "undecided"
    return table


def _find_row(claim: Claim, results_dir: Path) -> dict[str, Any]:
    path = results_dir / f"{claim.figure}.json"
    scalars, origin = read_json(path), read_json(results_dir.parent / "provenance" / path.name)
    try:
        return _weigh_claim(claim, scalars, origin.get("profile"))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: {claim.measure}: {error}; run its notebook again") from None


def _weigh_claim(claim: Claim, scalars: dict[str, Any], profile: str | None) -> dict[str, Any]:
    """The row of a claim, its p value as it is for now."""
    evidence = _read_evidence(claim, claim.measure, scalars)
    verdict = judge(claim, **evidence)
    halves = [judge(claim, *half) for half in scalars.get(f"{claim.measure}_halves", [])]
    p = scalars.get(f"{claim.measure}_p")
    other = _read_evidence(claim, claim.other_reading, scalars)
    other["verdict"] = judge(claim, **other) if claim.other_reading else ""
    return {
        **{name: getattr(claim, name) for name in COLUMNS[:7]},
        **evidence,
        "p_adjusted": math.nan if p is None else float(p),
        "profile": profile or "",
        "verdict": verdict,
        "halves_agree": sum(half == verdict for half in halves) / len(halves) if halves else math.nan,
        "n_to_decide": count_networks_to_decide(claim, **evidence) if verdict == "undecided" else None,
        "conditions": int(scalars.get(f"{claim.measure}_conditions", 0)),
        "measured": claim.measure in scalars.get(MEASURED, ()),
        "reading": claim.reading,
        **{f"other_{name}": value for name, value in other.items()},
    }


def to_json(table: pd.DataFrame) -> str:
    """The ledger as a JSON list with one object per claim; missing numbers are null."""
    return table.to_json(orient="records", indent=2, force_ascii=False, double_precision=15) + "\n"


def number_of(figure: str) -> str:
    """The number of a figure, its name if it has none."""
    found = re.match(r"fig(\d+)_", figure)
    return found[1] if found else figure


def write_effect(row: Any) -> str:
    """Effect and interval, of a row of the ledger or as expected, in three digits; empty where there is none."""
    if row.effect is None or math.isnan(row.effect):
        return ""
    if math.isnan(row.low):  # of one network alone
        return f"{row.effect:.3f}"
    return f"{row.effect:.3f} [{row.low:.3f}, {row.high:.3f}]"


def describe_doubt(row: Any) -> str:
    """How much a row of the ledger hangs on the networks that were drawn, in words."""
    words = [] if math.isnan(row.halves_agree) else [f"{row.halves_agree:.0%} of halves agree"]
    if row.verdict == "undecided" and row.n > 1:
        words.append(_describe_need(row))
    return "; ".join(words)


def _describe_need(row: Any) -> str:
    """What would decide on an undecided row: networks, and as many times more of the conditions that were drawn."""
    if row.n_to_decide is None or math.isnan(row.n_to_decide):
        return "more networks will not decide"
    if not row.conditions:
        return f"about {row.n_to_decide:.0f} networks would decide"
    n_conditions = math.ceil(row.conditions * row.n_to_decide / row.n)
    return (
        f"about {row.n_to_decide:.0f} networks and {n_conditions} conditions (pairs of tasks, or settings; now "
        f"{row.conditions}) would decide"
    )


def _read_evidence(claim: Claim, measure: str, scalars: dict[str, Any]) -> dict[str, float | int]:
    """Effect, low, high and n of a measure of the claim's figure; NaN and 0 where there is no such result."""
    if measure not in scalars:
        return {"effect": math.nan, "low": math.nan, "high": math.nan, "n": 0}
    keys = {"effect": measure, **{name: f"{measure}_{name}" for name in ("low", "high", "n")}}
    absent = [key for key in keys.values() if key not in scalars]
    if absent:
        raise ValueError(f"{claim.figure}: expected '{measure}' with its interval, got no {', '.join(absent)}")
    evidence = {name: math.nan if scalars[key] is None else float(scalars[key]) for name, key in keys.items()}
    return {**evidence, "n": int(evidence["n"])}
