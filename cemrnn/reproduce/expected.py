"""What the results of a profile should be, and where they differ: a changed verdict is never within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cemrnn.config import Config, unknown_name
from cemrnn.reproduce.claims import VERDICTS, Claim, ledger, read_json
from cemrnn.reproduce.documents import read_sections

OF_THE_MACHINE = "of the machine"  # instead of a verdict that rests on seconds: any will do


@dataclass(frozen=True, kw_only=True)
class ExpectedValue(Config):
    """A scalar of a figure: its value here, and how far another machine may be from it."""

    figure: str  # stem
    measure: str  # name in results/<figure>.json
    value: float
    tolerance: float  # largest difference
    why: str  # where the tolerance comes from

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(f"{self.measure}: expected a tolerance of 0 or more, got {self.tolerance}")


@dataclass(frozen=True)
class Expected:
    """What is expected of one profile."""

    verdicts: dict[str, str]  # id of a claim -> verdict, or `OF_THE_MACHINE`
    values: list[ExpectedValue]


def load_expected(path: Path | str, profile: str) -> Expected:
    """What the file says of a profile.

    Raises:
        ValueError: it says nothing of this profile, or something that is no verdict or no value.
    """
    profiles = read_sections(Path(path), "profiles")
    if profile not in profiles:
        raise ValueError(f"{Path(path).name}: nothing is expected of profile {profile!r}, only of {sorted(profiles)}")
    verdicts, values = profiles[profile].get("verdicts", {}), profiles[profile].get("values", [])
    for claim, verdict in verdicts.items():
        if verdict not in (*VERDICTS, OF_THE_MACHINE):
            raise ValueError(unknown_name(str(verdict), (*VERDICTS, OF_THE_MACHINE), f"verdict of {claim}"))
    return Expected(verdicts, [ExpectedValue.from_params(entry) for entry in values])


def find_differences(expected: Expected, results_dir: Path, claims: Iterable[Claim]) -> list[str]:
    """One line for every verdict and every value that is not as expected; claims and verdicts must be the same set.

    Args:
        expected: see `load_expected`.
        results_dir: folder of `<figure>.json` files.
        claims: of all figures.
    """
    found = ledger(results_dir, claims).set_index("id")["verdict"].to_dict()
    lines = [
        f"{claim}: expected {expected.verdicts.get(claim, 'no such claim')}, got {found.get(claim, 'no such claim')}"
        for claim in dict.fromkeys([*expected.verdicts, *found])
        if expected.verdicts.get(claim) != found.get(claim)
        and not (expected.verdicts.get(claim) == OF_THE_MACHINE and claim in found)
    ]
    for entry in expected.values:
        value = read_json(results_dir / f"{entry.figure}.json").get(entry.measure)
        if value is None or not abs(value - entry.value) <= entry.tolerance:
            lines.append(
                f"{entry.figure}, {entry.measure}: expected {entry.value:g} within {entry.tolerance:g} ({entry.why}), "
                f"got {'nothing' if value is None else format(value, 'g')}"
            )
    return lines
