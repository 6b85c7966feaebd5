"""What the live model of the book runs on: trained networks, trials and curves of a profile, as one script.

The book opens from the file system, where a page cannot fetch: the data are a script that sets one global, with
weights as float32 in base64. The networks are those of figure 1, one per arm; nothing is trained here.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from cemrnn.figures.shared.battery import BatteryConfig
from cemrnn.figures.shared.frames import TOLD, select
from cemrnn.figures.style import LOOKS, spell
from cemrnn.network.model import CEMRNN
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.provenance import read_commit
from cemrnn.reproduce.settings import make_config
from cemrnn.store.entry import entry_key
from cemrnn.store.store import Store
from cemrnn.tasks import TaskSet, conflict_pairs
from cemrnn.tasks.family import END, EPOCHS, Family
from cemrnn.tasks.presets import Preset
from cemrnn.tasks.respond import turn
from cemrnn.training.config import TrainingConfig

log = logging.getLogger(__name__)
ARMS_SHOWN = tuple(TOLD)
SOURCE, CURVES = "fig1_tasks", "fig2_ambiguity"  # figures that the networks and the curves are of
MANIPULATIONS = ("mixture", "noise")
FOLDER, DATA, TABLE = "play", "data.js", "play.md"
MOST_BYTES = 500_000  # of the script
SHAPE = (
    "n_units", "n_contexts", "n_inputs", "n_outputs", "rank", "activation", "alpha", "dt_ms", "tau_excitability_ms",
    "tau_synaptic_ms",
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A network that the page runs."""

    training: TrainingConfig
    flat: Tensor  # (P,)
    worst_score: float
    passed: bool


class NoNetworkError(Exception):
    """The page has nothing to run; the message says what is missing."""


def write_play(project: Project, profile: str, source: Path, tables: Path) -> None:
    """Write the data of the live model into the sources of the book, and the table of its networks for the page.

    Args:
        project: the clone.
        profile: whose networks are shown; without them the page says why.
        source: folder of the book's sources.
        tables: folder of its generated tables.
    """
    try:
        script, table = _describe_profile(project, profile)
    except NoNetworkError as reason:
        log.warning("the page Play has no network: %s", reason)
        script, table = to_script({"missing": str(reason)}), f"There is no network here: {reason}."
    (source / FOLDER).mkdir(exist_ok=True)
    (source / FOLDER / DATA).write_text(script, encoding="utf-8")
    (tables / TABLE).write_text(table + "\n", encoding="utf-8")


def _describe_profile(project: Project, profile: str) -> tuple[str, str]:
    """Script and table."""
    if SOURCE not in project.stems():
        raise NoNetworkError(f"this clone has no {SOURCE}")
    config, figures = make_config(project, SOURCE, profile), project.build / profile / "figures"
    shown = find_networks(config, figures / f"{SOURCE}.networks.csv")
    origin = {"profile": profile, **read_commit(Path(__file__))}
    data = describe(config.task_set, shown) | {"curves": read_curves(figures / f"{CURVES}.curves.csv")} | origin
    return to_script(data), _write_table(shown, origin)


def find_networks(config: BatteryConfig, scores: Path) -> list[Shown]:
    """The network of each arm whose worst task scores best, out of the store.

    Args:
        config: settings of figure 1.
        scores: its table of networks.

    Raises:
        NoNetworkError: the table, an arm or a network is not there, or the page cannot show such networks.
    """
    if config.encoding != "cosine":
        raise NoNetworkError(f"it shows networks with the encoding cosine, and these have {config.encoding}")
    if not scores.exists():
        raise NoNetworkError(f"{SOURCE} has not run")
    table, store, found = pd.read_csv(scores), Store.default(), []
    for arm in ARMS_SHOWN:
        rows = table[(table["arm"] == arm) & (table["status"] != "failed")]
        if rows.empty:
            raise NoNetworkError(f"there is no network of the arm {arm}")
        best = rows.loc[rows["worst_score"].idxmax()]
        training = config.training(arm)[int(best["network"])]
        if (record := store.load(training)) is None:
            raise NoNetworkError(f"the store lacks {training.label}, seed {training.seed}")
        worst = float(best["worst_score"])
        found.append(Shown(training, record.flat, worst, worst >= config.passing_score))
    return found


