"""Compiled steps of one millisecond: Izhikevich's neurons, delays, and plasticity that dopamine turns into weights.

With membrane v and recovery u: v' = .04 v^2 + 5 v + 140 - u + I in two half steps, then u' = a (b v - u) in one; at
v >= 30 a spike, v <- c, u <- u + d. A spike of step t arrives at step t + delay. A trace is .1 at a spike and loses 5 %
a step; a spike that follows an arrival by dt steps adds .1 * .95^dt to the synapse's eligibility, one that precedes it
by dt or falls on it takes .15 * .95^dt away. Every ten steps W += (tonic + dopamine) * eligibility within its bounds.

Source: Izhikevich 2003 (neuron) and 2007 (plasticity). Delays of one to five steps and the decay of dopamine, 1 % a
step, are those of Rodriguez-Garcia et al. 2024. Ours is that a spike on the step of an arrival only depresses, since
that arrival cannot have caused it.

Compiled code is found again by the text of this file alone: all that it calls belongs here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cemrnn.random import compiled

TRACE, TRACE_KEPT, DEPRESSION = 0.1, 0.95, 1.5
UPDATE_STEPS, ELIGIBILITY_KEPT, DOPAMINE_KEPT = 10, 0.99, 0.99
WINDOW_STEPS, REWARD_STEPS = 20, (1000, 3000)  # of a pair that is rewarded, and until the reward comes
MAX_DELAY, PEAK_MV = 5, 30.0
RING = MAX_DELAY + 2  # steps of spikes and traces that are kept
_f = np.float32


class Synapses(NamedTuple):
    """Who sends to whom: N neurons, the first `n_plastic` of them excitatory, S synapses of each, D longest delay."""

    post: np.ndarray  # (N, S) int32, in the order of their delays
    starts: np.ndarray  # (N, D + 2) first synapse of every delay
    pre_in: np.ndarray  # (P,) sender of every plastic synapse, by receiver
    delay_in: np.ndarray  # (P,) steps
    flat_in: np.ndarray  # (P,) its place in the flattened (N, S)
    starts_in: np.ndarray  # (N + 1,) first of every receiver
    n_plastic: int
    rewarded: np.ndarray  # (3,) sender, receiver, and number among the sender's synapses
    extra_reward_steps: int  # that reward comes later than it should


class Cells(NamedTuple):
    """Parameters of N neurons, c and d before and after saturation."""

    a: np.ndarray  # (N,)
    b: np.ndarray  # (N,)
    c: np.ndarray  # (2, N)
    d: np.ndarray  # (2, N)
    phasic: np.ndarray  # (2,) whether rewards release dopamine, 1 or 0
    tonic: float  # dopamine without reward
    reward: float  # dopamine that a reward adds
    most: float  # largest weight
    input: float  # width of the uniform input


class State(NamedTuple):
    """All that changes."""

    v: np.ndarray  # (N,)
    u: np.ndarray  # (N,)
    trace: np.ndarray  # (RING, N)
    fired: np.ndarray  # (RING, N) neurons that fired at a step; the first n_fired count
    n_fired: np.ndarray  # (RING,)
    n_spikes: np.ndarray  # (N,) so far
    weight: np.ndarray  # (N, S) float32, as the next one
    eligibility: np.ndarray  # (N, S)
    dopamine: np.ndarray  # (1,)
    due: np.ndarray  # (L,) rewards on their way, by the step they come at modulo L
    last: np.ndarray  # (1,) latest spike of the rewarded sender
    saturated: np.ndarray  # (1,) step, -1 before


@compiled()
def advance(first, uniforms, synapses, cells, state):
    """Advances the state by as many steps as there are rows of uniform numbers (T, N + 1), from step `first` on.

    The last column decides how late a reward comes.
    """
    current = np.empty(len(state.v))
    for row in range(uniforms.shape[0]):
        t = first + row
        phase = 1 if state.saturated[0] >= 0 else 0
        for i in range(len(current)):
            current[i] = cells.input * (uniforms[row, i] - 0.5)
        _fire(t, phase, cells, state)
        _potentiate(t, synapses, state)
        _deliver(t, current, synapses, state)
        _integrate(current, cells, state)
        _reward(t, uniforms[row, -1], phase, synapses, cells, state)
        if (t + 1) % UPDATE_STEPS == 0:
            _learn(t + 1, synapses, cells, state)


@compiled()
def _fire(t, phase, cells, state):
    """Resets who reached the peak, and lists them; traces decay, and are set by a spike."""
    here, n = t % RING, 0
    now, before = state.trace[here], state.trace[(t - 1) % RING]
    for i in range(len(state.v)):
        now[i] = TRACE_KEPT * before[i]
    for i in range(len(state.v)):
        if state.v[i] >= PEAK_MV:
            state.v[i] = cells.c[phase, i]
            state.u[i] += cells.d[phase, i]
            now[i] = TRACE
            state.fired[here, n] = i
            state.n_spikes[i] += 1
            n += 1
    state.n_fired[here] = n


@compiled()
def _potentiate(t, synapses, state):
    """Adds what spikes that arrived before this step leave, to the synapses of who fires now."""
    eligibility, here = state.eligibility.reshape(-1), t % RING
    slot = np.empty(RING, np.int64)
    for delay in range(RING - 1):
        slot[delay] = (t - delay - 1) % RING
    for n in range(state.n_fired[here]):
        j = state.fired[here, n]
        for k in range(synapses.starts_in[j], synapses.starts_in[j + 1]):
            left = state.trace[slot[synapses.delay_in[k]], synapses.pre_in[k]]
            eligibility[synapses.flat_in[k]] += TRACE_KEPT * left


@compiled()
def _deliver(t, current, synapses, state):
    """Adds the currents that arrive now, and takes away what the receivers' earlier spikes cost."""
    trace = state.trace[t % RING]
    for delay in range(1, MAX_DELAY + 1):
        slot = (t - delay) % RING
        for n in range(state.n_fired[slot]):
            i = state.fired[slot, n]
            for k in range(synapses.starts[i, delay], synapses.starts[i, delay + 1]):
                j = synapses.post[i, k]
                current[j] += state.weight[i, k]
                state.eligibility[i, k] -= DEPRESSION * trace[j]


