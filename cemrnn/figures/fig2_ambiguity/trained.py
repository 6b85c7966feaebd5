"""Networks beside those of the groups: trained for one kind of ambiguity, or on other tasks.

And what it is worth, under this kind and under others, to be trained for one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cemrnn.figures.remember import Scalars
from cemrnn.figures.shared import conflict_groups, frames
from cemrnn.figures.shared.ambiguity import list_pairs
from cemrnn.figures.shared.conflict_groups import PopulationKey
from cemrnn.figures.shared.conflict_tests import RobustnessConfig
from cemrnn.measures.intervals import estimate_crossed
from cemrnn.tasks import TaskSet
from cemrnn.tasks.cues import CueConfig
from cemrnn.training.config import TrainingConfig

UNTRAINED, STEP_NOISE = "parameters", "trained"  # groups that figure 2 has in any case
AT_UNITS = ", equal units"  # ends the group of networks that were trained for a kind of ambiguity at equal units
# Group of networks on other tasks than the battery -> the setting that names these tasks, and the reading.
OTHER_TASKS = {
    f"{group}_{match}": (setting, match)
    for group, setting in (("other", "other_tasks"), ("streams", "stream_tasks"))
    for match in ("parameters", "units")
}
SETTLE_MS = 200.0  # from the latest switch to the end of a trial in training, as in figure 6
ONCE = ("gain_own_kind", "gain_other_kind", "n_trained_kinds")  # scalars that are told at equal parameters alone
LEAST_NETWORKS = 2  # of each arm that learned their tasks, for a kind to be compared
# Group of networks that were trained for it -> its test.
TESTS = {
    STEP_NOISE: "step noise",
    "frozen noise": "frozen noise",
    "mixture": "mixture",
    "brief": "brief",
    "late": "late",
    "switch": "switch",
}
# Noise that is weaker in training than in its test, shown beside these and in no mean over kinds.
WEAKER = {"weak step noise": "step noise", "weak frozen noise": "frozen noise"}
# Group at equal units -> that at equal parameters, which has its combined networks.
SAME_COMBINED = {
    **conflict_groups.SAME_COMBINED,
    **{f"{kind}{AT_UNITS}": kind for kind in (*TESTS, *WEAKER) if kind != STEP_NOISE},
    **{f"{name}_units": f"{name}_parameters" for name in ("other", "streams")},
}


@dataclass(frozen=True, kw_only=True)
class TrainedConfig(RobustnessConfig):
    """What figure 2 is computed from."""

    trained_kinds: tuple[str, ...]  # of ambiguity that networks are trained for, each for one, beside noise of steps
    kind_replicates: int  # networks of each arm that are trained for each of these kinds
    trained_weak_sigma: float  # noise on every context unit in training for the weak kinds of noise
    other_tasks: tuple[str, ...] = ()  # on which more networks are compared, if there are any; some of them conflict
    stream_tasks: tuple[str, ...] = ()  # the same, for tasks whose answers are of another kind, as of two streams

    def __post_init__(self) -> None:
        super().__post_init__()
        for setting in ("other_tasks", "stream_tasks"):
            names = getattr(self, setting)
            if both := set(names) & set(self.tasks):
                raise ValueError(f"{setting}: expected none of the battery, got {', '.join(sorted(both))}")
            if names and not len(list_pairs(self._other_set(setting))):
                raise ValueError(f"{setting}: expected tasks that can conflict on one stimulus, got {names}")
        known = [kind for kind in (*TESTS, *WEAKER) if kind != STEP_NOISE]
        if not set(self.trained_kinds) <= set(known):
            raise ValueError(f"trained_kinds: expected some of {', '.join(known)}, got {', '.join(self.trained_kinds)}")

    @property
    def on_battery(self) -> TrainedConfig:
        """The same without networks on other tasks."""
        return dataclasses.replace(self, other_tasks=(), stream_tasks=())

    @property
    def tested_groups(self) -> list[str]:
        """Groups that are tested under every kind of ambiguity; at equal units if some are trained for it there."""
        kinds = [UNTRAINED, STEP_NOISE, *self.trained_kinds]
        at_units = [group for group, same in SAME_COMBINED.items() if same in kinds]
        return kinds + at_units * self.train_at_units

    def of_group(self, group: str) -> TrainedConfig:
        """The settings of a group: these, or those with other tasks; expects that there are such tasks."""
        if group not in OTHER_TASKS:
            return self
        others = self._other_set(OTHER_TASKS[group][0])
        return dataclasses.replace(self.on_battery, tasks=others.names, encoding=others.encoding)

    def _other_set(self, setting: str) -> TaskSet:
        """The tasks that a setting names; streams have no direction that could be encoded otherwise."""
        encoding = "cosine" if setting == "stream_tasks" else self.encoding
        return TaskSet(names=getattr(self, setting), preset=self.preset, encoding=encoding)

    def count_networks(self, key: PopulationKey) -> int:
        """The most networks that a population has."""
        is_kind = key.group.removesuffix(AT_UNITS) in self.trained_kinds
        return self.kind_replicates if is_kind else super().count_networks(key)

    def cue_of(self, kind: str) -> CueConfig:
        """What happens to cues in training for a kind of ambiguity: what its test does, in all trials or half.

        Noise may be weaker than in its test.
        """
        return {
            "frozen noise": CueConfig(frozen_sigma=self.test_sigma),
            "mixture": CueConfig(mixture=self.test_mixture),
            "brief": CueConfig(brief_share=0.5, brief_ms=self.test_ms),
            "late": CueConfig(late_share=0.5, settle_ms=SETTLE_MS),
            "switch": CueConfig(switch_share=0.25, late_share=0.25, settle_ms=SETTLE_MS),
            "weak step noise": CueConfig(noise_sigma=self.trained_weak_sigma),
            "weak frozen noise": CueConfig(frozen_sigma=self.trained_weak_sigma),
        }[kind]

    def populations(self) -> Iterator[tuple[PopulationKey, list[TrainingConfig]]]:
        """Those of the groups, then those on other tasks, and for one kind of ambiguity.

        The combined arm is the same at both readings.
        """
        yield from super().populations()
        for group, (setting, match) in OTHER_TASKS.items():
            for arm in self.compared_arms if getattr(self, setting) else ():
                if (match, arm) != ("units", "combined"):
                    yield PopulationKey(group, arm), self.of_group(group).training(arm, match)
        for kind in dict.fromkeys(self.trained_kinds):
            for arm in self.compared_arms:
                yield PopulationKey(kind, arm), self.training(arm, cue=self.cue_of(kind))[: self.kind_replicates]
                if self.train_at_units and arm != "combined":
                    networks = self.training(arm, "units", cue=self.cue_of(kind))[: self.kind_replicates]
                    yield PopulationKey(f"{kind}{AT_UNITS}", arm), networks


def with_combined(table: pd.DataFrame, group: str) -> pd.DataFrame:
    """The rows of a group, and those of the combined networks that it has in common with another one."""
    rows = frames.select(table, group=group)
    same = SAME_COMBINED.get(group)
    return pd.concat([rows, frames.select(table, group=same, arm="combined")]) if same and len(rows) else rows


def measure_readings(tests: pd.DataFrame) -> Scalars:
    """Evidence of `measure_training` at equal parameters, and with names that begin with "units" at equal units.

    Args:
        tests: of all groups, as there.
    """
    at_units = [with_combined(tests, group).assign(group=same) for group, same in SAME_COMBINED.items()]
    of_units = measure_training(pd.concat(at_units, ignore_index=True))
    told = {name: value for name, value in of_units.items() if not name.startswith(ONCE)}
    return measure_training(tests) | {f"units_{name}": value for name, value in told.items()}


def measure_training(tests: pd.DataFrame) -> Scalars:
    """Evidence on networks under the ambiguity that they were trained for, from the kinds that all arms can learn.

    Replicates of one seed began alike and are paired between kinds of training; arms are not.

    Args:
        tests: one row per network (columns group, arm, test, network) with its normalised accuracy.
    """
    learned = tests.dropna(subset="accuracy").groupby(["group", "arm"])["network"].nunique().unstack()
    groups = [group for group in TESTS if group in learned.index and learned.loc[group].min() >= LEAST_NETWORKS]
    own, gained, elsewhere = {}, [], []
    for arm in ("combined", *frames.SINGLE):
        table = frames.select(tests, arm=arm).pivot(index=["group", "network"], columns="test", values="accuracy")
        if table.empty or not groups:
            continue
        n = min(len(table.loc[group]) for group in groups)
        values = {group: table.loc[group].iloc[:n] for group in (UNTRAINED, *groups)}
        right = {kind: {group: values[group][TESTS[kind]].to_numpy(float) for group in values} for kind in groups}
        own[arm] = np.stack([right[kind][kind] for kind in groups], axis=1)  # (M, kinds)
        for kind in groups:
            gained.append(right[kind][kind] - right[kind][UNTRAINED])
            elsewhere += [right[kind][group] - right[kind][UNTRAINED] for group in groups if group != kind]
    n_kinds = len({*TESTS} & {*tests["group"]})
    scalars = {"n_trained_kinds": n_kinds, "n_learned_kinds": len(groups)}
    scalars |= frames.weigh_pathways("own_kind", own, estimate_crossed)  # for other networks and other kinds
    scalars |= frames.mean_scalars({"own": _mean(gained), "other": _mean(elsewhere)}, name="gain_{}_kind")
    scalars |= frames.weigh_mean("gain_own_minus_other_kind", _mean(gained) - _mean(elsewhere))
    for group, test in {**WEAKER, "frozen noise": TESTS["frozen noise"]}.items():
        scalars |= _compare_noise(group, frames.select(tests, group=group, test=test))
    return scalars


def _compare_noise(group: str, rows: pd.DataFrame) -> Scalars:
    """The fewest networks of an arm that learned their tasks with a kind of noise, and the pathways in its test."""
    samples, name = frames.collect_samples(rows, "arm", "accuracy"), group.replace(" ", "_")
    learned = [np.count_nonzero(~np.isnan(sample)) for sample in samples.values()]
    return {f"{name}_learned": min(learned, default=np.nan)} | frames.weigh_pathways(name, samples, both=False)


def _mean(samples: list[np.ndarray]) -> np.ndarray:
    """(M,) mean over samples, of the networks of a seed that are compared; NaN where none is."""
    return pd.DataFrame(samples).mean().to_numpy(float) if samples else np.full(1, np.nan)
