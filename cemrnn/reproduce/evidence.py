"""What the book goes by: the claims with the verdicts of the kept results and of the run that it is built from."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import pandas as pd

from cemrnn.figures.result import Result
from cemrnn.reproduce.claims import Claim, ledger, load_claims
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.reference import read_reference, reference_folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """All claims and results.

    Attributes:
        claims: of all figures.
        own: their ledger from the run.
        reference: their ledger from the kept results; None if nothing is kept.
        kept: stem -> kept result, None where there is none.
    """

    claims: list[Claim]
    own: pd.DataFrame
    reference: pd.DataFrame | None
    kept: dict[str, Result | None]

    @cached_property
    def decided(self) -> pd.DataFrame:
        """Of every claim the row that counts: that of the kept results, where they have an effect."""
        if self.reference is None:
            return self.own
        known = self.reference["effect"].notna().to_numpy()
        rows = [(self.reference if known[i] else self.own).iloc[i] for i in range(len(self.own))]
        return pd.DataFrame(rows, columns=self.own.columns).reset_index(drop=True)

    @property
    def ledgers(self) -> list[pd.DataFrame]:
        """What is kept, if anything is, and the run."""
        return [self.own] if self.reference is None else [self.reference, self.own]


def weigh_evidence(project: Project, profile: str) -> Evidence:
    """All claims with what the kept results and the run at a profile say of them."""
    claims = load_claims(project.stems())
    own = ledger(project.build / profile / "results", claims)
    kept = {stem: read_reference(project, stem) for stem in project.stems()}
    reference = ledger(reference_folder(project) / "results", claims) if any(kept.values()) else None
    return Evidence(claims=claims, own=own, reference=reference, kept=kept)
