"""Steps that are recorded and repeated: the same as when they are called, whatever batch comes and whoever leaves.

Without a card a repetition is a call that reads and writes the recorder's own memory, as a graph does.
"""

import contextlib
import gc
import importlib
import logging
import weakref
from types import SimpleNamespace

import pytest
import torch

from cemrnn.card import recording
from cemrnn.card.learner import CardLearner
from cemrnn.card.recording import Recorder
from cemrnn.card.transfer import list_tensors, map_tensors
from cemrnn.network.engine import fused
from cemrnn.network.noise import CountedNoise
from cemrnn.tasks.cues import Cue
from cemrnn.training.learner import Learner
from cemrnn.training.optimiser import Factors
from tests.card.test_ahead import (
    CPU,
    KINDS,
    N_UPDATES,
    advance,
    assert_equal,
    make_configs,
    make_continued,
    open_both,
)

needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a card")


def record(learner):
    """Let a learner on the CPU record its steps; returns where every repetition leaves a mark."""
    repeated = []

    def record_call(take):
        def repeat():
            repeated.append(1)
            take()

        return repeat

    learner._recorder._record = record_call
    return repeated


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_same_from_the_second_step_of_a_shape_on(kind):
    card, plain = open_both(kind)
    repeated = record(card)
    for number in range(1, N_UPDATES + 1):
        advance((card, plain), 1)
        if number % 4 == 0:
            assert card.evaluate() == plain.evaluate()
            assert_equal(card, plain)
    assert repeated


def test_steps_of_several_shapes_are_recorded_apart():
    card, plain = open_both("own")  # trials of three to five steps
    repeated = record(card)
    advance((card, plain), N_UPDATES - 1)
    shapes = len(card._recorder._recorded)
    assert shapes > 1
    assert len(repeated) == N_UPDATES - 1 - shapes
    assert_equal(card, plain)


@pytest.mark.parametrize("kind", ["cues", "images"])
@pytest.mark.parametrize("kept", [[0, 2], [2, 0], [1]])
def test_what_was_recorded_with_networks_that_left_is_forgotten(kind, kept):
    learners = open_both(kind)
    record(learners[0])
    advance(learners, 4)
    for learner in learners:
        learner._keep(kept)
    assert not learners[0]._recorder._recorded
    advance(learners, 4)
    assert_equal(*learners)


def test_a_network_that_fails_in_a_repeated_step_stays_where_it_was():
    card, plain = open_both("fast")
    repeated = record(card)
    advance((card, plain), 4)
    for learner in (card, plain):
        learner.model.flat[1, 0] = torch.inf
    advance((card, plain), 3)
    assert repeated and card.active == [0, 2]
    assert_equal(card, plain)


def test_a_state_that_was_saved_between_repetitions_resumes_in_either_learner():
    card, plain = open_both("cues")
    record(card)
    advance((card, plain), 5)
    saved = {name: tensor.clone() for name, tensor in card.tensors().items()}, card.document()
    resumed = open_both("cues")
    record(resumed[0])
    advance(resumed[:1], 3)
    for learner in resumed:
        learner.restore({name: tensor.clone() for name, tensor in saved[0].items()}, saved[1])
    advance((card, plain, *resumed), 4)
    for learner in (card, *resumed):
        assert_equal(learner, plain)


def test_new_contexts_alone_are_learned_in_repeated_steps_and_a_pull_is_not_repeated():
    configs = make_continued()
    starts = [Learner([config.start], CPU) for config in configs]
    for start in starts:
        start.stop()
    starts = [start.finished[0] for start in starts]
    card, plain = CardLearner(configs, CPU, starts), Learner(configs, CPU, starts)
    repeated = record(card)
    advance((card, plain), 5)
    assert repeated
    assert_equal(card, plain)
    before = len(repeated)
    card.pull = SimpleNamespace(draw_back=lambda *_: None)
    card.update()
    assert len(repeated) == before


@pytest.mark.parametrize("broken", ["batch", "factors"])
def test_a_recorder_that_fills_in_nothing_would_be_seen(monkeypatch, broken):  # negative control of the tests above
    card, plain = open_both("fast")
    record(card)
    advance((card, plain), 2)
    take = recording._Recorded.repeat
    stale = {"batch": lambda own, _, factors: take(own, own._batch, factors),
             "factors": lambda own, batch, _: take(own, batch, own._factors)}[broken]  # fmt: skip
    monkeypatch.setattr(recording._Recorded, "repeat", stale)
    advance((card, plain), 3)
    assert not torch.equal(card.model.flat, plain.model.flat)


