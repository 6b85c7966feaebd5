"""Triton kernel that lays trials out in time: `cemrnn.tasks.rendering` and `cemrnn.random.add_noise` in one.

One program has a network, STEPS steps, and BLOCK positions of a step; a position is a feature of a trial. Normal
numbers come in pairs of steps, as on the CPU.
"""

import triton
import triton.language as tl

from cemrnn.network.engine.fused.normal import count_up, normal

STEPS, BLOCK = 16, 256  # an even number of steps


@triton.jit(do_not_specialize=["T", "B"])
def render(
    OUT, FEATURES, ON, OFF, KEYS, START, END, SIGMA, T, B,
    F: tl.constexpr, E: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Fill OUT (M, T, B, F) with the events that are on, or keep it where there are none, and add noise if wanted.

    FEATURES (M, B, E, F), ON and OFF (M, B, E) are those of the events; KEYS, START and END (M, B) and SIGMA (F) those
    of the noise. FEATURES or KEYS may be None.
    """
    m, first_step = tl.program_id(0).to(tl.int64), tl.program_id(1) * STEPS
    position = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    inside, feature, trial = position < B * F, position % F, m * B + position // F
    if KEYS is not None:
        key = count_up(tl.load(KEYS + trial, inside, 0).to(tl.uint64, bitcast=True), feature.to(tl.int64))
        start, end = tl.load(START + trial, inside, 0), tl.load(END + trial, inside, 0)
        sigma = tl.load(SIGMA + feature)
    for t in range(first_step, tl.minimum(first_step + STEPS, T), 2):
        at = OUT + (m * T + t) * B * F + position
        has_next = inside & (t + 1 < T)
        if FEATURES is None:
            here, after = tl.load(at, inside, 0.0), tl.load(at + B * F, has_next, 0.0)
        else:
            here, after = tl.zeros((BLOCK,), tl.float32), tl.zeros((BLOCK,), tl.float32)
            for e in tl.static_range(E):
                event = trial * E + e
                value = tl.load(FEATURES + event * F + feature, inside, 0.0)
                on, off = tl.load(ON + event, inside, 0), tl.load(OFF + event, inside, 0)
                here += tl.where((on <= t) & (t < off), value, 0.0)
                after += tl.where((on <= t + 1) & (t + 1 < off), value, 0.0)
        if KEYS is not None:
            bits = count_up(key, m * 0 + t - 1)
            here += tl.where((start <= t) & (t < end), sigma * normal(bits, False), 0.0)
            after += tl.where((start <= t + 1) & (t + 1 < end), sigma * normal(bits, True), 0.0)
        tl.store(at, here, inside)
        tl.store(at + B * F, after, has_next)
