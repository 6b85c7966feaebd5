"""The page of all claims: a row each, what the kept results and one's own run say of it, details folded.

It is HTML, because Markdown has no anchors in tables and no folded cells. Colour and sign both tell the verdict.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import pandas as pd

from cemrnn.reproduce.claims import SOURCES, VERDICTS, Claim, DroppedClaim, describe_doubt, number_of, write_effect
from cemrnn.reproduce.evidence import Evidence

SIGNS = dict(zip(VERDICTS, ("✓", "✗", "≈", "?", "–"), strict=True))
PRIMARY = "primary"


def mark(verdict: str) -> str:
    """HTML of a verdict with its sign and colour."""
    return f'<span class="verdict v-{verdict.replace(" ", "-")}">{SIGNS[verdict]} {verdict}</span>'


def tally(table: pd.DataFrame) -> str:
    """HTML with the number of every verdict."""
    counts = table["verdict"].value_counts()
    parts = [f"<b>{counts[v]}</b> {mark(v)}" for v in VERDICTS if counts.get(v)]
    return f'<p class="tally">{" · ".join(parts)} of {len(table)} claims</p>'


def describe_ledgers(evidence: Evidence) -> str:
    """The page's filter and table as HTML, with a column for each ledger."""
    profiles = [_profile_of(table) for table in evidence.ledgers]
    heads = [*(f"reference ({name})" for name in profiles[:-1]), f"your run ({html.escape(profiles[-1])})"]
    claims, shown = evidence.claims, evidence.decided
    rows = [
        _describe_row(claim, shown.iloc[i]["verdict"], heads, [table.iloc[i] for table in evidence.ledgers], evidence)
        for i, claim in enumerate(claims)
    ]
    columns = "".join(f"<th>{head}</th>" for head in heads)
    table = f"<table class='ledger'><thead><tr><th>claim</th>{columns}<th>figure</th></tr></thead>"
    return f"{tally(shown)}\n{_filters(claims)}\n{table}<tbody>\n{''.join(rows)}</tbody></table>"


def _profile_of(table: pd.DataFrame) -> str:
    names = [name for name in dict.fromkeys(table["profile"]) if name]
    return names[0] if len(names) == 1 else "several profiles" if names else "not made"


def _filters(claims: Sequence[Claim]) -> str:
    figures = dict.fromkeys(claim.figure for claim in claims)
    options = {
        "figure": {stem: f"figure {number_of(stem)}" for stem in figures},
        "verdict": {verdict: f"{SIGNS[verdict]} {verdict}" for verdict in VERDICTS},
        "kind": {kind: kind for kind in (PRIMARY, *SOURCES)},
    }
    selects = [
        f'<label>{name} <select data-filter="{name}"><option value="">all</option>'
        + "".join(f'<option value="{value}">{text}</option>' for value, text in choices.items())
        + "</select></label>"
        for name, choices in options.items()
    ]
    return f'<div class="ledger-filter">{"".join(selects)} <span aria-live="polite" data-filter-count></span></div>'


def _describe_row(claim: Claim, verdict: str, heads: list[str], rows: list[pd.Series], evidence: Evidence) -> str:
    kinds = f"{claim.source} {PRIMARY}" if claim.primary else claim.source
    link = f'<a href="{claim.figure}.html">{number_of(claim.figure)}</a>'
    anchor = f'<a class="headerlink" href="#{claim.id}" title="Link to this claim">¶</a>'
    told = _details(claim, rows, evidence)
    details = "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in told.items())
    cells = "".join(
        f'<td class="judged" data-column="{head}">{mark(row.verdict)}<br>{write_effect(row)}</td>'
        for head, row in zip(heads, rows, strict=True)
    )
    return (
        f'<tr id="{claim.id}" data-figure="{claim.figure}" data-verdict="{verdict}" data-kind="{kinds}">'
        f"<td>{html.escape(claim.statement)} {anchor}"
        f"<details><summary>how it is judged</summary><dl>{details}</dl></details></td>"
        f'{cells}<td class="figure">{link}</td></tr>\n'
    )


def _details(claim: Claim, rows: list[pd.Series], evidence: Evidence) -> dict[str, str]:
    told = {"criterion": f"{claim.measure}: {claim.criterion}", "note": claim.note}
    told["source"] = f"{claim.source}, primary" if claim.primary else claim.source
    for row in rows:
        firm = "; ".join(filter(None, [f"{row.n} networks", describe_doubt(row)]))
        told[row.profile or "not made"] = firm
    if settings := evidence.describe_settings(claim):
        told["other settings"] = settings
    return told | {"name": claim.id}


def describe_dropped(claims: Iterable[DroppedClaim]) -> str:
    """Dropped claims as a MyST table."""
    lines = ["| claim | why it was dropped |", "|---|---|"]
    lines += [f"| {claim.statement} `{claim.id}` | {claim.dropped} |" for claim in claims]
    return "\n".join(lines) + "\n"


def describe_verdicts(figure: str, evidence: Evidence) -> str:
    """The claims of one figure with their verdicts as HTML, each linked to its row in the ledger; empty without any."""
    items = []
    for i, claim in enumerate(evidence.claims):
        if claim.figure != figure:
            continue
        rows = [table.iloc[i] for table in evidence.ledgers]
        told = " · ".join(f"{row.profile or 'not made'} {mark(row.verdict)} {write_effect(row)}" for row in rows)
        link = f'<a href="ledger.html#{claim.id}">{html.escape(claim.statement)}</a>'
        items.append(f"<li>{link}<br>{told}</li>")
    return f'<ul class="verdicts">{"".join(items)}</ul>' if items else ""
