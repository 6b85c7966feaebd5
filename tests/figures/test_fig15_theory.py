"""Figure 15 on networks that are linear, against finite differences, and with verdicts that are known."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cemrnn.figures.fig15_theory import experiment as fig15_theory
from cemrnn.figures.fig15_theory.plot import plot
from cemrnn.figures.shared.ambiguity import draw_conflicts
from cemrnn.figures.shared.conflict_groups import conditions
from cemrnn.network.model import CEMRNN
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.drawn import panels_of
from tests.verdicts import judge_result

ROOT = Path(__file__).parents[2]
CONFIG = dataclasses.replace(make_config(Project(ROOT), "fig15_theory", "smoke"), device="cpu", pair_trials=4)
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of networks


@pytest.mark.parametrize("arm", ["excitability", "synaptic", "combined", "gating"])
def test_slopes_are_finite_differences(arm):
    config = dataclasses.replace(CONFIG, activation="softplus")  # smooth
    model = CEMRNN(config.network(arm), config.seeds, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    model.flat += 0.1 * torch.randn(model.flat.shape, generator=generator, dtype=model.flat.dtype)
    conflicts = draw_conflicts(config, torch.device("cpu"))
    double = dataclasses.replace(conflicts.trials, inputs=conflicts.trials.inputs.double())
    conflicts = dataclasses.replace(conflicts, trials=double, own=conflicts.own.double())
    outputs, slopes = fig15_theory.differentiate(model, conflicts)
    step = 1e-6
    for k in range(conflicts.own.shape[-1]):
        moved = conflicts.own.clone()
        moved[..., k] += step
        ahead = fig15_theory._read_last(model, conflicts, moved).detach().numpy()
        np.testing.assert_allclose((ahead - outputs) / step, slopes[..., k], rtol=1e-3, atol=1e-5)


def make_points(shift, error, common):
    """Points of eight networks, three arms and six pairs: predictions are off by noise and by a shift."""
    generator, rows = np.random.default_rng(3), []
    for group in ("parameters", "units", "trained"):
        for arm, share in common.items():
            for m in range(8):
                for p in range(6):
                    measured = 0.5 + 0.04 * p - 0.1 * (arm == "excitability") + 0.02 * JITTER[m]
                    predicted = measured + shift + error * generator.standard_normal()
                    row = dict(group=group, arm=arm, network=m, pair=f"a / {p}", measured=measured)
                    rows.append(row | dict(predicted=predicted, common=share + 0.02 * JITTER[m]))
    return pd.DataFrame(rows)


def run(monkeypatch, shift=0.0, error=0.01, common=None):
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    common = common or {"excitability": 0.6, "synaptic": 0.2, "combined": 0.5}
    points = make_points(shift, error, common)
    monkeypatch.setattr(fig15_theory, "load_arm", lambda config, trainings: trainings)
    monkeypatch.setattr(
        fig15_theory,
        "_measure",
        lambda key, *_: points[(points["group"] == key.group) & (points["arm"] == key.arm)],
    )
    return fig15_theory.run(CONFIG)


CLAIMS = ("theory-predicts-noise", "theory-excitability-adds-alike", "theory-predicts-pathways")


@pytest.mark.parametrize(
    ("made", "verdicts"),
    [
        (dict(), ("supported", "supported", "supported")),
        (dict(shift=0.3), ("opposite", "supported", "supported")),  # worse than the mean of all
        (
            dict(common={"excitability": 0.3, "synaptic": 0.3, "combined": 0.3}),
            ("supported", "equivalent", "supported"),
        ),
        (dict(common={"excitability": 0.1, "synaptic": 0.5, "combined": 0.3}), ("supported", "opposite", "supported")),
    ],
)
def test_known_points_get_their_verdict(monkeypatch, tmp_path, made, verdicts):
    rows = judge_result(run(monkeypatch, **made), tmp_path)
    assert rows.loc[list(CLAIMS), "verdict"].to_list() == list(verdicts)


def test_planted_errors_come_back_as_the_explained_share(monkeypatch):
    result = run(monkeypatch, error=0.03)
    points = result.tables["points"]
    spread = points["measured"].var(ddof=0)
    assert result.scalars["explained_all"] == pytest.approx(1 - 0.03**2 / spread, abs=0.05)
    assert result.scalars["signs"] == 1
    assert run(monkeypatch, error=0.0).scalars["explained_all"] == 1


def test_the_solvable_cases_are_as_they_are_simulated():
    table = fig15_theory._solve(CONFIG)
    assert set(table["case"]) == {"synapses", "excitability, 0.5", "excitability, 1", "excitability, 2"}
    assert (table["exact"] - table["drawn"]).abs().max() < 4 * 0.5 / np.sqrt(4000)


def test_the_figure_shows_the_tables(monkeypatch):
    assert set(panels_of(plot(run(monkeypatch)))) == set("abcd")


@pytest.mark.parametrize("profile", ["smoke", "quick"])
def test_the_networks_are_those_of_figure_2(profile):
    own, others = (make_config(Project(ROOT), stem, profile) for stem in ("fig15_theory", "fig2_ambiguity"))
    assert {n.digest() for n in conditions(own)} == {n.digest() for n in conditions(others)}
