"""Figure 15: what an ambiguous context does, predicted from answers to clean ones and their derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.figures.fig15_theory.intervention import TAKEN, measure_correction, predict_correction
from cemrnn.figures.fig15_theory.mixtures import SWITCHES, locate_switches
from cemrnn.figures.fig15_theory.slopes import Clean, differentiate
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import frames, titles
from cemrnn.figures.shared.ambiguity import (
    ConflictTrials,
    answer_shares,
    draw_conflicts,
    draw_cue_noise,
    list_unordered,
)
from cemrnn.figures.shared.battery import Population, check_increasing, estimate_chance, load_arm
from cemrnn.figures.shared.conflict_groups import GroupsConfig, PopulationKey, conditions, seen_by
from cemrnn.measures.evidence import weigh
from cemrnn.measures.ideal_observer import TOLERANCE
from cemrnn.measures.intervals import estimate_crossed
from cemrnn.measures.linear_response import common_share, share_added, share_right, share_scaled
from cemrnn.measures.robustness import normalise_accuracy, threshold_level
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS
from cemrnn.random import stream
from cemrnn.tasks.cues import CueConfig
from cemrnn.training.config import TrainingConfig

WEAKLY = "weakly"  # group of networks that were trained with weak noise
SIGMA75 = ("sigma75", "predicted_sigma75")
BEYOND = tuple(f"{name}_beyond" for name in SIGMA75)  # share of ordered pairs in which it is beyond the largest noise
GAINS = ("gain", "predicted_gain")  # of accuracy when the common shift is taken away
VALUES = (
    "measured",
    "predicted",
    *SIGMA75,
    *BEYOND,
    "common",
    *(f"without_{name}" for name in TAKEN),
    *GAINS,
    *SWITCHES,
)
SPREADS = (0.5, 1.0, 2.0)  # of the vector that noise of size 1 adds, relative to the answer, in the solvable case


@dataclass(frozen=True, kw_only=True)
class TheoryConfig(GroupsConfig):
    """What figure 15 is computed from: the networks of figure 2."""

    lambdas: tuple[float, ...]  # shares of the other task's cue in the mixture
    n_draws: int  # noisy cues per trial, to which answers are extended linearly
    corrected_sigma: float  # noise on every context unit, shared by trials, whose common effect is taken from answers
    corrected_draws: int  # draws of that noise
    trained_weak_sigma: float = 0.0  # noise on every context unit in training of networks more; 0: there are none

    def __post_init__(self) -> None:
        super().__post_init__()
        check_increasing(self, "lambdas", 3, (0.0, 1.0))

    def count_networks(self, key: PopulationKey) -> int:
        """The most networks that a population has."""
        return self.trained_replicates if key.group == WEAKLY else super().count_networks(key)

    def populations(self) -> Iterator[tuple[PopulationKey, list[TrainingConfig]]]:
        """Those of the groups, then those that are trained with weak noise, if there are any."""
        yield from super().populations()
        for arm in self.compared_arms if self.trained_weak_sigma else ():
            networks = self.training(arm, cue=CueConfig(noise_sigma=self.trained_weak_sigma))
            yield PopulationKey(WEAKLY, arm), networks[: self.trained_replicates]


@dataclass(frozen=True)
class Predicted:
    """Measured and predicted accuracy of the networks of one population."""

    measured: np.ndarray  # (M, P, L) share of right answers with noisy cues
    predicted: np.ndarray  # (M, P, L)
    common: np.ndarray  # (M, P) see `common_share`


@experiment
def run(config: TheoryConfig) -> tuple[Tables, Scalars]:
    """Predicted against measured accuracy of every network and pair, the solvable cases, and what noise adds."""
    chance, parts = estimate_chance(config, config.chance_trials), []
    for key, trainings in config.populations():
        parts.append(_measure(key, load_arm(config, trainings), config, chance))
    points = pd.concat(parts, ignore_index=True)
    by = ["group", "arm", "network"]
    means = points.groupby(by, sort=False)[list(VALUES)].mean().reset_index()
    tables = {
        "points": points,
        "arms": frames.summarise_columns(means, ["group", "arm"], VALUES),
        "pairs": points.groupby(["group", "arm", "pair"], sort=False)[[*VALUES[:4], *SWITCHES]].mean().reset_index(),
        "solvable": _solve(config),
    }
    return tables, _scalars(points, config)


def _measure(key: PopulationKey, population: Population, config: TheoryConfig, chance: np.ndarray) -> pd.DataFrame:
    """One row per network and unordered pair of tasks: mean accuracy over the noise, NaN if it is not compared."""
    config = seen_by(key, config)
    conflicts = draw_conflicts(config, population.model.flat.device)
    pairs, passed = list_unordered(conflicts.pairs), population.passed(config.passing_score)
    shape = len(passed), len(conflicts.pairs)
    values = dict.fromkeys(VALUES, np.full(shape, np.nan))
    if ARMS[key.arm].pathways and passed.any():
        clean, zero = differentiate(population.model, conflicts, conflicts.own), chance[conflicts.pairs[:, 0]]
        found = _predict(population.model, conflicts, clean, config)
        noise = config.corrected_sigma, config.corrected_draws
        corrected = measure_correction(population.model, conflicts, *noise, zero, config)
        values = _average(found, zero, config) | {f"without_{name}": x for name, x in corrected.items()}
        expected = predict_correction(clean, conflicts, *noise, zero, config)
        gains = (x["shift"] - x["nothing"] for x in (corrected, expected))
        values |= dict(zip(GAINS, gains, strict=True))
    names = [" / ".join(config.tasks[k] for k in pair) for pair in pairs]
    grids = {name: np.stack([x[:, rows].mean(axis=1) for rows in pairs.values()], axis=1) for name, x in values.items()}
    if ARMS[key.arm].pathways and passed.any():
        grids |= locate_switches(population.model, conflicts, clean, list(pairs), config)
    kept = {name: np.where(passed[:, None], grid, np.nan) for name, grid in grids.items()}
    axes = {"group": [key.group], "arm": [key.arm], "network": range(len(passed)), "pair": names}
    return frames.lay_out(axes, **kept)


def _average(found: Predicted, chance: np.ndarray, config: TheoryConfig) -> dict[str, np.ndarray]:
    """Measured and predicted normalised accuracy, averaged over the noise, sigma75, and the common share, (M, P) each.

    A sigma75 beyond the largest noise counts as that, and is marked.
    """
    levels = np.array(config.sigmas)
    normal = [normalise_accuracy(x, chance[:, None], x[:, :, :1]) for x in (found.measured, found.predicted)]
    areas = [np.trapezoid(x, levels, axis=-1) / np.ptp(levels) for x in normal]
    thresholds = [threshold_level(levels, x) for x in normal]
    reached, beyond = [x.level for x in thresholds], [1.0 * (x.censored > 0) for x in thresholds]
    return dict(zip(VALUES[:7], (*areas, *reached, *beyond, found.common), strict=True))


def _predict(model: CEMRNN, conflicts: ConflictTrials, clean: Clean, config: TheoryConfig) -> Predicted:
    noise = draw_cue_noise(config, conflicts.own)
    cues = [conflicts.own + sigma * noise for sigma in config.sigmas]
    measured = answer_shares(model, conflicts, cues, config)[0]
    outputs, slopes = clean
    draws = stream(config.seed, "linear response").standard_normal((config.n_draws, model.config.n_contexts))
    draws = draws - draws.mean(axis=1, keepdims=True)
    response = conflicts.trials.response.cpu().numpy()
    shape = (model.n_networks, -1, len(conflicts.pairs))
    right = [
        [
            share_right(*of_network, draws, sigma, answer)
            for *of_network, answer in zip(outputs, slopes, response, strict=True)
        ]
        for sigma in config.sigmas
    ]
    predicted = np.moveaxis(np.array(right), 0, -1).reshape(*shape, len(config.sigmas)).mean(axis=1)
    by_pair = slopes.reshape(*shape, *slopes.shape[2:])  # (M, n, P, 3, K)
    common = [[common_share(by_pair[m, :, p]) for p in range(shape[2])] for m in range(shape[0])]
    return Predicted(measured, predicted, np.array(common))


def _solve(config: TheoryConfig) -> pd.DataFrame:
    """Accuracy of the two solvable cases against the noise, in closed form and by simulation."""
    sigma = np.linspace(0, max(config.sigmas), 25)[1:]
    generator = stream(config.seed, "solvable")
    scaled = 1 + sigma[:, None] * np.subtract(*generator.standard_normal((2, 1, 4000))) > 0
    parts = [pd.DataFrame({"case": "synapses", "sigma": sigma, "exact": share_scaled(sigma), "drawn": scaled.mean(1)})]
    for spread in SPREADS:
        added = generator.standard_normal((2, 1, 4000)) * spread * sigma[:, None]
        right = np.abs(np.arctan2(added[1], 1 + added[0])) < TOLERANCE
        exact = share_added(spread * sigma, TOLERANCE)
        case = f"excitability, {spread:g}"
        parts.append(pd.DataFrame({"case": case, "sigma": sigma, "exact": exact, "drawn": right.mean(axis=1)}))
    return pd.concat(parts, ignore_index=True)


def _scalars(points: pd.DataFrame, config: TheoryConfig) -> Scalars:
    """How much of the measured accuracy is predicted, of all and of signs; and how much noise adds alike."""
    points = points.dropna()
    explained = [_explain(part) for _, part in points.groupby("network")]
    scalars: Scalars = {"n_networks": len(conditions(config)), "n_points": len(points)}
    scalars |= {
        "largest_budget_difference": config.largest_gap,
        "n_pairs": points["pair"].nunique(),
        "n_draws": config.n_draws,
        "corrected_sigma": config.corrected_sigma,
    }
    scalars |= frames.weigh_mean("explained", explained or [np.nan])
    scalars["explained_all"] = _explain(points)
    scalars["correlation_all"] = float(points["measured"].corr(points["predicted"]))
    scalars |= _correlate_within(points)
    for name, columns in {"sigma75": SIGMA75, "gain": GAINS}.items():
        shares = [_explain(part, *columns) for _, part in points.groupby("network")]
        scalars |= frames.weigh_mean(f"{name}_explained", shares or [np.nan])
        scalars[f"{name}_correlation"] = float(points[columns[0]].corr(points[columns[1]]))
        scalars[f"{name}_correlation_within"] = _correlate_within(points, columns)["correlation_within"]
        scalars[f"{name}_explained_parameters"] = _explain(frames.select(points, group="parameters"), *columns)
        scalars |= {f"{column}_mean": float(points[column].mean()) for column in columns}
    scalars |= {name: float(points[name].mean()) for name in BEYOND}
    scalars |= {f"{column}_mean": float(points[column].mean()) for column in ("measured", "predicted")}
    means = points.groupby(["group", "arm", "pair"], sort=False)[["measured", "predicted"]].mean().reset_index()
    scalars["explained_means"] = _explain(means)
    equal = frames.select(points, group="parameters")
    scalars["signs"] = _compare_signs(frames.select(means, group="parameters"))
    by_network = equal.groupby(["arm", "network"], as_index=False)[["common", "predicted", "measured"]].mean()
    scalars |= frames.weigh_measures(by_network, ("common",), both=False)
    common = frames.collect_samples(by_network, "arm", "common")
    scalars |= frames.mean_scalars(frames.TOLD | common, name="common_{}")
    for column in ("measured", "predicted"):
        grids = {
            arm: part.pivot(index="network", columns="pair", values=column).to_numpy(float)
            for arm, part in equal.groupby("arm", sort=False)
        }
        scalars |= frames.weigh_pathways(column, grids, estimate_crossed)
    scalars |= _weigh_correction(equal) | _weigh_switches(points)
    return scalars | {"title": name_outcome(scalars)}


def _correlate_within(points: pd.DataFrame, columns: tuple[str, str] = VALUES[:2]) -> Scalars:
    """Correlations with the mean of every population taken off: of all, and of means of pairs and of networks.

    Networks that were trained with noise bear more than others; what tells populations apart does not tell which
    network, or which pair of tasks, bears more.
    """
    population, names = ["group", "arm"], list(columns)

    def correlate(table: pd.DataFrame) -> float:
        left = table[names] - table.groupby(population)[names].transform("mean")
        return float(left[names[0]].corr(left[names[1]]))

    means = {f"correlation_{by}s": points.groupby([*population, by])[names].mean() for by in ("pair", "network")}
    return {"correlation_within": correlate(points)} | {name: correlate(table) for name, table in means.items()}


def _weigh_switches(points: pd.DataFrame) -> Scalars:
    """How well the mixture is predicted at which one task gives way to the other."""
    names = SWITCHES[:2]
    explained = [_explain(part, *names) for _, part in points.groupby("network")]
    scalars = frames.weigh_mean("switch_explained", explained or [np.nan])
    means = points.groupby(["group", "arm", "pair"], sort=False)[list(names)].mean()
    scalars["switch_explained_means"] = _explain(means, *names)
    within = points[list(names)] - points.groupby("pair")[list(names)].transform("mean")
    scalars["switch_explained_within"] = _explain(within, *names)
    scalars["switch_explained_ends"] = _explain(points, SWITCHES[0], SWITCHES[2])
    by_pair = [(_explain(part, *names), pair.replace("_", " ")) for pair, part in points.groupby("pair")]
    ranked = sorted(found for found in by_pair if not np.isnan(found[0])) or [(np.nan, "–")]
    for which, (share, pair) in {"least": ranked[0], "most": ranked[-1]}.items():
        scalars |= {f"switch_explained_{which}": share, f"switch_pair_{which}": pair}
    scalars["switch_correlation"] = float(points[names[0]].corr(points[names[1]]))
    off = points[names[0]] - points[names[1]]
    return scalars | {"switch_spread": float(points[names[0]].std()), "switch_error": float(np.sqrt(np.mean(off**2)))}


def _weigh_correction(points: pd.DataFrame) -> Scalars:
    """What taking the common shift away brings, in every arm and between pathways."""
    grids = {
        arm: part.pivot(index="network", columns="pair", values=GAINS[0]).to_numpy(float)
        for arm, part in points.groupby("arm", sort=False)
    }
    scalars: Scalars = {}
    for arm in frames.TOLD:
        grid = grids.get(arm, np.full((2, 2), np.nan))
        scalars |= weigh(f"correction_{arm}", lambda x: estimate_crossed(x, np.zeros_like(x)), grid)
        scalars[f"predicted_correction_{arm}"] = float(frames.select(points, arm=arm)[GAINS[1]].mean())
    for name in TAKEN:
        means = points.groupby(["arm", "network"], as_index=False)[f"without_{name}"].mean()
        samples = frames.collect_samples(means, "arm", f"without_{name}")
        scalars |= frames.mean_scalars(frames.TOLD | samples, name=f"without_{name}_{{}}")
    return scalars | frames.weigh_pathways("correction", grids, estimate_crossed, both=False)


def name_outcome(scalars: Scalars) -> str:
    """Whether the order is predicted, and whether the size is."""
    order = f"correlate with what a noisy context does ({scalars['correlation_within']:.2f} within populations)"
    much = titles.choose(scalars, "explained", "and predict how much", "and overestimate it", "")
    gap = scalars["predicted_mean"] - scalars["measured_mean"]
    much = "and underestimate it" if much.startswith("and over") and gap < 0 else much
    return f"Predictions from clean trials {order} {much}".strip()


def _explain(points: pd.DataFrame, measured: str = VALUES[0], predicted: str = VALUES[1]) -> float:
    """1 minus squared error over variance: 1 is a prediction without error, 0 one as good as the mean of all."""
    spread = np.sum((points[measured] - points[measured].mean()) ** 2)
    return float(1 - np.sum((points[measured] - points[predicted]) ** 2) / spread) if spread > 0 else np.nan


def _compare_signs(means: pd.DataFrame) -> float:
    """Share of pairs of tasks in which the sign of excitability minus synaptic is as predicted."""
    if not set(frames.SINGLE) <= set(means["arm"]):
        return np.nan
    first, second = (frames.select(means, arm=arm).set_index("pair") for arm in frames.SINGLE)
    signs = [np.sign(first[name] - second[name]) for name in ("measured", "predicted")]
    return float((signs[0] == signs[1]).mean())
