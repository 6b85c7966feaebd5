"""cemrnn store: what is listed, shown, verified and removed, and what must stay."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from cemrnn.commands import store as commands
from cemrnn.commands.store import store as command
from cemrnn.store.entry import WEIGHTS, entry_key
from cemrnn.store.inventory import collect, find_damage, find_entry, find_garbage, list_entries, list_foreign
from cemrnn.store.store import Store
from cemrnn.system.leases import hold_leases
from cemrnn.tasks import TASKS, TaskSet, register_task
from cemrnn.tasks.registry import OWN
from tests.entries import CONFIG, make_network
from tests.networks import small_config

ROOT = Path(__file__).parents[2]
CONFIGS = [dataclasses.replace(CONFIG, seed=seed) for seed in range(4)]
KEYS = [entry_key(config) for config in CONFIGS]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Four entries, in the store that the command finds."""
    monkeypatch.setenv("CEMRNN_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(ROOT)
    place = Store.default()
    for config in CONFIGS:
        place.save(config, make_network(config, status="failed" if config.seed == 3 else "reached"))
    return place


def call(*arguments, input=None):
    return CliRunner().invoke(command, arguments, input=input)


def spoil(store, number=0):
    path = store.folder(KEYS[number]) / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def grow_old(*paths, days=40):
    for path in paths:
        os.utime(path, (time.time() - days * 86400,) * 2)


def test_every_entry_is_listed_with_what_it_is(store):
    listed = list(list_entries(store))
    assert [entry.key for entry in listed] == sorted(KEYS)
    entry = next(entry for entry in listed if entry.key == KEYS[3])
    network = CONFIGS[3].network
    assert (entry.arm, entry.n_units, entry.n_contexts, entry.seed) == (network.arm, network.n_units, 2, 3)
    assert (entry.status, entry.n_updates) == ("failed", CONFIG.n_updates)
    assert entry.n_bytes == sum(path.stat().st_size for path in store.folder(KEYS[3]).iterdir())


def test_ls_filters_and_adds_up(store):
    assert "entries: 4, " in call("ls").output
    assert "entries: 3, " in call("ls", "--status", "reached").output
    assert "unknown arm" in str(call("ls", "--arm", "plain").exception)
    rows = [json.loads(line) for line in call("ls", "--json").output.splitlines()]
    assert sorted(row["key"] for row in rows) == sorted(KEYS)


def test_a_record_that_cannot_be_read_is_listed_as_damaged(store):
    (store.folder(KEYS[0]) / "entry.json").write_bytes(b"{")
    assert [entry.key for entry in list_entries(store) if entry.status == "damaged"] == [KEYS[0]]
    assert "entries: 1, " in call("ls", "--status", "damaged").output


def test_a_pipe_for_a_record_keeps_nobody_waiting(store):
    path = store.folder(KEYS[0]) / "entry.json"
    path.unlink()
    os.mkfifo(path)
    store.checkpoints.mkdir(exist_ok=True)
    os.mkfifo(store.checkpoints / "a.checkpoint")
    command = [sys.executable, "-m", "cemrnn.commands.main", "store", "ls"]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ)
    assert listed.stderr == "" and listed.stdout.count(" damaged ") == 1
    assert "expected a plain file" in call("verify", "--dry-run").output
    garbage = find_garbage(store, KEYS, days=1, checkpoint_days=-1)
    assert [piece.path.name for piece in collect(store, garbage)] == ["a.checkpoint"]


def test_what_the_system_or_somebody_else_puts_into_a_store_is_no_damage(store):
    shard = store.folder(KEYS[0]).parent
    for path in (shard / ".DS_Store", shard / "notes", store.folder(KEYS[0]) / ".DS_Store", store.root / ".DS_Store"):
        path.write_bytes(b"\0")
    assert [path.name for path in list_foreign(store)] in (["notes", ".DS_Store"], [".DS_Store", "notes"])
    assert "entries: 4, " in call("ls").output
    for output in (call("ls").output, call("verify").output):
        assert f"others: 2 that no store makes, e.g. {shard}/" in output
        assert "nothing needs them: move them away" in output
    assert call("verify").exit_code == 0
    assert store.load(CONFIGS[0]) is not None
    grow_old(shard / "notes")
    assert find_garbage(store, KEYS, days=1, checkpoint_days=30) == []


@pytest.mark.parametrize("name", ["00", "checkpoints", "temporary"])
def test_a_file_where_a_folder_belongs_is_one_line_before_anything_is_trained(tmp_path, name):
    store = Store(tmp_path)
    (store.root / name).touch()
    with pytest.raises(OSError, match="expected a folder, got a file, which has to be moved away") as caught:
        store.check_writable()
    assert caught.value.filename == str(store.root / name)
    assert list(list_entries(store)) == []


def test_a_file_that_takes_the_place_of_a_shard_meanwhile_is_named(tmp_path):
    store = Store(tmp_path)
    store.folder(KEYS[0]).parent.touch()
    with pytest.raises(OSError, match="expected a folder, got a file") as caught:
        store.save(CONFIGS[0], make_network())
    assert caught.value.filename == str(store.folder(KEYS[0]).parent)
    assert os.listdir(store.temporary) == []


def test_a_damaged_checkpoint_is_garbage_like_a_damaged_entry(store):
    path = store.checkpoints / "a.1234.damaged"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"state")
    assert find_garbage(store, KEYS, days=1, checkpoint_days=30) == []
    grow_old(path, days=2)
    assert [piece[:2] for piece in find_garbage(store, KEYS, days=1, checkpoint_days=30)] == [("quarantine", path)]


