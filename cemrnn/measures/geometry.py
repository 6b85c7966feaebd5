"""Measures of what a context does to the dynamics of a network, from arrays.

    F_c(r) = -r + phi(p_c(r)),    tau dr/dt = F_c(r),    J_c = dF_c / dr

Contexts may move the points at which F_c is zero, or change J_c, the flow around a state, or both. A shift of
threshold in a linear network does the first only; a change of weights, with a fixed point at zero, the second only.

Symbols: S states, N units, K contexts or tasks, Q points.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import subspace_angles
from scipy.spatial.distance import cdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

ACTIVE_VARIANCE = 1e-3  # sum of a unit's task variances from which it counts as active; source: Yang 2019, methods


def measure_spread(states: np.ndarray) -> float:
    """Root mean square distance of states (S, N) from their mean."""
    return float(np.sqrt(states.var(axis=0).sum()))


def distance_to_nearest(points: np.ndarray, others: np.ndarray) -> float:
    """Distance from each of points (Q, N) to the nearest of others (Q', N), averaged; NaN if there are none."""
    if not len(points) or not len(others):
        return np.nan
    return float(cdist(points, others).min(axis=1).mean())


def displace_points(points: Sequence[np.ndarray], spread: float) -> float:
    """How far a change of context moves the points, averaged over ordered pairs of contexts.

    Args:
        points: K arrays (Q_k, N), the fixed and slow points of each context under the same input. A pair that has
            a context without points is left out.
        spread: the unit of distance, see `measure_spread`.

    Returns:
        Distance from each point of one context to the nearest of the other, in units of the spread; NaN if no pair
        is left.
    """
    distances = [distance_to_nearest(a, b) for a, b in itertools.permutations(points, 2)]
    return nan_mean(distances) / spread


def change_flow(jacobians: np.ndarray) -> float:
    """How much a change of context changes the linearised flow, averaged over states and pairs of contexts.

    |J_i - J_j| / sqrt((|J_i|^2 + |J_j|^2) / 2) with the Frobenius norm: 0 where nothing changes. Two matrices without
    anything in common would have sqrt(2), but every Jacobian contains -1, the leak, which no context changes, so that
    values stay below.

    Args:
        jacobians: (S, K, N, N) of every context in the same states.

    Raises:
        ValueError: fewer than two contexts.
    """
    if jacobians.ndim != 4 or jacobians.shape[1] < 2:
        raise ValueError(f"jacobians: expected (state, 2 or more contexts, unit, unit), got {jacobians.shape}")
    flat = jacobians.reshape(*jacobians.shape[:2], -1)
    first, second = np.triu_indices(flat.shape[1], k=1)
    changes = []
    for state in flat:  # (K, N * N), one state at a time, which bounds the memory
        squares = np.square(state).sum(axis=1)
        differences = np.array([np.square(state[i] - state[j]).sum() for i, j in zip(first, second, strict=True)])
        changes.append(np.sqrt(2 * differences / (squares[first] + squares[second])))
    return float(np.mean(changes))


def participation_ratio(states: np.ndarray) -> float:
    """Number of dimensions that states (S, N) fill: (sum of variances)^2 over the sum of their squares.

    The variances are those along the principal components; k equal ones give k.
    Source: Gao et al. 2017, "A theory of multineuronal dimensionality, dynamics and measurement".
    """
    covariance = np.cov(states, rowvar=False)
    return float(np.trace(covariance) ** 2 / np.square(covariance).sum())


def find_components(states: np.ndarray, n_components: int) -> np.ndarray:
    """The leading principal components of states (S, N), as orthonormal columns (N, n_components).

    Raises:
        ValueError: there are fewer states or units than components.
    """
    if min(states.shape) < n_components:
        raise ValueError(f"states: expected at least {n_components} states and units, got {states.shape}")
    return PCA(n_components, svd_solver="covariance_eigh").fit(states).components_.T


def mean_angle(first: np.ndarray, second: np.ndarray) -> float:
    """Mean principal angle between the spans of the columns of two (N, C) arrays, degrees in [0, 90]."""
    return float(np.rad2deg(subspace_angles(first, second)).mean())


def mean_angle_of_pairs(bases: Sequence[np.ndarray]) -> float:
    """`mean_angle` averaged over pairs of subspaces, each (N, C), degrees."""
    return float(np.mean([mean_angle(a, b) for a, b in itertools.combinations(bases, 2)]))


def task_variance(rates: np.ndarray, task: np.ndarray, n_tasks: int) -> np.ndarray:
    """How much each unit varies with the trial in each task, (K, N).

    The variance over the trials of a task of a unit's mean rate in an epoch, averaged over epochs. Source: Yang 2019,
    methods, where the variance is taken at every step; here trials differ in timing, so that epochs are compared.

    Args:
        rates: (B, E, N) mean rate in each epoch of each trial; NaN for epochs that a trial lacks.
        task: (B,) index of each trial's task.
        n_tasks: K.

    Raises:
        ValueError: a task has no epoch with two trials.
    """
    out = np.empty((n_tasks, rates.shape[-1]))
    for k in range(n_tasks):
        part = rates[task == k]
        shared = part[:, (~np.isnan(part[..., 0])).sum(axis=0) >= 2]
        if not shared.size:
            raise ValueError(f"rates: expected two or more trials of task {k} in some epoch, got {len(part)} trials")
        out[k] = np.nanvar(shared, axis=0).mean(axis=0)
    return out


class Clusters(NamedTuple):
    """Groups of units that work in the same tasks."""

    label: np.ndarray  # (N,) cluster of each unit from 0; -1 for units that are not active
    silhouette: float  # how well they are separated, from -1 to 1; NaN if there are too few active units

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.label.max()) + 1


