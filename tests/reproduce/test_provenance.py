"""Provenance: commit, changes, table."""

import json
import subprocess

from cemrnn.reproduce.provenance import describe_line, read_commit, read_table, summarise

ORIGIN = {
    "stem": "fig1_tiny",
    "profile": "quick",
    "seeds": {"seed": 7},
    "n_replicates": 3,
    "commit": "0123456789abcdef",
    "has_uncommitted_changes": False,
    "config_digest": "fedcba9876543210",
    "versions": {"python": "3.11.7", "torch": "2.13.0"},
    "wall_seconds": 61.6,
}


def git(folder, *arguments):
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


UNKNOWN = {"commit": "unknown", "has_uncommitted_changes": False}


def test_commit_and_changes_of_the_repository_that_tracks_the_file(tmp_path):
    file = tmp_path / "file"
    file.write_text("one")
    assert read_commit(file) == UNKNOWN
    git(tmp_path, "init")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    clean = read_commit(file)
    assert len(clean["commit"]) == 40
    assert not clean["has_uncommitted_changes"]
    file.write_text("two")
    assert read_commit(file) == clean | {"has_uncommitted_changes": True}


def test_another_repository_around_the_file_or_named_in_the_environment_does_not_count(tmp_path, monkeypatch):
    other, inside = tmp_path / "other", tmp_path / "other" / "unpacked"
    inside.mkdir(parents=True)
    for folder in (other, inside):
        (folder / "file").write_text("one")
    git(other, "init")
    git(other, "add", "file")
    git(other, "commit", "-m", "first")
    assert read_commit(inside / "file") == UNKNOWN
    expected = read_commit(other / "file")
    (other / ".gitignore").write_text("elsewhere")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    git(elsewhere, "init")
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    assert read_commit(other / "file") == expected
    assert read_commit(inside / "file") == UNKNOWN


def test_the_footer_does_not_change_with_the_code():
    other = ORIGIN | {"commit": "f" * 16, "wall_seconds": 3.0, "versions": {"python": "3.12"}}
    assert summarise(ORIGIN) == summarise(other)
    assert summarise(ORIGIN) == "profile quick · seed 7 · 3 networks per condition · config fedcba98"
    assert describe_line(ORIGIN) != describe_line(other)


def test_the_line_names_code_versions_and_time():
    assert describe_line(ORIGIN).endswith("· commit 0123456789 · python 3.11.7, torch 2.13.0 · 62 s")
    changed = ORIGIN | {"has_uncommitted_changes": True}
    assert "0123456789 with uncommitted changes" in describe_line(changed)


def test_the_table_has_a_row_per_figure(tmp_path):
    for stem in ("fig1_tiny", "fig2_other"):
        (tmp_path / f"{stem}.json").write_text(json.dumps(ORIGIN | {"stem": stem}))
    table = read_table(tmp_path)
    assert list(table["figure"]) == ["fig1_tiny", "fig2_other"]
    assert table.loc[0, "seconds"] == 61.6
    assert table.loc[0, "commit"] == "0123456789"
