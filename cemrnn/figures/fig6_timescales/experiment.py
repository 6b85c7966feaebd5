"""Figure 6: modulators that follow the context with time constants of their own: speed against tolerance of noise."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd

from cemrnn.figures.fig6_timescales.config import SINGLE, Condition, TimescalesConfig
from cemrnn.figures.fig6_timescales.cueing import THRESHOLDS, Responses, draw_switches, measure_condition
from cemrnn.figures.fig6_timescales.intervals import IntervalsConfig, list_published, measure_intervals
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import titles
from cemrnn.figures.shared.frames import collect_samples, mean_scalars, summarise
from cemrnn.measures.evidence import weigh
from cemrnn.measures.front import choose_beyond_front, measure_beyond_front
from cemrnn.measures.intervals import Interval, estimate_mean, estimate_statistic
from cemrnn.measures.robustness import Threshold, compare_thresholds
from cemrnn.network.budget import budget_gap
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import choose_device


def conditions(config: TimescalesConfig) -> list[TrainingConfig]:
    """Every network that the figure needs."""
    intervals = IntervalsConfig.of(config)
    of_intervals = [network for arm in intervals.arms for network in intervals.training(arm)]
    return [network for condition in config.grid for network in config.training(condition)] + of_intervals


@experiment
def run(config: TimescalesConfig) -> tuple[Tables, Scalars]:
    """Curves against the age of a switch, noise and duration; thresholds; the front; what lies beyond it."""
    device, store = choose_device(config.device), Store.default()
    switches, responses = draw_switches(config, device), []
    for condition in config.grid:
        model, _ = load_population(config.training(condition), store, device=config.device)
        responses.append(measure_condition(model, condition, switches, config))
    tables = {
        "curves": _curve_table(responses, config),
        "measures": _measure_table(responses, config),
        "networks": _network_table(responses),
    }
    errors = _measure_intervals(IntervalsConfig.of(config))
    tables |= {"intervals": errors, "interval_means": summarise(errors, ["arm", "intervals"], "error_steps")}
    return tables | {"published": list_published()}, _scalars(responses, config) | _interval_scalars(errors, config)


def _measure_intervals(config: IntervalsConfig) -> pd.DataFrame:
    """Errors of every network that gives intervals back."""
    parts = []
    for arm in config.arms:
        model, _ = load_population(config.training(arm), Store.default(), device=config.device)
        parts.append(measure_intervals(model, config).assign(arm=arm))
    return pd.concat(parts, ignore_index=True)


def _interval_scalars(errors: pd.DataFrame, config: TimescalesConfig) -> Scalars:
    scalars: Scalars = {"interval_networks": config.interval_replicates, "interval_updates": config.interval_updates}
    for name, part in errors.groupby("intervals", sort=False):
        scalars |= mean_scalars(collect_samples(part, "arm", "error_steps"), name=f"interval_{name}_{{}}")
    for row in list_published().itertuples():
        model = row.model.lower().replace("-", "_").replace(" ", "_")
        scalars[f"interval_{row.intervals}_{model}"] = row.error_steps
    return scalars


def _describe(condition: Condition) -> dict[str, float | str]:
    taus = {name: getattr(condition, name) for name in SINGLE.values()}
    return {"arm": condition.arm} | {name: np.nan if tau is None else tau for name, tau in taus.items()}


def _curve_table(responses: list[Responses], config: TimescalesConfig) -> pd.DataFrame:
    """Normalised accuracy of every condition against every level, mean and interval over networks."""
    parts = []
    for response, curve in itertools.product(responses, THRESHOLDS):
        interval = estimate_mean(response.normalised(curve))
        index = _describe(response.condition) | {"manipulation": curve, "level": response.levels[curve]}
        parts.append(pd.DataFrame(index | interval.to_columns("normalised")))
    return pd.concat(parts, ignore_index=True)


def _measure_table(responses: list[Responses], config: TimescalesConfig) -> pd.DataFrame:
    """Mean and interval of every measure in every condition."""
    rows = []
    for response in responses:
        for measure, values in response.measures().items():
            interval = estimate_mean(values)
            rows.append(_describe(response.condition) | {"measure": measure} | interval.to_columns("value"))
    return pd.DataFrame(rows)


def _network_table(responses: list[Responses]) -> pd.DataFrame:
    """One row per network: what it is, how it did with a clear cue, every measure, and which lie outside their grid."""
    parts = []
    for response in responses:
        columns = {"network": np.arange(len(response.worst)), "worst": response.worst, "passed": response.passed}
        named = {name: response.threshold(curve) for curve, (_, _, name) in THRESHOLDS.items()}
        censored = {f"{name}_censored": threshold.censored for name, threshold in named.items()}
        parts.append(pd.DataFrame(_describe(response.condition) | columns | response.measures() | censored))
    return pd.concat(parts, ignore_index=True)


def _scalars(responses: list[Responses], config: TimescalesConfig) -> Scalars:
    passed = np.array([response.passed.sum() for response in responses])
    n_networks = len(responses) * config.n_replicates
    scalars: Scalars = {
        "n_conditions": len(responses),
        "largest_budget_difference": budget_gap(config.network(response.condition) for response in responses),
        "n_networks": n_networks,
        "n_failed": int(n_networks - passed.sum()),
        "failed_share": float(1 - passed.sum() / n_networks),
        "conditions_not_compared": int((passed < 2).sum()),
        "fastest_ms": config.taus_ms[0],
        "slowest_ms": config.taus_ms[-1],
    }
    for arm in SINGLE:
        compared = [r.condition.taus_ms[0] for r in _of_arm(responses, arm) if r.passed.sum() >= 2]
        scalars[f"slowest_compared_ms_{arm}"] = max(compared, default=np.nan)
    for name, condition in _corners(config).items():
        response = next(r for r in responses if r.condition == condition)
        scalars[f"passed_{name}"] = int(response.passed.sum())
        scalars |= mean_scalars(response.measures(), name=f"{{}}_{name}")
    slow_minus_fast = functools.partial(compare_slow_and_fast, seed=config.seed)
    for curve, (_, _, name) in THRESHOLDS.items():
        samples = [_stack_thresholds(_of_arm(responses, arm), curve) for arm in SINGLE]
        scalars |= weigh(f"{name}_slow_minus_fast", slow_minus_fast, *samples)
    scalars |= _front_scalars(responses, config)
    return scalars | {"title": name_outcome(scalars)}


def _corners(config: TimescalesConfig) -> dict[str, Condition]:
    """The conditions with the shortest and the longest time constant, for the table of the page."""
    ends = {"fast": config.taus_ms[0], "slow": config.taus_ms[-1]}
    corners = {f"excitability_{name}": Condition("excitability", tau, None) for name, tau in ends.items()}
    corners |= {f"synaptic_{name}": Condition("synaptic", None, tau) for name, tau in ends.items()}
    pairs = itertools.product(ends.items(), ends.items())
    return corners | {f"combined_{a}_{b}": Condition("combined", e, s) for (a, e), (b, s) in pairs}


def _front_scalars(responses: list[Responses], config: TimescalesConfig) -> Scalars:
    """What the front of the single pathways says about pairs of two different time constants."""
    pairs = [r for r in _of_arm(responses, "combined") if len(set(r.condition.taus_ms)) == 2]
    singles = [r for arm in SINGLE for r in _of_arm(responses, arm)]
    samples = [_stack_points(group) for group in (pairs, singles)]
    slack = config.task_set.dt_ms  # latencies are found to about a step of time
    chosen = choose_beyond_front(*samples, slack=slack)
    best = "none" if chosen is None else pairs[chosen].condition.label
    scalars: Scalars = {"slack_ms": slack, "best_pair": best}
    for name, straight in (("beyond_front", False), ("beyond_line", True)):
        estimate = functools.partial(measure_beyond_front, seed=config.seed, slack=slack, straight=straight)
        scalars |= weigh(name, estimate, *samples)
    return scalars


def name_outcome(scalars: Scalars) -> str:
    noise = titles.choose(
        scalars,
        "sigma75_slow_minus_fast",
        "Slow modulators tolerate more noise than fast ones",
        "Fast modulators tolerate more noise than slow ones",
        "Slow modulators are not shown to tolerate more noise than fast ones",
    )
    latency = titles.choose(
        scalars,
        "latency_slow_minus_fast",
        "fast ones switch sooner",
        "slow ones switch sooner",
        "neither is shown to switch sooner",
    )
    two = titles.choose(
        scalars, "beyond_front", "beat one", "do worse than one", "are not shown to beat one", alike="do as well"
    )
    return f"{noise}, {latency}, and two time scales {two}"


def compare_slow_and_fast(*pathways: Threshold, seed: int) -> Interval:
    """Mean threshold of the slowest networks minus that of the fastest, averaged over pathways, with its interval.

    Args:
        pathways: thresholds (M, tau) of one single pathway each, time constants increasing; those with fewer than
            two comparable networks do not count.
        seed: of the resampling, which takes all samples as independent.

    Returns:
        Interval of one number; NaN if a pathway has no two time constants that count, or where the slow and the fast
        networks of a pathway lie mostly beyond the same end of the grid, which then hides the difference.
    """
    samples, hidden = [], False
    for pathway in pathways:
        counted = np.flatnonzero((~np.isnan(pathway.level)).sum(axis=0) >= 2)
        if len(counted) < 2:
            return estimate_mean(np.array([np.nan]))
        slow, fast = (_take_column(pathway, counted[k]) for k in (-1, 0))
        hidden |= bool(np.isnan(compare_thresholds(slow, fast, paired=False).value))
        samples += [slow.level, fast.level]

    def difference(*values: np.ndarray, axis: int) -> np.ndarray:
        means = [value.mean(axis=axis) for value in values]
        return sum(slow - fast for slow, fast in zip(means[::2], means[1::2], strict=True)) / len(pathways)

    interval = estimate_statistic(difference, *samples, seed=seed)
    return interval.hide() if hidden else interval


def _of_arm(responses: list[Responses], arm: str) -> list[Responses]:
    return [response for response in responses if response.condition.arm == arm]


def _stack_thresholds(responses: list[Responses], curve: str) -> Threshold:
    """(M, condition)."""
    thresholds = [response.threshold(curve) for response in responses]
    level, censored = (np.stack([getattr(t, name) for t in thresholds], axis=1) for name in ("level", "censored"))
    return Threshold(level=level, censored=censored)


def _take_column(threshold: Threshold, column: int) -> Threshold:
    return Threshold(level=threshold.level[:, column], censored=threshold.censored[:, column])


def _stack_points(responses: list[Responses]) -> np.ndarray:
    """(M, condition, 2) latency and sigma75."""
    return np.stack([np.stack([r.threshold(c).level for c in ("switch", "noise")], axis=1) for r in responses], axis=1)