def test_where_recording_is_refused_steps_are_called_and_one_line_says_why(caplog):
    refused = []

    def refuse(take):
        refused.append(1)
        raise RuntimeError("operation not permitted when stream is capturing")

    recording._warn_once.cache_clear()
    learners = open_both("fast"), open_both("cues")
    with caplog.at_level(logging.WARNING):
        for card, plain in learners:
            card._recorder._record = refuse
            advance((card, plain), 5)
            assert_equal(card, plain)
    assert len(refused) == len(learners)  # and is not tried again
    (line,) = [record.message for record in caplog.records]
    assert "are not recorded" in line and "not permitted when stream is capturing" in line


class FakeCard:
    """A card as torch records on it: what is recorded is called, and not done again when it is repeated.

    Memory takes no further graph once its last one is gone, and a thread leaves the stream of a recording after one
    that ended well alone.
    """

    def __init__(self, monkeypatch):
        self.stream, self.fails_in, self.problem, self.used = "usual", None, None, set()
        self.n_handles, self.graphs, self.emptied = 0, weakref.WeakKeyDictionary(), 0  # graph -> handle of its memory
        self.streams = {}  # handle -> streams of its recordings, each of some card
        monkeypatch.setattr(recording, "send", lambda tensor, _: tensor)
        for name, fake in {
            "CUDAGraph": self._make_graph, "graph": self._record, "device": contextlib.nullcontext,
            "Stream": lambda device=None: (str(device), object()),
            "graph_pool_handle": self._make_handle, "current_stream": lambda: self.stream,
            "set_stream": lambda stream: setattr(self, "stream", stream), "synchronize": lambda: None,
            "empty_cache": lambda: setattr(self, "emptied", self.emptied + 1),
        }.items():  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, fake)

    def _make_graph(self):
        class Graph:
            def replay(self):
                pass

        return Graph()

    def _make_handle(self):
        self.n_handles += 1
        return self.n_handles

    @contextlib.contextmanager
    def _record(self, graph, pool, stream, capture_error_mode):
        self.stream = stream
        self.streams.setdefault(pool, set()).add(stream)
        if self.fails_in == "enter":
            raise self.problem("out of order")
        if pool in self.used and pool not in self.graphs.values():
            raise RuntimeError("use_count > 0 INTERNAL ASSERT FAILED")
        self.used.add(pool)
        self.graphs[graph] = pool
        yield
        if self.fails_in == "exit":
            raise self.problem("out of order")
        self.stream = "usual"


@pytest.fixture
def card(monkeypatch):
    recording._warn_once.cache_clear()
    return FakeCard(monkeypatch)


def count_up(recorder, sizes):
    """Take a step for a batch of each size, and return how often one was called."""
    called = []

    def step(batch, factors):
        called.append(len(batch))
        return (batch.sum() * factors.rate,)

    for size in sizes:
        recorder.take(step, torch.ones(size), Factors(1, 2, 3))
    return len(called)


def test_memory_of_steps_that_were_forgotten_is_not_asked_for_again(card, caplog):
    recorder = Recorder(torch.device("cuda"))
    for forget in (recorder.forget, gc.collect):
        assert count_up(recorder, [1, 1, 2, 2, 1, 2]) == 4  # the first step of each, and its recording
        assert len(set(card.graphs.values())) == 1  # they share their memory
        forget()
    del recorder, forget  # a training that has ended
    assert not card.graphs
    assert count_up(Recorder(torch.device("cuda")), [1, 1, 1]) == 2
    assert not caplog.records


def test_every_recorder_records_on_one_stream_of_its_own_card(card):
    for name in ("cuda:0", "cuda:1"):
        count_up(Recorder(torch.device(name)), [1, 1, 2, 2])
    (first,), (second,) = card.streams.values()
    assert (first[0], second[0]) == ("cuda:0", "cuda:1") and first != second


