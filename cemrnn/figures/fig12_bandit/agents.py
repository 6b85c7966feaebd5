"""Agents on a bandit whose arms are drawn anew at every switch, compiled, one network of estimators or counts a seed.

The modulated agents keep an ensemble of estimators q of each arm's reward, and v of its square. Acetylcholine sets the
learning rate of an arm, EU / (EU + AU), from expected uncertainty: EU is the variance of q over the ensemble and AU the
variance of the reward that the ensemble estimates. Noradrenaline sets the temperature of the choice from unexpected
uncertainty: the mean EU of the arms, weighed by how good they seem, above its smallest value so far.

Source: Lee, Liebana, Clopath & Dabney 2024, "Lifelong Reinforcement Learning via Neuromodulation". Baselines: Auer,
Cesa-Bianchi & Fischer 2002 (UCB1); Garivier & Moulines 2011 (discounted and sliding-window UCB); Thompson 1933.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cemrnn.random import compiled

N_MEMBERS = 20  # estimators of an arm (Lee 2024)
LARGEST_VARIANCE = 100.0  # of a reward that the ensemble may estimate (Lee 2024)
FASTEST = 1.25  # learning rate of the fastest member, in units of the arm's; the slowest has 0 (Lee 2024)
COLDEST = 0.02  # temperature at which a choice is as good as certain
FIXED, MODULATED = 0, 1
GREEDY, BOLTZMANN, THOMPSON, UCB, DISCOUNTED, WINDOW = range(6)


class Bandit(NamedTuple):
    """Rewards of M bandits with A arms over T trials, and the random numbers of the agents."""

    means: np.ndarray  # (M, C, A) of the arms in each context
    spreads: np.ndarray  # (M, C, A) standard deviations
    noise: np.ndarray  # (M, T) standard normal, of the reward that is got
    choice: np.ndarray  # (M, T) uniform
    start: np.ndarray  # (M, A, N_MEMBERS) of the estimators
    rank: np.ndarray  # (M, A, N_MEMBERS) of the members' rates, from 0 to 1
    own: np.ndarray  # (M, T, A) standard normal, of agents that sample
    order: (
        np.ndarray
    )  # (M, T, N_MEMBERS) uint8, places of the members in each trial; (M, 0, N_MEMBERS): they keep theirs

    @property
    def length(self) -> int:
        """Trials of a context."""
        return self.noise.shape[1] // self.means.shape[1]


class Traces(NamedTuple):
    """What happened, mean over the contexts after the first, by trials since the switch: (M, L) each."""

    regret: np.ndarray  # mean of the best arm minus mean of the chosen one
    best: np.ndarray  # share of choices of the best arm
    rate: np.ndarray  # learning rate of the chosen arm
    temperature: np.ndarray


@compiled()
def _draw_softmax(values, temperature, uniform):
    top, total = values.max(), 0.0
    for a in range(values.size):
        total += math.exp((values[a] - top) / temperature)
    left = uniform * total
    for a in range(values.size):
        left -= math.exp((values[a] - top) / temperature)
        if left <= 0:
            return a
    return values.size - 1


@compiled()
def _mean_uncertainty(q, uncertainty):
    """Uncertainty of the arms, weighed by a softmax of their values at temperature 1."""
    top, total, weighed = q.max(), 0.0, 0.0
    for a in range(q.size):
        weight = math.exp(q[a] - top)
        total += weight
        weighed += weight * uncertainty[a]
    return weighed / total


@compiled()
def run_ensemble(means, spreads, noise, choice, start, rank, order, learn, explore, rate, temperature, traces):
    """Fills traces (4, M, L) with an agent of estimators; `learn` and `explore` are FIXED or MODULATED.

    Its members keep their places if the order has no trials.
    """
    n_seeds, n_contexts, n_arms = means.shape
    length = noise.shape[1] // n_contexts
    later, is_redrawn = max(1, n_contexts - 1), order.shape[1] > 0
    for m in range(n_seeds):
        q, v = start[m].copy(), start[m] ** 2
        mean, uncertainty = np.empty(n_arms), np.empty(n_arms)
        for a in range(n_arms):
            mean[a], uncertainty[a] = q[a].mean(), q[a].var()
        least = np.inf
        for t in range(noise.shape[1]):
            c, since = t // length, t % length
            heat = temperature
            if explore == MODULATED:
                surprise = _mean_uncertainty(mean, uncertainty)
                least = min(least, surprise)
                heat = max(COLDEST, surprise - least)
            arm = t if t < n_arms else _draw_softmax(mean, heat, choice[m, t])
            reward = means[m, c, arm] + spreads[m, c, arm] * noise[m, t]
            known = min(max(v[arm].mean() - mean[arm] ** 2, 0.0), LARGEST_VARIANCE)
            both = uncertainty[arm] + known
            step = (uncertainty[arm] / both if both > 0 else 0.0) if learn == MODULATED else rate
            for j in range(q.shape[1]):
                place = order[m, t, j] if is_redrawn else j
                own = min(1.0, FASTEST * step * rank[m, arm, place])
                q[arm, j] += own * (reward - q[arm, j])
                v[arm, j] += own * (reward * reward - v[arm, j])
            mean[arm], uncertainty[arm] = q[arm].mean(), q[arm].var()
            if c > 0 or n_contexts == 1:
                best = means[m, c].max()
                traces[0, m, since] += (best - means[m, c, arm]) / later
                traces[1, m, since] += (means[m, c, arm] == best) / later
                traces[2, m, since] += step / later
                traces[3, m, since] += heat / later


@compiled()
def run_counting(means, spreads, noise, choice, own, kind, setting, traces):
    """Fills traces (4, M, L) with a baseline; its setting is epsilon, temperature, factor, or window."""
    n_seeds, n_contexts, n_arms = means.shape
    length = noise.shape[1] // n_contexts
    later = max(1, n_contexts - 1)
    n_trials = noise.shape[1]
    chosen, rewards = np.empty(n_trials, np.int64), np.empty(n_trials)
    value = np.empty(n_arms)
    for m in range(n_seeds):
        counts, sums = np.zeros(n_arms), np.zeros(n_arms)
        for t in range(n_trials):
            c, since = t // length, t % length
            total = counts.sum()
            for a in range(n_arms):
                n = max(counts[a], 1e-9)
                value[a] = sums[a] / n
                if kind == THOMPSON:
                    value[a] += own[m, t, a] / math.sqrt(n)
                elif kind >= UCB:
                    value[a] = np.inf if counts[a] < 1e-6 else value[a] + math.sqrt(2 * math.log(max(total, 2.0)) / n)
            if t < n_arms:
                arm = t
            elif kind == BOLTZMANN:
                arm = _draw_softmax(value, setting, choice[m, t])
            elif kind == GREEDY and choice[m, t] < setting:
                arm = int(choice[m, t] / setting * n_arms)
            else:
                arm = value.argmax()
            reward = means[m, c, arm] + spreads[m, c, arm] * noise[m, t]
            chosen[t], rewards[t] = arm, reward
            if kind == DISCOUNTED:
                counts *= setting
                sums *= setting
            elif kind == WINDOW and t >= setting:
                old = t - int(setting)
                counts[chosen[old]] -= 1
                sums[chosen[old]] -= rewards[old]
            counts[arm] += 1
            sums[arm] += reward
            if c > 0 or n_contexts == 1:
                best = means[m, c].max()
                traces[0, m, since] += (best - means[m, c, arm]) / later
                traces[1, m, since] += (means[m, c, arm] == best) / later


def play_ensemble(bandit: Bandit, learn: int, explore: int, rate: float, temperature: float) -> Traces:
    """What an agent of estimators did; rate and temperature hold where they are not modulated."""
    traces = np.zeros((4, len(bandit.noise), bandit.length))
    drawn = bandit.means, bandit.spreads, bandit.noise, bandit.choice, bandit.start, bandit.rank, bandit.order
    run_ensemble(*drawn, learn, explore, float(rate), float(temperature), traces)
    return Traces(*traces)


def play_counting(bandit: Bandit, kind: int, setting: float) -> Traces:
    """What a baseline did; it has neither rate nor temperature."""
    traces = np.zeros((4, len(bandit.noise), bandit.length))
    run_counting(bandit.means, bandit.spreads, bandit.noise, bandit.choice, bandit.own, kind, float(setting), traces)
    return Traces(*traces[:2], *np.full_like(traces[2:], np.nan))
