"""Networks that learn sequences: gated baselines against their equations, training, store, and the identities."""

import dataclasses

import numpy as np
import pytest
import torch

from cemrnn.figures.shared.sequence_models import GATED, GRID, TUNED, Comparison, score_in_time, tune
from cemrnn.network.config import NetworkConfig
from cemrnn.network.gated import GatedConfig, GatedEnsemble, match_precision
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS
from cemrnn.store.entry import entry_key, recipe_kind
from cemrnn.store.store import Store
from cemrnn.sweep.cost import count_work, entry_bytes
from cemrnn.sweep.jobs import split_jobs
from cemrnn.sweep.run import load_population, train_missing
from cemrnn.system.files import read_sealed
from cemrnn.tasks.sequences import ImageSet, TextSet, average_loss, cross_entropy
from cemrnn.training.config import TrainingConfig
from cemrnn.training.sequence_learner import score_batch
from cemrnn.training.sequences import SequenceConfig
from cemrnn.training.train import TrainingInterrupted, train
from tests.networks import small_config

ROWS = ImageSet(source="digits", scan="rows")
PACKED = ImageSet(source="digits", scan="rows", n_contexts=2, transform="permute")
# A drawn gate cannot follow a context that is inferred.
MODELS = [*(arm for arm in ARMS if arm not in ("gating", "neuromodulated")), *GATED]
PROSE = TextSet(registers=("prose",), n_steps=12, n_symbols=20, warm_up=2)
SETTINGS = dict(n_updates=6, batch_trials=8, learning_rate=0.01, evaluate_every=3, validation_size=200)


def make_network(arm="combined", data=ROWS, n_units=12, **changes):
    """A small network that infers its context, unless told otherwise; or a gated one."""
    sizes = dict(n_units=n_units, n_inputs=data.n_inputs, n_outputs=data.n_outputs)
    if arm in ("gru", "lstm"):
        return GatedConfig(arm=arm, **(sizes | changes))
    rank = 2 if arm in ("combined", "synaptic") else 0
    defaults = dict(n_contexts=3, rank=rank, context_source="input", sigma_rec=0.0, dt_ms=50.0, tau_ms=100.0)
    return NetworkConfig(arm=arm, **(sizes | defaults | changes))


def recipe(seed=0, arm="combined", data=ROWS, **changes):
    return SequenceConfig(network=make_network(arm, data), data=data, seed=seed, **(SETTINGS | changes))


def draw_inputs(n_trials=5, n_steps=6, n_inputs=8, dtype=torch.float64):
    return torch.randn((2, n_trials, n_steps, n_inputs), generator=torch.Generator().manual_seed(1), dtype=dtype)


def randomise(model):
    model.flat += 0.3 * torch.randn(model.flat.shape, generator=torch.Generator().manual_seed(2)).to(model.flat.dtype)
    return model


