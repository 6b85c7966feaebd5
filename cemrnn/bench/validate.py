"""Our presets against the public generators that they follow: every distribution of their trials, side by side."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from scipy import stats

from cemrnn.bench.generators import PublicTrials, draw_theirs, make_settings, rule_name
from cemrnn.random import stream
from cemrnn.tasks import BATTERY, PRESETS, TaskSet, TrialStream
from cemrnn.tasks.cues import CueConfig, CueStream
from cemrnn.tasks.family import EPOCHS
from cemrnn.tasks.layout import Layout
from cemrnn.tasks.planning import Planner
from cemrnn.tasks.registry import find_task

FEWEST_P = 1e-4  # of a comparison that agrees: of some 500, one is below by chance in one run of twenty
N_TRIALS = 2000
_SAME = 1e-3  # their numbers are float32, and a ring is read by its population vector


class Comparison(TypedDict):
    """One quantity of one task: its mean, ours and theirs, and how probable a greater difference is by chance."""

    preset: str
    task: str
    quantity: str
    ours: float
    theirs: float
    p: float


class Score(Comparison):
    """What the networks of an arm score by a rule, the quantity, on a task: the mean of the shares (trial,)."""

    arm: str


class Scores(TypedDict):
    """All scores, and whose they are."""

    profile: str
    learned: str  # the preset
    n_networks: int
    rows: list[Score]


def measure_theirs(trials: PublicTrials, preset: str, task: str) -> dict[str, np.ndarray]:
    """Quantities (trial,) of trials of a public generator."""
    measured = summarise(np.diff(trials.onsets, axis=1), *trials.stimuli, trials.answer_rad)
    rules = {"answer is that of our rule": _has_our_answer(trials, task)}
    return measured | rules | {"inputs are those we would show": _has_our_inputs(trials, preset, task)}


def measure_ours(preset: str, task: str, n_trials: int) -> dict[str, np.ndarray]:
    """The same of our trials, where the last two hold by construction."""
    keys = stream(0, "validate", preset, task).integers(2**64, size=n_trials, dtype=np.uint64)
    plan = Planner(TaskSet(names=(task,), preset=preset)).draw(keys)
    held = dict.fromkeys(("answer is that of our rule", "inputs are those we would show"), np.ones(n_trials))
    return summarise(np.diff(plan.onsets, axis=1), *plan.stimuli, plan.response) | held


def summarise(
    lengths: np.ndarray, direction_rad: np.ndarray, strength: np.ndarray, answer_rad: np.ndarray
) -> dict[str, np.ndarray]:
    """Quantities of trials that can be compared, by their names; those that a task has not are left out.

    Args:
        lengths: (trial, epoch) steps.
        direction_rad: (trial, stimulus); NaN: not shown.
        strength: (trial, modality, stimulus); 0: not shown.
        answer_rad: (trial,); NaN: keep fixation.
    """
    values = {f"{epoch} (steps)": lengths[:, e] for e, epoch in enumerate(EPOCHS) if lengths[:, e].any()}
    values["direction (rad)"] = direction_rad[:, 0] % (2 * np.pi)
    values["answers"] = ~np.isnan(answer_rad)
    values["first modality"] = strength[:, 0, 0] > 0
    turned = (answer_rad - direction_rad[:, 0]) % (2 * np.pi)
    values["answer from the first (rad)"] = _round_turn(turned[~np.isnan(turned)])
    if np.isnan(direction_rad[:, 1]).all():
        return values
    values["distance (rad)"] = _round_turn(direction_rad[:, 1] - direction_rad[:, 0])
    both = (strength > 0).all(axis=2)  # (trial, modality)
    half = (strength[:, :, 0] - strength[:, :, 1]) / 2
    for modality in np.flatnonzero(both.all(axis=0)):
        values[f"mean strength {modality + 1}"] = strength[:, modality].mean(axis=1)
        values[f"coherence {modality + 1}"] = np.abs(half[:, modality]).round(6)
    if both.all():
        opposed = half[:, 0] * half[:, 1] < 0
        values["opposed"] = opposed
        values["opposed and equal"] = opposed & np.isclose(half.sum(axis=1), 0, atol=1e-9)
        values["modalities apart"] = (
            np.abs(strength[:, 0, 0] - strength[:, 1, 0]) / strength[:, :, 0].mean(axis=1)
        ).round(6)
        values["coherence of the sum"] = np.abs(half.sum(axis=1)).round(6)
    return values


def compare(preset: str, generator: Mapping[str, Any], n_trials: int, say: Callable[[str], None]) -> list[Comparison]:
    """Every quantity of every task that both have, and the noise of inputs and cue.

    Args:
        preset: "yang" or "driscoll".
        generator: see `load_generator`.
        n_trials: per task.
        say: shows a line per task.
    """
    rows: list[Comparison] = []
    for task in (task for task in BATTERY if rule_name(task) in generator["rule_mapping"]):
        trials = draw_theirs(generator, preset, task, n_trials, PRESETS[preset])
        ours, theirs = measure_ours(preset, task, n_trials), measure_theirs(trials, preset, task)
        found = [
            weigh(preset, task, name, *(of_one.get(name, np.zeros(0)) for of_one in (ours, theirs)))
            for name in dict.fromkeys([*ours, *theirs])
        ]
        rows += found
        say(f"{preset} {task}: {sum(r['p'] >= FEWEST_P for r in found)} of {len(found)} quantities agree")
    return rows + _compare_noise(preset, generator)


def weigh(preset: str, task: str, quantity: str, ours: np.ndarray, theirs: np.ndarray) -> Comparison:
    """Compare the shape and the mean of a quantity of our trials and of theirs; p = 0 if one of them lacks it.

    Args:
        preset, task, quantity: what is compared.
        ours, theirs: (trial,), not necessarily as many; empty: no trial has it.
    """
    ours, theirs = ours.astype(float), theirs.astype(float)
    p = float(len(ours) == len(theirs))
    if len(ours) and len(theirs):
        shape = stats.ks_2samp(ours, theirs, method="asymp").pvalue
        size = _compare_means(ours, theirs)
        p = min(1.0, 2 * min(shape, size))
    means = {name: float(x.mean()) if len(x) else 0.0 for name, x in (("ours", ours), ("theirs", theirs))}
    return Comparison(preset=preset, task=task, quantity=quantity, **means, p=float(p))


def write_validation(rows: list[Comparison], n_trials: int, path: Path, scores: Scores | None = None) -> None:
    """Write the comparisons with their date, for the page on tasks.

    Args:
        rows: what `compare` returned.
        n_trials: of each task and source.
        path: of the file, whose folder is made.
        scores: of figure 1's networks; None: there were none.
    """
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"date": today, "n_trials": n_trials, "rows": rows, "scores": scores}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def describe_validation(path: Path) -> str:
    """Markdown tables of what `write_validation` wrote, a row per preset and quantity; or that it was not run here."""
    if not path.exists():
        return "*Not compared on this machine yet: `cemrnn validate --help` says how.*"
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = ["| preset | quantity | tasks that agree | nearest to differing | ours | theirs | p |"]
    lines.append("|---|---|---:|---|---:|---:|---:|")
    for (preset, quantity), rows in _group(found["rows"], "preset", "quantity").items():
        worst = min(rows, key=lambda row: row["p"])
        means = f"{worst['ours']:.4g} | {worst['theirs']:.4g} | {worst['p']:.2g}"
        lines.append(f"| `{preset}` | {quantity} | {_count_agreeing(rows)} | `{worst['task']}` | {means} |")
    note = f"*Compared on {found['date']}: {found['n_trials']} trials of each task and source; means, and p values of "
    note += f"tests of shape (Kolmogorov-Smirnov) and mean (Welch); they agree from {FEWEST_P:g} on: "
    lines += ["", f"{note}{_count_agreeing(found['rows'])}.*", ""]
    return "\n".join(lines + _describe_scores(found.get("scores")))


def _describe_scores(scores: Scores | None) -> list[str]:
    """Lines of a table, a row per preset and task, means over all networks."""
    if scores is None:
        return ["*Figure 1's networks had not been trained then, so they were not scored.*"]
    lines = ["| trials of | task | last36 on ours | on theirs | last18 on ours | on theirs | largest difference |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    for (preset, task), rows in _group(scores["rows"], "preset", "task").items():
        cells = [f"`{preset}`", f"`{task}`"]
        for of_rule in _group(rows, "quantity").values():
            cells += [f"{100 * np.mean([row[of] for row in of_rule]):.1f} %" for of in ("ours", "theirs")]
        apart = max(rows, key=lambda row: abs(row["ours"] - row["theirs"]))
        cells.append(f"{100 * abs(apart['ours'] - apart['theirs']):.1f} points ({apart['arm']}, {apart['quantity']})")
        lines.append(f"| {' | '.join(cells)} |")
    whose = f"{scores['n_networks']} networks of figure 1 at profile {scores['profile']}"
    note = f"*{whose}, which learned `{scores['learned']}`; means over the networks, and the arm that differs most; "
    return [*lines, "", f"{note}scores that agree: {_count_agreeing(scores['rows'])}.*"]


def _group(rows: list[Any], *names: str) -> dict[tuple[str, ...], list[Any]]:
    groups: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def _count_agreeing(rows: list[Any]) -> str:
    return f"{sum(row['p'] >= FEWEST_P for row in rows)} of {len(rows)}"


def _compare_means(ours: np.ndarray, theirs: np.ndarray) -> float:
    """p of Welch's test; of two constants, whether they are the same."""
    if np.ptp(ours) + np.ptp(theirs) > 0:
        of_both = (number for x in (ours, theirs) for number in (x.mean(), x.std(ddof=1), len(x)))
        return stats.ttest_ind_from_stats(*of_both, equal_var=False).pvalue
    return float(ours[0] == theirs[0])


