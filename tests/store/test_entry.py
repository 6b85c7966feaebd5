"""An entry as bytes: what comes out is what went in; anything else is a ValueError, never another and never data."""

import dataclasses
import functools
import json
import os
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cemrnn.network.config import count_parameters
from cemrnn.store import entry as entry_module
from cemrnn.store.entry import (
    FILES,
    HISTORY,
    RECORD,
    WEIGHTS,
    check_entry,
    entry_key,
    pack_entry,
    recipe_key,
    unpack_entry,
)
from cemrnn.system.files import pack_tensors
from cemrnn.training.learner import TrainedNetwork
from tests.entries import COLUMNS, CONFIG, KEY, make_network, sign

N_PARAMETERS = count_parameters(CONFIG.network)
pack = functools.cache(lambda: pack_entry(CONFIG, make_network()))
finite = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


def rows_of(n_rows):
    return st.lists(st.tuples(*[finite] * (len(COLUMNS) - 1)), min_size=n_rows, max_size=n_rows)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    status=st.sampled_from(["reached", "exhausted", "failed"]),
    rows=st.integers(0, 5).flatmap(rows_of),
)
def test_what_comes_out_is_what_went_in(seed, status, rows):
    flat = torch.randn(N_PARAMETERS, generator=torch.Generator().manual_seed(seed))
    updates = [[3 * i + 1, *row] for i, row in enumerate(rows)]
    history = pd.DataFrame(updates, columns=COLUMNS)
    network = unpack_entry(pack_entry(CONFIG, TrainedNetwork(flat, status, 20, history)), KEY, CONFIG)
    assert torch.equal(network.flat, flat)
    assert (network.status, network.n_updates, list(network.history.columns)) == (status, 20, COLUMNS)
    # Nine digits are enough to tell any two numbers of single precision apart.
    expected = np.array(updates, dtype=np.float32).reshape(len(rows), len(COLUMNS))
    np.testing.assert_array_equal(network.history.to_numpy(dtype=np.float32), expected)
    assert network.history["update"].dtype == np.int64


def test_the_same_network_gives_the_same_bytes():
    assert pack_entry(CONFIG, make_network()) == pack()
    assert pack_entry(CONFIG, make_network(seed=1))[WEIGHTS] != pack()[WEIGHTS]


def test_the_key_is_the_recipe(monkeypatch):
    changes = [
        dataclasses.replace(CONFIG, seed=1),
        dataclasses.replace(CONFIG, learning_rate=0.02),
        dataclasses.replace(CONFIG, network=dataclasses.replace(CONFIG.network, n_units=17)),
        dataclasses.replace(CONFIG, tasks=dataclasses.replace(CONFIG.tasks, names=CONFIG.tasks.names[::-1])),
    ]
    keys = {entry_key(c) for c in [CONFIG, *changes]}
    assert len(keys) == 5
    assert entry_key(type(CONFIG).from_params(json.loads(json.dumps(CONFIG.to_dict())))) == entry_key(CONFIG)
    monkeypatch.setattr(entry_module, "source_fingerprint", lambda *_: "other sources")
    assert entry_key(CONFIG) not in keys