@pytest.mark.parametrize("fails_in", ["enter", "exit"])
@pytest.mark.parametrize("problem", [RuntimeError, torch.OutOfMemoryError])
def test_a_recording_that_fails_leaves_the_thread_on_its_stream_and_no_graph(card, caplog, fails_in, problem):
    recorder = Recorder(torch.device("cuda"))
    count_up(recorder, [1, 1])
    assert card.graphs
    card.fails_in, card.problem = fails_in, problem
    count_up(recorder, [2, 2])
    gc.collect()
    assert card.stream == "usual"
    assert not card.graphs and card.emptied
    assert count_up(recorder, [1, 2, 2, 1]) == 4
    (line,) = [record.message for record in caplog.records]
    assert "are not recorded" in line and "out of order" in line


@pytest.mark.parametrize("problem", [RuntimeError, torch.OutOfMemoryError])
def test_training_goes_on_where_it_was_when_a_recording_fails(problem):
    card, plain = open_both("own")  # batches of several shapes, the second of which is refused

    def refuse_later(take):
        if card._recorder._recorded and any(card._recorder._recorded.values()):
            raise problem("out of order")
        return take

    card._recorder._record = refuse_later
    advance((card, plain), N_UPDATES)
    assert card._recorder._record is None
    assert_equal(card, plain)


def test_where_triton_is_missing_a_repeated_step_fetches_no_noise(monkeypatch):
    card, plain = open_both("fast")
    take, repeated = record(card), []
    monkeypatch.setattr(fused, "_plans", {})
    monkeypatch.setattr(fused, "_part", lambda name: importlib.import_module("no_triton"))
    monkeypatch.setattr(card.noise, "draw", lambda n_trials, n_steps, network: card.noise.count(network))
    fill = CountedNoise.fill

    def fill_between_steps(noise, *sizes):
        assert len(take) == len(repeated)  # within a repetition no array is brought to a card
        return fill(noise, *sizes)

    monkeypatch.setattr(CountedNoise, "fill", fill_between_steps)
    for _ in range(6):
        card.update()
        repeated[:] = take
    advance((plain,), 6)
    assert repeated
    assert_equal(card, plain)


def test_no_more_than_so_many_shapes_are_recorded(monkeypatch):
    monkeypatch.setattr(recording, "MOST_SHAPES", 2)
    recorder, repeated = Recorder(CPU), []
    recorder._record = lambda take: lambda: (repeated.append(1), take())

    def step(batch, factors):
        return (batch.sum() * factors.rate,)

    for size in (1, 2, 3, 1, 2, 3, 3):
        (total,) = recorder.take(step, torch.ones(size), (1, 2, 3))
        assert total == 2 * size
    assert len(repeated) == 2


def test_what_a_step_returned_stays_when_the_next_one_writes_to_the_same_place():
    recorder, place = Recorder(CPU), torch.zeros(())
    recorder._record = lambda take: take

    def step(batch, _):
        return (place.copy_(batch.sum()),)

    sums = [recorder.take(step, torch.full((2,), float(i)), (1, 2, 3))[0] for i in range(4)]
    assert sums[1:3] == [2, 4] and place == 6


def test_tensors_are_found_and_changed_within_tuples_and_dataclasses():
    keys, context = torch.arange(3), torch.ones(2)
    held = (Cue(context, None), CountedNoise(keys, 0.5), Factors(1.0, keys, 2.0), 7)
    assert [id(x) for x in list_tensors(held)] == [id(context), id(keys), id(keys)]
    cue, noise, factors, number = map_tensors(held, lambda x: x + 1)
    assert torch.equal(cue.context, context + 1) and cue.previous is None
    assert torch.equal(noise.keys, keys + 1) and noise.sigma == 0.5
    assert torch.equal(factors.rate, keys + 1) and (factors.kept, factors.growth, number) == (1.0, 2.0, 7)


@needs_card
@pytest.mark.parametrize("kind", ["fast", "cues"])
def test_a_card_repeats_its_steps(kind):
    device = torch.device("cuda")
    recorded, called = (CardLearner(make_configs(kind), device) for _ in range(2))
    called._recorder._record = None
    advance((recorded, called), N_UPDATES)
    assert any(recorded._recorder._recorded.values())
    torch.testing.assert_close(recorded.model.flat, called.model.flat, rtol=1e-4, atol=1e-5)
