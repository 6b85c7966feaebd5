"""Results that are looked up: the same to the last bit, and never another config's, another code's or a damaged one."""

import dataclasses
import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from cemrnn.config import Config
from cemrnn.figures import load_experiment
from cemrnn.figures import remember as remembered
from cemrnn.figures.remember import Scalars, Tables, experiment, experiment_here, result_key
from cemrnn.store.entry import unseal


@dataclasses.dataclass(frozen=True, kw_only=True)
class CountConfig(Config):
    n: int
    n_replicates: int = 3


@pytest.fixture
def count(tmp_path, monkeypatch):
    """An experiment that counts how often it runs."""
    monkeypatch.setenv("CEMRNN_RESULTS", str(tmp_path))
    runs = []

    @experiment
    def run(config: CountConfig) -> tuple[Tables, Scalars]:
        runs.append(config.n)
        return make_tables(config)

    run.runs = runs
    return run


def make_tables(config):
    table = pd.DataFrame({"x": np.arange(config.n) / 3, "k": np.arange(config.n), "ok": [True] * config.n})
    table.loc[0, "x"] = np.nan
    scalars = {"third": 1 / 3, "nothing": float("nan"), "count": np.int64(4), "word": "none"}
    return {"t": table}, scalars


def test_a_result_comes_back_to_the_last_bit(count):
    config = CountConfig(n=5)
    first, second = count(config), count(config)
    assert count.runs == [5]
    pd.testing.assert_frame_equal(first.tables["t"], second.tables["t"], check_exact=True)
    assert second.scalars["third"] == 1 / 3 and np.isnan(second.scalars["nothing"])
    assert (second.scalars["count"], second.scalars["word"]) == (4, "none")
    assert (second.config, second.n_replicates, second.stem) == (config, 3, __name__.split(".")[-2])
    assert second.seconds == first.seconds > 0


def test_numpy_has_one_thread_while_an_experiment_runs(monkeypatch):
    """Notebooks run side by side, and threads that wait for one another on busy cores wait long."""
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)

    def count_threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    @experiment
    def run(config: CountConfig) -> tuple[Tables, Scalars]:
        assert count_threads() == {1}
        return make_tables(config)

    with threadpool_limits(2, user_api="blas"):
        run(CountConfig(n=5))
        assert count_threads() == {2}


def test_another_config_or_other_code_is_computed(count, monkeypatch):
    count(CountConfig(n=5))
    count(CountConfig(n=6))
    monkeypatch.setattr(remembered, "_code_digest", lambda experiment: "changed")
    count(CountConfig(n=5))
    assert count.runs == [5, 6, 5]


def test_a_measurement_is_made_again_on_another_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMRNN_RESULTS", str(tmp_path))
    runs = []

    @experiment_here(measured="third")
    def run(config: CountConfig) -> tuple[Tables, Scalars]:
        runs.append(config.n)
        return make_tables(config)

    assert run(CountConfig(n=5)).measured == run(CountConfig(n=5)).measured == ("third",)
    assert runs == [5]
    monkeypatch.setattr(remembered.platform, "node", lambda: "elsewhere")
    run(CountConfig(n=5))
    monkeypatch.setattr(remembered, "describe_gpu", lambda: "another")
    run(CountConfig(n=5))
    assert runs == [5, 5, 5]


def test_without_a_folder_nothing_is_kept(count, monkeypatch, tmp_path):
    monkeypatch.delenv("CEMRNN_RESULTS")
    count(CountConfig(n=5))
    count(CountConfig(n=5))
    assert count.runs == [5, 5] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [lambda b: b[:-20], lambda b: b.replace(b"0.333", b"0.334"), lambda b: b"[]"])
def test_a_damaged_result_is_computed_again(count, tmp_path, damage, caplog):
    count(CountConfig(n=5))
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="checksum differs|Unterminated"):
        unseal(path.read_bytes())
    count(CountConfig(n=5))
    assert count.runs == [5, 5] and "is not used" in caplog.text
    assert unseal(path.read_bytes())["scalars"]["third"] == 1 / 3


def test_the_plot_and_other_figures_do_not_count_but_what_computes_does(monkeypatch):
    read = []
    monkeypatch.setattr(remembered, "fingerprint", lambda places: read.extend(places) or "")
    experiment = load_experiment("fig4_dynamics")
    remembered._code_digest.__wrapped__(experiment.__name__)
    own = {path.name for path in read if isinstance(path, Path)}
    assert {"experiment.py", "search.py"} <= own and "plot.py" not in own
    assert {"network", "measures", "figures/shared"} <= set(read) and "commands" not in read
    assert result_key(experiment.__name__, CountConfig(n=1)) != result_key(__name__, CountConfig(n=1))


def test_what_a_figure_of_ones_own_imports_is_part_of_its_code(tmp_path, monkeypatch):
    (tmp_path / "own_experiment.py").write_text("from own_helpers import scale\n")
    (tmp_path / "own_helpers.py").write_text("def scale(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("own_experiment")
    digests = [remembered._code_digest.__wrapped__("own_experiment")]
    for text in ("def scale(x):\n    return 3 * x  # more\n", "def scale(x):\n    return 3 * x\n"):
        (tmp_path / "own_helpers.py").write_text(text)
        digests.append(remembered._code_digest.__wrapped__("own_experiment"))
    assert digests[0] != digests[1] == digests[2]
