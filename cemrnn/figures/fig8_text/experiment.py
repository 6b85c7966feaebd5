"""Figure 8: predicting the next character of one register of text, and of several with one network."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from cemrnn.figures.remember import Scalars, Tables, experiment_here
from cemrnn.figures.shared import sequence_models
from cemrnn.figures.shared.frames import collect_samples, lay_out, mean_scalars, summarise
from cemrnn.figures.shared.sequence_models import RIVALS, Comparison, SequencesConfig, contrast_combined, load_models
from cemrnn.measures.evidence import weigh
from cemrnn.network.model import CEMRNN
from cemrnn.tasks.sequences import TextSet
from cemrnn.tasks.sequences.documents import READERS, check_registers
from cemrnn.tasks.sequences.text import bigram_bits, count_bigrams, draw_sample
from cemrnn.training.learner import choose_device
from cemrnn.training.sequence_learner import cue_of
from cemrnn.training.sequences import SequenceConfig

CUES = ("told", "ambiguous", "swapped")


@dataclass(frozen=True, kw_only=True)
class TextConfig(SequencesConfig):
    """What figure 8 is computed from."""

    registers: tuple[str, ...]  # two or more of prose, code and c; the first is also learned alone
    corpus: str  # path of a UTF-8 file to use in place of the first register; empty: none
    n_steps: int  # characters per trial
    warm_up: int  # characters at the beginning of a held-out passage that are not scored
    n_symbols: int  # characters of the alphabet; the last one stands for all others
    n_updates: int  # updates of the weights
    passage_characters: int  # characters whose mean context is to tell the register
    sample_characters: int  # characters that each model writes

    def __post_init__(self) -> None:
        super().__post_init__()
        sequence_models.check_models("models", self.models, ("plain", "combined", "gru"))
        sequence_models.check_models("packing_models", self.packing_models, ("plain", "bias", "combined"))
        check_registers(self.registers, READERS, fewest=2)
        if not 1 <= self.passage_characters <= self.n_steps:
            got = self.passage_characters
            raise ValueError(f"passage_characters: expected 1 to n_steps = {self.n_steps}, got {got}")

    @property
    def learned_registers(self) -> tuple[str, ...]:
        """The registers, with the corpus in place of the first if there is one."""
        return ("corpus", *self.registers[1:]) if self.corpus else self.registers

    @property
    def single(self) -> Comparison:
        """The first register, context inferred."""
        return self._comparison(self.learned_registers[:1])

    @property
    def inferred(self) -> Comparison:
        """All registers, context inferred."""
        return self._comparison(self.learned_registers)

    @property
    def told(self) -> Comparison:
        """All registers, context told, with as many parameters as where it is inferred."""
        budget = self.inferred.recipes("combined", [self.seed])[0].n_parameters
        return dataclasses.replace(self.inferred, n_inferred=None, budget=budget)

    def _comparison(self, registers: tuple[str, ...]) -> Comparison:
        sizes = dict(n_steps=self.n_steps, n_symbols=self.n_symbols, warm_up=self.warm_up)
        return self.comparison_on(TextSet(registers=registers, corpus=self.corpus, **sizes), self.n_updates)


def conditions(config: TextConfig) -> list[SequenceConfig]:
    """Every network that the figure needs.

    Raises:
        ValueError: the corpus is too short for them, or has no parts to hold out.
    """
    _check_corpus(config)
    recipes = config.recipes(config.single, config.models) + config.recipes(config.told, config.packing_models)
    return recipes + config.recipes(config.inferred, ["combined"])


def _check_corpus(config: TextConfig) -> None:
    if not config.corpus:
        return
    data = config.single.data
    try:
        n_training = len(data.codes()["corpus"]["training"])
        if n_training <= config.n_steps:
            raise ValueError(f"text: expected more than {config.n_steps} characters to train on, got {n_training}")
        for part, size in (("validation", config.validation_size), ("test", config.test_size)):
            data.held_out(part, size)
    except ValueError as error:
        raise ValueError(f"corpus: {config.corpus}: {error}") from None


@experiment_here(measured="timed_")
def run(config: TextConfig) -> tuple[Tables, Scalars]:
    """Bits per character of every model, at equal updates and at equal time; packing of registers; samples."""
    bits, learning, timed = sequence_models.score_models(config.single, config)
    packed, separation = _score_packed(config)
    tables = {
        "bits": summarise(bits, ["arm"], "bits"),
        "networks": bits,
        "learning": learning,
        "timed": summarise(timed, ["arm"], "bits"),
        "packed": summarise(packed, ["arm", "cue", "register"], "bits"),
        "separation": summarise(separation, ["training"], "share"),
        "samples": pd.DataFrame([{"arm": model, "text": _write(model, config)} for model in config.models]),
    }
    return tables, _scalars(bits, timed, packed, separation, config)


def _write(model: str, config: TextConfig) -> str:
    """What the first network of a model writes after the beginning of the test text; nothing if all failed."""
    data, alphabet = config.single.data, config.single.data.alphabet()
    ensemble, trained = load_models(config.single.recipes(model, config.seeds), config.device)
    kept = [m for m, network in enumerate(trained) if network.status != "failed"]
    start = "".join(alphabet[code] for code in data.codes()[data.registers[0]]["test"][: data.n_steps])
    if not kept:
        return ""
    return draw_sample(ensemble.select(kept), start, data, None, config.sample_characters, config.seed)


def _score_packed(config: TextConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bits per arm, cue, register and network; shares of passages whose context tells their register."""
    parts = []
    for model in config.packing_models:
        loaded = load_models(config.told.recipes(model, config.seeds), config.device)
        cues = ("none",) if model == "plain" else CUES
        parts += [_score_cue(*loaded, model, cue, config.told.data, config) for cue in cues]
    ensemble, trained = load_models(config.inferred.recipes("combined", config.seeds), config.device)
    parts.append(_score_cue(ensemble, trained, "combined", "inferred", config.inferred.data, config))
    untrained = CEMRNN(ensemble.config, config.seeds, device=choose_device(config.device))
    after = np.where([n.status == "failed" for n in trained], np.nan, separate_registers(ensemble, config))
    shares = np.stack([separate_registers(untrained, config), after])
    separation = lay_out({"training": ["before", "after"], "network": range(len(after))}, share=shares)
    return pd.concat(parts, ignore_index=True), separation


