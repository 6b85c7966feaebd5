"""Worker: sequences from NeuroGym's Dataset, all tasks of its collection after Yang et al. 2019 in turn.

NeuroGym loads torch and does not use it here, so that torch comes from the environment of this package; everything
else comes from NeuroGym's own.
"""

from __future__ import annotations

import os
import sys
import warnings

sys.path.append(os.environ["TORCH_FOLDER"])  # last: where both environments have a package, NeuroGym's is taken
warnings.simplefilter("ignore")  # a page of deprecations per environment

import neurogym  # noqa: E402
from neurogym.envs.collections import get_collection  # noqa: E402

from cemrnn.bench.worker import serve  # noqa: E402

N_SEQUENCES = 4  # per task and call: the Dataset fills its cache every second one


def build(batch_size: int, n_steps: int, dt_ms: float):
    """A call that takes four batches of every task, and the number of steps that they have together.

    Args:
        batch_size: sequences per batch.
        n_steps: per sequence.
        dt_ms: step of the tasks.
    """
    settings = dict(env_kwargs={"dt": dt_ms}, batch_size=batch_size, seq_len=n_steps)
    datasets = [neurogym.Dataset(name, **settings) for name in get_collection("yang19")]

    def call() -> None:
        for dataset in datasets:
            for _ in range(N_SEQUENCES):
                dataset()

    return call, len(datasets) * N_SEQUENCES * batch_size * n_steps


if __name__ == "__main__":
    serve(build)
