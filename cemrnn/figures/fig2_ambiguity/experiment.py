"""Figure 2: what each arm does when the context is noisy, mixed, weak, brief or late, trained for it or not."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cemrnn.figures.fig2_ambiguity import trained
from cemrnn.figures.fig2_ambiguity.trained import OTHER_TASKS, SAME_COMBINED, TrainedConfig
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import frames, titles
from cemrnn.figures.shared.ambiguity import (
    ANSWERS,
    ArmCurves,
    Ideal,
    lead_in_errors,
    list_pairs,
    list_unordered,
    measure_ambiguity,
    measure_ideal,
)
from cemrnn.figures.shared.battery import estimate_chance, load_arm
from cemrnn.figures.shared.conflict_groups import GROUPS, PopulationKey, conditions, seen_by
from cemrnn.figures.shared.conflict_tests import measure_tests
from cemrnn.measures.evidence import weigh
from cemrnn.measures.ideal_observer import efficiency
from cemrnn.measures.intervals import Interval, estimate_crossed, estimate_difference, estimate_mean
from cemrnn.measures.robustness import compare_thresholds, threshold_level
from cemrnn.tasks import Family

MEASURES = ("auc", "noise", "sigma75", "kappa75", "blends", "lambda50", "slope")
MEASURED = (*GROUPS, *OTHER_TASKS)  # groups with curves, which are compared
Curves = dict[PopulationKey, ArmCurves]


@experiment
def run(config: TrainedConfig) -> tuple[Tables, Scalars]:
    """Curves of normalised accuracy against noise, mixture and strength, by pairs of tasks, and trained by tested."""
    curves: Curves = {}
    tests, chances = [], {}
    for key, trainings in config.populations():
        own = config.of_group(key.group)
        population = load_arm(own, trainings)
        if own.tasks not in chances:
            chances[own.tasks] = estimate_chance(own, own.chance_trials)
        chance = chances[own.tasks]
        if key.group in MEASURED:
            curves[key] = measure_ambiguity(population, seen_by(key, own), chance)
        if key.group in config.tested_groups and key.arm in config.compared_arms:
            tests.append(measure_tests(key, population, config, chance))
    chance = chances[config.tasks]
    ideal, tested = measure_ideal(config, chance), pd.concat(tests, ignore_index=True)
    rows = pd.concat([of_key.curves().assign(group=key.group) for key, of_key in curves.items()], ignore_index=True)
    networks = [of_key.networks().assign(group=key.group) for key, of_key in curves.items()]
    tables = {
        "curves": frames.summarise(rows, ["group", "arm", "manipulation", "level"], "normalised"),
        "answers": _answer_table(rows, ["group", "arm", "manipulation", "level"]),
        "test_answers": _answer_table(tested, ["group", "arm", "test"]),
        "pairs": _pair_table(curves, config),
        "pair_networks": _pair_networks(curves, config),
        "ideal": pd.DataFrame({"sigma": config.sigmas, "normalised": ideal.normalised}),
        "tests": frames.summarise(tested, ["group", "arm", "test"], "accuracy"),
        "networks": pd.concat(networks, ignore_index=True),
    }
    return tables, _scalars(curves, tables, ideal, chance, config) | trained.measure_readings(tested)


def _answer_table(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Share of answers for the cued task, for the other, of silence, and of any other direction."""
    table = frames.summarise_columns(rows, by, ANSWERS)
    return table.rename(columns={"value": "share", "measure": "answer"})


def _pair_table(curves: Curves, config: TrainedConfig) -> pd.DataFrame:
    """Mean accuracy over the levels of noise of every arm, reading and unordered pair of tasks."""
    rows = []
    for key, of_key in curves.items():
        interval = estimate_mean(of_key.areas("noise"))
        for i, name in enumerate(_name_pairs(config.of_group(key.group))):
            values = {column: x[i] for column, x in interval.to_columns("noise").items()}
            rows.append({**key._asdict(), "pair": name} | values)
    return pd.DataFrame(rows)


def _pair_networks(curves: Curves, config: TrainedConfig) -> pd.DataFrame:
    """The same of every network of the compared arms that was trained with clean cues."""
    rows = []
    for key, of_key in curves.items():
        if key.group in (*GROUPS[:2], *OTHER_TASKS) and key.arm in config.compared_arms:
            areas = zip(_name_pairs(config.of_group(key.group)), of_key.areas("noise").T, strict=True)
            rows += [{**key._asdict(), "pair": name} | dict(enumerate(of_pair)) for name, of_pair in areas]
    return (
        pd.DataFrame(rows)
        .melt(["group", "arm", "pair"], var_name="network", value_name="noise")
        .dropna(ignore_index=True)
    )


