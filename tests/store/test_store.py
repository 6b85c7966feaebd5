"""The store on disk: what was saved comes back, damage is set aside with one line, a failed write leaves nothing."""

import ast
import dataclasses
import logging
import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import torch

import cemrnn
from cemrnn.store.entry import FILES, HISTORY, RECORD, WEIGHTS, entry_key, pack_entry
from cemrnn.store.store import Store
from cemrnn.system import files as files_module
from cemrnn.system.files import new_temporary_name
from cemrnn.system.leases import hold_leases
from tests.children import as_nobody, run_child
from tests.entries import CONFIG, KEY, make_network, sign, write_files

OTHER = dataclasses.replace(CONFIG, seed=1)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_saved_network_comes_back(store):
    network = make_network()
    assert store.load(CONFIG) is None
    store.save(CONFIG, network)
    again = store.load(CONFIG)
    assert torch.equal(again.flat, network.flat)
    assert (again.status, again.n_updates) == ("reached", 20)
    pd.testing.assert_frame_equal(again.history.astype(network.history.dtypes), network.history)
    assert store.folder(KEY) == store.root / KEY[:2] / KEY
    assert sorted(os.listdir(store.folder(KEY))) == sorted(FILES)
    assert os.listdir(store.temporary) == []


def test_a_network_that_failed_at_once_comes_back(store):
    store.save(CONFIG, make_network(status="failed", n_rows=0))
    again = store.load(CONFIG)
    assert again.status == "failed"
    assert list(again.history.columns) == ["update", "loss", *CONFIG.tasks.names]
    assert len(again.history) == 0


def test_saving_twice_keeps_one_entry(store):
    store.save(CONFIG, make_network(seed=0))
    store.save(CONFIG, make_network(seed=1))
    assert torch.equal(store.load(CONFIG).flat, make_network(seed=0).flat)
    assert os.listdir(store.temporary) == []


def test_saving_over_a_damaged_entry_replaces_it(store, caplog):
    store.save(CONFIG, make_network(seed=0))
    (store.folder(KEY) / RECORD).unlink()
    store.save(CONFIG, make_network(seed=1))
    assert torch.equal(store.load(CONFIG).flat, make_network(seed=1).flat)
    assert len(os.listdir(store.quarantine)) == 1
    assert len(caplog.records) == 1


def test_a_network_of_another_config_is_not_saved(store):
    larger = dataclasses.replace(CONFIG, network=dataclasses.replace(CONFIG.network, n_units=17))
    with pytest.raises(ValueError, match=r"expected \(\d+,\) float32"):
        store.save(larger, make_network())
    assert not store.root.exists()