@pytest.mark.parametrize("source", ["input", "state"])
@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm not in ("plain", "gating", "neuromodulated")])
def test_the_encoder_reduces_to_the_plain_network_at_zero(arm, source):
    inputs = draw_inputs()
    plain = randomise(CEMRNN(make_network("plain"), [3, 8], dtype=torch.float64))
    model = randomise(CEMRNN(make_network(arm, context_source=source), [3, 8], dtype=torch.float64))
    for name, values in plain.parameters.items():
        model.parameters[name].data.copy_(values)
    expected, _ = plain.run(inputs, None)
    assert (model.run(inputs, None)[0] - expected).abs().max() > 1e-3  # modulation is read
    for name in [name for name in model.parameters if name.startswith("encoder_")]:
        model.parameters[name].data.zero_()
    torch.testing.assert_close(model.run(inputs, None)[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("arm", ["combined", "synaptic", "scalar"])
@pytest.mark.parametrize(("source", "tau_ms"), [("input", 0.0), ("input", 200.0), ("state", 0.0)])
def test_gradients_are_exact_through_the_encoder(arm, source, tau_ms):
    taus = dict(tau_excitability_ms=tau_ms, tau_synaptic_ms=tau_ms)
    network = make_network(arm, n_units=5, activation="tanh", context_source=source, **taus)
    model = randomise(CEMRNN(network, [3, 8], dtype=torch.float64))
    inputs, targets = draw_inputs(n_trials=3, n_steps=4), torch.randint(0, 10, (2, 3, 1))

    def loss(*values):
        model.parameters = dict(zip(model.parameters, values, strict=True))
        return cross_entropy(model.run(inputs, None)[0], targets)

    assert torch.autograd.gradcheck(loss, tuple(model.parameters.values()))


def test_the_bias_arm_is_the_context_concatenated_to_the_input():
    inputs = draw_inputs()
    model = randomise(CEMRNN(make_network("bias"), [3, 8], dtype=torch.float64))
    joined = CEMRNN(make_network("plain", n_inputs=8 + 3), [3, 8], dtype=torch.float64)
    for name in joined.parameters:
        if name != "input":
            joined.parameters[name].data.copy_(model.parameters[name])
    weights = torch.cat([model.parameters["input"], model.parameters["bias_modulation"]], dim=1)
    joined.parameters["input"].data.copy_(weights)
    expected, _ = joined.run(torch.cat([inputs, model.infer_context(inputs)], dim=-1), None)
    torch.testing.assert_close(model.run(inputs, None)[0], expected, rtol=1e-12, atol=1e-12)


def step_gru(w, u, h):
    """One step of the equations in the docstring of `cemrnn.network.gated`; gates in torch's order."""
    r, z, n = (w["input"] @ u + w["bias"]).chunk(3)
    hr, hz, hn = (w["recurrent"] @ h[0] + w["recurrent_bias"]).chunk(3)
    r, z = torch.sigmoid(r + hr), torch.sigmoid(z + hz)
    return [(1 - z) * torch.tanh(n + r * hn) + z * h[0]]


def step_lstm(w, u, h):
    i, f, g, o = (w["input"] @ u + w["bias"] + w["recurrent"] @ h[0] + w["recurrent_bias"]).chunk(4)
    c = torch.sigmoid(f) * h[1] + torch.sigmoid(i) * torch.tanh(g)
    return [torch.sigmoid(o) * torch.tanh(c), c]


@pytest.mark.parametrize(("arm", "step"), [("gru", step_gru), ("lstm", step_lstm)])
def test_gated_networks_are_their_equations(arm, step):
    model = GatedEnsemble(make_network(arm, n_contexts=2), [3, 8], dtype=torch.float64)
    inputs, cue = draw_inputs(), torch.tensor([[[1.0, 0.0]] * 5] * 2)
    outputs, rates = model.run(inputs, cue)
    assert outputs.shape == (2, 5, 6, 10) and rates is None
    for m in range(2):
        w = {name: values[m] for name, values in model.parameters.items()}
        h = [torch.zeros(12, dtype=torch.float64)] * 2
        for t in range(6):
            h = step(w, torch.cat([inputs[m, 4, t], cue[m, 4].double()]), h)
            expected = h[0] @ w["readout"] + w["readout_bias"]
            torch.testing.assert_close(outputs[m, 4, t], expected, rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="context: expected a cue of 2 numbers, .* got None"):
        model.run(inputs, None)


def test_the_bias_of_the_gate_that_keeps_is_where_it_is_read():
    inputs = torch.zeros(1, 1, 1, 8)
    for arm in ("gru", "lstm"):
        shut, kept = (GatedEnsemble(make_network(arm, keep_bias=bias), [1]) for bias in (0.0, 1.0))
        changed = (shut.flat != kept.flat).sum().item()
        assert changed == 12
        assert shut.run(inputs, None)[0].shape == (1, 1, 1, 10)
    wide, shut = (GatedEnsemble(make_network("gru", keep_bias=bias), [1]) for bias in (50.0, 0.0))
    one = torch.ones(1, 1, 1, 8)
    assert (wide.run(one, None)[0] - wide.parameters["readout_bias"]).abs().max() < 1e-6  # h stays at zero
    assert (shut.run(one, None)[0] - shut.parameters["readout_bias"]).abs().max() > 1e-3


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n_inferred", [4, None])
def test_all_models_have_equal_numbers_of_parameters(model, n_inferred):
    comparison = Comparison(
        data=PACKED, n_units=96, rank=8, n_inferred=n_inferred, encoder_reads="input", n_updates=1, batch_trials=1,
        evaluate_every=1, validation_size=1,
    )  # fmt: skip
    sizes = [comparison.recipes(name, [0], GRID[0])[0].n_parameters for name in ("combined", model)]
    assert abs(sizes[1] / sizes[0] - 1) <= 0.02
    assert comparison.recipes(model, [0], GRID[1])[0].n_parameters == sizes[1]  # whatever the setting


def test_a_budget_chooses_the_rank():
    comparison = Comparison(
        data=PACKED, n_units=64, rank=4, n_inferred=None, encoder_reads="input", n_updates=1, batch_trials=1,
        evaluate_every=1, validation_size=1, budget=8000,
    )  # fmt: skip
    assert abs(comparison.recipes("combined", [0], GRID[0])[0].n_parameters - 8000) <= 64 + 1


def test_every_model_has_a_setting_of_the_grid_for_all_data():
    assert set(TUNED) == {"rows", "pixels", "packed", "text", "told"}
    assert all(set(settings) == set(MODELS) and set(settings.values()) <= set(GRID) for settings in TUNED.values())


def test_tuning_gives_a_row_per_point():
    comparison = Comparison(
        data=ROWS,
        n_units=64,
        rank=4,
        n_inferred=4,
        encoder_reads="input",
        n_updates=3,
        batch_trials=4,
        evaluate_every=3,
        validation_size=20,
    )
    table = tune(comparison, ["plain", "gru"], [7])
    assert len(table) == 2 * len(GRID) and table["accuracy"].between(0, 1).all()


@pytest.mark.parametrize(("arm", "data"), [("combined", ROWS), ("gru", ROWS), ("lstm", PROSE), ("combined", PROSE)])
def test_training_alone_together_and_resumed_is_the_same_to_the_bit(tmp_path, arm, data):
    configs = [recipe(seed, arm, data) for seed in (1, 2)]
    both = train(configs, device="cpu")
    alone = train(configs[1:], device="cpu")[0]
    assert torch.equal(both[1].flat, alone.flat)
    assert both[1].history.equals(alone.history)
    assert both[0].history.columns.tolist() == ["update", "loss", data.score_name]
    checkpoint, calls = tmp_path / "checkpoint", iter([False, False, False, False, True])
    with pytest.raises(TrainingInterrupted):
        train(configs, device="cpu", checkpoint=checkpoint, stop=lambda: next(calls))
    assert read_sealed(checkpoint)[1]["n_updates"] == 5
    resumed = train(configs, device="cpu", checkpoint=checkpoint)
    for one, other in zip(both, resumed, strict=True):
        assert torch.equal(one.flat, other.flat) and one.history.equals(other.history)


@pytest.mark.parametrize("arm", ["combined", "gru"])
def test_training_learns_and_shuffled_labels_do_not_help(arm):
    settings = dict(n_updates=150, batch_trials=32, evaluate_every=150, learning_rate=0.02)
    accuracy = {}
    for shuffle in (False, True):
        data = dataclasses.replace(ROWS, shuffle_labels=shuffle)
        config = SequenceConfig(network=make_network(arm, n_units=24), data=data, seed=1, **(SETTINGS | settings))
        accuracy[shuffle] = train([config], device="cpu")[0].history["accuracy"].iloc[-1]
    assert accuracy[False] > 0.6 > 0.25 > accuracy[True]


def test_networks_live_in_the_store_like_the_others(tmp_path):
    store, configs = Store(tmp_path), [recipe(seed, arm) for arm in ("combined", "gru") for seed in (1, 2)]
    assert train_missing([*configs, small_config(n_updates=2)], store, device="cpu") == 5
    assert train_missing(configs, store, device="cpu") == 0
    for part in (configs[:2], configs[2:]):
        ensemble, networks = load_population(part, store)
        assert torch.equal(ensemble.flat, torch.stack([n.flat for n in networks]))
        scores = score_batch(ensemble, ROWS.held_out("validation", SETTINGS["validation_size"]), "accuracy")
        assert scores.tolist() == pytest.approx([n.history["accuracy"].iloc[-1] for n in networks])
    files = sum(path.stat().st_size for path in store.folder(entry_key(configs[0])).iterdir())
    assert entry_bytes(configs[0]) == pytest.approx(files, rel=0.1)


def test_recipes_are_told_apart_and_read_back():
    for config, kind in ((recipe(), SequenceConfig), (recipe(arm="gru", data=PROSE), SequenceConfig),
                         (small_config(), TrainingConfig)):  # fmt: skip
        assert recipe_kind(config.to_dict()) is kind
        assert kind.from_params(config.to_dict()) == config
    assert entry_key(recipe()) != entry_key(recipe(arm="gru"))
    jobs = split_jobs([recipe(seed, arm) for seed in range(3) for arm in ("combined", "gru")])
    assert sorted(len(job.configs) for job in jobs) == [3, 3]


def test_a_recipe_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="network.n_inputs: expected 20 as in data, got 8"):
        SequenceConfig(network=make_network(), data=PROSE, seed=0, **SETTINGS)
    with pytest.raises(ValueError, match="network.n_contexts: expected 2 as in data, got 3"):
        told = make_network(data=PACKED, context_source="cue")
        SequenceConfig(network=told, data=PACKED, seed=0, **SETTINGS)
    with pytest.raises(ValueError, match="n_updates: expected a positive number"):
        recipe(n_updates=0)


@pytest.mark.parametrize("arm", ["combined", "gru", "lstm"])
def test_work_grows_with_every_size(arm):
    base = count_work(recipe(arm=arm))
    pixels = ImageSet(source="digits", scan="pixels")
    for larger in (recipe(arm=arm, n_updates=12), recipe(arm=arm, batch_trials=16), recipe(arm=arm, data=pixels)):
        assert count_work(larger) > base > 0


def test_the_score_at_equal_time_is_that_of_the_last_evaluation_in_time():
    histories = {}
    for arm in ("combined", "gru"):
        configs = [recipe(seed, arm) for seed in (1, 2)]
        histories[arm] = (configs, train(configs, device="cpu"))
    curves, timed = score_in_time(histories, "accuracy")
    assert set(curves.columns) >= {"arm", "update", "seconds", "accuracy", "low", "high"}
    ends = curves.groupby("arm")["seconds"].max()
    fastest = ends.idxmin()
    networks = histories[fastest][1]
    expected = [network.history["accuracy"].iloc[-1] for network in networks]
    assert timed[timed["arm"] == fastest]["accuracy"].tolist() == pytest.approx(expected)


def test_the_loss_is_that_of_torch_one_number_at_a_time():
    outputs = draw_inputs(n_inputs=10)
    targets = torch.randint(0, 10, (2, 5, 2), generator=torch.Generator().manual_seed(0))
    logits = outputs[:, :, -2:].numpy()
    chosen = np.take_along_axis(logits, targets.numpy()[..., None], -1)[..., 0]
    expected = np.log(np.exp(logits).sum(-1)) - chosen
    torch.testing.assert_close(cross_entropy(outputs, targets), torch.from_numpy(expected), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(average_loss(torch.from_numpy(expected)), torch.from_numpy(expected.mean((1, 2))))


@pytest.mark.parametrize(("asked", "allowed"), [("highest", False), ("high", True)])
def test_gated_networks_are_as_exact_as_products_are_asked_to_be(monkeypatch, asked, allowed):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", not allowed)
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: asked)
    match_precision()
    assert torch.backends.cudnn.allow_tf32 is allowed
