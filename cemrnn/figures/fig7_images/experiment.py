"""Figure 7: images as sequences, by rows and by pixels, and how many ways of permuting them one network packs."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cemrnn.figures.remember import Scalars, Tables, experiment_here
from cemrnn.figures.shared.battery import ReplicatesConfig, collect_samples, summarise
from cemrnn.figures.shared.sequence_models import (
    RIVALS,
    Comparison,
    check_models,
    compare,
    describe_lead,
    load_models,
    score_in_time,
)
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import bootstrap_mean
from cemrnn.tasks.sequences import ImageSet
from cemrnn.training.sequence_learner import score_batch
from cemrnn.training.sequences import SequenceConfig

SCANS = ("rows", "pixels")
CHANCE = 0.1  # ten digits, about as many images of each


@dataclass(frozen=True, kw_only=True)
class ImagesConfig(ReplicatesConfig):
    """What figure 7 is computed from."""

    source: Literal["digits", "mnist"]  # images: digits (with scikit-learn) or mnist (after `cemrnn data mnist`)
    models: tuple[str, ...]  # networks that infer their context, and baselines
    n_units: int  # units of the combined arm; the other models match its number of parameters
    rank: int  # synaptic components of the combined arm
    n_inferred: int  # numbers of the context that is inferred
    encoder_reads: Literal["input", "state"]  # what it is inferred from: input, or state for input and state
    rows_updates: int  # updates of the weights, images by rows
    pixels_updates: int  # updates of the weights, images by pixels
    packing_models: tuple[str, ...]  # networks that are told the context
    packing_transform: Literal["permute", "rotate"]  # what a context does to an image: permute or rotate
    packing_units: tuple[int, ...]  # units of the combined arm, for packing
    packing_counts: tuple[int, ...]  # numbers of permutations that one network learns
    packing_updates: int  # updates of the weights, for packing
    batch_trials: int  # images per update and network
    validation_size: int  # validation images, at most
    test_size: int  # test images, at most

    def __post_init__(self) -> None:
        super().__post_init__()
        check_models("models", self.models, ("plain", "combined", "gru"))
        check_models("packing_models", self.packing_models, ("bias", "combined"))

    def comparison(self, scan: str) -> Comparison:
        """Images read in one way, context inferred."""
        n_updates = self.rows_updates if scan == "rows" else self.pixels_updates
        return self._comparison(ImageSet(source=self.source, scan=scan), self.n_units, self.n_inferred, n_updates)

    def packing_comparison(self, n_units: int, n_contexts: int) -> Comparison:
        """Images by rows, transformed in so many ways, context told."""
        data = ImageSet(source=self.source, scan="rows", n_contexts=n_contexts, transform=self.packing_transform)
        return self._comparison(data, n_units, None, self.packing_updates)

    @property
    def packing_cells(self) -> list[tuple[int, int]]:
        """(N, K) of every packing condition."""
        return list(itertools.product(self.packing_units, self.packing_counts))

    def control(self) -> list[SequenceConfig]:
        """Combined networks that learn shuffled labels."""
        comparison = self.comparison("rows")
        return dataclasses.replace(comparison, data=dataclasses.replace(comparison.data, shuffle_labels=True)).recipes(
            "combined", self.seeds
        )

    def _comparison(self, data: ImageSet, n_units: int, n_inferred: int | None, n_updates: int) -> Comparison:
        return Comparison(
            data=data,
            n_units=n_units,
            rank=self.rank,
            n_inferred=n_inferred,
            encoder_reads=self.encoder_reads,
            n_updates=n_updates,
            batch_trials=self.batch_trials,
            evaluate_every=max(1, n_updates // 10),
            validation_size=self.validation_size,
        )


def conditions(config: ImagesConfig) -> list[SequenceConfig]:
    """Every network that the figure needs."""
    comparisons = [(config.comparison(scan), config.models) for scan in SCANS]
    comparisons += [(config.packing_comparison(*cell), config.packing_models) for cell in config.packing_cells]
    recipes = [
        recipe
        for comparison, models in comparisons
        for model in models
        for recipe in comparison.recipes(model, config.seeds)
    ]
    return recipes + config.control()


@experiment_here
def run(config: ImagesConfig) -> tuple[Tables, Scalars]:
    """Test accuracy of every model, at equal updates and at equal time; packing; the control."""
    networks, learning, timed = _score_scans(config)
    packing = _score_packing(config)
    shuffled, _ = load_models(config.control(), config.device)
    control = score_batch(
        shuffled, config.comparison("rows").data.held_out("test", config.test_size), "accuracy"
    ).numpy()
    tables = {
        "accuracy": summarise(networks, ["scan", "arm"], "accuracy", seed=config.seed),
        "networks": networks,
        "learning": learning,
        "timed": summarise(timed, ["scan", "arm"], "accuracy", seed=config.seed),
        "packing": summarise(packing, ["arm", "n_units", "n_contexts"], "accuracy", seed=config.seed),
    }
    return tables, _scalars(networks, timed, packing, control, config)


def _score_scans(config: ImagesConfig) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Per network: test accuracy; validation accuracy while it learned; the same at equal time."""
    scores, learning, timed = [], [], []
    for scan in SCANS:
        comparison = config.comparison(scan)
        test = comparison.data.held_out("test", config.test_size)
        histories = {}
        for model in config.models:
            recipes = comparison.recipes(model, config.seeds)
            ensemble, trained = load_models(recipes, config.device)
            accuracy = score_batch(ensemble, test.to(ensemble.flat.device), "accuracy").tolist()
            size = {"n_parameters": recipes[0].n_parameters, "n_units": recipes[0].network.n_units}
            scores += [{"scan": scan, "arm": model, "network": m, "accuracy": a} | size for m, a in enumerate(accuracy)]
            histories[model] = (recipes, trained)
        curves, equal = score_in_time(histories, "accuracy", config.seed)
        learning.append(curves.assign(scan=scan))
        timed.append(equal.assign(scan=scan))
    return pd.DataFrame(scores), pd.concat(learning, ignore_index=True), pd.concat(timed, ignore_index=True)


