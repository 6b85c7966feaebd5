"""The command `cemrnn sweep`: train what a profile lacks, here, on local workers, on a cluster, or a share of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from cemrnn.commands.common import PROFILE, Place, Text
from cemrnn.reproduce.project import Project
from cemrnn.system.interrupts import ending_at_once
from cemrnn.system.resources import count_cores

if TYPE_CHECKING:
    from cemrnn.config import Config
    from cemrnn.reproduce.run_progress import RunProgress

# Work, about half a minute of one core, below which starting worker processes costs more than it gains, and timing
# updates to say how long it takes more than it tells.
LITTLE_WORK = 8e11
INTERRUPTED = "interrupted: what is finished is kept; run the same command to resume"


class Shard(click.ParamType):
    """i/n as two numbers."""

    name = "i/n"

    def convert(self, value, param, ctx):
        """(i, n)."""
        try:
            index, count = map(int, value.split("/"))
        except ValueError:
            self.fail(f"expected two numbers as in 2/8, got {value!r}", param, ctx)
        if count < 1:
            self.fail(f"expected 1/n to n/n with a number n of shares, 1 or more, got {value!r}", param, ctx)
        if not 1 <= index <= count:
            self.fail(f"expected 1/{count} to {count}/{count}, got {value!r}", param, ctx)
        return index, count


@click.command()
@PROFILE
@click.option("--dry-run", is_flag=True, help="Say what is missing and what it will cost, and train nothing.")
@click.option(
    "--details", is_flag=True, help="With --dry-run: a line for every shape of network, not for every figure."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Local processes; 1 trains in this one, with all its threads. Default: one per core if there is enough to do. "
    "Each CUDA card takes the place of a core.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    type=Text("an address such as tcp://node1:8786"),
    help="Dask scheduler to send the work to, e.g. tcp://node1:8786.",
)
@click.option(
    "--scheduler-file", type=Place("the file of a scheduler"), help="File that the Dask scheduler wrote its address to."
)
@click.option("--shard", type=Shard(), help="Do the i-th of n shares, without a scheduler.")
def sweep(profile, dry_run, details, workers, scheduler, scheduler_file, shard) -> None:
    """Train the networks that a profile lacks.

    Networks go to the store (build/store, or what CEMRNN_STORE names) and are the same however they are trained.
    Whatever ends a sweep, the same command does the rest: finished networks are kept, and training goes on from
    checkpoints that are at most 30 s old. Several sweeps may share a store; no network is trained twice.

    \b
    One machine:          cemrnn sweep --profile quick
    What would it cost?   cemrnn sweep --profile full --dry-run
    A Dask cluster:       cemrnn sweep --profile full --scheduler-file /shared/scheduler.json
    Four machines, alone: cemrnn sweep --profile full --shard 2/4     (on the second)
    """
    if sum(option is not None for option in (workers, scheduler, scheduler_file)) > 1:
        raise click.UsageError("--workers, --scheduler and --scheduler-file: expected at most one of them")
    if details and not dry_run:
        raise click.UsageError("--details: expected --dry-run with it")
    with ending_at_once(f"Error: {INTERRUPTED}"):
        if place := scheduler or scheduler_file:  # before the networks are counted, which takes seconds
            from cemrnn.sweep.cluster import find_scheduler

            scheduler = find_scheduler(place)
        from cemrnn.store.store import Store
        from cemrnn.sweep.jobs import announce, keep_missing, split_jobs, take_shard

        store = Store.default()
        needed, figures = collect_configs(profile)
        jobs = {device: split_jobs(configs) for device, configs in needed.items()}
        if shard is not None:
            jobs = {device: take_shard(part, *shard) for device, part in jobs.items()}
        missing = {device: keep_missing(part, store) for device, part in jobs.items()}
        everything, lacking = (sum(parts.values(), start=[]) for parts in (jobs, missing))
        if dry_run:
            _tell_cost(everything, lacking, workers or count_cores(), figures, details)
            return
        click.echo(announce(lacking, [], sum(len(job.configs) for job in everything), 1))
        with _sweep_mistakes():
            execute = {
                device: _choose_executor(part, store, device, workers, scheduler) for device, part in missing.items()
            }
    with _sweep_mistakes():
        _train(missing, execute, store)


def _tell_cost(everything, lacking, n_cores, figures, details) -> None:
    from cemrnn.commands.costs import compare_with_gpu, count_costs, tabulate_costs
    from cemrnn.sweep.cost import estimate_seconds
    from cemrnn.sweep.jobs import announce, tabulate
    from cemrnn.system.machine import describe_gpu

    if lacking:
        click.echo("timing some updates; the first time, kernels are compiled for two or three minutes", err=True)
    seconds, gpu = estimate_seconds([job.configs for job in lacking]), describe_gpu()
    if details:
        click.echo(tabulate(everything, lacking, seconds, lambda config: config.label))
    else:
        compare = None if gpu == "none" else compare_with_gpu
        costs = count_costs(figures, everything, lacking, seconds, compare)
        click.echo(tabulate_costs(costs, n_cores, gpu))
    click.echo(announce(lacking, seconds, sum(len(job.configs) for job in everything), n_cores))


def collect_configs(profile: str) -> tuple[dict[str, list], dict]:
    """Device -> networks that the notebooks of a profile need, and network -> the first figure that needs it."""
    from cemrnn.figures import load_experiment
    from cemrnn.reproduce.settings import make_config

    project, needed, figures = Project(), {}, {}
    for stem in project.stems():
        config = make_config(project, stem, profile)
        device = _place(config.device)
        networks = load_experiment(stem).conditions(config)
        needed.setdefault(device, []).extend(networks)
        figures = dict.fromkeys(networks, stem) | figures
    return needed, figures


def _place(device: str) -> str:
    """The device that settings ask for; "auto" is "cpu" where there is no card."""
    from cemrnn.training.learner import choose_device

    return "cpu" if choose_device(device).type == "cpu" else device


def train_figure(stem: str, config: Config, progress: RunProgress) -> None:
    """Train the networks that a figure needs and the store lacks, by the rules of a sweep, and show how far it is.

    Args:
        stem: name of the figure.
        config: its settings.
        progress: of the run that is to come; it is silent meanwhile.
    """
    from cemrnn.figures import load_experiment
    from cemrnn.store.store import Store
    from cemrnn.sweep.jobs import announce, keep_missing, split_jobs

    store, jobs = Store.default(), split_jobs(load_experiment(stem).conditions(config))
    if lacking := keep_missing(jobs, store):
        progress.doing = ""
        click.echo(announce(lacking, [], sum(len(job.configs) for job in jobs), 1), err=True)
        device = _place(config.device)
        with ending_at_once(f"Error: {INTERRUPTED}"), _sweep_mistakes():
            execute = {device: _choose_executor(lacking, store, device, None, None)}
        with _sweep_mistakes():
            _train({device: lacking}, execute, store)


def _choose_executor(missing, store, device, workers, scheduler):
    """What trains. One-thread workers beat threads within an ensemble once they are started."""
    from cemrnn.sweep.run import run_here

    if scheduler and missing and device != "cuda":
        from cemrnn.sweep.cluster import run_on_cluster

        return run_on_cluster(scheduler, store)
    n_workers = workers or min(count_cores(), len(missing))
    if n_workers <= 1 or (not workers and sum(job.work for job in missing) <= LITTLE_WORK):
        return run_here(store, device)
    from cemrnn.sweep.places import list_places
    from cemrnn.sweep.workers import run_on_workers

    return run_on_workers(list_places(device, n_workers), store)


def _train(missing, execute, store) -> None:
    from cemrnn.sweep.progress import TrainingProgress
    from cemrnn.sweep.run import run_jobs

    progress, n_trained = TrainingProgress(), 0
    try:
        for device, jobs in missing.items():
            n_trained += run_jobs(jobs, execute[device], store, progress)
    finally:
        progress.close()
    click.echo(f"training: {n_trained} networks trained, the others were in the store")
    _tell_failed(missing, store)


def _tell_failed(trained, store) -> None:
    from cemrnn.training.learner import FAILED

    networks = [store.load(config) for jobs in trained.values() for job in jobs for config in job.configs]
    if n_failed := sum(network is not None and network.status == FAILED for network in networks):
        told = "their loss or weights were not finite; cemrnn store ls --status failed lists them"
        click.echo(f"{n_failed} of them failed: {told}")


@contextlib.contextmanager
def _sweep_mistakes():
    """Say in one line how to go on after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.ClickException(INTERRUPTED) from None
