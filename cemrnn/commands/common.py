"""What several commands share: the option --profile, settings of an experiment, mistakes shown as one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from cemrnn.config import Config
from cemrnn.reproduce.project import Project

PROFILE = click.option(
    "--profile", default="quick", show_default=True, help="File of sizes: notebooks/params/<profile>.yml."
)


def experiment_config(project: Project, stem: str, profile: str) -> Config:
    """Settings of the experiment STEM at a profile."""
    from cemrnn.reproduce.settings import make_config

    return make_config(project, stem, profile)


@contextlib.contextmanager
def user_mistakes() -> Iterator[None]:
    """Show a ValueError about names and values as one line, without a traceback."""
    try:
        yield
    except ValueError as error:
        raise click.ClickException(str(error)) from None
