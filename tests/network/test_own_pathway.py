"""A pathway of one's own, registered from outside the package: it trains, its code is in the key, figures show it."""

import dataclasses
import functools
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

import cemrnn
from cemrnn.dynamics.flow import Flow
from cemrnn.figures import load_experiment, load_plot
from cemrnn.figures.fig5_synergy.experiment import DESIGN
from cemrnn.figures.remember import result_key
from cemrnn.figures.shared.sequence_models import GATED
from cemrnn.figures.style import BASELINES, LOOKS
from cemrnn.network.config import NetworkConfig, count_parameters, count_work_of_step
from cemrnn.network.engine.recurrence import Weights
from cemrnn.network.model import CEMRNN
from cemrnn.network.pathways import ARMS, PATHWAYS, Look, Matrix, Pathway, project, register_arm, register_pathway
from cemrnn.network.pathways.matrix import CORE
from cemrnn.network.pathways.pathway import LINES, MARKERS
from cemrnn.network.pathways.registry import RESERVED, SHARED, STEPPED
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.store.entry import check_entry, entry_key, pack_entry
from cemrnn.training.train import train
from tests.drawn import legends_of
from tests.networks import TASKS, small_config

PROJECT = Project(Path(__file__).parents[2])
SIZES = dict(arm="input_gain", n_units=9, n_contexts=3, n_inputs=4, n_outputs=2, activation="tanh")


