"""What the results of a profile should be, and where they differ.

Another machine rounds sums in another order, training amplifies that, and the networks that come out are others: an
effect is as expected if it lies in the interval that was found here. A verdict may turn then, and is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from cemrnn.config import Config, unknown_name
from cemrnn.figures import list_figures
from cemrnn.reproduce.claims import VERDICTS, Claim, ledger, load_claims, number_of, write_effect
from cemrnn.reproduce.documents import read_sections
from cemrnn.reproduce.reference import LONG
from cemrnn.reproduce.settings import BASE

TOLD = (LONG, BASE)  # profiles of the table in README
OF_THE_MACHINE = "of the machine"  # instead of a verdict that rests on seconds: any will do
DIGITS = 6  # that are kept of a number
BEGIN, END = "<!-- found: written by cemrnn verify --accept -->", "<!-- /found -->"  # marks of a table in a file


@dataclass(frozen=True, kw_only=True)
class Expected(Config):
    """What is expected of one claim: its verdict, and the effect with its interval; none where there is no evidence."""

    verdict: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.verdict not in (*VERDICTS, OF_THE_MACHINE):
            raise ValueError(unknown_name(self.verdict, (*VERDICTS, OF_THE_MACHINE), "verdict"))
        if len({number is None for number in (self.effect, self.low, self.high)}) > 1:
            raise ValueError(f"effect, low, high: expected all or none, got {self.effect}, {self.low}, {self.high}")
        if self.low is not None and self.low > self.high:
            raise ValueError(f"low: expected at most high = {self.high}, got {self.low}")


def load_expected(path: Path | str, profile: str) -> dict[str, Expected]:
    """What the file says of a profile, by claim.

    Raises:
        ValueError: it says nothing of this profile, or something that is no verdict or no number.
    """
    profiles = read_sections(Path(path), "profiles")
    if profile not in profiles:
        raise ValueError(f"{Path(path).name}: nothing is expected of profile {profile!r}, only of {sorted(profiles)}")
    expected = {}
    for claim, entry in profiles[profile].items():
        try:
            if not isinstance(entry, dict):
                raise ValueError(f"expected names with their values, got {entry!r}")
            expected[claim] = Expected.from_params(entry)
        except ValueError as error:
            raise ValueError(f"{Path(path).name}: {claim}: {error}") from error
    return expected


def find_differences(
    expected: dict[str, Expected], results_dir: Path, claims: Iterable[Claim]
) -> tuple[list[str], list[str]]:
    """What is not as expected, and which verdicts turned although their effect is; a line each.

    Args:
        expected: see `load_expected`.
        results_dir: folder of `<figure>.json` files.
        claims: of all figures; they and what is expected must be the same set.
    """
    table = ledger(results_dir, claims).set_index("id")
    differences, turned = [], []
    for claim in dict.fromkeys([*expected, *table.index]):
        if claim not in expected or claim not in table.index:
            wanted = "no such claim" if claim not in expected else expected[claim].verdict
            got = "no such claim" if claim not in table.index else table.loc[claim, "verdict"]
            differences.append(f"{claim}: expected {wanted}, got {got}")
            continue
        wanted, row = expected[claim], table.loc[claim]
        if wanted.verdict == OF_THE_MACHINE or row["measured"]:
            continue
        nothing = wanted.effect is None
        near = math.isnan(row["effect"]) if nothing else wanted.low <= row["effect"] <= wanted.high
        if not near:
            effect = "no effect" if nothing else f"{wanted.effect:g} [{wanted.low:g}, {wanted.high:g}]"
            differences.append(f"{claim}: expected {effect}, got {row['effect']:g}")
        elif row["verdict"] != wanted.verdict:
            turned.append(f"{claim}: {wanted.verdict} became {row['verdict']}, its effect is as expected")
    return differences, turned


def check_complete(results_dir: Path, stems: Iterable[str], table: pd.DataFrame) -> None:
    """Check that every figure has its results, before they become what is expected.

    Args:
        results_dir: folder of `<figure>.json` files.
        stems: the figures.
        table: from `ledger`.

    Raises:
        ValueError: the results of a figure are not there, or give evidence for none of its claims.
    """
    lacking = [stem for stem in stems if not (results_dir / f"{stem}.json").exists()]
    blind = table.groupby("figure", sort=False)["verdict"].agg(lambda verdicts: set(verdicts) == {"no evidence"})
    if lacking := dict.fromkeys([*lacking, *blind.index[blind]]):
        raise ValueError(f"{results_dir}: expected evidence from every figure, got none from {', '.join(lacking)}; "
                         "run their notebooks first")  # fmt: skip


def write_expected(path: Path, profile: str, table: pd.DataFrame) -> None:
    """Make the ledger what is expected of its profile; what a run measures on its machine is not compared.

    Args:
        path: file; its comment and what it says of other profiles stay.
        profile: the ledger's.
        table: from `ledger`.
    """
    profiles, text = read_sections(path, "profiles"), path.read_text(encoding="utf-8")
    profiles[profile] = now = {}
    for row in table.itertuples():
        numbers = {name: float(f"{getattr(row, name):.{DIGITS}g}") for name in ("effect", "low", "high")}
        found = {"verdict": row.verdict} | ({} if any(map(math.isnan, numbers.values())) else numbers)
        now[row.id] = {"verdict": OF_THE_MACHINE} if row.measured else found
    comment = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    body = yaml.safe_dump(profiles, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    path.write_text(comment + body, encoding="utf-8")


def accept(root: Path, profile: str, results_dir: Path, stems: Iterable[str], claims: list[Claim]) -> None:
    """Make the results of a profile what is expected of it, and at night or quick write the table of README.

    Args:
        root: folder of the clone.
        profile: whose results they are.
        results_dir: folder of `<figure>.json` files.
        stems: the figures, all of which must have evidence.
        claims: of all figures.
    """
    table, path = ledger(results_dir, claims), root / "book" / "expected.yml"
    check_complete(results_dir, stems, table)
    write_expected(path, profile, table)
    if profile in TOLD and (root / "README.md").exists():
        replace_table(root / "README.md", describe_primary(load_told(path), load_claims(list_figures())))


def load_told(path: Path) -> dict[str, dict[str, Expected]]:
    """Profile -> what is expected of it, of those that README tells and the file has; errors as `load_expected`."""
    known = read_sections(path, "profiles")
    return {profile: load_expected(path, profile) for profile in TOLD if profile in known}


def describe_primary(profiles: dict[str, dict[str, Expected]], claims: Iterable[Claim]) -> str:
    """Markdown table of the primary claims with the verdicts and effects that are expected of them at each profile."""
    lines = [f"| claim | {' | '.join(profiles)} | figure |", "|---|" + "---|" * len(profiles) + "---|"]
    for claim in claims:
        wanted = [expected.get(claim.id) for expected in profiles.values()]
        if claim.primary and any(wanted):
            told = [f"**{entry.verdict}** {write_effect(entry)}".strip() if entry else "" for entry in wanted]
            lines.append(f"| {claim.statement} | {' | '.join(told)} | {number_of(claim.figure)} |")
    return "\n".join(lines)


def replace_table(path: Path, table: str) -> None:
    """Put a table between the two marks of a file, `BEGIN` and `END`; a file without them stays as it is."""
    replace_between(path, BEGIN, table, END)


def replace_between(path: Path, begin: str, new: str, end: str) -> None:
    """Put a text between two marks of a file, on lines of its own; a file without them stays as it is."""
    text = path.read_text(encoding="utf-8")
    before, first, rest = text.partition(begin)
    _, second, after = rest.partition(end)
    if first and second:
        path.write_text(f"{before}{begin}\n{new}\n{end}{after}", encoding="utf-8")
