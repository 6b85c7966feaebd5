"""Every figure draws the arms that are there and says which networks failed: of one arm, or of all."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures import list_figures, load_experiment, load_plot
from cemrnn.figures.result import FAILED
from cemrnn.figures.style import list_parts, render
from cemrnn.reproduce import record as recorder
from cemrnn.reproduce.finding import write_finding
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.store.store import Store
from cemrnn.training.learner import TrainedNetwork

PROJECT = Project(Path(__file__).parents[2])
EVERY = "every"


def shrink(stem):
    """The config of a figure at smoke with hardly any training, in which any network that did not fail passes."""
    config = make_config(PROJECT, stem, "smoke")
    fields = {field.name for field in dataclasses.fields(config)}
    changes = {name: 8 for name in fields if name.endswith("n_updates")} | {"device": "cpu"}
    return dataclasses.replace(config, **changes | ({"passing_score": 0.0} if "passing_score" in fields else {}))


def fail(config):
    """A network whose first update was not finite, with weights that are of no use."""
    flat = config.make_ensemble(config.network, [config.seed], "cpu").flat[0].detach() * 1e30 + 1e30
    history = pd.DataFrame(columns=["update", "loss", *config.score_names], dtype=float)
    return TrainedNetwork(flat, "failed", 1, history)


CASES = [(stem, failing) for failing in (EVERY, "combined") for stem in list_figures()]
CASES.append(("fig10_interpretability", "plain"))  # whose networks are shown though they do not pass


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Which arm fails -> a folder of networks."""
    return {failing: tmp_path_factory.mktemp("store") for failing in (EVERY, "combined", "plain")}


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request, stores):
    """A result, and which arm failed."""
    stem, failing = request.param
    experiment, config = load_experiment(stem), shrink(stem)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("CEMRNN_STORE", str(stores[failing]))
        patch.delenv("CEMRNN_RESULTS", raising=False)
        for recipe in experiment.conditions(config):
            if failing in (EVERY, recipe.network.arm) and Store.default().load(recipe) is None:
                Store.default().save(recipe, fail(recipe))
        warnings.simplefilter("ignore", RuntimeWarning)  # of what is not finite
        return experiment.run(config), failing


def test_what_is_there_is_drawn_and_what_failed_is_named(case, monkeypatch):
    result, failing = case
    arms = {recipe.network.arm for recipe in load_experiment(result.stem).conditions(result.config)}
    failed = arms if failing == EVERY else arms & {failing}
    assert {part.split(" (")[0] for part in result.scalars[FAILED].split(", ")} == (failed or {"none"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        figures = list_parts(load_plot(result.stem).plot(result))
        assert all(figure.get_axes() and render(figure, "svg", result.stem) for figure in figures.values())
    monkeypatch.setattr(recorder, "display", lambda shown: None)
    recorder.show(figures, result)
    for figure in figures.values():
        texts = " ".join(" ".join(text.get_text() for text in figure.texts).split())
        assert ("failed, with a loss that is not finite" in texts) == bool(failed)
        assert all(f"{arm} (" in texts for arm in failed)
    finding = write_finding(result)
    assert finding.startswith("**Failed") == bool(failed) and "nan" not in finding


def test_nothing_told_of_a_failed_arm_is_infinite(case):
    numbers = [value for value in case[0].scalars.values() if isinstance(value, float)]
    assert not np.isinf(numbers).any()
