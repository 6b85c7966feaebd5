"""Stored expectations: an effect that left its interval, a turned verdict and a missing claim are told."""

from pathlib import Path

import pytest
import yaml

from cemrnn.figures import list_figures
from cemrnn.reproduce.claims import ledger, load_claims
from cemrnn.reproduce.expected import (
    BEGIN,
    END,
    check_complete,
    describe_primary,
    find_differences,
    load_expected,
    load_told,
    replace_table,
    write_expected,
)
from tests.reproduce.test_claims import claim, evidence, write_result

ENTRY = {"verdict": "supported", "effect": 0.08, "low": 0.06, "high": 0.1}


def expect(tmp_path, **entries):
    path = tmp_path / "expected.yml"
    path.write_text(yaml.safe_dump({"quick": entries or {"a-claim": ENTRY}}))
    return load_expected(path, "quick")


def compare(tmp_path, expected, *result):
    return find_differences(expected, write_result(tmp_path, evidence(*result)), [claim()])


def test_what_is_as_expected_is_silent(tmp_path):
    assert compare(tmp_path, expect(tmp_path), 0.0999, 0.05, 0.11) == ([], [])


def test_a_verdict_that_turned_within_the_interval_is_told_and_no_difference(tmp_path):
    differences, turned = compare(tmp_path, expect(tmp_path), 0.08, -0.01, 0.11)
    assert differences == []
    assert turned == ["a-claim: supported became undecided, its effect is as expected"]


def test_an_effect_that_left_its_interval_is_a_difference_though_its_verdict_is_the_same(tmp_path):
    differences, turned = compare(tmp_path, expect(tmp_path), 0.11, 0.05, 0.15)
    assert (differences, turned) == (["a-claim: expected 0.08 [0.06, 0.1], got 0.11"], [])


def test_no_evidence_is_expected_or_a_difference(tmp_path):
    nothing = (None, None, None)
    assert compare(tmp_path, expect(tmp_path), *nothing)[0] == ["a-claim: expected 0.08 [0.06, 0.1], got nan"]
    none = expect(tmp_path, **{"a-claim": {"verdict": "no evidence"}})
    assert compare(tmp_path, none, *nothing) == ([], [])
    assert compare(tmp_path, none, 0.08, 0.05, 0.11)[0] == ["a-claim: expected no effect, got 0.08"]


def test_a_verdict_of_the_machine_may_be_any_but_its_claim_must_be_there(tmp_path):
    expected = expect(tmp_path, **{"a-claim": {"verdict": "of the machine"}})
    for interval in ((0.08, -0.01, 0.11), (0.0999, 0.05, 0.11)):
        assert compare(tmp_path, expected, *interval) == ([], [])
    gone = expect(tmp_path, **{"a-claim": ENTRY, "old": {"verdict": "of the machine"}})
    assert compare(tmp_path, gone, 0.08, 0.05, 0.11)[0] == ["old: expected of the machine, got no such claim"]
    assert compare(tmp_path, {}, 0.08, 0.05, 0.11)[0] == ["a-claim: expected no such claim, got supported"]


def test_what_a_run_measures_on_its_machine_is_left_out(tmp_path):
    results = write_result(tmp_path, evidence(0.5, 0.4, 0.6) | {"measured": ["auc_difference"]})
    assert find_differences(expect(tmp_path), results, [claim()]) == ([], [])


def test_what_was_found_becomes_what_is_expected(tmp_path):
    expect(tmp_path, **{"a-claim": ENTRY, "old": ENTRY})
    path = tmp_path / "expected.yml"
    path.write_text("# A comment.\n" + path.read_text() + yaml.safe_dump({"full": {"a-claim": ENTRY}}))
    claims = [claim(), claim(id="timed", measure="seconds"), claim(id="untested", figure="fig99_absent")]
    seconds = evidence(2.0, 1.0, 3.0, 5, "seconds") | {"measured": ["seconds"]}
    results = write_result(tmp_path, evidence(-0.081234567, -0.11, -0.05) | seconds)
    write_expected(path, "quick", ledger(results, claims))
    expected = load_expected(path, "quick")
    assert find_differences(expected, results, claims) == ([], [])
    assert {name: entry.verdict for name, entry in expected.items()} == {
        "a-claim": "opposite", "timed": "of the machine", "untested": "no evidence",
    }  # fmt: skip
    assert expected["a-claim"].effect == -0.0812346
    assert path.read_text().startswith("# A comment.\n")
    assert load_expected(path, "full")["a-claim"].effect == 0.08


