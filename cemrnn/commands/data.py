"""The command `cemrnn data`: images that do not come with the packages."""

from __future__ import annotations

import http.client
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

# What a transfer was seen to raise, or can: no connection or no room (OSError), an end that came early, other content.
NO_ARRIVAL = (OSError, ValueError, EOFError, LookupError, http.client.HTTPException, zlib.error)


@click.group()
def data() -> None:
    """Fetch data that do not come with the packages; they are kept in build/data, or where CEMRNN_DATA says."""


@data.command()
def mnist() -> None:
    """Fetch MNIST from OpenML through scikit-learn, once: 70,000 images of handwritten digits, 55 MB when kept.

    Scikit-learn compares what it gets with the checksum that OpenML names. The numbers of each digit and the sums of
    the pixels are compared with those that are known, and a checksum of our own is written along and compared whenever
    the images are read. Images that are found damaged are fetched again.
    """
    from cemrnn.tasks.sequences.images import check_mnist, mnist_path, write_images

    path = mnist_path()
    try:
        if _is_whole(path):
            click.echo(f"MNIST is there: {path}")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".openml-", dir=path.parent) as folder:
            pixels, labels = fetch_pictures(lambda: _fetch_openml(Path(folder)))
        check_mnist(pixels, labels)
        click.echo(f"MNIST: {path}, sha256 {write_images(path, pixels, labels)}")
    except ValueError as error:
        raise click.ClickException(f"what came is not MNIST: {error}") from None
    except OSError as error:
        raise click.ClickException(f"MNIST cannot be kept in {path.parent} ({error}); CEMRNN_DATA names another folder"
                                   ) from None  # fmt: skip


def _is_whole(path: Path) -> bool:
    """Whether MNIST is there; a line says so if it is damaged."""
    from cemrnn.tasks.sequences.images import MNIST_COUNTS, read_images

    if not path.exists():
        return False
    try:
        read_images(path, MNIST_COUNTS)
    except ValueError as error:
        click.echo(str(error), err=True)
        return False
    return True


def fetch_pictures(fetch: Callable[[], tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 28, 28) uint8 and labels (n,) of what `fetch` gets as (n, 784) and (n,).

    Raises:
        click.ClickException: it got nothing, or only a part; the message says what to do.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns at each of its retries; the last failure is told below
            pixels, labels = fetch()
        return np.asarray(pixels, np.uint8).reshape(-1, 28, 28), np.asarray(labels).astype(np.uint8)
    except NO_ARRIVAL as error:
        raise click.ClickException(
            f"MNIST did not arrive ({type(error).__name__}: {error}). Run the same command again with a connection to "
            "openml.org; or leave source=digits, which needs none."
        ) from None


def _fetch_openml(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels; the folder holds what is transferred, in place of scikit-learn's own in the home folder."""
    from sklearn.datasets import fetch_openml

    options = dict(as_frame=False, parser="liac-arff", return_X_y=True)
    return fetch_openml("mnist_784", version=1, data_home=folder, **options)
