"""The closing table of the book: in which systems two modulators do more than the better one of them."""

from __future__ import annotations

import html
from pathlib import Path

import pandas as pd

from cemrnn.reproduce.claims import number_of, write_effect
from cemrnn.reproduce.documents import read_sections
from cemrnn.reproduce.evidence import Evidence
from cemrnn.reproduce.ledger_page import mark

ROWS = "one_table.yml"  # in the folder of the book: system -> its modulators, and claim -> outcome
HEADS = ("system", "outcome", "both minus the better one", "verdict", "figure")


def describe_systems(path: Path, evidence: Evidence) -> str:
    """HTML table with a row for every claim of the file, grouped by system; empty without the file.

    Raises:
        ValueError: the file names a claim that there is not, or lacks an entry.
    """
    if not path.exists():
        return ""
    units = {claim.id: claim.unit for claim in evidence.claims}
    decided, rows, verdicts = evidence.decided.set_index("id"), [], {}
    for system, entry in read_sections(path, "systems").items():
        if set(entry) != {"modulators", "claims"}:
            raise ValueError(f"{path.name}: {system}: expected modulators and claims, got {', '.join(map(str, entry))}")
        for i, (claim, outcome) in enumerate(entry["claims"].items()):
            if claim not in units:
                raise ValueError(f"{path.name}: {system}: expected claims of figures, got {claim!r}")
            name = f"<b>{html.escape(system)}</b><br>{html.escape(entry['modulators'])}" if i == 0 else ""
            row = decided.loc[claim]
            verdicts.setdefault(row.verdict, []).append(f"{system.lower()}, {outcome}")
            rows.append(_describe_row(name, outcome, units[claim], row))
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    table = f"<table class='ledger'><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f"<p>{html.escape(answer(verdicts, len(rows)))}</p>\n{table}"


def answer(verdicts: dict[str, list[str]], n_rows: int) -> str:
    """A sentence: in how many rows both do more, which these are, and how many rows have each other verdict.

    Args:
        verdicts: verdict -> names of its rows.
        n_rows: of the table.
    """
    more = verdicts.get("supported", [])
    rest = [f"{len(names)} {verdict}" for verdict, names in verdicts.items() if verdict != "supported"]
    named = f": {'; '.join(more)}" if more else ""
    others = f" The others: {', '.join(rest)}." if rest else ""
    return f"In {len(more) or 'none'} of {n_rows} rows both do more than the better one{named}.{others}"


def _describe_row(system: str, outcome: str, unit: str, row: pd.Series) -> str:
    effect = f"{write_effect(row)} <small>{html.escape(unit)}</small>"
    verdict = f'<a href="ledger.html#{row.name}">{mark(row.verdict)}</a>'
    figure = f'<a href="{row.figure}.html">{number_of(row.figure)}</a>'
    return (
        f"<tr><td>{system}</td><td>{html.escape(outcome)}</td><td>{effect}</td><td>{verdict}</td>"
        f'<td class="figure">{figure}</td></tr>\n'
    )
