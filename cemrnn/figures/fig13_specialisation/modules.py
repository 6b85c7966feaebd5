"""Pairs of coupled modules, many pairs of one size trained at once, and the trials that they learn from.

With φ = tanh, for the units of both modules side by side,

    h(t) = φ(g ⊙ (h(t-1) [mask(t) ⊙ (W + V diag(s) Uᵀ)] + u) + b + β),    h(0) = 0,

where u is a module's own digit through its own input weights. The mask is 1 inside of modules but on the diagonal, and
between modules where and when there is a connection. Each module has a readout, and the larger output decides.
Source: Béna & Goodman 2025 for structure and task; g, β and s are modulation as in the model of this book.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cemrnn.random import stream
from cemrnn.tasks.sequences.images import Images

N_MODULES, N_DIGITS = 2, 10
PARITY = "parity"  # in place of an arm: no context, the parities of both digits say which counts
REACHED = {  # arm -> whether context reaches the threshold, the gain, the synapses
    PARITY: (0, 0, 0),
    "plain": (0, 0, 0),
    "bias": (1, 0, 0),
    "excitability": (1, 1, 0),
    "synaptic": (0, 0, 1),
    "combined": (1, 1, 1),
}
OPEN = {  # when connections between modules transmit -> of all steps after the first, those that do
    "always": slice(None),
    "first": slice(0, 1),
    "last": slice(-1, None),
    "never": slice(0, 0),
}


class Setting(NamedTuple):
    """One kind of pair."""

    n_units: int  # of a module
    coupling: float  # share of the connections between modules that exist; at least one in each direction does
    alike: float  # share of the trials learned from in which the second digit is made the first; others are independent
    senders: int  # units of a module that connections to the other one start from
    channel: str  # when connections between modules transmit, an entry of `OPEN`
    n_steps: int  # T
    arm: str  # what context reaches, or `PARITY`

    @property
    def n_contexts(self) -> int:
        """K: one per digit, or just one without a context."""
        return 1 if self.arm == PARITY else N_MODULES

    @property
    def shape(self) -> tuple[int, int, int]:
        """What pairs that are trained at once have in common."""
        return self.n_units, self.n_steps, self.n_contexts


class Batch(NamedTuple):
    """Trials of M pairs; the first half of the trials is of context 0, if there are two."""

    images: Tensor  # (M, B, 2, pixels)
    labels: Tensor  # (M, B, 2)
    counted: Tensor  # (M, B), which of the digits is the answer

    @property
    def answers(self) -> Tensor:
        """(M, B) labels of the digits that count."""
        return self.labels.gather(2, self.counted[..., None])[..., 0]


class Run(NamedTuple):
    """What pairs do on trials."""

    states: Tensor  # (T, M, B, 2, n)
    outputs: Tensor  # (M, B, 2, digits), of each module at the last step


class Trials:
    """Trials of M pairs from the streams of their seeds: the same for pairs of one seed, but for digits made alike."""

    def __init__(self, images: Images, seeds: Sequence[int], settings: Sequence[Setting], name: str) -> None:
        """
        Args:
            images: of one part of the data.
            seeds: (M,) of the pairs.
            settings: (M,) of the pairs, of one shape.
            name: of the streams.
        """
        self.pixels = torch.from_numpy(images.pixels.reshape(len(images.pixels), -1))
        self.order = np.argsort(images.labels, kind="stable")
        self.counts = np.bincount(images.labels, minlength=N_DIGITS)
        self.starts = np.cumsum(self.counts) - self.counts
        self.streams = {seed: stream(seed, "modules", name) for seed in dict.fromkeys(seeds)}
        self.seeds = list(seeds)
        self.alike = np.array([setting.alike for setting in settings])[:, None]
        self.n_contexts = settings[0].n_contexts

    def draw(self, n_trials: int) -> Batch:
        """The next trials of every pair."""
        of_seed = {seed: generator.random((5, n_trials)) for seed, generator in self.streams.items()}
        first, second, same, *items = np.stack([of_seed[seed] for seed in self.seeds], axis=1)  # (M, B) each
        first, second = (np.floor(N_DIGITS * x).astype(int) for x in (first, second))
        labels = np.stack([first, np.where(same < self.alike, first, second)], axis=-1)  # (M, B, 2)
        within = np.floor(np.stack(items, axis=-1) * self.counts[labels]).astype(int)
        images = self.pixels[torch.from_numpy(self.order[self.starts[labels] + within])]
        return Batch(images, torch.from_numpy(labels), torch.from_numpy(self._count(labels)))

    def _count(self, labels: np.ndarray) -> np.ndarray:
        """(M, B): by context, or the first digit where parities differ and the second where they agree."""
        if self.n_contexts == 1:
            return 1 - (labels.sum(axis=-1) % 2)
        contexts = np.repeat(np.arange(N_MODULES), labels.shape[1] // N_MODULES)
        return np.broadcast_to(contexts, labels.shape[:2]).copy()


class Pairs:
    """M pairs of modules of one shape; what a parameter is stands in the module's equation."""

    def __init__(self, settings: Sequence[Setting], seeds: Sequence[int], *, rank: int, n_pixels: int) -> None:
        """
        Args:
            settings: (M,) of one shape.
            seeds: (M,); pairs of one seed begin from the same weights.
            rank: R, synaptic components.
            n_pixels: of a digit.
        """
        self.n_units, self.n_steps, self.n_contexts = settings[0].shape
        drawn = {s: draw_weights(self.n_units, self.n_contexts, rank, n_pixels, s) for s in dict.fromkeys(seeds)}
        self.weights = {
            name: torch.stack([drawn[seed][name] for seed in seeds]).requires_grad_() for name in drawn[seeds[0]]
        }
        masks = [draw_mask(setting, seed) for setting, seed in zip(settings, seeds, strict=True)]
        self.mask = torch.stack(masks, dim=1)[:, :, None]  # (T - 1, M, 1, N, N)
        reached = torch.tensor([REACHED[setting.arm] for setting in settings], dtype=torch.float32)
        self.reached = reached.T[:, :, None, None]  # (3, M, 1, 1)

    def simulate(self, images: Tensor) -> Run:
        """States and outputs on images (M, B, 2, pixels)."""
        weights, (on_threshold, on_gain, on_synapses) = self.weights, self.reached
        m, b = images.shape[:2]
        drive = torch.einsum("mbip,mipn->mbin", images, weights["input"]).reshape(m, self.n_contexts, -1, self.width)
        bias = (weights["b"][:, None] + on_threshold * weights["threshold"])[:, :, None]  # (M, K, 1, N)
        gain = (1 + on_gain * weights["gain"])[:, :, None]
        recurrent = weights["W"][:, None].expand(-1, self.n_contexts, -1, -1)  # (M, K, N, N)
        if on_synapses.any():
            strength = on_synapses * weights["strength"]  # (M, K, R)
            recurrent = recurrent + torch.einsum("mir,mkr,mjr->mkij", weights["V"], strength, weights["U"])
        states = [torch.tanh(gain * drive + bias)]
        for mask in self.mask:
            states.append(torch.tanh(gain * (states[-1] @ (mask * recurrent) + drive) + bias))
        modules = torch.stack(states).reshape(self.n_steps, m, b, N_MODULES, self.n_units)
        outputs = torch.einsum("mbin,mino->mbio", modules[-1], weights["readout"]) + weights["d"][:, None]
        return Run(modules, outputs)

    @property
    def width(self) -> int:
        """N: units of both modules."""
        return N_MODULES * self.n_units


