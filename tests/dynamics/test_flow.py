"""The flow against the model's own step, and its Jacobian against autograd, in float64."""

import dataclasses

import pytest
import torch

from cemrnn.dynamics import flow
from cemrnn.dynamics.flow import Flow
from cemrnn.network.config import NetworkConfig
from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS

P, N, K, I = 6, 7, 3, 4
CASES = [(arm, "tanh") for arm in ARMS] + [("combined", phi) for phi in ACTIVATIONS if phi != "tanh"]


def make(arm, activation="tanh", device="cpu", **changes):
    rank = ARMS[arm].rank_of(2)
    shape = dict(n_units=N, n_contexts=K, n_inputs=I, n_outputs=2, rank=rank, recurrent_start="gaussian")
    config = NetworkConfig(arm=arm, activation=activation, **(shape | changes))
    model = CEMRNN(config, [3, 8], device=device, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    model.flat += 0.3 * torch.randn(model.flat.shape, generator=generator, dtype=torch.float64).to(device)
    return model


def draw(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_flow(model, inputs=None, context=None):
    network = torch.tensor([0, 1, 1, 0, 0, 1])
    inputs = draw(1, P, I) if inputs is None else inputs
    context = draw(2, P, K) if context is None else context
    takes_context = ARMS[model.config.arm].pathways and model.config.context_source == "cue"
    return Flow.of(model, network, inputs, context if takes_context else None), network, inputs, context


@pytest.mark.parametrize(("arm", "activation"), CASES)
@pytest.mark.parametrize("n_each", [1, 5])  # products with copies of the weights, and with shared ones
def test_velocity_is_a_step_of_the_model(arm, activation, n_each):
    model = make(arm, activation)
    flow, network, inputs, context = make_flow(model)
    which = torch.arange(P).repeat_interleave(n_each)
    states = draw(3, P * n_each, N)
    velocity = flow.velocity(states, which)
    assert velocity.shape == states.shape
    expected = torch.stack(
        [step(model, network[p], inputs[p], context[p], r) for p, r in zip(which, states, strict=True)]
    )
    # One step of unit size in float64, divided by alpha = 0.2.
    torch.testing.assert_close(velocity, (expected - states) / model.config.alpha, rtol=0, atol=1e-13)


@pytest.mark.parametrize("arm", ["excitability", "synaptic"])  # weights of networks, and of conditions
@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1, 0], [1, 3], [3, 1], [0, 1, 2, 3, 4, 5], [2, 2, 2], [1, 4, 1, 4]])
@pytest.mark.parametrize("n_each", [1, 4])
def test_states_move_alike_in_whatever_order_their_conditions_come(arm, order, n_each):
    flow, *_ = make_flow(make(arm))
    which = torch.tensor(order).repeat_interleave(n_each)
    states = draw(4, len(which), N)
    alone = torch.cat([flow.velocity(state[None], p[None]) for state, p in zip(states, which, strict=True)])
    torch.testing.assert_close(flow.velocity(states, which), alone, rtol=0, atol=1e-14)


def step(model, network, inputs, context, state):
    """The state (N,) after one step of one network, without noise, with modulators that have settled."""
    alone, context = model.select([int(network)]), context[None, None]
    cue = context if ARMS[model.config.arm].pathways and model.config.context_source == "cue" else None
    settings = dict(initial=state[None, None], previous=cue, keep_rates=True, backend="batched")
    return alone.run(inputs[None, None, None], cue, **settings)[1][0, 0, 0].detach()


