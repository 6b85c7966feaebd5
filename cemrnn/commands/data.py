"""The command `cemrnn data`: images that do not come with the packages."""

from __future__ import annotations

from collections.abc import Callable

import click
import numpy as np


@click.group()
def data() -> None:
    """Fetch data that do not come with the packages; they are kept in build/data, or where CEMRNN_DATA says."""


@data.command()
def mnist() -> None:
    """Fetch MNIST from OpenML through scikit-learn, once: 70,000 images of handwritten digits, 11 MB.

    Scikit-learn compares what it gets with the checksum that OpenML names. The numbers of each digit are compared with
    those that are known, and a checksum of our own is written along and compared whenever the images are read.
    """
    from cemrnn.sequences.images import MNIST_COUNTS, check_images, mnist_path, read_images, write_images

    path = mnist_path()
    if path.exists():
        try:
            read_images(path, MNIST_COUNTS)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"MNIST is there: {path}")
        return
    pixels, labels = fetch_pictures(_fetch_openml)
    try:
        check_images(pixels, labels, MNIST_COUNTS)
    except ValueError as error:
        raise click.ClickException(f"what came is not MNIST: {error}") from None
    click.echo(f"MNIST: {path}, sha256 {write_images(path, pixels, labels)}")


def fetch_pictures(fetch: Callable[[], tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 28, 28) uint8 and labels (n,) of what `fetch` gets as (n, 784) and (n,).

    Raises:
        click.ClickException: it got nothing, or only a part; the message says what to do.
    """
    try:
        pixels, labels = fetch()
        return np.asarray(pixels, np.uint8).reshape(-1, 28, 28), np.asarray(labels).astype(np.uint8)
    except (OSError, ValueError, EOFError) as error:  # no connection, a transfer that ended early, another content
        raise click.ClickException(
            f"MNIST did not arrive ({type(error).__name__}: {error}). Run the same command again with a connection to "
            "api.openml.org; or leave source=digits, which needs none."
        ) from None


def _fetch_openml() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import fetch_openml

    return fetch_openml("mnist_784", version=1, as_frame=False, parser="liac-arff", return_X_y=True)