def draw_weights(n_units: int, n_contexts: int, rank: int, n_pixels: int, seed: int) -> dict[str, Tensor]:
    """Name -> weights of one pair before training; context has no effect yet."""
    generator, n, k = stream(seed, "modules", "weights", str(n_units)), N_MODULES * n_units, n_contexts
    shapes = {  # shape, and number of inputs to a sum
        "input": ((N_MODULES, n_pixels, n_units), n_pixels),
        "W": ((n, n), n_units),
        "readout": ((N_MODULES, n_units, N_DIGITS), n_units),
        "V": ((n, rank), n_units),
        "U": ((n, rank), 1),
    }
    weights = {name: generator.standard_normal(shape) / np.sqrt(fan) for name, (shape, fan) in shapes.items()}
    zeros = {"b": (n,), "d": (N_MODULES, N_DIGITS), "threshold": (k, n), "gain": (k, n), "strength": (k, rank)}
    weights |= {name: np.zeros(shape) for name, shape in zeros.items()}
    return {name: torch.from_numpy(value.astype(np.float32)) for name, value in weights.items()}


def draw_mask(setting: Setting, seed: int) -> Tensor:
    """(T - 1, N, N) which connections transmit at each step after the first, from row to column.

    Those of a lower coupling are among those of a higher one, for pairs of one seed.
    """
    n = setting.n_units
    inside, nothing = 1 - np.eye(n), np.zeros((n, n))
    ranks = stream(seed, "modules", "connections", str(n)).permuted(np.tile(np.arange(n * n), (2, 1)), axis=1)
    there = (ranks < max(1, int(setting.coupling * n * n))).reshape(2, n, n)
    there = there & (np.arange(n) < setting.senders)[:, None]
    closed, opened = (np.block([[inside, f], [s, inside]]) for f, s in ((nothing, nothing), there))
    mask = np.repeat(closed[None], setting.n_steps - 1, axis=0)
    mask[OPEN[setting.channel]] = opened
    return torch.from_numpy(mask.astype(np.float32))


def train(pairs: Pairs, trials: Trials, *, n_updates: int, batch_trials: int, learning_rate: float) -> None:
    """Train every pair by Adam on the cross-entropy of its own trials."""
    optimiser = torch.optim.Adam(pairs.weights.values(), lr=learning_rate)
    for _ in range(n_updates):
        batch = trials.draw(batch_trials)
        outputs = pairs.simulate(batch.images).outputs.amax(dim=2)  # the larger of both modules decides
        loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), batch.answers.flatten(), reduction="sum")
        optimiser.zero_grad()
        (loss / batch_trials).backward()  # networks do not share weights: a sum over them is a loss of each
        optimiser.step()
