"""The engine on a CUDA card: one update of an ensemble against what the card could do at best, and other ways to do it.

Everything works on the card and in this process. Where there is none, every peer is left out with a line.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

import torch

from cemrnn.bench.engine import add_jax
from cemrnn.bench.peers import Case, build_product, build_torch_rnn
from cemrnn.bench.rows import Bench, Row, make_row, take_turns
from cemrnn.card.recipes import for_card
from cemrnn.card.streams import CardTrialStream, open_streams
from cemrnn.card.transfer import send_all
from cemrnn.network.config import NetworkConfig
from cemrnn.sweep.workload import STANDING, Workload, build_update
from cemrnn.system.machine import describe_gpu
from cemrnn.system.timing import Turn, time_turn
from cemrnn.tasks import BATTERY, TaskSet, TrialStream
from cemrnn.tasks.cues import CueConfig, CueStream
from cemrnn.training.config import TrainingConfig

ROOF = "batched products of the card"
BATCHED, GRAPH, CUDNN = "a kernel per operation", "a CUDA graph of it, without Adam", "torch.nn.RNN (cuDNN) per network"
AIM, KERNEL, CORES = "the time aimed at", "the update without drawing", "the cores of this machine"
COPIED = "drawn on the cores, then copied"
# It finds the card or fails, multiplies in single precision as ours, and leaves memory to others.
JAX_ON_CARD = {
    "JAX_PLATFORMS": "cuda", "JAX_DEFAULT_MATMUL_PRECISION": "highest", "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}  # fmt: skip
# Case, least share of the roof that is aimed at, and the most seconds.
CASES = (
    (Case("plain", "relu", n_units=128, n_networks=256), 0.7, None),
    (Case("combined", "relu", n_units=128, n_networks=256, rank=16), 0.45, None),
    (Case("plain", "relu", n_units=64, n_networks=16), None, 0.8e-3),
    (Case("combined", "relu", n_units=16, n_networks=1024), None, 5e-3),
    (Case("plain", "relu", n_units=256, n_networks=160, n_trials=128, n_steps=130), 0.6, None),
)
N_TASKS, N_NETWORKS = 4, 16  # of a whole training step
# Tasks, networks and trials of a batch that is drawn: of the profiles `quick` and `full`.
DRAWN = (
    (TaskSet.rotate(N_TASKS, preset="fast"), N_NETWORKS, 64),
    (TaskSet(names=BATTERY, preset="yang", encoding="ring"), 20, 128),
)
DRAWN_SHARE, OVER_CORES = 2 / 3, 10.0  # its goals: of the kernel's own speed, over the cores'


def compare_card(bench: Bench) -> list[Row]:
    """A row per case and peer, then those of drawing alone, and of a whole training step, which draws its trials."""
    if not torch.cuda.is_available():
        bench.leave_out("all of them", "there is no CUDA card here")
        return []
    bench.say(describe_gpu())
    rows = [row for case, share, most_s in CASES for row in compare_case(case, share, most_s, bench, "cuda")]
    rows += [row for drawn in DRAWN for row in compare_drawing(*drawn, bench, "cuda")]
    return rows + compare_step(bench, "cuda")


def compare_case(case: Case, share: float | None, most_s: float | None, bench: Bench, device: str) -> list[Row]:
    """The rows of one case; where a time is aimed at there is a row for it."""
    label = f"{case.arm}, {case.activation}, N = {case.n_units}, M = {case.n_networks}, T = {case.n_steps}"
    builders: dict[str, Callable[[], Callable]] = {
        "ours": lambda: build_update(case.workload, device),
        ROOF: lambda: _synchronised(build_product(case, device), device),
        BATCHED: lambda: build_update(case.workload, device, backend="batched"),
        GRAPH: lambda: _capture(case, device),
    }
    if case.arm == "plain":
        builders[CUDNN] = lambda: build_torch_rnn(case, device)
    turns: dict[str, list[Turn]] = {}
    for name, build in builders.items():
        try:
            turns[name] = [_turn(build())]
        except RuntimeError as error:  # out of memory, or what a graph cannot hold
            if name == "ours":
                raise
            bench.leave_out(f"{name}, {label}", str(error).splitlines()[0])
    with contextlib.ExitStack() as stack:
        if device != "cpu":
            first = build_update(case.workload, device, backend="batched")()
            turns |= add_jax("jax_cuda", [JAX_ON_CARD], case, first, stack, bench)
        seconds = take_turns(turns, bench.n_repeats, bench.turn_s)
    ours_s, goals = seconds.pop("ours"), {ROOF: share}
    if most_s is not None:
        seconds[AIM], goals[AIM] = most_s, 1.0
    return [bench.report(make_row(label, peer, ours_s, s, goals.get(peer))) for peer, s in seconds.items()]


def compare_drawing(tasks: TaskSet, n_networks: int, n_trials: int, bench: Bench, device: str) -> list[Row]:
    """The row of a batch of trials and cues that are filled on the card; none where it cannot."""
    label = f"drawing, {len(tasks.names)} tasks, {tasks.encoding}, {n_networks} x {n_trials} trials"
    place, named = torch.device(device), dict(seeds=range(n_networks), name="bench")
    streams = {"ours": open_streams(tasks, CueConfig(), **named, device=place)}
    if not isinstance(streams["ours"][0], CardTrialStream):
        bench.leave_out(label, "Triton refuses to fill trials")
        return []
    streams[COPIED] = TrialStream(tasks, **named), CueStream(CueConfig(), **named)

    def draw(trials: TrialStream, cues: CueStream) -> None:
        drawn = trials.draw(n_trials)
        for made in (drawn, cues.draw(drawn)):
            send_all(made, place)

    turns = {name: [_turn(_synchronised(functools.partial(draw, *pair), device))] for name, pair in streams.items()}
    seconds = take_turns(turns, bench.n_repeats, bench.turn_s)
    return [bench.report(make_row(label, COPIED, seconds["ours"], seconds[COPIED]))]


def compare_step(bench: Bench, device: str) -> list[Row]:
    """A training step of the profile `quick`, drawing included, against its update alone and against the cores."""
    tasks = TaskSet.rotate(N_TASKS, preset="fast")
    network = NetworkConfig.for_tasks(tasks, arm="combined", n_units=64, rank=8)
    recipe = dict(network=network, tasks=tasks, n_updates=1, batch_trials=64, learning_rate=STANDING)
    configs = for_card([TrainingConfig(seed=seed, **recipe) for seed in range(N_NETWORKS)])
    updates = {name: configs[0].make_learner(configs, torch.device(place), None).update for name, place in
               (("ours", device), (CORES, "cpu"))}  # fmt: skip
    n_steps = TrialStream(tasks, range(N_NETWORKS)).draw(64).inputs.shape[2]
    updates[KERNEL] = build_update(Workload(network, N_NETWORKS, 64, n_steps), device)
    turns = {name: [_turn(update)] for name, update in updates.items()}
    seconds = take_turns(turns, bench.n_repeats, bench.turn_s)
    ours_s, goals = seconds.pop("ours"), {KERNEL: DRAWN_SHARE, CORES: OVER_CORES}
    label = f"training step, combined, N = {network.n_units}, M = {N_NETWORKS}"
    return [bench.report(make_row(label, peer, ours_s, s, goals[peer])) for peer, s in seconds.items()]


def _turn(call: Callable[[], object]) -> Turn:
    return lambda seconds: time_turn(call, seconds)


def _synchronised(call: Callable[[], object], device: str) -> Callable[[], None]:
    def run() -> None:
        call()
        if device != "cpu":
            torch.cuda.synchronize()

    return run


def _capture(case: Case, device: str) -> Callable[[], None]:
    """Replays of a graph of loss and gradient by the batched back end."""
    if device == "cpu":
        raise RuntimeError("a CPU has no graphs")
    update = build_update(case.workload, device, backend="batched", steps=False)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):  # as torch asks for before a capture
        for _ in range(3):
            update()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        update()
    return _synchronised(graph.replay, device)
