"""Trained tensors: their letter in the model, what their axes are, and how they start."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cemrnn.config import show, unknown_name

# Axis -> field of the network's config that says its length; the axis "one" has length 1, and "" is no axis.
AXES = {
    "unit": "n_units",
    "context": "n_contexts",
    "input": "n_inputs",
    "output": "n_outputs",
    "component": "rank",
}


def zeros(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Zeros."""
    return np.zeros(shape)


def gaussian(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Gaussian numbers with variance one over the number of rows."""
    return generator.standard_normal(shape) / math.sqrt(shape[0])


class _Matrix(NamedTuple):
    letter: str
    rows: str
    columns: str
    start: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


class Matrix(_Matrix):
    """What a trained tensor is.

    Attributes:
        letter: in the model's equations, one that no other tensor of the network has.
        rows, columns: "unit", "context", "input", "output", "component" (the rank) or "one"; a vector has no rows.
        start: initial values from a generator and the shape. They are zero unless it says otherwise; where two tensors
            are multiplied with each other, start one of them from `gaussian`, or neither will learn.
    """

    __slots__ = ()

    def __new__(
        cls,
        letter: str,
        rows: str,
        columns: str,
        start: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray] = zeros,
    ) -> Matrix:
        """The same, checked.

        Raises:
            ValueError: an axis is unknown, the letter is none, or the start is no function.
        """
        if not isinstance(letter, str) or not letter:
            raise ValueError(f"letter: expected one, such as H, got {show(letter)}")
        for name, axis, known in (("rows", rows, (*AXES, "one", "")), ("columns", columns, (*AXES, "one"))):
            if axis not in known:
                raise ValueError(unknown_name(axis, filter(None, known), f"{name} of the matrix {letter}:"))
        if not callable(start):
            raise ValueError(f"start of the matrix {letter}: expected a function, got {show(start)}")
        return super().__new__(cls, letter, rows, columns, start)

    def shape(self, config) -> tuple[int, ...]:
        """Its shape in one network."""
        return tuple(1 if axis == "one" else getattr(config, AXES[axis]) for axis in self[1:3] if axis)


# Of every network; W starts as the config says.
CORE = {
    "recurrent": Matrix("W", "unit", "unit"),
    "input": Matrix("B", "input", "unit", gaussian),
    "bias": Matrix("b", "", "unit"),
    "readout": Matrix("C", "unit", "output", gaussian),
    "readout_bias": Matrix("d", "", "output"),
}
# Of a network that infers its context, which starts from the input alone; the last one where it reads its state.
ENCODER = {"encoder_input": Matrix("C_u", "input", "context", gaussian), "encoder_bias": Matrix("c_0", "", "context")}
STATE_ENCODER = {"encoder_state": Matrix("C_r", "unit", "context")}
