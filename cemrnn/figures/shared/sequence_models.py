"""The models behind figures 7 and 8 at equal numbers of parameters, and the settings that each was tuned to."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from cemrnn.config import unknown_name
from cemrnn.figures.result import Scalars
from cemrnn.figures.shared.battery import ReplicatesConfig
from cemrnn.figures.shared.frames import lay_out, summarise
from cemrnn.figures.shared.learning_curves import follow, take_in_time
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import Interval, estimate_difference
from cemrnn.network.budget import match_budget
from cemrnn.network.config import NetworkConfig, count_parameters
from cemrnn.network.ensemble import Ensemble
from cemrnn.network.gated import GatedConfig, match_gated
from cemrnn.network.pathways import ARMS
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.sweep.workload import time_updates
from cemrnn.tasks.sequences import Batch, ImageSet, TextSet
from cemrnn.training.learner import TrainedNetwork
from cemrnn.training.sequence_learner import score_batch
from cemrnn.training.sequences import SequenceConfig
from cemrnn.training.train import train

GATED = ("gru", "lstm")
REFERENCE = "combined"  # whose number of parameters the others match
TAU_MS = 100.0
TRIM = 0.2  # share of the networks at either end that is left out of a difference, rounded down: one may fail to learn
RIVALS = {"gru": "a GRU", "plain": "a plain network"}  # of combined modulation, in titles; the stronger one first


class Setting(NamedTuple):
    """What is tuned for each model: as many values of either, whatever the model."""

    learning_rate: float  # of the first update; it falls to zero along a cosine
    # Whether the state is kept by default: a leak of one half instead of none, or for gated networks a bias of one
    # instead of zero on the gate that keeps.
    keeps: bool


GRID = tuple(Setting(*point) for point in itertools.product((0.003, 0.01, 0.03, 0.1), (False, True)))
# Data -> the best learning rate of each model, and the models whose state is best kept, by the mean score on validation
# data; see `tune`. Packed and told: 16 permutations, or prose and code, with a cue; other numbers take the same.
TUNED_MODELS = ("plain", "bias", "gain", "excitability", "synaptic", "scalar", "combined", "gru", "lstm")
BEST_RATES = {
    "rows": (0.03, 0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.03, 0.1),
    "pixels": (0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.003, 0.1, 0.03),
    "packed": (0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.03, 0.03),
    "text": (0.01, 0.01, 0.01, 0.01, 0.01, 0.03, 0.01, 0.03, 0.1),
    "told": (0.01, 0.01, 0.01, 0.01, 0.01, 0.03, 0.01, 0.03, 0.1),
}
BEST_KEPT = {
    "rows": ("plain", "synaptic", "combined", "lstm"),
    "pixels": ("gain", "excitability", "synaptic", "scalar", "combined", "gru", "lstm"),
    "packed": (),
    "text": (),
    "told": ("gru",),
}
TUNED: dict[str, dict[str, Setting]] = {
    data: {model: Setting(rate, model in BEST_KEPT[data]) for model, rate in zip(TUNED_MODELS, rates, strict=True)}
    for data, rates in BEST_RATES.items()
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What all models of a comparison have in common; what has no comment is explained at `SequenceConfig`."""

    data: ImageSet | TextSet  # what they learn
    n_units: int  # of the combined network, whose number of parameters the others match
    rank: int  # of it, too
    n_inferred: int | None  # K, contexts that the encoder infers; None: the context is told
    encoder_reads: Literal["input", "state"]  # what a context is inferred from, the input alone or the state as well
    n_updates: int
    batch_trials: int
    evaluate_every: int
    validation_size: int
    budget: int | None = None  # trained parameters that the rank is chosen for, in place of the one given

    @property
    def tuned_on(self) -> str:
        """Which row of `TUNED` is for it."""
        if isinstance(self.data, ImageSet):
            return "packed" if self.data.n_contexts > 1 else self.data.scan
        return "told" if self.n_inferred is None else "text"

    def network(self, model: str, *, keeps: bool = False) -> NetworkConfig | GatedConfig:
        """The network of a model, at the budget of the combined one.

        Raises:
            ValueError: the model is unknown, or no size matches the budget.
        """
        check_models("model", [model], ())
        sizes = dict(n_inputs=self.data.n_inputs, n_outputs=self.data.n_outputs)
        reference = NetworkConfig(
            arm=REFERENCE,
            n_units=self.n_units,
            rank=self.rank,
            n_contexts=self.n_inferred or self.data.n_contexts,
            context_source="cue" if self.n_inferred is None else self.encoder_reads,
            dt_ms=TAU_MS / 2 if keeps else TAU_MS,
            tau_ms=TAU_MS,
            sigma_rec=0.0,
            **sizes,
        )
        if self.budget is not None:
            ranks = [dataclasses.replace(reference, rank=rank) for rank in range(1, self.budget // self.n_units)]
            reference = min(ranks, key=lambda network: abs(count_parameters(network) - self.budget))
        if model not in GATED:
            return match_budget(model, reference)
        told = self.data.n_contexts if self.n_inferred is None else 0
        gated = GatedConfig(arm=model, n_units=1, n_contexts=told, keep_bias=float(keeps), **sizes)
        return match_gated(gated, count_parameters(reference))

    def recipes(self, model: str, seeds: Sequence[int], setting: Setting | None = None) -> list[SequenceConfig]:
        """The networks of a model, one per seed, with the setting that it, or else the reference, was tuned to."""
        tuned = TUNED[self.tuned_on]
        setting = tuned.get(model, tuned[REFERENCE]) if setting is None else setting
        shared = ("data", "n_updates", "batch_trials", "evaluate_every", "validation_size")
        shared = {name: getattr(self, name) for name in shared}
        shared |= dict(network=self.network(model, keeps=setting.keeps), learning_rate=setting.learning_rate)
        return [SequenceConfig(**shared, seed=seed) for seed in seeds]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequencesConfig(ReplicatesConfig):
    """What the figures of sequences have in common: models that infer a context, and models that are told it."""

    models: tuple[str, ...]  # networks that infer their context, and baselines
    packing_models: tuple[str, ...]  # networks that are told the context
    n_units: int  # units of the combined arm; the other models match its number of parameters
    rank: int  # synaptic components of the combined arm
    n_inferred: int  # numbers of the context that is inferred
    encoder_reads: Literal["input", "state"]  # what it is inferred from: input, or state for input and state
    batch_trials: int  # images, or passages of text, per update and network
    validation_size: int  # images for validation, or characters per register, at most
    test_size: int  # images for the test, or characters per register, at most

    def comparison_on(self, data: ImageSet | TextSet, n_updates: int, **changes) -> Comparison:
        """The models on some data, with a context that is inferred unless the changes say otherwise."""
        shared = ("n_units", "rank", "n_inferred", "encoder_reads", "batch_trials", "validation_size")
        settings = {name: getattr(self, name) for name in shared} | changes
        return Comparison(data=data, n_updates=n_updates, evaluate_every=max(1, n_updates // 10), **settings)

    def recipes(self, comparison: Comparison, models: Sequence[str]) -> list[SequenceConfig]:
        """Every network of some models in a comparison."""
        return [recipe for model in models for recipe in comparison.recipes(model, self.seeds)]


def check_models(name: str, models: Sequence[str], needed: Sequence[str]) -> None:
    """Check that the models are known, and those that are needed among them.

    Raises:
        ValueError: they are not.
    """
    for model in models:
        if model not in ARMS and model not in GATED:
            raise ValueError(unknown_name(model, [*ARMS, *GATED], "model"))
    if missing := set(needed) - set(models):
        raise ValueError(f"{name}: expected {', '.join(needed)} among them, got no {', '.join(sorted(missing))}")


def load_models(recipes: Sequence[SequenceConfig], device: str) -> tuple[Ensemble, list[TrainedNetwork]]:
    """The trained networks of a model; what the store lacks is trained first."""
    return load_population(recipes, Store.default(), device=device)


def score_held_out(
    ensemble: Ensemble, trained: Sequence[TrainedNetwork], batch: Batch, score_name: str, context: Tensor | None = None
) -> np.ndarray:
    """Score (M,) of every network on a batch, NaN where its loss was not finite."""
    scores = score_batch(ensemble, batch.to(ensemble.flat.device), score_name, context).cpu().double().numpy()
    return np.where([network.status == "failed" for network in trained], np.nan, scores)


def score_models(comparison: Comparison, config: SequencesConfig) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Score of every network of every model on the test, while it learned, and at equal time; see `score_in_time`."""
    parts, histories, name = [], {}, comparison.data.score_name
    test = comparison.data.held_out("test", config.test_size)
    for model in config.models:
        recipes = comparison.recipes(model, config.seeds)
        ensemble, trained = load_models(recipes, config.device)
        histories[model] = (recipes, trained)
        scores = score_held_out(ensemble, trained, test, name)
        size = {"n_parameters": recipes[0].n_parameters, "n_units": recipes[0].network.n_units}
        axes = {"arm": [model], "network": range(len(recipes))}
        parts.append(lay_out(axes, **{name: scores}).assign(**size))
    return pd.concat(parts, ignore_index=True), *score_in_time(histories, name)


def compare(first: np.ndarray, second: np.ndarray) -> Interval:
    """Trimmed mean of the first model minus that of the second over replicates (M,), and its interval."""
    return estimate_difference(first, second, paired=False, trim=TRIM)


def contrast_combined(
    samples: Mapping[str, np.ndarray], name: str, *, fewer_is_better: bool = False, halves: bool = True
) -> Scalars:
    """By how much combined modulation does better than every other model, as scalars.

    Args:
        samples: model -> scores (M,).
        name: of the scalars, with {} for the other model.
        fewer_is_better: whether the score is a cost.
        halves: whether it is evidence, and told of halves of the replicates as well.
    """
    scalars: Scalars = {}
    for model in [model for model in samples if model != REFERENCE]:
        pair = (samples[REFERENCE], samples[model])[:: -1 if fewer_is_better else 1]
        full = name.format(model)
        scalars |= weigh(full, compare, *pair) if halves else compare(*pair).to_scalars(full)
    return scalars


def describe_lead(scalars: Mapping[str, float | int | str], measure: str, rival: str, *, sized: bool = True) -> str:
    """What combined modulation does to a rival, and by how much, as the end of a sentence.

    Args:
        scalars: the lead of combined modulation under the name of the measure, positive where it is better, and its
            interval.
        measure: name of the lead.
        rival: in words.
        sized: whether the size of the lead is told.
    """
    lead, low, high = (float(scalars[f"{measure}{end}"]) for end in ("", "_low", "_high"))
    if np.isnan(lead):
        return f"was not compared with {rival}"
    if round(abs(lead), 3) == 0:
        return f"does as well as {rival}"
    is_clear = low > 0 or high < 0
    surely, perhaps = ("loses to", "is behind") if lead < 0 else ("beats", "is ahead of")
    what = surely if is_clear else perhaps
    doubt = "" if is_clear else " (no interval)" if np.isnan(low) else " (interval includes zero)"
    return f"{what} {rival}{f' by {abs(lead):.3f}' if sized else ''}{doubt}"


def describe_leads(scalars: Mapping[str, float | int | str], measure: str) -> str:
    """What combined modulation does to its rivals, the stronger one first, for a title.

    Args:
        scalars: leads of combined modulation and their intervals.
        measure: name of a lead, with {} for the rival.
    """
    leads = (describe_lead(scalars, measure.format(model), rival, sized=False) for model, rival in RIVALS.items())
    return " and ".join(leads)


def score_in_time(
    histories: Mapping[str, tuple[Sequence[SequenceConfig], Sequence[TrainedNetwork]]], score_name: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Learning curves against updates and seconds, and the score of every network when the fastest model is done.

    Seconds of an update are measured on one core of this machine, the models by turns. Scores are on validation data;
    between two evaluations the earlier one counts.

    Args:
        histories: model -> its recipes and trained networks.
        score_name: column of the histories.

    Returns:
        Table with the columns arm, update, seconds, score, low, high; table with arm, network and score.
    """
    seconds = time_updates({model: recipes for model, (recipes, _) in histories.items()})
    limit_s = min(seconds[model] * recipes[0].n_updates for model, (recipes, _) in histories.items())
    frames = {model: [network.history for network in networks] for model, (_, networks) in histories.items()}
    curves = follow(frames, score_name).assign(seconds=lambda rows: rows["update"] * rows["arm"].map(seconds))
    timed = take_in_time(frames, seconds, limit_s, score_name)
    return summarise(curves, ["arm", "update", "seconds"], score_name), timed


def tune(comparison: Comparison, models: Sequence[str], seeds: Sequence[int]) -> pd.DataFrame:
    """Score of every model at every point of the grid on validation data, a row each, mean over seeds.

    NaN where the loss of a network did not stay finite.

    Args:
        comparison: what is learned, and for how long.
        models: names in `ARMS` or `GATED`.
        seeds: that no figure uses.
    """
    rows = []
    for model, setting in itertools.product(models, GRID):
        networks = train(comparison.recipes(model, seeds, setting), device="cpu")
        scores = [np.nan if n.status == "failed" else n.history[comparison.data.score_name].iloc[-1] for n in networks]
        rows.append({"model": model, **setting._asdict(), comparison.data.score_name: float(np.mean(scores))})
    return pd.DataFrame(rows)
