"""The Triton kernels against the plain loop in float64, the compiled back end and the CPU's noise (make test-gpu).

They run on a card, or without one in Triton's interpreter, which shows what is computed and not how fast.
"""

import os
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cemrnn.network.config import NetworkConfig
from cemrnn.network.engine import fused
from cemrnn.network.engine.activation import ACTIVATIONS
from cemrnn.network.engine.recurrence import Objective, integrate
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.network.pathways import ARMS
from tests.recurrences import PATHWAYS, draw, loop, to_single, values_and_gradients

pytest.importorskip("triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("no card, and not in Triton's interpreter", allow_module_level=True)

from cemrnn.network.engine.fused import launch, normal, plans  # noqa: E402

GIVEN = [p for p in PATHWAYS if "e" not in p]
ROUNDING = 2**-24


@pytest.fixture(autouse=True)
def forget_plans():
    fused._plans.clear()


def run(drawn, activation, backend, alpha=0.3):
    return values_and_gradients(
        lambda w, d: integrate(w, d, alpha=alpha, activation=activation, backend=backend), *drawn
    )


def distance(ours, theirs):
    """The largest difference of any value or gradient, as a share of the largest of its kind."""
    assert ours.keys() == theirs.keys()
    sizes = {k: v.abs().max().item() or 1.0 for k, v in theirs.items()}  # W has no gradient in a single step
    return max((ours[k].cpu().double() - v).abs().max().item() / sizes[k] for k, v in theirs.items())


def was_fused():
    return bool(fused._plans) and all(fused._plans.values())


@settings(max_examples=14, deadline=None, derandomize=True)
@given(
    pathways=st.sampled_from(GIVEN),
    activation=st.sampled_from(list(ACTIVATIONS)),
    axes=st.tuples(st.booleans(), st.booleans()),
    n_trials=st.sampled_from([1, 3, 16, 19]),
    n_steps=st.integers(1, 6),
    n_units=st.sampled_from([1, 4, 16, 21]),
    plan=st.sampled_from([plans.Plan(16, 0, 4), plans.Plan(16, 16, 4), plans.Plan(32, 0, 4)]),
    seed=st.integers(0, 99),
)
def test_values_and_gradients_equal_the_loop_in_double_precision(
    pathways, activation, axes, n_trials, n_steps, n_units, plan, seed
):
    fused._plans.clear()
    shape = (n_trials if axes[0] else 1, n_steps if axes[1] else 1)
    drawn = draw(pathways, *shape, n_trials=n_trials, n_steps=n_steps, n_units=n_units, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "PLANS", ((1, (plan,)),))
        ours = run(to_single(*drawn, DEVICE), activation, "fused")
    assert was_fused()
    theirs = values_and_gradients(lambda w, d: loop(w, d, 0.3, activation), *drawn)
    # as for the other back ends: some hundred operations lie between input and gradient
    assert distance(ours, theirs) < 300 * ROUNDING


@pytest.mark.parametrize("pathways", GIVEN)
def test_every_pathway_equals_the_compiled_back_end(pathways):
    drawn = to_single(*draw(pathways, 19, 5))
    ours = run(to_single(*drawn, DEVICE), "softplus", "fused")
    assert was_fused()
    theirs = {name: value.double() for name, value in run(drawn, "softplus", "compiled").items()}
    assert distance(ours, theirs) < 300 * ROUNDING


@pytest.mark.parametrize("n_units", [65, 130, 260])  # padded, held on the chip or read in tiles, as the plans say
def test_wide_networks_equal_the_compiled_back_end(n_units):
    drawn = to_single(*draw("gskxil", 17, 1, n_trials=17, n_steps=3, n_units=n_units))
    ours = run(to_single(*drawn, DEVICE), "relu", "fused")
    assert was_fused()
    theirs = {name: value.double() for name, value in run(drawn, "relu", "compiled").items()}
    # the products' errors grow as the root of the number of units
    assert distance(ours, theirs) < 300 * (n_units / 16) ** 0.5 * ROUNDING


@pytest.mark.parametrize("lengths", [[1, 1, 1], [5, 1, 3], [5, 5, 5]])
def test_nothing_comes_after_the_end_of_a_trial(lengths):
    weights, drive = to_single(*draw("gs", 3, 5, n_trials=3, n_steps=5), DEVICE)
    ends = torch.tensor([lengths, lengths[::-1]], device=DEVICE)
    ours = run((weights, replace(drive, lengths=ends)), "tanh", "fused")
    assert was_fused()
    after = torch.arange(5, device=DEVICE) >= ends[..., None]
    for name in ("outputs", "rates", "inputs", "bias", "gain", "strength"):
        assert (ours[name][after] == 0).all(), name
    assert (ours["rates"][~after] != 0).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_is_not_a_number_reaches_its_network_alone(activation):
    weights, drive = to_single(*draw("gs"), DEVICE)
    weights.input[1, 0, 0] = torch.nan
    outputs, _ = integrate(weights, drive, alpha=0.3, activation=activation, backend="fused")
    assert was_fused()
    assert torch.isfinite(outputs[0]).all()
    assert torch.isnan(outputs[1]).all()


def test_outputs_alone_are_the_same():
    weights, drive = to_single(*draw("gskxil"), DEVICE)
    with_rates, _ = integrate(weights, drive, alpha=0.3, activation="relu", backend="fused")
    outputs, rates = integrate(weights, drive, alpha=0.3, activation="relu", backend="fused", keep_rates=False)
    assert rates is None
    assert torch.equal(outputs, with_rates)


ENSEMBLE = dict(n_units=5, n_contexts=3, n_inputs=4, n_outputs=2)


def perturbed(config, **place):
    """Three networks whose modulation is no longer zero; their parameters lie in the rows of one tensor."""
    model, generator = CEMRNN(config, [1, 2, 3], **place), torch.Generator().manual_seed(4)
    model.flat.add_(0.3 * torch.randn(model.flat.shape, generator=generator, dtype=torch.float64).to(model.flat))
    return model


def fit(model, backend, noise, n_trials=18, n_steps=4):
    """Loss, outputs and gradients of an ensemble on trials of unlike lengths."""
    c, generator = model.config, torch.Generator().manual_seed(5)

    def normal(*shape):
        return torch.randn(3, n_trials, *shape, generator=generator, dtype=torch.float64).to(model.flat)

    inputs, targets, told = normal(n_steps, c.n_inputs), normal(n_steps, c.n_outputs), normal(c.n_contexts)
    lengths = torch.randint(1, n_steps + 1, (3, n_trials), generator=generator).to(model.flat.device)
    goal = Objective(targets, torch.ones_like(targets[..., 0]), torch.ones_like(targets[0, 0, 0]))
    context = told if ARMS[c.arm].pathways and not c.infers_context else None
    loss = model.measure_error(inputs, context, goal, noise=noise, lengths=lengths, backend=backend)
    gradients = torch.autograd.grad(loss.sum(), list(model.parameters.values()))
    outputs, rates = model.run(
        inputs, context, noise=noise, lengths=lengths, initial=normal(c.n_units), keep_rates=True, backend=backend
    )
    found = {"loss": loss, "outputs": outputs, "rates": rates} | dict(zip(model.parameters, gradients, strict=True))
    return {f"{name} of {m}": x[m].detach() for name, x in found.items() for m in range(3)}


@pytest.mark.parametrize(
    ("arm", "source"), [(name, "cue") for name in ARMS] + [("combined", "input"), ("excitability", "input")]
)
def test_networks_side_by_side_equal_the_compiled_back_end(arm, source):
    config = NetworkConfig(
        arm=arm, rank=ARMS[arm].rank_of(2), sigma_rec=0.2, activation="softplus", context_source=source, **ENSEMBLE
    )
    drawn = NoiseStream([3, 8, 9], name="n", device=DEVICE).count(config)
    ours = fit(perturbed(config, device=DEVICE), "fused", drawn)
    assert was_fused()
    filled = NoiseStream([3, 8, 9], name="n").draw(18, 4, config)
    theirs = fit(perturbed(config), "compiled", filled)
    exact = fit(perturbed(config, dtype=torch.float64), "compiled", filled.double())
    assert distance(ours, {name: value.double() for name, value in theirs.items()}) < 300 * ROUNDING
    assert distance(ours, exact) < 300 * ROUNDING


SIZES = dict(arm="plain", n_contexts=1, n_inputs=1, n_outputs=1)


@pytest.mark.parametrize(("n_trials", "n_steps", "n_units"), [(3, 4, 5), (1, 2, 1), (37, 3, 51)])
def test_counted_noise_is_the_cpus(n_trials, n_steps, n_units):
    config = NetworkConfig(**SIZES, n_units=n_units, sigma_rec=0.2)
    counted = NoiseStream([3, 8], name="test", device=DEVICE).count(config)
    expected = NoiseStream([3, 8], name="test").draw(n_trials, n_steps, config)
    ours = fused.fill(counted, n_trials, n_steps, n_units).cpu()
    # same hashes; the polynomials' sums may be rounded in another order
    torch.testing.assert_close(ours, expected, rtol=0, atol=8 * ROUNDING * expected.abs().max().item())
    assert torch.equal(counted.fill(n_trials, n_steps, n_units).cpu(), expected)


@pytest.mark.parametrize("plan", [plans.Plan(16, 0, 4), plans.Plan(16, 16, 4)])
def test_noise_drawn_inside_equals_noise_in_an_array(plan, monkeypatch):
    monkeypatch.setattr(plans, "PLANS", ((1, (plan,)),))
    weights, drive = draw("gsl", n_units=21)
    config = NetworkConfig(**SIZES, n_units=21, sigma_rec=0.2)
    counted = replace(
        to_single(weights, drive, DEVICE)[1], noise=NoiseStream([3, 8], name="n", device=DEVICE).count(config)
    )
    filled = replace(drive, noise=NoiseStream([3, 8], name="n").draw(*drive.inputs.shape[1:3], config).double())
    ours = run((to_single(weights, drive, DEVICE)[0], counted), "tanh", "fused")
    assert was_fused()
    theirs = run((weights, filled), "tanh", "compiled")
    assert distance(ours, theirs) < 300 * ROUNDING
    silent = run((weights, drive), "tanh", "compiled")  # negative control: the noise is seen
    assert distance(ours, silent) > 1e-3


@pytest.mark.parametrize(("module", "name", "wrong"), [("normal", "LN2", 0.7), ("normal", "SECOND", 0x94D049BB133111ED),
                                                       ("steps", "RELU", 1)])  # fmt: skip
def test_a_wrong_constant_is_seen(module, name, wrong, monkeypatch):
    import triton.language as tl

    part = {"normal": normal, "steps": launch.steps}[module]
    weights, drive = draw("g")
    config = NetworkConfig(**SIZES, n_units=4, sigma_rec=0.2)
    single, driven = to_single(weights, drive, DEVICE)
    driven = replace(driven, noise=NoiseStream([3, 8], name="n", device=DEVICE).count(config))
    filled = replace(drive, noise=NoiseStream([3, 8], name="n").draw(*drive.inputs.shape[1:3], config).double())
    theirs = run((weights, filled), "relu", "compiled")
    assert distance(run((single, driven), "relu", "fused"), theirs) < 300 * ROUNDING
    monkeypatch.setattr(part, name, tl.constexpr(wrong))
    with pytest.raises((AssertionError, RuntimeError)):  # a card refuses to run a kernel whose constants have changed
        assert distance(run((single, driven), "relu", "fused"), theirs) < 300 * ROUNDING
