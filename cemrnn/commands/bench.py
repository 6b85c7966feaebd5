"""The command `cemrnn bench`: speed on this machine, against others' ways to do the same."""

from __future__ import annotations

from pathlib import Path

import click

from cemrnn.commands.common import Number, Text
from cemrnn.reproduce.project import Project

KEPT_BENCH = Path("book") / "reference" / "bench"
TOPIC_NAMES = ("engine", "trials", "fixed_points", "sweeps", "gpu", "play")


@click.command()
@click.option("--topic", "names", type=click.Choice(TOPIC_NAMES), multiple=True, help="Only this; repeatable.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1), help="Turns that everybody takes.")
@click.option(
    "--seconds", default=0.1, show_default=True, type=Number(0, min_open=True), help="Least length of a turn."
)
@click.option(
    "--pip-arg",
    "pip_arguments",
    type=Text("an argument"),
    multiple=True,
    help="For pip, to make a peer's environment; repeatable.",
)
@click.option("--keep", is_flag=True, help="Measure nothing; keep what was, for books of machines that have not.")
def bench(names: tuple[str, ...], repeats: int, seconds: float, pip_arguments: tuple[str, ...], keep: bool) -> None:
    """Measure speed against named peers on this machine; results go to build/bench/<topic>.json.

    \b
    engine        one update of an ensemble, against a loop, torch.nn.RNN, JAX and the products alone
    trials        drawing trials, against NeuroGym and a generator of single trials
    fixed_points  fixed points of known and random networks, against Adam on all starts
    sweeps        efficiency of one worker and of two
    gpu           one update on a CUDA card, against its batched products, other back ends and cuDNN
    play          frames of the live model in Chromium while a slider moves, against 30 a second

    Let the machine be quiet. Peers with packages of their own get an environment in build/bench on the first run.
    """
    from cemrnn.bench.rows import Bench
    from cemrnn.bench.topics import run_topic

    project = Project()
    project.stems()  # refused elsewhere than in a clone
    folder = project.build / "bench"
    if keep:
        from cemrnn.bench.page import keep_bench

        click.echo(f"kept in {KEPT_BENCH}: {', '.join(keep_bench(folder, project.root / KEPT_BENCH)) or 'nothing'}")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or TOPIC_NAMES:
        click.echo(f"[{name}]")
        run_topic(name, Bench(folder, repeats, seconds, click.echo, pip_arguments))
