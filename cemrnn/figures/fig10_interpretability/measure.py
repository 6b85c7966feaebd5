"""What the modulators of one arm learned: how they treat each task, what their lesions cost, what states show of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from cemrnn.figures.fig10_interpretability.config import InterpretabilityConfig
from cemrnn.figures.fig10_interpretability.decoding import ambiguous_pairs, decode_pair, decoded_steps, early_step
from cemrnn.figures.fig10_interpretability.lesions import read_modulations, score_component_lesions
from cemrnn.figures.shared.battery import Population
from cemrnn.figures.shared.frames import lay_out
from cemrnn.figures.shared.states import Visited, visit
from cemrnn.measures import sharing
from cemrnn.measures.geometry import cluster_units, task_variance
from cemrnn.measures.sharing import active_fraction
from cemrnn.network.pathways import ARMS, PATHWAYS
from cemrnn.random import stream

USE = ("mean_rate", "active_fraction", "energy")
DECODED = ("decoding", "decoding_early", "decoding_held")
SELECTIVITY = ("selectivity", "selectivity_random", "lesion_size", "lesion_size_random")
MODULATION = ("components_used", "gain_follows_use", "relatedness", "relatedness_p")
MEASURES = (*USE, *DECODED, *SELECTIVITY, *MODULATION)
ALL = "all"  # pathways of an arm together


class Findings(NamedTuple):
    """Tables of one arm. Those of modulation are None for an arm that learns none, and NaN without any network."""

    networks: pd.DataFrame  # one row per network: passed and MEASURES, NaN if it is not compared
    use: pd.DataFrame  # network, task, measure, value
    decoding: pd.DataFrame  # network, labels, pair, time_ms, early, accuracy, held
    lesions: pd.DataFrame | None = None  # network, kind, lesion, task, loss
    pairs: pd.DataFrame | None = None  # network, first, second, blocks, cosine
    relations: pd.DataFrame | None = None  # pathway, network, r; p of all networks together
    components: pd.DataFrame | None = None  # of the first network: component, task, strength; the largest first
    units: pd.DataFrame | None = None  # of the first network: unit, cluster, task, gain, bias, variance


def measure_modulation(population: Population, config: InterpretabilityConfig, *, shuffle: bool) -> Findings:
    """What the networks of one arm learned that passed the filter; or of all, if no context reaches them.

    Args:
        population: of one arm.
        config: of the figure.
        shuffle: whether the context is decoded with shuffled labels as well.
    """
    pathways, passed = ARMS[population.arm].learned, population.passed(config.passing_score)
    kept = np.flatnonzero(passed if pathways else population.finite)
    networks = pd.DataFrame({"network": np.arange(len(passed)), "passed": passed})
    if not len(kept):
        return _leave_blank(networks, list(pathways), config)
    model, seeds = population.model.select(kept), [config.seeds[m] for m in kept]
    visits = [visit(model.select([i]), config, [seed], config.state_trials) for i, seed in enumerate(seeds)]
    tables = {"use": _measure_use(visits, config), "decoding": _decode(visits, config, shuffle)}
    found = tables["use"].pivot_table(index="network", columns="measure", values="value")
    found = found.join(_average_decoding(tables["decoding"]))
    if pathways:
        modulations = read_modulations(model)
        variances = [task_variance(v.epoch_means(0), v.task, len(config.tasks)) for v in visits]
        tables["lesions"] = score_component_lesions(model, config, seeds, config.test_trials, config.n_bases)
        tables["relations"], tables["pairs"], related = _relate(modulations, config)
        learned = [_summarise_modulation(modulations, variances, i) for i in range(len(kept))]
        found = found.join(pd.DataFrame(learned)).join(_select(tables["lesions"], config)).join(related)
        tables["units"] = _tabulate_units(modulations, variances[0], config)
        if (strength := find_strength(modulations)) is not None:
            tables["components"] = _tabulate_components(strength[0], config)
    for table in tables.values():
        table["network"] = kept[table["network"]]
    found = found.reindex(columns=MEASURES).astype(float).set_axis(kept).rename_axis("network").reset_index()
    return Findings(networks=networks.merge(found, on="network", how="left"), **tables)


def _leave_blank(networks: pd.DataFrame, pathways: list[str], config: InterpretabilityConfig) -> Findings:
    """The tables of an arm of whose networks (columns network, passed) none is compared; a row per pathway."""
    place = {"network": [-1], "task": config.tasks[0]}
    rows = {
        "use": {"measure": USE[0], "value": np.nan},
        "decoding": {"labels": "true", "pair": "", "time_ms": 0.0, "early": True, "accuracy": np.nan, "held": np.nan},
    }
    if pathways:
        names = [*pathways, ALL]
        rows |= {
            "lesions": {"network": -1, "lesion": names, "kind": "pathway", "loss": np.nan},
            "pairs": {"first": config.tasks[0], "second": config.tasks[0], "blocks": 1.0, "cosine": np.nan},
            "relations": {"network": -1, "pathway": names, "r": np.nan, "p": np.nan},
            "components": {"component": 0, "strength": np.nan},
            "units": {"unit": 0, "cluster": -1, "gain": np.nan, "bias": np.nan, "variance": np.nan},
        }
    tables = {name: pd.DataFrame(place | row) for name, row in rows.items()}
    return Findings(networks=networks.assign(**dict.fromkeys(MEASURES, np.nan)), **tables)


def _measure_use(visits: list[Visited], config: InterpretabilityConfig) -> pd.DataFrame:
    """USE of every network in every task: network, task, measure, value."""
    values = np.empty((len(visits), len(config.tasks), len(USE)))
    for i, k in np.ndindex(values.shape[:2]):
        states = visits[i].states(0, k)
        rates = np.abs(states)
        values[i, k] = rates.mean(), active_fraction(rates.mean(axis=0)), np.square(states).sum(axis=1).mean()
    return lay_out({"network": range(len(visits)), "task": config.tasks, "measure": USE}, value=values)


def _decode(visits: list[Visited], config: InterpretabilityConfig, shuffle: bool) -> pd.DataFrame:
    tasks, pairs = config.task_set, ambiguous_pairs(config.task_set)
    steps, parts = decoded_steps(tasks, pairs, config.decode_every_ms), []
    for i, visited in enumerate(visits):
        for pair in pairs:
            early, name = early_step(tasks, pair), " / ".join(config.tasks[k] for k in pair)
            for labels in ("true", "shuffled") if shuffle else ("true",):
                read = decode_pair(visited, 0, pair, steps, early, config.n_folds, labels == "shuffled")
                step = read.pop("step")
                times = {"time_ms": (step + 1) * tasks.dt_ms, "early": step <= early}
                parts.append(read.assign(network=i, labels=labels, pair=name, **times))
    return pd.concat(parts, ignore_index=True)


def _average_decoding(decoding: pd.DataFrame) -> pd.DataFrame:
    """DECODED, per network: over all times; before any stimulus; and then, by the decoder from before it."""
    true = decoding[decoding["labels"] == "true"]
    means = {
        "decoding": true.groupby("network")["accuracy"].mean(),
        "decoding_early": true[true["early"]].groupby("network")["accuracy"].mean(),
        "decoding_held": true[~true["early"]].groupby("network")["held"].mean(),
    }
    return pd.DataFrame(means)


def _summarise_modulation(
    modulations: dict[str, np.ndarray], variances: list[np.ndarray], network: int
) -> dict[str, float]:
    values, strength, gain = {}, find_strength(modulations), find_modulation(modulations, "gain")
    if strength is not None:
        values["components_used"] = sharing.count_effective(strength[network].var(axis=0))
    if gain is not None:
        values["gain_follows_use"] = sharing.follow_use(gain[network], variances[network])
    return values


def find_strength(modulations: dict[str, np.ndarray]) -> np.ndarray | None:
    """Strengths (M, K, R) of synaptic components, if a pathway has some."""
    return next((x for name, x in modulations.items() if PATHWAYS[name].has_components), None)


def find_modulation(modulations: dict[str, np.ndarray], what: str) -> np.ndarray | None:
    """Modulation (M, K, N) of what each unit has one of, "gain" or "bias", if a pathway sets it."""
    return next((x for name, x in modulations.items() if PATHWAYS[name].acts_on(what)), None)


def _select(lesions: pd.DataFrame, config: InterpretabilityConfig) -> pd.DataFrame:
    """SELECTIVITY of single components and of random directions, per network; empty without components."""
    rows: dict[int, dict[str, float]] = {}
    for (network, kind), part in lesions[lesions["kind"] != "pathway"].groupby(["network", "kind"]):
        losses = part.pivot(index="lesion", columns="task", values="loss")[list(config.tasks)].to_numpy()
        end = "_random" if kind == "random" else ""
        measured = {f"selectivity{end}": sharing.concentrate(losses), f"lesion_size{end}": losses.mean()}
        rows.setdefault(network, {}).update(measured)
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(SELECTIVITY), dtype=float)


def _relate(
    modulations: dict[str, np.ndarray], config: InterpretabilityConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Correlations of each pathway, similarities of all pairs, and relatedness with its p value per network."""
    blocks = sharing.share_blocks(config.task_set.tasks)
    cosines = {name: np.stack([sharing.compare_modulations(x) for x in values]) for name, values in modulations.items()}
    cosines = {ALL: np.mean(list(cosines.values()), axis=0)} | cosines

    def test(similarities: np.ndarray, name: str) -> tuple[float, float]:
        rng = stream(config.seed, "relabelling", name)
        return sharing.permute_relation(blocks, similarities, n_permutations=config.n_permutations, rng=rng)

    rows, tested = [], {name: [test(c[None], name) for c in of_pathway] for name, of_pathway in cosines.items()}
    for name, of_networks in tested.items():
        _, p = test(cosines[name], name)
        rows += [{"pathway": name, "network": i, "r": r, "p": p} for i, (r, _) in enumerate(of_networks)]
    first, second = np.triu_indices(len(blocks), k=1)
    names = np.array(config.tasks)
    columns = {"first": names[first], "second": names[second], "blocks": blocks[first, second]}
    pairs = [pd.DataFrame(columns | {"network": i, "cosine": c[first, second]}) for i, c in enumerate(cosines[ALL])]
    related = pd.DataFrame(tested[ALL], columns=["relatedness", "relatedness_p"])
    return pd.DataFrame(rows), pd.concat(pairs, ignore_index=True), related


def _tabulate_components(strength: np.ndarray, config: InterpretabilityConfig) -> pd.DataFrame:
    """Strengths (K, R) of the first network's components, which come in the order of their variance over tasks."""
    order = np.argsort(-strength.var(axis=0), kind="stable")
    return lay_out({"task": config.tasks, "component": order}, strength=strength[:, order]).assign(network=0)


def _tabulate_units(
    modulations: dict[str, np.ndarray], variance: np.ndarray, config: InterpretabilityConfig
) -> pd.DataFrame:
    """Gain, bias, task variance and cluster of the first network's units; no modulation where it has no pathway."""
    found = {name: find_modulation(modulations, name) for name in ("gain", "bias")}
    values = {name: np.full(variance.shape, np.nan) if x is None else x[0] for name, x in found.items()}
    table = lay_out({"task": config.tasks, "unit": range(variance.shape[1])}, **values, variance=variance)
    return table.assign(cluster=cluster_units(variance, config.max_clusters).label[table["unit"]], network=0)
