"""Our presets against the public generators that they follow: every distribution of their trials, side by side.

The generators are read from a local copy of their repositories (gyyang/multitask, lauradriscoll/flexible_multitask).
Their module of tasks is run by itself: what it imports and does not need for trials, as an old TensorFlow, is empty.
"""

from __future__ import annotations

import builtins
import contextlib
import datetime
import json
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from scipy import stats

from cemrnn.tasks import BATTERY, TaskSet, TrialStream
from cemrnn.tasks.cues import CueConfig, CueStream
from cemrnn.tasks.family import EPOCHS
from cemrnn.tasks.planning import Planner
from cemrnn.tasks.presets import PRESETS

PLACES = {"yang": "task.py", "driscoll": "stepnet/task.py"}  # of the module, in each repository
FEWEST_P = 1e-4  # of a comparison that agrees: of some 300, one is below by chance in one run of thirty
N_TRIALS = 2000
_EPOCHS = ("fix1", "stim1", "delay1", "stim2", "delay2", "go1")  # their names of ours, in order
_RESPOND = {"delay": "fd", "reaction": "react", "memory": "delay"}
_DECIDE = {"mod1": "dm1", "mod2": "dm2", "ctx1": "dm1", "ctx2": "dm2", "multi": "dm"}


class Comparison(TypedDict):
    """One quantity of one task: its mean, ours and theirs, and how probable a greater difference is by chance."""

    preset: str
    task: str
    quantity: str
    ours: float
    theirs: float
    p: float


def find_module(preset: str, folder: Path) -> Path:
    """The file of a generator in a copy of its repository.

    Raises:
        ValueError: it is not there.
    """
    path = folder.expanduser() / PLACES[preset]
    if not path.is_file():
        raise ValueError(f"{preset}: expected a copy of its public repository, with {PLACES[preset]}; got {folder}")
    return path


