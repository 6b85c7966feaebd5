"""The page of all claims: one row each, with anchors, signs and what the filter reads; nothing that breaks HTML."""

import dataclasses
import html
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from cemrnn.figures import list_figures
from cemrnn.figures.fig16_multiverse.experiment import CONTRASTS, MEASURES
from cemrnn.figures.shared.packing import MATCHES
from cemrnn.reproduce.claims import COLUMNS, SOURCES, VERDICTS, load_claims
from cemrnn.reproduce.evidence import Evidence
from cemrnn.reproduce.ledger_page import SIGNS, describe_ledgers, describe_verdicts, mark, tally
from tests.reproduce.test_claims import claim

CLAIMS = [
    claim(id="first", statement="A < B & so.", primary=True),
    claim(id="second", figure="fig12_other", source="control", direction="zero"),
    claim(id="third", settings="held"),
]


def make_ledger(profile, *verdicts, effect=0.08, claims=CLAIMS):
    rows = [
        dict(zip(COLUMNS, [None] * len(COLUMNS), strict=True))
        | {name: getattr(one, name) for name in ("id", "statement", "source", "primary", "figure", "measure")}
        | dict(effect=float("nan") if verdict == "no evidence" else effect, low=0.05, high=0.11, n=5, verdict=verdict)
        | dict(profile="" if verdict == "no evidence" else profile, halves_agree=0.75, n_to_decide=40, conditions=0)
        | dict(reading=one.reading, other_effect=0.31, other_low=0.3, other_high=0.32, other_verdict="supported")
        for one, verdict in zip(claims, verdicts, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def evidence(own, reference=None, **settings):
    return Evidence(claims=CLAIMS, own=own, reference=reference, kept={}, settings=settings)


OWN = make_ledger("quick", "undecided", "opposite", "supported", effect=0.02)
KEPT = make_ledger("night", "supported", "no evidence", "equivalent")


class Reader(HTMLParser):
    """Checks that tags are closed in their order, and collects the rows."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.shared, self.columns = [], {}, [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.open.append(tag)
        if tag == "tr":
            self.shared.append([])
        if tag == "div" and "id" in (found := dict(attrs)):
            self.rows[found["id"]] = found
            self.shared[-1].append(found["id"])
        if tag == "td" and (column := dict(attrs).get("data-column")):
            self.columns.append(column)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_claim_has_a_row_with_an_anchor_and_what_the_filter_reads():
    rows = Reader(describe_ledgers(evidence(OWN))).rows
    assert list(rows) == ["first", "second", "third"]
    assert rows["first"]["data-kind"] == "abstract primary" and rows["second"]["data-kind"] == "control"
    assert [row["data-verdict"] for row in rows.values()] == ["undecided", "opposite", "supported"]
    assert rows["second"]["data-figure"] == "fig12_other"


def test_the_filter_offers_what_there_is():
    text = describe_ledgers(evidence(OWN))
    options = re.findall(r'<option value="([^"]+)"', text)
    assert options == ["fig0_made_up", "fig12_other", *VERDICTS, "primary", *SOURCES]


def test_kept_results_stand_beside_the_run_and_come_first():
    text = describe_ledgers(evidence(OWN, KEPT))
    assert text.index("reference (night)") < text.index("your run (quick)")
    rows = Reader(text).rows
    assert [row["data-verdict"] for row in rows.values()] == ["supported", "opposite", "equivalent"]  # 2nd not kept
    first = text[text.index('id="first"') : text.index('id="second"')]
    assert first.index("0.080 [0.050,&nbsp;0.110]") < first.index("0.020 [0.050,&nbsp;0.110]")
    assert "nan" not in text


TWINS = [
    claim(id="alone", measure="speed_units", reading="units", other_reading="speed_parameters"),
    claim(id="size", measure="held_parameters", reading="parameters", other_reading="held_units"),
    claim(id="none"),
    claim(id="number", measure="held_units", reading="units", other_reading="held_parameters"),
]


def test_claims_at_the_two_readings_share_a_row_with_a_column_for_each():
    own = make_ledger("quick", "undecided", "opposite", "equivalent", "no evidence", claims=TWINS)
    text = describe_ledgers(Evidence(claims=TWINS, own=own, reference=None, kept={}))
    page = Reader(text)
    assert [row for row in page.shared if row] == [["alone"], ["size", "number"], ["none"]]
    run = "your run (quick)"
    both = [f"{run}, equal units", f"{run}, equal parameters"]
    assert page.columns == [*both, *both, run]
    size = text[text.index('id="size"') : text.index('id="none"')]
    assert size.index("equal units") < size.rindex("no evidence") < size.index("equal parameters") < size.rindex("✗")


def test_claims_that_are_judged_in_other_ways_do_not_share_a_row():
    claims = [dataclasses.replace(TWINS[3]), dataclasses.replace(TWINS[1], direction="zero")]
    own = make_ledger("quick", "equivalent", "supported", claims=claims)
    text = describe_ledgers(Evidence(claims=claims, own=own, reference=None, kept={}))
    assert [row for row in Reader(text).shared if row] == [["number"], ["size"]]
    assert text.count('class="beside"') == 2


def test_a_claim_at_one_reading_has_its_verdict_there_alone():
    claims = [claim(id="alone", reading="parameters")]
    own = make_ledger("quick", "opposite", claims=claims)
    own["other_verdict"] = ""
    text = describe_ledgers(Evidence(claims=claims, own=own, reference=None, kept={}))
    units, parameters = re.findall(r'<td class="judged".*?</td>', text)
    assert "not measured" in units and "opposite" not in units and "opposite" in parameters


def test_a_reading_without_a_claim_is_shown_as_such_and_not_counted():
    own = make_ledger("quick", "undecided", claims=TWINS[:1]).assign(n=20, other_n=5)
    text = describe_ledgers(Evidence(claims=TWINS[:1], own=own, reference=None, kept={}))
    units, parameters = re.findall(r'<td class="judged".*?</td>', text)
    assert "? undecided" in units and "0.080" in units and "beside" not in units
    assert 'class="beside"' in parameters and "supported" in parameters and "0.310 [0.300,&nbsp;0.320]" in parameters
    assert "; 5 networks" in parameters  # of the arm that has fewest
    assert "of 1 claims" in text and "<b>1</b>" in tally(own) and "supported" not in tally(own)


def test_a_verdict_is_told_by_a_sign_of_its_own_and_a_class():
    assert len(set(SIGNS.values())) == len(VERDICTS)
    for verdict in VERDICTS:
        assert f"{SIGNS[verdict]} {verdict}" in mark(verdict) and f"v-{verdict.replace(' ', '-')}" in mark(verdict)


def test_what_somebody_wrote_is_shown_as_it_is():
    assert "A &lt; B &amp; so." in describe_ledgers(evidence(OWN))
    assert html.escape("A < B & so.") in describe_verdicts("fig0_made_up", evidence(OWN))


def test_the_tally_counts_what_the_book_goes_by():
    decided = evidence(OWN, KEPT).decided
    text = re.sub(r"<[^>]+>", "", tally(decided))
    assert text == "1 ✓ supported · 1 ✗ opposite · 1 ≈ equivalent of 3 claims"


def test_a_figure_lists_its_own_claims_with_links_to_their_rows():
    text = describe_verdicts("fig0_made_up", evidence(OWN, KEPT))
    assert re.findall(r'href="ledger.html#([^"]+)"', text) == ["first", "third"]
    assert text.count("night") == 2 and text.count("quick") == 2
    assert describe_verdicts("fig99_none", evidence(OWN)) == ""


@pytest.mark.parametrize("column", ["effect", "verdict"])
def test_a_claim_without_a_kept_effect_goes_by_the_run(column):
    decided = evidence(OWN, KEPT).decided
    assert decided[column][1] == OWN[column][1] and decided[column][0] == KEPT[column][0]


def test_a_kept_effect_without_evidence_does_not_count():
    kept = KEPT.assign(verdict=["no evidence", *KEPT["verdict"][1:]])
    assert evidence(OWN, kept).decided["effect"][0] == OWN["effect"][0] != kept["effect"][0]


def test_a_claim_that_was_repeated_says_in_how_many_settings_its_effect_has_which_sign():
    counts = dict(held_told=8, held_positive=6, held_above=5, held_below=1)
    text = describe_ledgers(evidence(OWN, KEPT, **counts))
    told = (
        "<dt>other settings</dt><dd>on random maps, as in figure 16: positive in 6 of 8 settings of training, "
        "clearly in 5; clearly negative in 1</dd>"
    )
    assert text.count("other settings") == 1 and told in text.partition('id="third"')[2]
    assert "other settings" not in describe_ledgers(evidence(OWN, KEPT))  # where that figure has no result


def test_every_effect_that_claims_name_is_one_of_the_figure_that_repeats_them():
    named = [claim.settings for claim in load_claims(list_figures()) if claim.settings]
    assert len(named) >= 6
    for name in named:
        measure, match, contrast = name.split("_", 2)
        assert measure in MEASURES and match in MATCHES and contrast in CONTRASTS