def _score_packing(config: ImagesConfig) -> pd.DataFrame:
    """Test accuracy per model, size, number of contexts and network, all contexts together."""
    rows = []
    for n_units, n_contexts in config.packing_cells:
        comparison = config.packing_comparison(n_units, n_contexts)
        test = comparison.data.held_out("test", config.test_size)
        for model in config.packing_models:
            ensemble, _ = load_models(comparison.recipes(model, config.seeds), config.device)
            accuracy = score_batch(ensemble, test.to(ensemble.flat.device), "accuracy").tolist()
            cell = {"arm": model, "n_units": n_units, "n_contexts": n_contexts}
            rows += [cell | {"network": m, "accuracy": a} for m, a in enumerate(accuracy)]
    return pd.DataFrame(rows)


def _scalars(networks, timed, packing, control: np.ndarray, config: ImagesConfig) -> Scalars:
    seed = config.seed
    mean, difference = (functools.partial(f, seed=seed) for f in (bootstrap_mean, compare))
    scalars: Scalars = {}
    for scan in SCANS:
        values = collect_samples(networks[networks["scan"] == scan], "arm", "accuracy")
        at_time = collect_samples(timed[timed["scan"] == scan], "arm", "accuracy")
        for model in config.models:
            scalars |= mean(values[model]).to_scalars(f"{scan}_{model}")
            if model != "combined":
                scalars |= weigh(f"{scan}_combined_minus_{model}", difference, values["combined"], values[model])
                name = f"{scan}_timed_combined_minus_{model}"
                scalars |= difference(at_time["combined"], at_time[model]).to_scalars(name)
        for model, rival in RIVALS.items():
            scalars[f"{scan}_against_{model}"] = describe_lead(scalars, f"{scan}_combined_minus_{model}", rival)
    scalars |= {f"against_{model}": describe_scans(scalars, model) for model in RIVALS}
    most = packing[packing["n_contexts"] == max(config.packing_counts)]
    values = collect_samples(most.groupby(["arm", "network"], as_index=False)["accuracy"].mean(), "arm", "accuracy")
    for model in config.packing_models:
        scalars |= mean(values[model]).to_scalars(f"packing_{model}")
        if model != "combined":
            scalars |= weigh(f"packing_combined_minus_{model}", difference, values["combined"], values[model])
    sizes = networks.groupby("scan")["n_parameters"]
    images = config.comparison("rows").data
    return (
        scalars
        | weigh("shuffled_minus_chance", mean, control - CHANCE)
        | {
            "n_parameters": config.comparison("rows").recipes("combined", config.seeds)[0].n_parameters,
            "parameter_spread": float((sizes.max() / sizes.min()).max() - 1),
            "n_test": images.held_out("test", config.test_size).targets.shape[1],
            "n_inferred": config.n_inferred,
            "most_contexts": max(config.packing_counts),
        }
    )


def describe_scans(scalars: Mapping[str, float | int | str], rival: str) -> str:
    """What combined modulation does to a rival with either way of reading, the less favourable one first."""
    ordered = sorted(SCANS, key=lambda scan: scalars[f"{scan}_combined_minus_{rival}"])
    return ", and ".join(f"by {scan} it {scalars[f'{scan}_against_{rival}']}" for scan in ordered)
