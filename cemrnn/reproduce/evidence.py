"""What the book goes by: the claims with the verdicts of the kept results and of the run that it is built from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from cemrnn.figures.result import Result
from cemrnn.reproduce.claims import Claim, ledger, load_claims
from cemrnn.reproduce.documents import read_json
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.reference import read_reference, reference_folder

MULTIVERSE = "fig16_multiverse"  # the figure that repeats effects in other settings of training


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """All claims and results.

    Attributes:
        claims: of all figures.
        own: their ledger from the run.
        reference: their ledger from the kept results; None if nothing is kept.
        kept: stem -> kept result, None where there is none.
        settings: scalars of the figure that repeats effects in other settings of training; empty without it.
    """

    claims: list[Claim]
    own: pd.DataFrame
    reference: pd.DataFrame | None
    kept: dict[str, Result | None]
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @cached_property
    def decided(self) -> pd.DataFrame:
        """Of every claim the row that counts: that of the kept results, where they have evidence."""
        if self.reference is None:
            return self.own
        known = (self.reference["verdict"] != "no evidence").to_numpy()
        rows = [(self.reference if known[i] else self.own).iloc[i] for i in range(len(self.own))]
        return pd.DataFrame(rows, columns=self.own.columns).reset_index(drop=True)

    @property
    def ledgers(self) -> list[pd.DataFrame]:
        """What is kept, if anything is, and the run."""
        return [self.own] if self.reference is None else [self.reference, self.own]

    def describe_settings(self, claim: Claim) -> str:
        """In how many settings of training the effect of a claim has which sign; empty where that was not asked."""
        counts = [self.settings.get(f"{claim.settings}_{end}") for end in ("told", "positive", "above", "below")]
        if not claim.settings or None in counts:
            return ""
        told, positive, above, below = counts
        signs = f"positive in {positive} of {told} settings of training, clearly in {above}"
        return f"on random maps, as in figure 16: {signs}; clearly negative in {below}"


def weigh_evidence(project: Project, profile: str) -> Evidence:
    """All claims with what the kept results and the run at a profile say of them."""
    claims = load_claims(project.stems())
    own = ledger(project.build / profile / "results", claims)
    kept = {stem: read_reference(project, stem) for stem in project.stems()}
    reference = ledger(reference_folder(project) / "results", claims) if any(kept.values()) else None
    if (result := kept.get(MULTIVERSE)) is not None:
        settings = result.scalars
    else:
        settings = read_json(project.build / profile / "results" / f"{MULTIVERSE}.json")
    return Evidence(claims=claims, own=own, reference=reference, kept=kept, settings=settings)