@pytest.mark.parametrize(("arm", "activation"), CASES)
@pytest.mark.parametrize("n_each", [1, 5])
def test_jacobian_is_the_derivative_of_the_velocity(arm, activation, n_each):
    flow, *_ = make_flow(make(arm, activation))
    which, states = torch.arange(P).repeat_interleave(n_each), draw(3, P * n_each, N)
    jacobian = flow.jacobian(states, which)
    assert jacobian.shape == (P * n_each, N, N)
    for b in range(len(which)):
        expected = torch.autograd.functional.jacobian(lambda r: flow.velocity(r[None], which[b : b + 1])[0], states[b])  # noqa: B023
        torch.testing.assert_close(jacobian[b], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tau_ms", [0.0, 300.0])
def test_modulators_have_settled(tau_ms):
    model = make("combined", tau_excitability_ms=tau_ms, tau_synaptic_ms=2 * tau_ms)
    flow, network, inputs, context = make_flow(model)
    states, which = draw(3, P, N), torch.arange(P)
    expected = torch.stack([step(model, network[p], inputs[p], context[p], states[p]) for p in range(P)])
    velocity = flow.velocity(states, which)
    torch.testing.assert_close(velocity, (expected - states) / model.config.alpha, rtol=0, atol=1e-13)


def test_context_is_inferred_from_the_input():
    with pytest.raises(ValueError, match="follows the state"):
        make_flow(make("combined", context_source="state"))
    model = make("combined", context_source="input")
    flow, network, inputs, _ = make_flow(model)
    told = dataclasses.replace(model.config, context_source="cue")
    cued = CEMRNN(told, [3, 8], dtype=torch.float64)
    for name, tensor in cued.parameters.items():
        tensor.data.copy_(model.parameters[name])
    context = model.infer_context(inputs[None, :, None].expand(2, -1, -1, -1))[network, torch.arange(P), 0].detach()
    expected = Flow.of(cued, network, inputs, context)
    torch.testing.assert_close(flow.weights, expected.weights, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(flow.drive, expected.drive, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="context: expected None"):
        Flow.of(model, network, inputs, context)


@pytest.mark.parametrize("arm", ["synaptic", "scalar", "gain"])
def test_effective_weights_are_those_of_a_plain_network(arm):
    flow, *_ = make_flow(make(arm))
    which, states = torch.arange(P), draw(3, P, N)
    weights = flow.effective_weights(which)
    expected = torch.tanh((states[:, None] @ weights)[:, 0] + flow.drive) - states
    torch.testing.assert_close(flow.velocity(states, which), expected, rtol=1e-12, atol=1e-12)


def test_only_modulated_synapses_have_weights_per_condition():
    assert len(make_flow(make("excitability"))[0].weights) == 2
    assert len(make_flow(make("synaptic"))[0].weights) == P


def test_single_precision_parameters_give_a_flow_in_double():
    config = make("combined").config
    flow = Flow.of(CEMRNN(config, [0]), torch.zeros(2, dtype=torch.int64), torch.zeros(2, I), torch.eye(K)[:2])
    assert flow.velocity(draw(0, 2, N), torch.arange(2)).dtype == torch.float64
    assert (flow.n_conditions, flow.n_units) == (2, N)


def test_a_context_that_is_not_read_changes_nothing():
    model = make("combined")
    for name in ("bias_modulation", "gain_modulation", "strength_modulation"):
        model.parameters[name].data.zero_()
    states, which = draw(3, P, N), torch.arange(P)
    first, second = (make_flow(model, context=draw(seed, P, K))[0] for seed in (5, 6))
    torch.testing.assert_close(first.velocity(states, which), second.velocity(states, which), rtol=0, atol=0)
    read = make("combined")
    first, second = (make_flow(read, context=draw(seed, P, K))[0] for seed in (5, 6))
    assert (first.velocity(states, which) - second.velocity(states, which)).abs().max() > 0.1


@pytest.mark.parametrize(("arm", "source"), [*((name, "cue") for name in ARMS), ("combined", "input")])
def test_what_is_given_is_brought_to_the_networks_device(arm, source, monkeypatch):
    """On torch's meta device, which holds no numbers."""
    model, network = make(arm, context_source=source, device="meta"), torch.zeros(P, dtype=torch.int64)
    build, given = flow._build, []
    monkeypatch.setattr(flow, "_check", lambda *_: None)  # it looks at numbers
    monkeypatch.setattr(flow, "_build", lambda *arguments: given.extend(arguments[1:]) or build(*arguments))
    found = Flow.of(model, network, torch.ones(P, I), torch.ones(P, K) if source == "cue" else None)
    assert found.device == torch.device("meta")
    assert {x.device for x in (found.weights, found.row, found.gain, found.drive)} == {found.device}
    assert {x.device for x in given if x is not None} == {found.device}  # products of two devices are no error there


def test_what_does_not_fit_is_named():
    model, network = make("bias"), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"inputs: expected \(condition, input\) = \(2, 4\), got \(3, 4\)"):
        Flow.of(model, network, torch.zeros(3, I), torch.zeros(2, K))
    with pytest.raises(ValueError, match=r"context: expected \(condition, context\) = \(2, 3\), got None"):
        Flow.of(model, network, torch.zeros(2, I), None)
    with pytest.raises(ValueError, match="network: expected"):
        Flow.of(model, network + 2, torch.zeros(2, I), torch.zeros(2, K))
