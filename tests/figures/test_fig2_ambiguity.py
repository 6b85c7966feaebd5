"""Figure 2 on made-up answers whose measures and verdicts are known, and on real conflict trials."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.fig2_ambiguity import experiment as fig2_ambiguity
from cemrnn.figures.fig2_ambiguity.plot import plot
from cemrnn.figures.shared.ambiguity import (
    ArmCurves,
    Ideal,
    list_pairs,
    list_unordered,
)
from cemrnn.figures.shared.conflict_groups import conditions
from cemrnn.figures.shared.conflict_tests import TESTS
from cemrnn.network.config import count_parameters
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.tasks import conflict_pairs
from tests.drawn import panels_of
from tests.verdicts import judge_result

ROOT = Path(__file__).parents[2]
TASKS = ("delay_pro", "delay_anti", "rotate_1_of_4", "reaction_pro", "reaction_anti", "memory_pro", "memory_anti")
CONFIG = dataclasses.replace(
    make_config(Project(ROOT), "fig2_ambiguity", "smoke"),
    device="cpu",
    tasks=TASKS,
    n_replicates=8,
    trained_replicates=8,
    kind_replicates=8,
    other_tasks=(),
    stream_tasks=(),
    arms=("plain", "excitability", "synaptic", "combined"),
    sigmas=(0.0, 0.4, 0.8),
)
PAIRS = np.array(conflict_pairs(CONFIG.task_set))
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of networks
CHANCE = np.full(len(TASKS), 0.2)
IDEAL = 0.8  # share of right answers of the observer, at every level
SHARES = dict(own=0.5, other=0.25, silent=0.15, astray=0.1)  # of answers in every test


def make_curves(key, slope, *, spread, of_pairs, among=PAIRS):
    """Answers that fall from .9 to chance along a line, with a slope that networks and pairs move."""
    levels = {name: np.array(getattr(CONFIG, f"{name}s")) for name in ("lambda", "sigma", "kappa")}
    generator = np.random.default_rng(len(key.arm))
    pairs = of_pairs * generator.standard_normal(len(among))
    slopes = slope + spread * JITTER[:, None] + pairs[None]  # (M, P)
    normal = {
        "mixture": 1 - slopes[..., None] * levels["lambda"],
        "noise": 1 - slopes[..., None] * levels["sigma"],
        "strength": np.broadcast_to(levels["kappa"], (*slopes.shape, len(levels["kappa"]))),
    }
    own = {name: 0.2 + 0.7 * values for name, values in normal.items()}
    if key.arm == "plain":
        own = {name: np.full_like(values, 0.3) for name, values in own.items()}
    other = {name: np.full_like(values, 0.05 if key.arm != "plain" else 0.3) for name, values in own.items()}
    silent = {name: np.full_like(values, 0.02) for name, values in own.items()}
    names = dict(zip(own, levels.values(), strict=True))
    passed = np.full(8, key.arm != "plain")
    return ArmCurves(key.arm, passed, names, own, other, silent, CHANCE[among[:, 0]], among)


def run(monkeypatch, slopes, *, spread=0.02, of_pairs=0.02, leak=0.0, made=CONFIG):
    """The experiment on made-up answers; slopes: group -> slope of excitability, synaptic and combined networks."""
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    arms = ("excitability", "synaptic", "combined")

    def measure(population, config, chance):
        key = population
        assert len(chance) == len(config.tasks)
        group = "parameters" if key.arm in ("plain", "combined") and key.group == "units" else key.group
        of_group = slopes.get(group, slopes["trained"])
        slope = dict(zip(arms, of_group, strict=True)).get(key.arm, 0.5)
        among = {} if config.tasks == TASKS else {"among": np.array(conflict_pairs(config.task_set))}
        curves = make_curves(key, slope, spread=spread, of_pairs=of_pairs, **among)
        if key.arm == "plain":
            curves.own["mixture"][:] += leak * (1 + 0.1 * JITTER[:, None, None])
        return curves

    keys = iter([key for key, _ in made.populations()])
    monkeypatch.setattr(fig2_ambiguity, "load_arm", lambda config, trainings: next(keys))
    monkeypatch.setattr(fig2_ambiguity, "measure_ambiguity", measure)
    monkeypatch.setattr(fig2_ambiguity, "estimate_chance", lambda config, n: np.full(len(config.tasks), CHANCE[0]))
    ideal = Ideal(np.full((8, len(PAIRS), 3), IDEAL), np.array([1.0, 0.9, 0.6]))
    monkeypatch.setattr(fig2_ambiguity, "measure_ideal", lambda config, chance: ideal)
    monkeypatch.setattr(
        fig2_ambiguity,
        "measure_tests",
        lambda key, *_: pd.DataFrame(
            dict(group=key.group, arm=key.arm, test=test, network=m)
            | dict(accuracy=0.5 + 0.01 * len(key.group) + 0.01 * JITTER[m])
            | SHARES
            for test in TESTS
            for m in range(8)
        ),
    )
    return fig2_ambiguity.run(made)


ALIKE = (0.5, 0.5, 0.5)
GROUPS = ("parameters", "units", "trained", "trained_units")


def everywhere(slopes):
    return dict.fromkeys(GROUPS, slopes)


def test_planted_slopes_come_back_as_areas_and_thresholds(monkeypatch):
    slopes = {"parameters": (0.9, 0.5, 0.7), "units": (1.0, 0.6, 0.7), "trained": (0.3, 0.3, 0.2)}
    slopes["trained_units"] = (0.6, 0.4, 0.2)
    scalars = run(monkeypatch, slopes, of_pairs=0.0).scalars
    # along a line the mean over noise up to .8 is that at .4
    assert scalars["noise_parameters_excitability_minus_synaptic"] == pytest.approx(-0.4 * 0.4)
    assert scalars["noise_units_excitability_minus_synaptic"] == pytest.approx(-0.4 * 0.4)
    assert scalars["noise_units_combined_minus_best_single"] == pytest.approx(-0.1 * 0.4)
    assert scalars["noise_units_combined_minus_synaptic"] == pytest.approx(-0.1 * 0.4)
    assert scalars["learned_units"] == scalars["learned_parameters"] == 8  # of the compared arms: no plain one passed
    assert scalars["noise_trained_combined_minus_best_single"] == pytest.approx(0.1 * 0.4)
    assert scalars["noise_trained_units_excitability_minus_synaptic"] == pytest.approx(-0.2 * 0.4)
    assert scalars["noise_trained_units_combined_minus_best_single"] == pytest.approx(0.2 * 0.4)  # the same combined
    assert scalars["mixture_units_excitability_minus_synaptic"] == pytest.approx(-0.4 * 0.25)
    assert scalars["sigma75_synaptic"] == pytest.approx(np.mean(0.25 / (0.5 + 0.02 * JITTER)), rel=1e-3)
    assert scalars["n_pairs"] == len(PAIRS) // 2 == 5
    assert scalars["ideal_sigma75"] == pytest.approx(0.6)
    assert scalars["largest_lead_over_ideal"] == pytest.approx(1 - 0.2 * 0.8 - 0.6)
    assert scalars["plain_favours_cued"] == pytest.approx(0)
    # where the noise is least
    right, n_trials = (
        0.2 + 0.7 * (1 - (0.2 - 0.02 * 1.3) * 0.4),
        len(PAIRS) * CONFIG.pair_trials,
    )
    lead = (right - IDEAL) / np.sqrt((right * (1 - right) + IDEAL * (1 - IDEAL)) / n_trials)
    assert scalars["largest_lead_in_errors"] == pytest.approx(lead)


CLAIMS = {
    "as in the pilot": (
        dict(slopes={"parameters": (0.9, 0.4, 0.7), "units": (0.9, 0.4, 0.7), "trained": ALIKE}),
        {
            "ambiguity-noise-pathways": "supported",
            "ambiguity-noise-pathways-parameters": "supported",
            "ambiguity-noise-trained-gap": "supported",
            "ambiguity-noise-combined": "supported",
            "ambiguity-noise-synergy": "opposite",
            "ambiguity-noise-trained-synergy": "equivalent",
            "ambiguity-mixture-pathways": "supported",
            "ambiguity-control-plain": "supported",
        },
    ),
    "the other way round": (
        dict(slopes={"parameters": (0.4, 0.9, 0.2), "units": (0.4, 0.9, 0.2), "trained": (0.2, 0.6, 0.05)}, leak=0.2),
        {
            "ambiguity-noise-pathways": "opposite",
            "ambiguity-noise-trained-gap": "opposite",
            "ambiguity-noise-combined": "opposite",
            "ambiguity-noise-synergy": "supported",
            "ambiguity-noise-trained-synergy": "supported",
            "ambiguity-control-plain": "opposite",
        },
    ),
    "pairs that differ as much as arms": (
        dict(slopes=everywhere((0.7, 0.5, 0.6)), of_pairs=0.4),
        {"ambiguity-noise-pathways": "undecided"},
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_known_answers_get_their_verdict(monkeypatch, tmp_path, name):
    made, verdicts = CLAIMS[name]
    rows = judge_result(run(monkeypatch, **made), tmp_path)
    assert rows.loc[list(verdicts), "verdict"].to_dict() == verdicts


def test_the_figure_shows_the_tables(monkeypatch):
    result = run(monkeypatch, everywhere((0.9, 0.5, 0.7)))
    panels = panels_of(plot(result))
    parts = {part: panels_of(plot(result), part) for part in "bcd"}
    assert set(panels) == set("abcde")
    letters = {part: "".join(sorted(found)) for part, found in parts.items()}
    assert letters == {"b": "abcdef", "c": "abcde", "d": "ab"}
    usual = dataclasses.replace(result, config=dataclasses.replace(CONFIG, train_at_units=False))
    assert set(panels_of(plot(usual), "c")) == set("abc")
    tests = result.tables["tests"].set_index(["group", "arm", "test"])["accuracy"]
    shown = panels_of(plot(result), "c")["e"]
    assert shown.get_title(loc="right") == "synaptic,\nequal units"
    trained_with = [label.get_text() for label in shown.get_xticklabels()]
    groups = {"clean cues": "units", "step noise": "trained_units", "brief": "brief, equal units"}
    (image,) = shown.get_images()
    for column, group in groups.items():
        values = [tests.get((group, "synaptic", test), np.nan) for test in TESTS]
        np.testing.assert_allclose(image.get_array()[:, trained_with.index(column)].astype(float), values)
    rows = result.tables["curves"]
    rows = rows[(rows["group"] == "units") & (rows["manipulation"] == "noise") & (rows["arm"] == "synaptic")]
    drawn = {line.get_label(): line.get_ydata() for line in panels["b"].get_lines()}
    np.testing.assert_array_equal(drawn["synaptic"], rows["normalised"])
    assert "combined" in drawn  # of the parameters' reading, which is the same
    for panel in parts["d"].values():
        dots = sum(len(points.get_offsets()) for points in panel.collections if hasattr(points, "get_sizes"))
        assert dots == 3 * 8 * 5  # arms, networks that learned, pairs
        rows = {
            round(y, 2) for points in panel.collections if hasattr(points, "get_sizes") for _, y in points.get_offsets()
        }
        assert len(rows) == 3 * 5  # each arm in a row of its own
        assert len(panel.get_lines()) >= len(("excitability", "synaptic", "combined"))  # combined at both readings
    names = [label.get_text() for label in parts["d"]["a"].get_yticklabels()]
    assert names[0] == "delay pro / anti" and len(names) == 5
    bars = [(bar.get_x(), bar.get_width()) for bar in parts["b"]["d"].patches if bar.get_y() < 0]  # of the first test
    np.testing.assert_allclose(bars, [(0, 0.5), (0.5, 0.25), (0.75, 0.15), (0.9, 0.1)])


def test_the_title_tells_both_readings_and_the_budgets_are_those_of_the_arms(monkeypatch):
    scalars = run(monkeypatch, {"parameters": ALIKE, "units": (0.9, 0.3, 0.7), "trained": ALIKE}).scalars
    first, second, *_ = scalars["title"].split("; ")
    assert first == "Synapses bear a noisier context than excitability at equal units"
    assert second.startswith("at equal parameters neither pathway")
    counts = [count_parameters(CONFIG.network(arm)) for arm in CONFIG.arms]
    assert scalars["largest_budget_difference"] == pytest.approx(max(counts) / min(counts) - 1)


OTHERS = ("map_1_of_8", "map_2_of_8", "map_3_of_8", "decide_ctx1_simultaneous", "decide_ctx2_simultaneous")


def test_networks_on_other_tasks_are_compared_by_themselves(monkeypatch, tmp_path):
    config = dataclasses.replace(CONFIG, other_tasks=OTHERS)
    slopes = everywhere(ALIKE) | {"other_parameters": (0.6, 0.4, 0.5), "other_units": (0.8, 0.4, 0.5)}
    result = run(monkeypatch, slopes, of_pairs=0.0, made=config)
    scalars = result.scalars
    assert scalars["noise_other_units_excitability_minus_synaptic"] == pytest.approx(-0.4 * 0.4)
    assert scalars["noise_other_parameters_excitability_minus_synaptic"] == pytest.approx(-0.2 * 0.4)
    assert scalars["noise_other_units_combined_minus_synaptic"] == pytest.approx(-0.1 * 0.4)  # the same combined
    assert scalars["noise_units_excitability_minus_synaptic"] == pytest.approx(0)
    assert scalars["n_other_pairs"] == 4 and scalars["n_pairs"] == 5 and scalars["other_tasks_learned"] == 8
    assert scalars["n_networks"] == len(conditions(CONFIG)) < len(conditions(config))
    pairs = result.tables["pairs"].groupby("group")["pair"].agg(set)
    assert "map_1_of_8 / map_2_of_8" in pairs["other_units"] and not pairs["other_units"] & pairs["units"]
    rows = judge_result(result, tmp_path)
    assert rows.loc["ambiguity-noise-other-tasks", "verdict"] == "supported"
    panel = panels_of(plot(result), "d")["a"]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names[:5] == ["delay pro / anti", *names[1:5]] and "map 1 / 2 of 8" in names[5:] and len(names) == 5 + 4
    assert [line.get_ydata()[0] for line in panel.lines if set(line.get_ydata()) == {4.5}] == [4.5]
    without = run(monkeypatch, everywhere(ALIKE), of_pairs=0.0).scalars
    assert without["largest_lead_over_ideal"] == scalars["largest_lead_over_ideal"]  # of the battery alone
    assert np.isnan(without["noise_other_units_excitability_minus_synaptic"]) and without["n_other_tasks"] == 0


STREAMS = ("integrate_1", "integrate_2", "integrate_late_1", "integrate_late_2")


def test_networks_on_two_streams_are_compared_by_themselves_over_networks_alone(monkeypatch, tmp_path):
    config = dataclasses.replace(CONFIG, stream_tasks=STREAMS)
    slopes = everywhere(ALIKE) | {"streams_parameters": (0.6, 0.4, 0.5), "streams_units": (0.8, 0.4, 0.5)}
    pairs_apart, alike = (run(monkeypatch, slopes, of_pairs=apart, made=config) for apart in (0.3, 0.0))
    scalars, name = alike.scalars, "noise_streams_units_excitability_minus_synaptic"
    assert scalars[name] == pytest.approx(-0.4 * 0.4)
    assert scalars["noise_streams_parameters_excitability_minus_synaptic"] == pytest.approx(-0.2 * 0.4)
    assert scalars["noise_streams_units_combined_minus_synaptic"] == pytest.approx(-0.1 * 0.4)  # the same combined
    told = "; where one of two streams is integrated synapses bear more noise, at equal units; to be"
    assert told in scalars["title"] and "streams" not in run(monkeypatch, everywhere(ALIKE)).scalars["title"]
    width = scalars[f"{name}_high"] - scalars[f"{name}_low"]  # however much pairs differ
    assert pairs_apart.scalars[f"{name}_high"] - pairs_apart.scalars[f"{name}_low"] == pytest.approx(width)
    assert (scalars["n_streams_pairs"], scalars["n_other_pairs"], scalars["streams_tasks_learned"]) == (2, 0, 8)
    assert scalars["n_networks"] == len(conditions(CONFIG)) < len(conditions(config))
    rows = judge_result(alike, tmp_path)
    assert rows.loc["ambiguity-noise-streams", "verdict"] == "supported"
    assert rows.loc["ambiguity-noise-streams-combined", "verdict"] == "supported"
    names = [label.get_text() for label in panels_of(plot(alike), "d")["a"].get_yticklabels()]
    assert names[5:] == ["integrate 1 / 2", "integrate late 1 / 2"]


def test_a_family_with_many_pairs_counts_once(monkeypatch):
    """Only the pairs of the family of delays differ between arms: three of five pairs, one of three families."""
    families = fig2_ambiguity.group_by_family(CONFIG)
    assert families.tolist() == [0, 0, 0, 1, 2]
    in_delay = np.isin(PAIRS, [0, 1, 2]).all(axis=1)
    planted = make_curves

    def make(key, slope, **spreads):
        curves = planted(key, 0.5, **spreads)
        if key.arm == "excitability":
            curves.own["noise"][:, in_delay] -= 0.7 * 0.1 * np.array(CONFIG.sigmas)  # of the range above chance
        return curves

    monkeypatch.setattr(f"{__name__}.make_curves", make)
    scalars = run(monkeypatch, everywhere(ALIKE), of_pairs=0.0).scalars
    assert scalars["noise_units_excitability_minus_synaptic"] == pytest.approx(-0.1 * 0.4 * 3 / 5)
    assert scalars["families_units_excitability_minus_synaptic"] == pytest.approx(-0.1 * 0.4 / 3)
    assert scalars["families_units_excitability_minus_synaptic_conditions"] == scalars["n_families"] == 3
    assert scalars["largest_family"] == 3


def test_quick_has_enough_pairs_of_tasks():
    quick = make_config(Project(ROOT), "fig2_ambiguity", "quick")
    assert len(list_unordered(list_pairs(quick.task_set))) >= 10


def test_the_table_of_tests_is_in_per_cent_without_a_sign_on_zero(monkeypatch):
    result = run(monkeypatch, everywhere(ALIKE))
    tests, shown = result.tables["tests"], {"clean": 1.0, "mixture": -0.026, "weak": -0.004, "late": np.nan}
    changed = tests.assign(accuracy=tests["test"].map(shown).where(tests["test"].isin(shown), tests["accuracy"]))
    result.tables["tests"] = changed
    written = {text.get_text() for text in panels_of(plot(result), "c")["a"].texts}
    assert written >= {"100", "−3", "0", "60", "–"} and not written & {"−0", "-0"}
