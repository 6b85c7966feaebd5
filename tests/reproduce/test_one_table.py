"""The closing table: a row for every claim of its file, with what the book goes by."""

import pytest

from cemrnn.figures import list_figures
from cemrnn.reproduce.claims import load_claims
from cemrnn.reproduce.documents import read_sections
from cemrnn.reproduce.one_table import answer, describe_systems
from cemrnn.reproduce.project import Project
from tests.reproduce.test_ledger_page import KEPT, OWN, Reader, evidence

TEXT = """
Networks & maps:
  modulators: one and two
  claims: {first: how much, third: how fast}
Bandits:
  modulators: alpha and T
  claims: {second: regret < 1}
"""


def test_every_claim_has_a_row_with_the_verdict_that_the_book_goes_by(tmp_path):
    path = tmp_path / "one_table.yml"
    path.write_text(TEXT)
    table = describe_systems(path, evidence(OWN, KEPT))
    Reader(table)  # every tag is closed in its order
    rows = table.split("<tr>")[2:]
    assert len(rows) == 3 and [row.count("<b>") for row in rows] == [1, 0, 1]
    assert "Networks &amp; maps" in rows[0] and "regret &lt; 1" in rows[2]
    assert "supported" in rows[0] and "0.080 [0.050, 0.110]" in rows[0]  # of what is kept
    assert "opposite" in rows[2] and "0.020" in rows[2]  # nothing is kept of it
    assert table.startswith("<p>In 1 of 3 rows both do more than the better one: networks &amp; maps, how much. ")
    assert 'href="ledger.html#third"' in rows[1] and 'href="fig12_other.html">12<' in rows[2]


def test_the_answer_counts_every_row_once():
    assert answer({"equivalent": ["a", "b"], "undecided": ["c"]}, 3) == (
        "In none of 3 rows both do more than the better one. The others: 2 equivalent, 1 undecided."
    )
    assert answer({"supported": ["a", "b"]}, 2) == "In 2 of 2 rows both do more than the better one: a; b."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A: {modulators: x, claims: {fourth: y}}", "one_table.yml: A: expected claims of figures, got 'fourth'"),
        ("A: {claims: {first: y}}", "one_table.yml: A: expected modulators and claims, got claims"),
        ("A: 3", "A: expected names with their values, got 3"),
    ],
)
def test_a_file_that_names_what_there_is_not_is_refused(tmp_path, text, message):
    path = tmp_path / "one_table.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        describe_systems(path, evidence(OWN))


def test_a_book_without_the_file_has_no_table(tmp_path):
    assert describe_systems(tmp_path / "one_table.yml", evidence(OWN)) == ""


def test_the_rows_of_the_book_are_claims_that_something_is_more():
    claims = {claim.id: claim for claim in load_claims(list_figures())}
    for system in read_sections(Project().root / "book" / "one_table.yml", "systems").values():
        assert {claims[name].direction for name in system["claims"]} == {"positive"}
