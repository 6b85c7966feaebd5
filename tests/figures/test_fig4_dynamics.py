"""Figure 4 on small networks that are really trained, and on networks whose dynamics are known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from cemrnn.dynamics.fixed_points import FixedPoints, carry
from cemrnn.figures.fig1_tasks import experiment as fig1_tasks
from cemrnn.figures.fig4_dynamics import experiment as fig4_dynamics
from cemrnn.figures.fig4_dynamics.config import DynamicsConfig, neighbouring_pairs
from cemrnn.figures.fig4_dynamics.experiment import CLAIMED, measure_dynamics
from cemrnn.figures.fig4_dynamics.measure import measure_network
from cemrnn.figures.fig4_dynamics.plot import plot
from cemrnn.figures.fig4_dynamics.search import _count_stable, follow_paths, search_epochs
from cemrnn.figures.shared.battery import load_populations
from cemrnn.figures.shared.states import constant_inputs, visit
from cemrnn.figures.style import LOOKS
from cemrnn.measures.geometry import find_components, measure_spread
from cemrnn.network.model import CEMRNN
from cemrnn.tasks.encoding import decode_inputs
from tests.drawn import panels_of
from tests.figures.test_all import NETWORKS
from tests.systems import tanh_flow

ARMS = ["excitability", "synaptic", "combined"]
CONFIG = DynamicsConfig.from_params(
    NETWORKS
    | dict(
        arms=ARMS,
        example_tasks=["reaction_pro", "reaction_anti"],
        state_trials=10,
        n_directions=1,
        n_starts=3,
        most_starts=6,
        flow_states=2,
        n_components=2,
        max_clusters=4,
        lambdas=[0, 0.25, 0.5, 0.75, 1],
    )
)
SHOWN = constant_inputs(CONFIG.task_set, 2)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMRNN_STORE", str(tmp_path_factory.mktemp("store")))
        yield


@pytest.fixture(scope="module")
def result(store):
    return fig4_dynamics.run(CONFIG)


@pytest.fixture
def make_model():
    """A function: arm -> untrained networks, whose modulation is zero."""
    return lambda arm: CEMRNN(CONFIG.network(arm), CONFIG.seeds)


def test_the_networks_are_those_of_figure_1():
    assert set(fig4_dynamics.conditions(CONFIG)) <= set(
        fig1_tasks.conditions(
            fig1_tasks.TasksConfig.from_params(NETWORKS | dict(example_arm="combined", chance_trials=10))
        )
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(example_tasks=["reaction_pro"]), "example_tasks: expected two of"),
        (dict(example_tasks=["reaction_pro", "memory_pro"]), "example_tasks: expected two of"),
        (dict(tasks=["reaction_pro"], example_tasks=["reaction_pro"] * 2), "tasks: expected two or more"),
        (dict(lambdas=[0.0, 0.5]), "lambdas: expected 2 or more increasing levels that include"),
        (dict(n_starts=1), "n_starts: expected at least 2"),
        (dict(most_starts=2), "most_starts: expected at least n_starts = 3, got 2"),
        (dict(max_clusters=1), "max_clusters: expected at least 2"),
    ],
)
def test_configs_refuse_what_cannot_be_run(change, message):
    with pytest.raises(ValueError, match=message):
        DynamicsConfig.from_params(CONFIG.to_dict() | change)


def test_constant_inputs_show_fixation_stimuli_and_nothing():
    assert SHOWN["epoch"].tolist() == ["fixation", *["stimulus"] * 4, "response"]
    expected = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 1, 0], [1, -1, 0, 0, 0], [1, 0, 0, -1, 0], [0] * 5]
    np.testing.assert_allclose(np.stack(SHOWN["inputs"].to_list()), expected, atol=1e-6)
    ring = dataclasses.replace(CONFIG, encoding="ring").task_set
    shown = np.stack(constant_inputs(ring, 2)["inputs"].to_list())
    assert shown.shape == (6, 65)
    np.testing.assert_allclose(decode_inputs(shown, ring), expected, atol=1e-4)


def test_visited_states_follow_the_network_and_know_their_epoch(make_model):
    model = make_model("excitability")
    visited = visit(model, CONFIG, CONFIG.seeds, 6)
    assert visited.rates.shape == (2, 12, visited.epoch.shape[2], model.config.n_units)
    ended = visited.epoch < 0
    assert (visited.rates[ended] == 0).all()
    assert set(np.unique(visited.epoch[~ended])) == {0, 5}  # reaction tasks have fixation and response alone
    fixation_off = np.abs(visited.inputs[..., 1:]).max(-1) > 0.5  # the stimulus comes with the response
    np.testing.assert_array_equal(fixation_off, visited.epoch == 5)
    means = visited.epoch_means(1)
    inside = visited.epoch[1, 3] == 5
    np.testing.assert_allclose(means[3, 5], visited.rates[1, 3][inside].mean(0), rtol=1e-5)
    assert np.isnan(means[:, 1:5]).all()
    states, inputs = visited.draw(0, 1, 5, "starts")
    of_task = visited.rates[0, visited.task == 1].reshape(-1, model.config.n_units)
    assert all((of_task == state).all(1).any() for state in states)
    assert inputs.shape == (5, 5)


def test_contexts_that_do_nothing_change_nothing(make_model):
    for arm in ARMS:
        model = make_model(arm)
        visited = visit(model, CONFIG, CONFIG.seeds, 10)
        searched = search_epochs(model, visited, SHOWN[:1], (4, 4))
        values, units = measure_network(model, 0, visited, searched, CONFIG)
        assert values["flow_change"] == 0
        assert values["n_stable"] == 1 and values["n_slow"] == 0  # a random network with small weights is at rest
        assert values["displacement"] == pytest.approx(0, abs=1e-6)
        assert values["displacement_same_context"] == pytest.approx(0, abs=1e-6)
        assert len(units) == 2 * model.config.n_units
        along = follow_paths(model, visited, [(0, 1)], np.array([0.0, 0.5, 1.0]), SHOWN["inputs"][0], 2)
        assert (along["stable"] == 1).all() and len(along) == 2 * 3


def test_a_shift_of_threshold_moves_the_points_as_far_as_it_must(make_model):
    model = make_model("excitability")
    p = model.parameters
    with torch.no_grad():  # all units stay active, so that the network is linear: r = (b + beta) (I - W)^-1
        p["recurrent"].mul_(0.3)
        p["bias"].fill_(5.0)
        p["bias_modulation"][:, 0] = torch.linspace(0, 1, model.config.n_units)
    visited = visit(model, CONFIG, CONFIG.seeds, 10)
    searched = search_epochs(model, visited, SHOWN[:1], (3, 3))
    values, _ = measure_network(model, 1, visited, searched, CONFIG)
    inverse = np.linalg.inv(np.eye(model.config.n_units) - p["recurrent"][1].detach().double().numpy())
    moved = np.linalg.norm(p["bias_modulation"][1, 0].detach().double().numpy() @ inverse)
    assert values["displacement"] == pytest.approx(moved / measure_spread(visited.states(1)), rel=1e-5)
    assert values["flow_change"] == 0
    decay = 1 - np.linalg.eigvals(p["recurrent"][1].detach().double().numpy()).real.max()  # per tau
    kept = 1 - model.config.alpha * decay  # in a step
    assert values["slowest_ms"] == pytest.approx(-model.config.dt_ms / np.log(kept), rel=1e-5)


def test_starts_are_doubled_while_the_second_half_of_them_finds_another_point(make_model):
    model = make_model("excitability")
    p = model.parameters
    with torch.no_grad():  # two units that silence each other: stable at (1, 0) and (0, 1), unstable between them
        for name in ("input", "recurrent", "bias"):
            p[name].zero_()
        p["recurrent"][:, 0, 1] = p["recurrent"][:, 1, 0] = -2.0
        p["bias"][:, :2] = 1.0
    near_first, near_second = np.zeros((2, model.config.n_units))
    near_first[0] = near_second[1] = 1.0

    class Drawn:
        def draw(self, network, task, n_states, name):
            late = {(0, 0): 3, (1, 0): 5}.get((network, task), 99) if name == "starts" else 99
            starts = np.tile(near_first, (n_states, 1))
            starts[late : late + 1] = near_second  # nothing where the last one is beyond
            return starts, None

    searched = search_epochs(model, Drawn(), SHOWN[:1], (4, 16))
    table = searched.counts()[lambda t: ~t["again"]].set_index(["network", "task"])
    starts, stable = table["starts"], table["stable"]
    assert (starts[0, 0], stable[0, 0]) == (8, 2)  # found by the fourth of four, and nothing by the next four
    assert (starts[1, 0], stable[1, 0]) == (4, 1)  # it would take the sixth
    assert (starts[0, 1], stable[0, 1]) == (4, 1)
    assert table["settled"].all()
    stopped = search_epochs(model, Drawn(), SHOWN[:1], (4, 4)).counts()[lambda t: ~t["again"]]
    assert stopped.set_index(["network", "task"])["settled"].to_dict()[0, 0] is False


def test_a_bifurcation_is_found_where_it_is(make_model):
    model = make_model("scalar")
    p = model.parameters
    with torch.no_grad():  # unit 0 excites itself: r = (.9 + .8 lambda) r + .1, which has no solution from 1 on
        for name in ("input", "bias"):
            p[name].zero_()
        p["recurrent"].zero_()
        p["recurrent"][:, 0, 0], p["bias"][:, 0] = 1.0, 0.1
        p["scale_modulation"][:, 0, 0], p["scale_modulation"][:, 1, 0] = -0.1, 0.7
    visited = visit(model, CONFIG, CONFIG.seeds, 4)
    along = follow_paths(model, visited, [(0, 1)], np.array([0.0, 0.1, 0.2, 1.0]), SHOWN["inputs"][0], 2)
    stable = along[along["network"] == 0].set_index("lambda")["stable"]
    assert stable.to_dict() == {0.0: 1, 0.1: 1, 0.2: 0, 1.0: 0}  # lambda = 1 / 8


def test_starts_are_carried_along_the_flow_for_their_time():
    flow = tanh_flow(np.zeros((2, 3, 3)))  # dr/dt = -r
    states, which = carry(flow, np.ones((2, 4, 3)), (5.0, 25.0), torch.device("cpu"))
    assert which.tolist() == [0] * 4 + [1] * 4
    expected = np.tile(0.75 ** np.array([20, 100, 20, 100]), 2)  # steps of a quarter of tau
    np.testing.assert_allclose(states, np.repeat(expected[:, None], 3, axis=1), rtol=1e-9)


def test_only_distinct_stable_fixed_points_are_counted():
    def points(states, rate, slow):
        n = len(states)
        return FixedPoints(
            states=np.array(states, float)[:, None],
            which=np.zeros(n, int),
            speed=np.zeros(n),
            slow=np.array(slow),
            eigenvalues=np.array(rate, complex)[:, None],
            hits=np.ones(n, int),
            first=np.zeros(n, int),
            n_starts=np.array([n, 0]),
            n_lost=np.zeros(2, int),
        )

    first = points([0, 1, 2], [-1, 0.5, -1], [False, False, True])  # stable, unstable, slow
    second = points([1e-6, 3], [-1, -1], [False, False])  # the same stable one again, and another
    assert _count_stable(first, second, 2).tolist() == [2, 0]


def test_shares_are_of_the_paths_of_a_network():
    levels = np.array([0.0, 0.5, 1.0])
    paths = {(0, 1): [1, 2, 2], (1, 2): [1, 1, 1], (0, 2): [2, 1, 1], (1, 3): [1, 1, 0]}
    along = pd.concat(
        pd.DataFrame({"network": 0, "first": i, "second": j, "lambda": levels, "stable": stable})
        for (i, j), stable in paths.items()
    )
    table = fig4_dynamics._path_table(along)
    assert table["lambda"].tolist() == [0.25, 0.75] and table["share"].tolist() == [0.5, 0.25]


def test_paths_visit_every_task():
    assert neighbouring_pairs(2) == [(0, 1)]
    assert neighbouring_pairs(4) == [(0, 1), (0, 3), (1, 2), (2, 3)]


def test_tables_and_scalars_are_about_the_same_networks(result):
    networks, scalars = result.tables["networks"], result.scalars
    assert len(networks) == 3 * 2
    assert networks["passed"].all()  # they learn
    for arm, part in networks.groupby("arm"):
        for measure in fig4_dynamics.MEASURES:
            assert scalars[f"{measure}_{arm}"] == pytest.approx(part[measure].mean(), nan_ok=True)
    means = networks.groupby("arm")[list(CLAIMED)].mean()
    for measure in CLAIMED:
        name = f"{measure}_excitability_minus_synaptic"
        assert {f"{name}{end}" for end in ("_low", "_high", "_n", "_p", "_halves")} <= scalars.keys()
        expected = means.loc["excitability", measure] - means.loc["synaptic", measure]
        assert scalars[name] == pytest.approx(expected)
    assert (networks["flow_change"] > 0.02).all() and (networks["flow_change"] < 2).all()
    assert (networks["angle_same_task"] > 1).all()  # degrees
    assert (networks["angle"] > networks["angle_same_task"]).all()  # learned tasks differ by more than halves of one
    assert set(result.tables["paths"]["lambda"]) == {0.125, 0.375, 0.625, 0.875}


def test_networks_of_two_arms_are_not_paired():
    values = dict.fromkeys(fig4_dynamics.MEASURES, np.arange(8.0))  # alike in both arms: paired, nothing would vary
    networks = pd.concat(pd.DataFrame({"arm": arm, "network": range(8), "passed": True, **values}) for arm in ARMS[:2])
    scalars = fig4_dynamics._scalars(networks, CONFIG)
    assert scalars["angle_excitability_minus_synaptic"] == 0
    assert scalars["angle_excitability_minus_synaptic_high"] > 1


def test_portraits_are_on_the_plane_of_the_two_tasks(result, store):
    population = next(p for p in load_populations(CONFIG) if p.arm == "synaptic")
    visited = visit(population.model, CONFIG, CONFIG.seeds, CONFIG.state_trials)
    states = np.concatenate([visited.states(0, k) for k in (0, 1)])
    plane = find_components(states, 2)
    trial = result.tables["portrait_trajectories"].query("arm == 'synaptic' and trial == 0")
    expected = (visited.rates[0, 0][visited.epoch[0, 0] >= 0] - states.mean(0)) @ plane
    np.testing.assert_allclose(trial[["x", "y"]], expected, atol=1e-5)
    field = result.tables["portrait_field"].query("arm == 'synaptic'")
    at = states.mean(0) + field[["x", "y"]].to_numpy()[40] @ plane.T
    w = population.model.parameters
    scaled = w["synaptic_in"][0] * w["strength_modulation"][0, 0]
    weights = (w["recurrent"][0] + scaled @ w["synaptic_out"][0].mT).detach().double().numpy()
    pre = at @ weights + SHOWN["inputs"][0] @ w["input"][0].detach().double().numpy() + w["bias"][0].detach().numpy()
    np.testing.assert_allclose(field[["u", "v"]].iloc[40], (np.maximum(pre, 0) - at) @ plane, atol=1e-5)


def test_results_repeat_exactly(result, store):
    arm = measure_dynamics(next(p for p in load_populations(CONFIG) if p.arm == "combined"), CONFIG)
    expected = result.tables["networks"].query("arm == 'combined'").reset_index(drop=True)
    pd.testing.assert_frame_equal(arm.networks, expected)


def test_the_figure_shows_the_tables(result):
    figures = plot(result)
    panels, others = panels_of(figures), panels_of(figures, "b")
    assert set(panels) == set("bcd") and set(others) == set("abc")
    assert all(a.get_xlabel() for a in [*panels.values(), *others.values()])
    assert len([a for a in figures[""].get_axes() if a.get_xlabel() == "PC 1"]) == 6
    networks = result.tables["networks"]
    drawn = {to_hex(x.get_color()): x.get_xdata() for x in panels["b"].get_lines() if len(x.get_xdata()) == 2}
    for arm in ARMS:
        expected = networks[networks["arm"] == arm]["flow_change"]
        dots = [
            x.get_xdata()
            for x in panels["b"].get_lines()
            if to_hex(x.get_color()) == to_hex(LOOKS[arm].colour) and x.get_linestyle() == "None"
        ]
        assert any(np.array_equal(x, expected) for x in dots)
    assert set(drawn) == {to_hex(LOOKS[arm].colour) for arm in ARMS}


def test_without_comparable_networks_there_are_no_numbers_but_a_figure(store):
    result = fig4_dynamics.run(dataclasses.replace(CONFIG, passing_score=1.1))
    assert result.scalars["arms_compared"] == "none"
    assert np.isnan(result.scalars["displacement_excitability_minus_synaptic"])
    for figure in plot(result).values():
        assert "not compared" in {text.get_text() for axes in figure.get_axes() for text in axes.texts}
