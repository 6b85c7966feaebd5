"""The page of all claims: a row each, what the kept results and one's own run say of it, details folded.

It is HTML, because Markdown has no anchors in tables and no folded cells. Colour and sign both tell the verdict.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import pandas as pd

from cemrnn.reproduce.claims import (
    READINGS,
    SOURCES,
    VERDICTS,
    Claim,
    DroppedClaim,
    describe_doubt,
    number_of,
    write_effect,
)
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
    """The page's filter and table as HTML, with two columns for each ledger, one for each reading of a network's size.

    Claims on the same measure at the two readings share a row if they are judged alike; a claim that compares no
    networks of a given size takes both columns.
    """
    profiles = [_profile_of(table) for table in evidence.ledgers]
    heads = [*(f"reference ({name})" for name in profiles[:-1]), f"your run ({html.escape(profiles[-1])})"]
    titles = "".join(f'<th colspan="{len(READINGS)}" scope="colgroup">{head}</th>' for head in heads)
    readings = "".join(f'<th scope="col">equal {name}</th>' for name in READINGS) * len(heads)
    first = f'<tr><th rowspan="2" scope="col">claim</th>{titles}<th rowspan="2" scope="col">figure</th></tr>'
    table = f"<table class='ledger'><thead>{first}<tr>{readings}</tr></thead>"
    rows = "".join(_describe_row(group, heads, evidence) for group in _group_by_measure(evidence.claims))
    return f"{tally(evidence.decided)}\n{_filters(evidence.claims)}\n{table}<tbody>\n{rows}</tbody></table>"


def _group_by_measure(claims: Sequence[Claim]) -> list[list[int]]:
    """Indices of claims that share a row: one, or the two at equal units and parameters that are judged alike."""
    rows = {(claim.figure, claim.measure, claim.criterion): i for i, claim in enumerate(claims)}
    groups = []
    for i, claim in enumerate(claims):
        twin = rows.get((claim.figure, claim.other_reading, claim.criterion), i)
        if twin >= i:
            groups.append(list(dict.fromkeys([i, twin])))
    return groups


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


def _describe_row(group: list[int], heads: list[str], evidence: Evidence) -> str:
    """A row for the claim or the two claims of a group."""
    figure = evidence.claims[group[0]].figure
    told = "".join(_describe_claim(i, evidence) for i in group)
    cells = "".join(
        _describe_cells([table.iloc[i] for i in group], head)
        for head, table in zip(heads, evidence.ledgers, strict=True)
    )
    return f'<tr><td>{told}</td>{cells}<td class="figure"><a href="{figure}.html">{number_of(figure)}</a></td></tr>\n'


def _describe_claim(i: int, evidence: Evidence) -> str:
    """The statement of a claim with its anchor and what the filter reads, and its details, folded."""
    claim, verdict = evidence.claims[i], evidence.decided.iloc[i]["verdict"]
    kinds = f"{claim.source} {PRIMARY}" if claim.primary else claim.source
    anchor = f'<a class="headerlink" href="#{claim.id}" title="Link to this claim">¶</a>'
    told = _details(claim, [table.iloc[i] for table in evidence.ledgers], evidence)
    details = "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in told.items())
    return (
        f'<div class="claim" id="{claim.id}" data-figure="{claim.figure}" data-verdict="{verdict}" data-kind="{kinds}">'
        f"{html.escape(claim.statement)} {anchor}"
        f"<details><summary>how it is judged</summary><dl>{details}</dl></details></div>"
    )


def _describe_cells(rows: list[pd.Series], head: str) -> str:
    """What a ledger says at either reading; over both columns of a claim without any."""
    if not rows[0].reading:
        (row,) = rows
        return f'<td class="judged" colspan="{len(READINGS)}" data-column="{head}">{_judged(row)}</td>'
    found = {row.reading: _judged(row) for row in rows}
    cells = [(reading, found.get(reading) or _judged_beside(rows[0])) for reading in READINGS]
    return "".join(f'<td class="judged" data-column="{head}, equal {name}">{text}</td>' for name, text in cells)


def _judged(row: pd.Series) -> str:
    effect = write_effect(row).replace(", ", ",&nbsp;")  # a line ends before the interval
    return f"{mark(row.verdict)}<br>{effect}"


def _judged_beside(row: pd.Series) -> str:
    """The measure of a claim at the other reading, judged as the claim is, if it was taken."""
    if not row.other_verdict:
        return '<span class="beside">not measured</span>'
    other = pd.Series({name: row[f"other_{name}"] for name in ("effect", "low", "high", "verdict")})
    title = f"the same measure at the other reading, judged as this claim is; {row.other_n} networks"
    return f'<span class="beside" title="{title}">{_judged(other)}</span>'


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
