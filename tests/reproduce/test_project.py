"""The clone: its notebooks in order, found from any of its folders."""

from pathlib import Path

import pytest

from cemrnn.reproduce.project import KEPT, Project
from cemrnn.store.store import Store
from cemrnn.tasks.sequences.images import mnist_path
from tests.fixtures.copies import add_figures, copy_tiny_project


@pytest.fixture
def project(tmp_path, monkeypatch):
    add_figures(monkeypatch)
    return Project(copy_tiny_project(tmp_path / "tiny"))


def test_unknown_names_are_refused(project):
    with pytest.raises(ValueError, match="unknown notebook 'fig1_tin'; did you mean 'fig1_tiny'"):
        project.notebook("fig1_tin")


def test_figures_are_in_natural_order_and_other_notebooks_are_left_alone(project):
    for stem in ("fig10_interpretability", "fig2_ambiguity", "Untitled", "fig1_tiny-Copy1"):
        (project.root / "notebooks" / f"{stem}.ipynb").touch()
    assert project.stems() == ["fig1_tiny", "fig2_ambiguity", "fig10_interpretability"]
    assert project.strays() == ["Untitled", "fig1_tiny-Copy1"]
    with pytest.raises(ValueError, match="unknown notebook 'Untitled'"):
        project.notebook("Untitled")


@pytest.mark.parametrize("name", [*KEPT, ".tmp", "a b", "a;b"])
def test_a_profile_does_not_take_the_place_of_what_build_keeps(project, name):
    (project.root / "notebooks" / "params" / f"{name}.yml").touch()
    with pytest.raises(ValueError, match="expected another name, because its results go to build/"):
        project.profile(name)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="run this in the folder of the clone"):
        Project(tmp_path).stems()


@pytest.mark.parametrize("folder", [".", "notebooks", "notebooks/params", "book"])
def test_the_clone_and_its_store_are_found_from_any_of_its_folders(project, folder, monkeypatch):
    monkeypatch.chdir(project.root / folder)
    monkeypatch.setenv("CEMRNN_STORE", "")  # as if it were not set
    assert Project() == project
    assert Store.default().root == project.root / "build" / "store"
    monkeypatch.setenv("CEMRNN_STORE", "elsewhere")
    assert Store.default().root == project.root / "elsewhere"
    monkeypatch.setenv("CEMRNN_DATA", "images")
    assert mnist_path().parent == project.root / "images"
    monkeypatch.setenv("CEMRNN_STORE", "~/networks")
    assert Store.default().root == Path.home() / "networks"
