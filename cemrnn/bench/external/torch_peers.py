"""Worker: the peers that run on torch, in a process whose idle threads wait as torch would have them.

torch is loaded before `cemrnn` is, which would let idle threads sleep: good for this package's kernels, and
several times slower for small operations under autograd.
"""

from __future__ import annotations

import torch

from cemrnn.bench.peers import PEERS, Case
from cemrnn.bench.worker import serve


def build(peer: str, n_threads: int, case: dict):
    """A call that does the peer's work once, and what it gives: a loss, or nothing.

    Args:
        peer: name in PEERS.
        n_threads: torch's.
        case: fields of a Case.
    """
    call = PEERS[peer].build(Case(**case))

    def work() -> float | None:
        torch.set_num_threads(n_threads)
        return call()

    return work, work()


if __name__ == "__main__":
    serve(build)
