"""Results of experiments, kept so that a change of a plot or of a text computes nothing again.

A result is found by its config and by the code that computes it. It is kept only while the environment variable
CEMRNN_RESULTS names a folder, as it does in the notebooks that `make` runs.
"""

from __future__ import annotations

import functools
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from cemrnn.config import Config, digest
from cemrnn.figures.result import FAILED, NONE_FAILED, Result, Scalars, Tables
from cemrnn.network.pathways import ARMS, foreign_code
from cemrnn.store.entry import fingerprint
from cemrnn.store.store import Store, keep, recall
from cemrnn.system.clone import find_named
from cemrnn.system.machine import describe_gpu, describe_machine
from cemrnn.system.source import code_of_module
from cemrnn.training.recipe import Recipe

# What computes results, beside the figure's own folder.
ROOMS = (
    "config.py", "random.py", "system", "tasks", "network", "measures", "training", "dynamics", "store", "sweep",
    "figures/shared",
)  # fmt: skip


def experiment(
    run: Callable[[Any], tuple[Tables, Scalars]], where: Callable[[], str] = str, measured: str = "$^"
) -> Callable[[Any], Result]:
    """The experiment of a figure, config -> Result, which looks up what it has computed before.

    Args:
        run: config -> tables and scalars, in the module `<stem>.experiment`.
        where: tells the machine, if the result depends on it.
        measured: pattern of the names of scalars that do.
    """

    def conditions(config: Config) -> Iterable[Recipe]:
        return getattr(sys.modules[run.__module__], "conditions", lambda _: ())(config)

    def compute(config: Config) -> Result:
        started = time.monotonic()
        with threadpool_limits(1, user_api="blas"):  # matrices are small, and notebooks run side by side
            tables, scalars = run(config)
        return Result(
            stem=run.__module__.split(".")[-2],
            config=config,
            tables=tables,
            scalars=scalars | {FAILED: name_failed(conditions(config))},
            n_replicates=config.n_replicates,
            seconds=time.monotonic() - started,
            measured=tuple(name for name in scalars if re.match(measured, name)),
        )

    @functools.wraps(run)
    def look_up(config: Config) -> Result:
        folder = find_named("CEMRNN_RESULTS")
        if folder is None:
            return compute(config)
        path = folder / f"{result_key(run.__module__, config, where())}.json"
        if (document := recall(path)) is not None:
            return from_document(document, config)
        result = compute(config)
        keep(path, to_document(result))
        return result

    return look_up


def experiment_here(measured: str) -> Callable[[Callable], Callable[[Any], Result]]:
    """As `experiment`, for one that measures the machine: on another one it is computed again."""
    where = lambda: f"{describe_machine()}, {describe_gpu()}, {platform.node()}"  # noqa: E731
    return functools.partial(experiment, where=where, measured=measured)


def name_failed(conditions: Iterable[Recipe]) -> str:
    """Arms and models with networks whose loss was not finite, with their numbers: "plain (1 of 6)"; else "none"."""
    store, failed = Store.default(), {}
    for config in dict.fromkeys(conditions):
        network = store.load(config)
        failed.setdefault(config.network.arm, []).append(network is not None and network.status == "failed")
    named = [f"{arm} ({sum(of_arm)} of {len(of_arm)})" for arm, of_arm in failed.items() if any(of_arm)]
    return ", ".join(named) or NONE_FAILED


def result_key(experiment: str, config: Config, where: str = "") -> str:
    """Name of a result: a hash of experiment, config, code, torch's version, and the machine if it matters."""
    foreign = {arm: code for arm in ARMS if (code := foreign_code(arm))}
    parts = {
        "experiment": experiment,
        "config": config.to_dict(),
        "code": _code_digest(experiment),
        "torch": torch.__version__,
    }
    return digest(parts | ({"where": where} if where else {}) | ({"foreign": foreign} if foreign else {}))


def to_document(result: Result) -> dict[str, Any]:
    """All of a result but its config, for JSON."""
    tables = {name: table.to_dict(orient="list") for name, table in result.tables.items()}
    return {name: value for name, value in vars(result).items() if name != "config"} | {"tables": tables}


def from_document(document: dict[str, Any], config: Config) -> Result:
    """The result that `to_document` was given."""
    tables = {name: pd.DataFrame(table) for name, table in document["tables"].items()}
    return Result(config=config, **document | {"tables": tables, "measured": tuple(document["measured"])})


@functools.cache
def _code_digest(experiment: str) -> str:
    """Hash of the rooms, of all beside the experiment but its plot, and of what a figure of one's own imports."""
    folder = Path(sys.modules[experiment].__file__).parent
    own = [path for path in folder.glob("*.py") if path.name != "plot.py"]
    imported = code_of_module(sys.modules[experiment])
    return digest([fingerprint([*ROOMS, *own]), imported]) if imported else fingerprint([*ROOMS, *own])