def _score_cue(ensemble, trained, model: str, cue: str, data: TextSet, config: TextConfig) -> pd.DataFrame:
    """Bits of the networks of a model on every register, with one cue: none, inferred, or one of CUES."""
    test = data.held_out("test", config.test_size).to(ensemble.flat.device)
    context, bits = change_cue(cue_of(ensemble, test), cue) if cue in CUES else None, []
    for k in range(len(data.registers)):
        chosen = (test.context[0] == k).nonzero().flatten()
        told = None if context is None else context[:, chosen]
        bits.append(sequence_models.score_held_out(ensemble, trained, test.part(chosen), "bits", told))
    axes = {"arm": [model], "cue": [cue], "register": data.registers, "network": range(len(trained))}
    return lay_out(axes, bits=np.stack(bits))


def change_cue(right: torch.Tensor, cue: str) -> torch.Tensor:
    """Cues (..., K) from the right ones: those, the even mixture of all, or that of the next register, in a circle."""
    if cue == "ambiguous":
        return torch.full_like(right, 1 / right.shape[-1])
    return right if cue == "told" else right.roll(1, -1)


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


def _scalars(bits, timed, packed, separation, config: TextConfig) -> Scalars:
    values = collect_samples(bits, "arm", "bits")
    scalars = mean_scalars(values, name="bits_{}")
    scalars |= contrast_combined(values, "bits_{}_minus_combined", fewer_is_better=True)
    at_time = collect_samples(timed, "arm", "bits")
    scalars |= contrast_combined(at_time, "timed_{}_minus_combined", halves=False, fewer_is_better=True)
    for model, rival in RIVALS.items():
        scalars[f"bits_against_{model}"] = sequence_models.describe_lead(scalars, f"bits_{model}_minus_combined", rival)
    scalars["title"] = (
        f"In predicting text, combined modulation {sequence_models.describe_leads(scalars, 'bits_{}_minus_combined')}"
    )
    both = packed.groupby(["arm", "cue", "network"], as_index=False)["bits"].mean()
    cued = collect_samples(both.assign(condition=both["arm"] + "_" + both["cue"]), "condition", "bits")
    scalars |= mean_scalars(cued, name="packed_{}")
    told = {model: cued[f"{model}_told"] for model in config.packing_models if model != "plain"}
    scalars |= contrast_combined(told, "packed_{}_minus_combined", fewer_is_better=True)
    share = collect_samples(separation, "training", "share")
    scalars |= mean_scalars(share, name="separation_{}")
    for name, *samples in (
        ("packed_plain_minus_inferred", cued["plain_none"], cued["combined_inferred"]),
        ("packed_swapped_minus_told", cued["combined_swapped"], cued["combined_told"]),
        ("packed_plain_minus_told", cued["plain_none"], cued["combined_told"]),
        ("separation_trained_minus_untrained", share["after"], share["before"]),
    ):
        scalars |= weigh(name, sequence_models.compare, *samples)
    return scalars | _describe(bits, config)


def _describe(bits: pd.DataFrame, config: TextConfig) -> Scalars:
    """What was learned, by which networks, and what bigrams make of it."""
    data, names = config.single.data, config.learned_registers
    codes, test = data.codes()[data.registers[0]], data.held_out("test", config.test_size)
    return {
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
