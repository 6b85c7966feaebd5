"""The model in JavaScript does what the model in Python does: trials, rates, outputs, flow, fixed points."""

import json
import math

import numpy as np
import pytest
import torch

from cemrnn.api import Networks
from cemrnn.dynamics.flow import Flow
from cemrnn.network.pathways import Told
from cemrnn.tasks import TaskSet
from cemrnn.tasks.drawing import Tasks
from cemrnn.tasks.scores import matches_response
from tests.book.networks import make_model

TASKS = TaskSet(
    names=("memory_pro", "memory_anti", "delay_pro", "delay_anti", "reaction_pro", "reaction_anti"), preset="nm_rnn"
)
PHYSICS = {"excitability": dict(activation="tanh"), "synaptic": dict(activation="relu", size=0.25),
           "combined": dict(activation="rectified_tanh")}  # fmt: skip
N_TRIALS = 100
RUN = """({record, trials, tasks}) => {
  const play = cemrnnPlay, network = play.Network.from(record), k = network.config.n_contexts;
  return JSON.stringify(trials.map(({own, other, direction, modality, steps, ...cue}) => {
    const [first, second] = [own, other].map((index) => ({...tasks[index], steps}));
    const inputs = play.makeInputs(first, direction, modality);
    const told = play.makeCue(k, first, second, cue);
    const run = network.run(inputs, {excitability: told, synaptic: told});
    const plain = (rows) => rows.map((row) => Array.from(row));
    return {inputs: plain(inputs), cue: Array.from(told[0]), rates: plain(run.rates), outputs: plain(run.outputs),
            own: plain(play.makeTarget(first, direction)),
            whose: play.judge(run.outputs.at(-1), first, second, direction).whose};
  }));
}"""  # as one text, because a browser hands over a million numbers slowly


def draw(rng):
    """100 trials of every task in turn, with what is done to their cues."""
    batch = Tasks(TASKS).draw(N_TRIALS, seed=8)
    t, k = batch.trials, len(TASKS.names)
    trials = []
    for b in range(N_TRIALS):
        own = int(t.task[0, b])
        go, end = int(t.go_steps[0, b]), int(t.end_steps[0, b])
        onsets = t.onsets[0, b].tolist()
        on, off = {0: (onsets[1], onsets[2]), 2: (onsets[1], end), 4: (go, end)}[own - own % 2]
        steps = dict(stimulus_on=on, stimulus_off=off, fixation_off=end if own >= 4 else go, go=go, end=end)
        trials.append(
            dict(own=own, other=own + 1 - 2 * (own % 2), steps=steps, noise=rng.standard_normal(k).tolist(),
                 direction=float(t.alternative[0, b, own - own % 2]), sigma=rng.random(), mixture=rng.random(),
                 modality=int(np.abs(batch.inputs[b, on, 1:3]).sum() == 0), onset=0, switched=0)
        )  # fmt: skip
    return batch, trials


def run_in(page, data, trials):
    """What the network does on each of the trials."""
    return json.loads(page.evaluate(RUN, dict(record=data["networks"][0], trials=trials, tasks=data["tasks"])))


def pad(rows, n_steps):
    """(T, F) with zeros after its last step."""
    return np.pad(np.array(rows), [(0, n_steps - len(rows)), (0, 0)])


@pytest.mark.parametrize("arm", PHYSICS)
def test_inputs_rates_outputs_and_answers_are_those_of_python(arm, open_page):
    model, data = make_model(arm, TASKS, **PHYSICS[arm])
    batch, trials = draw(np.random.default_rng(3))
    found = run_in(open_page({}), data, trials)
    cue = np.array([one["cue"] for one in found], np.float32)
    run = Networks(model, (0,), Tasks(TASKS)).run(batch, cue=cue, recurrent_noise=False)
    for name, expected in (("inputs", batch.inputs), ("rates", run.rates[0]), ("outputs", run.outputs[0])):
        got = np.stack([pad(one[name], batch.n_steps) for one in found])
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(np.stack([pad(one["own"], batch.n_steps) for one in found]), batch.targets, atol=1e-6)
    outputs, t = torch.from_numpy(run.outputs.values), batch.trials
    other = torch.tensor([[trial["other"] for trial in trials]])
    own = matches_response(outputs, t, t.response)[0]
    others = matches_response(outputs, t, t.alternative.gather(2, other[..., None])[..., 0])[0]
    expected = np.where(own, "own", np.where(others, "other", "neither"))
    assert [one["whose"] for one in found] == expected.tolist()
    assert len(set(expected)) == 3


def test_the_cue_is_that_of_a_disturbance(open_page):
    model, data = make_model("combined", TASKS)
    batch, trials = draw(np.random.default_rng(4))
    batch, own, other = batch[6], "memory_pro", "memory_anti"
    trial = trials[6] | dict(sigma=0.0, mixture=0.3, onset=7, switched=4)
    (found,) = run_in(open_page({}), data, [trial])
    nets = Networks(model, (0,), Tasks(TASKS))
    assert batch.names == [own]
    run = nets.run(batch, cue=batch.mix(other, 0.3), onset_ms=70, switch=(other, 40), recurrent_noise=False)
    np.testing.assert_allclose(found["outputs"], run.outputs[0, 0], atol=1e-5)
    assert np.abs(run.outputs[0, 0] - nets.run(batch, recurrent_noise=False).outputs[0, 0]).max() > 0.01


