"""The page on speed: goals beside what was measured, and words where nothing was."""

import json
from pathlib import Path

import pytest

from cemrnn.bench import page as pages
from cemrnn.bench.rows import make_memory_row, make_row
from cemrnn.commands.bench import TOPIC_NAMES


def write_results(folder):
    folder.mkdir()
    measured = {
        name: [make_row("a case", "a peer", 1e-3, 3e-3, goal) for goal in (2.0, 4.0, None)] for name in TOPIC_NAMES
    }
    about = {
        "date": "2026-01-02",
        "machine": "one",
        "packages": {"torch": "2"},
        "repeats": 5,
        "left_out": ["x: left out"],
    }
    for name, document in measured.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
        (folder / f"{name}.about.json").write_text(json.dumps(about))


def test_the_page_shows_goals_beside_what_was_measured(tmp_path):
    write_results(tmp_path / "bench")
    pages.write_bench(tmp_path / "bench", tmp_path, tmp_path / "kept")
    rows = (tmp_path / "bench_engine.md").read_text().splitlines()
    assert rows[2] == "| a case | a peer | 1 | 3 | 3.00 | 2 | reached |"
    assert rows[3].endswith("| 3.00 | 4 | missed |")
    assert rows[4].endswith("| 3.00 |  |  |")
    assert "Measured on 2026-01-02: one; torch 2;" in rows[6]
    assert rows[7] == "*x: left out.*"


def test_memory_has_its_unit():
    row = make_memory_row("a case", "a peer", 2**20, 3 * 2**20, 2.0)
    assert pages.describe_rows([row]).splitlines()[2] == "| a case | a peer | 1 MiB | 3 MiB | 3.00 | 2 | reached |"


def test_the_page_says_what_was_not_measured(tmp_path):
    pages.write_bench(tmp_path / "nowhere", tmp_path, tmp_path / "kept")
    for name in TOPIC_NAMES:
        assert (tmp_path / f"bench_{name}.md").read_text() == f"{pages.NOT_MEASURED}\n"
    assert "jax==" in (tmp_path / "bench_packages.md").read_text()


def test_kept_results_stand_where_nothing_was_measured_and_say_where_they_are_from(tmp_path):
    write_results(tmp_path / "bench")
    (tmp_path / "bench" / "trials.about.json").unlink()
    assert pages.keep_bench(tmp_path / "bench", tmp_path / "kept") == [n for n in TOPIC_NAMES if n != "trials"]
    pages.write_bench(tmp_path / "nowhere", tmp_path, tmp_path / "kept")
    told = (tmp_path / "bench_engine.md").read_text()
    assert told.startswith(f"{pages.KEPT}\n\n| case |") and "Measured on 2026-01-02: one;" in told
    assert (tmp_path / "bench_trials.md").read_text() == f"{pages.NOT_MEASURED}\n"
    pages.write_bench(tmp_path / "bench", tmp_path, tmp_path / "kept")
    assert pages.KEPT not in (tmp_path / "bench_engine.md").read_text()


def test_a_topic_without_a_row_hides_and_replaces_nothing_that_was_kept(tmp_path):
    here, kept = tmp_path / "bench", tmp_path / "kept"
    write_results(here)
    pages.keep_bench(here, kept)
    (here / "gpu.json").write_text("[]")
    about = json.loads((here / "gpu.about.json").read_text()) | {"machine": "two", "left_out": ["all: no card"]}
    (here / "gpu.about.json").write_text(json.dumps(about))
    assert "gpu" not in pages.keep_bench(here, kept)
    pages.write_bench(here, tmp_path, kept)
    told = (tmp_path / "bench_gpu.md").read_text()
    assert told.startswith(f"{pages.KEPT}\n\n| case |") and "Measured on 2026-01-02: one;" in told
    pages.write_bench(here, tmp_path, tmp_path / "nowhere")  # with nothing kept, the page says why there is none
    told = (tmp_path / "bench_gpu.md").read_text()
    assert "all: no card" in told and "| case |" not in told


def test_the_pages_include_every_topic():
    texts = [(Path(__file__).parents[2] / "book" / f"{page}.md").read_text() for page in ("bench", "scaling")]
    lines = [line for text in texts for line in text.splitlines()]
    included = [line.split("generated/")[1] for line in lines if line.startswith("```{include}")]
    assert sorted(included) == sorted([*(f"bench_{name}.md" for name in TOPIC_NAMES), "bench_packages.md"])


@pytest.mark.parametrize("text", ["{", "[3]", "3", '{"packages": 3}'])
@pytest.mark.parametrize("name", ["engine.json", "engine.about.json", "validation.json"])
def test_what_the_bench_did_not_write_is_named(tmp_path, name, text):
    write_results(tmp_path / "bench")
    (tmp_path / "bench" / name).write_text(text)
    with pytest.raises(
        ValueError, match=f"{name.partition('.')[0]}.json: expected what the bench writes, got something"
    ):
        pages.write_bench(tmp_path / "bench", tmp_path, tmp_path / "kept")
