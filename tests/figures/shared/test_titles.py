"""Titles say what the intervals say, and no more."""

import pytest

from cemrnn.figures.shared.titles import choose, compare_pathways


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.1, 0.3, "above"), (-0.3, -0.1, "below"), (-0.1, 0.1, "unclear"), (float("nan"), float("nan"), "unclear")],
)
def test_a_title_takes_the_side_of_the_interval(low, high, said):
    assert choose({"m_low": low, "m_high": high}, "m", "above", "below", "unclear") == said


def test_without_a_measure_nothing_is_told():
    assert choose({}, "m", "above", "below", "unclear") == "unclear"


def test_pathways_are_compared_in_words():
    verbs = ("bears more noise", "bear more noise", "bear more noise")
    found = {"m_excitability_minus_synaptic_low": -0.2, "m_excitability_minus_synaptic_high": -0.1}
    assert compare_pathways(found, "m", *verbs) == "Synapses bear more noise than excitability"
    assert compare_pathways({}, "m", *verbs) == "Neither pathway is shown to bear more noise than the other"
