"""Figure 10: what modulators learned: loadings, lesions, decoding, use of units, and sharing between related tasks."""

from __future__ import annotations

import pandas as pd

from cemrnn.figures.fig10_interpretability.config import InterpretabilityConfig
from cemrnn.figures.fig10_interpretability.decoding import ambiguous_pairs, early_step
from cemrnn.figures.fig10_interpretability.measure import MEASURES, Findings, measure_modulation
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import frames, titles
from cemrnn.figures.shared.battery import all_conditions, load_populations
from cemrnn.measures.intervals import estimate_mean
from cemrnn.network.pathways import ARMS

conditions = all_conditions
SHOWN = "combined"  # arm of the network that is shown, and of the shuffled control
CLAIMED = ("decoding_early", "active_fraction")  # excitability minus synaptic
CHANCE = 0.5  # of decoding between two tasks
RELATED_P = 0.05  # below it, a network's tasks count as related in their modulation


@experiment
def run(config: InterpretabilityConfig) -> tuple[Tables, Scalars]:
    """Loadings, lesions, decoding, use of units and similarity of tasks, in every arm."""
    arms = {p.arm: measure_modulation(p, config, shuffle=p.arm == SHOWN) for p in load_populations(config)}
    joined = _join(arms)
    by_time = joined["decoding"].groupby(["arm", "labels", "time_ms", "network"], sort=False)[["accuracy", "held"]]
    curves, groups = by_time.mean().reset_index(), ["arm", "labels", "time_ms"]
    pathways = frames.select(joined["lesions"], kind="pathway")
    tables = {
        "components": arms[SHOWN].components,
        "units": arms[SHOWN].units,
        "decoding": frames.summarise(curves, groups, "accuracy"),
        "decoding_held": frames.summarise(curves, groups, "held"),
        "lesions_networks": joined["lesions"],
        "lesions": frames.summarise(pathways, ["arm", "lesion", "task"], "loss"),
        "use": frames.summarise(joined["use"], ["arm", "measure", "task"], "value"),
        "pairs": frames.summarise(joined["pairs"], ["arm", "first", "second", "blocks"], "cosine"),
        "relations": _relation_table(joined["relations"]),
        "networks": joined["networks"],
    }
    return tables, _scalars(joined, tables, config)


def _join(arms: dict[str, Findings]) -> dict[str, pd.DataFrame]:
    """One table of each kind, with a column for the arm."""
    names = ("networks", "use", "decoding", "lesions", "pairs", "relations")
    parts = {name: [(arm, getattr(found, name)) for arm, found in arms.items()] for name in names}
    return {
        name: pd.concat([table.assign(arm=arm) for arm, table in of_arms if table is not None], ignore_index=True)
        for name, of_arms in parts.items()
    }


def _relation_table(relations: pd.DataFrame) -> pd.DataFrame:
    """Mean correlation of every arm and pathway, and the p value of all its networks together."""
    by = ["arm", "pathway"]
    p = relations.drop_duplicates(by)[[*by, "p"]]
    return frames.summarise(relations, by, "r").merge(p, on=by)


def _scalars(joined: Tables, tables: Tables, config: InterpretabilityConfig) -> Scalars:
    networks, tasks = joined["networks"], config.task_set
    pairs = ambiguous_pairs(tasks)
    first = min(early_step(tasks, pair) for pair in pairs) + 1
    scalars: Scalars = {"n_tasks": tasks.n_contexts, "n_pairs": len(pairs), "first_stimulus_ms": first * tasks.dt_ms}
    scalars |= {"largest_budget_difference": config.largest_gap} | frames.arm_scalars(networks, MEASURES)
    for arm, part in networks.groupby("arm", sort=False):
        scalars[f"compared_{arm}"] = int(part["energy"].notna().sum())
        if ARMS[arm].learned:
            scalars[f"related_networks_{arm}"] = int((part["relatedness_p"] < RELATED_P).sum())
            lesions = frames.select(joined["lesions"], arm=arm, kind="pathway")
            scalars |= _lesion_scalars(lesions, tables["lesions"], arm)
    for row in tables["relations"].itertuples():
        end = f"{row.arm}_{row.pathway}"
        scalars |= {f"relation_{end}": float(row.r), f"relation_p_{end}": float(row.p)}
    shuffled = frames.select(joined["decoding"], labels="shuffled").groupby("network")["accuracy"].mean()
    above_chance = estimate_mean(shuffled.reindex(range(config.n_replicates)).to_numpy(float) - CHANCE)
    return scalars | above_chance.to_scalars("decoding_shuffled_above_chance") | _evidence(networks)


def _lesion_scalars(lesions: pd.DataFrame, means: pd.DataFrame, arm: str) -> Scalars:
    """Mean loss over tasks from a lesion of each pathway, and the task that loses most."""
    scalars: Scalars = {}
    for pathway, part in lesions.groupby("lesion", sort=False):
        loss = estimate_mean(part.groupby("network")["loss"].mean().to_numpy(float))
        scalars |= loss.to_scalars(f"loss_{arm}_{pathway}")
        by_task = frames.select(means, arm=arm, lesion=pathway).set_index("task")["loss"]
        falls = by_task.idxmax().replace("_", " ") if by_task.notna().any() else "none"
        scalars |= {f"falls_{arm}_{pathway}": falls, f"falls_by_{arm}_{pathway}": float(by_task.max())}
    return scalars


def _evidence(networks: pd.DataFrame) -> Scalars:
    """The measures of the claims, from all replicates and from halves of them."""
    shown, plain = (frames.select(networks, arm=arm) for arm in (SHOWN, "plain"))
    random = shown["selectivity"] - shown["selectivity_random"]
    scalars = frames.weigh_mean(f"relatedness_{SHOWN}", shown["relatedness"])
    scalars |= frames.weigh_mean(f"selectivity_{SHOWN}_minus_random", random)
    scalars |= frames.weigh_mean("decoding_plain_above_chance", plain["decoding"] - CHANCE)
    scalars |= frames.weigh_measures(networks, CLAIMED, both=False)
    return scalars | {"title": name_outcome(scalars)}


def name_outcome(scalars: Scalars) -> str:
    """The title."""
    shows = titles.choose(
        scalars,
        titles.PATHWAYS.format("decoding_early"),
        "better than one that synapses are told",
        "worse than one that synapses are told",
        "as well, as far as is shown, as one that synapses are told",
        alike="as well as one that synapses are told",
    )
    return f"Before any stimulus, the state shows a context that excitability is told {shows}"