def test_a_patch_of_torch_keeps_the_key_and_a_new_version_does_not():
    assert recipe_key({}, "sources", "2.13.0+cpu") == recipe_key({}, "sources", "2.13.1")
    assert recipe_key({}, "sources", "2.13.0") != recipe_key({}, "sources", "2.14.0")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, whose code the fingerprint reads."""
    root = tmp_path / "cemrnn"
    original = entry_module.Path(entry_module.cemrnn.__file__).parent
    shutil.copytree(original, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(entry_module.cemrnn, "__file__", str(root / "__init__.py"))
    return root


def key_of(*_):
    entry_module.source_fingerprint.cache_clear()
    return entry_key(CONFIG)


def test_code_of_any_file_that_defines_a_training_counts_and_no_other_does(package, monkeypatch):
    monkeypatch.setattr(entry_module, "strip_documentation", functools.cache(entry_module.strip_documentation))
    key, defining = key_of(), {"random.py", "tasks", "network", "training"}
    sources = {path: path.read_text() for path in package.rglob("*.py")}
    others = {path: text for path, text in sources.items() if path.relative_to(package).parts[0] not in defining}
    try:
        assert key_of() == key == KEY
        assert 0 < len(others) < len(sources)
        for path in sources.keys() - others.keys():
            path.write_text(f"{sources[path]}\n_TOUCHED = 1\n")
            assert key_of() != key, path
            path.write_text(f"{sources[path]}\n# touched\n")
        assert key_of() == key
        for path, text in others.items():
            path.write_text(f"{text}\n_TOUCHED = 1\n")
        assert key_of() == key
    finally:
        entry_module.source_fingerprint.cache_clear()


def test_only_code_counts_for_the_fingerprint():
    strip = entry_module.strip_documentation
    source = "def double(x):\n    return 2 * x\n"
    documented = '"""Module."""\n\n\ndef double(x):\n    """Twice."""\n    return 2 * x  # why\n'
    assert strip(source) == strip(documented)
    assert strip(source) != strip(source.replace("2", "3"))


def test_an_entry_of_other_sources_is_whole_but_not_asked_for(monkeypatch):
    monkeypatch.setattr(entry_module, "source_fingerprint", lambda *_: "other sources")
    files, key = pack_entry(CONFIG, make_network()), entry_key(CONFIG)
    assert check_entry(files, key)["sources"] == "other sources"
    with pytest.raises(ValueError, match="not the one that its name stands for"):
        unpack_entry(files, KEY, CONFIG)


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_bit_is_noticed(name):
    content = pack()[name]
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        with pytest.raises(ValueError, match=name):
            check_entry(pack() | {name: bytes(changed)}, KEY)


@pytest.mark.parametrize("name", FILES)
def test_any_cut_and_any_addition_is_noticed(name):
    content = pack()[name]
    for changed in (*(content[:length] for length in range(len(content))), content + b"\n", content + b"\0"):
        with pytest.raises(ValueError, match=name):
            check_entry(pack() | {name: changed}, KEY)


@pytest.mark.parametrize("name", [WEIGHTS, HISTORY])
def test_no_content_raises_anything_else_even_with_the_right_checksum(name):
    """Whoever wrote the content also wrote its checksum: what it says is believed only as far as it makes sense."""
    content, refused = pack()[name], 0
    for position in range(min(len(content), 200)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            try:
                network = unpack_entry(sign(pack() | {name: bytes(changed)}), KEY, CONFIG)
            except ValueError:
                refused += 1
            else:
                assert network.flat.shape == (N_PARAMETERS,)
                assert network.flat.dtype == torch.float32
                assert list(network.history.columns) == COLUMNS
    assert refused > 300


def weights(flat=None, name="flat", document=None):
    flat = make_network().flat if flat is None else flat
    return {WEIGHTS: pack_tensors({name: flat}, document or {"key": KEY})}


def history(text):
    return {HISTORY: text.encode()}


HEADER = ",".join(COLUMNS)
WRONG = {
    "nan": (weights(torch.full((N_PARAMETERS,), torch.nan)), {}, "finite"),
    "infinite": (weights(torch.full((N_PARAMETERS,), torch.inf)), {}, "finite"),
    "double": (weights(torch.zeros(N_PARAMETERS, dtype=torch.float64)), {}, "float32"),
    "short": (weights(torch.zeros(N_PARAMETERS - 1)), {}, f"{N_PARAMETERS - 1},"),
    "matrix": (weights(torch.zeros(1, N_PARAMETERS)), {}, "float32, got"),
    "empty": (weights(torch.zeros(0)), {}, "float32, got"),
    "name": (weights(name="other"), {}, "named flat"),
    "other_key": (weights(document={"key": "0" * 64}), {}, "of this key"),
    "pickle": ({WEIGHTS: pickle.dumps([1, 2])}, {}, "safetensors"),
    "no_weights": ({WEIGHTS: b""}, {}, "safetensors"),
    "column": (history("update,loss,elsewhere\n1,2,3\n"), {}, "columns"),
    "columns_swapped": (history(",".join(COLUMNS[::-1]) + "\n"), {}, "columns"),
    "words": (history(HEADER + "\n1,two,3,4\n"), {}, HISTORY),
    "half_update": (history(HEADER + "\n1.5,2,3,4\n"), {}, HISTORY),
    "no_history": (history(""), {}, HISTORY),
    "not_text": ({HISTORY: b"\xff\xfe\0" * 9}, {}, HISTORY),
    "more_numbers": (history(HEADER + "\n1,1,1,1,1\n"), {}, "numbers in every row"),
    "fewer_numbers": (history(HEADER + "\n1,1,1\n"), {}, "numbers in every row"),
    "blank_line": (history(HEADER + "\n\n1,1,1,1\n"), {}, HISTORY),
    "order": (history(HEADER + "\n10,1,1,1\n10,1,1,1\n"), {}, "increase"),
    "huge": (history(HEADER + f"\n{10**30},1,1,1\n"), {}, HISTORY),
    "status": ({}, {"status": "done"}, "status"),
    "negative": ({}, {"n_updates": -1}, "updates"),
    "boolean": ({}, {"n_updates": True}, "updates"),
    "too_many": ({}, {"n_updates": 21}, "n_updates"),
    "too_few": ({}, {"n_updates": 19}, "n_updates"),
    "field": ({}, {"remark": "hello"}, "fields"),
    "sources": ({}, {"sources": ["a"]}, "name stands for"),
    "torch": ({}, {"torch": None}, "name stands for"),
    "config": ({}, {"config": "none"}, "name stands for"),
    "checksums": ({}, {"checksums": []}, "checksum"),
}


@pytest.mark.parametrize(("contents", "changes", "message"), WRONG.values(), ids=WRONG)
def test_wrong_content_is_refused_even_with_the_right_checksum(contents, changes, message):
    unpack_entry(sign(pack()), KEY, CONFIG)  # the signature itself is accepted
    with pytest.raises(ValueError, match=message):
        unpack_entry(sign(pack() | contents, **changes), KEY, CONFIG)


RECORDS = [b"", b"[]", b"null", b"1", b'"text"', b"{}", b"\xff", b"[" * 100_000, b"NaN", b"9" * 5000]


@pytest.mark.parametrize("content", RECORDS, ids=lambda content: repr(content[:8]))
def test_a_record_that_is_no_record_is_refused(content):
    with pytest.raises(ValueError, match=RECORD):
        check_entry(pack() | {RECORD: content}, KEY)


def test_files_that_lack_or_do_not_belong_are_refused():
    for name in FILES:
        rest = {other: content for other, content in pack().items() if other != name}
        with pytest.raises(ValueError, match="expected the files"):
            check_entry(rest, KEY)
    with pytest.raises(ValueError, match="notes.txt"):
        check_entry(pack() | {"notes.txt": b"hello"}, KEY)


def test_an_entry_under_another_key_is_refused():
    other = dataclasses.replace(CONFIG, seed=1)
    with pytest.raises(ValueError, match="name stands for"):
        unpack_entry(pack_entry(other, make_network()), KEY, CONFIG)


@pytest.mark.parametrize(
    "changes",
    [
        {"flat": torch.full((N_PARAMETERS,), torch.nan)},
        {"flat": torch.zeros(3)},
        {"status": "done"},
        {"n_updates": 5},
        {"history": pd.DataFrame({"update": [1]})},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_could_not_be_read_back_is_not_packed(changes):
    with pytest.raises(ValueError, match="expected"):
        pack_entry(CONFIG, dataclasses.replace(make_network(), **changes))


@pytest.mark.parametrize("name", FILES)
def test_a_pickle_in_place_of_a_file_does_not_run(name, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    bomb = pickle.dumps(Bomb())
    files = pack() | {name: bomb}
    with pytest.raises(ValueError, match=name):
        unpack_entry(files if name == RECORD else sign(files), KEY, CONFIG)
    assert not (tmp_path / "executed").exists()
    pickle.loads(bomb)  # the bomb itself is a live one
    assert (tmp_path / "executed").exists()
