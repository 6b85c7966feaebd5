"""Trials as arrays of one's own: which there are, their shapes, and what they may hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from cemrnn.config import show, unknown_name

NAMES = ("inputs", "targets", "weights", "context")
MOST_CLASSES = 1000


def as_numbers(name: str, values: Any) -> np.ndarray:
    """An array of finite real numbers, float32.

    Raises:
        ValueError: it holds others; the message has the name.
    """
    values = values.detach().cpu() if isinstance(values, Tensor) else values
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            array = array.astype(np.float32, casting="safe")
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected an array of real numbers, got {show(values)}") from None
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got others")
    return array


def pad(values: np.ndarray, n_steps: int, name: str) -> np.ndarray:
    """The array of trials with zeros after its last step."""
    if name == "context" and values.ndim == 2:
        return values
    return np.pad(values, [(0, 0), (0, n_steps - values.shape[1]), *[(0, 0)] * (values.ndim - 2)])


def check_batch(given: Any, n_classes: int | None = None) -> dict[str, np.ndarray]:
    """Inputs (n, T, I), targets (n, T, O), weights (n, T), context (n, K) or (n, T, K), float32.

    Raises:
        ValueError: inputs or targets are missing, a shape is wrong, a name unknown, or a number not finite.
    """
    _check_names(given)
    inputs = as_numbers("inputs", given["inputs"])
    if inputs.ndim != 3 or not inputs.size:
        raise ValueError(f"inputs: expected (trial, time, input), got {inputs.shape}")
    n, n_steps = inputs.shape[:2]
    targets, weights, context = given["targets"], given.get("weights"), given.get("context")
    targets = _spread_classes(np.asarray(targets), n_classes, n_steps) if np.ndim(targets) == 1 else targets
    batch = {
        "inputs": inputs,
        "targets": as_numbers("targets", targets),
        "weights": np.ones((n, n_steps), np.float32) if weights is None else as_numbers("weights", weights),
        "context": np.ones((n, 1), np.float32) if context is None else as_numbers("context", context),
    }
    _check_shapes(batch, n, n_steps)
    if not (batch["weights"] >= 0).all() or not batch["weights"].any(axis=1).all():
        raise ValueError("weights: expected numbers >= 0, and one above 0 in every trial")
    return batch


def _check_names(given: Any) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"trials: expected arrays by name, inputs and targets, got {show(given)}")
    for name in given:
        if name not in NAMES:
            raise ValueError(unknown_name(name, NAMES, "array"))
    for name in NAMES[:2]:
        if given.get(name) is None:
            raise ValueError(f"{name}: expected an array, got none")


def _check_shapes(batch: Mapping[str, np.ndarray], n: int, n_steps: int) -> None:
    axes = {"targets": "(trial, time, output)", "weights": "(trial, time)", "context": "(trial, [time,] context)"}
    shapes = {"targets": [(n, n_steps, -1)], "weights": [(n, n_steps)], "context": [(n, -1), (n, n_steps, -1)]}
    for name, allowed in shapes.items():
        got = batch[name].shape
        fits = any(len(got) == len(s) and all(b in (-1, a) for a, b in zip(got, s, strict=True)) for s in allowed)
        if not fits or 0 in got:
            raise ValueError(f"{name}: expected {axes[name]} with {n} trials of {n_steps} steps, got {got}")


def _spread_classes(labels: np.ndarray, n_classes: int | None, n_steps: int) -> np.ndarray:
    """Targets (n, T, class): 1 for the right class at every step."""
    if not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
        raise ValueError(f"targets: expected (trial, time, output), or (trial,) classes from 0 on, got {labels.dtype}")
    largest = int(labels.max(initial=0))
    n_classes = largest + 1 if n_classes is None else n_classes
    if largest >= n_classes:
        raise ValueError(f"targets: expected classes below {n_classes}, got {largest}")
    if n_classes > MOST_CLASSES:
        raise ValueError(f"targets: expected at most {MOST_CLASSES} classes, from 0 on, got {n_classes}")
    return np.repeat(np.eye(n_classes, dtype=np.float32)[labels][:, None], n_steps, axis=1)


def name_tasks(names: Any) -> tuple[str, ...]:
    """Names of tasks as a tuple; a ValueError if they are none."""
    if isinstance(names, str) or not isinstance(names, Iterable) or not (names := tuple(names)):
        raise ValueError(f"names: expected names of one or more tasks, in a list, got {names!r}")
    return names


def check_widths(drawn: Mapping[str, np.ndarray], n_trials: int, widths: dict[str, int]) -> None:
    """Refuse trials of another number than was asked for, or other inputs, outputs and contexts than the first."""
    if len(drawn["inputs"]) != n_trials:
        raise ValueError(f"inputs: expected {n_trials} trials, as asked for, got {len(drawn['inputs'])}")
    for name in ("inputs", "targets", "context"):
        got = drawn[name].shape[-1]
        if got != (expected := widths.setdefault(name, got)):
            raise ValueError(f"{name}: expected {expected} numbers at a step, as in the first trials, got {got}")
