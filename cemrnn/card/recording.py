"""Steps of training that a card repeats by itself: recorded once for every shape of batch, as a CUDA graph.

A step is hundreds of calls, each of which takes a few microseconds of the CPU; for small networks that is longer than
what they compute. A recorded step is one call. It reads its batch from memory of its own, into which every batch is
copied, and moves the parameters in place.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import torch
from torch import Tensor

from cemrnn.card.transfer import list_tensors, map_tensors, send
from cemrnn.training.optimiser import Factors

log = logging.getLogger(__name__)
MOST_SHAPES = 32  # that are recorded; each holds a batch
Step = Callable[[Any, Factors], tuple[Tensor, ...]]


class Repeat(Protocol):
    """What was recorded; a call does it again."""

    def __call__(self) -> None: ...


class Recorder:
    """Takes steps of a population: the first of a shape as it is, the second is recorded, and all later ones repeated.

    What a first step loads, compiles or looks for is there when the second one is recorded. Where recording is refused,
    or memory does not suffice for it, a line in the log says so, and all steps are taken as they are.

    Args:
        device: where they are taken; those on the CPU as they are.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._record = _open(device)
        self._recorded: dict[Hashable, _Recorded | None] = {}  # shape -> None after its first step

    def take(self, step: Step, batch: Any, factors: Factors) -> tuple[Tensor, ...]:
        """What the step returns, after it was taken.

        Args:
            step: (batch, factors) -> tensors; it reads and moves what stays where it is until `forget`.
            batch: tensors on the device.
            factors: of the optimiser.
        """
        if self._record is None:
            return step(batch, factors)
        factors = send(torch.tensor(factors, dtype=torch.float32), self._device).unbind()
        shape = _describe(batch)
        if shape not in self._recorded:
            if len(self._recorded) < MOST_SHAPES:
                self._recorded[shape] = None
            return step(batch, Factors(*factors))
        if self._recorded[shape] is None:
            recorded = self._try_to_record(step, batch)
            if recorded is None:
                return step(batch, Factors(*factors))
            self._recorded[shape] = recorded
        return self._recorded[shape].repeat(batch, factors)

    def forget(self) -> None:
        """Let what was recorded be of no use: networks have left, or lie elsewhere."""
        self._recorded.clear()
        if self._record is not None and self._device.type == "cuda":
            self._record = _open(self._device)

    def _try_to_record(self, step: Step, batch: Any) -> _Recorded | None:
        """The step, recorded; None, and nothing is recorded any more, where that is refused."""
        try:
            return _Recorded(step, batch, self._record)
        except Exception as problem:  # whatever the driver, or a library that waits for the card, refuses with
            reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
        self._record = None
        self._recorded.clear()
        torch.cuda.empty_cache()  # what graphs held is for the steps
        _warn_once(self._device, reason)
        return None


class _Recorded:
    """A step in memory of its own."""

    def __init__(self, step: Step, batch: Any, record: Callable[[Callable[[], Any]], Repeat]) -> None:
        self._batch = map_tensors(batch, torch.clone)
        self._factors = Factors(*torch.ones(len(Factors._fields), device=list_tensors(batch)[0].device).unbind())
        self._results: tuple[Tensor, ...] = ()

        def take() -> None:
            self._results = step(self._batch, self._factors)

        self._repeat = record(take)

    def repeat(self, batch: Any, factors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the step returns for a batch."""
        for own, given in zip(list_tensors((self._batch, self._factors)), list_tensors((batch, factors)), strict=True):
            own.copy_(given)
        self._repeat()
        return tuple(result.clone() for result in self._results)  # the next repetition writes over them


def record_on_card(device: torch.device, take: Callable[[], Any], pool: Any = None, stream: Any = None) -> Repeat:
    """A CUDA graph of what a call does, which is not done yet.

    Args:
        device: a card.
        take: what is called once.
        pool: handle of the memory that it shares with other graphs; None for memory of its own.
        stream: of the card, on which it is recorded; the same for all that share memory. None: one of its own. Torch's
            is the one of the first card that anything was recorded on.

    Raises:
        RuntimeError: it cannot be recorded; the thread works on the stream that it worked on before.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device):
        usual, stream = torch.cuda.current_stream(), stream or torch.cuda.Stream()
        try:
            # Other threads may ask the card for memory meanwhile.
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                take()
        except BaseException:
            # torch leaves its own stream after a recording that ended well alone, and no other thread knows that one.
            torch.cuda.set_stream(usual)
            torch.cuda.synchronize()
            raise
    return graph.replay


def _open(device: torch.device) -> Callable[[Callable[[], Any]], Repeat] | None:
    """What records calls on a card, in memory that they share: between two of them nothing in it is needed.

    Torch refuses the handle of such memory once the last graph in it is gone. None for other devices.
    """
    if device.type != "cuda":
        return None
    shared = dict(pool=torch.cuda.graph_pool_handle(), stream=torch.cuda.Stream(device))
    return functools.partial(record_on_card, device, **shared)


def _describe(batch: Any) -> Hashable:
    """What has to be alike for a step to be repeated."""
    return tuple((tuple(x.shape), x.stride(), x.dtype) for x in list_tensors(batch))


@functools.cache
def _warn_once(device: torch.device, reason: str) -> None:
    log.warning("steps of training on %s are not recorded, but called one by one (%s)", device, reason)