LESIONS = """({record, inputs, cue, unit, component, times}) => {
  const play = cemrnnPlay, trained = play.Network.from(record), told = {excitability: cue, synaptic: cue};
  const held = play.makeMeanCue(cue[0].length, cue.length), last = (network, told) =>
    Array.from(network.run(inputs, told).outputs.at(-1));
  return {hold_excitability: last(trained, {...told, excitability: held}), whole: last(trained, told),
          hold_synaptic: last(trained, {...told, synaptic: held}), unit: last(trained.withoutUnit(unit), told),
          component: last(trained.withoutComponent(component), told), times: last(trained.withTimes(times), told)};
}"""


def test_held_pathways_lesions_and_time_constants_are_those_of_python(open_page):
    model, data = make_model("combined", TASKS)
    rng, n_steps, k = np.random.default_rng(2), 30, TASKS.n_contexts
    inputs, cue = rng.standard_normal((n_steps, 5)), np.tile(rng.standard_normal(k), (n_steps, 1))
    times = dict(tau_excitability_ms=50.0, tau_synaptic_ms=200.0)
    asked = dict(record=data["networks"][0], inputs=inputs.tolist(), cue=cue.tolist(), unit=4, component=1, times=times)
    found = open_page({}).evaluate(LESIONS, asked)
    u, told, mean = (
        torch.as_tensor(x, dtype=torch.float32)[None, None] for x in (inputs, cue, np.full_like(cue, 1 / k))
    )

    def last(context, model=model):
        return model.run(u, context)[0][0, 0, -1].detach().numpy()

    without_unit, without_component = model.select([0]), model.select([0])
    with torch.no_grad():  # a unit that reaches nobody, and a component of no strength
        for name in ("recurrent", "synaptic_in", "readout"):
            without_unit.parameters[name][0, 4] = 0
        without_component.parameters["strength_modulation"][0, :, 1] = 0
    slow, _ = make_model("combined", TASKS, **times)
    expected = {
        "whole": last(told),
        "hold_excitability": last(Told(mean, told)),
        "hold_synaptic": last(Told(told, mean)),
    }
    expected |= {
        "unit": last(told, without_unit),
        "component": last(told, without_component),
        "times": last(told, slow),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)
    assert len({tuple(values.round(3)) for values in expected.values()}) == len(expected)


FLOW = """({record, context, inputs, starts}) => {
  const play = cemrnnPlay, flow = new play.Flow(play.Network.from(record), context, context, inputs);
  let points = [];
  for (const found of play.search(flow, starts.map((start) => Float64Array.from(start)))) points = found;
  const plane = new play.Plane(starts.map((start) => Float64Array.from(start)));
  return {velocity: Array.from(flow.velocity(Float64Array.from(starts[0]))), axes: plane.axes.map((a) => Array.from(a)),
          jacobian: Array.from(flow.jacobian(Float64Array.from(starts[0]))),
          back: plane.project(plane.lift([0.3, -0.2])),
          points: points.map(({rates, stable}) => ({rates: Array.from(rates), stable, growth: flow.growth(rates)}))};
}"""


@pytest.mark.parametrize("arm", PHYSICS)
def test_flow_fixed_points_and_plane_are_those_of_numpy(arm, open_page):
    model, data = make_model(arm, TASKS, activation="tanh")
    rng = np.random.default_rng(6)
    context, inputs, starts = rng.standard_normal(6), rng.standard_normal(5) / 4, rng.standard_normal((40, 12))
    asked = dict(record=data["networks"][0], context=context.tolist(), inputs=inputs.tolist(), starts=starts.tolist())
    found = open_page({}).evaluate(FLOW, asked)
    flow = Flow.of(model, torch.zeros(1), torch.from_numpy(inputs)[None], torch.from_numpy(context)[None])
    zero, first = torch.zeros(1, dtype=torch.int64), torch.from_numpy(starts[:1])
    np.testing.assert_allclose(found["velocity"], flow.velocity(first, zero)[0], atol=1e-6)
    np.testing.assert_allclose(np.reshape(found["jacobian"], (12, 12)), flow.jacobian(first, zero)[0], atol=1e-6)
    assert found["points"]
    for point in found["points"]:
        rates = torch.tensor(point["rates"], dtype=torch.float64)[None]
        assert flow.velocity(rates, zero).norm() < 1e-6
        step = np.eye(12) + model.config.alpha * flow.jacobian(rates, zero)[0].numpy()
        radius = np.abs(np.linalg.eigvals(step)).max()
        assert point["growth"] == pytest.approx(radius, rel=1e-3)
        assert point["stable"] == (radius < 1)
    axes = np.linalg.svd(starts - starts.mean(axis=0))[2][:2]
    np.testing.assert_allclose(np.abs(np.sum(axes * found["axes"], axis=1)), 1, atol=1e-3)
    assert found["back"] == pytest.approx([0.3, -0.2])


def test_noise_is_normal_without_its_mean(open_page):
    drawn = open_page({}).evaluate("Array.from({length: 3000}, () => Array.from(cemrnnPlay.drawNoise(6)))")
    noise = np.array(drawn)
    np.testing.assert_allclose(noise.sum(axis=1), 0, atol=1e-9)
    # Centred normal numbers: each has the variance 1 - 1/6; 18000 of them tell it to about 1 %.
    assert noise.std() == pytest.approx(math.sqrt(5 / 6), rel=0.04)
