"""The store: what comes back is what was saved, and nothing damaged or foreign comes back at all."""

import dataclasses
import json
import os
import pickle

import pandas as pd
import pytest
import torch

from cemrnn import store as store_module
from cemrnn.learner import TrainedNetwork
from cemrnn.store import Store, entry_key
from cemrnn.sweep import SweepProgress, estimate_work, load_population, missing_ensembles, train_missing
from tests.networks import small_config

CONFIG = small_config()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def make_network(seed=0):
    flat = torch.randn(11, generator=torch.Generator().manual_seed(seed))
    history = pd.DataFrame({"update": [10, 20], "loss": [0.3, 0.1], "reaction_pro": [0.2, 0.9]})
    return TrainedNetwork(flat, "reached", 20, history)


def test_a_saved_network_comes_back(store):
    network = make_network()
    assert store.load(CONFIG) is None
    store.save(CONFIG, network)
    again = store.load(CONFIG)
    assert torch.equal(again.flat, network.flat)
    assert (again.status, again.n_updates) == ("reached", 20)
    pd.testing.assert_frame_equal(again.history, network.history)
    key = entry_key(CONFIG)
    assert store.folder(key) == store.root / key[:2] / key
    assert sorted(os.listdir(store.folder(key))) == ["entry.json", "history.csv", "weights.safetensors"]
    assert os.listdir(store.root / "temporary") == []


def test_saving_twice_keeps_one_entry(store):
    store.save(CONFIG, make_network(0))
    store.save(CONFIG, make_network(1))
    assert torch.equal(store.load(CONFIG).flat, make_network(0).flat)


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
    monkeypatch.setattr(store_module, "source_fingerprint", lambda: "other sources")
    assert entry_key(CONFIG) not in keys


def test_the_fingerprint_reads_every_source_it_names():
    root = store_module.Path(store_module.cemrnn.__file__).parent
    for name in store_module.DEFINING_SOURCES:
        assert (root / name).is_dir() or (root / f"{name}.py").is_file()


def test_only_code_counts_for_the_fingerprint():
    source = "def double(x):\n    return 2 * x\n"
    documented = '"""Module."""\n\n\ndef double(x):\n    """Twice."""\n    return 2 * x  # why\n'
    assert store_module.strip_documentation(source) == store_module.strip_documentation(documented)
    assert store_module.strip_documentation(source) != store_module.strip_documentation(source.replace("2", "3"))


def flip_byte(folder):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncate(folder):
    path = folder / "history.csv"
    path.write_bytes(path.read_bytes()[:-5])


def swap_config(folder):
    path = folder / "entry.json"
    entry = json.loads(path.read_text())
    entry["config"]["seed"] = 99
    path.write_text(json.dumps(entry))


def remove_entry(folder):
    (folder / "entry.json").unlink()


def write_nonsense(folder):
    (folder / "entry.json").write_text("[]")


def write_pickle(folder):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(folder / "executed"),)

    content = pickle.dumps(Bomb())
    (folder / "weights.safetensors").write_bytes(content)
    entry = json.loads((folder / "entry.json").read_text())
    entry["checksums"]["weights.safetensors"] = store_module._checksum(folder / "weights.safetensors")
    (folder / "entry.json").write_text(json.dumps(entry))


@pytest.mark.parametrize("damage", [flip_byte, truncate, swap_config, remove_entry, write_nonsense, write_pickle])
def test_damage_is_quarantined_with_one_line(store, caplog, damage):
    store.save(CONFIG, make_network())
    folder = store.folder(entry_key(CONFIG))
    damage(folder)
    assert store.load(CONFIG) is None
    assert not folder.exists()
    quarantined = list((store.root / "quarantine").iterdir())
    assert len(quarantined) == 1
    assert not (quarantined[0] / "executed").exists()
    assert len(caplog.records) == 1
    assert "moved to quarantine" in caplog.text
    store.save(CONFIG, make_network())  # and the place is free again
    assert store.load(CONFIG) is not None


def test_a_failed_write_leaves_nothing(store, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left"):
        store.save(CONFIG, make_network())
    assert store.load(CONFIG) is None
    assert os.listdir(store.root / "temporary") == []


def test_a_sweep_trains_what_is_missing_and_nothing_else(store):
    small, large = [small_config(s) for s in range(2)], [small_config(0, n_units=20)]
    assert train_missing(small[:1], store) == 1
    ensembles = missing_ensembles([*small, *large, *small], store)
    assert sorted(len(e) for e in ensembles) == [1, 1]
    assert estimate_work(ensembles[0]) >= estimate_work(ensembles[1])  # the most expensive first
    seen: list[SweepProgress] = []
    assert train_missing([*small, *large], store, report=seen.append) == 2
    assert seen[-1].work_done == pytest.approx(seen[-1].work_total)
    assert [p.work_done for p in seen] == sorted(p.work_done for p in seen)
    assert train_missing([*small, *large], store) == 0
    assert not any(store.root.glob("checkpoints/*"))


def test_a_loaded_population_holds_the_trained_weights(store):
    configs = [small_config(seed) for seed in range(2)]
    population, networks = load_population(configs, store)
    assert population.n_networks == 2
    for m, network in enumerate(networks):
        assert torch.equal(population.flat[m], network.flat)
        assert torch.equal(population.parameters["recurrent"][m].flatten(), network.flat[: 16 * 16])
