"""A sweep in a process of its own, for tests that kill it: python -m tests.sweeping STORE [options]."""

import argparse
import json
import os
import resource
import signal
import sys
from pathlib import Path

from cemrnn.store.store import Store
from cemrnn.sweep import cluster, workers
from cemrnn.sweep.jobs import keep_missing, split_jobs, take_shard
from cemrnn.sweep.run import SweepError, run_here, run_jobs
from cemrnn.training import train as train_module
from tests.networks import small_config


def configs(n_updates, *, with_failing=False):
    """Two shapes of five networks, a job each."""
    shapes = [
        small_config(seed, n_units=n_units, n_updates=n_updates, evaluate_every=5, target_score=None)
        for n_units in (8, 9)
        for seed in range(5)
    ]
    return shapes + [small_config(99, batch_trials=10**13)] * with_failing  # more trials than memory


def die(*arguments):
    os._exit(7)


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--scheduler-file", type=Path)
    parser.add_argument("--shard", nargs=2, type=int)
    parser.add_argument("--backwards", action="store_true")
    parser.add_argument("--with-failing", action="store_true")
    parser.add_argument("--largest-file", type=int, help="bytes; stands for a disk that is full")
    parser.add_argument("--user", type=int, help="become this user once everything is loaded")
    parser.add_argument("--broken-workers", action="store_true", help="that die at once")
    parser.add_argument("--bound", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="another one")
    options = parser.parse_args(arguments)
    for name, value in options.bound:
        for module in (workers, cluster):
            setattr(module, name, json.loads(value))
    if options.broken_workers:
        workers.serve = die
    if options.largest_file:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.largest_file,) * 2)
    if options.user:
        os.setuid(options.user)
    train_module.CHECKPOINT_EVERY_S = 0.2
    store = Store(options.store)
    jobs = split_jobs(configs(options.updates, with_failing=options.with_failing))
    jobs = take_shard(jobs, *options.shard) if options.shard else jobs
    jobs = keep_missing(jobs[::-1] if options.backwards else jobs, store)
    execute = run_here(store, "cpu")
    if options.workers:
        execute = workers.run_on_workers(["cpu"] * options.workers, store)
    if options.scheduler_file:
        execute = cluster.run_on_cluster(options.scheduler_file, store)
    try:
        n_trained = run_jobs(jobs, execute, store, lambda p: print("progress", p.n_done, p.label, flush=True))
    except (SweepError, train_module.TrainingInterrupted) as error:
        sys.exit(f"Error: {error}")
    print("trained", n_trained, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
