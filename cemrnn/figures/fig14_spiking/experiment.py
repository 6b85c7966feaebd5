"""Figure 14: spiking networks that learn from reward, with noradrenaline, acetylcholine, both or neither."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import bisect

from cemrnn.config import unknown_name
from cemrnn.figures.fig14_spiking.cells import DESIGN, MIXTURES, draw_kinds, make_cells
from cemrnn.figures.fig14_spiking.kernel import Cells, Synapses
from cemrnn.figures.fig14_spiking.network import Run, draw_synapses, simulate
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import titles
from cemrnn.figures.shared.battery import ReplicatesConfig
from cemrnn.figures.shared.frames import lay_out, mean_scalars, summarise_columns, weigh_mean
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import estimate_difference, estimate_mean
from cemrnn.measures.synergy import beyond_sum
from cemrnn.random import derive_seed

STUDIED, REFERENCE = "mixed", "RS"  # the mixture that the claims are about, and the one whose rate all have
SINGLE = ("noradrenaline", "acetylcholine")
OUTCOMES = {"specific": ("specific", "prompt"), "kept": ("kept", "prompt"), "late": ("specific", "late")}
SYNERGY = ("beyond_best", "beyond_sum")
MEASURES = ("specific", "kept", "time", "rate_hz")
LEAST_WIDTH, MOST_WIDTH = 0.5, 2.5  # where the input is searched, in widths of the reference
N_SHOWN = 60  # times of a curve


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpikingConfig(ReplicatesConfig):
    """What figure 14 is computed from."""

    n_units: int  # cells of a network
    excitatory_share: float  # of the cells (Izhikevich 2003)
    n_synapses: int  # of each cell, or one to every excitatory cell if there are fewer
    n_seconds: int  # model time of a run
    mixtures: tuple[str, ...]  # of kinds of cells, compared without modulators
    modulated: tuple[str, ...]  # of them, those with the whole design
    input_width: float  # of the uniform input to regular spiking cells (Izhikevich 2007)
    largest_weight: float  # of an excitatory synapse (Izhikevich 2007)
    tonic: float  # dopamine without reward (Izhikevich 2007)
    reward: float  # dopamine that a reward adds; .5 in Izhikevich 2007
    late_ms: float  # that late rewards come later
    n_matching_seconds: int  # model time of the runs that match rates
    n_matching_networks: int  # and how many networks they take the mean of

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (*self.mixtures, *self.modulated):
            if name not in MIXTURES:
                raise ValueError(unknown_name(name, MIXTURES, "mixture"))
        if not {STUDIED, REFERENCE} <= set(self.mixtures) or STUDIED not in self.modulated:
            raise ValueError(
                f"mixtures: expected {STUDIED} and {REFERENCE}, with {STUDIED} among those modulated, got "
                f"{', '.join(self.mixtures)}; modulated: {', '.join(self.modulated)}"
            )
        if not 2 <= self.n_excitatory < self.n_units:
            raise ValueError(
                f"excitatory_share: expected two excitatory of {self.n_units} cells or more, and some inhibitory ones, "
                f"got {self.n_excitatory} excitatory"
            )

    @property
    def n_excitatory(self) -> int:
        """Excitatory cells of a network."""
        return round(self.excitatory_share * self.n_units)


class Condition(NamedTuple):
    """What networks run under."""

    mixture: str
    modulators: str  # an entry of `DESIGN`
    reward: str = "prompt"  # or "late", or "withheld"
    rate: str = "matched"  # to that of the reference; or "of bursts", as the same cells have with noradrenaline


def conditions(config: SpikingConfig) -> list:
    """No networks of the store: these learn while they run."""
    return []


def list_conditions(config: SpikingConfig) -> list[Condition]:
    """Every condition of the figure."""
    listed = [Condition(mixture, "neither") for mixture in config.mixtures if mixture not in config.modulated]
    listed += [Condition(mixture, modulators) for mixture in config.modulated for modulators in DESIGN]
    listed += [Condition(STUDIED, modulators, reward="late") for modulators in DESIGN]
    return [*listed, Condition(STUDIED, "neither", reward="withheld"), Condition(STUDIED, "neither", rate="of bursts")]


def build(condition: Condition, seed: int, width: float, config: SpikingConfig) -> tuple[Synapses, Cells]:
    """The network of a seed in a condition, with an input of that width."""
    kinds = draw_kinds(condition.mixture, config.n_excitatory, config.n_units - config.n_excitatory, seed)
    reward = 0.0 if condition.reward == "withheld" else config.reward
    cells = make_cells(
        kinds, config.n_excitatory, condition.modulators,
        width=width, most=config.largest_weight, tonic=config.tonic, reward=reward,
    )  # fmt: skip
    late = round(config.late_ms) if condition.reward == "late" else 0
    sizes = config.n_units, config.n_excitatory, min(config.n_synapses, config.n_excitatory)
    return draw_synapses(*sizes, seed, extra_reward_steps=late), cells


def measure_rate(condition: Condition, width: float, config: SpikingConfig) -> float:
    """Mean rate of excitatory cells before learning, Hz, in networks that are used for nothing else."""
    seeds = [derive_seed(config.seed, "spiking", "matching", str(m)) for m in range(config.n_matching_networks)]
    networks = [build(condition, seed, width, config) for seed in seeds]
    still = [(synapses, cells._replace(tonic=0.0, reward=0.0)) for synapses, cells in networks]
    return float(simulate(still, seeds, config.n_matching_seconds).rate_hz.mean())


def match_width(condition: Condition, target_hz: float, config: SpikingConfig) -> float:
    """Width of the input with which networks have this mean rate."""

    def excess(width: float) -> float:
        return measure_rate(condition, width, config) - target_hz

    bounds = LEAST_WIDTH * config.input_width, MOST_WIDTH * config.input_width
    return bisect(excess, *bounds, xtol=0.01 * config.input_width)


def match_widths(config: SpikingConfig) -> dict[tuple[str, str], float]:
    """(mixture, rate) -> width of the input; modulators change the rate, and the input is not changed for them."""
    target_hz = measure_rate(Condition(REFERENCE, "neither"), config.input_width, config)
    widths = {(REFERENCE, "matched"): config.input_width}
    for mixture in config.mixtures:
        if mixture != REFERENCE:
            widths[mixture, "matched"] = match_width(Condition(mixture, "neither"), target_hz, config)
    bursts_hz = measure_rate(Condition(STUDIED, "noradrenaline"), widths[STUDIED, "matched"], config)
    return widths | {(STUDIED, "of bursts"): match_width(Condition(STUDIED, "neither"), bursts_hz, config)}


@experiment
def run(config: SpikingConfig) -> tuple[Tables, Scalars]:
    """Outcomes of every network, weights over time, shares of full synapses, and measures of synergy."""
    widths, runs = match_widths(config), {}
    for condition in list_conditions(config):
        width = widths[condition.mixture, condition.rate]
        networks = [build(condition, seed, width, config) for seed in config.seeds]
        runs[condition] = simulate(networks, config.seeds, config.n_seconds)
    outcomes = {condition: measure(of_condition, config) for condition, of_condition in runs.items()}
    axes = {"network": range(config.n_replicates)}
    networks = pd.concat([_label(condition, lay_out(axes, **of)) for condition, of in outcomes.items()])
    scalars = _scalars(outcomes, widths, config)
    tables = {
        "networks": networks.reset_index(drop=True),
        "outcomes": summarise_columns(networks, list(Condition._fields), MEASURES),
        "curves": pd.concat([_curves(condition, of, config) for condition, of in runs.items()], ignore_index=True),
        "synergy": _synergy_table(scalars),
        "widths": pd.DataFrame([(*key, width) for key, width in widths.items()], columns=["mixture", "rate", "width"]),
    }
    return tables, scalars | {"title": name_outcome(scalars)}


def name_outcome(scalars: Scalars) -> str:
    """The title."""
    said = ("do more than", "do less than", "are not shown to do more than")
    beyond = titles.choose(scalars, "specific_beyond_best", *said, alike="do no more than")
    return f"Two modulators of spiking networks {beyond} the better one"


def measure(run: Run, config: SpikingConfig) -> dict[str, np.ndarray]:
    """Outcomes (M,): specific weight over the run, weight kept, restricted time, whether it is censored, rate in Hz."""
    return {
        "specific": (run.rewarded - run.others).mean(axis=1) / config.largest_weight,
        "kept": run.rewarded[:, -1] / config.largest_weight,
        "time": np.minimum(run.saturated_s, config.n_seconds) / config.n_seconds,
        "censored": np.isinf(run.saturated_s),
        "rate_hz": run.rate_hz.mean(axis=1),
    }


def _synergy_table(scalars: Scalars) -> pd.DataFrame:
    rows = [
        dict(outcome=outcome, measure=measure, value=scalars[name])
        | {end: scalars[f"{name}_{end}"] for end in ("low", "high", "n")}
        for outcome in OUTCOMES
        for measure in SYNERGY
        for name in [f"{outcome}_{measure}"]
    ]
    return pd.DataFrame(rows)


def _label(condition: Condition, table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(condition._asdict(), index=table.index).join(table)


def _curves(condition: Condition, run: Run, config: SpikingConfig) -> pd.DataFrame:
    """Weight of the rewarded synapse, the others' mean, and the share of full ones, with intervals, over time."""
    seconds = np.unique(np.linspace(1, config.n_seconds, N_SHOWN).round().astype(int))
    curves = {
        "rewarded": run.rewarded[:, seconds - 1],
        "others": run.others[:, seconds - 1],
        "full": 1.0 * (run.saturated_s[:, None] <= seconds),
    }
    parts = [
        pd.DataFrame({"curve": name, "time_s": seconds} | estimate_mean(values).to_columns("value"))
        for name, values in curves.items()
    ]
    return _label(condition, pd.concat(parts, ignore_index=True))