def test_an_entry_is_found_by_the_beginning_of_its_key(store):
    assert find_entry(store, KEYS[2][:12]).name == KEYS[2]
    with pytest.raises(ValueError, match="which fits none"):
        find_entry(store, "0" * 40)
    with pytest.raises(ValueError, match="expected up to 64 hexadecimal digits"):
        find_entry(store, "../../etc")
    shutil.copytree(store.folder(KEYS[2]), store.folder(KEYS[2][:-4] + "0000"))
    with pytest.raises(ValueError, match=f"which fits {KEYS[2][:8]}"):
        find_entry(store, KEYS[2][:2])


def test_show_tells_the_recipe_and_who_needs_it(store, monkeypatch):
    monkeypatch.setattr(commands, "needed_keys", lambda project: {KEYS[1]: ["quick/fig1_tasks"]})
    shown = call("show", KEYS[1][:10]).output
    assert "needed by quick/fig1_tasks" in shown
    assert f"reached after {CONFIG.n_updates} updates, 2 evaluations" in shown
    assert json.loads(shown.split("config    ")[1]) == json.loads(json.dumps(CONFIGS[1].to_dict()))
    assert "needed by no current config" in call("show", KEYS[2][:10]).output
    spoil(store, 1)
    result = call("show", KEYS[1][:10])
    assert result.exit_code == 1
    assert "the entry is damaged" in result.output


def test_verify_finds_damage_and_moves_it_unless_told_not_to(store):
    assert call("verify").exit_code == 0
    spoil(store)
    dry = call("verify", "--dry-run")
    assert dry.exit_code == 1
    assert "entries: 4 read, 1 damaged" in dry.output
    assert store.folder(KEYS[0]).exists()
    assert "moved to quarantine" in call("verify").output
    assert not store.folder(KEYS[0]).exists()
    assert len(list(store.quarantine.iterdir())) == 1
    assert "entries: 3 read, 0 damaged" in call("verify").output


def test_verify_computes_the_key_again(store):
    store.folder(KEYS[0]).rename(store.folder(KEYS[0][:-1] + ("0" if KEYS[0][-1] != "0" else "1")))
    assert call("verify", "--dry-run").exit_code == 1


def test_garbage_is_what_is_old_and_needed_by_nobody(store):
    grow_old(*map(store.folder, KEYS[:3]))  # the last one is young
    garbage = find_garbage(store, {KEYS[0]}, days=1, checkpoint_days=30)
    assert sorted(piece.path.name for piece in garbage) == sorted(KEYS[1:3])
    assert {piece.kind for piece in garbage} == {"entry"}
    assert len(list(collect(store, garbage))) == 2
    assert sorted(entry.key for entry in list_entries(store)) == sorted([KEYS[0], KEYS[3]])
    assert list(store.temporary.iterdir()) == []


def test_a_checkpoint_that_a_training_holds_stays(store):
    store.checkpoints.mkdir(exist_ok=True)
    held, idle = (store.checkpoints / f"{name}.checkpoint" for name in ("a" * 8, "b" * 8))
    for path in (held, idle):
        path.write_bytes(b"state")
    with hold_leases([held.with_suffix(".lease")]):
        grow_old(held, idle, held.with_suffix(".lease"))
        garbage = find_garbage(store, KEYS, days=1, checkpoint_days=30)
        assert [piece.path for piece in garbage] == [idle]
        assert len(list(collect(store, garbage))) == 1
    assert held.exists()


def test_a_checkpoint_taken_up_after_the_search_stays(store):
    path = store.checkpoints / "c.checkpoint"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"state")
    grow_old(path)
    garbage = find_garbage(store, KEYS, days=1, checkpoint_days=30)
    with hold_leases([path]):
        assert list(collect(store, garbage)) == []


def test_gc_asks_before_it_removes(store, monkeypatch):
    monkeypatch.setattr(commands, "needed_keys", lambda project: {KEYS[0]: ["quick/fig1_tasks"]})
    grow_old(*map(store.folder, KEYS))
    refused = call("gc")
    assert refused.exit_code == 1
    assert "nothing was removed" in refused.output
    assert len(list(list_entries(store))) == 4
    assert "removed 3 of 3" in call("gc", "--yes").output
    assert [entry.key for entry in list_entries(store)] == [KEYS[0]]
    assert call("gc", "--yes").output == "nothing to remove\n"


def test_what_the_notebooks_need_is_kept(store):
    needed = commands.needed_keys(commands.Project())
    places = {place for group in needed.values() for place in group}
    assert {"smoke/fig1_tasks", "quick/fig2_ambiguity", "full/fig1_tasks"} <= places
    assert not set(KEYS) & set(needed)


def test_networks_of_ones_own_tasks_are_whole_where_nobody_knows_the_tasks(store):
    task = TASKS["reaction_pro"]
    register_task("mine", task)
    config = small_config(tasks=TaskSet(names=("mine",), preset="fast"))
    columns = ["update", "loss", "mine"]
    history = make_network().history.set_axis(["update", "loss", "mine", "other"], axis=1)[columns]
    flat = torch.zeros(config.n_parameters)
    store.save(config, dataclasses.replace(make_network(), flat=flat, history=history))
    TASKS.pop("mine")
    OWN.discard("mine")
    folder = store.folder(entry_key_of(store))
    assert find_damage(folder) is None
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:-1] + b"x")
    assert "checksum differs" in find_damage(folder)


def entry_key_of(store):
    """Key of the one entry that is not of this file's configs."""
    return next(entry.key for entry in list_entries(store) if entry.key not in KEYS)
