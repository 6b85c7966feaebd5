"""The command `cemrnn sweep`: train what a profile lacks."""

from __future__ import annotations

import click

from cemrnn.commands.common import PROFILE, experiment_config, user_mistakes
from cemrnn.reproduce.project import Project


@click.command()
@PROFILE
def sweep(profile: str) -> None:
    """Train the networks that a profile lacks.

    An interrupted sweep loses at most the time since its last checkpoint: run the same command again.
    """
    from cemrnn.experiments import EXPERIMENTS
    from cemrnn.reproduce.progress import TrainingProgress
    from cemrnn.store import Store
    from cemrnn.sweep import train_missing
    from cemrnn.training import TrainingInterrupted

    project = Project()
    needed: dict[str, list] = {}
    with user_mistakes():
        for stem in project.stems():
            config = experiment_config(project, stem, profile)
            needed.setdefault(config.device, []).extend(EXPERIMENTS[stem].conditions(config))
    progress = TrainingProgress()
    try:
        n_trained = sum(
            train_missing(configs, Store.default(), device=device, report=progress)
            for device, configs in needed.items()
        )
    except TrainingInterrupted as error:
        raise click.ClickException(str(error)) from None
    finally:
        progress.close()
    click.echo(f"training: {n_trained} networks trained, the others were in the store")
