"""The first page: sentences that follow the verdicts, and a figure from results."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from cemrnn.figures import list_figures, style
from cemrnn.reproduce.claims import VERDICTS, load_claims
from cemrnn.reproduce.first_page import (
    HERO_FIGURES,
    NO_EVIDENCE,
    SENTENCES,
    describe_found,
    draw_hero,
    load_sentences,
)
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.reference import read_reference
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
    text = describe_found(TEXTS, table, CLAIMS)
    told = "No evidence yet: A &lt; B &amp; so." if verdict == NO_EVIDENCE else f"It is {verdict}."
    assert told in text and text.count("<li>") == 1
    unit = next(claim.unit for claim in CLAIMS if claim.id == "first")
    assert re.search(rf"0\.020 \[0\.050, 0\.110\] <span class=\"unit\">{unit},</span>", text)
    both = table.assign(reading="units", other_verdict="undecided", other_effect=0.25)
    assert f"{unit} (at equal parameters 0.250)," in describe_found(TEXTS, both, CLAIMS)
    without = describe_found(TEXTS, table.assign(effect=np.nan), CLAIMS)
    assert "unit" not in without
    assert 'href="fig0_made_up.html"' in text and 'href="ledger.html#first"' in text


def test_points_of_networks_that_still_learned_are_hollow():
    noise, packing = (read_reference(Project(), stem) for stem in HERO_FIGURES)
    cells = packing.tables["cells"]
    learning = (cells["arm"] == "combined") & (cells["match"] == "units") & (cells["n_units"] == max(cells["n_units"]))
    tables = packing.tables | {"cells": cells.assign(counts=~learning)}
    figure = draw_hero((noise, dataclasses.replace(packing, tables=tables)))
    hollow = [[line for line in a.get_lines() if line.get_markerfacecolor() == "white"] for a in figure.get_axes()]
    assert [len(lines) for lines in hollow] == [0, 0, 1, 0]
    assert hollow[2][0].get_color() == style.LOOKS["combined"].colour
    np.testing.assert_array_equal(hollow[2][0].get_xdata(), packing.config.task_counts)


def test_nothing_is_said_without_sentences(tmp_path):
    assert load_sentences(tmp_path / SENTENCES, CLAIMS) == {}
    assert describe_found({}, OWN, CLAIMS) == ""


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
