"""Worker: one update of all networks by `jax.jit` of a `vmap` over networks of a `scan` over time.

Runs in an environment with JAX and NumPy only. The whole update is one compiled call: loss, gradient and Adam;
parameters and moments are donated, so that they are updated in place. With several devices (XLA can make one of each
core) the networks are divided among them.
"""

from __future__ import annotations

import functools

import jax
import numpy as np
from jax import numpy as jnp

from cemrnn.bench.worker import serve

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
PHI = {"relu": jax.nn.relu, "tanh": jnp.tanh}


def build(data: str, activation: str, alpha: float, learning_rate: float):
    """A call that makes one update, and the loss before the first, summed over networks.

    Args:
        data: npz file with `inputs` (M, T, B, I), `cue` (B, K), `targets` (M, T, B, O) and "p/<name>" parameters.
        activation: name of phi.
        alpha: dt / tau.
        learning_rate: Adam's.
    """
    with np.load(data, allow_pickle=False) as file:
        arrays = {name: _place(file[name], shared=name == "cue") for name in file.files}
    parameters = {name[2:]: x for name, x in arrays.items() if name.startswith("p/")}
    run = functools.partial(_outputs, cue=arrays["cue"], phi=PHI[activation], alpha=alpha)
    update = jax.jit(functools.partial(_update, run=run, learning_rate=learning_rate), donate_argnums=(0, 1))
    first, second = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
    state = {"parameters": parameters, "moments": (first, second, _place(np.float32(0), shared=True))}

    def call() -> float:
        state["parameters"], state["moments"], loss = update(
            state["parameters"], state["moments"], arrays["inputs"], arrays["targets"]
        )
        return float(loss)  # waits until it is computed

    return call, call()


def _place(array, *, shared: bool):
    """The array on all devices: its networks divided among them, or whole on each."""
    mesh = jax.sharding.Mesh(jax.devices(), "network")
    spec = jax.sharding.PartitionSpec() if shared else jax.sharding.PartitionSpec("network")
    return jax.device_put(array, jax.sharding.NamedSharding(mesh, spec))


def _outputs(p, inputs, *, cue, phi, alpha):
    """Outputs (T, B, O) of one network on inputs (T, B, I)."""
    bias = p["bias"] + (cue @ p["bias_modulation"] if "bias_modulation" in p else 0)
    gain = 1 + cue @ p["gain_modulation"] if "gain_modulation" in p else None
    strength = cue @ p["strength_modulation"] if "strength_modulation" in p else None

    def step(rates, drive):
        total = drive + rates @ p["recurrent"]
        if strength is not None:
            total = total + ((rates @ p["synaptic_in"]) * strength) @ p["synaptic_out"].T
        total = total if gain is None else gain * total
        rates = (1 - alpha) * rates + alpha * phi(total + bias)
        return rates, rates

    start = jnp.zeros((inputs.shape[1], p["recurrent"].shape[0]), inputs.dtype)
    _, rates = jax.lax.scan(step, start, inputs @ p["input"])
    return rates @ p["readout"] + p["readout_bias"]


def _update(parameters, moments, inputs, targets, *, run, learning_rate):
    def total_loss(parameters):
        outputs = jax.vmap(run)(parameters, inputs)
        return jnp.square(outputs - targets).mean((1, 2, 3)).sum()

    loss, gradient = jax.value_and_grad(total_loss)(parameters)
    first, second, n = moments
    n = n + 1
    first = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, first, gradient)
    second = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, second, gradient)
    rate, growth = learning_rate / (1 - BETA_1**n), 1 / (1 - BETA_2**n)
    moved = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * growth) + EPSILON), parameters, first, second)
    return moved, (first, second, n), loss


if __name__ == "__main__":
    serve(build)
