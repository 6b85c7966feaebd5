"""Figure 12: a bandit that changes, and agents whose learning rate, temperature, both or neither are modulated."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.figures.fig12_bandit import agents
from cemrnn.figures.fig12_bandit.agents import FIXED, MODULATED, N_MEMBERS, Bandit, Traces
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import titles
from cemrnn.figures.shared.battery import ReplicatesConfig
from cemrnn.figures.shared.frames import lay_out, mean_scalars, summarise, weigh_mean
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import estimate_difference, estimate_mean
from cemrnn.measures.synergy import beyond_sum
from cemrnn.random import stream

# Agent -> whether its learning rate and its temperature are modulated.
DESIGN = {
    "both": (MODULATED, MODULATED),
    "acetylcholine": (MODULATED, FIXED),
    "noradrenaline": (FIXED, MODULATED),
    "neither": (FIXED, FIXED),
}
SINGLE = ("acetylcholine", "noradrenaline")
SYNERGY = ("beyond_best", "beyond_sum")
READINGS = {"score": False, "redrawn": True}  # how scalars begin -> whether members change places at every update
CHUNK = 250  # seeds at once
N_BINS = 40  # of the trials since a switch
LARGEST_MEAN, LEAST_SPREAD = 3.0, 0.001  # of an arm (Lee 2024)


@dataclass(frozen=True, kw_only=True)
class BanditConfig(ReplicatesConfig):
    """What figure 12 is computed from."""

    n_arms: int  # of a bandit
    context_trials: int  # trials between two switches
    n_contexts: int  # whose arms are drawn anew; the first is not counted
    context_lengths: tuple[int, ...]  # trials between two switches, for as many in all
    length_replicates: int  # seeds with each of them
    matching_replicates: int  # seeds that say at which rate and temperature agents without modulation stay
    start_spread: float  # of the estimators at first, standard deviation
    epsilon: float  # share of random choices of the greedy agent
    temperature: float  # of the Boltzmann agent
    discount: float  # of the counts of discounted UCB, a trial
    window_trials: int  # of sliding-window UCB

    @property
    def baselines(self) -> dict[str, tuple[int, float]]:
        """Name -> kind and setting of the agents that keep counts."""
        return {
            "ε-greedy": (agents.GREEDY, self.epsilon),
            "Boltzmann": (agents.BOLTZMANN, self.temperature),
            "Thompson": (agents.THOMPSON, 0.0),
            "UCB": (agents.UCB, 0.0),
            "discounted UCB": (agents.DISCOUNTED, self.discount),
            "window UCB": (agents.WINDOW, self.window_trials),
        }


def conditions(config: BanditConfig) -> list:
    """No networks of the store: the agents learn while they play."""
    return []


def draw_bandits(
    config: BanditConfig, name: str, n_seeds: int, length: int, *, redrawn: bool = False
) -> Iterator[Bandit]:
    """Bandits of so many seeds, in chunks; every agent gets the same ones, whether or not its members change places."""
    n_trials = config.context_trials * config.n_contexts
    n_contexts = max(1, n_trials // length)
    shape = n_contexts, config.n_arms
    for first in range(0, n_seeds, CHUNK):
        m, generator = min(CHUNK, n_seeds - first), stream(config.seed, "bandit", name, str(length), str(first))
        yield Bandit(
            means=generator.uniform(-LARGEST_MEAN, LARGEST_MEAN, (m, *shape)),
            spreads=generator.uniform(LEAST_SPREAD, 1, (m, *shape)),
            noise=generator.standard_normal((m, n_contexts * length)),
            choice=generator.random((m, n_contexts * length)),
            start=config.start_spread * generator.standard_normal((m, config.n_arms, N_MEMBERS)),
            rank=generator.permuted(np.tile(np.linspace(0, 1, N_MEMBERS), (m, config.n_arms, 1)), axis=-1),
            own=generator.standard_normal((m, n_contexts * length, config.n_arms)),
            order=_draw_order(generator, m, n_contexts * length if redrawn else 0),
        )


def _draw_order(generator: np.random.Generator, n_seeds: int, n_trials: int) -> np.ndarray:
    places = np.tile(np.arange(N_MEMBERS, dtype=np.uint8), (n_seeds, n_trials, 1))
    return generator.permuted(places, axis=-1)


def match(config: BanditConfig, *, redrawn: bool = False) -> tuple[float, float]:
    """Mean learning rate and temperature of the agent with both modulators, on seeds that are used for nothing else."""
    parts = [
        agents.play_ensemble(bandit, MODULATED, MODULATED, 0.0, 0.0)
        for bandit in draw_bandits(
            config, "matching", config.matching_replicates, config.context_trials, redrawn=redrawn
        )
    ]
    means = [np.concatenate([getattr(part, name).mean(axis=1) for part in parts]) for name in ("rate", "temperature")]
    return float(means[0].mean()), float(means[1].mean())


def play(
    config: BanditConfig,
    name: str,
    n_seeds: int,
    length: int,
    matched: tuple[float, float],
    *,
    all_agents: bool = False,
    redrawn: bool = False,
) -> tuple[dict[str, Traces], np.ndarray]:
    """Agent -> traces over all seeds, and the regret (M,) of a choice at random.

    Args:
        config: of the figure.
        name: of the random streams.
        n_seeds: bandits.
        length: trials of a context.
        matched: rate and temperature where they are not modulated.
        all_agents: whether the baselines play, too.
        redrawn: whether the members of an ensemble change places at every update.
    """
    parts, random = [], []
    for bandit in draw_bandits(config, name, n_seeds, length, redrawn=redrawn):
        of_chunk = {agent: agents.play_ensemble(bandit, *kinds, *matched) for agent, kinds in DESIGN.items()}
        baselines = config.baselines if all_agents else {}
        of_chunk |= {agent: agents.play_counting(bandit, *setting) for agent, setting in baselines.items()}
        parts.append(of_chunk)
        later = bandit.means[:, 1:] if bandit.means.shape[1] > 1 else bandit.means
        random.append((later.max(axis=2) - later.mean(axis=2)).mean(axis=1))
    joined = {
        agent: Traces(*(np.concatenate(values) for values in zip(*(p[agent] for p in parts), strict=True)))
        for agent in parts[0]
    }
    return joined, np.concatenate(random)


@experiment
def run(config: BanditConfig) -> tuple[Tables, Scalars]:
    """Regret and modulators by trials since a switch, scores of all agents, and of the design by length of contexts."""
    matched = {name: match(config, redrawn=redrawn) for name, redrawn in READINGS.items()}
    sizes = config.n_replicates, config.context_trials
    traces, random = play(config, "main", *sizes, matched["score"], all_agents=True)
    scores = _score(traces, random)
    redrawn = _score(*play(config, "main", *sizes, matched["redrawn"], redrawn=True))
    lengths, gains = _length_tables(config, matched["score"])
    axes = {"agent": list(scores), "network": range(config.n_replicates)}
    scalars: Scalars = {"n_seeds": config.n_replicates, "n_arms": config.n_arms}
    scalars |= {"context_trials": config.context_trials}
    for prefix, name in {"": "score", "redrawn_": "redrawn"}.items():
        scalars |= dict(zip((f"{prefix}rate", f"{prefix}temperature"), matched[name], strict=True))
    scalars |= _evidence(scores, gains, config) | _weigh_design("redrawn", redrawn)
    tenth = max(1, config.context_trials // 10)
    scalars |= mean_scalars(
        {
            "rate_first": traces["both"].rate[:, :tenth].mean(axis=1),
            "rate_last": traces["both"].rate[:, -tenth:].mean(axis=1),
        }
    )
    tables = {
        "curves": pd.concat([_curves(agent, of) for agent, of in traces.items()], ignore_index=True),
        "agents": summarise(lay_out(axes, score=np.stack([*scores.values()])), ["agent"], "score"),
        "lengths": lengths,
        "gains": _gain_table(gains),
        "readings": _reading_table(scalars),
    }
    return tables, scalars | {"title": name_outcome(scalars)}


def name_outcome(scalars: Scalars) -> str:
    """The title."""
    said = ("do more than", "do less than", "are not shown to do more than")
    beyond = titles.choose(scalars, "score_beyond_best", *said, alike="do no more than")
    return f"Two modulators of a bandit's learner {beyond} the better one"


def _curves(agent: str, of: Traces) -> pd.DataFrame:
    """Regret, share of the best arm, rate and temperature, in bins of trials since the switch."""
    edges = np.unique(np.linspace(0, of.regret.shape[1], N_BINS + 1).round().astype(int))
    parts = []
    for name, values in of._asdict().items():
        binned = np.stack([values[:, a:b].mean(axis=1) for a, b in zip(edges, edges[1:], strict=False)], axis=1)
        labels = {"agent": agent, "curve": name, "since": (edges[:-1] + edges[1:]) / 2}
        parts.append(pd.DataFrame(labels | estimate_mean(binned).to_columns("value")))
    return pd.concat(parts, ignore_index=True)


def _score(traces: dict[str, Traces], random: np.ndarray) -> dict[str, np.ndarray]:
    """Agent -> score (M,): 1 minus its regret over that of a choice at random."""
    return {agent: 1 - of.regret.mean(axis=1) / random for agent, of in traces.items()}


def _length_tables(
    config: BanditConfig, matched: tuple[float, float]
) -> tuple[pd.DataFrame, dict[int, dict[str, np.ndarray]]]:
    """Score of the design by length of contexts, and what every agent has beyond neither (M,) at each length."""
    rows, gains = [], {}
    for length in config.context_lengths:
        scores = _score(*play(config, "lengths", config.length_replicates, length, matched))
        gains[length] = {agent: score - scores["neither"] for agent, score in scores.items() if agent != "neither"}
        rows += [
            {"agent": agent, "length": length} | estimate_mean(score).to_columns("score")
            for agent, score in scores.items()
        ]
    return pd.DataFrame(rows), gains


def _gain_table(gains: dict[int, dict[str, np.ndarray]]) -> pd.DataFrame:
    """What every agent has beyond neither, by length of contexts."""
    rows = [
        {"agent": agent, "length": length} | estimate_mean(gain).to_columns("value")
        for length, of_length in gains.items()
        for agent, gain in of_length.items()
    ]
    return pd.DataFrame(rows)


def _reading_table(scalars: Scalars) -> pd.DataFrame:
    """Scores of the design and its synergy in both readings."""
    rows = [
        {"reading": reading, "measure": measure, "value": scalars[name]}
        | {end: scalars[f"{name}_{end}"] for end in ("low", "high", "n")}
        for reading in READINGS
        for measure in (*DESIGN, *SYNERGY)
        for name in [f"{reading}_{measure}"]
    ]
    return pd.DataFrame(rows)


def _weigh_design(name: str, scores: dict[str, np.ndarray]) -> Scalars:
    """Scores of the design, and what both have beyond the better one and beyond the sum; seeds are pairs."""
    design = {agent: scores[agent] for agent in DESIGN}
    scalars = mean_scalars(design, name=f"{name}_{{}}")
    paired = functools.partial(estimate_difference, paired=True)
    scalars |= weigh(f"{name}_beyond_best", paired, *(scores[agent] for agent in ("both", *SINGLE)))
    return scalars | weigh_mean(f"{name}_beyond_sum", beyond_sum(*(of[None] for of in design.values()), axis=0))


def _evidence(scores: dict[str, np.ndarray], gains: dict[int, dict[str, np.ndarray]], config: BanditConfig) -> Scalars:
    """What the claims rest on; agents play the same bandits, so that seeds are pairs."""
    scalars, neither = _weigh_design("score", scores), scores["neither"]
    for agent in SINGLE:
        scalars |= weigh_mean(f"{agent}_minus_neither", scores[agent] - neither)
    shortest, longest = (gains[length]["both"] for length in (min(gains), max(gains)))
    scalars |= weigh("short_minus_long", functools.partial(estimate_difference, paired=False), shortest, longest)
    scalars |= {"shortest": min(gains), "longest": max(gains)}
    for end, length in {"shortest": min(gains), "longest": max(gains)}.items():
        scalars |= mean_scalars({agent: gains[length][agent] for agent in SINGLE}, name=f"{{}}_{end}")
    scalars |= weigh_mean("window_minus_ucb", scores["window UCB"] - scores["UCB"])
    best = max(config.baselines, key=lambda name: scores[name].mean())
    scalars["best_baseline"] = best
    return scalars | mean_scalars({"score_best_baseline": scores[best], "score_ucb": scores["UCB"]})
