"""The ledger of claims: what was claimed before a run, and what the results say.

A claim is an entry of `claims.yml` in the folder of the figure that tests it, written before the runs. Its evidence is
one scalar with a 95 % interval over replicate networks, from the figure's experiment. The verdict is computed from the
two and never typed. It is computed again from each of two disjoint sets of seeds, so that a verdict that hangs on the
seeds shows.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cemrnn.config import Config
from cemrnn.figures import find_figure
from cemrnn.measures.evidence import SEED_SETS
from cemrnn.reproduce.documents import read_yaml

VERDICTS = ("supported", "contradicted", "inconclusive", "no evidence")
COLUMNS = (
    *("id", "statement", "source", "figure", "measure", "criterion"),
    *("effect", "low", "high", "n", "profile", "verdict"),
    *(f"verdict_{name}" for name in SEED_SETS),
    "seeds_agree",
)
CRITERIA = {
    "positive": "> 0, at least {size} ({unit})",
    "negative": "< 0, at least {size} in size ({unit})",
    "nonzero": "≠ 0, at least {size} in size ({unit})",
    "zero": "within ±{size} of 0 ({unit})",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim(Config):
    """One claim and what counts as evidence for it.

    Attributes:
        id: lower-case words joined by hyphens, unique over all figures.
        statement: the claim as a sentence.
        source: where it comes from: the paper's abstract, its published summary, or a control of ours.
        figure: stem of the figure that tests it.
        measure: name of the scalar in the figure's results.
        direction: sign of the effect that is claimed; "zero" claims that there is none worth the name.
        smallest_effect: size from which an effect is worth the name, in `unit`, positive.
        unit: of measure and smallest effect.
        note: how the measure is to be read.
    """

    id: str
    statement: str
    source: Literal["abstract", "summary", "control"]
    figure: str
    measure: str
    direction: Literal["positive", "negative", "nonzero", "zero"]
    smallest_effect: float
    unit: str
    note: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise ValueError(f"id: expected lower-case words joined by hyphens, got {self.id!r}")
        for name in ("figure", "measure"):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", getattr(self, name)):
                raise ValueError(f"{name}: expected lower-case words joined by _, got {getattr(self, name)!r}")
        if not (self.smallest_effect > 0 and math.isfinite(self.smallest_effect)):
            raise ValueError(f"smallest_effect: expected a positive size, got {self.smallest_effect}")

    @property
    def criterion(self) -> str:
        """The criterion in words, e.g. "> 0, at least 0.03 (normalised accuracy)"."""
        return CRITERIA[self.direction].format(size=f"{self.smallest_effect:g}", unit=self.unit)


def load_claims(stems: Iterable[str]) -> list[Claim]:
    """Claims of figures, in their order.

    Raises:
        ValueError: a figure is unknown, an entry has an unknown, missing or mistyped field, or an id occurs twice.
    """
    paths = {stem: find_figure(stem) / "claims.yml" for stem in stems}
    claims = [claim for stem, path in paths.items() if path.exists() for claim in read_claims(path, stem)]
    ids = [claim.id for claim in claims]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise ValueError(f"claims: id '{min(twice)}' occurs twice")
    return claims


def read_claims(path: Path, figure: str) -> list[Claim]:
    """Claims of the file of one figure; errors as `load_claims`."""
    entries = read_yaml(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{path}: expected a list of claims, got {type(entries).__name__}")
    claims = []
    for i, entry in enumerate(entries):
        try:
            if "figure" in entry:
                raise ValueError(f"figure: expected no such entry, because the folder says it, got {entry['figure']!r}")
            claims.append(Claim.from_params(entry | {"figure": figure}))
        except ValueError as error:
            raise ValueError(f"{path}: claim {i + 1} ({entry.get('id', 'without id')}): {error}") from error
    return claims


def judge(claim: Claim, effect: float, low: float, high: float, n: int) -> str:
    """Verdict on a claim: one of `VERDICTS`.

    An effect is shown if its interval excludes 0 and it is at least the smallest effect.
    An effect is excluded if the whole interval lies within the smallest effect of 0.

    Args:
        claim: direction and smallest effect.
        effect, low, high: estimate and interval; NaN or None where there is no result.
        n: replicate networks behind them; fewer than two are no evidence.

    Returns:
        "supported": an effect in the claimed direction is shown; for a zero claim, one is excluded.
        "contradicted": an effect in the other direction is shown, or one is excluded; for a zero claim, one
        is shown. "no evidence": a number is missing or there are too few networks. Else "inconclusive".

    Raises:
        ValueError: low exceeds high.
    """
    if n is None or n < 2 or any(value is None or math.isnan(value) for value in (effect, low, high)):
        return "no evidence"
    if low > high:
        raise ValueError(f"low: expected at most high = {high}, got {low}")
    size = claim.smallest_effect
    rises, falls = low > 0 and effect >= size, high < 0 and effect <= -size
    excluded = -size < low and high < size
    supporting = {"positive": rises, "negative": falls, "nonzero": rises or falls, "zero": excluded}
    opposing = {"positive": falls or excluded, "negative": rises or excluded, "nonzero": excluded}
    if supporting[claim.direction]:
        return "supported"
    return "contradicted" if opposing.get(claim.direction, rises or falls) else "inconclusive"


def ledger(results_dir: Path | str, claims: Iterable[Claim]) -> pd.DataFrame:
    """Table of all claims with evidence and verdict, one row each, columns `COLUMNS`.

    Args:
        results_dir: folder of `<figure>.json` files; the profile is read from `../provenance/<figure>.json`.
        claims: see `load_claims`.

    Raises:
        ValueError: a result has a measure without its interval.
    """
    results_dir = Path(results_dir)
    rows = []
    for claim in claims:
        scalars = read_json(results_dir / f"{claim.figure}.json")
        profile = read_json(results_dir.parent / "provenance" / f"{claim.figure}.json").get("profile")
        evidence = _read_evidence(claim, claim.measure, scalars)
        described = {name: getattr(claim, name) for name in COLUMNS[:6]}
        halves = [judge(claim, **_read_evidence(claim, f"{claim.measure}_{name}", scalars)) for name in SEED_SETS]
        verdicts = {"verdict": judge(claim, **evidence)}
        verdicts |= {f"verdict_{name}": verdict for name, verdict in zip(SEED_SETS, halves, strict=True)}
        rows.append({**described, **evidence, "profile": profile or "", **verdicts, "seeds_agree": len({*halves}) == 1})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"effect": float, "low": float, "high": float, "n": int})


def to_json(table: pd.DataFrame) -> str:
    """The ledger as a JSON list with one object per claim; missing numbers are null."""
    return table.to_json(orient="records", indent=2, force_ascii=False, double_precision=15) + "\n"


def describe_seeds(row: Any) -> str:
    """Verdicts of a row of the ledger from the two sets of seeds, in words; a disagreement is marked."""
    first, second = (getattr(row, f"verdict_{name}") for name in SEED_SETS)
    return f"both {first}" if row.seeds_agree else f"≠ {first} / {second}"


def to_markdown(table: pd.DataFrame, page: str = "{figure}.ipynb") -> str:
    """The ledger as a MyST table, each figure linked to its page.

    Args:
        table: from `ledger`.
        page: path of a figure's page, relative to the page that shows the table.
    """
    lines = [
        "| claim | verdict | effect [95 % interval] | figure | criterion | networks | two sets of seeds | source |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        number = re.match(r"fig(\d+)_", row.figure)
        link = f"[{number[1] if number else row.figure}]({page.format(figure=row.figure)})"
        effect = "" if math.isnan(row.effect) else f"{row.effect:.3f} [{row.low:.3f}, {row.high:.3f}]"
        networks = f"{row.n} ({row.profile})" if row.profile else f"{row.n}"
        statement, criterion = f"{row.statement} `{row.id}`", f"`{row.measure}` {row.criterion}"
        cells = [statement, f"**{row.verdict}**", effect, link, criterion, networks, describe_seeds(row), row.source]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file; nothing if there is none.

    Raises:
        ValueError: it is not JSON; the message names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got {error}; run its notebook again") from None


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
