"""The battery as one would usually write it: a trial at a time, in NumPy, padded into a batch afterwards.

The same distribution as `cemrnn.tasks`, cosine encoding, without the answers that other tasks would require.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cemrnn.tasks import TaskSet
from cemrnn.tasks.family import END, EPOCHS
from cemrnn.tasks.presets import Preset, Span
from cemrnn.tasks.registry import find_task

STIMULUS1, DELAY1, STIMULUS2, DELAY2, RESPONSE = range(1, 6)  # indices into EPOCHS
GRACE_MS = 100.0  # without weight after the start and after go


class Stimulus(NamedTuple):
    """One stimulus of a trial: where, how strong in each modality, and from which epoch to which."""

    direction_rad: float
    strength: tuple[float, float]
    on: int
    off: int


class SingleTrial(NamedTuple):
    """One trial before it is laid out in time."""

    onsets: Sequence[int]  # first step of each epoch, then the end
    stimuli: list[Stimulus]
    go_cue: bool  # whether fixation goes off with the response
    response_rad: float | None  # None: keep fixation


def draw_batch(tasks: TaskSet, n_trials: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Inputs (B, T, I), targets (B, T, O), weights (B, T) and cue (B, K) of trials of random tasks."""
    index = rng.integers(tasks.n_contexts, size=n_trials)
    trials = [build_trial(draw_trial(tasks.names[k], tasks.settings, rng), tasks, rng) for k in index]
    n_steps = max(len(weights) for *_, weights in trials)
    inputs, targets = (np.zeros((n_trials, n_steps, n), np.float32) for n in (tasks.n_inputs, tasks.n_outputs))
    weights = np.zeros((n_trials, n_steps), np.float32)
    for i, (u, y, w) in enumerate(trials):
        inputs[i, : len(w)], targets[i, : len(w)], weights[i, : len(w)] = u, y, w
    return inputs, targets, weights, np.eye(tasks.n_contexts, dtype=np.float32)[index]


def draw_trial(name: str, preset: Preset, rng: np.random.Generator) -> SingleTrial:
    """A random trial of the named task."""
    kind = name.split("_")[0]
    spans = find_task(name).family.durations_ms(preset)
    onsets = [0]
    for epoch in EPOCHS:
        duration_ms = draw_from(spans[epoch], rng) if epoch in spans else 0.0
        onsets.append(onsets[-1] + preset.to_steps(duration_ms))
    draw = {"decide": draw_decide, "match": draw_match}.get(kind, draw_respond)
    stimuli, response_rad = draw(name.split("_"), preset, rng)
    return SingleTrial(onsets, stimuli, kind not in ("reaction", "match"), response_rad)


def draw_from(span: Span, rng: np.random.Generator) -> float:
    """A value from a span."""
    return rng.uniform(*span.values) if span.continuous else rng.choice(span.values)


def draw_respond(name: list[str], _preset: Preset, rng: np.random.Generator) -> tuple[list[Stimulus], float]:
    """Stimulus and answer of a respond task."""
    timing, rule = name
    theta, modality = rng.uniform(0, 2 * np.pi), rng.integers(2)
    on, off = {"delay": (STIMULUS1, END), "reaction": (RESPONSE, END), "memory": (STIMULUS1, DELAY1)}[timing]
    answer = theta if rule == "pro" else (theta + np.pi) % (2 * np.pi)
    return [Stimulus(theta, (1.0, 0.0) if modality == 0 else (0.0, 1.0), on, off)], answer


