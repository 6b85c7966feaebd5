"""Stored expectations: a changed verdict, a number out of tolerance and a missing one are told."""

import json

import pytest
import yaml

from cemrnn.reproduce.expected import find_differences, load_expected
from tests.reproduce.test_claims import claim, evidence, write_result

VALUE = {"figure": "fig0_made_up", "measure": "auc_difference", "value": 0.08, "tolerance": 0.02, "why": "seeds"}


def expect(tmp_path, verdicts=None, values=(VALUE,)):
    path = tmp_path / "expected.yml"
    path.write_text(yaml.safe_dump({"quick": {"verdicts": verdicts or {"a-claim": "supported"}, "values": [*values]}}))
    return load_expected(path, "quick")


def differences(tmp_path, expected, *result):
    claims = [claim()]
    return find_differences(expected, write_result(tmp_path, evidence(*result)), claims)


def test_what_is_as_expected_is_silent(tmp_path):
    assert differences(tmp_path, expect(tmp_path), 0.0999, 0.05, 0.11) == []


def test_a_changed_verdict_is_told_though_the_number_is_within_its_tolerance(tmp_path):
    (line,) = differences(tmp_path, expect(tmp_path), 0.08, -0.01, 0.11)
    assert line == "a-claim: expected supported, got inconclusive"


def test_a_verdict_of_the_machine_may_be_any_but_its_claim_must_be_there(tmp_path):
    expected = expect(tmp_path, {"a-claim": "of the machine"}, [])
    for interval in ((0.08, -0.01, 0.11), (0.0999, 0.05, 0.11)):
        assert differences(tmp_path, expected, *interval) == []
    gone = expect(tmp_path, {"a-claim": "of the machine", "old": "of the machine"}, [])
    assert differences(tmp_path, gone, 0.08, 0.05, 0.11) == ["old: expected of the machine, got no such claim"]


def test_a_number_out_of_tolerance_is_told_with_the_reason(tmp_path):
    (line,) = differences(tmp_path, expect(tmp_path), 0.11, 0.05, 0.15)
    assert line == "fig0_made_up, auc_difference: expected 0.08 within 0.02 (seeds), got 0.11"


def test_what_a_run_measures_on_its_machine_is_left_out(tmp_path):
    results = write_result(tmp_path, evidence(0.5, 0.4, 0.6))
    path = results / "fig0_made_up.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"measured": ["auc_difference"]}))
    assert find_differences(expect(tmp_path), results, [claim()]) == []


def test_what_is_missing_is_told(tmp_path):
    expected = expect(tmp_path, {"a-claim": "supported", "old": "supported"}, [VALUE | {"measure": "gone"}])
    lines = differences(tmp_path, expected, 0.08, 0.05, 0.11)
    assert lines[0] == "old: expected supported, got no such claim"
    assert lines[1].endswith("got nothing")
    assert differences(tmp_path, expect(tmp_path, {"old": "supported"}, []), 0.08, 0.05, 0.11)[1] == (
        "a-claim: expected no such claim, got supported"
    )


def test_files_that_say_nothing_or_nonsense_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing is expected of profile 'full', only of .'quick'."):
        expect(tmp_path)
        load_expected(tmp_path / "expected.yml", "full")
    with pytest.raises(ValueError, match="unknown verdict of a-claim 'suported'; did you mean 'supported'"):
        expect(tmp_path, {"a-claim": "suported"})
    with pytest.raises(ValueError, match="did you mean 'tolerance'"):
        expect(tmp_path, values=[VALUE | {"tolerence": 1}])
    with pytest.raises(ValueError, match="expected a tolerance of 0 or more"):
        expect(tmp_path, values=[VALUE | {"tolerance": -1}])
