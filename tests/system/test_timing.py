"""Turns: the first call is not counted, and rounds alternate."""

from cemrnn.system.timing import time_rounds, time_turn


def test_a_turn_leaves_its_first_call_out():
    now, calls = [0.0], []

    def call():
        calls.append(1)
        now[0] += 10.0 if len(calls) == 1 else 0.5

    assert time_turn(call, seconds=2.0, clock=lambda: now[0]) == 0.5
    assert len(calls) == 5


def test_everybody_takes_one_turn_in_every_round():
    order = []

    def turn(name, times):
        values = iter(times)
        return lambda seconds: order.append((name, seconds)) or next(values)

    assert time_rounds({"a": turn("a", [1.0, 2.0]), "b": turn("b", [3.0, 4.0])}, 2, 0.1) == {
        "a": [1.0, 2.0],
        "b": [3.0, 4.0],
    }
    assert order == [("a", 0.1), ("b", 0.1)] * 2
