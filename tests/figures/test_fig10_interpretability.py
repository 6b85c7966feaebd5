"""Figure 10 on small networks that are really trained, and on states and modulations that were made by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from sklearn.linear_model import Ridge

from cemrnn.figures import load_plot
from cemrnn.figures.fig1_tasks import experiment as fig1_tasks
from cemrnn.figures.fig10_interpretability import experiment as fig10_interpretability
from cemrnn.figures.fig10_interpretability.config import InterpretabilityConfig
from cemrnn.figures.fig10_interpretability.decoding import (
    ambiguous_pairs,
    decode_pair,
    decoded_steps,
    early_step,
    fit_ridge,
)
from cemrnn.figures.fig10_interpretability.lesions import (
    draw_bases,
    hold_direction,
    hold_pathways,
    read_modulations,
    score_component_lesions,
)
from cemrnn.figures.fig10_interpretability.measure import MEASURES
from cemrnn.figures.fig11_network import experiment as fig11_network
from cemrnn.figures.fig11_network.experiment import NetworkPageConfig
from cemrnn.figures.shared.battery import load_populations, score_fresh
from cemrnn.figures.shared.states import Visited, visit
from cemrnn.figures.style import LOOKS
from cemrnn.measures.geometry import task_variance
from cemrnn.measures.sharing import active_fraction
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import PATHWAYS, Told
from cemrnn.tasks import BATTERY, TaskSet, TrialStream
from tests.drawn import panels_of
from tests.figures.test_all import NETWORKS

CONFIG = InterpretabilityConfig.from_params(
    NETWORKS
    | dict(state_trials=20, decode_every_ms=40.0, n_folds=4, n_bases=2, n_permutations=20, max_clusters=4)
    | dict(test_trials=20)
)
PAGE = NetworkPageConfig(
    tasks=("reaction_pro", "reaction_anti"),
    preset="fast",
    n_units=7,
    rank=2,
    activation="relu",
    n_replicates=2,
    seed=1,
    n_updates=150,
    batch_trials=32,
    learning_rate=0.02,
    target_score=0.9,
    test_trials=20,
    chance_trials=50,
    device="cpu",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMRNN_STORE", str(tmp_path_factory.mktemp("store")))
        patch.delenv("CEMRNN_RESULTS", raising=False)
        yield


@pytest.fixture(scope="module")
def result(store):
    return fig10_interpretability.run(CONFIG)


@pytest.fixture(scope="module")
def page(store):
    return fig11_network.run(PAGE)


@pytest.fixture
def modulated():
    """Untrained combined networks whose modulation is drawn at random, so that contexts differ."""
    model, generator = CEMRNN(CONFIG.network("combined"), CONFIG.seeds), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name in ("bias_modulation", "gain_modulation", "strength_modulation"):
            model.parameters[name].copy_(torch.randn(model.parameters[name].shape, generator=generator))
    return model


def test_the_networks_are_those_of_figure_1():
    tasks = fig1_tasks.TasksConfig.from_params(
        NETWORKS | dict(example_arm="combined", chance_trials=10, test_trials=20)
    )
    assert fig10_interpretability.conditions(CONFIG) == fig1_tasks.conditions(tasks)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(arms=["combined", "plain"]), "arms: expected plain, excitability, synaptic, combined among them"),
        (dict(tasks=["reaction_pro", "memory_pro"]), "tasks: expected two that only the context tells apart"),
        (dict(n_folds=1), "n_folds: expected at least 2, got 1"),
        (dict(state_trials=7), "state_trials: expected at least 8, got 7"),
        (dict(decode_every_ms=0.0), "decode_every_ms: expected a positive time"),
    ],
)
def test_configs_refuse_what_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        InterpretabilityConfig.from_params(CONFIG.to_dict() | change)


# lesions


def effective_weights(model):
    """Recurrent weights (M, K, N, N) in each context."""
    p = model.parameters
    scaled = p["synaptic_in"][:, None] * p["strength_modulation"][:, :, None]  # (M, K, N, R)
    return (p["recurrent"][:, None] + scaled @ p["synaptic_out"].mT[:, None]).detach()


def test_a_component_that_is_held_keeps_its_mean_and_loses_its_context(modulated):
    direction = torch.tensor([0.0, 1.0, 0.0, 0.0])
    held, before = hold_direction(modulated, direction), modulated.parameters["strength_modulation"].detach()
    after = held.parameters["strength_modulation"].detach()
    torch.testing.assert_close(after[..., 1], before[..., 1].mean(dim=1, keepdim=True).expand(-1, 2))
    torch.testing.assert_close(after[..., [0, 2, 3]], before[..., [0, 2, 3]])
    torch.testing.assert_close(effective_weights(held).mean(1), effective_weights(modulated).mean(1))
    for name in modulated.parameters:
        assert name == "strength_modulation" or torch.equal(held.parameters[name], modulated.parameters[name])


def test_a_direction_does_not_depend_on_the_scale_of_components(modulated):
    direction = torch.as_tensor(draw_bases(4, 1, 3)[0, 0], dtype=torch.float32)
    expected = effective_weights(hold_direction(modulated, direction))
    with torch.no_grad():
        modulated.parameters["synaptic_in"][..., 2].mul_(5)
        modulated.parameters["strength_modulation"][..., 2].div_(5)
    torch.testing.assert_close(effective_weights(hold_direction(modulated, direction)), expected, rtol=1e-4, atol=1e-5)


def test_random_bases_take_off_as_much_as_the_components(modulated):
    strength = (
        modulated.parameters["strength_modulation"].detach()
        * PATHWAYS["synaptic"].component_sizes(modulated.parameters)[:, None]
    )
    total = (strength - strength.mean(1, keepdim=True)).square().sum()
    for basis in (np.eye(4), *draw_bases(4, 3, 0)):
        np.testing.assert_allclose(basis @ basis.T, np.eye(4), atol=1e-12)
        removed = 0
        for direction in torch.as_tensor(basis, dtype=torch.float32):
            held = hold_direction(modulated, direction).parameters["strength_modulation"].detach()
            removed += (
                (strength - held * PATHWAYS["synaptic"].component_sizes(modulated.parameters)[:, None]).square().sum()
            )
        torch.testing.assert_close(removed, total)
    drawn = draw_bases(2, 4000, 1)[:, 0]
    assert np.abs(drawn.mean(axis=0)).max() < 0.06  # no direction is preferred


def test_with_all_pathways_held_contexts_do_nothing(modulated):
    held = hold_pathways(modulated, ["bias", "gain", "synaptic"])
    inputs, cues = torch.randn(2, 3, 9, 5), torch.eye(2).expand(2, 2, 2)
    first, second = (held.run(inputs, cues[:, [k]].expand(-1, 3, -1))[0] for k in (0, 1))
    torch.testing.assert_close(first, second)
    apart, again = (modulated.run(inputs, cues[:, [k]].expand(-1, 3, -1))[0] for k in (0, 1))
    assert (apart - again).abs().max() > 0.01


def test_a_pathway_that_is_held_is_told_the_mean_of_all_contexts(modulated):
    inputs, cue = torch.randn(2, 3, 9, 5), torch.tensor([1.0, 0.0]).expand(2, 3, 2)
    mean = torch.full_like(cue, 0.5)
    for held, excitability, synapses in ((["synaptic"], cue, mean), (["bias", "gain"], mean, cue)):
        expected, _ = modulated.run(inputs, Told(excitability, synapses))
        torch.testing.assert_close(hold_pathways(modulated, held).run(inputs, cue)[0], expected)


def test_the_loss_is_the_score_without_the_modulation(store):
    population = next(p for p in load_populations(CONFIG) if p.arm == "combined")
    model, tasks = population.model, CONFIG.task_set
    lesions = score_component_lesions(model, CONFIG, CONFIG.seeds, 20, 2)
    assert lesions.groupby("kind")["lesion"].nunique().to_dict() == {"component": 4, "pathway": 4, "random": 8}
    intact, held = (
        score_fresh(m, tasks, CONFIG.seeds, 20, "last36") for m in (model, hold_pathways(model, ["synaptic"]))
    )
    found = lesions[lesions["lesion"] == "synaptic"].pivot(index="network", columns="task", values="loss")
    np.testing.assert_allclose(found[list(CONFIG.tasks)], intact - held)
    everything = lesions[lesions["lesion"] == "all"].groupby("network")["loss"].mean()
    assert (everything > 0.2).all()  # without a context they cannot do both tasks


def test_lesions_of_what_was_never_learned_cost_nothing():
    model = CEMRNN(CONFIG.network("combined"), CONFIG.seeds)
    assert (score_component_lesions(model, CONFIG, CONFIG.seeds, 5, 1)["loss"] == 0).all()


def test_modulations_are_in_units_of_weights(modulated):
    p, found = modulated.parameters, read_modulations(modulated)
    assert list(found) == ["bias", "gain", "synaptic"]
    one = p["synaptic_in"][1, :, [3]] @ p["synaptic_out"][1, :, [3]].mT * p["strength_modulation"][1, 0, 3]
    assert abs(found["synaptic"][1, 0, 3]) == pytest.approx(one.norm().item(), rel=1e-5)


# decoding


def make_visited(states, task):
    return Visited(states[None], np.zeros((1, *states.shape[:2], 5)), task, np.zeros((1, *states.shape[:2])), [7])


def test_the_context_is_decoded_when_the_state_shows_it():
    rng, task = np.random.default_rng(0), np.arange(120) % 3
    states = rng.standard_normal((120, 6, 10))
    shown = (np.arange(6) >= 2)[None] * np.where(task == 2, 3.0, -3.0)[:, None]
    states[:, :, 0] += shown
    states[:, 5, 0] -= 2 * shown[:, 5]  # the code turns over
    read = decode_pair(make_visited(states, task), 0, (0, 2), np.arange(6), 2, 4, False)
    assert (read["accuracy"][:2] < 0.7).all() and (read["accuracy"][2:] > 0.95).all()
    assert (read["held"][2:5] > 0.95).all() and read["held"][5] < 0.05
    shuffled = decode_pair(make_visited(states, task), 0, (0, 2), np.arange(6), 2, 4, True)
    assert (shuffled["accuracy"] < 0.75).all() and 0.35 < shuffled["accuracy"].mean() < 0.65


def test_ridge_regressions_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    states, values = rng.standard_normal((3, 20, 30)) + 5, np.where(rng.random(20) < 0.5, 1.0, -1.0)
    weights, shift = fit_ridge(states, values)
    for t in range(3):
        theirs = Ridge().fit(states[t], values)
        np.testing.assert_allclose(weights[t], theirs.coef_, rtol=1e-9, atol=1e-12)
        assert shift[t] == pytest.approx(theirs.intercept_)


def test_no_trial_is_fitted_and_tested():
    rng = np.random.default_rng(1)
    states = 100 * np.eye(60)[:, None].repeat(4, axis=1)  # each trial has a direction of its own, in all steps
    states = states[rng.permutation(60)] + 0.01 * rng.standard_normal((60, 4, 60))
    read = decode_pair(make_visited(states, np.arange(60) % 2), 0, (0, 1), np.arange(4), 0, 5, False)
    assert (read["accuracy"] < 0.8).all()  # a decoder that had seen the trials would be right in all


def test_times_of_decoding_are_reached_by_every_trial():
    tasks = TaskSet(names=BATTERY, preset="fast", encoding="ring")
    trials = TrialStream(tasks, [3]).draw(4000)
    for pair in ambiguous_pairs(tasks):
        of_pair = np.isin(trials.task[0].numpy(), pair)
        steps, early = decoded_steps(tasks, [pair], 40.0), early_step(tasks, pair)
        assert steps[-1] + 1 == len(steps) <= trials.end_steps[0, of_pair].min()
        assert early < trials.onsets[0, of_pair, 1].min() <= early + 2
    assert len(ambiguous_pairs(tasks)) == 3 + 2 * 3 + 2  # respond, decide with both modalities, match; and no others


# the experiment


def test_tables_and_scalars_are_about_the_same_networks(result):
    networks, scalars = result.tables["networks"], result.scalars
    assert networks.groupby("arm")["passed"].sum().to_dict() == dict(plain=0, excitability=2, synaptic=2, combined=2)
    for arm, part in networks.groupby("arm"):
        for measure in MEASURES:
            assert scalars[f"{measure}_{arm}"] == pytest.approx(part[measure].mean(), nan_ok=True)
    means = networks.groupby("arm")[list(MEASURES)].mean()
    for measure in ("decoding_early", "active_fraction"):
        expected = means.loc["excitability", measure] - means.loc["synaptic", measure]
        assert scalars[f"{measure}_excitability_minus_synaptic"] == pytest.approx(expected)
    ours = networks[networks["arm"] == "combined"]
    expected = (ours["selectivity"] - ours["selectivity_random"]).mean()
    assert scalars["selectivity_combined_minus_random"] == pytest.approx(
        expected, nan_ok=True
    )  # no lesion costs anything
    assert np.isnan(scalars["relatedness_combined"])  # two tasks are one pair


def test_the_context_is_read_from_networks_that_are_told_it_and_from_no_others(result):
    scalars = result.scalars
    assert abs(scalars["decoding_plain_above_chance"]) < 0.15
    assert abs(scalars["decoding_shuffled_above_chance"]) < 0.15
    for arm in ("excitability", "combined"):
        assert scalars[f"decoding_{arm}"] > 0.9
    first = result.tables["decoding"].query("arm == 'synaptic' and time_ms == 40")["accuracy"].item()
    assert 0.3 < first < 0.7  # synapses have nothing to act on yet


def test_use_is_that_of_the_visited_states(result, store):
    population = next(p for p in load_populations(CONFIG) if p.arm == "synaptic")
    visited = visit(population.model, CONFIG, CONFIG.seeds, CONFIG.state_trials)
    use = result.tables["use"].query("arm == 'synaptic' and task == 'reaction_anti'").set_index("measure")["value"]
    states = [visited.states(m, 1) for m in range(2)]
    assert use["mean_rate"] == pytest.approx(np.mean([s.mean() for s in states]), rel=1e-5)
    assert use["energy"] == pytest.approx(np.mean([(s**2).sum(1).mean() for s in states]), rel=1e-5)
    assert use["active_fraction"] == pytest.approx(np.mean([active_fraction(s.mean(0)) for s in states]), rel=1e-5)
    combined = visit(load_populations(CONFIG)[3].model, CONFIG, CONFIG.seeds, CONFIG.state_trials)
    variance = task_variance(combined.epoch_means(0), combined.task, 2)
    shown = result.tables["units"].pivot(index="task", columns="unit", values="variance").loc[list(CONFIG.tasks)]
    np.testing.assert_allclose(shown, variance, rtol=1e-5)


def test_components_come_in_the_order_of_their_variance(result):
    strength = result.tables["components"].pivot(index="task", columns="component", values="strength")
    order = list(dict.fromkeys(result.tables["components"]["component"]))
    assert sorted(order) == [0, 1, 2, 3] and strength.var()[order].is_monotonic_decreasing


def test_the_figure_shows_the_tables(result):
    panels = panels_of(load_plot(result.stem).plot(result))
    networks = result.tables["networks"].query("arm == 'combined'")
    drawn = [np.asarray(line.get_ydata(), float) for line in panels["c"].get_lines()]
    for ends in networks[["selectivity_random", "selectivity"]].to_numpy():
        assert any(len(y) == 2 and np.allclose(ends, y, equal_nan=True) for y in drawn)
    curves = {to_hex(x.get_color()): x.get_ydata() for x in panels["d"].get_lines() if x.get_label() in CONFIG.arms}
    for arm in CONFIG.arms:
        expected = result.tables["decoding"].query("arm == @arm and labels == 'true'")["accuracy"]
        np.testing.assert_array_equal(curves[to_hex(LOOKS[arm].colour)], expected)


def test_without_comparable_networks_there_are_no_numbers_but_a_figure(store):
    result = fig10_interpretability.run(dataclasses.replace(CONFIG, passing_score=1.1))
    assert result.scalars["compared_combined"] == 0 and result.scalars["compared_plain"] == 2
    assert np.isnan(result.scalars["selectivity_combined_minus_random"])
    for figure in load_plot(result.stem).plot(result).values():
        assert "not compared" in {text.get_text() for axes in figure.get_axes() for text in axes.texts}


# one network


def matrix_of(table, name):
    part = table[table["matrix"] == name]
    rows, columns = (list(dict.fromkeys(part[axis])) for axis in ("row", "column"))
    return part.pivot(index="row", columns="column", values="value").loc[rows, columns].to_numpy()


def test_every_number_of_the_network_is_in_the_table_and_works_there(page, store):
    weights, rates = page.tables["weights"], page.tables["rates"]
    (population,) = load_populations(PAGE.battery)
    shown = PAGE.battery.seeds.index(page.scalars["seed_shown"])
    np.testing.assert_array_equal(np.sort(weights["value"]), np.sort(population.model.flat[shown].double().numpy()))
    assert page.scalars["n_numbers"] == page.scalars["n_parameters"] == len(weights)
    w = {name: matrix_of(weights, name) for name in weights["matrix"].unique()}
    p = {name: x[shown].detach().double().numpy() for name, x in population.model.parameters.items()}
    permuted = np.linalg.eigvals(w["W"] + w["V"] * w["S"][1] @ w["U"].T)  # no order of units changes eigenvalues
    expected = np.linalg.eigvals(p["recurrent"] + p["synaptic_in"] * p["strength_modulation"][1] @ p["synaptic_out"].T)
    np.testing.assert_allclose(np.sort_complex(permuted), np.sort_complex(expected), atol=1e-5)
    driven = w["B"] @ ((1 + w["G"][0]) * (w["b"] + w["E"][0])).T  # input, gain, bias and context see the same units
    expected = p["input"] @ ((1 + p["gain_modulation"][0]) * (p["bias"] + p["bias_modulation"][0]))
    np.testing.assert_allclose(driven[:, 0], expected, atol=1e-5)
    for _, part in rates.groupby("task"):
        units, output = (
            part[part["kind"] == kind].pivot(index="time_ms", columns="name", values="value")
            for kind in ("unit", "output")
        )
        answer = units[[str(i + 1) for i in range(7)]].to_numpy() @ w["C"] + w["d"]
        np.testing.assert_allclose(output[["fixation", "cos", "sin"]], answer, atol=1e-5)


def test_neighbouring_units_answer_alike(page):
    readout = matrix_of(page.tables["weights"], "C")
    assert (np.diff(np.arctan2(readout[:, 2], readout[:, 1])) >= 0).all()


def test_every_number_is_written_in_its_cell(page):
    figures = load_plot(page.stem).plot(page)
    panels = {axes.get_title().split(",")[0]: axes for axes in figures[""].get_axes()}
    n_written, limits = 0, set()
    for name in page.tables["weights"]["matrix"].unique():
        expected = matrix_of(page.tables["weights"], name)
        expected = expected.T if name == "U" else expected
        (image,) = panels[name].get_images()
        np.testing.assert_array_equal(image.get_array(), expected)
        limits.add(image.get_clim())
        for text in panels[name].texts:
            column, row = text.get_position()
            assert float(text.get_text().replace("−", "-")) == pytest.approx(expected[row, column], abs=0.00501)
            n_written += 1
    assert n_written == page.scalars["n_parameters"] and len(limits) == 1


def test_the_network_shown_is_the_one_with_the_best_worst_task(page, store):
    (population,) = load_populations(PAGE.battery)
    worst = population.scores.min(axis=1)
    assert page.scalars["worst_shown"] == worst.max()
    assert page.scalars["worst"] == pytest.approx(worst.mean())
