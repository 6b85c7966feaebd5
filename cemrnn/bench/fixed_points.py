"""Fixed points: our search against the published procedure, from the same starts, with what each of them found.

Source: the published procedure is that of FixedPointFinder, Golub & Sussillo 2018 (JOSS 3, 1003), with the defaults of
its code for torch: Adam on the mean over all starts of half the squared step q = |x - F(x)|^2 / 2, in single precision,
learning rate 1, times .95 whenever the mean has not fallen for more than 5 iterations, at most 5000 of them or until
each q is below 1e-12 or changes by less than 1e-20 times the rate; points are unique if they differ by 1e-3 in some
unit. Its Jacobians, which ours include, are left out of its time.
"""

from __future__ import annotations

import functools
import itertools
import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from cemrnn.bench.engine import own_turns, thread_counts
from cemrnn.bench.rows import Bench, Row, make_row, take_turns
from cemrnn.dynamics.fixed_points import find_fixed_points
from cemrnn.dynamics.flow import Flow
from cemrnn.network.config import NetworkConfig
from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.model import CEMRNN
from cemrnn.system.threads import limit_threads

ADAM = "Adam on all starts jointly"
GOAL = 50.0
N_STARTS = 1024
LEARNING_RATE, DECAY, PATIENCE = 1.0, 0.95, 5
MAX_ITERATIONS, TOLERANCE, LEAST_CHANGE, UNIQUE = 5000, 1e-12, 1e-20, 1e-3
ALPHA = 0.2  # dt / tau of the step F
NEAR = 1e-2  # a point counts as found by whoever has one within this distance
WEIGHT = 2.0  # by which a population of the flip-flop excites itself
SIZES = (16, 64)  # units of the networks with contexts


@dataclass(frozen=True)
class Search:
    """Where to look for fixed points.

    Attributes:
        label: of the row.
        flow: P conditions.
        starts, which: (B, N) states and (B,) conditions, sorted and in equal shares.
        known: all fixed points (Q, N) and their conditions (Q,), where they are known.
    """

    label: str
    flow: Flow
    starts: Tensor
    which: Tensor
    known: tuple[np.ndarray, np.ndarray] | None = None


def compare_fixed_points(bench: Bench) -> list[Row]:
    """A row per search, with the recall of both; none where ours is the lower one."""
    find_by_adam(build_flip_flop(1))  # what torch loads at the first call is not in the peer's time
    searches = [build_flip_flop(N_STARTS), *(build_contexts(n, N_STARTS) for n in SIZES)]
    return [row for search in searches for row in compare_search(search, bench)]


def compare_search(search: Search, bench: Bench) -> list[Row]:
    """The row of one search. The peer has one turn per number of threads, which is long enough."""
    adam_s, theirs = min((time_adam(search, n) for n in thread_counts()), key=lambda timed: timed[0])
    find = functools.partial(find_fixed_points, search.flow, search.starts, search.which)
    points = find()
    ours = (points.states[~points.slow], points.which[~points.slow])
    known = search.known or join_points(search, ours, theirs)
    recalls = [measure_recall(known, found) for found in (ours, theirs)]
    if recalls[0] < recalls[1]:
        bench.leave_out(ADAM, f"{search.label}: its recall is {recalls[1]:.3f} where ours is {recalls[0]:.3f}")
        return []
    ours_s = take_turns({"ours": own_turns(find)}, bench.n_repeats, bench.turn_s)["ours"]
    label = f"{search.label}, recall {recalls[0]:.2f} (theirs {recalls[1]:.2f}) of {len(known[1])}"
    return [bench.report(make_row(label, ADAM, ours_s, adam_s, GOAL))]


def build_flip_flop(n_starts: int, n_each: int = 4) -> Search:
    """Three bits, each a population that excites itself: r = tanh(2 mean r), so 27 points of which 8 are stable."""
    weights = torch.block_diag(*[torch.full((n_each, n_each), WEIGHT / n_each, dtype=torch.float64)] * 3)[None]
    shape, row = (1, 3 * n_each), torch.zeros(1, dtype=torch.int64)
    flow = Flow(weights, row, torch.ones(shape).double(), torch.zeros(shape).double(), "tanh")
    high = brentq(lambda r: r - np.tanh(WEIGHT * r), 0.5, 1, xtol=1e-14)
    known = np.repeat(list(itertools.product((-high, 0, high), repeat=3)), n_each, axis=1)
    starts, which = _draw_starts(flow, n_starts)
    label = f"three bits, N = {3 * n_each}, {n_starts} starts"
    return Search(label, flow, starts, which, (known, np.zeros(len(known), dtype=np.int64)))


