"""Bringing what the CPU has made to a card, so that the CPU does not wait for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

Held = TypeVar("Held")


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device, in the same memory layout; the copy to a card begins from pinned memory.

    It waits its turn among the card's work, and whatever is called on the card's stream later waits for it.
    """
    if tensor.device.type != "cpu" or device.type == "cpu":
        return tensor
    with torch.cuda.device(device):  # else memory is pinned for the first card, whichever this is
        return tensor.pin_memory().to(device, non_blocking=True)


def send_all(held: Held, device: torch.device) -> Held:
    """The same dataclass or named tuple with every tensor on the device."""
    return map_tensors(held, lambda tensor: send(tensor, device))


def map_tensors(held: Held, change: Callable[[Tensor], Tensor]) -> Held:
    """The same tensor, dataclass or named tuple, or tuples within one another, with every tensor changed."""
    if isinstance(held, Tensor):
        return change(held)
    if isinstance(held, tuple):
        values = [map_tensors(x, change) for x in held]
        return type(held)(*values) if hasattr(held, "_fields") else tuple(values)
    if not dataclasses.is_dataclass(held):
        return held
    values = {field.name: getattr(held, field.name) for field in dataclasses.fields(held)}
    return dataclasses.replace(held, **{k: change(x) for k, x in values.items() if isinstance(x, Tensor)})


def list_tensors(held: Any) -> list[Tensor]:
    """Every tensor of what `map_tensors` takes, in its order."""
    found: list[Tensor] = []
    map_tensors(held, lambda tensor: found.append(tensor) or tensor)
    return found
