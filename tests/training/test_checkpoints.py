"""Checkpoints: every damage is found and set aside, and what a killed process left resumes."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from cemrnn.system.files import read_sealed, write_sealed
from cemrnn.training.learner import Learner
from cemrnn.training.train import TrainingInterrupted, resume, train
from tests.networks import flats, small_config

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory):
    """Configs of two networks, and the content of the checkpoint that an interrupt after update 5 left of them."""
    configs, checkpoint = tiny_configs(), tmp_path_factory.mktemp("left") / "state.checkpoint"
    with pytest.raises(TrainingInterrupted):
        train(configs, checkpoint=checkpoint, stop=iter([False] * 4 + [True]).__next__)
    return configs, checkpoint.read_bytes()


def tiny_configs():
    return [small_config(seed, n_units=2, n_updates=10, evaluate_every=5, target_score=None) for seed in range(2)]


def test_every_flipped_byte_and_every_length_of_a_checkpoint_is_found(tmp_path, left_behind):
    _, content = left_behind
    path = tmp_path / "state.checkpoint"
    path.write_bytes(content)
    assert read_sealed(path)[1]["n_updates"] == 5
    bits = np.random.default_rng(0).integers(0, 8, len(content))
    damages = [content[:length] for length in (0, 1, 63, 64, 65, len(content) - 1)] + [content + b"0"]
    for position, bit in enumerate(bits):
        damages.append(content[:position] + bytes([content[position] ^ (1 << bit)]) + content[position + 1 :])
    for damage in damages:
        path.write_bytes(damage)
        with pytest.raises(ValueError, match="checksum differs"):
            read_sealed(path)


def put(path, tensors, **changes):
    write_sealed(path, read_sealed(path)[0] | tensors, read_sealed(path)[1] | changes)


def flip(path, tensors, document):
    content = path.read_bytes()
    path.write_bytes(content[:700] + bytes([content[700] ^ 1]) + content[701:])


def write_nan(path, tensors, document):
    put(path, {"flat": tensors["flat"] * float("nan")})


def shorten_moments(path, tensors, document):
    put(path, {"second": tensors["second"][:, 1:]})


def forget(*names):
    def forget_names(path, tensors, document):
        write_sealed(path, {k: v for k, v in tensors.items() if k not in names}, document | dict.fromkeys(names))

    return forget_names


def empty(path, tensors, document):
    write_sealed(path, {}, {})


def list_document(path, tensors, document):
    write_sealed(path, tensors, [document])


def name_others(path, tensors, document):
    put(path, {}, networks="others")


def write_foreign(path, tensors, document):
    path.write_bytes(b"not a checkpoint")


def make_folder(path, tensors, document):
    path.unlink()
    path.mkdir()
    (path / "inside").touch()


def make_pipe(path, tensors, document):
    path.unlink()
    os.mkfifo(path)


DAMAGES = [flip, write_nan, shorten_moments, empty, list_document, name_others, write_foreign, make_folder, make_pipe]


@pytest.mark.parametrize("damage", [*DAMAGES, *map(forget, ("flat", "first", "streams", "history", "active"))])
def test_a_damaged_checkpoint_is_set_aside_and_training_starts_again(tmp_path, caplog, left_behind, damage):
    configs, content = left_behind
    path = tmp_path / "state.checkpoint"
    path.write_bytes(content)
    assert resume(configs, path).n_updates == 5
    damage(path, *read_sealed(path))
    networks = train(configs, checkpoint=path)
    assert torch.equal(flats(networks), flats(train(configs)))
    (line,) = caplog.messages
    assert line.startswith(f"checkpoint {path} is damaged (")
    assert line.endswith("training starts again") and "\n" not in line
    assert [other.suffix for other in tmp_path.iterdir()] == [".damaged"]


KILLED = """
    import sys
    from pathlib import Path
    from cemrnn.training import train as training
    from tests.networks import small_config

    training.CHECKPOINT_EVERY_S = 0.0
    configs = [small_config(seed, n_updates=4000, evaluate_every=50) for seed in range(2)]
    training.train(configs, checkpoint=Path(sys.argv[1]), report=lambda p: print(p.n_updates, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_a_checkpoint_that_resumes(tmp_path, number):
    checkpoint = tmp_path / "state.checkpoint"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(checkpoint)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=os.getcwd())
    assert process.stdout.readline().strip() == "50"
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    if number == signal.SIGINT:
        assert "run the same command to resume" in errors
    tensors, document = read_sealed(checkpoint)
    assert 49 <= document["n_updates"] < 4000  # the report of update 50 comes before its checkpoint
    configs = [small_config(seed, n_updates=4000, evaluate_every=50) for seed in range(2)]
    resumed, reference = Learner(configs, CPU), Learner(configs, CPU)
    resumed.restore(tensors, document)
    while reference.n_updates < resumed.n_updates:
        reference.update()
        if reference.n_updates % 50 == 0:
            reference.evaluate()
    torch.testing.assert_close(resumed.model.flat, reference.model.flat, rtol=0, atol=0)