def _has_our_answer(trials: PublicTrials, task: str) -> np.ndarray:
    """Whether (trial,) our rule gives their answer on their stimuli."""
    found, n_trials = find_task(task), len(trials.onsets)
    answer, defined = np.empty((1, n_trials)), np.empty((1, n_trials), bool)
    found.rule(*trials.stimuli, np.array([found.parameters]), answer, defined)
    away = np.abs((answer[0] - trials.answer_rad + np.pi) % (2 * np.pi) - np.pi)
    neither = np.isnan(answer[0]) & np.isnan(trials.answer_rad)
    return defined[0] & (neither | (away < _SAME))


def _has_our_inputs(trials: PublicTrials, preset: str, task: str) -> np.ndarray:
    """Whether (trial,) their inputs are at every step what we show in a trial of their stimuli and timing."""
    layout, plan = Layout(TaskSet(names=(task,), preset=preset)), trials.as_plan(0, 1)
    held = np.stack([layout.held_inputs(plan, epoch) for epoch in range(len(EPOCHS))], axis=1)  # (P, E, 5)
    ours = [np.repeat(of_trial, steps, axis=0) for of_trial, steps in zip(held, np.diff(plan.onsets), strict=True)]
    pairs = zip(ours, trials.inputs, strict=True)
    return np.array([x.shape == y.shape and np.abs(x - y).max() < _SAME for x, y in pairs])