def _name_pairs(config: TrainedConfig) -> list[str]:
    return [" / ".join(config.tasks[k] for k in pair) for pair in _pairs(config)]


def _pairs(config: TrainedConfig) -> list[tuple[int, int]]:
    return list(list_unordered(list_pairs(config.task_set)))


def group_by_family(config: TrainedConfig) -> np.ndarray:
    """(U,) number of the family of every unordered pair of tasks: that of its stimuli and timing."""
    families: list[Family] = []
    numbers = []
    for first, _ in _pairs(config):
        family = config.task_set.tasks[first].family
        known = next((i for i, other in enumerate(families) if other.looks_like(family)), len(families))
        families += [family] * (known == len(families))
        numbers.append(known)
    return np.array(numbers)


def _scalars(curves: Curves, tables: Tables, ideal: Ideal, chance: np.ndarray, config: TrainedConfig) -> Scalars:
    ideal_sigma75 = threshold_level(np.array(config.sigmas), ideal.normalised).level.item()
    equal = {key.arm: of_key for key, of_key in curves.items() if key.group == "parameters"}
    scalars: Scalars = {"ideal_sigma75": ideal_sigma75, "n_pairs": len(_pairs(config)), "n_tasks": len(config.tasks)}
    scalars |= {"chance": float(np.mean([chance[i] for i, _ in list_pairs(config.task_set)]))}
    scalars["largest_budget_difference"] = config.largest_gap
    scalars["n_networks"] = len(conditions(config.on_battery))
    scalars |= {"trained_weak_sigma": config.trained_weak_sigma, "test_sigma": config.test_sigma}
    scalars |= {"trained_sigma": config.trained_sigma, "trained_replicates": config.trained_replicates}
    scalars |= frames.name_compared({arm: of_arm.passed.sum() for arm, of_arm in equal.items()})
    scalars |= frames.arm_scalars(frames.select(tables["networks"], group="parameters"), MEASURES)
    efficient = {arm: efficiency(of_arm.sigma75.level, ideal_sigma75) for arm, of_arm in equal.items()}
    scalars |= frames.mean_scalars(efficient, name="efficiency_{}")
    scalars["largest_lead_over_ideal"] = _lead_over_ideal(tables["curves"], ideal.normalised)
    scalars["largest_lead_in_errors"] = _lead_in_errors(curves, ideal, config.pair_trials)
    families = group_by_family(config)
    scalars |= {"n_families": len(set(families)), "largest_family": int(np.bincount(families).max())}
    scalars["n_other_tasks"] = len(config.other_tasks)
    for name in ("other", "streams"):
        scalars |= _count_others(name, curves)
    for group in MEASURED:
        scalars |= _compare(group, curves, config)
    for arm in frames.SINGLE:  # of being trained with noise
        pair = (curves.get(PopulationKey(group, arm)) for group in ("trained", "parameters"))
        samples = [np.full(2, np.nan) if x is None else x.areas("noise").mean(axis=1) for x in pair]
        scalars |= estimate_difference(*samples, paired=False).to_scalars(f"training_gain_{arm}")
    scalars |= frames.weigh_mean("plain_favours_cued", _preference(equal["plain"]) if "plain" in equal else [np.nan])
    return scalars | {"title": name_outcome(scalars)}


def _count_others(name: str, curves: Curves) -> Scalars:
    """How many pairs of other tasks there are, and the fewest networks of an arm that learned them."""
    found = [of_key for key, of_key in curves.items() if key.group in (f"{name}_parameters", f"{name}_units")]
    n_pairs = len(list_unordered(found[0].pairs)) if found else 0
    learned = int(min((of_key.passed.sum() for of_key in found), default=0))
    return {f"n_{name}_pairs": n_pairs, f"{name}_tasks_learned": learned}