def test_an_effect_without_bounds_is_expected_of_nobody(tmp_path):
    expect(tmp_path)
    results = write_result(tmp_path, evidence(0.5, None, None, 1))
    write_expected(tmp_path / "expected.yml", "quick", ledger(results, [claim()]))
    (entry,) = load_expected(tmp_path / "expected.yml", "quick").values()
    assert (entry.verdict, entry.effect, entry.low) == ("no evidence", None, None)


def test_what_lacks_the_results_of_a_figure_does_not_become_what_is_expected(tmp_path):
    claims = [claim(), claim(id="other", measure="seconds"), claim(id="untested", figure="fig99_absent")]
    results = write_result(tmp_path, evidence(0.08, 0.05, 0.11))
    check_complete(results, ["fig0_made_up"], ledger(results, claims[:2]))  # one claim of two has evidence
    for stems, of in ((["fig0_made_up", "fig98_without_claims"], claims[:2]), (["fig0_made_up"], claims)):
        with pytest.raises(ValueError, match="results: expected evidence from every figure, got none from fig9"):
            check_complete(results, stems, ledger(results, of))
    write_result(tmp_path, {})
    with pytest.raises(ValueError, match="got none from fig0_made_up; run their notebooks first"):
        check_complete(results, ["fig0_made_up"], ledger(results, claims[:2]))


def test_files_that_say_nothing_or_nonsense_are_refused(tmp_path):
    expect(tmp_path)
    with pytest.raises(ValueError, match="nothing is expected of profile 'full', only of .'quick'."):
        load_expected(tmp_path / "expected.yml", "full")
    for entry, message in (
        (3, "a-claim: expected names with their values, got 3"),
        ({"verdict": "suported"}, "unknown verdict 'suported'; did you mean 'supported'"),
        (ENTRY | {"hihg": 1}, "a-claim: .*did you mean 'high'"),
        ({"verdict": "supported", "low": 1}, "effect, low, high: expected all or none, got None, 1.0, None"),
        (ENTRY | {"low": 1}, "low: expected at most high = 0.1, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            expect(tmp_path, **{"a-claim": entry})


def test_readme_tells_what_is_expected():
    root = Path(__file__).parents[2]
    table = describe_primary(load_told(root / "book" / "expected.yml"), load_claims(list_figures()))
    assert len(table.splitlines()) == 2 + sum(claim.primary for claim in load_claims(list_figures()))
    assert f"{BEGIN}\n{table}\n{END}" in (root / "README.md").read_text(encoding="utf-8")


def test_the_table_has_a_column_for_every_profile_that_is_told(tmp_path):
    expect(tmp_path, **{"a-claim": ENTRY})
    path = tmp_path / "expected.yml"
    night = {"a-claim": ENTRY | {"verdict": "opposite"}, "other": {"verdict": "no evidence"}}
    path.write_text(path.read_text() + yaml.safe_dump({"full": {"a-claim": ENTRY}, "night": night}))
    claims = [claim(primary=True), claim(id="other", primary=True), claim(id="aside")]
    head, _, first, second = describe_primary(load_told(path), claims).splitlines()
    assert head == "| claim | night | quick | figure |"
    assert "| **opposite** 0.080 [" in first and "| **supported** 0.080 [" in first
    assert "| **no evidence** |  | " in second


def test_a_table_is_put_between_its_marks_and_nowhere_else(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"Before.\n{BEGIN}\nold\n{END}\nAfter.\n")
    replace_table(path, "new")
    replace_table(path, "newer")
    assert path.read_text() == f"Before.\n{BEGIN}\nnewer\n{END}\nAfter.\n"
    path.write_text("No marks.")
    replace_table(path, "new")
    assert path.read_text() == "No marks."
