"""Figure 8: predicting the next character of one register of text, and of several with one network."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch

from cemrnn.figures.remember import Scalars, Tables, experiment_here
from cemrnn.figures.shared.battery import ReplicatesConfig, collect_samples, mean_scalars, summarise
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
from cemrnn.network.model import CEMRNN
from cemrnn.tasks.sequences import Batch, TextSet
from cemrnn.tasks.sequences.documents import READERS, check_registers
from cemrnn.tasks.sequences.text import bigram_bits, count_bigrams, draw_sample
from cemrnn.training.learner import choose_device
from cemrnn.training.sequence_learner import cue_of, score_batch
from cemrnn.training.sequences import SequenceConfig

CUES = ("told", "ambiguous", "swapped")


@dataclass(frozen=True, kw_only=True)
class TextConfig(ReplicatesConfig):
    """What figure 8 is computed from."""

    models: tuple[str, ...]  # networks that infer their context, and baselines
    packing_models: tuple[str, ...]  # networks that are told the register
    registers: tuple[str, ...]  # two or more of prose, code and c; the first is also learned alone
    corpus: str  # path of a UTF-8 file to use in place of the first register; empty: none
    n_units: int  # units of the combined arm; the other models match its number of parameters
    rank: int  # synaptic components of the combined arm
    n_inferred: int  # numbers of the context that is inferred
    encoder_reads: Literal["input", "state"]  # what it is inferred from: input, or state for input and state
    n_steps: int  # characters per trial
    warm_up: int  # characters at the beginning of a held-out passage that are not scored
    n_symbols: int  # characters of the alphabet; the last one stands for all others
    n_updates: int  # updates of the weights
    batch_trials: int  # passages per update and network
    validation_size: int  # validation characters per register
    test_size: int  # test characters per register
    passage_characters: int  # characters whose mean context is to tell the register
    sample_characters: int  # characters that each model writes

    def __post_init__(self) -> None:
        super().__post_init__()
        check_models("models", self.models, ("plain", "combined", "gru"))
        check_models("packing_models", self.packing_models, ("plain", "bias", "combined"))
        check_registers(self.registers, READERS, fewest=2)
        if not 1 <= self.passage_characters <= self.n_steps:
            raise ValueError(f"passage_characters: expected 1 to n_steps = {self.n_steps}, got "
                             f"{self.passage_characters}")  # fmt: skip

    @property
    def learned_registers(self) -> tuple[str, ...]:
        """The registers, with the corpus in place of the first if there is one."""
        return ("corpus", *self.registers[1:]) if self.corpus else self.registers

    @property
    def single(self) -> Comparison:
        """The first register, context inferred."""
        return self._comparison(self.learned_registers[:1], self.n_inferred)

    @property
    def inferred(self) -> Comparison:
        """All registers, context inferred."""
        return self._comparison(self.learned_registers, self.n_inferred)

    @property
    def told(self) -> Comparison:
        """All registers, context told, with as many parameters as where it is inferred."""
        budget = self.inferred.recipes("combined", [self.seed])[0].n_parameters
        return dataclasses.replace(self.inferred, n_inferred=None, budget=budget)

    def _comparison(self, registers: tuple[str, ...], n_inferred: int | None) -> Comparison:
        data = TextSet(
            registers=registers,
            n_steps=self.n_steps,
            n_symbols=self.n_symbols,
            warm_up=self.warm_up,
            corpus=self.corpus,
        )
        return Comparison(
            data=data,
            n_units=self.n_units,
            rank=self.rank,
            n_inferred=n_inferred,
            encoder_reads=self.encoder_reads,
            n_updates=self.n_updates,
            batch_trials=self.batch_trials,
            evaluate_every=max(1, self.n_updates // 10),
            validation_size=self.validation_size,
        )


def conditions(config: TextConfig) -> list[SequenceConfig]:
    """Every network that the figure needs."""
    recipes = [recipe for model in config.models for recipe in config.single.recipes(model, config.seeds)]
    recipes += [recipe for model in config.packing_models for recipe in config.told.recipes(model, config.seeds)]
    return recipes + config.inferred.recipes("combined", config.seeds)


@experiment_here
def run(config: TextConfig) -> tuple[Tables, Scalars]:
    """Bits per character of every model, at equal updates and at equal time; packing of registers; samples."""
    bits, learning, timed, samples = _score_single(config)
    packed, separation = _score_packed(config)
    tables = {
        "bits": summarise(bits, ["arm"], "bits", seed=config.seed),
        "networks": bits,
        "learning": learning,
        "timed": summarise(timed, ["arm"], "bits", seed=config.seed),
        "packed": summarise(packed, ["arm", "cue", "register"], "bits", seed=config.seed),
        "separation": summarise(separation, ["training"], "share", seed=config.seed),
        "samples": samples,
    }
    return tables, _scalars(bits, timed, packed, separation, config)


def _score_single(config: TextConfig) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Per network: bits on the test; validation bits while it learned, and at equal time; what the models write."""
    comparison, rows, histories, samples = config.single, [], {}, []
    test = comparison.data.held_out("test", config.test_size)
    start = _read_start(comparison.data)
    for model in config.models:
        recipes = comparison.recipes(model, config.seeds)
        ensemble, trained = load_models(recipes, config.device)
        bits = score_batch(ensemble, test.to(ensemble.flat.device), "bits").tolist()
        size = {"n_parameters": recipes[0].n_parameters, "n_units": recipes[0].network.n_units}
        rows += [{"arm": model, "network": m, "bits": b} | size for m, b in enumerate(bits)]
        histories[model] = (recipes, trained)
        text = draw_sample(ensemble, start, comparison.data, None, config.sample_characters, config.seed)
        samples.append({"arm": model, "text": text})
    return pd.DataFrame(rows), *score_in_time(histories, "bits", config.seed), pd.DataFrame(samples)


