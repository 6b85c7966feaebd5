"""One network as a torch module: equal to the engine, trained by a loop of one's own, and back into an ensemble."""

import copy
import io

import numpy as np
import pytest
import torch

import cemrnn
from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS
from cemrnn.tasks.drawing import Tasks
from tests.networks import TASKS, small_config

CASES = [(arm, "relu", "cue", 0.0) for arm in ARMS]
CASES += [("combined", activation, "cue", 150.0) for activation in ACTIVATIONS]
CASES += [("combined", "tanh", "input", 150.0), ("combined", "tanh", "input", 0.0), ("combined", "relu", "state", 0.0)]


def build(arm="combined", activation="relu", source="cue", tau_ms=0.0, n_networks=2):
    rank = ARMS[arm].rank_of(3)
    settings = dict(
        activation=activation, context_source=source, tau_excitability_ms=tau_ms, tau_synaptic_ms=2 * tau_ms
    )
    sizes = dict(arm=arm, n_units=9, rank=rank, n_contexts=2, n_inputs=4, n_outputs=3)
    module = cemrnn.nn.CEMRNN(**sizes, **settings)
    ensemble = CEMRNN(module.config, range(n_networks))
    generator = torch.Generator().manual_seed(1)
    ensemble.load(ensemble.flat + 0.3 * torch.randn(ensemble.flat.shape, generator=generator))
    inputs = torch.randn((5, 7, 4), generator=generator)
    return ensemble, inputs, torch.rand((5, 2), generator=generator) if source == "cue" else None


@pytest.mark.parametrize(("arm", "activation", "source", "tau_ms"), CASES)
def test_a_module_is_equal_to_the_engine(arm, activation, source, tau_ms):
    ensemble, inputs, context = build(arm, activation, source, tau_ms)
    module = cemrnn.nn.CEMRNN.of(ensemble, 1)
    state = torch.rand(5, 9)
    outputs, rates = module(inputs, context, state)
    assert outputs.shape == (5, 7, 3) and rates.shape == (5, 7, 9)
    told = None if context is None else context.expand(2, -1, -1)
    expected = ensemble.run(
        inputs.expand(2, -1, -1, -1), told, initial=state.expand(2, -1, -1), keep_rates=True, backend="batched"
    )
    torch.testing.assert_close(outputs, expected[0][1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(rates, expected[1][1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("source", ["cue", "input", "state"])
def test_its_gradient_is_that_of_differences(source):
    ensemble, inputs, context = build(activation="tanh", source=source)
    module = cemrnn.nn.CEMRNN.of(ensemble, 0).double()
    inputs, context = inputs.double().requires_grad_(), None if context is None else context.double().requires_grad_()
    parameters = list(module.parameters())
    given = [x for x in (inputs, context) if x is not None]
    module(inputs, context)[0].square().sum().backward()
    generator = torch.Generator().manual_seed(2)
    for tensor in (*given, *parameters):
        direction, step = torch.randn(tensor.shape, generator=generator, dtype=torch.float64), 1e-6
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                tensor += sign * step * direction
                values.append(module(inputs, context)[0].square().sum().item())
                tensor -= sign * step * direction
        slope = (values[0] - values[1]) / (2 * step)
        assert (tensor.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_a_state_continues_a_trial():
    ensemble, inputs, context = build()
    module = cemrnn.nn.CEMRNN.of(ensemble, 0)
    whole = module(inputs, context)[0]
    first, rates = module(inputs[:, :4], context)
    second, _ = module(inputs[:, 4:], context, rates[:, -1])
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=1e-5, atol=1e-6)


def test_a_module_is_saved_copied_and_joined():
    ensemble, inputs, context = build(n_networks=3)
    modules = [cemrnn.nn.CEMRNN.of(ensemble, m, seed=m) for m in range(3)]
    buffer = io.BytesIO()
    torch.save(modules[2].state_dict(), buffer)
    buffer.seek(0)
    fresh = cemrnn.nn.CEMRNN(**modules[2].config.to_dict())
    assert not torch.equal(fresh(inputs, context)[0], modules[2](inputs, context)[0])
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    for module in (fresh, copy.deepcopy(modules[2])):
        assert torch.equal(module(inputs, context)[0], modules[2](inputs, context)[0])
    nets = cemrnn.from_torch(modules)
    assert nets.seeds == (0, 1, 2) and torch.equal(nets.model.flat, ensemble.flat)
    np.testing.assert_array_equal(nets[1].weights["W"], modules[1].recurrent.detach())
    assert torch.equal(nets[1].to_torch()(inputs, context)[0], modules[1](inputs, context)[0])


def test_it_starts_as_the_ensemble_does():
    config = small_config(arm="gating").network
    module, ensemble = cemrnn.nn.CEMRNN(seed=5, **config.to_dict()), CEMRNN(config, [5])
    assert dict(module.named_buffers()).keys() == {"gate"}
    assert all(torch.equal(values, ensemble.parameters[name][0]) for name, values in module.named_parameters())
    assert torch.equal(module.gate, ensemble.fixed["gate"][0])


def test_it_learns_in_a_loop_beside_another_module():
    tasks = Tasks(TASKS)
    trials = tasks.draw(64, seed=0)
    network = cemrnn.nn.CEMRNN(
        arm="excitability", n_units=24, n_contexts=2, n_inputs=8, n_outputs=3, dt_ms=TASKS.dt_ms, tau_ms=TASKS.tau_ms
    )
    before = torch.nn.Linear(5, 8)
    optimiser = torch.optim.Adam([*before.parameters(), *network.parameters()], lr=1e-2)
    inputs, context, targets = (torch.from_numpy(x) for x in (trials.inputs, trials.context, trials.targets))
    losses = []
    for _ in range(60):
        outputs, _ = network(before(inputs), context)
        loss = (trials.trials.weights[0] * (outputs - targets).square().sum(-1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert before.weight.grad.abs().max() > 0 and network.bias_modulation.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(n_units=4), "settings: expected arm, n_units, n_contexts, n_inputs, n_outputs, got none for arm"),
        (dict(arm="plain", n_unit=4, n_units=4, n_contexts=1, n_inputs=1, n_outputs=1), "did you mean 'n_units'"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        cemrnn.nn.CEMRNN(**settings)


def test_inputs_are_checked():
    ensemble, inputs, context = build()
    module = cemrnn.nn.CEMRNN.of(ensemble, 0)
    with pytest.raises(ValueError, match=r"inputs: expected \(trial, time, input 4\), got \(7, 4\)"):
        module(inputs[0], context)
    with pytest.raises(ValueError, match="modules: expected one or more"):
        cemrnn.from_torch([])
