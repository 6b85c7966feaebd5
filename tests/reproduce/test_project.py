"""The clone: its notebooks in order, found from any of its folders."""

import pytest

from cemrnn.reproduce.project import Project
from cemrnn.store.store import Store
from tests.fixtures.copies import copy_tiny_project


@pytest.fixture
def project(tmp_path):
    return Project(copy_tiny_project(tmp_path / "tiny"))


def test_unknown_names_are_refused(project):
    with pytest.raises(ValueError, match="unknown notebook 'fig1_tin'; did you mean 'fig1_tiny'"):
        project.notebook("fig1_tin")


def test_notebooks_are_in_natural_order(project):
    for stem in ("fig10_b", "fig2_c", "appendix"):
        (project.root / "notebooks" / f"{stem}.ipynb").touch()
    assert project.stems() == ["appendix", "fig1_tiny", "fig2_c", "fig10_b"]


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
    assert str(Store.default().root) == "elsewhere"
