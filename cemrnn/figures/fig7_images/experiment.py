"""Figure 7: images as sequences, by rows and by pixels, and how many ways of permuting them one network packs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cemrnn.figures.remember import Scalars, Tables, experiment_here
from cemrnn.figures.shared import sequence_models
from cemrnn.figures.shared.frames import collect_samples, lay_out, mean_scalars, select, summarise, weigh_mean
from cemrnn.figures.shared.sequence_models import RIVALS, Comparison, SequencesConfig, contrast_combined, load_models
from cemrnn.tasks.sequences import ImageSet
from cemrnn.training.sequences import SequenceConfig

SCANS = ("rows", "pixels")
CHANCE = 0.1  # ten digits, about as many images of each
FALLEN = 0.1  # how far below the upper quartile of its model a network ends that stayed behind


@dataclass(frozen=True, kw_only=True)
class ImagesConfig(SequencesConfig):
    """What figure 7 is computed from."""

    source: Literal["digits", "mnist"]  # images: digits (with scikit-learn) or mnist (after `cemrnn data mnist`)
    rows_updates: int  # updates of the weights, images by rows
    pixels_updates: int  # updates of the weights, images by pixels
    packing_transform: Literal["permute", "rotate"]  # what a context does to an image: permute or rotate
    packing_units: tuple[int, ...]  # units of the combined arm, for packing
    packing_counts: tuple[int, ...]  # numbers of permutations that one network learns
    packing_updates: int  # updates of the weights, for packing

    def __post_init__(self) -> None:
        super().__post_init__()
        sequence_models.check_models("models", self.models, ("plain", "combined", "gru"))
        sequence_models.check_models("packing_models", self.packing_models, ("bias", "combined"))

    def comparison(self, scan: str) -> Comparison:
        """Images read in one way, context inferred."""
        n_updates = self.rows_updates if scan == "rows" else self.pixels_updates
        return self.comparison_on(ImageSet(source=self.source, scan=scan), n_updates)

    def packing_comparison(self, n_units: int, n_contexts: int) -> Comparison:
        """Images by rows, transformed in so many ways, context told."""
        data = ImageSet(source=self.source, scan="rows", n_contexts=n_contexts, transform=self.packing_transform)
        return self.comparison_on(data, self.packing_updates, n_units=n_units, n_inferred=None)

    @property
    def packing_cells(self) -> list[tuple[int, int]]:
        """(N, K) of every packing condition."""
        return list(itertools.product(self.packing_units, self.packing_counts))

    def control(self) -> list[SequenceConfig]:
        """Combined networks that learn shuffled labels."""
        comparison = self.comparison("rows")
        shuffled = dataclasses.replace(comparison.data, shuffle_labels=True)
        return dataclasses.replace(comparison, data=shuffled).recipes("combined", self.seeds)


def conditions(config: ImagesConfig) -> list[SequenceConfig]:
    """Every network that the figure needs."""
    comparisons = [(config.comparison(scan), config.models) for scan in SCANS]
    comparisons += [(config.packing_comparison(*cell), config.packing_models) for cell in config.packing_cells]
    return [recipe for pair in comparisons for recipe in config.recipes(*pair)] + config.control()


@experiment_here(measured=r"\w+_timed_")
def run(config: ImagesConfig) -> tuple[Tables, Scalars]:
    """Test accuracy of every model, at equal updates and at equal time; packing; the control."""
    scans = {scan: sequence_models.score_models(config.comparison(scan), config) for scan in SCANS}
    networks, learning, timed = (
        pd.concat([tables[i].assign(scan=scan) for scan, tables in scans.items()], ignore_index=True) for i in range(3)
    )
    packing = _score_packing(config)
    test = config.comparison("rows").data.held_out("test", config.test_size)
    control = sequence_models.score_held_out(*load_models(config.control(), config.device), test, "accuracy")
    tables = {
        "accuracy": summarise(networks, ["scan", "arm"], "accuracy"),
        "networks": networks,
        "learning": learning,
        "timed": summarise(timed, ["scan", "arm"], "accuracy"),
        "packing": summarise(packing, ["arm", "n_units", "n_contexts"], "accuracy"),
    }
    return tables, _scalars(tables["networks"], timed, packing, control, config)


def _score_packing(config: ImagesConfig) -> pd.DataFrame:
    """Test accuracy per model, size, number of contexts and network, all contexts together."""
    parts = []
    for n_units, n_contexts in config.packing_cells:
        comparison = config.packing_comparison(n_units, n_contexts)
        test = comparison.data.held_out("test", config.test_size)
        for model in config.packing_models:
            loaded = load_models(comparison.recipes(model, config.seeds), config.device)
            accuracy = sequence_models.score_held_out(*loaded, test, "accuracy")
            cell = {"arm": [model], "n_units": [n_units], "n_contexts": [n_contexts], "network": range(len(accuracy))}
            parts.append(lay_out(cell, accuracy=accuracy))
    return pd.concat(parts, ignore_index=True)


def _scalars(networks, timed, packing, control: np.ndarray, config: ImagesConfig) -> Scalars:
    scalars: Scalars = {}
    for scan in SCANS:
        values, at_time = (collect_samples(select(table, scan=scan), "arm", "accuracy") for table in (networks, timed))
        scalars |= mean_scalars(values, name=f"{scan}_{{}}")
        scalars |= {f"{scan}_fallen_{model}": count_fallen(of_model) for model, of_model in values.items()}
        scalars |= contrast_combined(values, f"{scan}_combined_minus_{{}}")
        scalars |= contrast_combined(at_time, f"{scan}_timed_combined_minus_{{}}", halves=False)
        for model, rival in RIVALS.items():
            measure = f"{scan}_combined_minus_{model}"
            scalars[f"{scan}_against_{model}"] = sequence_models.describe_lead(scalars, measure, rival)
    scalars |= {f"against_{model}": describe_scans(scalars, model) for model in RIVALS}
    most = select(packing, n_contexts=max(config.packing_counts))
    values = collect_samples(most.groupby(["arm", "network"], as_index=False)["accuracy"].mean(), "arm", "accuracy")
    scalars |= mean_scalars(values, name="packing_{}")
    scalars |= contrast_combined(values, "packing_combined_minus_{}")
    scalars |= weigh_mean("shuffled_minus_chance", control - CHANCE)
    sizes = networks.groupby("scan")["n_parameters"]
    return scalars | {
        "title": f"On images read as sequences, {describe_title(scalars)}",
        "n_parameters": config.comparison("rows").recipes("combined", config.seeds)[0].n_parameters,
        "parameter_spread": float((sizes.max() / sizes.min()).max() - 1),
        "n_test": config.comparison("rows").data.held_out("test", config.test_size).targets.shape[1],
        "n_inferred": config.n_inferred,
        "most_contexts": max(config.packing_counts),
        "fallen_by": FALLEN,
    }


def count_fallen(accuracy: np.ndarray) -> int:
    """How many networks (M,) of a model lie further below their upper quartile than `FALLEN`, or are NaN."""
    if np.isnan(accuracy).all():
        return len(accuracy)
    return int(np.sum(~(accuracy >= np.nanquantile(accuracy, 0.75) - FALLEN)))


def order_scans(scalars: Mapping[str, float | int | str], rival: str) -> list[str]:
    """The ways of reading, the one that is less favourable to combined modulation first."""
    return sorted(SCANS, key=lambda scan: scalars[f"{scan}_combined_minus_{rival}"])


def describe_scans(scalars: Mapping[str, float | int | str], rival: str) -> str:
    """What combined modulation does to a rival with either way of reading, the less favourable one first."""
    return ", and ".join(f"by {scan} it {scalars[f'{scan}_against_{rival}']}" for scan in order_scans(scalars, rival))


def describe_title(scalars: Mapping[str, float | int | str]) -> str:
    """What combined modulation does to its rivals, for the title; the worse way of reading first."""
    leads = {scan: sequence_models.describe_leads(scalars, f"{scan}_combined_minus_{{}}") for scan in SCANS}
    first, second = order_scans(scalars, next(iter(RIVALS)))
    return f"combined modulation {leads[first]} by {first}, and {leads[second]} by {second}"
