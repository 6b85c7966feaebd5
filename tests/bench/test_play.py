"""Frames of the live model: of networks of the size that is told, in a page that runs, against the budget."""

import shutil

import numpy as np
import pytest

from cemrnn.bench import play
from cemrnn.bench.rows import Bench


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, 1, 0.1, lambda line: None)


def test_the_networks_have_the_size_that_the_rows_tell():
    data = play.describe_networks()
    assert {network["config"]["n_units"] for network in data["networks"]} == {play.N_UNITS}
    assert {task["steps"]["end"] for task in data["tasks"]} == {play.N_STEPS}
    assert all(task["steps"]["go"] < play.N_STEPS for task in data["tasks"])


def test_rows_are_the_median_and_the_slowest_frames(bench, monkeypatch):
    monkeypatch.setattr(play.shutil, "which", lambda name: name)
    monkeypatch.setattr(play, "measure_frames", lambda *_: np.array([1 / 60] * 90 + [1 / 15] * 10))
    median, slowest = play.compare_play(bench)
    assert median["ours_s"] == pytest.approx(1 / 60) and median["ratio"] == pytest.approx(2)
    assert slowest["ours_s"] == pytest.approx(1 / 15) and slowest["ratio"] == pytest.approx(0.5)
    assert "N = 64, 60 steps, slowest 5 %" in slowest["case"]


def test_without_a_browser_there_is_no_row(bench, monkeypatch):
    monkeypatch.setattr(play.shutil, "which", lambda name: None)
    assert play.compare_play(bench) == [] and "chromium" in bench.left_out[0]


def test_every_frame_draws_what_the_slider_says(monkeypatch):
    path = next(filter(None, map(shutil.which, play.BROWSERS)), None)
    if path is None:
        pytest.skip("no browser")
    drawn, line = [], "document.querySelector('.network-1').getAttribute('d')"
    move = play.MOVE.replace("const slider", "const seen = new Set(), slider")
    move = move.replace("times.push(now);", f"times.push(now); seen.add({line});")
    monkeypatch.setattr(play, "MOVE", move.replace("done(times)", "done([...times, seen.size])"))
    monkeypatch.setattr(play, "N_FRAMES", 20)
    monkeypatch.setattr(play.np, "diff", lambda values: drawn.append(values[-1]) or np.ediff1d(values[:-1]))
    frames_s = play.measure_frames(path, 1)
    assert frames_s.shape == (20,) and (frames_s > 0).all()
    assert drawn[0] > 10  # nearly every frame is another picture