class InputGain(Pathway):
    """A factor on every input: 1 + e H."""

    name, label, look = "input_gain", "input gain", Look("#117733", "<", "-.")
    matrices = {"input_modulation": Matrix("H", "context", "input")}
    sets = ("input_gain",)

    def drive(self, tensors, modulator):
        return {"input_gain": 1 + project(modulator, tensors["input_modulation"])}


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The pathway and its arm, for this file alone."""
    with mock.patch.dict(PATHWAYS), mock.patch.dict(ARMS):
        register_pathway(InputGain)
        register_arm("input_gain", "input_gain")
        yield


@pytest.fixture
def registry():
    """A registry that a test may change."""
    with mock.patch.dict(PATHWAYS), mock.patch.dict(ARMS):
        yield


def make(dtype=torch.float64, **changes):
    model = CEMRNN(NetworkConfig(**(SIZES | changes)), [3, 8], dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    model.flat += 0.3 * torch.randn(model.flat.shape, generator=generator, dtype=dtype)
    return model


def draw(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_has_its_parameters_and_its_work():
    config, plain = (NetworkConfig(**(SIZES | dict(arm=arm))) for arm in ("input_gain", "plain"))
    assert count_parameters(config) - count_parameters(plain) == 3 * 4
    step, of_plain = count_work_of_step(config), count_work_of_step(plain)
    assert tuple(np.subtract(step, of_plain)) == (0, 4, 4)
    inferred = count_work_of_step(dataclasses.replace(config, context_source="input"))
    assert inferred.products - step.products == 3 * 4 + (4 + 1) * 3  # of the context, and of the encoder


def test_each_context_equals_a_plain_network_with_its_inputs_scaled():
    model, inputs = make(), draw(1, 2, 5, 6, 4)
    cue = torch.nn.functional.one_hot(torch.arange(5) % 3, 3).double().expand(2, -1, -1)
    plain = CEMRNN(dataclasses.replace(model.config, arm="plain"), [3, 8], dtype=torch.float64)
    for name, values in plain.parameters.items():
        values.data.copy_(model.parameters[name])
    factor = 1 + torch.einsum("mbk,mki->mbi", cue, model.parameters["input_modulation"])
    for backend in ("compiled", "batched"):
        outputs, _ = model.run(inputs, cue, backend=backend)
        torch.testing.assert_close(outputs, plain.run(inputs * factor[:, :, None], None)[0], rtol=1e-11, atol=1e-11)
    assert (outputs - plain.run(inputs, None)[0]).abs().max() > 0.01
    assert torch.autograd.grad(outputs.square().sum(), model.parameters["input_modulation"])[0].abs().max() > 1e-3


@pytest.mark.parametrize("source", ["cue", "input"])
def test_the_flow_is_a_step_of_the_model(source):
    model = make(context_source=source)
    network, inputs, states = torch.tensor([0, 1, 1]), draw(1, 3, 4), draw(3, 3, 9)
    context = draw(2, 3, 3) if source == "cue" else None
    velocity = Flow.of(model, network, inputs, context).velocity(states, torch.arange(3))
    for p, m in enumerate(network.tolist()):
        cue = None if context is None else context[p][None, None]
        settings = dict(initial=states[p][None, None], keep_rates=True)
        _, rates = model.select([m]).run(inputs[p][None, None, None], cue, **settings)
        step = (rates[0, 0, 0] - states[p]) / model.config.alpha
        torch.testing.assert_close(velocity[p], step, rtol=0, atol=1e-13)  # as in tests/dynamics/test_flow.py


def test_it_says_itself_what_it_cannot_follow():
    with pytest.raises(ValueError, match="context_source: .* input_gain, got state: .* cannot follow the state"):
        make(context_source="state")


def test_it_trains_and_learns_a_task_that_only_the_context_tells_apart():
    config = small_config(arm="input_gain", n_units=24, n_updates=200, evaluate_every=200, batch_trials=32)
    (network,) = train([config], device="cpu")
    scores = network.history[list(TASKS.names)].iloc[-1]
    assert scores.min() > 0.8  # without the context it can do one of the two, or half of both
    model = CEMRNN(config.network, [0])
    model.load(network.flat[None])
    assert model.parameters["input_modulation"].abs().max() > 0.1
    PATHWAYS["input_gain"].hold(model.parameters)
    held = model.parameters["input_modulation"]
    assert torch.equal(held, held[:, :1].expand_as(held))


def same_name(body):
    """Another class of the same pathway, with other code."""
    members = {"name": "input_gain", "label": "input gain", "look": InputGain.look, "sets": InputGain.sets}
    members |= {"matrices": InputGain.matrices, "drive": body, "__module__": __name__, "__qualname__": "InputGain"}
    return type("InputGain", (Pathway,), members)


def twice(modulator):
    return 2 * modulator


def other_drive(self, tensors, modulator):
    return {"input_gain": 1 + project(twice(modulator), tensors["input_modulation"])}


other_drive.__qualname__ = InputGain.drive.__qualname__  # as if the file had been edited


def test_the_key_of_a_network_covers_the_code_of_its_pathways(registry):
    config, others = small_config(arm="input_gain"), small_config(arm="bias")
    key, of_others, result = entry_key(config), entry_key(others), result_key(__name__, config)
    replace(InputGain)
    assert (entry_key(config), entry_key(others)) == (key, of_others)
    replace(same_name(other_drive))
    changed = entry_key(config)
    assert changed != key and entry_key(others) == of_others
    assert result_key(__name__, config) != result
    with mock.patch.dict(globals(), twice=lambda modulator: 3 * modulator):  # what it calls counts as well
        assert entry_key(config) not in (key, changed)


def test_an_entry_is_checked_without_its_pathway(registry):
    config = small_config(arm="input_gain")
    (network,) = train([config], device="cpu")
    files, key = pack_entry(config, network), entry_key(config)
    del ARMS["input_gain"], PATHWAYS["input_gain"]
    assert check_entry(files, key)["config"]["network"]["arm"] == "input_gain"


def replace(kind):
    del ARMS["input_gain"], PATHWAYS["input_gain"]
    register_pathway(kind)
    register_arm("input_gain", "input_gain")


def test_a_name_is_given_once_unless_the_code_is_the_same(registry):
    register_pathway(InputGain)
    register_arm("input_gain", "input_gain")
    with pytest.raises(ValueError, match="pathway input_gain: expected a new name, or the code that was registered"):
        register_pathway(same_name(other_drive))
    with pytest.raises(ValueError, match="arm combined: expected a new name"):
        register_arm("combined", "input_gain", look=Look("#000000", "D", "-"))


def test_what_cannot_be_is_refused(registry):
    leak = type("Leak", (InputGain,), {"name": "leak", "sets": ("leak",), "__module__": __name__})
    with pytest.raises(ValueError, match="sets of the pathway leak: expected some of bias, .* got leak"):
        register_pathway(leak)
    register_pathway(type("Second", (InputGain,), {"name": "second", "__module__": __name__}))
    with pytest.raises(ValueError, match="got input_gain and second, which both have H, input_modulation"):
        register_arm("both", "input_gain", "second", look=Look("#123456", "<", "-"))
    with pytest.raises(ValueError, match="unknown pathway 'gian'; did you mean 'gain'"):
        register_arm("other", "gian")
    with pytest.raises(ValueError, match="look of the arm other: expected a colour of its own, got that of bias"):
        register_arm("other", "bias")
    with pytest.raises(ValueError, match="look of the arm other: expected one, because it has 2 pathways"):
        register_arm("other", "bias", "input_gain")
    for name in ("input gain", "gru", "separate", "input_low", "input_n"):
        with pytest.raises(ValueError, match=f"name: expected an identifier, .* got '{name}'"):
            register_arm(name, "input_gain")
    with pytest.raises(ValueError, match="pathways of the arm other: expected each once, got gate, gate"):
        register_arm("other", "gate", "gate", look=Look("#123456", "<", "-"))


def test_names_that_figures_use_are_reserved():
    assert [name for name in (*BASELINES, *GATED) if not RESERVED.fullmatch(name)] == []
    assert {*STEPPED, *SHARED} == set(Weights._fields) - {*CORE, "encoder_state"}
    assert [arm for arm in ARMS if RESERVED.fullmatch(arm)] == []


def test_what_the_engine_would_leave_out_is_refused(registry):
    own = {"label": "x", "look": Look("#123456", "<", "-"), "__module__": __name__}
    second = {"name": "second", "matrices": {"second": Matrix("F", "context", "unit")}, "drive": other_drive}
    with pytest.raises(
        ValueError, match='stepped of the pathway second: expected "", .* got .bias_modulation., learned'
    ):
        register_pathway(type("Second", (type(PATHWAYS["bias"]),), own | second))
    read = {"name": "read", "matrices": {"readout_gain": Matrix("Z", "context", "output")}, "sets": ("gain",)}
    with pytest.raises(ValueError, match="shared of the pathway read: .* nothing else such as the readout"):
        register_pathway(type("Read", (Pathway,), own | read | {"shared": ("readout_gain",)}))
    silent = {"name": "silent", "sets": ("bias",), "drive": other_drive, "matrices": InputGain.matrices}
    register_pathway(type("Silent", (Pathway,), own | silent))
    register_arm("silent", "silent")
    with pytest.raises(ValueError, match="drive of the pathway silent: expected bias.* got input_gain"):
        make(arm="silent").run(draw(1, 2, 5, 6, 4), draw(2, 2, 5, 3))


@pytest.mark.parametrize("source", ["cue", "input"])
def test_what_two_pathways_set_is_joined(registry, source):
    members = {"name": "loudness", "sets": ("gain", "bias"), "__module__": __name__}
    members["matrices"] = {"loudness": Matrix("L", "context", "unit")}
    members["drive"] = lambda self, p, e: {"gain": 1 + project(e, p["loudness"]), "bias": project(e, p["loudness"])}
    register_pathway(type("Loudness", (Pathway,), members | {"look": Look("#123456", "<", "-"), "label": "L"}))
    register_arm("loud", "bias", "gain", "loudness", look=Look("#123456", "<", "-"))
    model, inputs = make(arm="loud", context_source=source), draw(1, 2, 5, 6, 4)
    context = draw(2, 2, 5, 3) if source == "cue" else None
    outputs, rates = model.run(inputs, context, keep_rates=True)
    p = {name: values.detach() for name, values in model.parameters.items()}
    e = context[:, :, None].expand(-1, -1, 6, -1) if source == "cue" else model.infer_context(inputs).detach()
    gain = (1 + e @ p["gain_modulation"][:, None]) * (1 + e @ p["loudness"][:, None])
    bias = e @ (p["bias_modulation"] + p["loudness"])[:, None] + p["bias"][:, None, None]
    state = torch.zeros(2, 5, 9, dtype=torch.float64)
    for t in range(6):
        received = gain[:, :, t] * (state @ p["recurrent"] + inputs[:, :, t] @ p["input"]) + bias[:, :, t]
        state = 0.8 * state + 0.2 * torch.tanh(received)
        torch.testing.assert_close(rates[:, :, t].detach(), state, rtol=1e-11, atol=1e-11)


ARMS_BESIDE = {"fig3_packing": ("combined",), "fig9_overhead_scaling": ("plain", "bias", "combined")}
MODELS_BESIDE = ("plain", "combined", "gru")


@functools.cache
def choose(stem, **changes):
    """The figure's config at the profile smoke, with the arm among those that it cannot do without."""
    config = make_config(PROJECT, stem, "smoke")
    fields = {field.name for field in dataclasses.fields(config)}
    less = {"n_units": 40} if "passing_score" in fields else {}  # so that a unit is less than the budget's tolerance
    less |= {name: 8 for name in ("rows_updates", "battery_updates", "packing_updates") if name in fields}
    others = {"arms": ARMS_BESIDE.get(stem, DESIGN), "models": MODELS_BESIDE, "packing_models": ("bias", "combined")}
    for name in {*others, "battery_arms"} & fields:
        less[name] = (*others.get(name, ()), "input_gain")
    return dataclasses.replace(config, device="cpu", **(less | changes))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMRNN_STORE", str(tmp_path_factory.mktemp("store")))
        patch.delenv("CEMRNN_RESULTS", raising=False)
        yield


