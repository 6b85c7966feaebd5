"""Claims: strict files, verdicts with a known answer, and a ledger that is computed from results alone."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.figures import list_figures
from cemrnn.measures.intervals import estimate_crossed, estimate_difference
from cemrnn.reproduce.claims import (
    COLUMNS,
    VERDICTS,
    Claim,
    count_networks_to_decide,
    describe_doubt,
    judge,
    ledger,
    load_claims,
    load_dropped,
    read_claims,
    to_json,
    write_effect,
)
from cemrnn.reproduce.ledger_page import describe_dropped
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.reference import reference_folder
from tests.fixtures.copies import add_figures

FIELDS = {
    "id": "a-claim",
    "statement": "One arm beats another.",
    "source": "abstract",
    "figure": "fig0_made_up",
    "measure": "auc_difference",
    "direction": "positive",
    "smallest_effect": 0.03,
    "unit": "normalised accuracy",
    "note": "None.",
}


def claim(**changes):
    return Claim(**{**FIELDS, **changes})


def write_claims(path, *entries):
    own = {name: value for name, value in FIELDS.items() if name != "figure"}
    path.write_text(yaml.safe_dump([{**own, **entry} for entry in entries]))
    return path


def write_result(root, scalars, profile="quick"):
    for folder, content in (("results", scalars), ("provenance", {"profile": profile})):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / f"{FIELDS['figure']}.json").write_text(json.dumps(content))
    return root / "results"


def evidence(effect, low, high, n=5, measure="auc_difference"):
    return {measure: effect, f"{measure}_low": low, f"{measure}_high": high, f"{measure}_n": n}


# verdicts; smallest effect 0.03

CASES = {
    (0.08, 0.05, 0.11): ("supported", "opposite", "opposite"),
    (-0.08, -0.11, -0.05): ("opposite", "supported", "opposite"),
    (0.00, -0.02, 0.02): ("equivalent", "equivalent", "supported"),
    (0.015, 0.01, 0.02): ("equivalent", "equivalent", "supported"),
    (0.02, 0.01, 0.04): ("undecided",) * 3,
    (0.08, -0.01, 0.17): ("undecided",) * 3,
    (0.00, -0.20, 0.20): ("undecided",) * 3,
    (0.05, 0.01, 0.09): ("undecided",) * 3,  # an effect, but perhaps too small to matter
    (-0.10, -0.20, 0.01): ("undecided",) * 3,
}


@pytest.mark.parametrize("result, verdicts", CASES.items())
def test_known_answers_get_their_verdict(result, verdicts):
    for direction, verdict in zip(("positive", "negative", "zero"), verdicts, strict=True):
        assert judge(claim(direction=direction), *result, n=5) == verdict, direction


@pytest.mark.parametrize(
    "result",
    [(0.08, 0.05, 0.11, 1), (0.08, 0.05, 0.11, None), (0.08, math.nan, math.nan, 5), (None, None, None, 5)],
)
def test_without_evidence_no_verdict(result):
    for direction in ("positive", "negative", "zero"):
        assert judge(claim(direction=direction), *result) == "no evidence"


interval = st.tuples(*[st.floats(-0.2, 0.2)] * 3).map(sorted)


@given(interval)
def test_mirrored_evidence_mirrors_the_verdict(values):
    low, effect, high = values
    positive = judge(claim(direction="positive"), effect, low, high, 9)
    assert positive == judge(claim(direction="negative"), -effect, -high, -low, 9)
    assert positive in VERDICTS


@given(interval)
def test_a_zero_claim_holds_where_either_sign_is_equivalent(values):
    low, effect, high = values
    other = {"supported": "opposite", "opposite": "opposite", "equivalent": "supported", "undecided": "undecided"}
    assert judge(claim(direction="zero"), effect, low, high, 9) == other[judge(claim(), effect, low, high, 9)]


@given(interval, st.integers(3, 30))
def test_as_many_networks_as_are_told_would_decide(values, n):
    low, effect, high = values
    told = count_networks_to_decide(claim(), effect, low, high, n)
    if told is not None:
        half = (high - low) / 2 * (n / max(told, 1)) ** 0.5 * 0.999
        assert told == 0 or judge(claim(), effect, effect - half, effect + half, n) != "undecided"


def test_no_number_of_networks_decides_on_an_effect_of_just_the_smallest_size():
    assert count_networks_to_decide(claim(), 0.03, 0.01, 0.05, 6) is None
    assert count_networks_to_decide(claim(), 0.03, 0.03, 0.03, 6) is None  # nor if all are alike
    assert count_networks_to_decide(claim(), 0.05, 0.01, 0.09, 6) == 24  # half the width is twice the room


@given(interval, st.floats(0.001, 0.1), st.floats(1.1, 5))
def test_a_stricter_size_never_turns_a_claim_into_support(values, size, factor):
    low, effect, high = values
    strict = judge(claim(smallest_effect=size * factor), effect, low, high, 9)
    lenient = judge(claim(smallest_effect=size), effect, low, high, 9)
    assert strict != "supported" or lenient == "supported"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.5, 0.8, "supported"), (0.4, 0.6, "undecided"), (-0.2, 0.2, "opposite"), (-3.0, -1.0, "opposite")],
)
def test_a_share_that_is_surely_below_what_is_claimed_is_the_opposite(low, high, verdict):
    share = claim(direction="above", smallest_effect=0.5)
    assert judge(share, (low + high) / 2, low, high, 8) == verdict
    assert share.criterion.startswith("above 0.5")


def test_a_share_far_below_zero_needs_few_networks_to_decide():
    share = claim(direction="above", smallest_effect=0.5)
    assert count_networks_to_decide(share, 0.45, 0.351, 0.549, 8) == 32  # a width of half the one that it has
    assert count_networks_to_decide(share, -0.6, -2.0, 0.8, 8) == 13  # not that to the negative edge


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="low: expected at most high = 0.1, got 0.2"):
        judge(claim(), 0.15, 0.2, 0.1, 5)


# the file


def test_claims_of_the_book_load_and_cover_the_ambiguity_figure():
    claims = load_claims(list_figures())
    assert {c.measure: c.direction for c in claims if c.figure == "fig2_ambiguity"} == {
        "noise_units_excitability_minus_synaptic": "negative",
        "noise_parameters_excitability_minus_synaptic": "negative",
        "noise_other_units_excitability_minus_synaptic": "negative",
        "noise_other_units_combined_minus_synaptic": "negative",
        "noise_streams_units_excitability_minus_synaptic": "negative",
        "noise_streams_units_combined_minus_synaptic": "negative",
        "noise_trained_excitability_minus_synaptic": "zero",
        "noise_units_combined_minus_synaptic": "negative",
        "noise_units_combined_minus_best_single": "positive",
        "noise_trained_combined_minus_best_single": "positive",
        "mixture_units_excitability_minus_synaptic": "negative",
        "own_kind_excitability_minus_synaptic": "zero",
        "own_kind_combined_minus_best_single": "positive",
        "gain_own_minus_other_kind": "positive",
        "plain_favours_cued": "zero",
    }
    for c in claims:
        assert c.statement.endswith(".") and c.note.endswith(".")


def test_dropped_claims_stay_with_their_reason_and_are_not_judged():
    dropped, kept = load_dropped(list_figures()), {claim.id for claim in load_claims(list_figures())}
    assert len(dropped) > 10 and not kept & {claim.id for claim in dropped}
    table = describe_dropped(dropped)
    for claim in dropped:
        assert claim.statement.endswith(".") and claim.dropped.endswith(".")
        assert f"`{claim.id}` | {claim.dropped}" in table
        for name in re.findall(r"\b[a-z]+(?:-[a-z]+)+\b", claim.dropped):
            if name.split("-")[0] in ("ambiguity", "packing", "dynamics", "synergy"):
                assert name in kept, name  # what stands in its place


@pytest.mark.parametrize(
    "change, message",
    [
        ({"smalest_effect": 0.1}, "claim 1 .a-claim.*did you mean 'smallest_effect'"),
        ({"statement": None}, "statement: expected str, got None"),
        ({"direction": "positiv"}, "did you mean 'positive'"),
        ({"source": "paper"}, "source"),
        ({"smallest_effect": 0}, "smallest_effect: expected a positive size, got 0"),
        ({"smallest_effect": "big"}, "smallest_effect: expected float"),
        ({"id": "A claim"}, "id: expected lower-case words"),
        ({"measure": "auc difference"}, "measure: expected lower-case words"),
        ({"figure": "fig9_other"}, "figure: expected no such entry"),
    ],
)
def test_malformed_claims_are_refused_by_name(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read_claims(write_claims(tmp_path / "claims.yml", change), FIELDS["figure"])


def test_missing_fields_and_other_files_are_refused(tmp_path):
    path = write_claims(tmp_path / "claims.yml", {})
    path.write_text(path.read_text().replace("unit: normalised accuracy", ""))
    with pytest.raises(ValueError, match="expected a value for unit, got none"):
        read_claims(path, "fig0_made_up")
    path.write_text("claims: none")
    with pytest.raises(ValueError, match="expected a list of claims, got dict"):
        read_claims(path, "fig0_made_up")


def test_an_id_is_unique_over_all_figures(tmp_path, monkeypatch):
    add_figures(monkeypatch, tmp_path)
    for stem in ("fig90_made", "fig91_up"):
        (tmp_path / stem).mkdir()
        (tmp_path / stem / "experiment.py").touch()
    write_claims(tmp_path / "fig90_made" / "claims.yml", {})
    assert [c.figure for c in load_claims(["fig90_made", "fig91_up"])] == ["fig90_made"]
    write_claims(tmp_path / "fig91_up" / "claims.yml", {})
    with pytest.raises(ValueError, match="id 'a-claim' occurs twice"):
        load_claims(["fig90_made", "fig91_up"])


# the ledger


def test_ledger_columns_and_computed_verdicts(tmp_path):
    other = {"id": "another", "measure": "sigma75_difference"}
    claims = [claim(), claim(**other), claim(id="untested", figure="fig99_absent")]
    results = write_result(tmp_path, evidence(0.08, 0.05, 0.11) | evidence(0, -0.2, 0.2, 7, "sigma75_difference"))
    table = ledger(results, claims)
    assert tuple(table.columns) == COLUMNS
    assert list(table.verdict) == ["supported", "undecided", "no evidence"]
    assert list(table.n) == [5, 7, 0] and list(table.profile) == ["quick", "quick", ""]
    assert list(table.effect[:2]) == [0.08, 0] and math.isnan(table.effect[2])
    # the same claims against other results: nothing in the file decides
    write_result(tmp_path, evidence(-0.08, -0.11, -0.05))
    assert list(ledger(results, claims).verdict) == ["opposite", "no evidence", "no evidence"]


def test_null_and_nan_are_no_evidence_half_a_result_is_an_error(tmp_path):
    claims = [claim()]
    for nothing in (None, math.nan):
        results = write_result(tmp_path, evidence(nothing, nothing, nothing))
        assert list(ledger(results, claims).verdict) == ["no evidence"]
    write_result(tmp_path, {"auc_difference": 0.1, "auc_difference_low": 0.05})
    with pytest.raises(ValueError, match="fig0_made_up: .* got no auc_difference_high, auc_difference_n"):
        ledger(results, claims)


def test_how_firm_a_verdict_is(tmp_path):
    claims = [claim(), claim(id="open", measure="open"), claim(id="edge", measure="edge")]
    halves = {"auc_difference_halves": [[0.08, 0.05, 0.11, 2]] * 3 + [[0.08, -0.05, 0.2, 2], [None, None, None, 2]]}
    open_ones = evidence(0.05, 0.01, 0.09, 6, "open") | evidence(0.03, 0.01, 0.05, 6, "edge")
    table = ledger(write_result(tmp_path, evidence(0.08, 0.05, 0.11) | halves | open_ones), claims)
    assert table.halves_agree[0] == 0.6 and table.halves_agree[1:].isna().all()
    assert table.n_to_decide[1] == 24
    firm, undecided, edge = map(describe_doubt, table.itertuples())
    assert firm == "60% of halves agree"
    assert undecided == "about 24 networks would decide" and edge == "more networks will not decide"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((0.08, 0.05, 0.11), "0.080 [0.050, 0.110]"), ((0.08, math.nan, math.nan), "0.080"), ((math.nan,) * 3, "")],
)
def test_an_effect_is_written_with_its_interval_if_it_has_one(numbers, text):
    assert write_effect(SimpleNamespace(**dict(zip(("effect", "low", "high"), numbers, strict=True)))) == text


def test_the_other_reading_is_judged_by_the_same_criterion(tmp_path):
    both = evidence(0.08, 0.05, 0.11, measure="held_units") | evidence(-0.08, -0.11, -0.05, 7, "held_parameters")
    claims = [claim(id="at-units", measure="held_units", reading="units", other_reading="held_parameters"), claim()]
    (row, other) = ledger(write_result(tmp_path, both), claims).itertuples()
    assert (row.reading, row.verdict, row.other_verdict) == ("units", "supported", "opposite")
    assert (row.other_effect, row.other_low, row.other_high, row.other_n) == (-0.08, -0.11, -0.05, 7)
    assert (other.reading, other.other_verdict, other.other_n) == ("", "", 0) and math.isnan(other.other_effect)


def test_the_measure_at_the_other_reading_needs_a_reading():
    assert claim(reading="units").other_reading == ""
    with pytest.raises(ValueError, match="other_reading"):
        claim(other_reading="held_parameters")


def test_every_claim_at_one_reading_has_the_measure_of_the_other_in_the_kept_results():
    claims = [claim for claim in load_claims(list_figures()) if claim.other_reading]
    for one in claims:
        kept = json.loads((reference_folder(Project()) / "results" / f"{one.figure}.json").read_text())
        assert one.other_reading in kept and f"{one.other_reading}_low" in kept
        words = {"units": "_units", "parameters": "_parameters"}
        of_other = words.pop("parameters" if one.reading == "units" else "units")
        assert of_other not in one.measure and not any(word in one.other_reading for word in words.values())
    assert {claim.figure for claim in claims} >= {"fig2_ambiguity", "fig3_packing", "fig5_synergy"}
    for figure in {claim.figure for claim in claims}:  # both name each other
        named = {claim.measure: claim.other_reading for claim in claims if claim.figure == figure}
        assert all(named.get(other, measure) == measure for measure, other in named.items())


def test_where_conditions_were_drawn_too_more_of_them_are_needed(tmp_path):
    first, other = (np.random.default_rng(seed).normal(mean, 0.3, (6, 4)) for seed, mean in ((1, 0.1), (2, 0)))
    scalars = estimate_crossed(first, other).to_scalars("auc_difference")
    (row,) = ledger(write_result(tmp_path, scalars), [claim(smallest_effect=1.0)]).itertuples()
    assert row.verdict == "equivalent" and row.conditions == 4
    told = describe_doubt(row._replace(verdict="undecided", n_to_decide=15))
    assert told.startswith("about 15 networks and 10 conditions (") and "now 4)" in told
    alone = estimate_difference(first[:, 0], other[:, 0], paired=False).to_scalars("auc_difference")
    (row,) = ledger(write_result(tmp_path, alone), [claim(smallest_effect=1.0)]).itertuples()
    assert row.conditions == 0


def test_primary_claims_are_corrected_for_the_number_from_their_papers_and_others_are_not(tmp_path):
    names, of_neighbours = "abcdef", {"e": "neighbour", "f": "neighbour"}
    claims = [
        claim(id=name, measure=name, primary=name != "d", source=of_neighbours.get(name, "summary")) for name in names
    ]
    scalars = {}
    for name, p in zip(names, (0.001, 0.03, 0.04, 0.04, 0.02, 0.02), strict=True):
        scalars |= evidence(0.08, 0.05, 0.11, 5, name) | {f"{name}_p": p}
    table = ledger(write_result(tmp_path, scalars), claims)
    assert list(table.p_adjusted[:3]) == pytest.approx([0.003, 0.06, 0.06])
    assert math.isnan(table.p_adjusted[3]) and list(table.p_adjusted[4:]) == pytest.approx([0.04, 0.04])
    assert list(table.verdict) == ["supported", "undecided", "undecided", "supported", "supported", "supported"]


def test_json_round_trip(tmp_path):
    claims = [claim(), claim(id="untested", figure="fig9_no")]
    table = ledger(write_result(tmp_path, evidence(0.08, 0.05, 0.11)), claims)
    first, second = json.loads(to_json(table))
    assert tuple(first) == COLUMNS
    assert (first["effect"], first["n"], first["verdict"]) == (0.08, 5, "supported")
    assert second["effect"] is None and second["verdict"] == "no evidence"


def test_criterion_is_worded_from_the_claim():
    assert claim().criterion == "at least 0.03 (normalised accuracy)"
    assert claim(direction="zero", smallest_effect=0.1).criterion == "within ±0.1 of 0 (normalised accuracy)"