def load_generator(path: Path) -> dict[str, Any]:
    """Names of a module of tasks, which sees a numpy of its own, and empty modules in place of others.

    Raises:
        ValueError: it does not run, or has no trials to draw.
    """
    numpy = types.ModuleType("numpy")
    numpy.__dict__.update(vars(np))
    numpy.load = lambda *_, **__: np.array({"outputs": np.ones((1, 150, 1)), "targ_theta": np.zeros(1)}, object)
    known = {"numpy": numpy, "six": types.SimpleNamespace(string_types=(str,))}
    known["getpass"] = types.SimpleNamespace(getuser=lambda: "laura")  # one of those whose folders it knows

    def import_module(name: str, *arguments: Any) -> Any:
        if name in known:
            return known[name]
        if name in ("__future__", "datetime"):
            return builtins.__import__(name, *arguments)
        return types.ModuleType(name)

    names: dict[str, Any] = {"__builtins__": vars(builtins) | {"__import__": import_module}, "__name__": "generator"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    except Exception as error:
        raise ValueError(f"{path}: expected a module of tasks, got {type(error).__name__}: {error}") from error
    if missing := {"generate_trials", "rule_mapping", "Trial"} - set(names):
        raise ValueError(f"{path}: expected a module of tasks, got one without {', '.join(sorted(missing))}")
    return names


def rule_name(task: str) -> str:
    """Their name of one of our tasks."""
    kind, what, *rest = task.split("_")
    if kind == "decide":
        ctx = "context" if what.startswith("ctx") else "multi" if what == "multi" else ""
        return f"{ctx}{'delay' if rest == ['sequential'] else ''}{_DECIDE[what]}"
    if kind == "match":
        return f"dm{'s' if what == 'location' else 'c'}{rest[0]}"
    return f"{_RESPOND[kind]}{'go' if what == 'pro' else 'anti'}"


def draw_theirs(generator: Mapping[str, Any], preset: str, task: str, n_trials: int) -> dict[str, np.ndarray]:
    """Quantities (trial,) of trials of a public generator, one batch per trial, because timing is drawn per batch."""
    settings = _their_settings(preset)
    trials, stimuli = [], []
    with _watch_stimuli(generator["Trial"], stimuli):
        for _ in range(n_trials):
            stimuli.append([])
            rule = rule_name(task)
            trials.append(generator["generate_trials"](rule, settings, "random", noise_on=False, batch_size=1))
    lengths, direction = np.zeros((n_trials, len(EPOCHS)), int), np.full((n_trials, 2), np.nan)
    strength, answer = np.zeros((n_trials, 2, 2)), np.full(n_trials, np.nan)
    for i, (trial, shown) in enumerate(zip(trials, stimuli, strict=True)):
        for name, (on, off) in trial.epochs.items():
            on, off = (default if x is None else int(np.ravel(x)[0]) for x, default in ((on, 0), (off, trial.tdim)))
            lengths[i, _EPOCHS.index(name)] = off - on
        seen: dict[int, int] = {}  # modality -> stimuli so far: they are added in order
        for order, (theta, modality, height) in enumerate(shown):
            stimulus = order if task.startswith("match") else seen.get(modality, 0)
            seen[modality] = stimulus + 1
            direction[i, stimulus], strength[i, modality, stimulus] = theta, height
        final = float(trial.y_loc[-1, 0])
        answer[i] = np.nan if final < 0 else final
    return summarise(lengths, direction, strength, answer)


def draw_ours(preset: str, task: str, n_trials: int) -> dict[str, np.ndarray]:
    """The same of our trials."""
    plan = Planner(TaskSet(names=(task,), preset=preset)).draw(np.arange(1, n_trials + 1, dtype=np.uint64))
    return summarise(np.diff(plan.onsets, axis=1), *plan.stimuli, plan.response)


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
    state = np.random.get_state()
    np.random.seed(0)  # some of their strengths come from the global generator
    try:
        for task in (task for task in BATTERY if rule_name(task) in generator["rule_mapping"]):
            ours, theirs = draw_ours(preset, task, n_trials), draw_theirs(generator, preset, task, n_trials)
            found = [
                _compare(preset, task, name, ours.get(name, np.zeros(1)), theirs.get(name, np.zeros(1)))
                for name in dict.fromkeys([*ours, *theirs])
            ]
            rows += found
            say(f"{preset} {task}: {sum(r['p'] >= FEWEST_P for r in found)} of {len(found)} quantities agree")
        rows += _compare_noise(preset, generator)
    finally:
        np.random.set_state(state)
    return rows


def write_validation(rows: list[Comparison], n_trials: int, path: Path) -> None:
    """Write the comparisons with their date, for the page on tasks."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"date": today, "n_trials": n_trials, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def describe_validation(path: Path) -> str:
    """Markdown table of what `write_validation` wrote, a row per preset and quantity; or that it was not run here."""
    if not path.exists():
        return "*Not compared on this machine yet: `cemrnn validate --help` says how.*"
    found = json.loads(path.read_text(encoding="utf-8"))
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for row in found["rows"]:
        groups.setdefault((row["preset"], row["quantity"]), []).append(row)
    lines = ["| preset | quantity | tasks that agree | nearest to differing | ours | theirs | p |"]
    lines.append("|---|---|---:|---|---:|---:|---:|")
    for (preset, quantity), rows in groups.items():
        worst, agree = min(rows, key=lambda row: row["p"]), sum(row["p"] >= FEWEST_P for row in rows)
        means = f"{worst['ours']:.4g} | {worst['theirs']:.4g} | {worst['p']:.2g}"
        lines.append(f"| `{preset}` | {quantity} | {agree} of {len(rows)} | `{worst['task']}` | {means} |")
    note = f"*Compared on {found['date']}: {found['n_trials']} trials of each task and source; means, and p values of "
    return "\n".join(
        [*lines, "", f"{note}tests of shape (Kolmogorov-Smirnov) and mean (Welch); they agree from {FEWEST_P:g} on.*"]
    )


def _compare(preset: str, task: str, quantity: str, ours: np.ndarray, theirs: np.ndarray) -> Comparison:
    ours, theirs = ours.astype(float), theirs.astype(float)
    p = float(len(ours) == len(theirs))
    if len(ours) and len(theirs):
        shape = stats.ks_2samp(ours, theirs, method="asymp").pvalue
        size = stats.ttest_ind(ours, theirs, equal_var=False).pvalue if np.ptp(ours) + np.ptp(theirs) > 0 else 1.0
        p = min(1.0, 2 * min(shape, size))
    means = {name: float(x.mean()) if len(x) else 0.0 for name, x in (("ours", ours), ("theirs", theirs))}
    return Comparison(preset=preset, task=task, quantity=quantity, **means, p=float(p))


def _compare_noise(preset: str, generator: Mapping[str, Any]) -> list[Comparison]:
    """Standard deviations at a step, of the inputs and of the cue, from a batch of a respond task."""
    settings, task = _their_settings(preset), "delay_pro"
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
    return [_compare(preset, task, f"{name} (size)", *(np.abs(x) for x in pair)) for name, pair in pairs.items()]


def _their_settings(preset: str) -> dict[str, Any]:
    p, n_ring, n_rules = PRESETS[preset], *{"yang": (32, 20), "driscoll": (2, 15)}[preset]
    sizes = dict(n_eachring=n_ring, n_input=1 + 2 * n_ring + n_rules, n_output=1 + n_ring, rule_start=1 + 2 * n_ring)
    noise = dict(dt=p.dt_ms, alpha=p.dt_ms / p.tau_ms, sigma_x=p.sigma_x)
    return sizes | noise | dict(rng=np.random.RandomState(0), loss_type="lsq", ruleset="all")


@contextlib.contextmanager
def _watch_stimuli(trial_class: Any, stimuli: list[list[tuple[float, int, float]]]) -> Iterator[None]:
    """While it lasts, every stimulus (direction, modality from 0, strength) of a trial is added to the last list."""
    add = trial_class.add

    def watched(trial: Any, kind: str, locs: Any = None, **more: Any) -> None:
        if kind == "stim":
            theta, modality, height = (np.ravel(x)[0] for x in (locs, more["mods"], more.get("strengths", 1)))
            stimuli[-1].append((float(theta), int(modality) - 1, float(height)))
        add(trial, kind, locs, **more)

    trial_class.add = watched
    try:
        yield
    finally:
        trial_class.add = add


def _round_turn(angle_rad: np.ndarray) -> np.ndarray:
    """Angles in [0, 2 pi), rounded, so that 0 is not on both sides."""
    return (angle_rad.round(5) % (2 * np.pi)).round(4) % round(2 * np.pi, 4)
