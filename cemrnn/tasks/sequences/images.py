"""Images as sequences, by rows or by pixels; each context may permute or rotate them. The test set is fixed once."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

from cemrnn.config import Config
from cemrnn.random import stream
from cemrnn.system.clone import find_clone, find_named
from cemrnn.system.files import read_tensors, write_tensors
from cemrnn.tasks.sequences.batch import Batch

N_CLASSES = 10
# Of all 70,000 images, by digit.
MNIST_COUNTS = (6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958)
SHARES = {"training": 0.6, "validation": 0.2}  # the rest is for the test; of digits
MNIST_TEST = 10_000  # the last ones, as everywhere
# Sums of all pixels, from 0 to 255, before and in the test: means of 33.318421449829934 and 33.791224489795916, which
# many have printed.
MNIST_SUMS = (1_567_298_545, 264_923_200)
PARTS = ("training", "validation", "test")


class Images(NamedTuple):
    """Pictures and what they show."""

    pixels: np.ndarray  # (n, height, width) float32 in [0, 1]
    labels: np.ndarray  # (n,) int64


@dataclass(frozen=True, kw_only=True)
class ImageSet(Config):
    """A task of image classification: which images, how they are read, and what a context does to them."""

    source: Literal["digits", "mnist"]
    scan: Literal["rows", "pixels"]
    n_contexts: int = 1  # K
    transform: Literal["none", "permute", "rotate"] = "none"  # of the pixels, another in each context
    shuffle_labels: bool = False  # of the training images: a control

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_contexts < 1 or (self.n_contexts > 1) != (self.transform != "none"):
            raise ValueError(f"n_contexts: expected 1 without a transform, else 2 or more; got {self.n_contexts}")

    @property
    def height_width(self) -> tuple[int, int]:
        """Of an image, in pixels."""
        return (8, 8) if self.source == "digits" else (28, 28)

    @property
    def n_steps(self) -> int:
        """T."""
        height, width = self.height_width
        return height if self.scan == "rows" else height * width

    @property
    def n_inputs(self) -> int:
        """I."""
        return self.height_width[1] if self.scan == "rows" else 1

    @property
    def n_outputs(self) -> int:
        """O."""
        return N_CLASSES

    @property
    def score_name(self) -> str:
        """Column of the history."""
        return "accuracy"

    def draw(self, seeds: Sequence[int], number: int, n_trials: int) -> Batch:
        """Training trials of the update of that number; contexts in turn, images at random.

        Args:
            seeds: one per network; the trials of a network depend on its seed and the number alone.
            number: updates so far.
            n_trials: B, per network.
        """
        pool = split_images(self.source)["training"]
        labels = self._shuffled(pool.labels)
        chosen = np.stack([_generator(seed, number).integers(0, len(labels), n_trials) for seed in seeds])
        context = (np.arange(n_trials) + number * n_trials) % self.n_contexts
        return self._arrange(pool.pixels, labels, chosen, np.broadcast_to(context, chosen.shape))

    def held_out(self, part: Literal["validation", "test"], n_images: int | None = None) -> Batch:
        """All images of a part, or the first of them, in every context; the same for all networks (M = 1)."""
        pool = split_images(self.source)[part]
        n_images = len(pool.labels) if n_images is None else min(n_images, len(pool.labels))
        chosen, context = np.meshgrid(np.arange(n_images), np.arange(self.n_contexts))
        return self._arrange(pool.pixels, pool.labels, chosen.reshape(1, -1), context.reshape(1, -1))

    def _shuffled(self, labels: np.ndarray) -> np.ndarray:
        return stream(0, "image labels").permutation(labels) if self.shuffle_labels else labels

    def _arrange(self, pixels: np.ndarray, labels: np.ndarray, chosen: np.ndarray, context: np.ndarray) -> Batch:
        n_networks, n_trials = chosen.shape
        flat = pixels.reshape(len(pixels), -1)[chosen]  # (M, B, pixel)
        if self.transform != "none":
            sources = pixel_sources(self.transform, self.n_contexts, self.height_width)[context]  # (M, B, pixel)
            padded = np.concatenate([flat, np.zeros_like(flat[..., :1])], axis=-1)  # -1 is the background
            flat = np.take_along_axis(padded, sources, axis=-1)
        steps = flat.reshape(n_networks, n_trials, self.n_steps, self.n_inputs)
        time_major = torch.from_numpy(np.ascontiguousarray(steps.swapaxes(1, 2)))  # the engine's layout
        return Batch(
            inputs=time_major.transpose(1, 2),
            targets=torch.from_numpy(labels[chosen])[..., None],
            context=torch.from_numpy(np.array(context)),
        )


def pixel_sources(transform: str, n_contexts: int, height_width: tuple[int, int]) -> np.ndarray:
    """For each context and pixel the pixel (K, pixel) that it is taken from; -1 for the background.

    Permutations are drawn once, and are the same for all networks; the first one changes nothing. Rotations are by
    2 pi k / K, to the nearest pixel.
    """
    height, width = height_width
    if transform == "permute":
        rows = [stream(0, "image permutation", str(k)).permutation(height * width) for k in range(n_contexts)]
        rows[0] = np.arange(height * width)
        return np.stack(rows)
    y, x = np.mgrid[:height, :width].reshape(2, -1) - np.array([[(height - 1) / 2], [(width - 1) / 2]])
    rows = []
    for angle in 2 * np.pi * np.arange(n_contexts) / n_contexts:
        row = np.rint(np.cos(angle) * y - np.sin(angle) * x + (height - 1) / 2).astype(int)
        column = np.rint(np.sin(angle) * y + np.cos(angle) * x + (width - 1) / 2).astype(int)
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        rows.append(np.where(inside, row * width + column, -1))
    return np.stack(rows)


@functools.cache
def split_images(source: str) -> dict[str, Images]:
    """Part -> its images; no image is in two parts, and the parts are always the same."""
    images = _load_digits() if source == "digits" else read_images(mnist_path(), MNIST_COUNTS)
    n = len(images.labels)
    if source == "digits":
        order, edges = stream(0, "image split").permutation(n), np.cumsum([round(s * n) for s in SHARES.values()])
    else:
        order, edges = np.arange(n), [n - 2 * MNIST_TEST, n - MNIST_TEST]
    return {
        part: Images(images.pixels[rows], images.labels[rows])
        for part, rows in zip(PARTS, np.split(order, edges), strict=True)
    }


def mnist_path() -> Path:
    """Where `cemrnn data mnist` puts the images: build/data, or the folder that CEMRNN_DATA names."""
    return (find_named("CEMRNN_DATA") or find_clone() / "build" / "data") / "mnist.safetensors"


def write_images(path: Path, pixels: np.ndarray, labels: np.ndarray) -> str:
    """Checksum of the images, which are written with it; the file appears whole or not at all.

    Args:
        path: where to.
        pixels: (n, height, width) uint8.
        labels: (n,) digits.
    """
    tensors = {"pixels": torch.from_numpy(pixels), "labels": torch.from_numpy(labels.astype(np.uint8))}
    checksum = _checksum(pixels, labels)
    write_tensors(path, tensors, {"checksum": checksum})
    return checksum


def read_images(path: Path, counts: Sequence[int]) -> Images:
    """The images in a file of `write_images`.

    Args:
        path: the file.
        counts: how many of each digit have to be there.

    Raises:
        ValueError: there is no such file, it is damaged, or holds other images.
    """
    try:
        tensors, document = read_tensors(path)
        pixels, labels = (tensors[name].numpy() for name in ("pixels", "labels"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no images there; `cemrnn data mnist` fetches them, with a connection") from None
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}: damaged ({error}); `cemrnn data mnist` fetches them again") from None
    if not isinstance(document, dict) or document.get("checksum") != _checksum(pixels, labels):
        raise ValueError(f"{path}: checksum differs; `cemrnn data mnist` fetches them again")
    check_images(pixels, labels, counts)
    return Images((pixels / np.float32(255)).astype(np.float32), labels.astype(np.int64))


def check_images(pixels: np.ndarray, labels: np.ndarray, counts: Sequence[int]) -> None:
    """Check that there are so many images of each digit.

    Raises:
        ValueError: there are not.
    """
    got = np.bincount(labels.astype(int), minlength=len(counts)).tolist()
    if len(pixels) != len(labels) or got != list(counts):
        raise ValueError(f"images: expected {sum(counts)} with {list(counts)} of each digit, got {len(pixels)}, {got}")


def check_mnist(pixels: np.ndarray, labels: np.ndarray) -> None:
    """Check that there are as many images of each digit as in MNIST, and that the pixels of either part have its sum.

    Raises:
        ValueError: it is something else.
    """
    check_images(pixels, labels, MNIST_COUNTS)
    sums = tuple(int(part.sum(dtype=np.int64)) for part in (pixels[:-MNIST_TEST], pixels[-MNIST_TEST:]))
    if sums != MNIST_SUMS:
        raise ValueError(f"images: expected pixels that add up to {MNIST_SUMS} before and in the test, got {sums}")


def _checksum(pixels: np.ndarray, labels: np.ndarray) -> str:
    content = np.ascontiguousarray(pixels, np.uint8).tobytes() + np.ascontiguousarray(labels, np.uint8).tobytes()
    return hashlib.sha256(content).hexdigest()


def _load_digits() -> Images:
    """The 1,797 images of 8 x 8 pixels that come with scikit-learn."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Images((digits.images / 16).astype(np.float32), digits.target.astype(np.int64))


def _generator(seed: int, number: int) -> np.random.Generator:
    return stream(seed, "sequences", str(number))
