"""Items are shared out whole, run beside one another, and their errors arrive."""

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.system.threads import run_on_threads, split_evenly


@given(st.integers(0, 50))
def test_slices_cover_all_items_once(n_items):
    parts = split_evenly(n_items)
    assert [i for part in parts for i in range(n_items)[part]] == list(range(n_items))
    sizes = [len(range(n_items)[part]) for part in parts]
    assert len(parts) <= torch.get_num_threads()
    assert max(sizes) - min(sizes) <= 1
    assert n_items == 0 or min(sizes) > 0


def test_items_run_beside_one_another_and_the_first_here():
    meeting, ran = threading.Barrier(3, timeout=10), {}

    def run(item):
        meeting.wait()  # passes only if all three are running
        ran[item] = threading.current_thread()

    run_on_threads(run, "abc")
    assert ran["a"] is threading.current_thread()
    assert len(set(ran.values())) == 3


@pytest.mark.parametrize("failing", "abc")
def test_an_error_is_raised_after_all_have_ended(failing):
    ended = []

    def run(item):
        if item == failing:
            raise RuntimeError(item)
        ended.append(item)

    with pytest.raises(RuntimeError, match=failing):
        run_on_threads(run, "abc")
    assert sorted([*ended, failing]) == list("abc")
