"""The next batch of a training, made in a thread of its own while a device works on the one before."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from cemrnn.card.transfer import send_all
from cemrnn.tasks import Trials
from cemrnn.tasks.cues import Cue, CueStream


class Ahead:
    """One batch ahead of its use; whoever takes another one than was expected gets that, made anew.

    All batches are made in one thread, one after the other, so that what makes them need not bear two at once. An error
    of making one is raised when it is taken.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cemrnn-ahead")
        self._next: tuple[Hashable, Future] | None = None

    def begin(self, request: Hashable, make: Callable[[], Any]) -> None:
        """Begin to make the batch that is to be asked for next."""
        self._next = request, self._thread.submit(make)

    def take(self, request: Hashable, make: Callable[[], Any]) -> Any:
        """The batch that is asked for."""
        expected, batch = self._next or (None, None)
        self._next = None
        return (batch if batch is not None and expected == request else self._thread.submit(make)).result()

    def forget(self) -> None:
        """Let what was begun be of no use."""
        self._next = None

    def rest(self) -> None:
        """Wait until nothing is being made."""
        self._thread.submit(int).result()  # it comes last


class StreamAhead:
    """A stream that stands where the last batch that was taken ended, and knows nothing of what was made ahead.

    Attributes:
        stream: of which copies are drawn from, ahead of it.
    """

    def __init__(self, stream: Any, ahead: Ahead) -> None:
        self.stream, self._ahead = stream, ahead

    def state(self) -> dict[str, int]:
        """Where the stream is, ready for JSON."""
        return self.stream.state()

    def load_state(self, state: dict[str, int]) -> None:
        """Continue where the stream was when `state` returned the given value."""
        self._ahead.forget()
        self.stream.load_state(state)

    def select(self, networks: Sequence[int]) -> None:
        """Keep the streams of some networks, where they are, in the order of the given positions."""
        self._ahead.forget()
        self.stream.select(networks)


class CuesAhead(StreamAhead):
    """The stream of the cues of what a `TrialsAhead` draws."""

    def expect(self, cue: Cue, stream: CueStream) -> None:
        """Take what is to be drawn next, and the stream behind it."""
        self._next = cue, stream

    def draw(self, _trials: Trials) -> Cue:
        """The cues of the trials that were drawn last, on their device."""
        cue, self.stream = self._next
        return cue


class TrialsAhead(StreamAhead):
    """A stream of trials, drawn along with the stream of their cues, whose next batch is made ahead.

    Attributes:
        cues: the stream of their cues.
    """

    def __init__(self, trials: Any, cues: CueStream, device: torch.device) -> None:
        """Both streams, where they are.

        Args:
            trials, cues: to be drawn from.
            device: that batches are brought to.
        """
        super().__init__(trials, Ahead())
        self.cues, self._device = CuesAhead(cues, self._ahead), device

    def draw(self, n_trials: int, task: Tensor) -> Trials:
        """The next trials of every network (M, B), on the device; their cues are drawn next.

        Args:
            n_trials: B.
            task: (B,) index of the task of each.
        """
        trials, cue, self.stream, cues = self._ahead.take(*self._plan(n_trials, task))
        self.cues.expect(cue, cues)
        return trials

    def begin(self, n_trials: int, task: Tensor) -> None:
        """Begin to make what such a draw will give next."""
        self._ahead.begin(*self._plan(n_trials, task))

    def rest(self) -> None:
        """Wait until nothing is being made."""
        self._ahead.rest()

    def _plan(self, n_trials: int, task: Tensor) -> tuple[Hashable, Callable[[], tuple]]:
        """The name of a batch, and what makes it, with the streams behind it."""
        trials, cues = copy.copy(self.stream), copy.copy(self.cues.stream)

        def make() -> tuple[Trials, Cue, Any, CueStream]:
            drawn = trials.draw(n_trials, task)
            cue = cues.draw(drawn)
            return send_all(drawn, self._device), send_all(cue, self._device), trials, cues

        return (n_trials, tuple(task.tolist())), make
