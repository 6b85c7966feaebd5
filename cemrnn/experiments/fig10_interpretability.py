"""Figure 10: what modulators learned: loadings, lesions, decoding, use of units, and sharing between related tasks."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from cemrnn.dynamics import cluster_units, task_variance
from cemrnn.evidence import weigh
from cemrnn.experiments.battery import BatteryConfig, Population, all_conditions, load_populations, summarise
from cemrnn.experiments.decoded import ambiguous_pairs, decode_pair, decoded_steps, early_step
from cemrnn.experiments.fig2_ambiguity import SINGLE
from cemrnn.experiments.lesions import learned_pathways, read_modulations, score_lesions
from cemrnn.experiments.remembered import remember
from cemrnn.experiments.result import Result
from cemrnn.experiments.visited import Visited, visit
from cemrnn.interpretability import (
    active_fraction,
    compare_modulations,
    concentrate,
    correlate_pairs,
    count_effective,
    follow_use,
    permute_relation,
    share_blocks,
)
from cemrnn.intervals import bootstrap_difference, bootstrap_mean
from cemrnn.model import CEMRNN
from cemrnn.streams import stream
from cemrnn.training import TrainingConfig

STEM = "fig10_interpretability"
conditions = all_conditions
NEEDED = ("plain", *SINGLE, "combined")  # what the claims are about
SHOWN = "combined"  # the arm of the example network and of the shuffled control
USE = ("mean_rate", "active_fraction", "energy")
DECODED = ("decoding", "decoding_early", "decoding_held")
SELECTIVITY = ("selectivity", "selectivity_random", "lesion_size", "lesion_size_random")
RELATED_P = 0.05


@dataclass(frozen=True, kw_only=True)
class InterpretabilityConfig(BatteryConfig):
    """What figure 10 is computed from: the networks of figures 1 and 2."""

    state_trials: int  # per task, whose states are visited
    decode_every_ms: float  # between two times at which the context is read
    n_folds: int  # parts of the trials, each held out once
    lesion_trials: int  # per task
    n_bases: int  # of random directions, for lesions
    n_permutations: int  # relabellings of the tasks, at most
    max_clusters: int  # of units, at most

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(NEEDED) <= set(self.arms):
            raise ValueError(f"arms: expected {', '.join(NEEDED)} among them, got {', '.join(self.arms)}")
        if not ambiguous_pairs(self.task_set):
            raise ValueError(f"tasks: expected two that only the context tells apart, got {self.tasks}")
        smallest = {"n_folds": 2, "lesion_trials": 1, "n_bases": 1, "n_permutations": 1, "max_clusters": 2}
        for name, least in (smallest | {"state_trials": self.n_folds}).items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")


class ArmFindings(NamedTuple):
    """Tables of one arm, with a row or more per network; NaN for networks that are not compared."""

    networks: pd.DataFrame  # scalars of each network
    use: pd.DataFrame  # network, task, and the measures of USE
    decoding: pd.DataFrame  # network, labels, time_ms, accuracy, held
    lesions: pd.DataFrame  # network, kind, lesion, task, loss
    pairs: pd.DataFrame  # network, first, second, cosine
    relations: pd.DataFrame  # pathway, p: of all networks together
    example: dict[str, pd.DataFrame]


@remember
def run(config: InterpretabilityConfig) -> Result:
    """Loadings, lesions, decoding, use of units and similarity of tasks, in every arm."""
    started = time.monotonic()
    arms = {p.arm: measure_arm(p, config) for p in load_populations(config)}
    joined = {
        name: pd.concat([getattr(a, name).assign(arm=arm) for arm, a in arms.items()], ignore_index=True)
        for name in ("networks", "use", "decoding", "lesions", "pairs", "relations")
    }
    seed = config.seed
    curves = joined["decoding"].groupby(["arm", "labels", "time_ms", "network"], sort=False)[["accuracy", "held"]]
    curves = curves.mean().reset_index()
    long = joined["use"].melt(id_vars=["arm", "network", "task"], var_name="measure")
    pathways = joined["lesions"][joined["lesions"]["kind"] == "pathway"]
    tables = {
        **{f"loadings_{name}": table for name, table in arms[SHOWN].example.items()},
        "decoding": summarise(curves, ["arm", "labels", "time_ms"], "accuracy", seed=seed),
        "held": summarise(curves, ["arm", "labels", "time_ms"], "held", seed=seed),
        "lesions_networks": joined["lesions"],
        "lesions": summarise(pathways, ["arm", "lesion", "task"], "loss", seed=seed),
        "use": summarise(long, ["arm", "measure", "task"], "value", seed=seed),
        "pairs": _pair_table(joined["pairs"], config),
        "relations": _relation_table(joined["networks"], joined["relations"], seed),
        "networks": joined["networks"],
    }
    return Result(
        stem=STEM,
        config=config,
        tables=tables,
        scalars=_scalars(joined, config),
        n_replicates=config.n_replicates,
        seconds=time.monotonic() - started,
    )


def measure_arm(population: Population, config: InterpretabilityConfig) -> ArmFindings:
    """What the networks of one arm learned: of those that learned their tasks, or of all if context reaches none."""
    passed = population.passed(config.passing_score)
    pathways = learned_pathways(population.arm)
    kept = np.flatnonzero(passed) if pathways else np.arange(len(passed))
    networks = pd.DataFrame({"network": np.arange(len(passed)), "passed": passed})
    if not len(kept):
        return _leave_blank(networks, population.arm, config)
    model, seeds = population.model.select(kept), [config.seeds[m] for m in kept]
    visits = [visit(model.select([i]), config, [seed], config.state_trials) for i, seed in enumerate(seeds)]
    use = pd.concat([_measure_use(v, config).assign(network=m) for m, v in zip(kept, visits, strict=True)])
    decoding = _decode(visits, kept, config, shuffles=(False, True) if population.arm == SHOWN else (False,))
    rows = [{"network": m} for m in kept]
    lesions, pairs, relations, example = _no_lesions(), _no_pairs(), _no_relations(), {}
    if pathways:
        lesions, _ = score_lesions(model, config, seeds, config.lesion_trials, config.n_bases)
        modulations = read_modulations(model)
        cosines = compare_pathways(modulations)
        relations = _relate(cosines, config)
        pairs = _pairs_of(cosines["all"], kept)
        variances = [task_variance(v.epoch_means(0), v.task, len(config.tasks)) for v in visits]
        for i, row in enumerate(rows):
            row |= _measure_modulation({name: x[i] for name, x in modulations.items()}, variances[i])
            row |= _measure_selectivity(lesions[lesions["network"] == i], config)
            row |= _relations_of({name: c[i] for name, c in cosines.items()}, config)
        if population.arm == SHOWN:
            example = _show(modulations, variances[0], lesions[lesions["network"] == 0], config)
        lesions["network"] = kept[lesions["network"]]
    means = use.groupby("network")[list(USE)].mean().reset_index()
    found = pd.DataFrame(rows).merge(means, on="network").merge(_decoding_means(decoding, config), on="network")
    return ArmFindings(
        networks=networks.merge(found, on="network", how="left"),
        use=networks[["network"]].merge(use, on="network", how="left") if not pathways else use,
        decoding=decoding,
        lesions=lesions,
        pairs=pairs,
        relations=relations,
        example=example,
    )