def build_contexts(n_units: int, n_starts: int) -> Search:
    """Two networks of the combined arm with random weights and modulation, in eight contexts each."""
    config = NetworkConfig(
        arm="combined",
        n_units=n_units,
        n_contexts=8,
        n_inputs=3,
        n_outputs=3,
        rank=4,
        activation="tanh",
        recurrent_start="gaussian",
        spectral_radius=1.5,
    )
    model, generator = CEMRNN(config, range(2)), torch.Generator().manual_seed(0)
    for name in ("bias_modulation", "gain_modulation", "strength_modulation"):
        model.parameters[name].data.normal_(0, 0.3, generator=generator)
    network, context = torch.arange(2).repeat_interleave(8), torch.eye(8).repeat(2, 1)
    flow = Flow.of(model, network, torch.randn(16, 3, generator=generator), context)
    return Search(f"16 contexts, N = {n_units}, {n_starts} starts", flow, *_draw_starts(flow, n_starts))


def _draw_starts(flow: Flow, n_starts: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    starts = torch.randn((n_starts, flow.n_units), generator=generator, dtype=torch.float64)
    return starts, torch.arange(flow.n_conditions).repeat_interleave(n_starts // flow.n_conditions)


def time_adam(search: Search, n_threads: int) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """Seconds of the published procedure with so many threads, and what it found."""
    with limit_threads(n_threads):
        started = time.perf_counter()
        found = keep_unique(find_by_adam(search), search.which.numpy())
        return time.perf_counter() - started, found


def find_by_adam(search: Search) -> np.ndarray:
    """States (B, N) at which the published procedure ends."""
    flow, shape = search.flow, (search.flow.n_conditions, -1, search.flow.n_units)
    weights = flow.effective_weights(torch.arange(flow.n_conditions)).float()
    drive, phi = flow.drive.float()[:, None], ACTIVATIONS[flow.activation].value
    states = search.starts.float().view(shape).clone().requires_grad_()  # (P, B / P, N)
    optimiser = torch.optim.Adam([states], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=DECAY, patience=PATIENCE)
    before = torch.full(shape[:1], torch.inf)[:, None]
    for _ in range(MAX_ITERATIONS):
        optimiser.zero_grad()
        step = ALPHA * (phi(states @ weights + drive) - states)
        half_square = 0.5 * step.square().sum(dim=2)
        mean = half_square.mean()
        mean.backward()
        optimiser.step()
        schedule.step(mean.detach())
        change = (half_square.detach() - before).abs()
        if ((half_square < TOLERANCE) | (change < LEAST_CHANGE * schedule.get_last_lr()[0])).all():
            break
        before = half_square.detach()
    return states.detach().flatten(0, 1).numpy()


def keep_unique(states: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States (Q, N) that differ by `UNIQUE` in some unit from all kept before, and their conditions (Q,)."""
    kept: list[int] = []
    for i in range(len(states)):
        same = [k for k in kept if which[k] == which[i]]
        if not same or (np.abs(states[same] - states[i]).max(axis=1) >= UNIQUE).all():
            kept.append(i)
    return states[kept], which[kept]


def join_points(
    search: Search, ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """All fixed points (Q, N), (Q,) that anybody found: theirs are made exact first, which also drops what is none."""
    starts, which = (torch.from_numpy(np.concatenate(pair)) for pair in zip(ours, theirs, strict=True))
    points = find_fixed_points(search.flow, starts, which)
    return points.states[~points.slow], points.which[~points.slow]


def measure_recall(known: tuple[np.ndarray, np.ndarray], found: tuple[np.ndarray, np.ndarray]) -> float:
    """Share of the known points (Q, N), (Q,) that have a found one of their condition nearer than `NEAR`."""
    apart = np.linalg.norm(known[0][:, None] - found[0][None], axis=2)
    apart[known[1][:, None] != found[1][None]] = np.inf
    return float((apart.min(axis=1) < NEAR).mean())
