"""The networks of figure 2, and what it is worth to be trained for one kind of ambiguity, on made-up accuracies."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.fig2_ambiguity import trained
from cemrnn.figures.shared.conflict_groups import GROUPS, PopulationKey, conditions
from cemrnn.figures.shared.conflict_tests import TESTS
from cemrnn.network.config import count_parameters
from cemrnn.reproduce.claims import judge, load_claims
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.figures.test_fig2_ambiguity import CONFIG, JITTER, OTHERS, ROOT


def test_every_population_is_what_its_group_says():
    quick = make_config(Project(ROOT), "fig2_ambiguity", "quick").on_battery
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


def test_kinds_of_ambiguity_have_networks_of_their_own_number_at_both_readings():
    config = dataclasses.replace(CONFIG, train_at_units=True, trained_kinds=("brief",), kind_replicates=3)
    groups = ("brief", f"brief{trained.AT_UNITS}")
    assert [len(dict(config.populations())[group, "synaptic"]) for group in groups] == [3, 3]
    assert [config.count_networks(PopulationKey(group, "synaptic")) for group in groups] == [3, 3]
    assert config.tested_groups == ["parameters", "trained", "brief", "units", "trained_units", groups[1]]
    assert dataclasses.replace(config, train_at_units=False).tested_groups == ["parameters", "trained", "brief"]


def test_networks_are_trained_with_what_they_are_tested_with():
    smoke = make_config(Project(ROOT), "fig2_ambiguity", "smoke")
    found = {key.group: trainings[0].cue for key, trainings in smoke.populations()}
    kinds = trained.TESTS | trained.WEAKER
    at_units = {f"{kind}{trained.AT_UNITS}" for kind in kinds if kind != "trained"}
    assert set(found) == {*GROUPS, *trained.OTHER_TASKS, *kinds, *at_units} and set(kinds.values()) <= set(TESTS)
    assert found["parameters"].is_plain and not any(found[kind].is_plain for kind in kinds)
    assert found["weak frozen noise"].frozen_sigma == smoke.trained_weak_sigma < smoke.test_sigma
    assert found["weak step noise"].noise_sigma == smoke.trained_weak_sigma < smoke.trained_sigma
    assert len(dict(smoke.populations())["brief", "synaptic"]) == smoke.kind_replicates
    for group in at_units:
        of_kind = dict(smoke.populations())[group, "synaptic"]
        same = dict(smoke.populations())["units", "synaptic"][: smoke.kind_replicates]
        assert [n.network for n in of_kind] == [n.network for n in same]
        assert {n.cue for n in of_kind} == {found[group.removesuffix(trained.AT_UNITS)]}
        assert (group, "combined") not in dict(smoke.populations())
        assert smoke.count_networks(PopulationKey(group, "synaptic")) == smoke.kind_replicates
    assert found["frozen noise"].frozen_sigma == smoke.test_sigma and found["mixture"].mixture == smoke.test_mixture
    assert found["late"].late_share > 0 == found["late"].switch_share
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
    assert scalars["n_trained_kinds"] == len(trained.TESTS)


def test_differences_of_either_sign_are_not_called_equal_because_their_mean_is_zero():
    lead = dict(zip(trained.TESTS, (0.06, -0.06, 0.05, -0.05, 0.04, -0.04), strict=True))
    scalars = trained.measure_training(accuracies(lambda g, arm, t: 0.6 + lead.get(g, 0) * (arm == "excitability")))
    name = "own_kind_excitability_minus_synaptic"
    assert scalars[name] == pytest.approx(0, abs=1e-9)
    assert scalars[f"{name}_low"] < -0.03 and scalars[f"{name}_high"] > 0.03  # over networks alone it is ±.01


def test_weaker_noise_is_told_apart_and_in_no_mean_over_kinds():
    def of(group, arm, test):
        return {"excitability": 0.6, "synaptic": 0.7, "combined": 0.7}[arm] if group in trained.WEAKER else 0.5

    table = accuracies(of)
    few = (table["group"] == "weak frozen noise") & (table["arm"] == "synaptic") & (table["network"] > 2)
    scalars = trained.measure_training(table.assign(accuracy=table["accuracy"].mask(few)))
    assert scalars["gain_own_kind"] == pytest.approx(0, abs=1e-9) and scalars["n_trained_kinds"] == len(trained.TESTS)
    assert scalars["weak_step_noise_learned"] == 8 and scalars["weak_frozen_noise_learned"] == 3
    assert scalars["weak_step_noise_excitability_minus_synaptic"] == pytest.approx(-0.1)
    assert scalars["frozen_noise_excitability_minus_synaptic"] == pytest.approx(0, abs=1e-9)
    without = trained.measure_training(table[~table["group"].isin(trained.WEAKER)])
    assert np.isnan(without["weak_step_noise_learned"])


def test_a_kind_that_an_arm_does_not_learn_is_left_out():
    table = accuracies(lambda group, arm, test: 0.9 if group == "brief" else 0.5)
    failed = (table["group"] == "brief") & (table["arm"] == "synaptic") & (table["network"] > 0)
    scalars = trained.measure_training(table.assign(accuracy=table["accuracy"].mask(failed)))
    assert (scalars["n_trained_kinds"], scalars["n_learned_kinds"]) == (len(trained.TESTS), len(trained.TESTS) - 1)
    assert scalars["own_kind_combined_minus_best_single"] == pytest.approx(0, abs=1e-9)
    assert scalars["gain_own_kind"] == pytest.approx(0, abs=1e-9)


def test_both_readings_are_measured_with_the_same_combined_networks():
    gain = {"parameters": 0.1, "units": 0.3}

    def of(group, arm, test):
        match = "units" if group in trained.SAME_COMBINED else "parameters"
        kind = trained.SAME_COMBINED.get(group, group)
        return 0.5 + gain[match] * (arm == "excitability" and trained.TESTS.get(kind) == test)

    groups = ("parameters", *trained.TESTS, *trained.WEAKER)
    table = accuracies(of)
    singles = table[table["arm"] != "combined"]
    turned = {same: group for group, same in trained.SAME_COMBINED.items()}
    at_units = singles.assign(group=singles["group"].map(turned))
    at_units = at_units.assign(
        accuracy=[of(r.group, r.arm, r.test) + 0.01 * JITTER[r.network] for r in at_units.itertuples()]
    )
    assert not at_units["group"].isna().any() and len(set(at_units["group"])) == len(groups)
    scalars = trained.measure_readings(pd.concat([table, at_units], ignore_index=True))
    name = "own_kind_excitability_minus_synaptic"
    assert (scalars[name], scalars[f"units_{name}"]) == (pytest.approx(0.1), pytest.approx(0.3))
    assert scalars["units_own_kind_combined_minus_best_single"] == pytest.approx(-0.3)
    assert scalars["units_n_learned_kinds"] == scalars["n_learned_kinds"] == len(trained.TESTS)
    alone = trained.measure_readings(table)  # as where none is trained at equal units
    assert alone["units_n_learned_kinds"] == 0 and np.isnan(alone[f"units_{name}"]) and alone[name] == scalars[name]


def test_one_kind_of_training_cannot_be_compared_with_others():
    table = accuracies(lambda *_: 0.5)
    scalars = trained.measure_training(table[table["group"].isin(["parameters", "trained"])])
    assert np.isnan(scalars["gain_own_minus_other_kind"]) and scalars["gain_own_kind"] == pytest.approx(0)


def test_networks_on_other_tasks_are_those_of_the_battery_but_for_the_tasks():
    config = dataclasses.replace(CONFIG, other_tasks=OTHERS)
    found = dict(config.populations())
    for group, match in {"other_parameters": "parameters", "other_units": "units"}.items():
        for other, own in zip(found[group, "synaptic"], found[match, "synaptic"], strict=True):
            assert other.tasks.names == OTHERS and other.cue.is_plain and other.network.n_contexts == len(OTHERS)
            sizes = other.network.n_units, other.network.rank
            assert (sizes == (config.n_units, config.rank)) == (match == "units")
            changed = dict(tasks=own.tasks, network=own.network)
            assert dataclasses.replace(other, **changed) == own
    assert ("other_units", "combined") not in found
    assert not any(group.startswith("streams") for group, _ in found)
    wrongs = {("map_1_of_8",): "can conflict", (*OTHERS, "delay_pro"): "none of the battery"}
    for (wrong, message), setting in itertools.product(wrongs.items(), ("other_tasks", "stream_tasks")):
        with pytest.raises(ValueError, match=f"{setting}: expected .*{message}"):
            dataclasses.replace(CONFIG, **{setting: wrong})


def test_networks_on_two_streams_stand_beside_those_on_other_tasks():
    config = dataclasses.replace(CONFIG, other_tasks=OTHERS, stream_tasks=("integrate_1", "integrate_2"))
    found = dict(config.populations())
    for match in ("parameters", "units"):
        assert found[f"streams_{match}", "synaptic"][0].tasks.names == config.stream_tasks
        assert found[f"other_{match}", "synaptic"][0].tasks.names == OTHERS
    on_ring = dataclasses.replace(config, encoding="ring", other_tasks=())
    assert on_ring.of_group("streams_units").encoding == "cosine" and on_ring.of_group("units").encoding == "ring"
    assert ("streams_units", "combined") not in found and ("streams_parameters", "combined") in found


@pytest.mark.parametrize("profile", ["smoke", "quick", "night", "full"])
def test_no_profile_has_a_pair_of_tasks_twice(profile):
    config = make_config(Project(ROOT), "fig2_ambiguity", profile)
    assert not set(config.tasks) & {*config.other_tasks, *config.stream_tasks}
    assert len(set(config.tasks)) == len(config.tasks)


def test_arms_that_are_not_there_are_not_compared():
    config = dataclasses.replace(CONFIG, arms=("plain", "synaptic"))
    found = {(key.group, key.arm) for key, _ in config.populations()}
    assert found == {
        ("parameters", "plain"),
        ("parameters", "synaptic"),
        ("units", "synaptic"),
        ("trained_units", "synaptic"),
        *((kind, "synaptic") for kind in (*trained.TESTS, *trained.WEAKER)),
        *((f"{kind}{trained.AT_UNITS}", "synaptic") for kind in (*trained.TESTS, *trained.WEAKER) if kind != "trained"),
    }
