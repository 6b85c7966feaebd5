"""The page on speed: goals beside what was measured, and words where nothing was."""

import json
from pathlib import Path

from cemrnn.bench import page as pages
from cemrnn.bench import scaling
from cemrnn.bench.rows import make_row
from cemrnn.commands.bench import TOPIC_NAMES
from tests.bench.test_scaling import POINTS


def write_results(folder):
    folder.mkdir()
    measured = {
        name: [make_row("a case", "a peer", 1e-3, 3e-3, goal) for goal in (2.0, 4.0, None)] for name in TOPIC_NAMES
    }
    quantiles = {"quantiles": [0.1, 0.9], "predicted_over_measured": {"update": [0.9, 1.2]}}
    about = {
        "date": "2026-01-02",
        "machine": "one",
        "packages": {"torch": "2"},
        "repeats": 5,
        "left_out": ["x: left out"],
    }
    facts = dict(save_s=0.005, check_s=0.0024, list_s=0.0002, entry_bytes=3300.0, submit_s=0.002)
    many = dict(n_networks=100_000, n_workers=1000, n_jobs=12500, hours=0.2, core_hours=190.0, efficiency=0.96)
    sweeps = {"rows": measured["sweeps"], "facts": facts | {"many": many | dict(jobs_per_s=17.5, networks_per_s=140.0)}}
    for name, document in (measured | {"scaling": POINTS, "cost": quantiles, "sweeps": sweeps}).items():
        (folder / f"{name}.json").write_text(json.dumps(document))
        (folder / f"{name}.about.json").write_text(json.dumps(about))


def test_the_page_shows_goals_beside_what_was_measured(tmp_path):
    write_results(tmp_path / "bench")
    pages.write_bench(tmp_path / "bench", tmp_path)
    rows = (tmp_path / "bench_engine.md").read_text().splitlines()
    assert rows[2] == "| a case | a peer | 1 | 3 | 3.00 | 2 | reached |"
    assert rows[3].endswith("| 3.00 | 4 | missed |")
    assert rows[4].endswith("| 3.00 |  |  |")
    assert "Measured on 2026-01-02: one; torch 2;" in rows[6]
    assert rows[7] == "*x: left out.*"
    assert "| units N | 2.00 [2.00, 2.00] | 1.00 [1.00, 1.00] |" in (tmp_path / "bench_scaling.md").read_text()
    assert "| update | 0.90 | 1.20 |" in (tmp_path / "bench_cost.md").read_text()
    assert (tmp_path / "bench_scaling.svg").stat().st_size > 1000
    sweeps = (tmp_path / "bench_sweeps.md").read_text()
    assert "| writing it to the store | 5.0 ms |" in sweeps
    assert "| the same, as a share of what it can | 3.5% |" in sweeps  # 17.5 jobs/s of 2 ms each
    assert "| to see what is missing, on a local disk | 4.0 min |" in sweeps


def test_the_page_says_what_was_not_measured(tmp_path):
    pages.write_bench(tmp_path / "nowhere", tmp_path)
    for name in TOPIC_NAMES:
        assert (tmp_path / f"bench_{name}.md").read_text() == f"{pages.NOT_MEASURED}\n"
    assert "jax==" in (tmp_path / "bench_packages.md").read_text()
    assert not (tmp_path / "bench_scaling.svg").exists()


def test_the_pages_include_every_topic():
    texts = [(Path(__file__).parents[2] / "book" / f"{page}.md").read_text() for page in ("bench", "scaling")]
    lines = [line for text in texts for line in text.splitlines()]
    included = [line.split("generated/")[1] for line in lines if line.startswith("```{include}")]
    assert sorted(included) == sorted([*(f"bench_{name}.md" for name in TOPIC_NAMES), "bench_packages.md"])
    b = scaling.BASE
    sizes = dict(N=b.n_units, K=b.n_contexts, M=b.n_networks, T=b.n_steps, B=b.n_trials, R=b.rank)
    assert ", ".join(f"${letter} = {value}$" for letter, value in sizes.items()) in texts[0]
