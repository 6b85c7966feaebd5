"""The models behind figures 7 and 8 at equal numbers of parameters, and the settings that each was tuned to."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cemrnn.budget import match_budget
from cemrnn.config import unknown_name
from cemrnn.model import NetworkConfig, count_parameters
from cemrnn.modulation import ARMS
from cemrnn.sequences import GatedConfig, ImageSet, SequenceConfig, TextSet, match_gated
from cemrnn.training import train

GATED = ("gru", "lstm")
# Gating cannot infer a context: a gate that is drawn at random and fixed has to be told which one to open.
MODELS = (*(arm for arm in ARMS if arm != "gating"), *GATED)
TAU_MS = 100.0


class Setting(NamedTuple):
    """What is tuned for each model: as many values of either, whatever the model.

    Attributes:
        learning_rate: of the first update; it falls to zero along a cosine.
        keeps: whether the state is kept by default: a leak of one half instead of none, or for gated networks a bias
            of one instead of zero on the gate that keeps.
    """

    learning_rate: float
    keeps: bool


GRID = tuple(Setting(*point) for point in itertools.product((0.003, 0.01, 0.03), (False, True)))
# Data -> model -> the best point of the grid, by the mean score of two networks on validation data; see `tune`.
TUNED: dict[str, dict[str, Setting]] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What all models of a comparison have in common.

    Attributes:
        data: what they learn.
        n_units, rank: of the combined network, whose number of parameters the others match.
        n_inferred: K, contexts that the encoder infers; None: the context is told.
        n_updates, batch_trials, evaluate_every, validation_size: see `SequenceConfig`.
    """

    data: ImageSet | TextSet
    n_units: int
    rank: int
    n_inferred: int | None
    n_updates: int
    batch_trials: int
    evaluate_every: int
    validation_size: int

    def network(self, model: str, *, keeps: bool = False) -> NetworkConfig | GatedConfig:
        """The network of a model, at the budget of the combined one.

        Raises:
            ValueError: the model is unknown, or no size matches the budget.
        """
        if model not in MODELS:
            raise ValueError(unknown_name(model, MODELS, "model"))
        sizes = dict(n_inputs=self.data.n_inputs, n_outputs=self.data.n_outputs)
        reference = NetworkConfig(
            arm="combined",
            n_units=self.n_units,
            rank=self.rank,
            n_contexts=self.n_inferred or self.data.n_contexts,
            context_source="cue" if self.n_inferred is None else "input",
            dt_ms=TAU_MS / 2 if keeps else TAU_MS,
            tau_ms=TAU_MS,
            sigma_rec=0.0,
            **sizes,
        )
        if model not in GATED:
            return match_budget(model, reference)
        told = self.data.n_contexts if self.n_inferred is None else 0
        gated = GatedConfig(arm=model, n_units=1, n_contexts=told, keep_bias=float(keeps), **sizes)
        return match_gated(gated, count_parameters(reference))

    def recipes(self, model: str, seeds: Sequence[int], setting: Setting) -> list[SequenceConfig]:
        """The networks of a model, one per seed."""
        network = self.network(model, keeps=setting.keeps)
        return [
            SequenceConfig(
                network=network,
                data=self.data,
                n_updates=self.n_updates,
                batch_trials=self.batch_trials,
                learning_rate=setting.learning_rate,
                evaluate_every=self.evaluate_every,
                validation_size=self.validation_size,
                seed=seed,
            )
            for seed in seeds
        ]


def tune(plan: Plan, models: Sequence[str], seeds: Sequence[int], checkpoints: Path | None = None) -> pd.DataFrame:
    """Score of every model at every point of the grid on validation data, a row each, mean over seeds.

    Args:
        plan: what is learned, and for how long.
        models: names in `MODELS`.
        seeds: that no figure uses.
        checkpoints: folder in which trainings that are interrupted go on; None for no checkpoints.
    """
    rows = []
    for model, setting in itertools.product(models, GRID):
        name = f"{model}-{setting.learning_rate}-{setting.keeps}.safetensors"
        path = None if checkpoints is None else checkpoints / name
        networks = train(plan.recipes(model, seeds, setting), device="cpu", checkpoint=path)
        scores = [network.history[plan.data.score_name].iloc[-1] for network in networks]
        rows.append({"model": model, **setting._asdict(), plan.data.score_name: float(np.mean(scores))})
    return pd.DataFrame(rows)
