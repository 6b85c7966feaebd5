"""What several commands share: the option --profile, mistakes shown as one line."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import click

from cemrnn.reproduce.project import Project


class Text(click.ParamType):
    """Any text but an empty one, which is what a variable that is not set gives."""

    name = "text"

    def __init__(self, expected: str) -> None:
        self.expected = expected

    def convert(self, value, param, ctx):
        """The text."""
        if not value.strip():
            self.fail(f"expected {self.expected}, got {value!r}", param, ctx)
        return value


class Place(Text):
    """A path; an empty one would be the current folder."""

    name = "path"

    def convert(self, value, param, ctx):
        """The path."""
        return value if isinstance(value, Path) else Path(super().convert(value, param, ctx))


class Number(click.FloatRange):
    """A finite number in a range."""

    def convert(self, value, param, ctx):
        """The number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"expected a finite number, got {value}", param, ctx)
        return number


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