def flip_byte(folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def truncate(folder):
    os.truncate(folder / HISTORY, 20)


def edit_status(folder):
    text = (folder / RECORD).read_text()
    (folder / RECORD).write_text(text.replace('"reached"', '"exhausted"'))


def remove_record(folder):
    (folder / RECORD).unlink()


def remove_all(folder):
    for name in FILES:
        (folder / name).unlink()
    (folder / "notes.txt").touch()


def add_file(folder):
    (folder / "notes.txt").write_text("hello")


def add_unprintable_file(folder):
    (Path(os.fsdecode(bytes(folder) + b"/\xff\n"))).touch()


def link_file(folder):
    shutil.move(folder / HISTORY, folder.parent / "elsewhere.csv")
    (folder / HISTORY).symlink_to(folder.parent / "elsewhere.csv")


def link_folder(folder):
    shutil.move(folder, folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def link_to_nothing(folder):
    shutil.rmtree(folder)
    folder.symlink_to(folder.parent / "nowhere")


def make_file_a_folder(folder):
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).mkdir()


def make_file_a_pipe(folder):
    (folder / WEIGHTS).unlink()
    os.mkfifo(folder / WEIGHTS)


def make_folder_a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("hello")


def put_in_another_entry(folder):
    write_files(folder, pack_entry(OTHER, make_network()))


def put_in_another_entry_with_this_key(folder):
    write_files(folder, sign(pack_entry(OTHER, make_network()), key=KEY))


def write_old_format(folder):
    (folder / RECORD).write_text('{"checksums": {}, "config": {}, "n_updates": 20, "status": "reached"}')


DAMAGES = [
    flip_byte, truncate, edit_status, remove_record, remove_all, add_file, add_unprintable_file, link_file,
    link_folder, link_to_nothing, make_file_a_folder, make_file_a_pipe, make_folder_a_file, put_in_another_entry,
    put_in_another_entry_with_this_key, write_old_format,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_quarantined_with_one_line(store, caplog, damage):
    store.save(CONFIG, make_network())
    store.save(OTHER, make_network(seed=1))
    folder = store.folder(KEY)
    damage(folder)
    assert store.load(CONFIG) is None
    assert not os.path.lexists(folder)
    assert len(os.listdir(store.quarantine)) == 1
    assert len(caplog.records) == 1
    (line,) = caplog.messages
    assert line.startswith(f"store entry {KEY} is damaged (")
    assert line.endswith("moved to quarantine, it will be trained again")
    assert "\n" not in line
    assert torch.equal(store.load(OTHER).flat, make_network(seed=1).flat)  # its neighbour is as it was
    store.save(CONFIG, make_network())  # and the place is free again
    assert store.load(CONFIG) is not None


def test_entries_that_changed_places_are_both_set_aside(store):
    store.save(CONFIG, make_network())
    store.save(OTHER, make_network())
    first, second = store.folder(KEY), store.folder(entry_key(OTHER))
    first.rename(store.root / "between")
    second.rename(first)
    (store.root / "between").rename(second)
    assert store.load(CONFIG) is store.load(OTHER) is None
    assert len(os.listdir(store.quarantine)) == 2


@pytest.fixture
def public_store():
    """A store whose path everybody may enter; nobody may enter pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Store(Path(folder) / "store")


def test_a_damaged_entry_of_a_read_only_store_stays_and_says_so(public_store):
    store = public_store
    store.save(CONFIG, make_network())
    flip_byte(store.folder(KEY))
    answer = run_child(load_in_child, store.root, prepare=as_nobody)
    assert answer["network"] is None
    (line,) = answer["lines"]
    assert "is damaged" in line
    assert "cannot be moved ([Errno 13] Permission denied" in line
    assert store.folder(KEY).exists()


@pytest.mark.parametrize("place", [(), (KEY[:2],), (KEY[:2], KEY), (KEY[:2], KEY, WEIGHTS)], ids=len)
def test_an_entry_that_may_not_be_read_stays_and_says_so(public_store, place):
    store = public_store
    store.save(CONFIG, make_network())
    store.root.joinpath(*place).chmod(0)
    answer = run_child(load_in_child, store.root, prepare=as_nobody)
    assert answer["network"] is None
    assert ["cannot be read" in line for line in answer["lines"]] == [True]
    assert store.folder(KEY).exists()


def load_in_child(root):
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("cemrnn.store.store").addHandler(handler)
    return {"network": Store(root).load(CONFIG), "lines": lines}


def test_a_store_that_cannot_be_written_says_so_before_work_starts(store):
    store.check_writable()
    assert sorted(os.listdir(store.root)) == ["checkpoints", "temporary"]
    answer = run_child(check_in_child, store.root, prepare=as_nobody)
    assert answer == f"PermissionError: [Errno 13] the store cannot be written: Permission denied: '{store.root}'"
    blocked = Store(store.root / "file")
    blocked.root.touch()
    with pytest.raises(OSError, match="expected a folder, got a file"):
        blocked.check_writable()


def check_in_child(root):
    try:
        Store(root).check_writable()
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_nothing(store):
    answer = run_child(save_on_full_disk, store.root)
    assert answer.startswith("OSError: [Errno 27] File too large: ")
    assert str(store.temporary) in answer
    assert WEIGHTS in answer
    assert [path for path in store.root.rglob("*") if not path.is_dir()] == []
    assert os.listdir(store.temporary) == []
    assert store.load(CONFIG) is None


def save_on_full_disk(root):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
    try:
        Store(root).save(CONFIG, make_network())
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def test_everything_is_on_the_disk_before_the_entry_has_its_name(store, monkeypatch):
    """A renaming that survives a loss of power must not uncover files that did not."""
    events, sync, rename = [], os.fsync, Path.rename

    def note_sync(descriptor):
        events.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        sync(descriptor)

    def note_rename(path, target):
        events.append("rename")
        return rename(path, target)

    monkeypatch.setattr(files_module.os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    store.save(CONFIG, make_network())
    assert sorted(events[:3]) == sorted(FILES)
    assert events[3].endswith(".tmp")  # the folder that holds the three
    assert events[4:] == ["store", "rename", KEY[:2]]


def test_leftovers_of_dead_writers_go_and_those_of_living_ones_stay(store):
    store.check_writable()
    dead, mine = run_child(os.getpid), new_temporary_name()
    for name in (mine, mine.replace(f".{os.getpid()}.", f".{dead}.")):
        write_files(store.temporary / name, {"weights": b"1"})
        (store.checkpoints / name).touch()
    (store.temporary / "0123").mkdir()  # nobody knows whose it is
    for held in (True, False):
        (store.checkpoints / "0123.lease").touch()
        with hold_leases([store.checkpoints / "0123.lease"][:held]):
            store.check_writable()
            assert (store.checkpoints / "0123.lease").exists() == held
    assert sorted(os.listdir(store.temporary)) == sorted([mine, "0123"])
    assert os.listdir(store.checkpoints) == [mine]
    os.utime(store.temporary / "0123", (0, 0))
    store.check_writable()
    assert os.listdir(store.temporary) == [mine]


def test_no_module_can_execute_what_it_reads():
    """The formats of the store are data; so nobody may read them, or anything, by a way that runs code."""
    root = Path(cemrnn.__file__).parent
    seen = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            seen |= {(path.relative_to(root).as_posix(), danger) for danger in find_danger(node)}
    assert seen == {("bench/generators.py", "exec")}  # a public generator that the user names, to be run


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from dill import load", "torch.load(f)", "np.load(f, allow_pickle=True)", "np.load(f)",
     "pd.read_pickle(f)", "eval(text)", "yaml.load(f)", "import a.b, shelve"],
)  # fmt: skip
def test_the_search_for_danger_finds_it(source):
    assert any(find_danger(node) for node in ast.walk(ast.parse(source)))


def find_danger(node):
    match node:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            modules = [module]
        case ast.Call(func=ast.Name(id="eval" | "exec" as name)):
            return [name]
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="load"), keywords=keywords):
            allowed = {k.arg: ast.unparse(k.value) for k in keywords}.get("allow_pickle")
            return [] if allowed == "False" else ["np.load"]
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch" | "yaml" as module), attr="load")):
            return [f"{module}.load"]
        case ast.Attribute(attr="read_pickle" | "unsafe_load" as name):
            return [name]
        case _:
            return []
    unsafe = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    return [module for module in modules if module.split(".")[0] in unsafe]
