"""Titles say what the intervals say, and no more."""

import pytest

from cemrnn.figures import list_figures
from cemrnn.figures.shared.titles import at_both_readings, choose, compare_pathways, smallest_effects
from cemrnn.reproduce.claims import load_claims


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.1, 0.3, "above"), (-0.3, -0.1, "below"), (-0.1, 0.1, "unclear"), (float("nan"), float("nan"), "unclear")],
)
def test_a_title_takes_the_side_of_the_interval(low, high, said):
    assert choose({"m_low": low, "m_high": high}, "m", "above", "below", "unclear") == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.06, 0.3, "above"),
        (-0.2, -0.06, "below"),
        (-0.04, -0.01, "alike"),
        (-0.08, -0.01, "unclear"),
        (0.01, 0.3, "unclear"),
    ],
)
def test_of_what_is_claimed_the_smallest_effect_counts(low, high, said):
    """As the verdict: an interval beside zero decides nothing if it is not beyond the smallest effect."""
    measure = "joint_beyond_best"
    assert smallest_effects()[measure] == 0.05
    found = {f"{measure}_low": low, f"{measure}_high": high}
    assert choose(found, measure, "above", "below", "unclear", alike="alike") == said
    assert choose(found, measure, "above", "below", "unclear") == said.replace("alike", "unclear")


def test_a_measure_has_one_smallest_effect_wherever_it_is_claimed():
    effects = {}
    for claim in load_claims(list_figures()):
        assert effects.setdefault(claim.measure, claim.smallest_effect) == claim.smallest_effect
    assert effects == smallest_effects()


def test_without_a_measure_nothing_is_told():
    assert choose({}, "m", "above", "below", "unclear") == "unclear"


def test_pathways_are_compared_in_words():
    verbs = ("bears more noise", "bear more noise", "bear more noise")
    found = {"m_excitability_minus_synaptic_low": -0.2, "m_excitability_minus_synaptic_high": -0.1}
    assert compare_pathways(found, "m", *verbs) == "Synapses bear more noise than excitability"
    assert compare_pathways({}, "m", *verbs) == "Neither pathway is shown to bear more noise than the other"


def test_both_readings_are_told_and_once_if_they_agree():
    assert at_both_readings(lambda match: "Both are alike") == "Both are alike, at equal units and at equal parameters"
    told = {"units": "Synapses bear more", "parameters": "Neither pathway does"}
    assert at_both_readings(told.get) == "Synapses bear more at equal units; at equal parameters neither pathway does"
