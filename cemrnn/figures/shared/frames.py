"""Long tables with a row per network, what they are over networks, and the scalars that are told of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from cemrnn.figures.result import Scalars
from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import Interval, estimate_difference, estimate_mean, estimate_median

NOTHING = Interval(**dict.fromkeys(("value", "low", "high", "p"), np.array(np.nan)), n=np.array(0))
SINGLE = ("excitability", "synaptic")  # the two pathways that the claims compare
TOLD = dict.fromkeys((*SINGLE, "combined"), [np.nan])  # arms that texts name, whether they are there or not


def lay_out(axes: Mapping[str, Sequence], **values: np.ndarray) -> pd.DataFrame:
    """Arrays as a long table: a column for every axis, in their order, and for every array."""
    index = pd.MultiIndex.from_product(axes.values(), names=axes.keys()).to_frame(index=False)
    return index.assign(**{name: np.ravel(array) for name, array in values.items()})


def select(table: pd.DataFrame, **values) -> pd.DataFrame:
    """The rows in which these columns have these values."""
    return table[np.logical_and.reduce([table[name] == value for name, value in values.items()])]


def summarise(table: pd.DataFrame, by: list[str], value: str) -> pd.DataFrame:
    """Mean and 95 % interval over replicates for every group of a long table with one row per network."""
    rows = []
    for group, part in table.groupby(by, sort=False):
        interval = estimate_mean(part[value].to_numpy(float))
        rows.append(dict(zip(by, group, strict=True)) | interval.to_columns(value))
    return pd.DataFrame(rows, columns=[*by, value, "low", "high", "n"])


def summarise_columns(table: pd.DataFrame, by: list[str], columns: Iterable[str]) -> pd.DataFrame:
    """The same for several columns: `by`, value, low, high, n, and in `measure` which of them it is."""
    parts = [summarise(table, by, name).rename(columns={name: "value"}) for name in columns]
    return pd.concat([p.assign(measure=name) for name, p in zip(columns, parts, strict=True)], ignore_index=True)


def summarise_rounds(labels: pd.DataFrame, samples: Sequence[np.ndarray], name: str, *, seed: int) -> pd.DataFrame:
    """The labels with median, low, high and n of the sample (round,) or (network,) of each."""
    table = np.full((max(map(len, samples), default=0), len(samples)), np.nan)
    for column, sample in enumerate(samples):
        table[: len(sample), column] = sample
    return labels.reset_index(drop=True).assign(**estimate_median(table, seed=seed).to_columns(name))


def collect_samples(table: pd.DataFrame, column: str, value: str) -> dict[str, np.ndarray]:
    """Entry of a column, e.g. an arm -> (M,) values in the order of the networks."""
    groups = table.groupby(column, sort=False)
    return {name: part.sort_values("network")[value].to_numpy(float) for name, part in groups}


def mean_scalars(samples: Mapping[str, np.ndarray], *, name: str = "{}") -> Scalars:
    """Mean and interval over replicates of every sample (M,), as scalars under its name, put into `name`."""
    scalars: Scalars = {}
    for key, sample in samples.items():
        scalars |= estimate_mean(np.asarray(sample, float)).to_scalars(name.format(key))
    return scalars


def arm_scalars(networks: pd.DataFrame, measures: Iterable[str]) -> Scalars:
    """In every arm, mean and interval of every measure, as `<measure>_<arm>`, and how many networks passed.

    Args:
        networks: a row per network: arm, network, passed, and a column for every measure.
        measures: columns of it.
    """
    scalars: Scalars = {}
    for arm, part in networks.groupby("arm", sort=False):
        scalars[f"passed_{arm}"] = int(part["passed"].sum())
        scalars |= mean_scalars({measure: part[measure] for measure in measures}, name=f"{{}}_{arm}")
    return scalars


def weigh_mean(measure: str, sample: np.ndarray) -> Scalars:
    """The evidence of a mean over replicates (M,); see `weigh`."""
    return weigh(measure, estimate_mean, np.asarray(sample, float))


def row_scalars(table: pd.DataFrame, name: str, value: str, **more: str) -> Scalars:
    """Value, low, high and n of every row of a table.

    Args:
        table: with these columns.
        name: of the scalar, with columns in braces: "exponent_{arm}".
        value: the column of the value.
        more: other columns, by the beginning of a scalar: passed="passed" gives `passed_<arm>` beside `time_<arm>`.
    """
    scalars: Scalars = {}
    for row in table.to_dict(orient="records"):
        full = name.format(**row)
        scalars |= {full: row[value]} | {f"{full}_{end}": row[end] for end in ("low", "high", "n")}
        scalars |= {begin.format(**row): row[column] for begin, column in more.items()}
    return scalars


def name_compared(passed: Mapping[str, int]) -> Scalars:
    """Which arms are compared, those with two networks that passed or more, and which are not."""
    groups = {True: [], False: []}
    for arm, n_passed in passed.items():
        groups[bool(n_passed >= 2)].append(arm)
    names = {"arms_compared": groups[True], "arms_not_compared": groups[False]}
    return {name: ", ".join(arms) or "none" for name, arms in names.items()}


def weigh_measures(networks: pd.DataFrame, measures: Iterable[str], *, both: bool = True) -> Scalars:
    """The evidence on the pathways from columns of a table with a row per network; see `weigh_pathways`."""
    scalars: Scalars = {}
    for measure in measures:
        scalars |= weigh_pathways(measure, collect_samples(networks, "arm", measure), both=both)
    return scalars


def weigh_pathways(
    measure: str,
    samples: Mapping[str, Sequence],
    estimate: Callable[..., Interval] | None = None,
    *,
    both: bool = True,
) -> Scalars:
    """The evidence on the pathways: excitability minus synaptic and, with `both`, combined minus the better of them.

    Args:
        measure: how the scalars begin.
        samples: arm -> what is compared, with the replicate on axis 0; NaN is told where an arm is lacking.
        estimate: samples -> Interval of one number; by default the difference of means. Arms are not paired then:
            their networks have nothing but trials in common.
        both: whether combined networks are compared too.
    """
    estimate = estimate or functools.partial(estimate_difference, paired=False)
    compared = {"excitability_minus_synaptic": SINGLE, "combined_minus_best_single": ("combined", *SINGLE)}
    scalars: Scalars = {}
    for name, arms in list(compared.items())[: 1 + both]:
        if set(arms) <= samples.keys():
            scalars |= weigh(f"{measure}_{name}", estimate, *(samples[arm] for arm in arms))
        else:
            scalars |= weigh(f"{measure}_{name}", lambda _: NOTHING, np.empty(0))
    return scalars