@compiled()
def _integrate(current, cells, state):
    v, u = state.v, state.u
    for i in range(len(v)):
        x, recovery = v[i], u[i]
        for _ in range(2):
            x += 0.5 * ((0.04 * x + 5) * x + 140 - recovery + current[i])
        v[i] = x
        u[i] = recovery + cells.a[i] * (cells.b[i] * x - recovery)


@compiled()
def _reward(t, uniform, phase, synapses, cells, state):
    """Promises a reward if the pair fires in order, releases dopamine for those that are due, and lets it decay."""
    here, n_due, paired = t % RING, len(state.due), False
    for n in range(state.n_fired[here]):
        paired |= state.fired[here, n] == synapses.rewarded[1]
    if paired and t - state.last[0] < WINDOW_STEPS:
        shortest, longest = REWARD_STEPS
        wait = shortest + np.int64(np.ceil((longest - shortest) * uniform)) + synapses.extra_reward_steps
        state.due[(t + wait) % n_due] += 1
    for n in range(state.n_fired[here]):
        if state.fired[here, n] == synapses.rewarded[0]:
            state.last[0] = t
    state.dopamine[0] = cells.phasic[phase] * (state.dopamine[0] + cells.reward * state.due[t % n_due]) * DOPAMINE_KEPT
    state.due[t % n_due] = 0


@compiled()
def _learn(t, synapses, cells, state):
    """Turns eligibility into weights of excitatory synapses, and notes when the rewarded one is full."""
    rate, most, kept = _f(cells.tonic + state.dopamine[0]), _f(cells.most), _f(ELIGIBILITY_KEPT)
    size = synapses.n_plastic * synapses.post.shape[1]
    weight, eligibility = state.weight.reshape(-1), state.eligibility.reshape(-1)
    for k in range(size):
        weight[k] = min(max(weight[k] + rate * eligibility[k], _f(0)), most)
        eligibility[k] *= kept
    if state.saturated[0] < 0 and state.weight[synapses.rewarded[0], synapses.rewarded[2]] >= cells.most:
        state.saturated[0] = t
