"""Populations by the name of a figure, or of one's own: which configs they are, and what an interrupt left of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cemrnn.config import Config, show, unknown_name
from cemrnn.figures import list_figures
from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS
from cemrnn.ranges import check_numbers
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.store.store import Store
from cemrnn.sweep.jobs import split_jobs
from cemrnn.system.clone import find_home
from cemrnn.tasks import OwnTasks, TaskSet
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import TrainedNetwork
from cemrnn.training.train import TrainingInterrupted, resume


def figure_config(stem: str, profile: str, overrides: dict[str, Any]) -> Config:
    """Settings of a figure at a profile, with other values for some."""
    if stem not in list_figures():
        raise ValueError(unknown_name(stem, list_figures(), "figure"))
    return make_config(Project(find_home()), stem, profile, overrides)


def is_folder(what: str | Path) -> bool:
    """Whether something to load is the path of a folder, there or not, and not the name of a figure."""
    if isinstance(what, Path) or os.sep in what or what.startswith("~"):
        return True
    return what not in list_figures() and Path(what).is_dir()


def refuse_arguments(given: Mapping[str, Any], what: str) -> None:
    """Refuse arguments that nothing would read.

    Raises:
        ValueError: there are some.
    """
    if given:
        raise ValueError(f"{', '.join(given)}: expected no such argument with {what}, got {show([*given.values()])}")


def check_configs(configs: Any) -> list[TrainingConfig]:
    """The configs of one population as a list.

    Raises:
        ValueError: they are none, or differ in more than the seed.
    """
    found = list(configs) if isinstance(configs, Iterable) else []
    if not all(isinstance(config, TrainingConfig) for config in found) or len({c.shape for c in found}) != 1:
        expected = "the name of a figure, a folder, or configs of networks that differ in the seed alone"
        raise ValueError(f"what: expected {expected}, got {show(configs)}")
    return found


def choose_configs(conditions: Sequence[Config], arm: str | None, label: str) -> list[TrainingConfig]:
    """The configs of one shape among the networks of a figure."""
    conditions = [config for config in conditions if isinstance(config, TrainingConfig)]
    arms = dict.fromkeys(config.network.arm for config in conditions)
    if arm not in arms and (arm is not None or len(arms) != 1):
        raise ValueError(unknown_name(str(arm), arms, "arm of this figure"))
    chosen = [c for c in dict.fromkeys(conditions) if arm in (None, c.network.arm) and label in c.label]
    shapes = {config.shape: config.label for config in chosen}
    if len(shapes) != 1:
        labels = sorted({config.label for config in conditions if arm in (None, config.network.arm)})
        raise ValueError(f"label: expected a part of one of {labels} that fits one shape of network, got {label!r}")
    return chosen


def plan_training(
    tasks: Iterable[str] | TaskSet | OwnTasks,
    *,
    arm: str,
    n_units: int,
    n_networks: int,
    defaults: dict,
    settings: dict,
) -> list[TrainingConfig]:
    """Configs of networks that learn some tasks, one per seed; the settings come before the defaults.

    Raises:
        ValueError: a name or a value is not valid.
    """
    check_numbers(n_networks=n_networks)
    if not isinstance(arm, str):
        raise ValueError(f"arm: expected one of {', '.join(ARMS)}, got {show(arm)}")
    if arm not in ARMS:
        raise ValueError(unknown_name(arm, ARMS, "arm"))
    if isinstance(tasks, str) or not isinstance(tasks, Iterable | Config):
        raise ValueError(f"tasks: expected names in a list, or a set of tasks, got {show(tasks)}")
    kinds = {k: {field.name for field in dataclasses.fields(k)} for k in (TaskSet, NetworkConfig, TrainingConfig)}
    valid = set().union(*kinds.values()) - {"names", "tasks", "network", "arm", "n_units"}
    for name in settings:
        if name not in valid:
            raise ValueError(unknown_name(name, valid | {"n_units", "n_networks", "profile", "device"}, "setting"))
    values = defaults | settings

    def pick(kind: type, **given: Any) -> Any:
        return kind(**({name: values[name] for name in kinds[kind] & values.keys()} | given))

    source = tasks if isinstance(tasks, Config) else pick(TaskSet, names=tuple(tasks))
    shape = {name: values[name] for name in kinds[NetworkConfig] & values.keys()}
    shape |= {"arm": arm, "n_units": n_units, "rank": ARMS[arm].rank_of(values["rank"])}
    if settings.get("context_source", "cue") == "cue":
        shape.pop("n_contexts", None)
    network = NetworkConfig.for_tasks(source, **shape)
    first = pick(TrainingConfig, network=network, tasks=source)
    return [dataclasses.replace(first, seed=first.seed + m) for m in range(n_networks)]


def as_they_stand(
    configs: Sequence[TrainingConfig],
) -> tuple[list[TrainingConfig], CEMRNN, list[TrainedNetwork]]:
    """What the store has of an interrupted training: networks that are finished, or under way in a checkpoint.

    Returns:
        Their configs, the ensemble, and their records.

    Raises:
        TrainingInterrupted: there is none.
    """
    store, found = Store.default(), {}
    for job in split_jobs(configs):
        found |= {config: store.load(config) for config in job.configs}
        missing = [config for config in job.configs if found[config] is None]
        path = store.checkpoint_path(missing)
        if missing and path.exists() and (learner := resume(missing, path)).n_updates:
            learner.stop()
            found |= {config: learner.finished[m] for m, config in enumerate(missing)}
    kept = [config for config in configs if found[config] is not None]
    if not kept:
        raise TrainingInterrupted("interrupted before any network had begun to learn")
    model = CEMRNN(kept[0].network, [config.seed for config in kept])
    model.load(torch.stack([found[config].flat for config in kept]))
    return kept, model, [found[config] for config in kept]
