"""The engine against a plain per-step loop under autograd, gradcheck, and closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.engine.recurrence import Drive, Objective, Weights, integrate, measure_error
from tests.recurrences import PATHWAYS, B, I, K, M, N, O, T, draw, leaves, loop, to_single, values_and_gradients

BACKENDS = ("compiled", "batched")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))]


@pytest.mark.parametrize("backend", BACKENDS)
def test_shapes_are_those_documented(backend):
    weights, drive = draw("gs")
    outputs, rates = integrate(weights, drive, alpha=0.3, activation="tanh", backend=backend)
    assert outputs.shape == (M, B, T, O)
    assert rates.shape == (M, B, T, N)
    assert integrate(weights, drive, alpha=0.3, activation="tanh", backend=backend, keep_rates=False)[1] is None


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pathways", PATHWAYS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("axes", [(1, 1), (B, 1), (1, T), (B, T)])
def test_values_and_gradients_equal_a_plain_loop(activation, pathways, backend, axes):
    weights, drive = draw(pathways, *axes)
    ours = values_and_gradients(
        lambda w, d: integrate(w, d, alpha=0.3, activation=activation, backend=backend), weights, drive
    )
    theirs = values_and_gradients(lambda w, d: loop(w, d, 0.3, activation), weights, drive)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        # sums of at most M B T N terms of order one in float64
        torch.testing.assert_close(value, theirs[name], rtol=1e-10, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pathways", PATHWAYS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("axes", [(1, 1), (70, T)])
def test_error_and_its_gradients_equal_a_plain_loop(activation, pathways, backend, axes):
    weights, drive = draw(pathways, *axes, n_trials=70)  # more than a block
    generator = torch.Generator().manual_seed(3)
    goal = Objective(
        targets=torch.randn((M, 70, T, O), generator=generator, dtype=torch.float64),
        weights=torch.rand((M, 70, T), generator=generator, dtype=torch.float64),
        output_weights=torch.rand(O, generator=generator, dtype=torch.float64),
    )
    inputs = leaves(weights, drive)
    ours = measure_error(weights, drive, goal, alpha=0.3, activation=activation, backend=backend)
    outputs, _ = loop(weights, drive, 0.3, activation)
    shares = torch.einsum("mbt,o->mbto", goal.weights, goal.output_weights)
    theirs = torch.stack(
        [(shares[m] * (outputs[m] - goal.targets[m]).square()).sum() / shares[m].sum() for m in range(M)]
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    factors = torch.tensor([1.0, -2.0], dtype=torch.float64)
    gradients = [torch.autograd.grad((factors * x).sum(), list(inputs.values())) for x in (ours, theirs)]
    for name, value, expected in zip(inputs, *gradients, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("name", ["targets", "weights", "output_weights"])
def test_goals_of_the_wrong_shape_are_named(name):
    weights, drive = draw()
    goal = Objective(drive.inputs.new_ones(M, B, T, O), drive.inputs.new_ones(M, B, T), drive.inputs.new_ones(O))
    with pytest.raises(ValueError, match=rf"^{name}: expected shape"):
        goal = goal._replace(**{name: getattr(goal, name)[:1, ...].repeat(5, *[1] * (getattr(goal, name).ndim - 1))})
        measure_error(weights, drive, goal, alpha=0.3, activation="relu")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ["tanh", "softplus"])  # smooth, so finite differences apply
@pytest.mark.parametrize("pathways", ["gskxil", "bmskxil", "bmskxile"])
def test_gradcheck(backend, activation, pathways):
    weights, drive = draw(pathways, 3, 4, n_trials=3, n_steps=4)
    inputs = leaves(weights, drive)

    def run(*tensors):
        named = dict(zip(inputs, tensors, strict=True))
        w = Weights(*(named.get(k) for k in Weights._fields))
        d = Drive(
            noise=drive.noise, lengths=drive.lengths, **{k: v for k, v in named.items() if k not in Weights._fields}
        )
        return integrate(w, d, alpha=0.3, activation=activation, backend=backend)

    assert torch.autograd.gradcheck(run, tuple(inputs.values()))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pathways", ["gskxil", "bmskxil", "bmskxile"])
def test_float32_agrees_with_float64(device, activation, pathways):
    weights, drive = draw(pathways, B, T)
    single = to_single(weights, drive, device)
    run64 = values_and_gradients(lambda w, d: integrate(w, d, alpha=0.3, activation=activation), weights, drive)
    run32 = values_and_gradients(lambda w, d: integrate(w, d, alpha=0.3, activation=activation), *single)
    for name, value in run64.items():
        scale = value.abs().max().item()
        # float32 has 2^-24 relative precision; some hundred operations lie between input and gradient
        torch.testing.assert_close(run32[name].cpu().double(), value, rtol=0, atol=300 * 2**-24 * scale)


@settings(max_examples=25, deadline=None)
@given(n_trials=st.integers(1, 40), n_steps=st.integers(1, 7), seed=st.integers(0, 99))
def test_trials_do_not_depend_on_their_neighbours(n_trials, n_steps, seed):
    weights, drive = draw("gs", n_trials, 1, n_trials=n_trials, n_steps=n_steps, seed=seed)
    together, _ = integrate(weights, drive, alpha=0.2, activation="relu")
    kept = {k: getattr(drive, k)[:, -1:] for k in ("inputs", "bias", "gain", "strength")}
    alone, _ = integrate(weights, Drive(**kept), alpha=0.2, activation="relu")
    torch.testing.assert_close(together[:, -1:], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_linear_decay_has_its_closed_form(backend):
    weights, drive = draw("i")
    weights = weights._replace(recurrent=torch.zeros(M, N, N, dtype=torch.float64), input=torch.zeros(M, I, N).double())
    drive = Drive(inputs=drive.inputs, bias=torch.full((M, 1, 1, N), -9.0).double(), initial=drive.initial)
    _, rates = integrate(weights, drive, alpha=0.3, activation="relu", backend=backend)
    decay = 0.7 ** torch.arange(1, T + 1, dtype=torch.float64)  # relu of a negative drive is 0: pure leak
    torch.testing.assert_close(rates, drive.initial[:, :, None] * decay[:, None], rtol=1e-13, atol=0)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_results_do_not_depend_on_the_number_of_threads(n_threads):
    weights, drive = draw("gs", dtype=torch.float32)
    before = torch.get_num_threads()
    reference = values_and_gradients(lambda w, d: integrate(w, d, alpha=0.3, activation="tanh"), weights, drive)
    try:
        torch.set_num_threads(n_threads)
        again = values_and_gradients(lambda w, d: integrate(w, d, alpha=0.3, activation="tanh"), weights, drive)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(again[name], value) for name, value in reference.items() if name != "readout_bias")


def test_no_step_of_the_trial_is_a_node_of_the_graph():
    weights, drive = draw("gs")
    leaves(weights, drive)
    outputs, _ = integrate(weights, drive, alpha=0.3, activation="tanh")
    nodes, seen = [outputs.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            nodes += [parent for parent, _ in node.next_functions]
    # one for the recurrence, its leaves, and the views that bring arguments into the engine's layout
    assert sum("Recurrence" in type(node).__name__ for node in seen) == 1
    assert len(seen) < 12 + 3 * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(bias=torch.zeros(M, B, 1, N + 1).double()), r"bias: expected shape \(network 2, trial 19 or 1, time"),
        (dict(inputs=torch.zeros(M, B, T, I)), "recurrent: expected torch.float32"),
        (dict(lengths=torch.full((M, B), T + 1)), "lengths: expected 1 to 5 steps, got 6 to 6"),
        (dict(lengths=torch.ones(M, B)), r"lengths: expected int64 \(network 2, trial 19\)"),
        (dict(strength=None), "strength, synaptic_in and synaptic_out: expected all three or none"),
        (dict(modulator=torch.zeros(M, B, T, K).double()), "modulator: expected one with bias_modulation or another"),
        (dict(inputs=torch.zeros(M, B, T).double()), r"inputs: expected \(network, trial, time, input\)"),
    ],
)
def test_errors_say_what_was_expected_and_got(change, message):
    weights, drive = draw("s")
    values = {k: getattr(drive, k) for k in Drive.__dataclass_fields__} | change
    with pytest.raises(ValueError, match=message):
        integrate(weights, Drive(**values), alpha=0.3, activation="tanh")


@pytest.mark.parametrize("setting", [dict(alpha=0.0), dict(alpha=math.nan), dict(activation="Relu"), dict(backend="x")])
def test_bad_settings_are_refused_by_name(setting):
    weights, drive = draw()
    with pytest.raises(ValueError, match=next(iter(setting))):
        integrate(weights, drive, **(dict(alpha=0.3, activation="relu") | setting))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_not_a_number_reaches_the_outputs_of_its_network_alone(dtype, activation, backend):
    weights, drive = draw("gs", dtype=dtype)
    weights.input[1, 0, 0] = math.nan
    outputs, _ = integrate(weights, drive, alpha=0.3, activation=activation, backend=backend)
    assert torch.isfinite(outputs[0]).all()
    assert torch.isnan(outputs[1]).all()
