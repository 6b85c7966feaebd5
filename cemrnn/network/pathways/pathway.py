"""What a pathway is: all that the model, the engine, budgets, costs, lesions and figures need to know of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cemrnn.config import show
from cemrnn.network.pathways.matrix import Matrix

# What a pathway may add to the drive of the recurrence, and whether what several add is joined by their sum or product.
JOINED = {"bias": torch.add, "gain": torch.mul, "scale": torch.mul, "input_gain": torch.mul, "strength": None}


# What Matplotlib has, without loading it here.
MARKERS = (*".,ov^<>12348spP*hH+xXDd|_", "none")
LINES = ("-", "--", "-.", ":")


class _Look(NamedTuple):
    colour: str
    marker: str
    line: str


class Look(_Look):
    """How an arm or a pathway is drawn, in every figure."""

    __slots__ = ()

    def __new__(cls, colour: str, marker: str, line: str) -> Look:
        """The same, checked.

        Args:
            colour: #rrggbb, or a name that Matplotlib has.
            marker: one in MARKERS.
            line: one in LINES.

        Raises:
            ValueError: Matplotlib could not draw it.
        """
        if not is_colour(colour):
            raise ValueError(f"colour: expected one such as #117733, got {show(colour)}")
        for name, value, known in (("marker", marker, MARKERS), ("line", line, LINES)):
            if value not in known:
                raise ValueError(f"{name}: expected one of {' '.join(known)}, got {show(value)}")
        return super().__new__(cls, colour, marker, line)


def is_colour(colour: str) -> bool:
    """Whether Matplotlib can draw in a colour; it is loaded for names alone."""
    if isinstance(colour, str) and re.fullmatch("#[0-9a-fA-F]{6}", colour):
        return True
    from matplotlib.colors import is_color_like

    return isinstance(colour, str) and is_color_like(colour)


class Work(NamedTuple):
    """What one step of one trial takes."""

    products: int  # multiplications and additions in matrix products
    passes: int  # numbers that are passed over once more, one by one
    numbers: int  # numbers that a context sets: once per trial, or at every step at which it moves


class Pathway:
    """One way for context to act. A subclass says what it is; an instance has no state.

    Attributes:
        name: in configs.
        label: in figures.
        look: of the pathway, and of an arm that has no other.
        matrices: name -> trained tensor; one whose rows are contexts holds what the pathway learns of each.
        sets: what `drive` returns: some of bias, gain, input_gain, scale and strength.
        modulator: low-pass of the context that it reads, with tau_E or tau_S.
        shared: its tensors that are weights of the engine, whatever tells the context.
        stepped: weight of the engine from which it makes, step by step, what the pathway adds; "": it cannot.
        stepped_with: sources of the context with which it does.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    look: ClassVar[Look]
    matrices: ClassVar[Mapping[str, Matrix]] = {}
    sets: ClassVar[tuple[str, ...]]
    modulator: ClassVar[Literal["excitability", "synaptic"]] = "excitability"
    shared: ClassVar[tuple[str, ...]] = ()
    stepped: ClassVar[str] = ""
    stepped_with: ClassVar[tuple[str, ...]] = ()

    def drive(self, tensors: Mapping[str, Tensor], modulator: Tensor) -> dict[str, Tensor]:
        """What it adds to the drive of the recurrence, with a trial axis and a time axis B and T | 1.

        "bias" (M, B, T | 1, N) is added to the bias; "gain" (M, B, T | 1, N) multiplies what a unit receives,
        "input_gain" (M, B, T | 1, I) the inputs, "scale" (M, B, T | 1, 1) the recurrent weights; "strength"
        (M, B, T | 1, R) is that of synaptic components.

        Args:
            tensors: trained and fixed ones, each with the network axis first.
            modulator: (M, B, T | 1, K) the context as the pathway sees it.
        """
        raise NotImplementedError

    def draw_fixed(self, config, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Tensors of one network that are drawn once and never trained."""
        return {}

    def refuse(self, source: str) -> str:
        """Why it cannot follow a context from a source ("cue", "input" or "state"); empty if it can."""
        can = source != "state" or source in self.stepped_with
        return "" if can else "what it adds is made before the trial, and so cannot follow the state"

    def work(self, config) -> Work:
        """What it adds to a step of the plain network."""
        numbers = sum(self.matrices[name].shape(config)[1] for name in self.learned)
        passes = sum(n for name, n in (("gain", config.n_units), ("input_gain", config.n_inputs)) if name in self.sets)
        return Work(numbers * config.n_contexts * config.infers_context, passes, numbers)

    @property
    def has_components(self) -> bool:
        """Whether it has synaptic components, whose number is the network's rank."""
        return any("component" in matrix for matrix in self.matrices.values())

    @property
    def sized_by(self) -> str:
        """Field of the config by which an arm that contains it meets a budget."""
        return "rank" if self.has_components else "n_units"

    @property
    def learned(self) -> list[str]:
        """Tensors (M, K, F) that hold what it learned of each context."""
        return [name for name, matrix in self.matrices.items() if matrix.rows == "context"]

    def acts_on(self, name: str) -> bool:
        """Whether its modulation is one number per unit for "bias" or "gain"."""
        return self.sets == (name,) and [self.matrices[x].columns for x in self.learned] == ["unit"]

    def modulation(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """What it learned of each context (M, K, F), in units in which features can be compared."""
        return torch.cat([tensors[name].detach() for name in self.learned], dim=2)

    def hold(self, tensors: Mapping[str, Tensor]) -> None:
        """Lesion it in place: its modulation becomes the same in all contexts, the mean over them.

        At zero it would also lose what it does in all contexts alike, which other weights could do as well.
        """
        with torch.no_grad():
            for name in self.learned:
                tensors[name].copy_(tensors[name].mean(dim=1, keepdim=True).expand_as(tensors[name]))


def project(modulator: Tensor, weight: Tensor) -> Tensor:
    """Products (M, B, T | 1, F) of a modulator (M, B, T | 1, K) with weights (M, K, F)."""
    # One product per network is faster, but its bits depend on the other networks.
    return modulator @ weight[:, None]
