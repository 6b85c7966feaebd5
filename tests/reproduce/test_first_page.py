"""The first page: sentences that follow the verdicts, and a figure from results."""

import re
from pathlib import Path

import pytest

from cemrnn.figures import list_figures
from cemrnn.reproduce.claims import VERDICTS, load_claims
from cemrnn.reproduce.first_page import NO_EVIDENCE, SENTENCES, describe_found, load_sentences
from tests.reproduce.test_ledger_page import CLAIMS, OWN

BOOK = Path(__file__).parents[2] / "book"
TEXTS = {"first": {verdict: f"It is {verdict}." for verdict in VERDICTS if verdict != NO_EVIDENCE}}


def test_the_book_has_a_sentence_for_every_verdict_of_its_main_claims():
    sentences = load_sentences(BOOK / SENTENCES, load_claims(list_figures()))
    assert 5 <= len(sentences) <= 7
    for texts in sentences.values():
        assert len(set(texts.values())) == len(texts)
        assert all(re.fullmatch(r"[A-Z].{20,140}\.", text) for text in texts.values())


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_sentence_is_that_of_the_verdict(verdict):
    table = OWN.assign(verdict=verdict)
    text = describe_found(TEXTS, table)
    told = "No evidence yet: A &lt; B &amp; so." if verdict == NO_EVIDENCE else f"It is {verdict}."
    assert told in text and text.count("<li>") == 1
    assert "0.020 [0.050, 0.110]" in text
    assert 'href="fig0_made_up.html"' in text and 'href="ledger.html#first"' in text


def test_nothing_is_said_without_sentences(tmp_path):
    assert load_sentences(tmp_path / SENTENCES, CLAIMS) == {}
    assert describe_found({}, OWN) == ""


@pytest.mark.parametrize(
    "text, message",
    [
        ("third: {supported: Yes.}", "expected primary claims, got 'third'"),
        ("other: {supported: Yes.}", "expected primary claims, got 'other'"),
        ("first: {supported: Yes.}", "first: expected sentences for"),
    ],
)
def test_sentences_of_other_claims_or_verdicts_are_refused(tmp_path, text, message):
    (tmp_path / SENTENCES).write_text(text)
    with pytest.raises(ValueError, match=message):
        load_sentences(tmp_path / SENTENCES, CLAIMS)
