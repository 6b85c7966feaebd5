"""How a call is laid out on the card: tried in turn on one trial, so that the card itself says what fits."""

from __future__ import annotations

import logging
from typing import NamedTuple

import torch

log = logging.getLogger(__name__)


class Plan(NamedTuple):
    """The layout of a program."""

    block: int  # trials, at least 16
    tile: int  # rows of W that are read at a time; 0: W stays on the chip
    warps: int


STAGES = 2  # how far the compiler reads ahead; more takes more of the chip's memory
# From the widest network that a plan is meant for on; the last of each needs the least of the chip's memory.
PLANS = (
    (257, (Plan(16, 32, 8), Plan(16, 16, 8))),
    (129, (Plan(32, 32, 8), Plan(16, 32, 8), Plan(16, 16, 8))),
    (65, (Plan(16, 0, 8), Plan(16, 32, 8))),
    (1, (Plan(32, 0, 4), Plan(16, 0, 4), Plan(16, 32, 4))),
)


def find_plan(settings, t) -> Plan:
    """The first plan whose kernels compile and run on at most two steps of one trial.

    Raises:
        Exception: of the last plan, if none does.
    """
    n_units = t.recurrent.shape[-1]
    plans = next(plans for least, plans in PLANS if n_units >= least)
    for plan in plans[:-1]:
        try:
            _attempt(settings, t, plan)
        except torch.OutOfMemoryError:
            raise
        except Exception as problem:  # whatever a compiler or a driver refuses with
            log.info("%s is refused (%s), so the next one is tried", plan, type(problem).__name__)
            continue
        return plan
    _attempt(settings, t, plans[-1])
    return plans[-1]


@torch.no_grad()
def _attempt(settings, t, plan: Plan) -> None:
    from cemrnn.network.engine.fused import launch

    # Copies, which lie as evenly in memory as those that are computed with; a part of an ensemble's parameters may not.
    cut = {name: None if x is None else x[:1].clone() for name, x in t._asdict().items()}
    for name in ("inputs", "bias", "gain", "strength", "scale", "noise"):
        if cut[name] is not None and cut[name].ndim > 1:
            cut[name] = cut[name][:, :2, :1].contiguous()  # two steps: what moves still does
    for name in ("initial", "lengths"):
        cut[name] = None if cut[name] is None else cut[name][:, :1].contiguous()
    if cut["lengths"] is not None:
        cut["lengths"] = cut["lengths"].clamp(max=cut["inputs"].shape[1])
    small = type(t)(**cut)
    outputs, rates, kept = launch.forward(settings, small, plan)
    launch.backward(settings, small, kept, outputs, rates, type(t)(*[True] * len(t)), plan)
