"""Many networks: what the store lacks is trained, conditions of one shape together, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from cemrnn.learner import TrainedNetwork
from cemrnn.model import CEMRNN, count_parameters
from cemrnn.store import Store, entry_key
from cemrnn.training import Progress, TrainingConfig, train


@dataclass(frozen=True)
class SweepProgress:
    """Where a sweep stands.

    Attributes:
        label: what trains now.
        work_done, work_total: estimated cost of what is done and of all that was missing, arbitrary units.
        n_done, n_total: networks.
        worst_score: median over the networks in training of the score on their worst task.
    """

    label: str
    work_done: float
    work_total: float
    n_done: int
    n_total: int
    worst_score: float


def missing_ensembles(configs: Sequence[TrainingConfig], store: Store) -> list[list[TrainingConfig]]:
    """What is not in the store, each config once, grouped into ensembles, the most expensive first."""
    ensembles: dict[str, list[TrainingConfig]] = {}
    for config in {entry_key(c): c for c in configs}.values():
        if store.load(config) is None:
            ensembles.setdefault(config.shape_digest, []).append(config)
    return sorted(ensembles.values(), key=estimate_work, reverse=True)


def estimate_work(configs: Sequence[TrainingConfig]) -> float:
    """Cost of training an ensemble to its last update, in multiply-adds of its products."""
    c = configs[0]
    return len(configs) * c.n_updates * c.batch_trials * c.tasks.max_steps * count_parameters(c.network)


def train_missing(
    configs: Sequence[TrainingConfig],
    store: Store,
    *,
    device: str = "auto",
    report: Callable[[SweepProgress], None] | None = None,
) -> int:
    """Number of networks that were trained because the store lacked them.

    Args:
        configs: any networks; repeated ones are trained once.
        store: where finished networks go, and checkpoints of unfinished ones.
        device: see `cemrnn.training.train`.
        report: called at every evaluation of every ensemble.

    Raises:
        TrainingInterrupted: Ctrl-C; the same call goes on where it stopped.
    """
    ensembles = missing_ensembles(configs, store)
    work_total, n_total = sum(map(estimate_work, ensembles)), sum(map(len, ensembles))
    work_done, n_done = 0.0, 0
    for ensemble in ensembles:
        work, first = estimate_work(ensemble), ensemble[0]

        def relay(p: Progress, work=work, first=first, n_done=n_done, work_done=work_done) -> None:
            share = 1.0 if p.n_active == 0 else p.n_updates / first.n_updates
            label = f"{first.network.arm}, N = {first.network.n_units}, K = {first.tasks.n_contexts}"
            report(SweepProgress(label, work_done + share * work, work_total, n_done, n_total, p.worst_score))

        networks = train(
            ensemble,
            device=device,
            checkpoint=store.checkpoint_path(ensemble),
            report=relay if report is not None else None,
        )
        for config, network in zip(ensemble, networks, strict=True):
            store.save(config, network)
        work_done, n_done = work_done + work, n_done + len(ensemble)
    return n_total


def load_population(
    configs: Sequence[TrainingConfig], store: Store, *, device: str | torch.device = "cpu"
) -> tuple[CEMRNN, list[TrainedNetwork]]:
    """An ensemble of trained networks ready to simulate, and their records; missing ones are trained first.

    Args:
        configs: configs that differ in the seed alone.
        store: where they are, or go.
        device: where the ensemble lives.
    """
    train_missing(configs, store, device=torch.device(device).type)
    networks = [store.load(config) for config in configs]
    population = CEMRNN(configs[0].network, [c.seed for c in configs], device=device)
    for m, network in enumerate(networks):
        population.flat[m] = network.flat
    return population, networks
