"""Text as sequences of characters: registers as contexts, an alphabet, passages, bigrams and samples."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cemrnn.config import Config, digest
from cemrnn.random import stream
from cemrnn.tasks.sequences.batch import Batch
from cemrnn.tasks.sequences.documents import (
    OTHER,
    REGISTERS,
    check_apart,
    check_registers,
    drop_repeats,
    read_documents,
    split_documents,
)


@dataclass(frozen=True, kw_only=True)
class TextSet(Config):
    """A task of predicting the next character; the context of a trial is its register."""

    registers: tuple[str, ...]  # among REGISTERS
    n_steps: int  # T, characters per trial
    n_symbols: int  # size of the alphabet: the most frequent characters of the training text, and one for all others
    warm_up: int  # characters at the beginning of a held-out passage that are read and not scored
    corpus: str = ""  # path of the file behind the register `corpus`
    checksum: str = ""  # of the documents; found if it is empty, else the documents must have it

    def __post_init__(self) -> None:
        super().__post_init__()
        check_registers(self.registers, REGISTERS, fewest=1)
        if ("corpus" in self.registers) != bool(self.corpus):
            raise ValueError(f"corpus: expected a path with the register corpus and none without, got {self.corpus!r}")
        if not 0 <= self.warm_up < self.n_steps or self.n_symbols < 2:
            raise ValueError(f"warm_up, n_symbols: expected 0 to T - 1 and 2 or more, got {self.warm_up} and "
                             f"{self.n_symbols}")  # fmt: skip
        if not self.checksum:
            object.__setattr__(self, "checksum", _checksum(self.registers, self.corpus))

    @property
    def n_contexts(self) -> int:
        """K."""
        return len(self.registers)

    @property
    def n_inputs(self) -> int:
        """I."""
        return self.n_symbols

    @property
    def n_outputs(self) -> int:
        """O."""
        return self.n_symbols

    @property
    def score_name(self) -> str:
        """Column of the history."""
        return "bits"

    def draw(self, seeds: Sequence[int], number: int, n_trials: int) -> Batch:
        """Training trials of the update of that number; registers in turn, passages at random; see `ImageSet.draw`."""
        pools = [codes["training"] for codes in self.codes().values()]
        which = (np.arange(n_trials) + number * n_trials) % self.n_contexts
        last = np.array([len(pool) - self.n_steps for pool in pools])[which]
        starts = [stream(seed, "sequences", str(number)).integers(0, last) for seed in seeds]
        steps = np.arange(self.n_steps + 1)
        passages = [[pools[k][s + steps] for k, s in zip(which, row, strict=True)] for row in starts]
        return make_batch(np.array(passages), np.broadcast_to(which, (len(seeds), n_trials)), self.n_symbols, 0)

    def held_out(self, part: Literal["validation", "test"], n_characters: int | None = None) -> Batch:
        """Passages that cover the first characters of a part of every register; the same for all networks (M = 1)."""
        passages, which = [], []
        for k, codes in enumerate(self.codes().values()):
            cut = cut_passages(codes[part][:n_characters], self.n_steps, self.warm_up)
            passages.append(cut)
            which.append(np.full(len(cut), k))
        return make_batch(np.concatenate(passages)[None], np.concatenate(which)[None], self.n_symbols, self.warm_up)

    def alphabet(self) -> str:
        """The characters, the most frequent first; the last one stands for all others."""
        return _alphabet(self)

    def codes(self) -> Mapping[str, Mapping[str, np.ndarray]]:
        """Register -> part -> its text as positions in the alphabet."""
        return _codes(self)


def make_batch(passages: np.ndarray, which: np.ndarray, n_symbols: int, warm_up: int) -> Batch:
    """Passages (M, B, T + 1) as trials: the first T characters are read, and those after the warm-up predicted."""
    codes = torch.from_numpy(np.ascontiguousarray(passages.swapaxes(1, 2)))  # (M, T + 1, B): the engine's layout
    inputs = torch.nn.functional.one_hot(codes[:, :-1], n_symbols).float()
    targets = codes[:, 1 + warm_up :]
    return Batch(inputs.transpose(1, 2), targets.transpose(1, 2), torch.from_numpy(np.array(which)))


def cut_passages(codes: np.ndarray, n_steps: int, warm_up: int) -> np.ndarray:
    """Passages (B, T + 1), each predicting what follows the warm-up; no character is predicted twice.

    Raises:
        ValueError: the text is shorter than one passage.
    """
    stride = n_steps - warm_up
    starts = np.arange(0, len(codes) - n_steps, stride)
    if len(starts) == 0:
        raise ValueError(f"text: expected more than {n_steps} held-out characters, got {len(codes)}")
    return codes[starts[:, None] + np.arange(n_steps + 1)]


def count_bigrams(codes: np.ndarray, n_symbols: int) -> np.ndarray:
    """Probability (symbol, next symbol) of each symbol after each, from counts to which one was added."""
    counts = np.ones((n_symbols, n_symbols))
    np.add.at(counts, (codes[:-1], codes[1:]), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def bigram_bits(batch: Batch, table: np.ndarray) -> np.ndarray:
    """Bits (B,) per character of a table of bigrams on the passages of a batch of one network."""
    n_scored = batch.targets.shape[2]
    current = batch.inputs[0, :, -n_scored:].argmax(-1).numpy()
    return -np.log2(table[current, batch.targets[0].numpy()]).mean(axis=1)


@torch.no_grad()
def draw_sample(model, start: str, data: TextSet, context: Tensor | None, n_characters: int, seed: int) -> str:
    """What the first network of an ensemble writes after a start; the window that it sees is that of training.

    Args:
        model: M networks.
        start: text that it reads first.
        data: gives alphabet and window.
        context: (1, 1, K) cue, or None.
        n_characters: to be drawn.
        seed: of the draws.
    """
    alphabet, generator = data.alphabet(), stream(seed, "sample")
    position = {character: code for code, character in enumerate(alphabet)}
    codes = [position.get(character, len(alphabet) - 1) for character in start]
    alone = model.select([0])
    for _ in range(n_characters):
        window = torch.tensor(codes[-data.n_steps :])
        inputs = torch.nn.functional.one_hot(window, data.n_symbols)[None, None].to(alone.flat.dtype)
        outputs, _ = alone.run(inputs.to(alone.flat.device), context)
        chances = torch.softmax(outputs[0, 0, -1].double(), dim=-1).cpu().numpy()
        codes.append(int(generator.choice(len(chances), p=chances / chances.sum())))
    return "".join(alphabet[code] for code in codes[-n_characters:])


@functools.cache
def _documents(registers: tuple[str, ...], corpus: str) -> dict[str, dict[str, str]]:
    return {register: drop_repeats(read_documents(register, corpus)) for register in registers}


@functools.cache
def _checksum(registers: tuple[str, ...], corpus: str) -> str:
    return digest(_documents(registers, corpus))


@functools.cache
def _texts(data: TextSet) -> dict[str, dict[str, str]]:
    """Register -> part -> text.

    Raises:
        ValueError: the documents are not those of the checksum, or some of their text is in two parts.
    """
    if _checksum(data.registers, data.corpus) != data.checksum:
        raise ValueError("checksum: the documents here are not those that the recipe was made for")
    texts = {}
    for register, documents in _documents(data.registers, data.corpus).items():
        parts = split_documents(documents)
        texts[register] = {part: "".join(documents[name] for name in names) for part, names in parts.items()}
        check_apart(texts[register])
    return texts


@functools.cache
def _alphabet(data: TextSet) -> str:
    counts = sum((Counter(parts["training"]) for parts in _texts(data).values()), Counter())
    del counts[OTHER]
    frequent = sorted(counts, key=lambda character: (-counts[character], character))
    return "".join(frequent[: data.n_symbols - 1]).ljust(data.n_symbols - 1, OTHER) + OTHER


@functools.cache
def _codes(data: TextSet) -> dict[str, dict[str, np.ndarray]]:
    other = data.n_symbols - 1
    position = {character: code for code, character in enumerate(data.alphabet()) if character != OTHER}
    return {
        register: {part: np.array([position.get(c, other) for c in text]) for part, text in parts.items()}
        for register, parts in _texts(data).items()
    }
