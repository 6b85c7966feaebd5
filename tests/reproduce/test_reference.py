"""Kept results: what comes back is what was kept, and the book shows it as the reference."""

import json
import re
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures import load_experiment, load_plot
from cemrnn.figures.style import render
from cemrnn.reproduce import reference
from cemrnn.reproduce.assembly import assemble
from cemrnn.reproduce.book import build_book
from cemrnn.reproduce.finding import write_finding
from cemrnn.reproduce.notebooks import run_notebook
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.reference import (
    LONG,
    ReferenceError,
    keep_results,
    kept_stems,
    read_reference,
    read_result,
    reference_folder,
)
from tests.fixtures.copies import ODD, add_figures, copy_tiny_project

STEM = "fig1_tiny"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The tiny project, run at its profile and at the long one."""
    project = Project(copy_tiny_project(tmp_path_factory.mktemp("kept") / ODD))
    quick = project.root / "notebooks" / "params" / "quick.yml"
    shutil.copy(quick, quick.with_name(f"{LONG}.yml"))
    with pytest.MonkeyPatch.context() as patch:
        add_figures(patch)
        for profile in ("quick", LONG):
            run_notebook(project, STEM, profile, project.build / profile)
        yield project


@pytest.fixture
def project(executed, tmp_path):
    """A copy that a test may spoil."""
    shutil.copytree(executed.root, tmp_path / "tiny")
    return Project(tmp_path / "tiny")


def test_nothing_is_kept_before_it_is_asked_for(project):
    assert kept_stems(project) == [] and read_reference(project, STEM) is None


def test_a_kept_result_is_drawn_as_the_one_that_ran(project):
    keep_results(project, [STEM])
    assert kept_stems(project) == [STEM]
    kept, ran = read_reference(project, STEM), read_result(project.build / LONG, STEM)
    assert kept.config == ran.config and kept.n_replicates == ran.n_replicates
    assert str(kept.scalars) == str(ran.scalars) and kept.tables.keys() == ran.tables.keys()
    pictures = [render(load_plot(STEM).plot(result), "svg", STEM).decode() for result in (kept, ran)]
    assert len({re.sub(r"[\d.]+", "#", picture) for picture in pictures}) == 1
    places = [np.array(re.findall(r"\d+\.\d+", picture), float) for picture in pictures]
    np.testing.assert_allclose(*places, atol=0.05)  # points of an inch


def test_numbers_of_tables_are_rounded_and_texts_and_gaps_stay(tmp_path):
    table = pd.DataFrame({"name": ["a", "", "None"], "value": [1 / 3, np.nan, 2.0], "is_true": [True, False, True]})
    path = tmp_path / "x.csv"
    table.to_csv(path, index=False, float_format=reference.DIGITS)
    read = reference._read_table(path)
    assert list(read["name"]) == ["a", "", "None"] and read["is_true"].dtype == bool
    np.testing.assert_allclose(read["value"], [0.33333, np.nan, 2.0])


def test_large_tables_are_compressed_and_come_back(project, monkeypatch):
    keep_results(project, [STEM])
    plain = read_reference(project, STEM)
    monkeypatch.setattr(reference, "LARGE_BYTES", 10)
    keep_results(project, [STEM])
    kept = list((reference_folder(project) / "tables").iterdir())
    assert kept and all(path.name.endswith(".csv.gz") for path in kept)  # and none is left as it was
    packed = [path.read_bytes() for path in sorted(kept)]
    again = read_reference(project, STEM)
    for name, table in plain.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)
    keep_results(project, [STEM])
    assert [path.read_bytes() for path in sorted(kept)] == packed


def test_what_has_not_run_is_not_kept(project):
    shutil.rmtree(project.build / LONG / "results")
    with pytest.raises(ReferenceError, match=f"{STEM} has not run at profile {LONG}: cemrnn run {STEM}"):
        keep_results(project, [STEM])


def test_too_much_is_refused(project, monkeypatch):
    monkeypatch.setattr(reference, "MOST_BYTES", 100)
    with pytest.raises(ReferenceError, match="expected at most 100 bytes, got"):
        keep_results(project, [STEM])


def test_results_of_other_settings_are_told(project):
    keep_results(project, [STEM])
    path = reference_folder(project) / "provenance" / f"{STEM}.json"
    origin = json.loads(path.read_text())
    path.write_text(json.dumps(origin | {"config": origin["config"] | {"speed": 3}}))
    with pytest.raises(ReferenceError, match=f"the results of {STEM} are of other settings.*keep it again"):
        read_reference(project, STEM)


def test_a_table_that_is_gone_is_gone_from_what_is_kept(project):
    keep_results(project, [STEM])
    old = reference_folder(project) / "tables" / f"{STEM}.old.csv"
    old.write_text("a\n1\n")
    keep_results(project, [STEM])
    assert not old.exists()


def test_the_book_shows_reference_and_run_in_tabs_and_two_columns(project):
    keep_results(project, [STEM])
    html = build_book(project, "quick").parent
    page, first = ((html / f"{name}.html").read_text(encoding="utf-8") for name in (STEM, "index"))
    assert page.index("Reference (night, 3 networks)") < page.index("Your run (quick, 3 networks)")
    assert "_static/results/reference/" in page and "_static/results/run/" in page
    assert "reference (night)" in first and "your run (quick)" in first
    assert "Reference of 1 figure, profile night: 3 networks per condition. Your run, profile quick: 3" in first
    names = {path.name for path in (html / "_static/results").rglob("*.zip")}
    assert names == {f"{STEM}.zip", "all.zip"}
    files = [f"{STEM}.curves.csv", "provenance.json", "results.json"]
    with zipfile.ZipFile(html / "_static/results/all.zip") as archive:
        assert archive.namelist() == [f"{run}/{STEM}/{file}" for run in ("reference", "run") for file in files]


def test_what_an_older_run_left_is_neither_kept_nor_shown(project):
    for profile in (LONG, "quick"):
        for name in (f"{STEM}.old.csv", f"{STEM}b.svg"):
            (project.build / profile / "figures" / name).write_text("a\n1\n")
    keep_results(project, [STEM])
    assert "old" not in read_reference(project, STEM).tables
    source = assemble(project, "quick")
    assert not list((source / "_static/results").rglob(f"{STEM}b.*"))
    with zipfile.ZipFile(source / "_static/results/run" / f"{STEM}.zip") as archive:
        assert f"{STEM}.old.csv" not in archive.namelist()


def test_what_is_kept_stays_out_of_the_pages_without_it(project):
    source = assemble(project, "quick")
    text = (source / f"{STEM}.ipynb").read_text(encoding="utf-8")
    assert "tab-set" not in text and "Reference" not in text


def test_what_the_project_keeps_can_be_drawn_and_told():
    for stem in kept_stems(Project()):
        kept = read_reference(Project(), stem)
        assert load_plot(stem).plot(kept) and write_finding(kept)
        if name := getattr(load_experiment(stem), "name_outcome", None):
            assert kept.scalars["title"] == name(kept.scalars)  # by the smallest effects of now


def test_figures_2_and_6_disagree_in_the_kept_results_as_both_pages_say():
    on_rotations, on_battery = (
        read_reference(Project(), stem).scalars for stem in ("fig6_timescales", "fig2_ambiguity")
    )
    assert on_rotations["sigma75_excitability_fast_low"] > on_rotations["sigma75_synaptic_fast_high"]
    ends = [on_battery[f"noise_trained_excitability_minus_synaptic_{end}"] for end in ("low", "high")]
    assert ends[0] < 0 < ends[1]
