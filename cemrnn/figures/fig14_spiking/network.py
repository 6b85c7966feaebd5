"""Networks of spiking cells: who sends to whom and how late, the state at the start, and runs of many networks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cemrnn.figures.fig14_spiking.kernel import MAX_DELAY, REWARD_STEPS, RING, Cells, State, Synapses, advance
from cemrnn.random import fill_trial_keys, fill_uniforms, stream
from cemrnn.system.threads import run_on_threads, split_evenly
from cemrnn.tasks.counted import derive_keys

EXCITATORY, INHIBITORY = 1.0, -1.0  # weights at the start; that of the rewarded synapse is 0 (Izhikevich 2007)
STEPS_PER_S = 1000


def draw_synapses(
    n_units: int, n_excitatory: int, n_synapses: int, seed: int, *, extra_reward_steps: int = 0
) -> Synapses:
    """Synapses of one network; excitatory cells reach all others, inhibitory ones excitatory cells after one step.

    Args:
        n_units: cells N.
        n_excitatory: the first of them.
        n_synapses: of each cell, to different cells.
        seed: of the network.
        extra_reward_steps: that reward comes later than it should.
    """
    generator = stream(seed, "spiking", "wiring")
    post = np.empty((n_units, n_synapses), np.int32)
    delay = np.ones((n_units, n_synapses), np.int64)
    for i in range(n_units):
        others = np.delete(np.arange(n_units), i) if i < n_excitatory else np.arange(n_excitatory)
        post[i] = generator.choice(others, n_synapses, replace=False)
        if i < n_excitatory:
            delay[i] = np.sort(generator.integers(1, MAX_DELAY + 1, n_synapses))
    to_excitatory = np.flatnonzero(post[0] < n_excitatory)
    k = int(generator.choice(to_excitatory))
    return lay_out_synapses(post, delay, n_excitatory, (0, int(post[0, k]), k), extra_reward_steps)


def lay_out_synapses(
    post: np.ndarray, delay: np.ndarray, n_plastic: int, rewarded: tuple[int, int, int], extra_reward_steps: int = 0
) -> Synapses:
    """Synapses from receivers (N, S) and delays (N, S), which rise along each row; steps."""
    starts = np.stack([(delay < d).sum(axis=1) for d in range(MAX_DELAY + 2)], axis=1)
    flat = np.arange(post[:n_plastic].size)
    flat = flat[np.argsort(post[:n_plastic].ravel(), kind="stable")]
    receivers = post.ravel()[flat]
    return Synapses(
        post=post.astype(np.int32),
        starts=starts,
        pre_in=flat // post.shape[1],
        delay_in=delay.ravel()[flat],
        flat_in=flat,
        starts_in=np.searchsorted(receivers, np.arange(len(post) + 1)),
        n_plastic=n_plastic,
        rewarded=np.array(rewarded),
        extra_reward_steps=extra_reward_steps,
    )


def start(synapses: Synapses, cells: Cells) -> State:
    """The state before the first step."""
    n_units = len(cells.a)
    weight = np.full(synapses.post.shape, INHIBITORY, np.float32)
    weight[: synapses.n_plastic] = EXCITATORY
    weight[synapses.rewarded[0], synapses.rewarded[2]] = 0
    return State(
        v=np.full(n_units, -65.0),
        u=cells.b * -65.0,
        trace=np.zeros((RING, n_units)),
        fired=np.zeros((RING, n_units), np.int64),
        n_fired=np.zeros(RING, np.int64),
        n_spikes=np.zeros(n_units, np.int64),
        weight=weight,
        eligibility=np.zeros(synapses.post.shape, np.float32),
        dopamine=np.zeros(1),
        due=np.zeros(REWARD_STEPS[1] + synapses.extra_reward_steps + 1),
        last=np.full(1, -(10**6)),
        saturated=np.full(1, -1),
    )


class Run(NamedTuple):
    """What M networks did, second by second."""

    rewarded: np.ndarray  # (M, T) weight of the rewarded synapse at the end of every second
    others: np.ndarray  # (M, T) mean weight of all other plastic synapses
    rate_hz: np.ndarray  # (M, T) spikes of excitatory cells, per cell
    saturated_s: np.ndarray  # (M,) when the rewarded synapse was full; infinite if it was not within the run


def simulate(networks: list[tuple[Synapses, Cells]], seeds: list[int], n_seconds: int) -> Run:
    """Runs of networks, one per seed; what a network does depends on its own seed alone."""
    keys = derive_keys(seeds, "spiking", "input")
    curves, saturated = np.empty((3, len(seeds), n_seconds)), np.empty(len(seeds))

    def run(part: slice) -> None:
        for m in range(len(seeds))[part]:
            curves[:, m], saturated[m] = _simulate_one(*networks[m], keys[m : m + 1], n_seconds)

    run_on_threads(run, split_evenly(len(seeds)))
    return Run(*curves, saturated)


def _simulate_one(synapses: Synapses, cells: Cells, key: np.ndarray, n_seconds: int) -> tuple[np.ndarray, float]:
    """Curves (3, T) and time of saturation of one network."""
    state, n_plastic = start(synapses, cells), synapses.n_plastic
    step_keys, uniforms = np.empty((1, STEPS_PER_S), np.uint64), np.empty((STEPS_PER_S, len(cells.a) + 1))
    curves, n_before = np.empty((3, n_seconds)), 0
    for second in range(n_seconds):
        fill_trial_keys(key, second * STEPS_PER_S, step_keys)
        fill_uniforms(step_keys[0], uniforms)
        advance(second * STEPS_PER_S, uniforms, synapses, cells, state)
        weight = state.weight[synapses.rewarded[0], synapses.rewarded[2]]
        others = (state.weight[:n_plastic].sum(dtype=float) - weight) / (state.weight[:n_plastic].size - 1)
        n_spikes = state.n_spikes[:n_plastic].sum()
        curves[:, second] = weight, others, (n_spikes - n_before) / n_plastic
        n_before = n_spikes
    return curves, state.saturated[0] / STEPS_PER_S if state.saturated[0] >= 0 else np.inf