FIGURES = ("fig1_tasks", "fig2_ambiguity", "fig3_packing", "fig4_dynamics", "fig5_synergy", "fig7_images")
FIGURES += ("fig9_overhead_scaling", "fig10_interpretability")


@pytest.mark.parametrize("stem", FIGURES)
def test_it_is_computed_and_drawn_in_every_figure(stem, store):
    result = load_experiment(stem).run(choose(stem))
    named = [table for table in result.tables.values() if "arm" in table and "input_gain" in set(table["arm"])]
    assert len(named) >= 2
    assert any("input_gain" in name for name in result.scalars)
    legends = legends_of(load_plot(stem).plot(result))
    assert "input_gain" in {text.get_text() for legend in legends for text in legend.get_texts()}


def test_its_lesion_is_among_those_of_figure_10(store):
    lesions = load_experiment("fig10_interpretability").run(choose("fig10_interpretability")).tables["lesions"]
    assert set(lesions.loc[lesions["arm"] == "input_gain", "lesion"]) == {"input_gain"}


def test_figure_7_refuses_it_where_the_context_follows_the_state():
    config = choose("fig7_images", encoder_reads="state")
    with pytest.raises(ValueError, match="pathway input_gain, got state: .* cannot follow the state"):
        load_experiment("fig7_images").conditions(config)


