"""Trials as arrays of one's own: which there are, their shapes, and what they may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cemrnn.config import unknown_name

NAMES = ("inputs", "targets", "weights", "context")


def pad(values: np.ndarray, n_steps: int, name: str) -> np.ndarray:
    """The array of trials with zeros after its last step."""
    if name == "context" and values.ndim == 2:
        return values
    return np.pad(values, [(0, 0), (0, n_steps - values.shape[1]), *[(0, 0)] * (values.ndim - 2)])


def check_batch(given: Mapping[str, Any], n_classes: int | None = None) -> dict[str, np.ndarray]:
    """Inputs (n, T, I), targets (n, T, O), weights (n, T), context (n, K) or (n, T, K), float32.

    Raises:
        ValueError: a shape is wrong, a name unknown, or a number not finite.
    """
    for name in given:
        if name not in NAMES:
            raise ValueError(unknown_name(name, NAMES, "array"))
    inputs = np.asarray(given["inputs"], np.float32)
    if inputs.ndim != 3:
        raise ValueError(f"inputs: expected (trial, time, input), got {inputs.shape}")
    n, n_steps = inputs.shape[:2]
    targets = np.asarray(given["targets"])
    if targets.ndim == 1:
        targets = _spread_classes(targets, n_classes, n_steps)
    weights, context = given.get("weights"), given.get("context")
    batch = {
        "inputs": inputs,
        "targets": targets.astype(np.float32),
        "weights": np.ones((n, n_steps), np.float32) if weights is None else np.asarray(weights, np.float32),
        "context": np.ones((n, 1), np.float32) if context is None else np.asarray(context, np.float32),
    }
    axes = {"targets": "(trial, time, output)", "weights": "(trial, time)", "context": "(trial, [time,] context)"}
    shapes = {"targets": [(n, n_steps, -1)], "weights": [(n, n_steps)], "context": [(n, -1), (n, n_steps, -1)]}
    for name, allowed in shapes.items():
        got = batch[name].shape
        if not any(len(got) == len(s) and all(b in (-1, a) for a, b in zip(got, s, strict=True)) for s in allowed):
            raise ValueError(f"{name}: expected {axes[name]} with {n} trials of {n_steps} steps, got {got}")
    for name, values in batch.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite numbers, got others")
    if not (batch["weights"] >= 0).all() or not batch["weights"].any(axis=1).all():
        raise ValueError("weights: expected numbers >= 0, and one above 0 in every trial")
    return batch


def _spread_classes(labels: np.ndarray, n_classes: int | None, n_steps: int) -> np.ndarray:
    """Targets (n, T, class): 1 for the right class at every step."""
    if not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
        raise ValueError(f"targets: expected (trial, time, output), or (trial,) classes from 0 on, got {labels.dtype}")
    n_classes = n_classes or int(labels.max()) + 1
    if labels.max() >= n_classes:
        raise ValueError(f"targets: expected classes below {n_classes}, got {labels.max()}")
    return np.repeat(np.eye(n_classes)[labels][:, None], n_steps, axis=1)
