"""The public generators of trials, read from a local copy of their repositories, and their trials in our terms.

The repositories are gyyang/multitask and lauradriscoll/flexible_multitask. Their module of tasks is run by itself:
what it imports and does not need for trials, as an old TensorFlow, is empty.
"""

from __future__ import annotations

import builtins
import contextlib
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cemrnn.random import derive_seed
from cemrnn.tasks import TaskSet
from cemrnn.tasks.encoding import decode_inputs
from cemrnn.tasks.family import EPOCHS, Stimuli
from cemrnn.tasks.planning import TrialPlan
from cemrnn.tasks.presets import Preset
from cemrnn.tasks.registry import BATTERY

PLACES = {"yang": "task.py", "driscoll": "stepnet/task.py"}  # of the module, in each repository
_SIZES = {"yang": (32, 20), "driscoll": (2, 15)}  # inputs of a modality, rules
_EPOCHS = ("fix1", "stim1", "delay1", "stim2", "delay2", "go1")  # their names of ours, in order
_RESPOND = {"delay": "fd", "reaction": "react", "memory": "delay"}
_DECIDE = {"mod1": "dm1", "mod2": "dm2", "ctx1": "dm1", "ctx2": "dm2", "multi": "dm"}


@dataclass(frozen=True)
class PublicTrials:
    """P trials of one task, as a public generator drew them."""

    onsets: np.ndarray  # (P, E + 1) int64 first step of each of our epochs, then the end of the trial
    stimuli: Stimuli
    answer_rad: np.ndarray  # (P,); NaN: keep fixation
    inputs: list[np.ndarray]  # P of (steps, 5): fixation, and cosine and sine of each modality, without noise

    def as_plan(self, context: int, n_contexts: int) -> TrialPlan:
        """The trials as trials of the task with that context, of a set of so many; of the others no answer is known."""
        answers = np.full((len(self.onsets), n_contexts), np.nan)
        answers[:, context] = self.answer_rad
        defined = np.zeros(answers.shape, bool)
        defined[:, context] = True
        return TrialPlan(np.full(len(answers), context), self.onsets, self.stimuli, answers, defined)


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
    """Their name of one of our tasks of the battery; empty for a task that they have not."""
    if task not in BATTERY:
        return ""
    kind, what, *rest = task.split("_")
    if kind == "decide":
        ctx = "context" if what.startswith("ctx") else "multi" if what == "multi" else ""
        return f"{ctx}{'delay' if rest == ['sequential'] else ''}{_DECIDE[what]}"
    if kind == "match":
        return f"dm{'s' if what == 'location' else 'c'}{rest[0]}"
    return f"{_RESPOND[kind]}{'go' if what == 'pro' else 'anti'}"


def make_settings(preset: str, values: Preset, seed: int) -> dict[str, Any]:
    """Settings of a public generator.

    Args:
        preset: whose generator it is, "yang" or "driscoll".
        seed: of its random numbers, in 32 bits.
        values: its preset, or that with another time step: where durations are stretched, the step that the generator
            is given is longer instead, so that they have as many steps.
    """
    n_ring, n_rules = _SIZES[preset]
    sizes = dict(n_eachring=n_ring, n_input=1 + 2 * n_ring + n_rules, n_output=1 + n_ring, rule_start=1 + 2 * n_ring)
    noise = dict(dt=values.dt_ms / values.stretch, alpha=values.dt_ms / values.tau_ms, sigma_x=values.sigma_x)
    return sizes | noise | dict(rng=np.random.RandomState(seed), loss_type="lsq", ruleset="all")


def draw_theirs(generator: Mapping[str, Any], preset: str, task: str, n_trials: int, values: Preset) -> PublicTrials:
    """Trials of a public generator, one batch per trial, because timing is drawn per batch.

    Args:
        generator: see `load_generator`.
        preset, values: see `make_settings`.
        task: our name.
        n_trials: P.
    """
    seed = derive_seed(0, "validate", preset, task) % 2**32
    settings, trials, shown = make_settings(preset, values, seed), [], []
    with _watch_stimuli(generator["Trial"], shown), _seed_global_numbers(seed):
        for _ in range(n_trials):
            shown.append([])
            drawn = generator["generate_trials"](rule_name(task), settings, "random", noise_on=False, batch_size=1)
            trials.append(drawn)
    final = np.array([float(trial.y_loc[-1, 0]) for trial in trials])
    return PublicTrials(
        onsets=_read_onsets(trials),
        stimuli=_read_stimuli(shown, in_order=task.startswith("match")),
        answer_rad=np.where(final < 0, np.nan, final),
        inputs=[_decode(trial.x[:, 0], preset, task) for trial in trials],
    )


def _read_onsets(trials: list[Any]) -> np.ndarray:
    lengths = np.zeros((len(trials), len(EPOCHS)), np.int64)
    for i, trial in enumerate(trials):
        for name, (on, off) in trial.epochs.items():
            on, off = (default if x is None else int(np.ravel(x)[0]) for x, default in ((on, 0), (off, trial.tdim)))
            lengths[i, _EPOCHS.index(name)] = off - on
    return np.cumsum(np.pad(lengths, ((0, 0), (1, 0))), axis=1)


def _read_stimuli(shown: list[list[tuple[float, int, float]]], in_order: bool) -> Stimuli:
    """Stimuli from (direction, modality, strength) of each; `in_order`: the second is not of the first's time."""
    direction, strength = np.full((len(shown), 2), np.nan), np.zeros((len(shown), 2, 2))
    for i, of_trial in enumerate(shown):
        seen: dict[int, int] = {}  # modality -> stimuli so far: they are added in order
        for order, (theta, modality, height) in enumerate(of_trial):
            stimulus = order if in_order else seen.get(modality, 0)
            seen[modality] = stimulus + 1
            direction[i, stimulus], strength[i, modality, stimulus] = theta, height
    return Stimuli(direction, strength)


def _decode(x: np.ndarray, preset: str, task: str) -> np.ndarray:
    """Their inputs (steps, features) as ours with the cosine encoding, (steps, 5)."""
    if preset == "driscoll":
        return x[:, [0, 2, 1, 4, 3]]  # theirs have the sine first
    n_shown = 1 + 2 * _SIZES[preset][0]
    return decode_inputs(x[:, :n_shown], TaskSet(names=(task,), preset=preset, encoding="ring"))


@contextlib.contextmanager
def _watch_stimuli(trial_class: Any, shown: list[list[tuple[float, int, float]]]) -> Iterator[None]:
    """While it lasts, every stimulus (direction, modality from 0, strength) of a trial is added to the last list."""
    add = trial_class.add

    def watched(trial: Any, kind: str, locs: Any = None, **more: Any) -> None:
        if kind == "stim":
            theta, modality, height = (np.ravel(x)[0] for x in (locs, more["mods"], more.get("strengths", 1)))
            shown[-1].append((float(theta), int(modality) - 1, float(height)))
        add(trial, kind, locs, **more)

    trial_class.add = watched
    try:
        yield
    finally:
        trial_class.add = add


@contextlib.contextmanager
def _seed_global_numbers(seed: int) -> Iterator[None]:
    """Some of their strengths come from numpy's global generator; it is given back as it was."""
    state = np.random.get_state()
    np.random.seed((seed + 1) % 2**32)  # not the numbers of the settings' own
    try:
        yield
    finally:
        np.random.set_state(state)
