"""The engine on a CUDA card: one update of an ensemble against what the card could do at best, and other ways to do it.

Everything works on the card and in this process. Where there is none, or memory is short, who cannot be measured is
left out with a line that says why, and the others are measured.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from cemrnn.bench.engine import JAX, add_jax
from cemrnn.bench.peers import Case, build_product, build_torch_rnn
from cemrnn.bench.rows import Bench, MemoryRow, Row, make_memory_row, make_row, take_turns
from cemrnn.card.recipes import for_card
from cemrnn.card.recording import record_on_card
from cemrnn.card.streams import CardTrialStream, open_streams
from cemrnn.card.transfer import send_all
from cemrnn.network.config import NetworkConfig
from cemrnn.network.noise import NoiseStream
from cemrnn.network.pathways import ARMS
from cemrnn.sweep.cost import estimate_seconds
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
    (Case("combined", "relu", n_units=128, n_networks=256, rank=16, sigma_rec=0.05), 0.45, None),
    (Case("plain", "relu", n_units=64, n_networks=16), None, 0.8e-3),
    (Case("combined", "relu", n_units=16, n_networks=1024), None, 5e-3),
    (Case("plain", "relu", n_units=256, n_networks=160, n_trials=128, n_steps=130), 0.6, None),
)
MEMORY, MOST_MEMORY = "three times the rates and another array", 3 * 2  # of the size of the rates
N_TASKS, N_NETWORKS = 4, 16  # of a whole training step
# Tasks, networks and trials of a batch that is drawn: of the profiles `quick` and `full`.
FULL = TaskSet(names=BATTERY, preset="yang", encoding="ring"), 20, 128
DRAWN = ((TaskSet.rotate(N_TASKS, preset="fast"), N_NETWORKS, 64), FULL)
DRAWN_SHARE, OVER_CORES = 2 / 3, 10.0  # its goals: of the kernel's own speed, over the cores'
LONG = 10**6  # updates: more than are measured, so that there is always a next batch to be drawn
FULL_UNITS, FULL_RANK, FULL_UPDATES, FULL_S = 256, 32, 50_000, 3600.0


def compare_card(bench: Bench) -> list[Row | MemoryRow]:
    """Rows of every case and peer, of memory, of drawing, of a whole training step, and of the forecast for `full`."""
    if not torch.cuda.is_available():
        bench.leave_out("all of them", "there is no CUDA card here")
        return []
    bench.say(describe_gpu())
    rows: list[Row | MemoryRow] = []
    for case, share, most_s in CASES:
        rows += compare_case(case, share, most_s, bench, "cuda")
        rows += compare_memory(case, bench, "cuda")
    for drawn in DRAWN:
        rows += compare_drawing(*drawn, bench, "cuda")
    return [*rows, *compare_step(bench, "cuda"), *forecast_full(bench, "cuda")]


def compare_case(case: Case, share: float | None, most_s: float | None, bench: Bench, device: str) -> list[Row]:
    """The rows of one case; where a time is aimed at there is a row for it."""
    builders: dict[str, Callable[[], Callable]] = {
        "ours": lambda: _build(case, device),
        ROOF: lambda: _synchronised(build_product(case, device), device),
        BATCHED: lambda: _build(case, device, backend="batched"),
        GRAPH: lambda: _capture(case, device),
    }
    if case.arm == "plain":
        builders[CUDNN] = lambda: build_torch_rnn(case, device)
    turns, label = {name: [_turn(build)] for name, build in builders.items()}, _describe(case)
    with contextlib.ExitStack() as stack:
        if device != "cpu":
            with _leaving_out(f"{JAX}, {label}", bench):
                first = build_update(case.workload, device, backend="batched")()  # without noise, which JAX lacks
                turns |= add_jax("jax_cuda", [JAX_ON_CARD], case, first, stack, bench)
        seconds = _measure(turns, label, bench)
    if not seconds:
        return []
    ours_s, goals = seconds.pop("ours"), {ROOF: share}
    if most_s is not None:
        seconds[AIM], goals[AIM] = most_s, 1.0
    return [bench.report(make_row(label, peer, ours_s, s, goals.get(peer))) for peer, s in seconds.items()]


def compare_memory(case: Case, bench: Bench, device: str) -> list[MemoryRow]:
    """The row of the most memory that updates of one case take, with all that they hold, against what is aimed at."""
    label = f"memory, {_describe(case)}"
    most_bytes = MOST_MEMORY * 4 * case.n_networks * case.n_trials * case.n_steps * case.n_units
    with _leaving_out(label, bench):
        return [bench.report(make_memory_row(label, MEMORY, _find_peak(case, device), most_bytes, 1.0))]
    return []


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

    def build(pair: tuple[TrialStream, CueStream]) -> Callable[[], None]:
        return _synchronised(functools.partial(draw, *pair), device)

    seconds = _measure({name: [_turn(functools.partial(build, pair))] for name, pair in streams.items()}, label, bench)
    return [bench.report(make_row(label, COPIED, seconds["ours"], seconds[COPIED]))] if len(seconds) == 2 else []


def compare_step(bench: Bench, device: str) -> list[Row]:
    """A training step of the profile `quick`, drawing included, against its update alone and against the cores."""
    tasks = TaskSet.rotate(N_TASKS, preset="fast")
    network = NetworkConfig.for_tasks(tasks, arm="combined", n_units=64, rank=8)
    recipe = dict(network=network, tasks=tasks, n_updates=LONG, batch_trials=64, learning_rate=STANDING)
    configs = for_card([TrainingConfig(seed=seed, **recipe) for seed in range(N_NETWORKS)])
    n_steps = TrialStream(tasks, range(N_NETWORKS)).draw(64).inputs.shape[2]
    noise = NoiseStream(range(N_NETWORKS), name="bench", device=device).count(network)
    builders = {
        "ours": lambda: configs[0].make_learner(configs, torch.device(device), None).update,
        CORES: lambda: configs[0].make_learner(configs, torch.device("cpu"), None).update,
        KERNEL: lambda: build_update(Workload(network, N_NETWORKS, 64, n_steps), device, noise=noise),
    }
    label = f"training step, combined, N = {network.n_units}, M = {N_NETWORKS}"
    seconds = _measure({name: [_turn(build)] for name, build in builders.items()}, label, bench)
    if not seconds:
        return []
    ours_s, goals = seconds.pop("ours"), {KERNEL: DRAWN_SHARE, CORES: OVER_CORES}
    return [bench.report(make_row(label, peer, ours_s, s, goals[peer])) for peer, s in seconds.items()]


def forecast_full(bench: Bench, device: str) -> list[Row]:
    """The row of the time that the battery of the profile `full` would take, forecast from updates of each arm."""
    ensembles = list_full()
    label = f"forecast for full's battery, {len(ensembles)} arms x {FULL[1]} networks, N = {FULL_UNITS}"
    with _leaving_out(label, bench):
        return [bench.report(make_row(label, AIM, sum(estimate_seconds(ensembles, device)), FULL_S, 1.0))]
    return []


def list_full() -> list[list[TrainingConfig]]:
    """The networks of the battery of the profile `full`, one ensemble for every arm that a context reaches."""
    tasks, n_networks, n_trials = FULL
    recipe = dict(tasks=tasks, n_updates=FULL_UPDATES, batch_trials=n_trials, learning_rate=5e-3)
    networks = [
        NetworkConfig.for_tasks(tasks, arm=arm.name, n_units=FULL_UNITS, rank=arm.rank_of(FULL_RANK))
        for arm in ARMS.values()
        if arm.pathways
    ]
    return [[TrainingConfig(network=n, seed=seed, **recipe) for seed in range(n_networks)] for n in networks]


def _describe(case: Case) -> str:
    noisy = ", noise" if case.sigma_rec else ""
    return f"{case.arm}, {case.activation}, N = {case.n_units}, M = {case.n_networks}, T = {case.n_steps}{noisy}"


def _build(case: Case, device: str, **how) -> Callable[[], float | None]:
    """An update of a case, with noise where it has some."""
    noise = NoiseStream(range(case.n_networks), name="bench", device=device).count(case.network)
    return build_update(case.workload, device, noise=noise, **how)


def _turn(build: Callable[[], Callable[[], object]]) -> Turn:
    """A turn at what is built when the first one is taken."""
    built = functools.cache(build)
    return lambda seconds: time_turn(built(), seconds)


class _LeftOut(Exception):
    """Somebody was left out, and the others begin anew."""


def _measure(turns: Mapping[str, Sequence[Turn]], label: str, bench: Bench) -> dict[str, float]:
    """Median seconds of everybody's work, but for those who fail; empty where ours does."""
    left = dict(turns)

    def guard(name: str, turn: Turn) -> Turn:
        def take(seconds: float) -> float:
            with _leaving_out(f"{name}, {label}", bench):
                return turn(seconds)
            del left[name]
            raise _LeftOut

        return take

    while "ours" in left:
        guarded = {name: [guard(name, turn) for turn in own] for name, own in left.items()}
        with contextlib.suppress(_LeftOut):
            return take_turns(guarded, bench.n_repeats, bench.turn_s)
    return {}


@contextlib.contextmanager
def _leaving_out(what: str, bench: Bench) -> Iterator[None]:
    """Say why there is no row where memory is short, or the card or a peer refuses."""
    try:
        yield
    except RuntimeError as error:
        bench.leave_out(what, next(iter(str(error).splitlines()), type(error).__name__))


def _find_peak(case: Case, device: str) -> int:
    """Most bytes that updates of a case hold at once: called, recorded and repeated."""
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    update = _build(case, device)
    for _ in range(3):
        update()
    return torch.cuda.max_memory_allocated(device) - before


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
    update = _build(case, device, backend="batched", steps=False)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):  # as torch asks for before a capture
        for _ in range(3):
            update()
    torch.cuda.current_stream().wait_stream(side)
    return _synchronised(record_on_card(torch.device(device), update), device)
