"""Images as sequences: on the digits that come with scikit-learn, and on small files made here."""

import http.client
import re
import urllib.error
import zlib

import click
import numpy as np
import pytest
from click.testing import CliRunner

from cemrnn.commands.data import fetch_pictures
from cemrnn.commands.main import main
from cemrnn.tasks.sequences import ImageSet
from cemrnn.tasks.sequences.images import (
    MNIST_COUNTS,
    MNIST_SUMS,
    MNIST_TEST,
    check_images,
    pixel_sources,
    read_images,
    split_images,
    write_images,
)

COUNTS = (2, 1, 1)
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
LABELS = np.array([0, 2, 0, 1])


@pytest.fixture
def path(tmp_path):
    write_images(tmp_path / "images.safetensors", PIXELS, LABELS)
    return tmp_path / "images.safetensors"


@pytest.mark.parametrize(("scan", "n_steps", "n_inputs"), [("rows", 8, 8), ("pixels", 64, 1)])
def test_shapes_are_those_documented(scan, n_steps, n_inputs):
    batch = ImageSet(source="digits", scan=scan).draw([1, 2], 0, 5)
    assert batch.inputs.shape == (2, 5, n_steps, n_inputs)
    assert batch.targets.shape == (2, 5, 1)
    assert batch.context.shape == (2, 5)
    assert batch.inputs.transpose(1, 2).is_contiguous()


def test_rows_and_pixels_are_the_same_images():
    rows, pixels = (ImageSet(source="digits", scan=scan).draw([1], 3, 7) for scan in ("rows", "pixels"))
    assert (rows.inputs.flatten(2) == pixels.inputs.flatten(2)).all()
    pool = split_images("digits")["training"]
    for image, label in zip(rows.inputs[0].numpy(), rows.targets[0, :, 0].numpy(), strict=True):
        assert ((pool.pixels == image).all((1, 2)) & (pool.labels == label)).any()


def test_no_image_is_in_two_parts_and_all_are_in_one():
    parts = split_images("digits")
    images = [image.tobytes() for part in parts.values() for image in part.pixels]
    assert len(images) == 1797 == len(set(images))
    assert {part: len(x.labels) for part, x in parts.items()} == {"training": 1078, "validation": 359, "test": 360}
    again = split_images.__wrapped__("digits")
    assert all((again[part].labels == parts[part].labels).all() for part in parts)


def test_trials_depend_on_seed_and_number_alone():
    data = ImageSet(source="digits", scan="rows", n_contexts=3, transform="permute")
    both, alone = data.draw([4, 9], 5, 6), data.draw([9], 5, 6)
    assert (both.inputs[1] == alone.inputs[0]).all() and (both.targets[1] == alone.targets[0]).all()
    assert (data.draw([9], 6, 6).inputs != alone.inputs).any()
    numbers = [data.draw([9], n, 4).context[0].tolist() for n in range(3)]
    assert sum(numbers, []) == [k % 3 for k in range(12)]  # contexts in turn, over updates


def test_permutations_move_pixels_and_the_first_does_nothing():
    sources = pixel_sources("permute", 3, (8, 8))
    assert (sources[0] == np.arange(64)).all()
    assert all(sorted(row) == list(range(64)) for row in sources)
    assert (sources[1] != sources[2]).any()
    assert (pixel_sources("permute", 5, (8, 8))[:3] == sources).all()  # more contexts change none of them


def test_rotations_by_a_quarter_are_exact():
    image = np.arange(64).reshape(8, 8)
    padded = np.append(image.ravel(), 0)
    turned = padded[pixel_sources("rotate", 4, (8, 8))].reshape(4, 8, 8)
    assert any((turned[1] == np.rot90(image, k)).all() for k in (1, 3))
    assert (turned[2] == np.rot90(image, 2)).all()


def test_held_out_images_come_in_every_context():
    batch = ImageSet(source="digits", scan="rows", n_contexts=2, transform="permute").held_out("test", 10)
    assert batch.inputs.shape == (1, 20, 8, 8)
    assert batch.context[0].tolist() == [0] * 10 + [1] * 10
    assert (batch.targets[0, :10] == batch.targets[0, 10:]).all()


def test_shuffled_labels_are_as_many_of_each_digit():
    pool = split_images("digits")["training"].labels
    shuffled = ImageSet(source="digits", scan="rows", shuffle_labels=True)._shuffled(pool)
    assert (np.bincount(shuffled) == np.bincount(pool)).all()
    assert (shuffled == pool).mean() < 0.2


@pytest.mark.parametrize("change", [dict(n_contexts=2), dict(transform="rotate"), dict(n_contexts=0)])
def test_contexts_need_a_transform_and_a_transform_contexts(change):
    with pytest.raises(ValueError, match="n_contexts: expected 1 without a transform, else 2 or more"):
        ImageSet(source="digits", scan="rows", **change)


