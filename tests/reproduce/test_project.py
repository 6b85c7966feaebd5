"""Profiles: strict sections and parameters, shared and own values."""

import pytest

from cemrnn.reproduce.project import Project
from tests.fixtures.copies import copy_tiny_project


@pytest.fixture
def project(tmp_path):
    return Project(copy_tiny_project(tmp_path / "tiny"))


def set_profile(project, text):
    (project.root / "notebooks" / "params" / "quick.yml").write_text(text)


def test_profile_values_are_typed_and_complete(project):
    assert project.profile("smoke") == {"fig1_tiny": {"seed": 8, "rate": 0.1, "n_points": 3}}
    values = project.values("fig1_tiny", "smoke", ["n_points=5"])
    expected = {"rate": 0.1, "n_points": 5, "label": "level", "levels": [0.5, 1.0], "seed": 8, "fails": False}
    assert values == expected


def test_own_section_comes_after_the_shared_one(project):
    set_profile(project, "networks: {seed: 1, n_points: 2}\nfig1_tiny: {seed: 3}")
    assert project.profile("quick") == {"fig1_tiny": {"seed": 3, "n_points": 2}}


def test_shared_values_reach_only_notebooks_that_declare_them(project):
    notebook = project.root / "notebooks" / "fig1_tiny.ipynb"
    text = notebook.read_text(encoding="utf-8").replace("seed: int = 7  # seed\\n", "")
    notebook.with_name("fig2_other.ipynb").write_text(text, encoding="utf-8")
    assert "seed" in project.profile("smoke")["fig1_tiny"]
    assert "seed" not in project.profile("smoke")["fig2_other"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fig1_tyny: {seed: 1}", "unknown section of quick.yml: 'fig1_tyny'; did you mean 'fig1_tiny'"),
        ("networks: {sead: 1}", "section networks of quick.yml: 'sead'; did you mean 'seed'"),
        ("fig1_tiny: {rates: 1}", "section fig1_tiny of quick.yml: 'rates'; did you mean 'rate'"),
        ("fig1_tiny: {n_points: many}", "n_points: expected int, got 'many'"),
    ],
)
def test_unknown_and_mistyped_entries_are_refused(project, text, message):
    set_profile(project, text)
    with pytest.raises(ValueError, match=message):
        project.profile("quick")


def test_unknown_names_are_refused(project):
    with pytest.raises(ValueError, match="unknown profile 'quik'; did you mean 'quick'"):
        project.profile("quik")
    with pytest.raises(ValueError, match="unknown notebook 'fig1_tin'; did you mean 'fig1_tiny'"):
        project.notebook("fig1_tin")


def test_notebooks_are_in_natural_order(project):
    for stem in ("fig10_b", "fig2_c", "appendix"):
        (project.root / "notebooks" / f"{stem}.ipynb").touch()
    assert project.stems() == ["appendix", "fig1_tiny", "fig2_c", "fig10_b"]


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="run this in the folder of the clone"):
        Project(tmp_path).stems()