def _scalars(outcomes: dict, widths: dict, config: SpikingConfig) -> Scalars:
    scalars: Scalars = {"n_networks": config.n_replicates * len(outcomes), "n_seconds": config.n_seconds}
    scalars |= {"reward": config.reward, "late_s": config.late_ms / 1000, "n_per_condition": config.n_replicates}
    scalars |= {f"width_{mixture}": widths.get((mixture, "matched"), np.nan) for mixture in MIXTURES}
    scalars |= mean_scalars({"time_of_bursts": outcomes[Condition(STUDIED, "neither", rate="of bursts")]["time"]})
    for name in DESIGN:
        of = outcomes[Condition(STUDIED, name)]
        scalars |= mean_scalars({measure: of[measure] for measure in MEASURES}, name=f"{{}}_{name}")
        scalars |= {f"full_{name}": int((~of["censored"]).sum())}
        late = outcomes[Condition(STUDIED, name, reward="late")]
        scalars |= mean_scalars({f"late_{name}": late["specific"]})
    for mixture in MIXTURES:
        of = outcomes.get(Condition(mixture, "neither"), dict.fromkeys(MEASURES, np.full(1, np.nan)))
        scalars |= mean_scalars({measure: of[measure] for measure in ("time", "rate_hz")}, name=f"{{}}_{mixture}")
    return scalars | _evidence(outcomes, config)


