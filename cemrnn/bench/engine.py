"""The engine against its peers: one update of an ensemble, by everybody, from the same parameters on the same data.

Everybody works with one thread and with all, and what suits them better counts. torch's peers have a process of their
own, with torch's own waiting policy: small operations under autograd are several times slower while idle threads
sleep, as they do in ours (`cemrnn.system.process`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cemrnn.bench.environments import peer_python
from cemrnn.bench.peers import LOOP, PEERS, PRODUCTS, Case, build_ours, save_case
from cemrnn.bench.rows import Bench, Row, make_row, take_turns
from cemrnn.bench.worker import Worker, WorkerError
from cemrnn.sweep.workload import LEARNING_RATE
from cemrnn.system.resources import count_cores
from cemrnn.system.threads import limit_threads
from cemrnn.system.timing import Turn, time_turn

EXTERNAL = Path(__file__).with_name("external")
JAX = "JAX, jit of vmap of scan"
ARMS_COMPARED = ("plain", "combined")
CASES = (
    *(Case(arm, phi, n_units=n, n_networks=16) for n in (64, 128) for arm in ARMS_COMPARED for phi in ("relu", "tanh")),
    *(Case(arm, "relu", n_units=n, n_networks=64) for n in (16, 32) for arm in ARMS_COMPARED),
)
LOSS_TOLERANCE = 1e-4  # relative; single precision over 60 steps keeps about five digits
MOST_DEVICES = 16  # that the networks of every case can be divided among


def find_goal(case: Case, peer: str) -> float | None:
    """Smallest ratio that we aim at; the products alone are the machine's limit, a ratio of 1."""
    goals = {LOOP: {16: 25.0, 32: 25.0, 64: 10.0, 128: 6.0}, JAX: {64: 4.0}}
    if case.activation == "relu":
        goals[PRODUCTS] = {64: 0.6, 128: 0.7}
    return goals.get(peer, {}).get(case.n_units)


def compare_engine(bench: Bench) -> list[Row]:
    """A row per case and peer."""
    return [row for case in CASES for row in compare_case(case, bench)]


def compare_case(case: Case, bench: Bench) -> list[Row]:
    """The rows of one case."""
    ours = build_ours(case)
    loss = ours()
    label = f"{case.arm}, {case.activation}, N = {case.n_units}, M = {case.n_networks}"
    with contextlib.ExitStack() as stack:
        turns = {"ours": own_turns(ours)}
        for add in (_add_torch_peers, _add_jax):
            turns |= add(case, loss, stack, bench)
        seconds = take_turns(turns, bench.n_repeats, bench.turn_s)
    ours_s = seconds.pop("ours")
    return [bench.report(make_row(label, peer, ours_s, s, find_goal(case, peer))) for peer, s in seconds.items()]


def thread_counts() -> list[int]:
    """One, and all that torch would use."""
    return sorted({1, count_cores()})


def own_turns(call: Callable[[], object]) -> list[Turn]:
    """Turns at a call in this process, one per number of threads."""
    return [functools.partial(_take_own_turn, call, n) for n in thread_counts()]


def _take_own_turn(call: Callable[[], object], n_threads: int, seconds: float) -> float:
    with limit_threads(n_threads):
        return time_turn(call, seconds)


def _add_torch_peers(case: Case, loss: float, stack: contextlib.ExitStack, bench: Bench) -> dict[str, list[Turn]]:
    log = bench.folder / "torch_peers.log"
    worker = stack.enter_context(Worker(sys.executable, EXTERNAL / "torch_peers.py", log, {"OMP_WAIT_POLICY": None}))
    turns: dict[str, list[Turn]] = {}
    for name, peer in PEERS.items():
        if case.arm in peer.arms:
            work = dict(peer=name, case=dataclasses.asdict(case))
            prepared = [worker.prepare(n_threads=n, **work) for n in thread_counts()]
            if not peer.same_model or agrees(name, prepared[0][1], loss, bench):
                turns[name] = [turn for turn, _ in prepared]
    return turns


def _add_jax(case: Case, loss: float, stack: contextlib.ExitStack, bench: Bench) -> dict[str, list[Turn]]:
    """With one device, and with one per core, among which the networks are divided."""
    n_devices = 2 ** int(math.log2(min(count_cores(), MOST_DEVICES)))
    counts = [f"--xla_force_host_platform_device_count={n}" for n in sorted({1, n_devices})]
    return add_jax("jax", [{"XLA_FLAGS": count} for count in counts], case, loss, stack, bench)


def add_jax(
    environment: str, settings: Sequence[Mapping[str, str]], case: Case, loss: float, stack: contextlib.ExitStack,
    bench: Bench,
) -> dict[str, list[Turn]]:  # fmt: skip
    """Turns at an update by JAX, under its name, with the variables of each of the settings."""
    data, turns = bench.folder / "case.npz", []
    try:
        python = peer_python(environment, bench.folder, bench.pip_arguments, bench.say)
        save_case(case, data)
        for i, variables in enumerate(settings):
            log = bench.folder / f"{environment}_{i}.log"
            worker = stack.enter_context(Worker(python, EXTERNAL / "jax_vmap.py", log, variables))
            work = dict(activation=case.activation, alpha=case.network.alpha, learning_rate=LEARNING_RATE)
            turn, got = worker.prepare(data=str(data.resolve()), **work)
            turns += [turn] if agrees(JAX, got, loss, bench) else []
    except WorkerError as error:
        bench.leave_out(JAX, error)
    return {JAX: turns} if turns else {}


def agrees(peer: str, got: float, expected: float, bench: Bench) -> bool:
    """Whether a peer's first loss is ours; if not, it is left out with a line that says so."""
    if math.isclose(got, expected, rel_tol=LOSS_TOLERANCE):
        return True
    bench.leave_out(peer, f"its first loss is {got:.7g} where ours is {expected:.7g}")
    return False