def cluster_units(variance: np.ndarray, max_clusters: int) -> Clusters:
    """Clusters of units by their task variances, as many as make the silhouette largest.

    The silhouette cannot tell one cluster from several: read the number together with the silhouette.
    Source: Yang 2019, methods: variances over each unit's largest, number by silhouette; there k-means, here Ward's
    method, which has no random start.

    Args:
        variance: (K, N) task variances.
        max_clusters: the most that are tried, from 2.
    """
    label = np.full(variance.shape[1], -1)
    active = np.flatnonzero(variance.sum(axis=0) > ACTIVE_VARIANCE)
    if len(active) < 3:
        label[active] = 0
        return Clusters(label, np.nan)
    profiles = (variance[:, active] / variance[:, active].max(axis=0)).T  # (unit, K)
    tried = []
    for n_clusters in range(2, min(max_clusters, len(np.unique(profiles, axis=0)), len(active) - 1) + 1):
        groups = AgglomerativeClustering(n_clusters).fit_predict(profiles)
        tried.append((silhouette_score(profiles, groups), -n_clusters, groups))
    if not tried:  # all units are alike
        label[active] = 0
        return Clusters(label, np.nan)
    best, _, groups = max(tried, key=lambda result: result[:2])
    label[active] = groups
    return Clusters(label, float(best))


def find_bifurcations(levels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Levels at which the number of points of some kind changes: the middle between two neighbours that differ.

    Args:
        levels: (L,) increasing, for example the mixtures (1 - lambda) c_i + lambda c_j.
        counts: (L, C) number of points of each kind, for example stable and unstable ones.

    Returns:
        (n,) levels. A change and its reverse between two neighbouring levels go unseen.

    Raises:
        ValueError: the shapes do not fit, or levels do not increase.
    """
    levels, counts = np.asarray(levels, float), np.asarray(counts)
    if counts.ndim != 2 or len(counts) != len(levels):
        raise ValueError(f"counts: expected ({len(levels)} levels, kinds), got {counts.shape}")
    if (np.diff(levels) <= 0).any():
        raise ValueError(f"levels: expected increasing values, got {levels}")
    changed = (np.diff(counts, axis=0) != 0).any(axis=1)
    return (levels[:-1] + np.diff(levels) / 2)[changed]


def nan_mean(values: Sequence[float]) -> float:
    """Mean of the values that are there; NaN, without a warning, if none is."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else np.nan