def _evidence(outcomes: dict, config: SpikingConfig) -> Scalars:
    """What the claims rest on; networks of one seed are pairs."""
    paired, scalars = functools.partial(estimate_difference, paired=True), {}

    def of(measure: str, modulators: str, **other: str) -> np.ndarray:
        return outcomes[Condition(STUDIED, modulators, **other)][measure]

    for name, (measure, reward) in OUTCOMES.items():
        samples = {modulators: of(measure, modulators, reward=reward) for modulators in DESIGN}
        scalars |= weigh(f"{name}_beyond_best", paired, *(samples[m] for m in ("both", *SINGLE)))
        scalars |= weigh_mean(f"{name}_beyond_sum", beyond_sum(*(x[None] for x in samples.values()), axis=0))
    scalars |= weigh("time_noradrenaline_minus_neither", paired, of("time", "noradrenaline"), of("time", "neither"))
    scalars |= weigh("kept_acetylcholine_minus_neither", paired, of("kept", "acetylcholine"), of("kept", "neither"))
    of_bursts = of("time", "neither", rate="of bursts")
    scalars |= weigh("time_noradrenaline_minus_rate", paired, of("time", "noradrenaline"), of_bursts)
    alone = [-outcomes[Condition(m, "neither")]["time"] for m in config.mixtures if m != STUDIED]
    scalars |= weigh("lead_of_mixed", paired, -of("time", "neither"), *alone)
    return scalars | weigh_mean("kept_withheld", of("kept", "neither", reward="withheld"))
