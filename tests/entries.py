"""Networks that were never trained, for tests of the store, and entries of them."""

import json

import numpy as np
import pandas as pd
import torch

from cemrnn.network.config import count_parameters
from cemrnn.store.entry import HISTORY, RECORD, WEIGHTS, entry_key, seal
from cemrnn.system.files import checksum
from cemrnn.training.learner import TrainedNetwork
from tests.networks import small_config

CONFIG = small_config()
KEY = entry_key(CONFIG)
COLUMNS = ["update", "loss", *CONFIG.tasks.names]


def make_network(config=CONFIG, *, seed=0, status="reached", n_rows=2):
    """A network of the config with random weights and history."""
    generator = np.random.default_rng(seed)
    flat = generator.standard_normal(count_parameters(config.network), dtype=np.float32)
    history = pd.DataFrame(generator.random((n_rows, len(COLUMNS)), dtype=np.float32), columns=COLUMNS)
    history["update"] = config.evaluate_every * np.arange(1, n_rows + 1)
    return TrainedNetwork(torch.from_numpy(flat), status, config.n_updates, history)


def sign(files, **changes):
    """The files of an entry with a record that has these changes, and checksums that fit: a lie told well."""
    record = {name: value for name, value in json.loads(files[RECORD]).items() if name != "checksum"}
    record["checksums"] = {name: checksum(files[name]) for name in (WEIGHTS, HISTORY)}
    return files | {RECORD: seal(record | changes)}


def write_files(folder, files):
    """Put the files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