def test_written_images_are_read_back(path):
    images = read_images(path, COUNTS)
    np.testing.assert_array_equal(images.pixels, (PIXELS / np.float32(255)).astype(np.float32))
    assert images.labels.tolist() == LABELS.tolist()


def test_a_truncated_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged .* `cemrnn data mnist` fetches them again"):
        read_images(path, COUNTS)


def test_a_changed_file_is_refused(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checksum differs"):
        read_images(path, COUNTS)


def test_other_images_are_refused(path):
    with pytest.raises(ValueError, match="expected 5 with .* got 4"):
        read_images(path, (3, 1, 1))
    with pytest.raises(ValueError, match="images: expected"):
        check_images(PIXELS[:2], LABELS, COUNTS)


def test_without_a_file_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMRNN_DATA", str(tmp_path))
    split_images.cache_clear()
    with pytest.raises(ValueError, match="no images there; `cemrnn data mnist` fetches them"):
        ImageSet(source="mnist", scan="rows").held_out("test", 3)


def fail(error):
    raise error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("offline"),
        EOFError("ended early"),
        ValueError("md5 differs"),
        zlib.error("invalid block type"),
        http.client.IncompleteRead(b"half"),
    ],
)
def test_a_download_that_fails_says_what_to_do(error):
    message = f"{re.escape(str(error))}.*Run the same command again.*source=digits"
    with pytest.raises(click.ClickException, match=message):
        fetch_pictures(lambda: fail(error))


def cut_off(_):
    """In place of urlopen: no connection."""
    raise urllib.error.URLError("no connection here")


def test_without_a_connection_it_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, recwarn):
    monkeypatch.setenv("CEMRNN_DATA", str(tmp_path))
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn"))
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", cut_off)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    outcome = CliRunner().invoke(main, ["data", "mnist"])
    assert outcome.exit_code == 1
    assert re.fullmatch("Error: MNIST did not arrive .URLError: .*no connection here.*\n", outcome.output)
    assert not list(tmp_path.iterdir()) and not recwarn.list


def make_mnist():
    """Pixels (n, 784) and labels (n,) of text, with the counts and sums of MNIST and nothing else of it."""
    labels = np.repeat(np.arange(10), MNIST_COUNTS).astype(str)
    pixels = np.zeros((len(labels), 784), np.uint8)
    for part, total in zip((pixels[:-MNIST_TEST], pixels[-MNIST_TEST:]), MNIST_SUMS, strict=True):
        level, rest = divmod(total, part.size)
        part.reshape(-1)[:] = level
        part.reshape(-1)[:rest] += 1
    return pixels, labels


def call_mnist(monkeypatch, fetch):
    monkeypatch.setattr("cemrnn.commands.data._fetch_openml", fetch)
    return CliRunner().invoke(main, ["data", "mnist"])


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMRNN_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_the_command_writes_once_and_fetches_again_what_is_damaged(data_folder, monkeypatch):
    pictures = make_mnist()
    assert "sha256" in call_mnist(monkeypatch, lambda folder: pictures).output
    assert "MNIST is there" in call_mnist(monkeypatch, lambda folder: fail(AssertionError)).output
    assert [path.name for path in data_folder.iterdir()] == ["mnist.safetensors"]
    content = (data_folder / "mnist.safetensors").read_bytes()
    (data_folder / "mnist.safetensors").write_bytes(content[: len(content) // 2])
    outcome = call_mnist(monkeypatch, lambda folder: fail(EOFError("ended early")))
    assert outcome.exit_code == 1 and "damaged" in outcome.output and "did not arrive" in outcome.output
    outcome = call_mnist(monkeypatch, lambda folder: pictures)
    assert outcome.exit_code == 0 and "damaged" in outcome.output
    assert (data_folder / "mnist.safetensors").read_bytes() == content


def test_other_pictures_are_not_taken_for_mnist(data_folder, monkeypatch):
    pixels, labels = make_mnist()
    swapped = pixels.copy()
    swapped[[0, -1]] = pixels[[-1, 0]]  # one image of the test among those for training
    for others in ((pixels[1:], labels[1:]), (np.zeros_like(pixels), labels), (swapped, labels)):
        outcome = call_mnist(monkeypatch, lambda folder, others=others: others)
        assert outcome.exit_code == 1 and "what came is not MNIST" in outcome.output
        assert not list(data_folder.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CEMRNN_DATA", str(tmp_path / "file" / "data"))
    outcome = call_mnist(monkeypatch, lambda folder: fail(AssertionError))
    assert outcome.exit_code == 1
    assert "cannot be kept in" in outcome.output and "CEMRNN_DATA names another folder" in outcome.output
