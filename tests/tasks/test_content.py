"""What is in the digest of somebody's own code: everything that can change what it does, wherever it was written."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from cemrnn.tasks.content import digest_content

GAIN, TABLE, SETTINGS = 1.0, {"a": [1, 2]}, SimpleNamespace(rate=1.0)


class Source:
    """Something that draws."""

    def __init__(self, gain):
        self.gain = gain

    def draw(self, rng, n, task):
        return self.gain * np.ones(n)


class Global(Source):
    def draw(self, rng, n, task):
        return GAIN


def make_draw(gain):
    def draw(rng, n, task):
        return gain

    return draw


def draw_inside(rng, n, task):
    def inner():
        return [GAIN for _ in range(n)]

    return inner()


def draw_by_table(rng, n, task, default=3):
    return TABLE["a"][0] + SETTINGS.rate


@pytest.mark.parametrize(
    "draw, change",
    [
        (draw_inside, ("GAIN", 2.0)),
        (draw_by_table, ("TABLE", {"a": [1, 3]})),
        (draw_by_table, ("SETTINGS", SimpleNamespace(rate=2.0))),
        (Global(1.0).draw, ("GAIN", 2.0)),
        (Global, ("GAIN", 2.0)),
    ],
)
def test_what_code_refers_to_counts(monkeypatch, draw, change):
    before = digest_content(draw)
    assert digest_content(draw) == before
    monkeypatch.setattr(f"{__name__}.{change[0]}", change[1])
    assert digest_content(draw) != before


def test_closures_states_and_large_tables_count():
    for make in (make_draw, lambda gain: Source(gain).draw, Source, lambda gain: make_draw(Source(gain).draw)):
        assert digest_content(make(1.0)) == digest_content(make(1.0)) != digest_content(make(2.0))
    frames = [pd.DataFrame({"x": np.zeros(5000)}) for _ in range(2)]
    assert digest_content(frames[0]) == digest_content(frames[1])
    frames[1].loc[2500, "x"] = 1.0
    assert digest_content(frames[0]) != digest_content(frames[1]) != digest_content(frames[1].rename(columns=str.upper))
    layers = [torch.nn.Linear(2, 1) for _ in range(2)]
    assert digest_content(layers[0]) == digest_content(layers[0]) != digest_content(layers[1])
    assert digest_content({"b", "a"}) == digest_content({"a", "b"}) != digest_content({"a", "c"})


def test_a_file_of_ones_own_counts_with_what_it_imports(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    inner, outer = tmp_path / "inner_of_mine.py", tmp_path / "outer_of_mine.py"
    inner.write_text("GAIN = 1.0\n")
    outer.write_text("import inner_of_mine\n\n\ndef gain():\n    return inner_of_mine.GAIN\n")
    outer_of_mine = importlib.import_module("outer_of_mine")

    def draw(rng, n, task):
        return outer_of_mine.gain()

    before = digest_content(draw)
    assert digest_content(draw) == before
    inner.write_text("GAIN = 1.25\n")
    assert digest_content(draw) != before


CELL = """
import numpy as np
from cemrnn.tasks import TASKS, OwnTasks, Task, TaskSet, register_task

GAIN = {gain}

def answer_scaled(direction_rad, strength, parameters, answers, defined):
    answers[:] = GAIN * direction_rad[:, 0]
    defined[:] = True

def draw(rng, n, task):
    def inner():
        return GAIN * np.ones((n, 3, 1))
    return {{"inputs": inner(), "targets": inner()}}

register_task("scaled_of_mine", Task(TASKS["delay_pro"].family, answer_scaled, ()))
print(TaskSet(names=("scaled_of_mine",), preset="fast").digest(), OwnTasks.from_function(draw, names=["a"]).digest())
"""
ENVIRONMENT_CELL = """
import gymnasium, numpy as np
from cemrnn import from_environments

class Echo(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    gain = {gain}  # in no method

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.digest = 0
        return self._see(), {{}}

    def step(self, action):
        self.digest += 1
        return self._see(), 0.0, self.digest == 4, False, {{}}

    def _see(self):
        return np.full(1, self.gain, np.float32)

digest = from_environments({{"echo": Echo}}, teacher=lambda seen, info: seen).digest()  # also an attribute of Echo
print(digest)
"""


@pytest.mark.parametrize("cell", [CELL, ENVIRONMENT_CELL])
def test_a_task_of_a_notebook_that_changes_under_its_name_is_another(tmp_path, cell):
    script = tmp_path / "session.py"
    script.write_text(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        f"shell, cell = InteractiveShell.instance(), {cell!r}\n"
        "for gain in (1.0, 1.0, 2.0):\n    shell.run_cell(cell.format(gain=gain)).raise_error()\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=120)
    first, again, changed = (line.split() for line in ran.stdout.strip().splitlines())
    assert first == again
    assert all(a != b for a, b in zip(first, changed, strict=True))