def _compare(group: str, curves: Curves, config: TrainedConfig) -> Scalars:
    """Differences between pathways, over networks and pairs of tasks alike, and in thresholds over networks.

    Accuracy under noise also with every family of tasks counted once, however many pairs it has. Two streams have too
    few pairs for other pairs to be told of: there, over networks alone.
    """
    found = {key.arm: of_key for key, of_key in curves.items() if key.group == group}
    if found and (both := curves.get(PopulationKey(SAME_COMBINED.get(group, group), "combined"))):
        found["combined"] = both
    noise = {arm: of_arm.areas("noise") for arm, of_arm in found.items()}
    mixture = {arm: of_arm.areas("mixture", until=0.5) for arm, of_arm in found.items()}
    estimate = _over_networks if group.startswith("streams") else estimate_crossed
    compared = [found[arm].passed.sum() for arm in config.compared_arms if arm in found]
    scalars: Scalars = {f"learned_{group}": int(min(compared, default=0))}
    scalars |= frames.weigh_pathways(f"noise_{group}", noise, estimate)
    scalars |= frames.weigh_pathways(f"mixture_{group}", mixture, estimate)
    if group in GROUPS:
        families = group_by_family(config)
        once = {arm: [area[:, families == f].mean(axis=1) for f in set(families)] for arm, area in noise.items()}
        once = {arm: np.stack(areas, axis=1) for arm, areas in once.items()}
        scalars |= frames.weigh_pathways(f"families_{group}", once, estimate_crossed)
    threshold = functools.partial(compare_thresholds, paired=False)
    thresholds = {arm: of_arm.sigma75 for arm, of_arm in found.items()}
    scalars |= frames.weigh_pathways(f"sigma75_{group}", thresholds, threshold)
    means = {arm: np.mean(areas, axis=1) for arm, areas in noise.items()}
    scalars |= frames.mean_scalars(frames.TOLD | means, name=f"noise_{group}_{{}}")
    pair = [noise[arm] for arm in ("combined", "synaptic") if arm in noise]
    name, missing = f"noise_{group}_combined_minus_synaptic", (lambda _: frames.NOTHING, np.empty(0))
    return scalars | (weigh(name, estimate, *pair) if len(pair) == 2 else weigh(name, *missing))


def _over_networks(*areas: np.ndarray) -> Interval:
    """The first minus the best of the others, of areas (M, U) by pair of tasks: for other networks, on these pairs."""
    return estimate_difference(*(area.mean(axis=1) for area in areas), paired=False)


def _lead_over_ideal(table: pd.DataFrame, ideal: np.ndarray) -> float:
    """By how much the mean accuracy of an arm exceeds the ideal observer's, at most; by sampling it may, a little."""
    table = table[~table["group"].isin(OTHER_TASKS)]  # the observer does the tasks of the battery
    rows = frames.select(table, manipulation="noise").pivot(
        index=["group", "arm"], columns="level", values="normalised"
    )
    return float(np.nanmax(rows.to_numpy(float) - ideal)) if np.isfinite(rows.to_numpy(float)).any() else np.nan


def _lead_in_errors(curves: Curves, ideal: Ideal, n_trials: int) -> float:
    """The largest lead of a single network over the observer of its trials, in standard errors of sampling.

    With some noise: without it the observer is always right, and nothing can lead.
    """
    shares = [of_key.own["noise"][..., 1:] for key, of_key in curves.items() if key.group not in OTHER_TASKS]
    leads = [lead_in_errors(own, ideal.shares[: len(own), :, 1:], n_trials) for own in shares]
    return float(max(lead.max() for lead in leads))


def _preference(plain: ArmCurves) -> np.ndarray:
    """(M,) answers for the cued task minus those for the other, of networks that no context reaches."""
    return (plain.own["mixture"][:, :, 0] - plain.other["mixture"][:, :, 0]).mean(axis=1)


def name_outcome(scalars: Scalars) -> str:
    """Untrained for, at both readings, and on two streams if that is clear; and trained for."""
    noise = [f"{verb} a noisier context" for verb in ("bears", "bear", "bear")]
    first = titles.at_both_readings(lambda match: titles.compare_pathways(scalars, f"noise_{match}", *noise))
    more = "; where one of two streams is integrated {} more noise, at equal units"
    streams = (more.format(who) for who in ("excitability bears", "synapses bear"))
    first += titles.choose(scalars, titles.PATHWAYS.format("noise_streams_units"), *streams, "")
    helped = [scalars[f"training_gain_{arm}_low"] > 0 for arm in frames.SINGLE]
    return f"{first}; to be trained with noise {'helps both' if all(helped) else 'is not shown to help both'}"