def draw_decide(name: list[str], preset: Preset, rng: np.random.Generator) -> tuple[list[Stimulus], float]:
    """Stimuli and answer of a decide task; where `multi` is drawn as `ctx` is, equal coherences are not opposed."""
    _, rule, order = name
    span = preset.coherence_simultaneous if order == "simultaneous" else preset.coherence_sequential
    theta = rng.uniform(0, 2 * np.pi)
    directions = theta, (theta + rng.uniform(np.pi / 2, 3 * np.pi / 2)) % (2 * np.pi)
    mean, sign = rng.uniform(0.8, 1.2, 2), rng.choice([-1.0, 1.0], 2)
    coherence = np.array([draw_from(span, rng) for _ in range(2)])
    while preset.multi_difference is None and sign[0] != sign[1] and coherence[0] == coherence[1]:
        coherence[1] = draw_from(span, rng)
    strength = np.stack([mean + sign * coherence, mean - sign * coherence])  # (stimulus, modality)
    weight = {"mod1": (1, 0), "mod2": (0, 1), "ctx1": (1, 0), "ctx2": (0, 1), "multi": (1, 1)}[rule]
    if rule in ("mod1", "mod2"):
        strength *= weight
    elif rule == "multi" and preset.multi_difference is not None:
        half = rng.choice([-1.0, 1.0], 2) * [draw_from(preset.multi_difference, rng) / 2 for _ in range(2)]
        strength = strength[:, :1] * np.stack([1 + half, 1 - half], axis=1)
    first, second = strength @ weight
    windows = [(STIMULUS1, DELAY1), (STIMULUS1, DELAY1) if order == "simultaneous" else (STIMULUS2, DELAY2)]
    stimuli = [Stimulus(d, tuple(s), *w) for d, s, w in zip(directions, strength, windows, strict=True)]
    return stimuli, directions[0] if first > second else directions[1]


def draw_match(name: list[str], preset: Preset, rng: np.random.Generator) -> tuple[list[Stimulus], float | None]:
    """Stimuli and answer of a match task."""
    _, rule, go_on = name
    if rule == "category":
        n = preset.n_categorised
        first, second = 2 * np.pi * ((rng.integers(n, size=2) + 0.5) / n if n else rng.random(2))
        same = (first < np.pi) == (second < np.pi)
    else:
        same, first = rng.random() < 0.5, rng.uniform(0, 2 * np.pi)
        second = first if same else (first + rng.uniform(np.pi / 9, 17 * np.pi / 9)) % (2 * np.pi)
    windows = (STIMULUS1, DELAY1), (RESPONSE, END)
    strengths = [(1.0, 0.0) if modality == 0 else (0.0, 1.0) for modality in rng.integers(2, size=2)]
    stimuli = [Stimulus(d, s, *w) for d, s, w in zip((first, second), strengths, windows, strict=True)]
    return stimuli, second if same == (go_on == "go") else None


def build_trial(
    trial: SingleTrial, tasks: TaskSet, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (T, 5), targets (T, 3) and weights (T,) of a trial.

    Args:
        trial: what happens, and when.
        tasks: step, and input noise.
        rng: of the noise.
    """
    go, end = trial.onsets[RESPONSE], trial.onsets[END]
    inputs = rng.normal(0, tasks.sigma_x * tasks.noise_scale, (end, tasks.n_inputs)).astype(np.float32)
    inputs[: go if trial.go_cue else end, 0] += 1
    for stimulus in trial.stimuli:
        shown = slice(trial.onsets[stimulus.on], trial.onsets[stimulus.off])
        for modality, strength in enumerate(stimulus.strength):
            inputs[shown, 1 + 2 * modality] += strength * np.cos(stimulus.direction_rad)
            inputs[shown, 2 + 2 * modality] += strength * np.sin(stimulus.direction_rad)
    targets, weights = np.zeros((end, tasks.n_outputs), np.float32), np.zeros(end, np.float32)
    targets[:go, 0] = 1
    if trial.response_rad is None:
        targets[go:, 0] = 1
    else:
        targets[go:, 1], targets[go:, 2] = np.cos(trial.response_rad), np.sin(trial.response_rad)
    grace = round(GRACE_MS / tasks.dt_ms)
    weights[grace:go], weights[go + grace :] = 1, 5
    return inputs, targets, weights
