"""What differs between two runs: the number that moved most is told first, and what is measured is not told."""

import json

import pandas as pd
import pytest

from cemrnn.reproduce import compare
from tests.reproduce.test_claims import FIELDS, claim, evidence

STEM = FIELDS["figure"]


def write_run(folder, scalars, config=None, **tables):
    for name, content in (("results", scalars), ("provenance", {"profile": "quick", "config": config or {}})):
        (folder / name).mkdir(parents=True)
        (folder / name / f"{STEM}.json").write_text(json.dumps(content))
    (folder / "figures").mkdir()
    for name, table in tables.items():
        pd.DataFrame(table).to_csv(folder / "figures" / f"{STEM}.{name}.csv", index=False)
    return folder


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """Compare a base run with another one."""
    monkeypatch.setattr(compare, "load_claims", lambda stems: [claim()])
    base = (
        evidence(0.08, 0.05, 0.11)
        | evidence(1.0, 0.9, 1.1, measure="other")
        | {"seconds": 3.0, "measured": ["seconds"]}
    )
    first = write_run(tmp_path / "a", base, {"seed": 1}, curves={"x": [0.0, 1.0]}, gone={"x": [1.0]})

    def run(scalars=None, config=None, **tables):
        second = write_run(tmp_path / "b", base | (scalars or {}), config or {"seed": 1}, **tables)
        return compare.compare_runs(first, second, STEM)

    return run


def test_the_same_run_differs_in_nothing(compared):
    found = compared(curves={"x": [0.0, 1.0]}, gone={"x": [1.0]})
    assert found == {"settings": [], "verdicts": [], "numbers": [], "tables": []}


def test_what_differs_is_told_and_what_moved_most_first(compared):
    found = compared({"auc_difference": 0.09, "other": 3.0, "seconds": 9.0, "text": "new"}, {"seed": 2, "more": 1})
    assert found["settings"] == ["seed: 1 -> 2", "more: none -> 1"]
    assert found["numbers"] == ["other: 1 -> 3", "auc_difference: 0.08 -> 0.09", "text: none -> new"]


def test_a_turned_verdict_is_told(compared):
    assert compared({"auc_difference_low": -0.05})["verdicts"] == ["a-claim: supported -> undecided"]


def test_tables_are_compared_by_column_and_shape(compared):
    found = compared(curves={"x": [0.0, 1.5]}, more={"x": [1.0]}, gone={"x": [1.0, 2.0]})
    assert found["tables"] == [
        f"{STEM}.curves.csv: x by up to 0.5",
        f"{STEM}.gone.csv: 1 rows and 1 columns -> 2 and 1",
        f"{STEM}.more.csv: only in the second",
    ]
