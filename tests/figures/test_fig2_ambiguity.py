"""Figure 2 on made-up answers whose measures and verdicts are known, and on real conflict trials."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cemrnn.figures.fig2_ambiguity import experiment as fig2_ambiguity
from cemrnn.figures.fig2_ambiguity import trained
from cemrnn.figures.fig2_ambiguity.plot import plot
from cemrnn.figures.shared import ambiguity
from cemrnn.figures.shared.ambiguity import (
    ArmCurves,
    draw_conflicts,
    draw_cue_noise,
    list_pairs,
    list_unordered,
    measure_ideal,
)
from cemrnn.figures.shared.battery import answer_fresh, estimate_chance
from cemrnn.figures.shared.conflict_groups import PopulationKey, conditions
from cemrnn.figures.shared.conflict_tests import TESTS, disturb
from cemrnn.network.config import count_parameters
from cemrnn.network.model import CEMRNN
from cemrnn.reproduce.claims import judge, load_claims
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
    arms=("plain", "excitability", "synaptic", "combined"),
    sigmas=(0.0, 0.4, 0.8),
)
PAIRS = np.array(conflict_pairs(CONFIG.task_set))
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of networks
CHANCE = np.full(len(TASKS), 0.2)


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
    monkeypatch.setattr(fig2_ambiguity, "estimate_chance", lambda config, n: CHANCE)
    monkeypatch.setattr(fig2_ambiguity, "measure_ideal", lambda config, chance: np.array([1.0, 0.9, 0.6]))
    monkeypatch.setattr(
        fig2_ambiguity,
        "measure_tests",
        lambda key, *_: pd.DataFrame(
            dict(group=key.group, arm=key.arm, test=test, network=m, accuracy=0.5 + 0.01 * JITTER[m])
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
    assert scalars["noise_trained_combined_minus_best_single"] == pytest.approx(0.1 * 0.4)
    assert scalars["noise_trained_units_excitability_minus_synaptic"] == pytest.approx(-0.2 * 0.4)
    assert scalars["noise_trained_units_combined_minus_best_single"] == pytest.approx(0.2 * 0.4)  # the same combined
    assert scalars["mixture_units_excitability_minus_synaptic"] == pytest.approx(-0.4 * 0.25)
    assert scalars["sigma75_synaptic"] == pytest.approx(np.mean(0.25 / (0.5 + 0.02 * JITTER)), rel=1e-3)
    assert scalars["n_pairs"] == len(PAIRS) // 2 == 5
    assert scalars["ideal_sigma75"] == pytest.approx(0.6)
    assert scalars["largest_lead_over_ideal"] == pytest.approx(1 - 0.2 * 0.8 - 0.6)
    assert scalars["plain_favours_cued"] == pytest.approx(0)


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
    assert set(panels) == set("abcde") and all(set(panels_of(plot(result), part)) == set("abc") for part in "bc")
    rows = result.tables["curves"]
    rows = rows[(rows["group"] == "units") & (rows["manipulation"] == "noise") & (rows["arm"] == "synaptic")]
    drawn = {line.get_label(): line.get_ydata() for line in panels["b"].get_lines()}
    np.testing.assert_array_equal(drawn["synaptic"], rows["normalised"])
    assert "combined" in drawn  # of the parameters' reading, which is the same
    names = [label.get_text() for label in panels["d"].get_yticklabels()]
    assert names[0] == "delay pro / anti" and len(names) == 5


def test_the_title_tells_both_readings_and_the_budgets_are_those_of_the_arms(monkeypatch):
    scalars = run(monkeypatch, {"parameters": ALIKE, "units": (0.9, 0.3, 0.7), "trained": ALIKE}).scalars
    first, second, *_ = scalars["title"].split("; ")
    assert first == "Synapses bear a noisier context than excitability at equal units"
    assert second.startswith("at equal parameters neither pathway")
    counts = [count_parameters(CONFIG.network(arm)) for arm in CONFIG.arms]
    assert scalars["largest_budget_difference"] == pytest.approx(max(counts) / min(counts) - 1)


def test_every_population_is_what_its_group_says():
    quick = make_config(Project(ROOT), "fig2_ambiguity", "quick")
    budget = count_parameters(quick.network("combined"))
    found = dict(quick.populations())
    assert len(found) == len(quick.arms) + 2 + 3 + 3 * len(quick.trained_kinds)
    for key, trainings in found.items():
        network = trainings[0].network
        assert network.arm == key.arm
        if key.group == "units":
            assert (network.n_units, network.rank) == (quick.n_units, quick.rank if key.arm == "synaptic" else 0)
        else:
            assert abs(count_parameters(network) / budget - 1) < 0.02
        assert trainings[0].cue.noise_sigma == (quick.trained_sigma if key.group == "trained" else 0)
    assert PopulationKey("units", "combined") not in found
    listed = conditions(quick)
    assert len(set(listed)) == len(listed) == sum(map(len, found.values()))


def test_networks_of_equal_units_are_trained_with_the_same_noise_where_that_is_asked_for():
    config = dataclasses.replace(CONFIG, train_at_units=True)
    found = dict(config.populations())
    for arm in ("excitability", "synaptic"):
        noisy, clean = found["trained_units", arm], found["units", arm]
        assert [n.network for n in noisy] == [n.network for n in clean][: config.trained_replicates]
        assert {n.cue for n in noisy} == {found["trained", arm][0].cue}
    assert ("trained_units", "combined") not in found
    assert not any(
        key.group == "trained_units" for key, _ in dataclasses.replace(config, train_at_units=False).populations()
    )


def test_networks_are_trained_with_what_they_are_tested_with():
    smoke = make_config(Project(ROOT), "fig2_ambiguity", "smoke")
    found = {key.group: trainings[0].cue for key, trainings in smoke.populations()}
    kinds = trained.TESTS | trained.WEAKER
    groups = {"parameters", "units", trained.TRAINED_UNITS, *trained.OTHER_TASKS}
    assert set(found) == {*groups, *kinds} and set(kinds.values()) <= set(TESTS)
    assert found["parameters"].is_plain and not any(found[kind].is_plain for kind in kinds)
    assert found["weak frozen noise"].frozen_sigma == smoke.trained_weak_sigma < smoke.test_sigma
    assert found["weak step noise"].noise_sigma == smoke.trained_weak_sigma < smoke.trained_sigma
    assert len(dict(smoke.populations())["brief", "synaptic"]) == smoke.kind_replicates
    assert found["frozen noise"].frozen_sigma == smoke.test_sigma and found["mixture"].mixture == smoke.test_mixture
    assert found["brief"].brief_ms == smoke.test_ms and found["switch"].late_share == found["switch"].switch_share
    with pytest.raises(ValueError, match="trained_kinds"):
        dataclasses.replace(smoke, trained_kinds=("loud",))


def accuracies(of):
    """A row per network of three arms: accuracy by (group, arm, test)."""
    groups = ("parameters", *trained.TESTS, *trained.WEAKER)
    return pd.DataFrame(
        dict(group=group, arm=arm, test=test, network=m, accuracy=of(group, arm, test) + 0.01 * JITTER[m])
        for group in groups
        for arm in ("excitability", "synaptic", "combined")
        for test in TESTS
        for m in range(8)
    )


OWN_KIND = {
    "only what it was": (
        lambda group, arm, test: 0.9 if trained.TESTS.get(group) == test else 0.5,
        {"gap": "supported", "synergy": "equivalent", "gain": "supported"},
    ),
    "any helps": (
        lambda group, arm, test: 0.5 if group == "parameters" else 0.8,
        {"gap": "supported", "synergy": "equivalent", "gain": "equivalent"},
    ),
    "pathways differ under what they were trained for alone": (
        lambda group, arm, test: 0.9 if trained.TESTS.get(group) == test and arm == "synaptic" else 0.5,
        {"gap": "opposite", "synergy": "opposite", "gain": "supported"},
    ),
    "pathways differ, and both together are best": (
        lambda group, arm, test: {"excitability": 0.6, "synaptic": 0.7, "combined": 0.8}[arm],
        {"gap": "opposite", "synergy": "supported", "gain": "equivalent"},
    ),
}


@pytest.mark.parametrize("name", OWN_KIND)
def test_planted_training_gets_its_verdict(tmp_path, name):
    of, verdicts = OWN_KIND[name]
    scalars = trained.measure_training(accuracies(of))
    claims = {claim.id: claim for claim in load_claims(["fig2_ambiguity"])}
    for short, verdict in verdicts.items():
        claim = claims[f"ambiguity-own-kind-{short}"]
        ends = (scalars[f"{claim.measure}{end}"] for end in ("", "_low", "_high", "_n"))
        assert judge(claim, *ends) == verdict, short
    assert scalars["n_trained_kinds"] == 5


def test_weaker_noise_is_told_apart_and_in_no_mean_over_kinds():
    def of(group, arm, test):
        return {"excitability": 0.6, "synaptic": 0.7, "combined": 0.7}[arm] if group in trained.WEAKER else 0.5

    table = accuracies(of)
    few = (table["group"] == "weak frozen noise") & (table["arm"] == "synaptic") & (table["network"] > 2)
    scalars = trained.measure_training(table.assign(accuracy=table["accuracy"].mask(few)))
    assert scalars["gain_own_kind"] == pytest.approx(0, abs=1e-9) and scalars["n_trained_kinds"] == 5
    assert scalars["weak_step_noise_learned"] == 8 and scalars["weak_frozen_noise_learned"] == 3
    assert scalars["weak_step_noise_excitability_minus_synaptic"] == pytest.approx(-0.1)
    assert scalars["frozen_noise_excitability_minus_synaptic"] == pytest.approx(0, abs=1e-9)
    without = trained.measure_training(table[~table["group"].isin(trained.WEAKER)])
    assert np.isnan(without["weak_step_noise_learned"])


def test_a_kind_that_an_arm_does_not_learn_is_left_out():
    table = accuracies(lambda group, arm, test: 0.9 if group == "brief" else 0.5)
    failed = (table["group"] == "brief") & (table["arm"] == "synaptic") & (table["network"] > 0)
    scalars = trained.measure_training(table.assign(accuracy=table["accuracy"].mask(failed)))
    assert (scalars["n_trained_kinds"], scalars["n_learned_kinds"]) == (5, 4)
    assert scalars["own_kind_combined_minus_best_single"] == pytest.approx(0, abs=1e-9)
    assert scalars["gain_own_kind"] == pytest.approx(0, abs=1e-9)


def test_one_kind_of_training_cannot_be_compared_with_others():
    table = accuracies(lambda *_: 0.5)
    scalars = trained.measure_training(table[table["group"].isin(["parameters", "trained"])])
    assert np.isnan(scalars["gain_own_minus_other_kind"]) and scalars["gain_own_kind"] == pytest.approx(0)


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
    panel = panels_of(plot(result))["d"]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names[:5] == ["delay pro / anti", *names[1:5]] and "map 1 / 2 of 8" in names[5:] and len(names) == 5 + 4
    assert [line.get_ydata()[0] for line in panel.lines if set(line.get_ydata()) == {4.5}] == [4.5]
    without = run(monkeypatch, everywhere(ALIKE)).scalars
    assert np.isnan(without["noise_other_units_excitability_minus_synaptic"]) and without["n_other_tasks"] == 0


def test_networks_on_other_tasks_are_those_of_the_battery_but_for_the_tasks():
    config = dataclasses.replace(CONFIG, other_tasks=OTHERS)
    found = dict(config.populations())
    for group, match in trained.OTHER_TASKS.items():
        for other, own in zip(found[group, "synaptic"], found[match, "synaptic"], strict=True):
            assert other.tasks.names == OTHERS and other.cue.is_plain and other.network.n_contexts == len(OTHERS)
            changed = dict(tasks=own.tasks, network=own.network)
            assert dataclasses.replace(other, **changed) == own
    assert ("other_units", "combined") not in found
    for wrong, message in {("map_1_of_8",): "can conflict", (*OTHERS, "delay_pro"): "none of the battery"}.items():
        with pytest.raises(ValueError, match=f"other_tasks: expected .*{message}"):
            dataclasses.replace(CONFIG, other_tasks=wrong)


@pytest.mark.parametrize("profile", ["smoke", "quick", "night", "full"])
def test_no_profile_has_a_pair_of_tasks_twice(profile):
    config = make_config(Project(ROOT), "fig2_ambiguity", profile)
    assert not set(config.tasks) & set(config.other_tasks)
    assert len(set(config.tasks)) == len(config.tasks)


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


def test_arms_that_are_not_there_are_not_compared():
    config = dataclasses.replace(CONFIG, arms=("plain", "synaptic"))
    found = {(key.group, key.arm) for key, _ in config.populations()}
    assert found == {
        ("parameters", "plain"),
        ("parameters", "synaptic"),
        ("units", "synaptic"),
        (trained.TRAINED_UNITS, "synaptic"),
        *((kind, "synaptic") for kind in (*trained.TESTS, *trained.WEAKER)),
    }


@pytest.fixture(scope="module")
def conflicts():
    return draw_conflicts(dataclasses.replace(CONFIG, n_replicates=2, pair_trials=200), torch.device("cpu"))


def test_no_disturbance_changes_the_sum_of_the_cues(conflicts):
    config = dataclasses.replace(CONFIG, n_replicates=2, pair_trials=200)
    cues = disturb(conflicts, config)
    assert tuple(cues) == TESTS
    for name, cue in cues.items():
        total = cue.sum(-1)
        inside = total > 0.5  # steps after the end of a trial have no cue in noise of steps
        torch.testing.assert_close(total[inside], torch.ones_like(total[inside]), rtol=0, atol=1e-5), name
        assert inside.float().mean() > 0.5


def test_moving_cues_are_there_when_they_should_be(conflicts):
    config = dataclasses.replace(CONFIG, n_replicates=2, pair_trials=200, test_ms=120.0)
    cues, moment = disturb(conflicts, config), 3  # steps of 40 ms
    for name, before, after in (("brief", "own", "none"), ("late", "none", "own"), ("switch", "other", "own")):
        named = {"own": conflicts.own, "other": conflicts.other, "none": torch.full_like(conflicts.own, 1 / len(TASKS))}
        torch.testing.assert_close(cues[name][:, :, moment - 1], named[before])
        torch.testing.assert_close(cues[name][:, :, moment], named[after])


def test_the_observer_is_at_one_without_noise_and_no_policy_beats_it(conflicts):
    config = dataclasses.replace(CONFIG, n_replicates=2, pair_trials=200, sigmas=(0.0, 0.5, 1.0, 50.0))
    curve = measure_ideal(config, CHANCE)
    assert curve[0] == pytest.approx(1) and (np.diff(curve) < 0).all()
    noise = draw_cue_noise(config, conflicts.own)
    n = len(conflicts.pairs) * 200 * 2
    for sigma in (0.5, 1.0):
        best = conflicts.ideal(sigma, noise).mean()
        named = (conflicts.own + sigma * noise).argmax(-1, keepdim=True)  # the most probable task of all, or of those
        masked = (conflicts.own + sigma * noise).masked_fill(~conflicts.possible, -torch.inf).argmax(-1, keepdim=True)
        for chosen in (named, masked):
            given = conflicts.trials.alternative.gather(2, chosen)[..., 0]
            right = torch.as_tensor(fig_matches(given, conflicts.trials.response)).float().mean().item()
            assert right <= best + 3 * 0.5 / np.sqrt(n)


def fig_matches(given, right):
    return ambiguity.matches(given.numpy(), right.numpy())


def test_tasks_of_one_family_cannot_be_told_apart_and_others_can(conflicts):
    groups = [{name.split("_")[0].replace("rotate", "delay") for name in np.array(TASKS)[row]} for row in
              conflicts.possible[: len(PAIRS)].numpy()]  # fmt: skip
    assert all(len(group) == 1 for group in groups)


def test_silences_and_answers_share_all_trials(conflicts):
    outputs = torch.zeros((2, conflicts.own.shape[1], conflicts.trials.inputs.shape[2], 3))
    outputs[..., 0] = 1.0  # fixation is kept throughout
    first, second = conflicts.answers(outputs)
    assert (first + second == 0).all() and (conflicts.silences(outputs) == 1).all()
    outputs[..., 0], outputs[..., 1] = 0.0, 1.0  # every answer is at angle 0
    assert (conflicts.silences(outputs) == 0).all()


def test_the_mean_of_fresh_answers_is_the_score():
    config = make_config(Project(ROOT), "fig2_ambiguity", "smoke")
    model = CEMRNN(config.network("combined"), config.seeds)
    right = answer_fresh(model, config.task_set, config.seeds, 12, "last36")
    assert right.shape == (2, 12, 4) and set(np.unique(right)) <= {0.0, 1.0}
    assert estimate_chance(config, 50).shape == (4,)


def test_a_network_of_figure_2_is_one_of_figure_1():
    keys = {training.digest() for _, of_key in CONFIG.populations() for training in of_key}
    assert {training.digest() for arm in CONFIG.arms for training in CONFIG.training(arm)} <= keys
