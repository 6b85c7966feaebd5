"""Figure 13: when two coupled modules specialise in their own digits, by structure and by a context."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from cemrnn.figures.fig13_specialisation import modules
from cemrnn.figures.fig13_specialisation.modules import PARITY, Pairs, Setting, Trials
from cemrnn.figures.fig13_specialisation.specialisation import ablate, correlate_classes, probe, specialise
from cemrnn.figures.remember import Scalars, Tables, experiment
from cemrnn.figures.shared import titles
from cemrnn.figures.shared.battery import ReplicatesConfig, check_increasing, check_least
from cemrnn.figures.shared.frames import mean_scalars, select, summarise, summarise_columns, weigh_mean
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import estimate_difference
from cemrnn.measures.synergy import beyond_sum
from cemrnn.tasks.sequences.images import split_images

SHORT, LONG = 2, 5  # steps T; Béna & Goodman have 2
ARMS = ("plain", "bias", "excitability", "synaptic", "combined")
MEASURES = ("ablation", "correlation", "probe")
CHANNELS = ("first", "last", "always")  # of the sweep over the time of communication
GROUP = 200  # pairs trained at once, at most
KEYS = list(Setting._fields)


@dataclass(frozen=True, kw_only=True)
class SpecialisationConfig(ReplicatesConfig):
    """What figure 13 is computed from."""

    n_units: int  # of a module, where sizes are not compared
    module_units: tuple[int, ...]  # sizes of a module compared with it; 10, 25 and 50 in Béna & Goodman 2025
    coupling: float  # share of the connections between modules that exist where couplings are not compared
    couplings: tuple[float, ...]  # shares that are compared; at least one connection exists each way
    correlations: tuple[float, ...]  # shares of trials with twice the same digit that are compared
    sender_units: tuple[int, ...]  # units that connections to the other module start from, compared with all
    rank: int  # synaptic components R of arms that have some
    n_updates: int  # updates of the weights
    batch_trials: int  # trials per update and network
    learning_rate: float  # of the optimiser, Adam
    test_trials: int  # fresh trials to measure on, and as many to fit the probe on

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, including in (("couplings", (self.coupling, 1.0)), ("correlations", (0.0,))):
            check_increasing(self, name, 2, including=including, least=0.0)
            if max(getattr(self, name)) > 1:
                raise ValueError(f"{name}: expected shares from 0 to 1, got {getattr(self, name)}")
        check_increasing(self, "module_units", 2)
        check_increasing(self, "sender_units", 1)
        check_least(self, coupling=0.0, test_trials=100, batch_trials=modules.N_MODULES)
        for name in ("test_trials", "batch_trials"):
            if getattr(self, name) % modules.N_MODULES:
                raise ValueError(f"{name}: expected an even number, half for each context, got {getattr(self, name)}")

    @property
    def base(self) -> Setting:
        """The setting that the others differ from."""
        return Setting(self.n_units, self.coupling, 0.0, self.n_units, "always", SHORT, PARITY)

    @property
    def sizes(self) -> list[int]:
        """Units of a module, in order, of all that are compared."""
        return sorted({*self.module_units, self.n_units})

    def sweeps(self) -> dict[str, list[Setting]]:
        """Sweep -> its settings; some settings are in several."""
        base, pairs = self.base, itertools.product
        sizes = [base._replace(n_units=n, senders=n) for n in self.sizes]
        environments = [base._replace(alike=share) for share in self.correlations]
        senders = [*(k for k in self.sender_units if k < self.n_units), self.n_units]
        arms = [base._replace(arm=arm) for arm in ARMS]
        crossed = {"size": sizes, "correlation": environments, "arm": arms}
        return {
            name: [setting._replace(coupling=c) for setting, c in pairs(settings, self.couplings)]
            for name, settings in crossed.items()
        } | {
            "senders": [base._replace(senders=k, coupling=1.0) for k in senders],
            "time": [base._replace(n_steps=LONG, channel=channel) for channel in CHANNELS],
            "closed": [base._replace(channel="never")],
        }


def conditions(config: SpecialisationConfig) -> list:
    """No networks of the store, whose recurrence has no mask: these are trained here."""
    return []


def list_settings(config: SpecialisationConfig) -> list[Setting]:
    """Every setting of the figure, once."""
    return list(dict.fromkeys(itertools.chain(*config.sweeps().values())))


@experiment
def run(config: SpecialisationConfig) -> tuple[Tables, Scalars]:
    """Accuracy and specialisation of every pair, before and after training and step by step, and the evidence."""
    parts = [measure_pairs(group, config) for group in _group(list_settings(config), config)]
    steps = pd.concat(parts, ignore_index=True)
    last = steps[steps["step"] == steps["n_steps"]]
    networks = last[last["trained"]].reset_index(drop=True)
    outcomes = [*MEASURES, "accuracy"]
    tables = {
        "networks": networks,
        "outcomes": summarise_columns(last, [*KEYS, "trained"], outcomes),
        "steps": summarise(select(steps, n_steps=LONG, trained=True), ["channel", "step"], "probe"),
    }
    scalars = _scalars(networks, steps, config)
    return tables, scalars | {"title": name_outcome(scalars)}


def name_outcome(scalars: Scalars) -> str:
    """The title."""
    said = ("more", "less", "not clearly more")
    much = titles.choose(scalars, "ablation_combined_minus_bias", *said, alike="no more")
    return f"Densely coupled modules specialise {much} if context modulates them than if it is an input"


def _group(settings: Sequence[Setting], config: SpecialisationConfig) -> list[list[tuple[Setting, int]]]:
    """Pairs with their seeds, those of one shape together but for the size of a group."""
    by_shape: dict[tuple, list[tuple[Setting, int]]] = {}
    for setting, seed in itertools.product(settings, config.seeds):
        by_shape.setdefault(setting.shape, []).append((setting, seed))
    return [of[i : i + GROUP] for of in by_shape.values() for i in range(0, len(of), GROUP)]


def measure_pairs(group: Sequence[tuple[Setting, int]], config: SpecialisationConfig) -> pd.DataFrame:
    """Train pairs of one shape, each with its seed; a row for each, before and after, at every step."""
    images, (settings, seeds) = split_images("digits"), zip(*group, strict=True)
    pairs = Pairs(settings, seeds, rank=config.rank, n_pixels=images["test"].pixels[0].size)
    untrained = _measure(pairs, settings, seeds, config)
    recipe = {name: getattr(config, name) for name in ("n_updates", "batch_trials", "learning_rate")}
    modules.train(pairs, Trials(images["training"], seeds, settings, "training"), **recipe)
    tables = [untrained.assign(trained=False), _measure(pairs, settings, seeds, config).assign(trained=True)]
    return pd.concat(tables, ignore_index=True)


@torch.no_grad()
def _measure(pairs: Pairs, settings: Sequence[Setting], seeds: Sequence[int], config) -> pd.DataFrame:
    """A row per pair and step; ablation and accuracy are those of the end. All digits are independent here."""
    images, neutral = split_images("digits"), [setting._replace(alike=0.0) for setting in settings]
    parts = {"validation": "probe", "test": "test"}
    fit, test = (Trials(images[part], seeds, neutral, name).draw(config.test_trials) for part, name in parts.items())
    fitted, run = pairs.simulate(fit.images), pairs.simulate(test.images)
    right = run.outputs.amax(dim=2).argmax(dim=-1) == test.answers
    ends = {"accuracy": right.float().mean(dim=1)}
    ends["ablation"] = specialise(ablate(run.outputs, test.answers, test.counted))
    labels = [
        setting._asdict() | {"network": seed - config.seed} for setting, seed in zip(settings, seeds, strict=True)
    ]
    tables = []
    for t, states in enumerate(run.states):
        of = ends | {
            "correlation": specialise(correlate_classes(states, test.labels)),
            "probe": specialise(probe(fitted.states[t], fit.labels, states, test.labels)),
        }
        columns = {name: values.double().numpy() for name, values in of.items()}
        tables.append(pd.DataFrame(labels).assign(step=t + 1, **columns))
    return pd.concat(tables, ignore_index=True)


def _sample(networks: pd.DataFrame, setting: Setting, measure: str = "ablation") -> np.ndarray:
    """(M,) values of the pairs of a setting, in the order of their seeds."""
    return select(networks, **setting._asdict()).sort_values("network")[measure].to_numpy(float)


def _scalars(networks: pd.DataFrame, steps: pd.DataFrame, config: SpecialisationConfig) -> Scalars:
    base, of = config.base, functools.partial(_sample, networks)
    fewest, most = (base._replace(coupling=c) for c in (config.couplings[0], 1.0))
    scalars: Scalars = {"n_networks": len(networks), "n_settings": len(list_settings(config))}
    scalars |= {"n_units": config.n_units, "coupling_percent": round(100 * config.coupling)}
    scalars |= {"largest_correlation_percent": round(100 * config.correlations[-1])}
    scalars |= {"least_accuracy": float(networks.groupby(KEYS)["accuracy"].mean().min())}
    samples = {"fewest": of(fewest), "few": of(base), "all": of(most)}
    scalars |= mean_scalars(samples, name="ablation_{}")
    scalars |= mean_scalars({name: of(base, name) for name in ("accuracy", *MEASURES)}, name="{}_base")
    for arm in ARMS:
        setting = most._replace(arm=arm)
        scalars |= mean_scalars({m: of(setting, m) for m in ("accuracy", "ablation", "probe")}, name=f"{{}}_{arm}")
    return scalars | _weigh_structure(of, steps, config) | _weigh_modulation(of, most)


def modularity(coupling: float, n_units: int) -> float:
    """Q of two modules of n units, dense inside, with int(coupling n²) connections between them, at least one.

    Source: Béna & Goodman 2025, Q = (1 - p) / (1 + p) / 2.
    """
    share = max(1, int(coupling * n_units**2)) / n_units**2
    return (1 - share) / (1 + share) / 2


def _weigh_structure(of, steps: pd.DataFrame, config: SpecialisationConfig) -> Scalars:
    """What the claims on structure, environment, resources, measures and time rest on."""
    base, paired = config.base, functools.partial(estimate_difference, paired=True)
    fewest = base._replace(coupling=config.couplings[0])
    of_modularity = modularity(config.coupling, config.n_units) / modularity(config.couplings[0], config.n_units)
    share = of(base) / np.where(of(fewest) > 0, of(fewest), np.nan) - of_modularity
    scalars = {"share_of_modularity": of_modularity} | weigh_mean("share_of_specialisation_minus_modularity", share)
    correlated = base._replace(alike=config.correlations[-1])
    scalars |= weigh("ablation_independent_minus_correlated", paired, of(base), of(correlated))
    small, large = (base._replace(n_units=n, senders=n) for n in (config.sizes[0], config.sizes[-1]))
    unpaired = functools.partial(estimate_difference, paired=False)
    scalars |= weigh("ablation_small_minus_large", unpaired, of(small), of(large))
    scalars |= {"smallest": config.sizes[0], "largest": config.sizes[-1]}
    scalars |= weigh_mean("least_agreement", _agree(of, config))
    always = select(steps, trained=True, **base._replace(n_steps=LONG)._asdict())
    early, late = (_sample(always[always["step"] == step], base._replace(n_steps=LONG), "probe") for step in (2, LONG))
    scalars |= mean_scalars({"early": early, "late": late}, name="probe_{}")
    scalars |= weigh("probe_early_minus_late", paired, early, late)
    return scalars | weigh_mean("probe_closed", of(base._replace(channel="never"), "probe"))


def _agree(of, config: SpecialisationConfig) -> np.ndarray:
    """(M,) least rank correlation of two measures over the settings of size and of correlation between digits."""
    sweeps = config.sweeps()
    settings = list(dict.fromkeys([*sweeps["size"], *sweeps["correlation"]]))
    values = {measure: np.stack([of(setting, measure) for setting in settings]) for measure in MEASURES}  # (P, M)
    pairs = list(itertools.combinations(values.values(), 2))
    return np.array([min(spearmanr(a[:, m], b[:, m]).statistic for a, b in pairs) for m in range(config.n_replicates)])


def _weigh_modulation(of, dense: Setting) -> Scalars:
    """What the claims on modulation rest on: the two by two design and its reference, where all connections exist."""
    paired, scalars = functools.partial(estimate_difference, paired=True), {}
    for measure in ("ablation", "probe", "accuracy"):
        both, e, s, neither, bias = (
            of(dense._replace(arm=arm), measure) for arm in ("combined", "excitability", "synaptic", "plain", "bias")
        )
        scalars |= weigh(f"{measure}_beyond_best", paired, both, e, s)
        scalars |= weigh_mean(f"{measure}_beyond_sum", beyond_sum(*(x[None] for x in (both, e, s, neither)), axis=0))
        scalars |= weigh(f"{measure}_combined_minus_bias", paired, both, bias)
    return scalars
