"""The live model of the book: how long a frame takes while a slider moves, against the budget of 30 frames a second.

A frame is the time between two paints of Chromium without a screen, which paints 60 times a second at most.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from importlib.metadata import files
from pathlib import Path

import numpy as np
import torch

from cemrnn.bench.rows import Bench, Row, make_row
from cemrnn.bench.trials import quick_config
from cemrnn.network.config import count_parameters
from cemrnn.reproduce.play import ARMS_SHOWN, Shown, describe, to_script
from cemrnn.reproduce.project import Project

BUDGET, BUDGET_S = "30 frames a second", 1 / 30
N_UNITS, N_STEPS = 64, 60
SETTLE, N_FRAMES = 10, 300  # frames before the first that counts, and of one turn
SLOWEST = 95  # percentile of frame times that the second row tells
WEIGHT = 0.1  # size of the random weights
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCRIPTS = (
    "model.js", "trial.js", "flow.js", "state.js", "controls.js", "frame.js", "answer.js", "panels.js",
    "play.js",
)  # fmt: skip
MOVE = """(n) => new Promise((done) => {
  const slider = document.querySelector('[name="mixture"]'), times = [];
  const move = (now) => {
    times.push(now);
    slider.value = ((times.length % 50) / 50) * slider.max;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    times.length > n ? done(times) : requestAnimationFrame(move);
  };
  requestAnimationFrame(move);
})"""


def compare_play(bench: Bench) -> list[Row]:
    """Two rows: the median frame, and the one that only 5 % of frames are slower than."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        bench.leave_out(BUDGET, f"none of {', '.join(BROWSERS)} is installed")
        return []
    frames_s = measure_frames(path, bench.n_repeats)
    label = f"live model, N = {N_UNITS}, {N_STEPS} steps"
    times = {"median frame": np.median(frames_s), f"slowest {100 - SLOWEST} %": np.percentile(frames_s, SLOWEST)}
    return [
        bench.report(make_row(f"{label}, {name}", BUDGET, float(ours_s), BUDGET_S, 1.0))
        for name, ours_s in times.items()
    ]


def measure_frames(browser: str, n_turns: int) -> np.ndarray:
    """Seconds of every frame (n_turns * N_FRAMES,) while the slider of the mixture moves.

    Args:
        browser: path of Chromium.
        n_turns: how often the page is loaded.
    """
    from playwright.sync_api import sync_playwright

    turns = []
    with tempfile.TemporaryDirectory(prefix="cemrnn-") as folder, sync_playwright() as run:
        address = write_page(Path(folder)).as_uri()
        opened = run.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(n_turns):
            page = opened.new_page(viewport={"width": 1400, "height": 900})
            page.goto(address)
            times_ms = np.array(page.evaluate(MOVE, SETTLE + N_FRAMES))
            turns.append(np.diff(times_ms)[SETTLE:] / 1000)
            page.close()
        opened.close()
    return np.concatenate(turns)


def write_page(folder: Path) -> Path:
    """Path of a page with the live model and networks of random weights, with what the book loads for it."""
    sources = Project().root / "book" / "play"
    (folder / "data.js").write_text(to_script(describe_networks()), encoding="utf-8")
    d3 = next(file for file in files("mpld3") if file.name == "d3.v5.min.js").locate()
    scripts = [folder / "data.js", Path(d3), *(sources / name for name in SCRIPTS)]
    loads = "".join(f'<script defer src="{script.as_uri()}"></script>' for script in scripts)
    sheets = "".join(
        f'<link rel="stylesheet" href="{(sources / name).as_uri()}">' for name in ("play.css", "drawings.css")
    )
    page = folder / "page.html"
    page.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Play</title>{sheets}{loads}</head>'
        f'<body><main style="margin: auto; max-width: 55rem"><div data-cemrnn-play></div></main></body></html>'
    )
    return page


def describe_networks() -> dict:
    """What the page runs: a network of random weights per arm, in trials whose answers last until the last step."""
    config, shown, generator = quick_config(), [], np.random.default_rng(0)
    for arm in ARMS_SHOWN:
        recipe = config.training(arm)[0]
        recipe = dataclasses.replace(recipe, network=dataclasses.replace(recipe.network, n_units=N_UNITS))
        weights = WEIGHT * generator.standard_normal(count_parameters(recipe.network), dtype=np.float32)
        shown.append(Shown(recipe, torch.from_numpy(weights), 1.0, True))
    data = describe(config.task_set, shown)
    for task in data["tasks"]:
        task["steps"]["end"] = N_STEPS
    points = [[0.0, 1.0], [1.0, 0.0]]
    return data | {"curves": {name: dict.fromkeys(ARMS_SHOWN, points) for name in ("mixture", "noise")}}
