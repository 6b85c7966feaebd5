"""Buttons to a repository: none without an address, and the folder of each kind of page with one."""

import pytest

from cemrnn.reproduce.repository import add_buttons, find_repository, link_source

VALUES = {"html": {"use_issues_button": False, "other": 1}}


def test_no_button_without_an_address(monkeypatch):
    monkeypatch.setenv("REPOSITORY", " ")
    assert add_buttons(VALUES) is VALUES and link_source("a.py") == ""


@pytest.mark.parametrize(
    "address", ["https://github.com/some/name", "https://github.com/some/name.git", "https://github.com/some/name/"]
)
def test_an_address_gives_buttons_and_links(monkeypatch, address):
    monkeypatch.setenv("REPOSITORY", address)
    monkeypatch.setenv("JUPYTERHUB", "https://hub.example.org")
    made = add_buttons(VALUES)
    assert made["html"] == {f"use_{k}_button": True for k in ("repository", "issues", "edit_page")} | {"other": 1}
    assert made["repository"] == {"url": "https://github.com/some/name", "path_to_book": "book", "branch": "main"}
    assert {"binderhub_url", "colab_url", "jupyterhub_url"} < set(made["launch_buttons"])
    assert link_source("cemrnn/a.py") == "https://github.com/some/name/blob/main/cemrnn/a.py"


def test_colab_knows_one_forge_alone(monkeypatch):
    monkeypatch.setenv("REPOSITORY", "https://gitlab.com/some/group/name")
    assert "colab_url" not in add_buttons(VALUES)["launch_buttons"]


@pytest.mark.parametrize("address", ["github.com/some/name", "https://github.com/some", "git@github.com:some/name"])
def test_what_is_no_address_is_refused(monkeypatch, address):
    monkeypatch.setenv("REPOSITORY", address)
    with pytest.raises(ValueError, match="REPOSITORY: expected an address such as"):
        find_repository()
