"""Triton kernels: all steps of a block of trials of one network, forward and backward.

One program has a network and BLOCK trials. The state stays in registers; W stays on the chip where TILE is 0, and is
read in tiles of TILE rows otherwise. Arrays are (network, time, trial, feature); RATES begins with the initial state.
Sizes are padded to powers of two, N to WIDTH and R to RANK, and what lies beyond is read as 0 and never written.
"""

import triton
import triton.language as tl

from cemrnn.network.engine.fused.normal import normals_of_step

RELU, TANH, SOFTPLUS, RECTIFIED_TANH = (tl.constexpr(code) for code in range(4))  # codes of `ACTIVATIONS`
SIZES = ["T", "B"]  # one binary for all of them


@triton.jit(do_not_specialize=SIZES)
def forward(
    W, V, U, BIAS, GAIN, STRENGTH, SCALE, NOISE, KEYS, LENGTHS, A, RATES, COMPONENT, T, B, alpha, sigma,
    N: tl.constexpr, R: tl.constexpr, WIDTH: tl.constexpr, RANK: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr,
    BIAS_MOVES: tl.constexpr, GAIN_MOVES: tl.constexpr, STRENGTH_MOVES: tl.constexpr, SCALE_MOVES: tl.constexpr,
    PHI: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Take a block of trials through all steps; A holds u B_in before, and the drive before the gain after."""
    m, rows = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    cols, ranks, tiles = tl.arange(0, WIDTH), tl.arange(0, RANK), tl.arange(0, 16 if TILE == 0 else TILE)
    lengths, n_steps = ends(LENGTHS, m, rows, T, B)
    if V is not None:
        u = tl.load(U + (m * N + cols[None, :]) * R + ranks[:, None], (cols[None, :] < N) & (ranks[:, None] < R), 0.0)
    if TILE == 0:
        w = tl.load(W + (m * N + cols[:, None]) * N + cols[None, :], (cols[:, None] < N) & (cols[None, :] < N), 0.0)
        if V is not None:
            v = tl.load(
                V + (m * N + cols[:, None]) * R + ranks[None, :], (cols[:, None] < N) & (ranks[None, :] < R), 0.0
            )
    r = load(RATES, m * (T + 1) * B, rows, cols, B, N)
    for t in range(n_steps):
        component = tl.zeros((BLOCK, RANK), tl.float32)
        if TILE == 0:
            product = tl.dot(r, w, input_precision=PRECISION)
            if V is not None:
                component = tl.dot(r, v, input_precision=PRECISION)
        else:
            product = tl.zeros((BLOCK, WIDTH), tl.float32)
            tl.debug_barrier()  # the rates of the step before are all written
            for k in range(0, N, TILE):
                part = k + tiles
                h = load(RATES, (m * (T + 1) + t) * B, rows, part, B, N)
                inside = part[:, None] < N
                w = tl.load(W + (m * N + part[:, None]) * N + cols[None, :], inside & (cols[None, :] < N), 0.0)
                product = tl.dot(h, w, product, input_precision=PRECISION)
                if V is not None:
                    v = tl.load(V + (m * N + part[:, None]) * R + ranks[None, :], inside & (ranks[None, :] < R), 0.0)
                    component = tl.dot(h, v, component, input_precision=PRECISION)
        if SCALE is not None:
            scale = load_now(SCALE, SCALE_MOVES, m, t, T, rows, tl.arange(0, 1), B, 1)
            product, component = product * scale, component * scale
        if V is not None:
            store(COMPONENT, (m * T + t) * B, rows, ranks, B, R, component)
            strength = load_now(STRENGTH, STRENGTH_MOVES, m, t, T, rows, ranks, B, R)
            product = tl.dot(component * strength, u, product, input_precision=PRECISION)
        a = product + load(A, (m * T + t) * B, rows, cols, B, N)
        store(A, (m * T + t) * B, rows, cols, B, N, a)
        p = drive_of(a, BIAS, GAIN, NOISE, KEYS, m, t, T, rows, cols, B, N, BIAS_MOVES, GAIN_MOVES, sigma)
        r = r + alpha * (phi(p, PHI) - r)
        store(RATES, (m * (T + 1) + t + 1) * B, rows, cols, B, N, tl.where(t < lengths[:, None], r, 0.0))


@triton.jit(do_not_specialize=SIZES)
def backward(
    W, V, U, BIAS, GAIN, STRENGTH, SCALE, NOISE, KEYS, LENGTHS, A, RATES, COMPONENT,
    DA, D_COMPONENT, D_BIAS, D_GAIN, D_STRENGTH, D_SCALE, D_INITIAL, T, B, alpha, sigma,
    N: tl.constexpr, R: tl.constexpr, WIDTH: tl.constexpr, RANK: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr,
    BIAS_MOVES: tl.constexpr, GAIN_MOVES: tl.constexpr, STRENGTH_MOVES: tl.constexpr, SCALE_MOVES: tl.constexpr,
    PHI: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Take a block of trials back; DA holds the rates' own gradient before, and that of A after."""
    m, rows = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    cols, ranks, tiles = tl.arange(0, WIDTH), tl.arange(0, RANK), tl.arange(0, 16 if TILE == 0 else TILE)
    one = tl.arange(0, 1)
    _, n_steps = ends(LENGTHS, m, rows, T, B)
    if V is not None:
        vt = tl.load(V + (m * N + cols[None, :]) * R + ranks[:, None], (cols[None, :] < N) & (ranks[:, None] < R), 0.0)
    if TILE == 0:
        wt = tl.load(W + (m * N + cols[None, :]) * N + cols[:, None], (cols[:, None] < N) & (cols[None, :] < N), 0.0)
        if V is not None:
            u = tl.load(
                U + (m * N + cols[:, None]) * R + ranks[None, :], (cols[:, None] < N) & (ranks[None, :] < R), 0.0
            )
    carry = tl.zeros((BLOCK, WIDTH), tl.float32)
    d_bias, d_gain = tl.zeros((BLOCK, WIDTH), tl.float32), tl.zeros((BLOCK, WIDTH), tl.float32)
    d_strength, d_scale = tl.zeros((BLOCK, RANK), tl.float32), tl.zeros((BLOCK, 1), tl.float32)
    for i in range(n_steps):
        t = n_steps - 1 - i
        at = (m * T + t) * B
        delta = carry + load(DA, at, rows, cols, B, N)
        a = load(A, at, rows, cols, B, N)
        p = drive_of(a, BIAS, GAIN, NOISE, KEYS, m, t, T, rows, cols, B, N, BIAS_MOVES, GAIN_MOVES, sigma)
        dp = alpha * delta * slope(p, PHI)
        if BIAS_MOVES:
            store(D_BIAS, at, rows, cols, B, N, dp)
        else:
            d_bias += dp
        da = dp
        if GAIN is not None:
            if GAIN_MOVES:
                store(D_GAIN, at, rows, cols, B, N, dp * a)
            else:
                d_gain += dp * a
            da = dp * load_now(GAIN, GAIN_MOVES, m, t, T, rows, cols, B, N)
        store(DA, at, rows, cols, B, N, da)
        d_weighted = tl.zeros((BLOCK, RANK), tl.float32)
        if TILE == 0:
            dh = tl.dot(da, wt, input_precision=PRECISION)
            if V is not None:
                d_weighted = tl.dot(da, u, input_precision=PRECISION)
        else:
            dh = tl.zeros((BLOCK, WIDTH), tl.float32)
            tl.debug_barrier()  # all of this step's da is written
            for k in range(0, N, TILE):
                part = k + tiles
                d = load(DA, at, rows, part, B, N)
                inside = part[:, None] < N
                wt = tl.load(W + (m * N + cols[None, :]) * N + part[:, None], inside & (cols[None, :] < N), 0.0)
                dh = tl.dot(d, wt, dh, input_precision=PRECISION)
                if V is not None:
                    u = tl.load(U + (m * N + part[:, None]) * R + ranks[None, :], inside & (ranks[None, :] < R), 0.0)
                    d_weighted = tl.dot(d, u, d_weighted, input_precision=PRECISION)
        if V is not None:
            component = load(COMPONENT, at, rows, ranks, B, R)
            if STRENGTH_MOVES:
                store(D_STRENGTH, at, rows, ranks, B, R, d_weighted * component)
            else:
                d_strength += d_weighted * component
            d_component = d_weighted * load_now(STRENGTH, STRENGTH_MOVES, m, t, T, rows, ranks, B, R)
            store(D_COMPONENT, at, rows, ranks, B, R, d_component)
            dh = tl.dot(d_component, vt, dh, input_precision=PRECISION)
        if SCALE is not None:
            before = load(RATES, (m * (T + 1) + t) * B, rows, cols, B, N)
            d_now = tl.sum(dh * before, 1)[:, None]
            if SCALE_MOVES:
                store(D_SCALE, at, rows, one, B, 1, d_now)
            else:
                d_scale += d_now
            dh = dh * load_now(SCALE, SCALE_MOVES, m, t, T, rows, one, B, 1)
        carry = (1 - alpha) * delta + dh
    if not BIAS_MOVES:
        store(D_BIAS, m * B, rows, cols, B, N, d_bias)
    if GAIN is not None and not GAIN_MOVES:
        store(D_GAIN, m * B, rows, cols, B, N, d_gain)
    if V is not None and not STRENGTH_MOVES:
        store(D_STRENGTH, m * B, rows, ranks, B, R, d_strength)
    if SCALE is not None and not SCALE_MOVES:
        store(D_SCALE, m * B, rows, one, B, 1, d_scale)
    store(D_INITIAL, m * B, rows, cols, B, N, carry)


@triton.jit
def drive_of(
    a, BIAS, GAIN, NOISE, KEYS, m, t, T, rows, cols, B, N: tl.constexpr,
    BIAS_MOVES: tl.constexpr, GAIN_MOVES: tl.constexpr, sigma,
):  # fmt: skip
    """What phi is applied to at step t: g a + b + noise."""
    p = a
    if GAIN is not None:
        p = p * load_now(GAIN, GAIN_MOVES, m, t, T, rows, cols, B, N)
    p += load_now(BIAS, BIAS_MOVES, m, t, T, rows, cols, B, N)
    if NOISE is not None:
        p += load(NOISE, (m * T + t) * B, rows, cols, B, N)
    if KEYS is not None:
        key = tl.load(KEYS + m).to(tl.uint64, bitcast=True)
        p += sigma * normals_of_step(key, m * 0 + t, rows[:, None] * N + cols[None, :], m * 0 + B * N)
    return p


@triton.jit
def phi(p, PHI: tl.constexpr):
    """The activation function at p; what is not a number stays so."""
    above = tl.where(p < 0, 0.0, p)
    if PHI == RELU:
        f = above
    elif PHI == SOFTPLUS:
        e = tl.exp(-tl.abs(p))
        u = 1 + e  # ln(1 + e) where e is lost in 1 + e: Higham 2002, problem 1.5
        f = above + tl.where(u == 1, e, tl.log(u) * (e / tl.where(u == 1, 1.0, u - 1)))
    else:
        f = tanh(above if PHI == RECTIFIED_TANH else p)
    return f


@triton.jit
def slope(p, PHI: tl.constexpr):
    """The derivative of the activation function at p."""
    if PHI == RELU:
        d = tl.where(p > 0, 1.0, 0.0)
    elif PHI == SOFTPLUS:
        e = tl.exp(-tl.abs(p))
        d = tl.where(p < 0, e, 1.0) / (1 + e)
    else:
        f = tanh(p)
        d = 1 - f * f
        if PHI == RECTIFIED_TANH:
            d = tl.where(p > 0, d, 0.0)
    return d


@triton.jit
def tanh(p):
    """tanh(p): its series below 1/4, where the quotient of exponentials loses digits."""
    x = tl.abs(p)
    e = tl.exp(-2 * x)
    q = p * p
    series = p * (1 + q * (-1 / 3 + q * (2 / 15 + q * (-17 / 315 + q * (62 / 2835)))))
    quotient = (1 - e) / (1 + e)
    return tl.where(x < 0.25, series, tl.where(p < 0, -quotient, quotient))


@triton.jit
def ends(LENGTHS, m, rows, T, B):
    """Steps of each trial of the block, and of its longest one."""
    if LENGTHS is None:
        lengths, longest = rows * 0 + T, T
    else:
        lengths = tl.load(LENGTHS + m * B + rows, rows < B, 0)
        longest = tl.max(lengths, 0).to(tl.int32)
    return lengths, longest


@triton.jit
def load_now(X, MOVES: tl.constexpr, m, t, T, rows, cols, B, N: tl.constexpr):
    """What holds at step t, of an array that is constant within the trial or MOVES."""
    return load(X, (m * T + t) * B if MOVES else m * B, rows, cols, B, N)


@triton.jit
def load(X, start, rows, cols, B, N: tl.constexpr):
    """Rows and columns of an array (.., B, N) from row `start` on; 0 beyond B and N."""
    return tl.load(X + (start + rows[:, None]) * N + cols[None, :], (rows[:, None] < B) & (cols[None, :] < N), 0.0)


@triton.jit
def store(X, start, rows, cols, B, N: tl.constexpr, value):
    """Write rows and columns of an array (.., B, N) from row `start` on, none beyond B and N."""
    tl.store(X + (start + rows[:, None]) * N + cols[None, :], value, (rows[:, None] < B) & (cols[None, :] < N))
