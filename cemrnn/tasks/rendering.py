"""Laying trials out in time: compiled loops that fill what is shown, targets and weights, step by step.

Memory is time-major, (M, T, B, F). What is on changes a few times per trial only: one row (B * F) holds the
current values, is corrected for the trials that change, and copied to every step.
"""

from __future__ import annotations

import numpy as np

from cemrnn.random import compiled

EARLY, LATE = np.float32(1), np.float32(5)  # weights of the loss before and after go


@compiled()
def render_events(out, features, on, off):
    """Fills out with the sum of the events that are on.

    Args:
        out: (M, T, B, F) float32.
        features: (M, B, E, F) float32 values of each event while it is on.
        on, off: (M, B, E) int64 first step of each event, and first step after it.
    """
    n_networks, n_steps, n_trials, n_features = out.shape
    n = n_trials * n_features
    for m in range(n_networks):
        row, due = np.zeros(n, np.float32), np.zeros(n_trials, np.int64)
        for t in range(n_steps):
            for b in range(n_trials):
                if due[b] == t:
                    _update(row, m, b, t, features, on, off)
                    due[b] = _next_change(m, b, t, on, off)
            into = out[m, t].reshape(n)
            for i in range(n):
                into[i] = row[i]


@compiled()
def _update(row, m, b, t, features, on, off):
    """Sets the part of the row (B * F) that belongs to trial b to what is on at step t."""
    n_features = features.shape[3]
    for c in range(n_features):
        row[b * n_features + c] = 0
    for e in range(on.shape[2]):
        if on[m, b, e] <= t < off[m, b, e]:
            for c in range(n_features):
                row[b * n_features + c] += features[m, b, e, c]


@compiled()
def _next_change(m, b, t, on, off):
    """First step after t at which an event of the trial begins or ends; 0 if there is none."""
    due = 0
    for e in range(on.shape[2]):
        for step in (on[m, b, e], off[m, b, e]):
            if step > t and (due == 0 or step < due):
                due = step
    return due


@compiled()
def render_weights(out, go, ends, grace):
    """Fills the loss weights: 1 before go, 5 after, 0 in the grace steps that follow the start and go, 0 in padding.

    Source: the cost masks of Yang et al. 2019 and Driscoll et al. 2024. They square the masked error, and so in
    effect weigh 1 to 25; here the weights multiply the squared error.

    Args:
        out: (M, T, B) float32.
        go, ends: (M, B) int64 first step of the response, and length of the trial.
        grace: steps.
    """
    n_networks, n_steps, n_trials = out.shape
    for m in range(n_networks):
        for t in range(n_steps):
            for b in range(n_trials):
                early = EARLY if t >= grace else np.float32(0)
                late = LATE if go[m, b] + grace <= t < ends[m, b] else np.float32(0)
                out[m, t, b] = early if t < go[m, b] else late