def test_its_look_is_its_own():
    assert LOOKS["input_gain"] == InputGain.look
    assert "input_gain" in LOOKS


def stripped(**members):
    return type("Stripped", (InputGain,), {"__module__": __name__} | members)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: register_pathway(3), "kind: expected a subclass of cemrnn.Pathway, got 3"),
        (lambda: register_pathway(InputGain()), "kind: expected a subclass of cemrnn.Pathway, got <"),
        (lambda: register_pathway(stripped(sets="gain")), "sets of the pathway Stripped: expected a tuple, got 'gain'"),
        (lambda: register_pathway(stripped(sets=())), r"sets of the pathway Stripped: expected a tuple, got \(\)"),
        (lambda: register_pathway(stripped(name=None)), "name of the pathway Stripped: expected a str, got None"),
        (lambda: register_pathway(stripped(look="red")), "look of the pathway Stripped: expected a Look, got 'red'"),
        (
            lambda: register_pathway(stripped(matrices={"h": 3})),
            "h of the pathway input_gain: expected a Matrix",
        ),
        (lambda: register_arm("other", "input_gain", look="red"), "look of the arm other: expected a Look, got 'red'"),
        (
            lambda: Matrix("H", "foo", "unit"),
            "unknown rows of the matrix H: 'foo'; expected one of: component",
        ),
        (lambda: Matrix("H", "context", "units"), "unknown columns of the matrix H: 'units'; did you mean 'unit'"),
        (lambda: Matrix("H", "context", ""), "unknown columns of the matrix H: ''"),
        (lambda: Matrix(3, "context", "unit"), "letter: expected one, such as H, got 3"),
        (lambda: Matrix("H", "context", "unit", 0), "start of the matrix H: expected a function, got 0"),
        (lambda: Look("notacolour", "<", "-"), "colour: expected one such as #117733, got 'notacolour'"),
        (lambda: Look("#11773", "<", "-"), "colour: expected one such as #117733"),
        (lambda: Look(3, "<", "-"), "colour: expected one such as #117733, got 3"),
        (lambda: Look("#117733", "zz", "-"), "marker: expected one of . , o v .* got 'zz'"),
        (lambda: Look("tab:blue", "<", "??"), "line: expected one of - -- -. :, got .*"),
    ],
)
def test_what_cannot_be_drawn_or_trained_is_refused_where_it_is_made(registry, make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_can_be_drawn_is_what_matplotlib_has():
    from matplotlib.lines import Line2D

    for marker in MARKERS:
        for line in LINES:
            drawn = Line2D([0], [0], marker=marker, linestyle=line, color=Look("tab:blue", marker, line).colour)
            assert drawn.get_marker() == marker


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (None, "drive of the pathway input_gain: expected tensors by name, input_gain, got None"),
        ({"input_gain": 1.0}, "drive of the pathway input_gain: input_gain: expected a tensor, got 1.0"),
        ({}, "drive of the pathway input_gain: expected input_gain as in sets, got nothing"),
    ],
)
def test_a_pathway_that_returns_no_tensors_is_named(part, message):
    with mock.patch.object(InputGain, "drive", lambda *_: part), pytest.raises(ValueError, match=message):
        make().run(draw(1, 2, 5, 6, 4), draw(2, 2, 5, 3))


def test_networks_of_a_pathway_that_gives_no_numbers_are_told(registry, store, caplog):
    def drive(self, tensors, modulator):
        return {"input_gain": float("nan") * project(modulator, tensors["input_modulation"])}

    members = dict(name="nothing", look=Look("#123456", "<", "-"), drive=drive, __module__=__name__)
    register_pathway(type("Nothing", (InputGain,), members))
    register_arm("nothing", "nothing")
    sizes = dict(n_units=4, n_networks=2, n_updates=3, profile="smoke", device="cpu")
    nets = cemrnn.train(["reaction_pro", "reaction_anti"], arm="nothing", **sizes)
    assert nets.status == ("failed", "failed") and "2 of 2 networks failed" in caplog.text
