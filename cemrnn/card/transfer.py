"""Bringing what the CPU has made to a card, so that the CPU does not wait for it."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

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
    if isinstance(held, tuple):
        return type(held)(*(send(x, device) if isinstance(x, Tensor) else x for x in held))
    values = {field.name: getattr(held, field.name) for field in dataclasses.fields(held)}
    return dataclasses.replace(held, **{k: send(x, device) for k, x in values.items() if isinstance(x, Tensor)})