def _compare_noise(preset: str, generator: Mapping[str, Any]) -> list[Comparison]:
    """Standard deviations at a step, of the inputs and of the cue, from a batch of a respond task."""
    settings, task = make_settings(preset, PRESETS[preset], seed=0), "delay_pro"
    if rule_name(task) not in generator["rule_mapping"]:
        return []
    theirs = generator["generate_trials"](rule_name(task), settings, "random", noise_on=True, batch_size=64)
    names = ("delay_pro", "delay_anti")
    trials = TrialStream(TaskSet(names=names, preset=preset), [0], name="validate").draw(64, 0)
    cue = CueStream(CueConfig(), [0], name="validate").draw(trials).context[0, ..., 1]  # of the task that is not cued
    inside = np.arange(trials.inputs.shape[2]) < trials.end_steps[0, :, None].numpy()
    rule = settings["rule_start"] + 1 + (theirs.x[0, :, settings["rule_start"] + 1].mean() > 0.5)
    before = min(int(trials.onsets[0, :, 1].min()), *(int(x) for x in np.ravel(theirs.epochs["fix1"][1])))
    pairs = {
        "noise of the inputs": (trials.inputs[0, :, :before, 1].numpy().ravel(), theirs.x[:before, :, 1].ravel()),
        "noise of the cue": (cue.numpy()[inside], theirs.x[..., rule].ravel()),
    }
    return [weigh(preset, task, f"{name} (size)", *(np.abs(x) for x in pair)) for name, pair in pairs.items()]


def _round_turn(angle_rad: np.ndarray) -> np.ndarray:
    """Angles in [0, 2 pi), rounded, so that 0 is not on both sides."""
    return (angle_rad.round(5) % (2 * np.pi)).round(4) % round(2 * np.pi, 4)
