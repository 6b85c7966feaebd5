"""Processes that save, load, damage, collect and die at once: every network that comes back is a whole one."""

import contextlib
import dataclasses
import logging
import os
import signal

import pytest
import torch

from cemrnn.store.entry import FILES, entry_key
from cemrnn.store.inventory import collect, find_damage, find_garbage, list_entries
from cemrnn.store.store import Store
from tests.children import CONTEXT, run_together
from tests.entries import CONFIG, make_network

N_ROUNDS = 200
CONFIGS = [dataclasses.replace(CONFIG, seed=seed) for seed in range(N_ROUNDS)]
NETWORKS = [make_network(seed=seed) for seed in range(2)]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def is_known(network):
    return any(torch.equal(network.flat, known.flat) for known in NETWORKS)


def count_lines():
    """A list that grows with every line of the store's log in this process."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("cemrnn.store.store").addHandler(handler)
    return lines


def test_two_that_save_the_same_network_at_once_leave_one_entry(store):
    def save_all(barrier, network):
        lines = count_lines()
        for config in CONFIGS:
            barrier.wait()
            store.save(config, network)
            assert is_known(store.load(config))
        return lines

    assert run_together([(save_all, network) for network in NETWORKS]) == [[], []]
    winners = {torch.equal(store.load(config).flat, NETWORKS[0].flat) for config in CONFIGS}
    assert winners == {True, False}  # so they did meet
    assert len(list(list_entries(store))) == N_ROUNDS
    assert os.listdir(store.temporary) == []
    assert not store.quarantine.exists()


def test_two_that_meet_the_same_damage_set_it_aside_once_and_say_it_once(store):
    for config in CONFIGS:
        store.save(config, NETWORKS[0])
        os.truncate(store.folder(entry_key(config)) / FILES[0], 10)

    def load_all(barrier):
        lines = count_lines()
        for config in CONFIGS:
            barrier.wait()
            assert store.load(config) is None
        return len(lines)

    assert sum(run_together([(load_all,), (load_all,)])) == N_ROUNDS
    assert len(os.listdir(store.quarantine)) == N_ROUNDS
    assert list(list_entries(store)) == []


def test_nobody_sees_wrong_weights_while_an_entry_is_saved_damaged_set_aside_and_collected(store):
    """One writes, one damages in place, one collects, one reads; all on one entry."""
    folder, done = store.folder(entry_key(CONFIG)), CONTEXT.Event()

    def save(barrier):
        barrier.wait()
        for i in range(N_ROUNDS):
            store.save(CONFIG, NETWORKS[i % 2])
        done.set()

    def damage(barrier):
        barrier.wait()
        n_damaged = 0
        while not done.wait(0.01):
            with contextlib.suppress(FileNotFoundError), (folder / FILES[n_damaged % 3]).open("r+b") as file:
                file.seek(n_damaged)
                file.write(b"#")
                n_damaged += 1
        return n_damaged

    def clean(barrier):
        barrier.wait()
        n_removed = 0
        while not done.wait(0.01):
            garbage = find_garbage(store, (), days=-1, checkpoint_days=1)
            n_removed += len([piece for piece in collect(store, garbage) if piece.kind == "entry"])
        return n_removed

    def load(barrier):
        barrier.wait()
        found = []
        while not done.is_set():
            found.append(store.load(CONFIG))
        assert all(network is None or is_known(network) for network in found)
        return sum(network is not None for network in found)

    _, n_damaged, n_removed, n_found = run_together([(save,), (damage,), (clean,), (load,)])
    assert min(n_damaged, n_removed, n_found) > 0
    store.save(CONFIG, NETWORKS[0])
    assert is_known(store.load(CONFIG))
    assert os.listdir(store.temporary) == []


def test_a_writer_that_is_killed_leaves_whole_entries_and_at_most_one_leftover(store):
    counter = CONTEXT.Value("i", 0)

    def save_forever():
        for config in CONFIGS[counter.value :]:
            counter.value += 1
            store.save(config, NETWORKS[0])

    n_killed = 0
    while counter.value < N_ROUNDS - 20:
        start = counter.value
        child = CONTEXT.Process(target=save_forever)
        child.start()
        while counter.value < start + 10:
            pass
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        n_killed += 1
    folders = [store.folder(entry.key) for entry in list_entries(store)]
    assert n_killed >= 5
    assert counter.value - n_killed <= len(folders) <= counter.value
    assert [find_damage(folder) for folder in folders] == [None] * len(folders)
    assert len(os.listdir(store.temporary)) <= n_killed
