"""Figure 17: maps learned one after another, what is forgotten, and a new task by its context alone."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cemrnn.figures.fig17_continual.config import BATTERY_RULE, ContinualConfig, Method, conditions
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import frames, titles
from cemrnn.figures.shared.battery import score_fresh
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import Interval, estimate_difference
from cemrnn.measures.synergy import LEAST_ROOM
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import TaskSet
from cemrnn.tasks.scores import chance_level
from cemrnn.training.config import TrainingConfig

CONTEXT, SCRATCH = "context alone", "from scratch"  # how the task that was left out is learned
MEASURES = ("forgetting", "final")
CONTRASTS = (  # measure, and the methods whose difference is claimed
    ("forgetting", "excitability", "bias"),
    ("forgetting", "gating", "bias"),
    ("final", "bias_ewc", "bias"),
    ("final", "gating_ewc", "bias_ewc"),
)


@experiment
def run(config: ContinualConfig) -> tuple[Tables, Scalars]:
    """Accuracy on every map after every stage, what is forgotten, and scores on tasks that were left out."""
    maps = pd.concat([_measure_stages(method, config) for method in config.methods], ignore_index=True)
    together = pd.concat([_measure_together(arm, config) for arm in config.arms], ignore_index=True)
    networks, added = summarise_stages(maps), _measure_added(config)
    held = maps.groupby(["method", "network", "stage"], sort=False)["accuracy"].mean().reset_index()
    tables = {
        "maps": maps,
        "networks": networks,
        "first": frames.summarise(frames.select(maps, map=1), ["method", "stage"], "accuracy"),
        "held": frames.summarise(held, ["method", "stage"], "accuracy"),
        "together_networks": together,
        "together": frames.summarise(together, ["arm"], "accuracy"),
        "forgetting": frames.summarise(networks, ["method"], "forgetting"),
        "added_networks": added,
        "added": frames.summarise(added, ["task", "arm", "way"], "score"),
        "chance": _chance_table(config),
    }
    return tables, _scalars(tables, config)


def _score(trainings: list[TrainingConfig], tasks: TaskSet, rule: str, config: ContinualConfig) -> np.ndarray:
    """Score (M, K) of networks on fresh trials of every task; NaN for those whose training failed."""
    model, networks = load_population(trainings, Store.default(), device=config.device)
    scores = score_fresh(model, tasks, config.seeds, config.test_trials, rule).astype(float)
    scores[[network.status == "failed" for network in networks]] = np.nan
    return scores


def _measure_stages(method: Method, config: ContinualConfig) -> pd.DataFrame:
    """One row per network, stage and map so far: method, network, stage and map from 1 on, accuracy."""
    parts = []
    for stage, trainings in enumerate(config.stages(method), start=1):
        scores = _score(trainings, config.maps(stage), config.rule, config)
        axes = {"network": range(len(scores)), "stage": [stage], "map": range(1, stage + 1)}
        parts.append(frames.lay_out(axes, accuracy=scores))
    return pd.concat(parts, ignore_index=True).assign(method=method.key)


def summarise_stages(maps: pd.DataFrame) -> pd.DataFrame:
    """One row per method and network: forgetting, and its final accuracy over all maps.

    Forgetting is the mean, over all maps but the last, of the best accuracy after any earlier stage minus that after
    the last stage. Source: Chaudhry et al. 2018 (arXiv 1801.10112), forgetting measure.
    """
    last = maps["stage"].max()
    where = ["method", "network", "map"]
    final = frames.select(maps, stage=last).set_index(where)["accuracy"]
    best = maps[maps["stage"] < last].groupby(where, sort=False)["accuracy"].max()  # the last map has none
    forgotten = (best - final).groupby(level=["method", "network"], sort=False).mean()
    whole = final.groupby(level=["method", "network"], sort=False).mean()
    return pd.DataFrame({"forgetting": forgotten, "final": whole}).reindex(whole.index).reset_index()


def _measure_together(arm: str, config: ContinualConfig) -> pd.DataFrame:
    """One row per network that learned all maps at once: mean accuracy over them."""
    scores = _score(config.together(arm), config.maps(config.n_maps), config.rule, config)
    return pd.DataFrame({"arm": arm, "network": range(len(scores)), "accuracy": scores.mean(axis=1)})


def _measure_added(config: ContinualConfig) -> pd.DataFrame:
    """One row per task that was left out, arm and network: how it was learned then, and the score on it."""
    parts = []
    for task in config.left_out:
        ways = [(arm, CONTEXT, config.added(arm, task)) for arm in config.adding_arms()]
        for arm, way, trainings in [*ways, ("plain", SCRATCH, config.alone(task))]:
            scores = _score(trainings, trainings[0].tasks, BATTERY_RULE, config)[:, -1]  # the new task is the last
            row = {"task": task, "arm": arm, "way": way, "network": range(len(scores)), "score": scores}
            parts.append(pd.DataFrame(row))
    return pd.concat(parts, ignore_index=True)


def _chance_table(config: ContinualConfig) -> pd.DataFrame:
    """Score on every left-out task of answers that ignore the stimulus."""
    tasks = TaskSet(names=config.left_out, preset=config.preset)
    levels = chance_level(tasks, BATTERY_RULE, seed=config.seed, n_trials=config.chance_trials)
    return pd.DataFrame({"task": config.left_out, "score": np.asarray(levels, float)})


def _scalars(tables: Tables, config: ContinualConfig) -> Scalars:
    scalars: Scalars = {name: getattr(config, name) for name in ("n_maps", "n_sites", "n_units", "ewc_strength")}
    scalars |= {"n_networks": len(conditions(config)), "chance_map": 1 / config.n_sites}
    difference = functools.partial(estimate_difference, paired=False)
    samples = {name: frames.collect_samples(tables["networks"], "method", name) for name in MEASURES}
    for name in MEASURES:
        scalars |= frames.mean_scalars(samples[name], name=f"{name}_{{}}")
    for name, one, other in CONTRASTS:
        pair = (samples[name].get(method, np.full(2, np.nan)) for method in (one, other))
        scalars |= weigh(f"{name}_{one}_minus_{other}", difference, *pair)
    scalars |= frames.weigh_pathways("final", samples["final"])
    together = frames.collect_samples(tables["together_networks"], "arm", "accuracy")
    scalars |= frames.mean_scalars(together, name="together_{}")
    lost = (together.get("bias", np.full(2, np.nan)), samples["final"].get("bias", np.full(2, np.nan)))
    scalars |= weigh("together_minus_final_bias", difference, *lost)
    scalars |= _added_scalars(tables)
    return scalars | {"title": name_outcome(scalars)}


def _added_scalars(tables: Tables) -> Scalars:
    """Scores on left-out tasks, averaged over them, and what they lie above chance."""
    added, chance = tables["added_networks"], tables["chance"]["score"].mean()
    scalars: Scalars = {"chance_added": chance, "n_left_out": len(tables["chance"])}
    for way, name in ((CONTEXT, "added_{}"), (SCRATCH, "scratch_{}")):
        rows = frames.select(added, way=way).groupby(["arm", "network"], sort=False, as_index=False)["score"].mean()
        samples = frames.collect_samples(rows, "arm", "score")
        scalars |= frames.mean_scalars(samples, name=name)
        if way == CONTEXT:
            scalars |= frames.weigh_pathways("added", samples, _compare_with_room)
            above = samples.get("excitability", np.full(2, np.nan)) - chance
            scalars |= frames.weigh_mean("added_above_chance_excitability", above)
    return scalars


def _compare_with_room(first: np.ndarray, *others: np.ndarray) -> Interval:
    """The difference of mean scores, hidden where even perfect networks would exceed the best of the others too little.

    That none is seen says nothing then, see `LEAST_ROOM`.
    """
    interval = estimate_difference(first, *others, paired=False)
    room = 1 - max(np.mean(scores) for scores in others)
    return interval if room >= LEAST_ROOM else interval.hide()


def name_outcome(scalars: Scalars) -> str:
    forgotten = titles.choose(
        scalars,
        "forgetting_excitability_minus_bias",
        "forgets more than a bias does",
        "forgets less than a bias does",
        "is not shown to forget less than a bias does",
        alike="forgets as much as a bias does",
    )
    new = titles.choose(
        scalars,
        "added_above_chance_excitability",
        "but its context alone takes up a new task",
        "and its context alone is worse than chance on a new task",
        "and its context alone is not shown to take up a new task",
    )
    return f"One after another, excitability {forgotten}, {new}"
