"""The model against closed forms: every arm is the plain network with something known added to it."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cemrnn.network.budget import budget_gap, match_budget
from cemrnn.network.config import NetworkConfig, count_parameters, parameter_shapes
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.network.pathways import ARMS, Told, draw_gate, low_pass
from cemrnn.random import stream

SEEDS = [3, 8]
SIZES = dict(n_units=10, n_contexts=3, n_inputs=4, n_outputs=2)


def make(arm, seeds=SEEDS, dtype=torch.float64, **changes):
    rank = ARMS[arm].rank_of(2)
    return CEMRNN(NetworkConfig(**(SIZES | dict(arm=arm, rank=rank, activation="tanh") | changes)), seeds, dtype=dtype)


def randomise(model, seed=0):
    """Gives every parameter a random value, modulators included."""
    generator = torch.Generator().manual_seed(seed)
    model.flat += 0.3 * torch.randn(model.flat.shape, generator=generator, dtype=model.flat.dtype)
    return model


def draw_inputs(n_trials=5, n_steps=6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn((len(SEEDS), n_trials, n_steps, SIZES["n_inputs"]), generator=generator, dtype=dtype)
    cue = torch.nn.functional.one_hot(torch.arange(n_trials) % 3, 3).to(dtype).expand(len(SEEDS), -1, -1)
    return inputs, cue


@pytest.mark.parametrize("arm", ARMS)
def test_shapes_and_parameter_counts(arm):
    model = make(arm)
    n, k, i, o, r = 10, 3, 4, 2, 2
    core = n * n + i * n + n + n * o + o
    expected = {
        "plain": 0,
        "bias": n * k,
        "gain": n * k,
        "excitability": 2 * n * k,
        "synaptic": 2 * n * r + k * r,
        "neuromodulated": 2 * n * r + k * r,
        "scalar": k,
        "gating": 0,
        "combined": 2 * n * k + 2 * n * r + k * r,
    }
    assert count_parameters(model.config) == core + expected[arm] == model.flat.shape[1]
    inputs, cue = draw_inputs()
    outputs, rates = model.run(inputs, cue, keep_rates=True)
    assert outputs.shape == (2, 5, 6, 2)
    assert rates.shape == (2, 5, 6, 10)


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm not in ("plain", "gating", "neuromodulated")])
def test_every_trained_arm_starts_as_the_plain_network(arm):
    inputs, cue = draw_inputs()
    outputs, _ = make(arm).run(inputs, cue)
    plain, _ = make("plain").run(inputs, None)
    torch.testing.assert_close(outputs, plain, rtol=1e-12, atol=1e-12)
    changed, _ = randomise(make(arm)).run(inputs, cue)
    assert (changed - plain).abs().max() > 0.01  # the modulation is read


def test_bias_pathway_equals_context_through_input_weights():
    inputs, cue = draw_inputs()
    model = randomise(make("bias"))
    outputs, _ = model.run(inputs, cue)
    rule = make("plain", n_inputs=SIZES["n_inputs"] + 3)
    for name in parameter_shapes(rule.config):
        if name != "input":
            rule.parameters[name].data.copy_(model.parameters[name])
    joined = torch.cat([model.parameters["input"], model.parameters["bias_modulation"]], dim=1)
    rule.parameters["input"].data.copy_(joined)
    expected, _ = rule.run(torch.cat([inputs, cue[:, :, None].expand(-1, -1, 6, -1)], dim=-1), None)
    torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("arm", ["synaptic", "scalar", "gain", "gating"])
def test_each_context_equals_a_plain_network_with_effective_weights(arm):
    inputs, cue = draw_inputs(n_trials=3)
    model = randomise(make(arm))
    p = {k: v.detach() for k, v in (model.parameters | model.fixed).items()}
    outputs, _ = model.run(inputs, cue)
    for k in range(3):
        plain = make("plain")
        for name in plain.parameters:
            plain.parameters[name].data.copy_(p[name])
        w, b = plain.parameters["recurrent"].data, plain.parameters["input"].data
        if arm == "synaptic":
            strength = p["strength_modulation"][:, k]
            w += torch.einsum("mir,mr,mjr->mij", p["synaptic_in"], strength, p["synaptic_out"])
        elif arm == "scalar":
            w *= 1 + p["scale_modulation"][:, k, :, None]
        else:
            gain = 1 + p["gain_modulation"][:, k] if arm == "gain" else p["gate"][:, k]
            w *= gain[:, None]
            b *= gain[:, None]
        expected, _ = plain.run(inputs[:, k : k + 1], None)
        torch.testing.assert_close(outputs[:, k : k + 1], expected, rtol=1e-11, atol=1e-11)


def test_low_pass_follows_a_step_exponentially():
    context = torch.ones(1, 1, 1, 2, dtype=torch.float64)
    seen = low_pass(context, n_steps=40, dt_ms=20, tau_ms=100)
    time_ms = 20 * torch.arange(1, 41, dtype=torch.float64)
    torch.testing.assert_close(seen[0, 0, :, 0], 1 - torch.exp(-time_ms / 100), rtol=1e-12, atol=0)
    assert low_pass(context, n_steps=40, dt_ms=20, tau_ms=0) is context


def test_low_pass_starts_where_the_previous_context_left_it():
    context, previous = torch.eye(2, dtype=torch.float64)[None, :1, None], torch.eye(2, dtype=torch.float64)[None, 1:]
    seen = low_pass(context, n_steps=40, dt_ms=20, tau_ms=100, previous=previous)
    decay = torch.exp(-20 * torch.arange(1, 41, dtype=torch.float64) / 100)
    torch.testing.assert_close(seen[0, 0], torch.stack([1 - decay, decay], dim=1), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("arm", ["excitability", "synaptic", "combined"])
def test_a_long_block_of_another_task_is_the_previous_context(arm):
    inputs, cue = draw_inputs()
    model = randomise(make(arm, tau_excitability_ms=200.0, tau_synaptic_ms=300.0))
    other = cue.roll(1, dims=-1)
    n_before = 400  # 8 s: more than twenty time constants
    before = torch.cat([inputs[:, :, :1].expand(-1, -1, n_before, -1), inputs], dim=2)
    context = torch.cat([other[:, :, None].expand(-1, -1, n_before, -1), cue[:, :, None].expand(-1, -1, 6, -1)], dim=2)
    whole, rates = model.run(before, context, keep_rates=True)
    after, _ = model.run(inputs, cue, previous=other, initial=rates[:, :, n_before - 1])
    torch.testing.assert_close(after, whole[:, :, n_before:], rtol=1e-9, atol=1e-9)
    rested, _ = model.run(inputs, cue, initial=rates[:, :, n_before - 1])
    assert (after - rested).abs().max() > 1e-3
    with pytest.raises(ValueError, match="context: expected"):
        model.run(inputs, cue, previous=other[:, :1])


@pytest.mark.parametrize(("arm", "reads"), [("excitability", "tau_excitability_ms"), ("synaptic", "tau_synaptic_ms")])
def test_each_time_constant_slows_its_own_pathway(arm, reads):
    inputs, cue = draw_inputs()
    fast, _ = randomise(make(arm)).run(inputs, cue)
    other = {"tau_excitability_ms", "tau_synaptic_ms"} - {reads}
    same, _ = randomise(make(arm, **{other.pop(): 200.0})).run(inputs, cue)
    torch.testing.assert_close(same, fast, rtol=0, atol=0)
    slow, _ = randomise(make(arm, **{reads: 200.0})).run(inputs, cue)
    frozen, _ = randomise(make(arm, **{reads: 1e9})).run(inputs, cue)
    absent, _ = randomise(make(arm)).run(inputs, torch.zeros_like(cue))
    assert (slow - fast).abs().max() > 1e-3
    torch.testing.assert_close(frozen, absent, rtol=0, atol=1e-5)  # it moves by at most T dt / tau ~ 1e-7


def test_context_may_vary_within_the_trial():
    inputs, cue = draw_inputs()
    model = randomise(make("combined"))
    switching = cue[:, :, None].expand(-1, -1, 6, -1).clone()
    switching[:, :, 3:] = switching[:, :, 3:].roll(1, dims=-1)
    before, rates = model.run(inputs[:, :, :3], cue, keep_rates=True)
    after, _ = model.run(inputs[:, :, 3:], cue.roll(1, dims=-1), initial=rates[:, :, -1])
    whole, _ = model.run(inputs, switching)
    torch.testing.assert_close(whole, torch.cat([before, after], dim=2), rtol=1e-12, atol=1e-12)


PATHWAY_TENSORS = {
    "excitability": ("bias_modulation", "gain_modulation"),
    "synapses": ("strength_modulation",),
}


def test_synapses_that_are_told_the_same_change_nothing():
    inputs, cue = draw_inputs()
    model = randomise(make("combined", tau_excitability_ms=200.0, tau_synaptic_ms=300.0))
    expected, _ = model.run(inputs, cue)
    outputs, _ = model.run(inputs, Told(cue, cue.clone()))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=0)


@pytest.mark.parametrize(("silent", "heard"), [("synapses", 0), ("excitability", 1)])
def test_each_pathway_hears_its_own_context_alone(silent, heard):
    inputs, cue = draw_inputs()
    model = randomise(make("combined"))
    for name in PATHWAY_TENSORS[silent]:
        model.parameters[name].data.zero_()
    told = cue, cue.roll(1, dims=-1)
    first, second = (model.run(inputs, context)[0] for context in told)
    assert (first - second).abs().max() > 0.01
    outputs, _ = model.run(inputs, Told(told[0], told[1]))
    torch.testing.assert_close(outputs, (first, second)[heard], rtol=0, atol=0)
    outputs, _ = model.run(inputs, Told(told[1], told[0]))
    torch.testing.assert_close(outputs, (second, first)[heard], rtol=0, atol=0)


@pytest.mark.parametrize("arm", ["excitability", "synaptic"])
def test_a_single_pathway_hears_the_context_that_is_its_own(arm):
    inputs, cue = draw_inputs()
    other, model = cue.roll(1, dims=-1), randomise(make(arm))
    outputs, _ = model.run(inputs, Told(cue, other))
    expected, _ = model.run(inputs, cue if arm == "excitability" else other)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=0)


def test_a_simulation_cuts_both_contexts_into_the_same_chunks():
    inputs, cue = draw_inputs(n_trials=40)
    other, model = cue.roll(1, dims=-1), randomise(make("combined"))
    whole, _ = model.run(inputs, Told(cue, other))
    parts, _ = model.simulate(inputs, Told(cue, other), noise=None, chunk_trials=7)
    torch.testing.assert_close(parts, whole.detach(), rtol=1e-13, atol=1e-13)
    with pytest.raises(ValueError, match="context: expected"):
        model.run(inputs, Told(cue, other[..., :2]))


def test_inferred_context_is_the_encoder_of_the_current_input():
    inputs, _ = draw_inputs()
    model = randomise(make("combined", context_source="input"))
    p = model.parameters
    context = torch.tanh(torch.einsum("mbti,mik->mbtk", inputs, p["encoder_input"]) + p["encoder_bias"][:, None, None])
    outputs, _ = model.run(inputs, None)
    cued = make("combined")
    for name in cued.parameters:
        cued.parameters[name].data.copy_(p[name])
    expected, _ = cued.run(inputs, context.detach())
    torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)
    gradient = torch.autograd.grad(outputs.square().sum(), p["encoder_input"])[0]
    assert gradient.abs().max() > 1e-3


@pytest.mark.parametrize("arm", ["bias", "excitability", "synaptic", "scalar", "combined"])
def test_a_context_that_reads_the_state_is_the_encoder_of_the_step_before(arm):
    inputs, _ = draw_inputs()
    model = randomise(make(arm, context_source="state"))
    outputs, rates = model.run(inputs, None, keep_rates=True)
    context = model.infer_context(inputs, rates).detach()
    p = model.parameters
    first = torch.einsum("mbi,mik->mbk", inputs[:, :, 0], p["encoder_input"]) + p["encoder_bias"][:, None]
    torch.testing.assert_close(context[:, :, 0], torch.tanh(first))
    third = torch.einsum("mbi,mik->mbk", inputs[:, :, 2], p["encoder_input"]) + p["encoder_bias"][:, None]
    third = third + torch.einsum("mbn,mnk->mbk", rates[:, :, 1], p["encoder_state"])
    torch.testing.assert_close(context[:, :, 2], torch.tanh(third))
    cued = make(arm)
    for name in cued.parameters:
        cued.parameters[name].data.copy_(p[name])
    torch.testing.assert_close(outputs, cued.run(inputs, context)[0], rtol=1e-11, atol=1e-11)
    assert torch.autograd.grad(outputs.square().sum(), p["encoder_state"])[0].abs().max() > 1e-4


def test_an_encoder_that_ignores_the_state_reads_the_input_alone():
    inputs, _ = draw_inputs()
    of_state = randomise(make("combined", context_source="state"))
    of_input = make("combined", context_source="input")
    for name in of_input.parameters:
        of_input.parameters[name].data.copy_(of_state.parameters[name])
    assert (of_state.run(inputs, None)[0] - of_input.run(inputs, None)[0]).abs().max() > 1e-3
    of_state.parameters["encoder_state"].data.zero_()
    torch.testing.assert_close(of_state.run(inputs, None)[0], of_input.run(inputs, None)[0], rtol=1e-12, atol=1e-12)
    assert not make("combined", context_source="state").parameters["encoder_state"].any()  # so they start


@pytest.mark.parametrize("source", ["input", "state"])
def test_a_drawn_gate_has_to_be_told_which_to_open(source):
    with pytest.raises(ValueError, match="context_source: expected another .* gate, got .* have to be told"):
        make("gating", context_source=source)


@pytest.mark.parametrize("change", [dict(tau_synaptic_ms=50.0), dict(arm="gating")])
def test_a_context_that_reads_the_state_has_no_low_pass_and_no_drawn_gate(change):
    with pytest.raises(ValueError, match="context_source"):
        make(**(dict(arm="bias", context_source="state") | change))


def test_rates_are_for_encoders_that_read_them():
    inputs, _ = draw_inputs()
    with pytest.raises(ValueError, match=r"rates: expected \(network, trial, time, unit\) with context_source state"):
        make("bias", context_source="state").infer_context(inputs)
    with pytest.raises(ValueError, match="rates: expected None with context_source input"):
        make("bias", context_source="input").infer_context(inputs, inputs)


def test_context_errors_say_what_was_expected():
    inputs, cue = draw_inputs()
    with pytest.raises(ValueError, match="context: expected .* got None"):
        make("bias").run(inputs, None)
    with pytest.raises(ValueError, match=r"= \(2, 5, 3\), got \(2, 5, 1, 2\)"):
        make("bias").run(inputs, cue[..., :2])
    with pytest.raises(ValueError, match="infers it from the input"):
        make("bias", context_source="input").run(inputs, cue)
    with pytest.raises(ValueError, match="infers it from the state"):
        make("bias", context_source="state").run(inputs, cue)


@pytest.mark.parametrize(
    "change",
    [
        dict(arm="exitability"),
        dict(activation="ReLU"),
        dict(rank=3),
        dict(n_units=0),
        dict(dt_ms=200.0),
        dict(gate_fraction_off=1.0),
        dict(sigma_rec=-0.1),
        dict(n_units="64"),
    ],
)
def test_config_refuses_what_does_not_fit(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        NetworkConfig(**(SIZES | dict(arm="bias") | change))


@pytest.mark.parametrize("start", ["gaussian", "orthogonal", "diagonal"])
def test_initial_recurrence_has_its_spectral_radius(start):
    model = make("plain", n_units=30, recurrent_start=start, spectral_radius=0.7)
    for w in model.parameters["recurrent"].detach().numpy():
        assert np.abs(np.linalg.eigvals(w)).max() == pytest.approx(0.7, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(n_units=st.integers(1, 60), fraction=st.floats(0, 0.95), seed=st.integers(0, 99))
def test_gates_switch_the_same_number_of_units_off_in_every_context(n_units, fraction, seed):
    gate = draw_gate(stream(seed, "gate"), 5, n_units, fraction)
    assert gate.shape == (5, n_units)
    assert set(np.unique(gate)) <= {0.0, 1.0}
    assert ((gate == 0).sum(axis=1) == round(fraction * n_units)).all()


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize(("n_units", "n_contexts", "rank"), [(64, 8, 4), (64, 20, 2), (128, 20, 8), (48, 16, 3)])
def test_budgets_of_large_networks_match_within_two_per_cent(arm, n_units, n_contexts, rank):
    reference = NetworkConfig(
        arm="combined", n_units=n_units, n_contexts=n_contexts, rank=rank, n_inputs=5, n_outputs=3
    )
    matched = match_budget(arm, reference)
    assert matched.arm == arm
    assert abs(count_parameters(matched) / count_parameters(reference) - 1) <= 0.02
    # and nothing else differs
    sizes = dict(arm="combined", n_units=n_units, rank=rank)
    assert dataclasses.replace(matched, **sizes) == reference


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize(("n_units", "rank"), [(1, 1), (3, 1), (8, 2)])
def test_a_small_network_gets_the_nearest_size(arm, n_units, rank):
    reference = NetworkConfig(arm="combined", n_units=n_units, n_contexts=2, rank=rank, n_inputs=5, n_outputs=3)
    matched, budget = match_budget(arm, reference), count_parameters(reference)
    sized = "rank" if matched.rank else "n_units"
    brute = [count_parameters(dataclasses.replace(matched, **{sized: size})) for size in range(1, 40)]
    assert abs(count_parameters(matched) - budget) == min(abs(count - budget) for count in brute)
    counts = count_parameters(matched), budget
    assert budget_gap([matched, reference]) == pytest.approx(max(counts) / min(counts) - 1)


def test_film_on_what_a_unit_receives_is_the_excitability_arm():
    model = randomise(make("excitability", sigma_rec=0.0))
    inputs, cue = draw_inputs()
    outputs, _ = model.run(inputs, cue)
    p = {name: value.detach() for name, value in model.parameters.items()}
    k = cue.argmax(-1)[0]  # (B,) task of every trial
    alpha = model.config.alpha
    for m in range(len(SEEDS)):
        scale = 1 + p["gain_modulation"][m][k]  # (B, N), FiLM's gamma and beta of every trial's context
        shift = p["bias_modulation"][m][k] + p["bias"][m]
        r = torch.zeros_like(scale)
        for t in range(inputs.shape[2]):
            received = r @ p["recurrent"][m] + inputs[m, :, t] @ p["input"][m]
            r = (1 - alpha) * r + alpha * torch.tanh(scale * received + shift)
            expected = r @ p["readout"][m] + p["readout_bias"][m]
            torch.testing.assert_close(outputs[m, :, t], expected, rtol=0, atol=1e-12)


def test_a_network_does_not_depend_on_its_ensemble():
    inputs, cue = (x.float() for x in draw_inputs(n_trials=40))
    both, alone = make("combined", dtype=torch.float32), make("combined", seeds=SEEDS[1:], dtype=torch.float32)
    together, _ = both.simulate(inputs, cue, noise=NoiseStream(SEEDS, name="n"))
    single, _ = alone.simulate(inputs[1:], cue[1:], noise=NoiseStream(SEEDS[1:], name="n"))
    torch.testing.assert_close(together[1:], single, rtol=0, atol=0)
    chosen, _ = both.select([1]).simulate(inputs[1:], cue[1:], noise=NoiseStream(SEEDS[1:], name="n"))
    torch.testing.assert_close(together[1:], chosen, rtol=0, atol=0)


def test_chunks_do_not_change_a_noiseless_simulation():
    inputs, cue = draw_inputs(n_trials=40)
    model = randomise(make("combined"))
    whole = model.simulate(inputs, cue, noise=None, keep_rates=True)
    parts = model.simulate(inputs, cue, noise=None, keep_rates=True, chunk_trials=7)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-13)
