"""Random recurrences, and the plain per-step loop under autograd that the engine is compared with."""

import torch

from cemrnn.network.engine.recurrence import Drive, Weights

M, B, T, N, I, O, R, K = 2, 19, 5, 4, 3, 2, 2, 3
PATHWAYS = ["", "gxl", "sx", "kxi", "gskxil", "bmsxl", "mki", "bg", "bmskxile", "sle", "kie", "bxe"]
PHI = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "softplus": torch.nn.functional.softplus,
    "rectified_tanh": lambda p: torch.relu(torch.tanh(p)),
}


def draw(pathways="", n_trials_axis=B, n_steps_axis=1, dtype=torch.float64, n_trials=B, n_steps=T, seed=0, n_units=N):
    """Random weights and drive; pathways: g gain, s synaptic, k scale, x noise, i initial state, l lengths,
    b and m shifts and gains that the engine makes from a modulator, e a modulator that follows the state, from which
    it makes strengths and scale as well.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return 0.4 * torch.randn(shape, generator=generator, dtype=dtype)

    def modulator(size):
        return normal(M, min(n_trials_axis, n_trials), min(n_steps_axis, n_steps), size)

    weights = Weights(
        recurrent=2 * (N / n_units) ** 0.5 * normal(M, n_units, n_units),
        input=normal(M, I, n_units),
        readout=normal(M, n_units, O),
        readout_bias=normal(M, O),
        synaptic_in=normal(M, n_units, R) if "s" in pathways else None,
        synaptic_out=normal(M, n_units, R) if "s" in pathways else None,
        bias_modulation=normal(M, K, n_units) if "b" in pathways else None,
        gain_modulation=normal(M, K, n_units) if "m" in pathways else None,
        strength_modulation=normal(M, K, R) if {*"se"} <= {*pathways} else None,
        scale_modulation=normal(M, K, 1) if {*"ke"} <= {*pathways} else None,
        encoder_state=2 * normal(M, n_units, K) if "e" in pathways else None,
    )
    drive = Drive(
        inputs=normal(M, n_trials, n_steps, I),
        bias=modulator(n_units),
        gain=1 + modulator(n_units) if "g" in pathways else None,
        strength=modulator(R) if "s" in pathways and "e" not in pathways else None,
        scale=1 + modulator(1) if "k" in pathways and "e" not in pathways else None,
        modulator=normal(M, n_trials, n_steps, K) if set(pathways) & set("bme") else None,
        noise=normal(M, n_trials, n_steps, n_units) if "x" in pathways else None,
        initial=normal(M, n_trials, n_units) if "i" in pathways else None,
        lengths=torch.randint(1, n_steps + 1, (M, n_trials), generator=generator) if "l" in pathways else None,
    )
    return weights, drive


def to_single(weights, drive, device="cpu"):
    """The same in single precision on a device."""

    def move(x):
        return x if x is None else x.detach().to(device, torch.float32 if x.is_floating_point() else None)

    return Weights(*map(move, weights)), Drive(**{k: move(getattr(drive, k)) for k in Drive.__dataclass_fields__})


def leaves(weights, drive):
    """Every tensor that takes a gradient, made a leaf."""
    driven = ("inputs", "bias", "gain", "strength", "scale", "modulator", "initial")
    named = weights._asdict() | {k: getattr(drive, k) for k in driven}
    return {k: v.requires_grad_() for k, v in named.items() if v is not None}


def loop(w, d, alpha, activation):
    """The recurrence written as its equations, one step and one network at a time, by autograd."""
    outputs, rates = [], []
    for m in range(len(w.recurrent)):
        r = d.inputs.new_zeros(d.inputs.shape[1], w.recurrent.shape[-1]) if d.initial is None else d.initial[m]
        ys, rs = [], []
        for t in range(d.inputs.shape[2]):

            def at(x, m=m, t=t):
                return x[m, :, t if x.shape[2] > 1 else 0]

            e = None if d.modulator is None else at(d.modulator)
            if w.encoder_state is not None:
                e = torch.tanh(e + r @ w.encoder_state[m])
            scale = 1 if d.scale is None else at(d.scale)
            h = (scale if w.scale_modulation is None else 1 + e @ w.scale_modulation[m]) * r
            p = h @ w.recurrent[m] + d.inputs[m, :, t] @ w.input[m]
            if w.synaptic_in is not None:
                strength = at(d.strength) if w.strength_modulation is None else e @ w.strength_modulation[m]
                p = p + ((h @ w.synaptic_in[m]) * strength) @ w.synaptic_out[m].T
            gain = 1 if d.gain is None else at(d.gain)
            if w.gain_modulation is not None:
                gain = 1 + e @ w.gain_modulation[m]
            p = gain * p + at(d.bias)
            if w.bias_modulation is not None:
                p = p + e @ w.bias_modulation[m]
            p = p if d.noise is None else p + at(d.noise)
            r = (1 - alpha) * r + alpha * PHI[activation](p)
            rs.append(r)
            ys.append(r @ w.readout[m] + w.readout_bias[m])
        ends = torch.full((d.inputs.shape[1],), d.inputs.shape[2]) if d.lengths is None else d.lengths[m]
        running = (torch.arange(d.inputs.shape[2]) < ends[:, None])[..., None]
        outputs.append(torch.where(running, torch.stack(ys, dim=1), 0))
        rates.append(torch.where(running, torch.stack(rs, dim=1), 0))
    return torch.stack(outputs), torch.stack(rates)


def values_and_gradients(run, weights, drive):
    """Outputs, rates and the gradient of a fixed random functional of both, in every tensor."""
    inputs = leaves(weights, drive)
    outputs, rates = run(weights, drive)
    generator = torch.Generator().manual_seed(9)
    coefficients = [torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x) for x in (outputs, rates)]
    loss = sum((c * x).sum() for c, x in zip(coefficients, (outputs, rates), strict=True))
    gradients = torch.autograd.grad(loss, list(inputs.values()))
    return {"outputs": outputs, "rates": rates} | dict(zip(inputs, gradients, strict=True))
