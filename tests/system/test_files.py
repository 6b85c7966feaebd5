"""Files appear whole or not at all, errors name the path, and reading tensors raises nothing but ValueError."""

import errno
import os
import socket
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cemrnn.system import files
from cemrnn.system.files import (
    is_leftover,
    naming,
    new_temporary_name,
    pack_tensors,
    read_tensors,
    sync_folder,
    unpack_tensors,
    write_bytes,
    write_tensors,
)
from tests.children import run_child

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, -2]), "none": torch.zeros(0, 3)}
DOCUMENT = {"step": 3, "rows": [1.5, None, "text"]}
names = st.text(st.characters(codec="ascii", min_codepoint=97, max_codepoint=122), min_size=1, max_size=5)
shapes = st.lists(st.integers(0, 4), max_size=3)
dtypes = st.sampled_from([torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool])


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(names, st.tuples(shapes, dtypes), max_size=4), st.recursive(st.none() | st.text(), st.lists))
def test_tensors_and_document_come_back(kinds, document):
    tensors = {name: torch.randint(0, 2, shape).to(dtype) for name, (shape, dtype) in kinds.items()}
    again, text = unpack_tensors(pack_tensors(tensors, document))
    assert text == document
    assert again.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(again[name], tensor)
        assert again[name].dtype == tensor.dtype


def test_the_same_content_gives_the_same_bytes():
    swapped = dict(reversed(DOCUMENT.items()))
    assert pack_tensors(TENSORS, DOCUMENT) == pack_tensors(dict(reversed(TENSORS.items())), swapped)


def test_a_file_of_tensors_comes_back(tmp_path):
    write_tensors(tmp_path / "new" / "state", TENSORS, DOCUMENT)
    tensors, document = read_tensors(tmp_path / "new" / "state")
    assert document == DOCUMENT
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "elsewhere")


def test_whatever_the_bytes_only_a_value_error_comes_out():
    content, refused = pack_tensors(TENSORS, DOCUMENT), 0
    changes = [content[:length] for length in range(len(content))]
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            changes.append(bytes(changed))
    for changed in changes:
        try:
            unpack_tensors(changed)
        except ValueError as error:
            refused += "expected a complete safetensors file" in str(error)
    assert refused > len(content)


@pytest.mark.parametrize(
    "header", [b"[]", b"{}", b"1", b'{"__metadata__": {}}', b'{"__metadata__": {"document": "{"}}']
)
def test_a_header_without_a_document_is_refused(header, tmp_path):
    (tmp_path / "file").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match=f"^{tmp_path}/file: expected a complete safetensors file"):
        read_tensors(tmp_path / "file")


def test_a_file_is_replaced_whole_or_stays(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"first")
    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match=f"No space.*{tmp_path}"):
        write_bytes(path, b"second")
    assert path.read_bytes() == b"first"
    monkeypatch.undo()
    write_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["file"]


def fail(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path):
    answer = run_child(write_too_much, tmp_path / "file")
    assert answer.startswith(f"OSError: [Errno 27] File too large: '{tmp_path}/.")
    assert os.listdir(tmp_path) == []


def write_too_much(path):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        write_bytes(path, b"0" * 5000)
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_after(tmp_path, monkeypatch):
    events, sync, replace = [], os.fsync, files.Path.replace

    def note_sync(descriptor):
        events.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    def note_replace(path, target):
        events.append("replace")
        return replace(path, target)

    monkeypatch.setattr(files.os, "fsync", note_sync)
    monkeypatch.setattr(files.Path, "replace", note_replace)
    write_bytes(tmp_path / "file", b"content")
    assert events[0].endswith(".tmp")
    assert events[1:] == ["replace", tmp_path.name]


@pytest.mark.parametrize(("number", "is_error"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_file_systems_that_cannot_sync_a_folder_are_borne(tmp_path, monkeypatch, number, is_error):
    def refuse(descriptor):
        raise OSError(number, "refused")

    monkeypatch.setattr(files.os, "fsync", refuse)
    if not is_error:
        sync_folder(tmp_path)
        return
    with pytest.raises(OSError, match=f"refused: '{tmp_path}'"):
        sync_folder(tmp_path)


def test_an_error_keeps_the_path_it_knows_and_its_class(tmp_path):
    with pytest.raises(IsADirectoryError, match="known"), naming(tmp_path):
        raise OSError(errno.EISDIR, "is a folder", "known")
    with pytest.raises(PermissionError, match=str(tmp_path)), naming(tmp_path):
        raise OSError(errno.EACCES, "no")


def test_what_is_a_leftover(tmp_path):
    mine, dead = new_temporary_name(), run_child(os.getpid)
    place = mine.split(".", 3)[3]
    expected = {  # whether it is young, and once it is old
        mine: (False, False),  # this process lives
        f".abc.1.{place}": (False, False),  # so does the first
        f".abc.{dead}.{place}": (True, True),
        f".abc.{10**30}.{place}": (True, True),
        f".abc.{dead}.other.{place}": (False, True),
        f".abc.{dead}.{socket.gethostname()}.tmp": (place.count(".") == 1, True),  # perhaps another container's
        ".abc.x.tmp": (False, True),
        "abc": (False, True),
    }
    for name in expected:
        (tmp_path / name).touch()
    young = {name: is_leftover(tmp_path / name) for name in expected}
    for name in expected:
        os.utime(tmp_path / name, (0, time.time() - files.LEFTOVER_S - 60))
    assert {name: (young[name], is_leftover(tmp_path / name)) for name in expected} == expected
    assert not is_leftover(tmp_path / "gone")
