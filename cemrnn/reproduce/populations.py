"""Populations by the name of a figure, or of one's own: which configs they are, and their training with a bar."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from cemrnn.config import Config, unknown_name
from cemrnn.figures import config_class, list_figures
from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS
from cemrnn.reproduce.project import Project
from cemrnn.store.store import Store
from cemrnn.sweep.jobs import plan_jobs
from cemrnn.sweep.progress import describe_progress
from cemrnn.sweep.run import SweepProgress, load_population, train_missing
from cemrnn.system.files import read_tensors
from cemrnn.tasks import OwnTasks, TaskSet
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import TrainedNetwork, choose_device
from cemrnn.training.train import TrainingInterrupted


def figure_config(stem: str, profile: str, overrides: dict[str, Any]) -> Config:
    """Settings of a figure at a profile, with other values for some."""
    if stem not in list_figures():
        raise ValueError(unknown_name(stem, list_figures(), "figure"))
    here, clone = Path.cwd(), Path(__file__).parents[2]
    project = Project(here if (here / "notebooks" / "params").is_dir() else clone)
    return config_class(stem).from_params(project.values(stem, profile) | overrides)


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
    if arm not in ARMS:
        raise ValueError(unknown_name(arm, ARMS, "arm"))
    kinds = {k: {field.name for field in dataclasses.fields(k)} for k in (TaskSet, NetworkConfig, TrainingConfig)}
    valid = set().union(*kinds.values()) - {"names", "tasks", "network", "arm", "n_units"}
    for name in settings:
        if name not in valid:
            raise ValueError(unknown_name(name, valid, "setting"))
    values = defaults | settings

    def pick(kind: type, **given: Any) -> Any:
        return kind(**({name: values[name] for name in kinds[kind] & values.keys()} | given))

    source = tasks if isinstance(tasks, Config) else pick(TaskSet, names=tuple(tasks))
    sizes = {name: getattr(source, name) for name in ("n_contexts", "n_inputs", "n_outputs", "dt_ms", "tau_ms")}
    if settings.get("context_source", "cue") != "cue":
        sizes["n_contexts"] = settings.get("n_contexts", sizes["n_contexts"])
    rank = values["rank"] if "synaptic" in ARMS[arm] else 0
    network = pick(NetworkConfig, arm=arm, n_units=n_units, **(sizes | {"rank": rank}))
    first = pick(TrainingConfig, network=network, tasks=source)
    return [dataclasses.replace(first, seed=first.seed + m) for m in range(n_networks)]


def train_population(configs: Sequence[TrainingConfig], device: str) -> tuple[CEMRNN, list[TrainedNetwork]]:
    """The networks of configs that differ in the seed alone; a bar shows the progress of those that the store lacks."""
    bar, store = _Bar(), Store.default()
    try:
        train_missing(configs, store, device=choose_device(device).type, report=bar)
    finally:
        bar.close()
    return load_population(configs, store)


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
    for job in plan_jobs(configs):
        found |= {config: store.load(config) for config in job.configs}
        missing = [config for config in job.configs if found[config] is None]
        path = store.checkpoint_path(missing)
        if missing and path.exists():
            learner = missing[0].make_learner(missing, torch.device("cpu"), None)
            learner.restore(*read_tensors(path))
            learner.stop()
            found |= {config: learner.finished[m] for m, config in enumerate(missing)}
    kept = [config for config in configs if found[config] is not None]
    if not kept:
        raise TrainingInterrupted("interrupted before any network had begun to learn")
    model = CEMRNN(kept[0].network, [config.seed for config in kept])
    model.load(torch.stack([found[config].flat for config in kept]))
    return kept, model, [found[config] for config in kept]


class _Bar:
    """A bar of the work that is done, on a terminal or in a notebook; none where nothing is to do."""

    def __init__(self) -> None:
        self._bar = None

    def __call__(self, progress: SweepProgress) -> None:
        from tqdm.auto import tqdm

        if self._bar is None:
            layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
            self._bar = tqdm(total=progress.work_total, bar_format=layout)
        self._bar.set_description(describe_progress(progress), refresh=False)
        self._bar.update(progress.work_done - self._bar.n)

    def close(self) -> None:
        """Leave the bar on its line."""
        if self._bar is not None:
            self._bar.close()