def describe(tasks: TaskSet, shown: list[Shown]) -> dict[str, Any]:
    """Networks and tasks, ready for JSON.

    Raises:
        NoNetworkError: no two of the tasks turn the same stimulus by different angles.
    """
    offered = describe_tasks(tasks)
    if not offered:
        raise NoNetworkError("it shows tasks that turn one stimulus by different angles, and there are none")
    return {"tasks": offered, "networks": [_describe_network(network) for network in shown]}


def describe_tasks(tasks: TaskSet) -> list[dict[str, Any]]:
    """Every task that turns a stimulus and can conflict with another that does, with the steps of its middle trial."""
    turning = [k for k, task in enumerate(tasks.tasks) if task.rule is turn]
    pairs = [(i, j) for i, j in conflict_pairs(tasks) if i in turning and j in turning]
    return [
        {
            "name": tasks.names[k],
            "label": spell(tasks.names[k]),
            "index": k,
            "turn_rad": tasks.tasks[k].parameters[0],
            "steps": place_events(tasks.tasks[k].family, tasks.settings),
            "others": [tasks.names[j] for i, j in pairs if i == k],
        }
        for k in turning
        if any(i == k for i, _ in pairs)
    ]


def place_events(family: Family, preset: Preset) -> dict[str, int]:
    """Steps at which things happen in a trial whose epochs have their median durations."""
    spans, onsets = family.durations_ms(preset), [0]
    for epoch in EPOCHS:
        onsets.append(onsets[-1] + (preset.to_steps(float(np.median(spans[epoch].values))) if epoch in spans else 0))
    stimulus, go = family.windows[0], onsets[EPOCHS.index("response")]
    return {
        "stimulus_on": onsets[stimulus.on],
        "stimulus_off": onsets[stimulus.off],
        "fixation_off": go if family.go_cue else onsets[END],
        "go": go,
        "end": onsets[END],
    }


def _describe_network(shown: Shown) -> dict[str, Any]:
    network, seed = shown.training.network, shown.training.seed
    model = CEMRNN(network, [seed])
    model.load(shown.flat[None])
    return {
        "arm": network.arm,
        "colour": LOOKS[network.arm].colour,
        "seed": seed,
        "key": entry_key(shown.training),
        "config": {name: getattr(network, name) for name in SHAPE},
        "tensors": {name: _encode(tensor[0]) for name, tensor in model.parameters.items()},
    }


def _encode(tensor: Tensor) -> str:
    return base64.b64encode(tensor.detach().cpu().numpy().astype("<f4").tobytes()).decode()


def read_curves(path: Path) -> dict[str, dict[str, list[list[float]]]]:
    """Manipulation -> arm -> points (level, normalised accuracy) of figure 2 at equal parameters; none without it."""
    if not path.exists():
        return {}
    table = select(pd.read_csv(path), group="parameters")
    return {
        name: {
            arm: select(table, manipulation=name, arm=arm)[["level", "normalised"]].dropna().to_numpy().tolist()
            for arm in ARMS_SHOWN
        }
        for name in MANIPULATIONS
    }


def to_script(data: Mapping[str, Any]) -> str:
    """A script that sets `cemrnnPlay.data`.

    Raises:
        NoNetworkError: it would be larger than a page should load.
    """
    script = f"(globalThis.cemrnnPlay ??= {{}}).data = {json.dumps(data, allow_nan=False)};\n"
    if len(script) > MOST_BYTES:
        raise NoNetworkError(
            f"the networks take {len(script) // 1000} kB, and a page loads {MOST_BYTES // 1000} at most"
        )
    return script


def _write_table(shown: list[Shown], origin: Mapping[str, Any]) -> str:
    """The networks, with what is needed to find them again, in Markdown."""
    rows = [
        {
            "arm": network.training.network.arm,
            "units": network.training.network.n_units,
            "components": network.training.network.rank,
            "seed": network.training.seed,
            "worst task": network.worst_score,
            "passed": "yes" if network.passed else "no",
            "key in the store": f"`{entry_key(network.training)[:16]}`",
        }
        for network in shown
    ]
    changed = " with uncommitted changes" if origin["has_uncommitted_changes"] else ""
    line = f"Profile {origin['profile']}, commit {origin['commit'][:10]}{changed}."
    return f"{pd.DataFrame(rows).to_markdown(index=False)}\n\n{line}"
