"""The machine: what it is called, and peaks of memory."""

import os

import numpy as np
import pytest

from cemrnn.system import machine


def test_the_machine_has_a_name_and_its_cores():
    assert machine.describe_machine().endswith(f", {os.cpu_count()} cores")
    assert len(machine.describe_machine()) > 10


@pytest.mark.skipif(not machine.STATUS.exists(), reason="only Linux tells the peak of a process")
def test_the_peak_is_what_was_held_since_it_was_forgotten():
    held = np.ones(2**24)  # 128 MiB
    highest = machine.peak_bytes()
    size = held.nbytes
    del held
    machine.forget_peak()
    before = machine.peak_bytes()
    assert before < highest - 0.9 * size
    held = np.ones(2**23)
    del held
    assert 0.9 < (machine.peak_bytes() - before) / (size / 2) < 1.1
