"""What several commands share: the option --profile, mistakes shown as one line."""

from __future__ import annotations

import errno
import os

import click

from cemrnn.reproduce.project import Project


class Commands(click.Group):
    """Commands whose errors are one line; with CEMRNN_DEBUG=1 Python's own traceback says where they come from."""

    def invoke(self, ctx: click.Context):
        """What the command gives.

        Raises:
            click.ClickException: in place of what a value, a file or a run that ended early raises.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            known = isinstance(error, ValueError | OSError | RuntimeError) or type(error).__module__.startswith(
                "cemrnn."
            )
            if not known or getattr(error, "errno", None) == errno.EPIPE or os.environ.get("CEMRNN_DEBUG"):
                raise
            raise click.ClickException(describe_error(error)) from None


def describe_error(error: Exception) -> str:
    """An error in words; one of the disk names the file first."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    disk = Project().explain_disk(str(error)) if isinstance(error, OSError) else ""
    return disk or str(error) or type(error).__name__


def _check_profile(ctx: click.Context, option: click.Parameter, name: str) -> str:
    Project().profile(name)
    return name


PROFILE = click.option(
    "--profile", default="quick", show_default=True, callback=_check_profile,
    help="File of sizes: notebooks/params/<profile>.yml.",
)  # fmt: skip