def _score_packed(config: TextConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bits per arm, cue, register and network; shares of passages whose context tells their register."""
    rows, test = [], config.told.data.held_out("test", config.test_size)
    for model in config.packing_models:
        ensemble, _ = load_models(config.told.recipes(model, config.seeds), config.device)
        rows += _score_cues(ensemble, model, test.to(ensemble.flat.device), config.told.data)
    ensemble, _ = load_models(config.inferred.recipes("combined", config.seeds), config.device)
    rows += _rows(ensemble, "combined", "inferred", test.to(ensemble.flat.device), None, config.inferred.data)
    untrained = CEMRNN(ensemble.config, config.seeds, device=choose_device(config.device))
    separation = [
        {"training": training, "network": m, "share": share}
        for training, networks in (("before", untrained), ("after", ensemble))
        for m, share in enumerate(separate_registers(networks, config))
    ]
    return pd.DataFrame(rows), pd.DataFrame(separation)


def _score_cues(ensemble, model: str, test: Batch, data: TextSet) -> list[dict]:
    right = cue_of(ensemble, test)
    if model == "plain":
        return _rows(ensemble, model, "none", test, right, data)
    return [row for cue in CUES for row in _rows(ensemble, model, cue, test, change_cue(right, cue), data)]


def change_cue(right: torch.Tensor, cue: str) -> torch.Tensor:
    """Cues (..., K) from the right ones: those, the even mixture of all, or that of the next register, in a circle."""
    if cue == "ambiguous":
        return torch.full_like(right, 1 / right.shape[-1])
    return right if cue == "told" else right.roll(1, -1)


def _rows(ensemble, model: str, cue: str, test: Batch, context, data: TextSet) -> list[dict]:
    rows = []
    for k, register in enumerate(data.registers):
        chosen = (test.context[0] == k).nonzero().flatten()
        part = test.part(chosen)
        bits = score_batch(ensemble, part, "bits", None if context is None else context[:, chosen]).tolist()
        rows += [{"arm": model, "cue": cue, "register": register, "network": m, "bits": b} for m, b in enumerate(bits)]
    return rows


@torch.no_grad()
def separate_registers(networks: CEMRNN, config: TextConfig) -> np.ndarray:
    """Share (M,) of held-out passages whose mean context is nearer to the mean of their own register.

    The means of the registers are those of the validation text, the passages those of the test text.
    """
    means, which = zip(*(_average_context(networks, part, config) for part in ("validation", "test")), strict=True)
    n_registers = config.inferred.data.n_contexts
    centres = torch.stack([means[0][:, which[0] == k].mean(1) for k in range(n_registers)], dim=1)  # (M, register, K)
    nearest = torch.cdist(means[1], centres).argmin(-1)  # (M, passage)
    right = (nearest == which[1]).double()
    return torch.stack([right[:, which[1] == k].mean(1) for k in range(n_registers)]).mean(0).cpu().numpy()


def _average_context(networks: CEMRNN, part: str, config: TextConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean context (M, passage, K), and the register (passage,) of each passage."""
    size = config.validation_size if part == "validation" else config.test_size
    batch = config.inferred.data.held_out(part, size).to(networks.flat.device).repeat(networks.n_networks)
    reads_state = networks.config.context_source == "state"
    rates = networks.simulate(batch.inputs, None, noise=None, keep_rates=True)[1] if reads_state else None
    context = networks.infer_context(batch.inputs, rates)  # (M, B, T, K)
    n_passages = context.shape[2] // config.passage_characters
    passages = context[:, :, : n_passages * config.passage_characters].unflatten(2, (n_passages, -1)).mean(3)
    return passages.flatten(1, 2), batch.context[0].repeat_interleave(n_passages)


def _read_start(data: TextSet) -> str:
    """The beginning of the test text, as the networks read it."""
    alphabet = data.alphabet()
    return "".join(alphabet[code] for code in data.codes()[data.registers[0]]["test"][: data.n_steps])


def _scalars(bits, timed, packed, separation, config: TextConfig) -> Scalars:
    seed, data, names = config.seed, config.single.data, config.learned_registers
    mean, difference = (functools.partial(f, seed=seed) for f in (bootstrap_mean, compare))
    values, at_time = collect_samples(bits, "arm", "bits"), collect_samples(timed, "arm", "bits")
    scalars: Scalars = {}
    scalars |= mean_scalars({f"bits_{model}": sample for model, sample in values.items()}, seed=seed)
    for model in config.models:
        if model != "combined":
            scalars |= weigh(f"bits_{model}_minus_combined", difference, values[model], values["combined"])
            scalars |= difference(at_time[model], at_time["combined"]).to_scalars(f"timed_{model}_minus_combined")
    for model, rival in RIVALS.items():
        scalars[f"bits_against_{model}"] = describe_lead(scalars, f"bits_{model}_minus_combined", rival)
    both = packed.groupby(["arm", "cue", "network"], as_index=False)["bits"].mean()
    cued = collect_samples(both.assign(condition=both["arm"] + "_" + both["cue"]), "condition", "bits")
    scalars |= mean_scalars({f"packed_{condition}": sample for condition, sample in cued.items()}, seed=seed)
    told = cued["combined_told"]
    for model in config.packing_models:
        if model not in ("plain", "combined"):
            scalars |= weigh(f"packed_{model}_minus_combined", difference, cued[f"{model}_told"], told)
    scalars |= weigh("packed_plain_minus_inferred", difference, cued["plain_none"], cued["combined_inferred"])
    scalars |= weigh("packed_swapped_minus_told", difference, cued["combined_swapped"], told)
    share = collect_samples(separation, "training", "share")
    scalars |= weigh("separation_trained_minus_untrained", difference, share["after"], share["before"])
    scalars |= mean_scalars({f"separation_{training}": sample for training, sample in share.items()}, seed=seed)
    codes, test = data.codes()[data.registers[0]], data.held_out("test", config.test_size)
    return scalars | {
        "bits_bigram": float(bigram_bits(test, count_bigrams(codes["training"], data.n_symbols)).mean()),
        "bits_uniform": float(np.log2(data.n_symbols)),
        "other_share": float((codes["test"] == data.n_symbols - 1).mean()),
        "n_training": len(codes["training"]),
        "n_test": int(test.targets.numel()),
        "n_parameters": int(bits.loc[bits["arm"] == "combined", "n_parameters"].iloc[0]),
        "parameter_spread": float(bits["n_parameters"].max() / bits["n_parameters"].min() - 1),
        "first_register": names[0],
        "registers": f"{', '.join(names[:-1])} and {names[-1]}",
        "separation_chance": 1 / len(names),
        "n_inferred": config.n_inferred,
        "passage_characters": config.passage_characters,
    }
