"""Figure 16: in what share of the settings of training main effects of figures 2, 3 and 5 stand, on random maps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from cemrnn.figures.fig16_multiverse.config import (
    ARMS_COMPARED,
    CHOICES,
    MultiverseConfig,
    PopulationKey,
    Setting,
    conditions,
)
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import titles
from cemrnn.figures.shared.battery import draw_fresh
from cemrnn.figures.shared.frames import SINGLE, select, summarise, weigh_pathways
from cemrnn.figures.shared.packing import MATCHES
from cemrnn.measures.intervals import estimate_crossed, estimate_difference
from cemrnn.measures.packing import kept_share
from cemrnn.measures.robustness import normalise_accuracy
from cemrnn.network.budget import budget_gap
from cemrnn.network.noise import NoiseStream
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks.cues import centre, draw_frozen_noise
from cemrnn.tasks.scores import score_trials
from cemrnn.training.config import TrainingConfig

MEASURES = ("accuracy", "robustness", "joint")
SAID = (  # CHOICES in words
    "activation",
    "learning rate",
    "number of synaptic components",
    "scale of the initial recurrent weights",
    "number of updates",
)
CONTRASTS = {
    "excitability_minus_synaptic": SINGLE,
    "combined_minus_synaptic": ("combined", "synaptic"),
    "combined_minus_best_single": ARMS_COMPARED,
}
EFFECT = ["measure", "match", "contrast"]


@experiment
def run(config: MultiverseConfig) -> tuple[Tables, Scalars]:
    """Accuracy over maps, robustness to a noisy cue, both in one score, and the effects of arms in every setting.

    The joint score of a network is the mean of the share of information that it holds, and of the share that noise
    leaves, 0 for a network that knows too few of its maps with clean cues to be asked for it.
    """
    networks = pd.concat(_measure_all(config), ignore_index=True)
    effects = _effect_table(networks)
    tables = {
        "networks": networks,
        "arms": pd.concat([_mean_table(networks, measure) for measure in MEASURES], ignore_index=True),
        "effects": effects,
        "choices": _choice_table(effects),
    }
    return tables, _scalars(tables, config)


def _measure_all(config: MultiverseConfig) -> Iterator[pd.DataFrame]:
    """One row per network of every population; networks that are in several, as combined ones, are run once."""
    measured: dict[tuple[TrainingConfig, ...], dict[str, np.ndarray]] = {}
    for key, trainings in config.populations():
        networks = tuple(trainings)
        if networks not in measured:
            measured[networks] = measure(trainings, config)
        number = config.settings().index(key.setting)
        described = {"setting": number, **key.setting._asdict(), "arm": key.arm, "match": key.match}
        values = measured[networks]
        robust = np.where(values["accuracy"] < config.least_clean, 0.0, values["robustness"])
        joint = (kept_share(values["accuracy"], config.n_sites) + robust) / 2
        yield pd.DataFrame(described | {"network": range(len(trainings))} | values | {"joint": joint})


def measure(trainings: list[TrainingConfig], config: MultiverseConfig) -> dict[str, np.ndarray]:
    """Accuracy with clean cues (M,), and mean share that is kept with noisy ones; NaN where training failed."""
    model, networks = load_population(trainings, Store.default(), device=config.device)
    trials = draw_fresh(config.task_set, config.seeds, config.test_trials).to(model.flat.device)
    cue = trials.cue()
    noise = centre(draw_frozen_noise(config.seeds, *cue.shape[1:], "multiverse", "cue noise").to(cue))
    right = []
    for sigma in config.sigmas:
        streams = NoiseStream(config.seeds, name="test", device=model.flat.device)
        outputs, _ = model.simulate(trials.inputs, cue + sigma * noise, noise=streams, lengths=trials.end_steps)
        right.append(score_trials(outputs, trials, config.rule).float().mean(1).cpu().numpy())
    clean, *noisy = np.array(right)  # (L, M), the first level is 0
    kept = normalise_accuracy(np.mean(noisy, axis=0), 1 / config.n_sites, clean)
    kept[clean < config.least_clean] = np.nan
    failed = np.array([network.status == "failed" for network in networks])
    return {"accuracy": np.where(failed, np.nan, clean), "robustness": np.where(failed, np.nan, kept)}


def _effect_table(networks: pd.DataFrame) -> pd.DataFrame:
    """One row per measure, reading, contrast and setting: the effect over networks with its interval."""
    rows = []
    where = ["match", "setting", *CHOICES]
    for (match, *setting), part in networks.groupby(where, sort=False):
        for measure, (contrast, arms) in itertools.product(MEASURES, CONTRASTS.items()):
            samples = [select(part, arm=arm)[measure].to_numpy(float) for arm in arms]
            labels = dict(zip(EFFECT, (measure, match, contrast), strict=True))
            labels |= dict(zip(["setting", *CHOICES], setting, strict=True))
            rows.append(labels | estimate_difference(*samples, paired=False).to_columns("value"))
    return pd.DataFrame(rows)


def _choice_table(effects: pd.DataFrame) -> pd.DataFrame:
    """One row per effect, choice and level: the mean effect over the settings with that level, and its interval."""
    parts = []
    for choice in CHOICES:
        of_levels = effects.rename(columns={choice: "level"})
        table = summarise(of_levels, [*EFFECT, "level"], "value")
        parts.append(table.assign(choice=choice, level=table["level"].astype(str)))
    return pd.concat(parts, ignore_index=True)


def _mean_table(networks: pd.DataFrame, measure: str) -> pd.DataFrame:
    table = summarise(networks, ["setting", "arm", "match"], measure)
    return table.rename(columns={measure: "value"}).assign(measure=measure)


def _scalars(tables: Tables, config: MultiverseConfig) -> Scalars:
    scalars: Scalars = {"n_networks": len(conditions(config)), "n_settings": len(config.settings())}
    scalars["largest_budget_difference"] = max(_gap(setting, config) for setting in config.settings())
    varied = [len(set(values)) > 1 for values in zip(*config.settings(), strict=True)]
    scalars["varied"] = ", ".join(itertools.compress(SAID, varied)) or "nothing"
    scalars["not_varied"] = "".join(f", {said}" for said, is_varied in zip(SAID, varied, strict=True) if not is_varied)
    for measure, match in itertools.product(MEASURES, MATCHES):
        grids, name = _grids(select(tables["networks"], match=match), measure), f"{measure}_{match}"
        scalars |= weigh_pathways(name, grids, estimate_crossed)
        pair = [grids[arm] for arm in CONTRASTS["combined_minus_synaptic"]]
        scalars |= estimate_crossed(*pair).to_scalars(f"{name}_combined_minus_synaptic")
        scalars[f"{name}_n_settings"] = grids["combined"].shape[1]
        for contrast in CONTRASTS:
            rows = select(tables["effects"], measure=measure, match=match, contrast=contrast).dropna(subset="value")
            scalars |= _count_signs(rows, f"{name}_{contrast}")
    return scalars | {"title": name_outcome(scalars)}


def _gap(setting: Setting, config: MultiverseConfig) -> float:
    """How far the trained parameters of arms are apart where they are meant to be equal."""
    keys = [PopulationKey(setting, arm, "parameters") for arm in ARMS_COMPARED]
    return budget_gap(config.training(key, config.seed).network for key in keys)


def _grids(networks: pd.DataFrame, measure: str) -> dict[str, np.ndarray]:
    """Arm -> (M, P) values, of those settings in which every network of every arm has one."""
    whole = networks.groupby("setting")[measure].apply(lambda values: values.notna().all())
    kept = networks[networks["setting"].isin(whole.index[whole])]
    columns = sorted(kept["setting"].unique())
    grid = {
        arm: select(kept, arm=arm).pivot(index="network", columns="setting", values=measure) for arm in ARMS_COMPARED
    }
    return {arm: of_arm.reindex(columns=columns).to_numpy(float) for arm, of_arm in grid.items()}


def _count_signs(rows: pd.DataFrame, name: str) -> Scalars:
    """In how many settings there is an effect to tell; in how many it is positive, or its interval clear of 0."""
    counts = {"told": len(rows), "positive": (rows["value"] > 0).sum()}
    counts |= {"above": (rows["low"] > 0).sum(), "below": (rows["high"] < 0).sum()}
    return {f"{name}_{key}": int(count) for key, count in counts.items()}


def name_outcome(scalars: Scalars) -> str:
    name = "accuracy_units_combined_minus_best_single"
    share = (
        f"{scalars[f'{name}_positive']} of {scalars[f'{name}_told']} settings, clearly in {scalars[f'{name}_above']}"
    )
    noise = titles.choose(
        scalars,
        titles.PATHWAYS.format("robustness_parameters"),
        "excitability bears more noise",
        "synapses bear more noise",
        "neither pathway is shown to bear more noise",
        alike="either pathway bears as much noise as the other",
    )
    maps = f"At equal units both pathways together have learned more than the better one in {share}"
    return f"{maps}; {noise}, at equal parameters"
