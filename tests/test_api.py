"""What a user types: each line does what it says, on a small population that has learned."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import cemrnn
from cemrnn.dynamics.flow import Flow
from cemrnn.store.store import Store
from tests.networks import small_config

NAMES = ["reaction_pro", "reaction_anti"]
SETTINGS = dict(n_units=24, rank=4, n_updates=150, batch_trials=32, learning_rate=0.01, target_score=None)


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMRNN_STORE", str(tmp_path_factory.mktemp("store")))
        yield


@pytest.fixture(scope="module")
def nets(store):
    return cemrnn.train(NAMES, arm="combined", n_networks=2, seed=3, device="cpu", **SETTINGS)


@pytest.fixture(scope="module")
def trials(nets):
    return nets.tasks.draw(40, task="reaction_anti", seed=7)


def test_import_loads_nothing_heavy_and_shows_what_there_is():
    code = "import sys, cemrnn; print(*sorted({name.partition('.')[0] for name in sys.modules})); print(*dir(cemrnn))"
    loaded, shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert not {"torch", "numba", "numpy", "pandas", "matplotlib", "xarray"} & set(loaded.split())
    assert {"load", "train", "score", "tasks", "figures"} <= set(shown.split())


def test_every_name_of_the_table_of_contents_is_there():
    assert all(getattr(cemrnn, name) is not None for name in cemrnn.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        cemrnn.lod  # noqa: B018


def test_a_run_is_that_of_the_ensemble_with_named_axes(nets, trials):
    out = nets.run(trials, recurrent_noise=False)
    assert out.outputs.dims == ("network", "trial", "time", "output")
    assert out.rates.shape == (2, 40, trials.n_steps, 24)
    assert out.time.values[1] == nets.config.dt_ms
    inputs = torch.from_numpy(trials.inputs).expand(2, -1, -1, -1)
    context = torch.tensor([0.0, 1.0]).expand(2, 40, 2)
    expected, _ = nets.model.run(inputs, context, lengths=trials.trials.end_steps.expand(2, -1))
    np.testing.assert_allclose(out.outputs, expected.detach(), atol=1e-6)
    assert not np.array_equal(nets.run(trials).outputs, out.outputs)  # units are noisy
    assert nets.run(trials).outputs.equals(nets.run(trials).outputs)


def test_scores_follow_the_cue(nets, trials):
    def right(**disturbance):
        return cemrnn.score(nets.run(trials, **disturbance), trials).mean("trial").values

    assert right().shape == (2,) and right().min() > 0.8
    for wrong in (dict(cue=trials.cue("reaction_pro")), dict(strength=0.0), dict(switch=("reaction_pro", 1e6))):
        assert right(**wrong).max() < 0.5
    assert right(noise=2.0).mean() < right().mean() - 0.1
    np.testing.assert_array_equal(right(switch=("reaction_pro", 0.0)), right())


def test_a_cue_is_mixed_and_comes_late(nets, trials):
    np.testing.assert_allclose(trials.mix("reaction_pro", 0.25), np.tile([0.25, 0.75], (40, 1)))
    outs = [nets.run(trials, onset_ms=200.0).outputs, nets.run(trials).outputs, nets.run(trials, strength=0).outputs]
    late, clean, none = (out.sel(time=slice(0, 160)) for out in outs)
    assert late.equals(none) and not late.equals(clean)


def test_trials_are_indexed_and_alike_for_a_seed(nets, trials):
    again = nets.tasks.draw(40, task="reaction_anti", seed=7)
    np.testing.assert_array_equal(again.inputs, trials.inputs)
    assert len(trials[3]) == 1 and trials[-1].names == ["reaction_anti"]
    np.testing.assert_array_equal(trials[3].inputs[0], trials.inputs[3, : trials[3].n_steps])
    assert trials[3].n_steps == trials.trials.end_steps[0, 3]
    assert nets.tasks.draw(3, seed=1).names == ["reaction_pro", "reaction_anti", "reaction_pro"]
    inside = trials.in_epoch("fixation").sum(1) + trials.in_epoch("response").sum(1)
    np.testing.assert_array_equal(inside, trials.trials.end_steps[0])


def test_weights_have_names_and_letters(nets):
    weights = nets[1].weights
    assert isinstance(weights["W"], np.ndarray) and weights["W"] is weights["recurrent"]
    np.testing.assert_array_equal(weights["W"], nets.model.parameters["recurrent"][1].detach())
    assert {letter: weights[letter].shape for letter in "EGSUV"} == dict(
        E=(2, 24), G=(2, 24), S=(2, 4), U=(24, 4), V=(24, 4)
    )
    with pytest.raises(KeyError, match="unknown weights 'Q'"):
        weights["Q"]


def test_fixed_points_are_where_the_network_rests(nets):
    points = nets[0].fixed_points(task="reaction_anti", epoch="fixation")
    held = torch.tensor([[1.0, 0, 0, 0, 0]])
    flow = Flow.of(nets[0].model, torch.zeros(1, dtype=torch.int64), held, torch.tensor([[0.0, 1.0]]))
    states = torch.from_numpy(points.states[~points.slow])
    assert len(states) and flow.velocity(states, torch.zeros(len(states), dtype=torch.int64)).norm(dim=1).max() < 1e-8
    shown = nets[0].fixed_points(task="reaction_anti", epoch="response", n_stimuli=3)
    assert set(shown.which) == {0, 1, 2}  # every stimulus is a condition
    given = nets[0].fixed_points(task="reaction_anti", epoch="fixation", inputs=held[0].numpy())
    np.testing.assert_array_equal(given.states, points.states)


def test_a_plot_shows_the_trial(nets, trials):
    figure = nets[0].plot(trials[3], recurrent_noise=False)
    lines = figure.axes[2].get_lines()
    np.testing.assert_array_equal(lines[1].get_ydata(), trials[3].targets[0, :, 0])
    np.testing.assert_array_equal(
        lines[0].get_ydata(), nets[0].run(trials[3], recurrent_noise=False).outputs[0, 0, :, 0]
    )
    with pytest.raises(ValueError, match=r"trial: expected one, such as trials\[0\], got 40"):
        nets[0].plot(trials)


def test_a_folder_carries_networks(nets, trials, tmp_path):
    nets.save(tmp_path)
    again = cemrnn.load(tmp_path)
    assert again.run(trials).equals(nets.run(trials)) and again.tasks == nets.tasks
    assert again.history.shape == nets.history.shape
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
        with pytest.raises(ValueError, match=path.name):
            cemrnn.load(tmp_path)
        path.write_bytes(whole)


def test_some_networks_keep_their_history(nets):
    part = nets[1:]
    assert len(part) == 1 and set(part.history["network"]) == {0}
    np.testing.assert_array_equal(part.history["loss"], nets.history.loc[nets.history["network"] == 1, "loss"])


def test_the_networks_of_a_figure_are_found_and_trained_once(monkeypatch):
    sizes = dict(n_replicates=2, n_updates=5, device="cpu")
    nets = cemrnn.load("fig1_tasks", arm="synaptic", profile="smoke", **sizes)
    assert nets.config.arm == "synaptic" and len(nets) == 2
    monkeypatch.setattr("cemrnn.sweep.run.run_jobs", lambda jobs, *_: pytest.fail("trained again") if jobs else 0)
    again = cemrnn.load("fig1_tasks", arm="synaptic", profile="smoke", **sizes)
    torch.testing.assert_close(again.model.flat, nets.model.flat, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda nets: nets.tasks.draw(3, task="reaction_ant", seed=1), "did you mean 'reaction_anti'"),
        (lambda nets: cemrnn.load("fig2_ambiguty"), "unknown figure 'fig2_ambiguty'; did you mean 'fig2_ambiguity'"),
        (lambda nets: cemrnn.load("fig2_ambiguity", arm="combind"), "did you mean 'combined'"),
        (lambda nets: cemrnn.load("fig3_packing", arm="combined"), "label: expected a part of one of"),
        (lambda nets: cemrnn.train(NAMES, arm="combind"), "unknown arm 'combind'; did you mean 'combined'"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", n_update=3), "did you mean 'n_updates'"),
        (lambda nets: nets[0].fixed_points("reaction_pro", "respons"), "did you mean 'response'"),
        (lambda nets: nets.run(nets.tasks.draw(3, seed=1), cue=np.eye(2)), r"cue: expected .* got \(2, 2\)"),
        (lambda nets: nets.run(3), "trials: expected those of nets.tasks.draw, got 3"),
        (lambda nets: cemrnn.score(nets.run(nets.tasks.draw(3, seed=1)), 3), "trials: expected those of nets.tasks"),
        (lambda nets: nets.tasks.draw(3, seed=1.5), "seed: expected a whole number, got 1.5"),
        (lambda nets: nets.tasks.draw(3, seed=-1), "seed: expected 0 to 2.14748e.09, because random streams are"),
        (lambda nets: nets.tasks.draw(0, seed=1), "n_trials: expected at least 1"),
        (lambda nets: nets.tasks.draw("a", seed=1), "n_trials: expected a whole number, got 'a'"),
        (lambda nets: nets.tasks.draw(3, seed=1).mix("reaction_pro", 1.5), "share: expected 0 to 1"),
        (lambda nets: nets[0].fixed_points("reaction_pro", "fixation", n_starts=0), "n_starts: expected at least 1"),
        (lambda nets: cemrnn.Tasks(3), "tasks: expected a TaskSet or OwnTasks, .* got 3"),
        (lambda nets: cemrnn.train("reaction_pro", arm="plain"), "tasks: expected names in a list, .* got 'reaction_p"),
        (lambda nets: cemrnn.train(3, arm="plain"), "tasks: expected names in a list, or a set of tasks, got 3"),
        (lambda nets: cemrnn.train(NAMES, arm=None), "arm: expected one of plain, .* got None"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", n_networks=0), "n_networks: expected at least 1, because it is"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", n_networks=-1), "n_networks: expected at least 1"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", n_networks=1.5), "n_networks: expected a whole number"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", seed=-1), "seed: expected 0 to"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", seed=2**40), "seed: expected 0 to"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", target_score=2.0), "target_score: expected 0 to 1"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", score_rule="last37"), "unknown score_rule 'last37'; did you"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", device="tpu"), "device: expected auto, cpu or cuda, got 'tpu'"),
        (lambda nets: cemrnn.train(NAMES, arm="plain", device=3), "device: expected auto, cpu or cuda, got 3"),
        (lambda nets: cemrnn.load([]), r"what: expected the name of a figure, a folder, or configs .* got \[\]"),
        (lambda nets: cemrnn.load(3), "what: expected the name of a figure, .* got 3"),
        (lambda nets: cemrnn.load(["a"]), "what: expected the name of a figure, "),
        (lambda nets: cemrnn.load("/nowhere/saved"), "/nowhere/saved: expected a folder that `save` wrote, got no fol"),
        (lambda nets: cemrnn.load(Path("saved")), "saved: expected a folder that `save` wrote, got no folder"),
        (lambda nets: cemrnn.load("/tmp"), "/tmp: expected a folder that `save` wrote, got no networks.json in it"),
        (lambda nets: cemrnn.from_torch([3]), r"modules: expected cemrnn.nn.CEMRNN, one or more, got \[3\]"),
        (lambda nets: cemrnn.nn.CEMRNN(seed=-1, **nets.config.to_dict()), "seed: expected 0 to"),
    ],
)
def test_mistakes_are_told_with_a_suggestion(nets, call, message):
    with pytest.raises(ValueError, match=message):
        call(nets)


CUES_MISTAKEN = [
    (dict(noise=float("nan")), "noise: expected a finite number, got nan"),
    (dict(noise=-1), "noise: expected at least 0, because it is a size; got -1"),
    (dict(strength=float("nan")), "strength: expected a finite number, got nan"),
    (dict(strength="weak"), "strength: expected a finite number, got 'weak'"),
    (dict(onset_ms=-100), "onset_ms: expected at least 0"),
    (dict(onset_ms=float("inf")), "onset_ms: expected a finite number, got inf"),
    (dict(switch=("reaction_pro", -500)), "switch_ms: expected at least 0"),
    (dict(switch="reaction_pro"), "switch: expected the name of a task and a time in ms, got 'reaction_pro'"),
    (dict(switch=("reaction", 5)), "unknown task 'reaction'; did you mean"),
    (dict(switch=(3, 5)), "unknown task '3'"),
    (dict(cue="reaction_pro"), "cue: expected numbers, such as trials.cue.'reaction_pro'., got 'reaction_pro'"),
    (dict(cue=np.full((3, 2), np.nan)), "cue: expected finite numbers, got others"),
    (dict(cue=np.ones((3, 2)) * 1j), "cue: expected an array of real numbers, got complex128"),
    (dict(cue=[["a"] * 2] * 3), "cue: expected an array of real numbers"),
]


@pytest.mark.parametrize(("disturbance", "message"), CUES_MISTAKEN)
def test_what_cannot_be_done_to_a_cue_is_refused(nets, disturbance, message):
    with pytest.raises(ValueError, match=message):
        nets.run(nets.tasks.draw(3, seed=1), **disturbance)


def test_a_folder_or_configs_come_without_arguments_that_nothing_reads(nets, tmp_path):
    nets.save(tmp_path / "saved")
    for what, given, refused in (
        (tmp_path / "saved", dict(arm="plain", foo=3), "foo, arm"),
        (str(tmp_path / "saved"), dict(label="N = 8"), "label"),
        (tmp_path / "saved", dict(profile="smoke"), "profile"),
        (tmp_path / "saved", dict(device="cpu"), "device"),
        ([small_config()], dict(arm="plain", device="cpu"), "arm"),
    ):
        with pytest.raises(ValueError, match=f"^{refused}: expected no such argument with "):
            cemrnn.load(what, **given)
    with pytest.raises(ValueError, match="what: expected .* configs of networks that differ in the seed alone"):
        cemrnn.load([small_config(), small_config(n_updates=3)])


def test_networks_that_failed_are_told_once_and_marked(store, caplog, tmp_path):
    settings = SETTINGS | dict(n_updates=5, learning_rate=1e30)
    nets = cemrnn.train(NAMES, arm="plain", n_networks=2, device="cpu", **settings)
    (told,) = [record.message for record in caplog.records if "failed" in record.message]
    assert told.startswith("2 of 2 networks failed: their loss or weights were not finite")
    assert nets.status == ("failed", "failed") and "2 failed" in repr(nets) and nets[1].status == ("failed",)
    nets.save(tmp_path / "saved")
    assert cemrnn.load(tmp_path / "saved").status == nets.status
    good = cemrnn.train(NAMES, arm="plain", n_networks=2, device="cpu", **SETTINGS | dict(n_updates=2))
    assert good.status == ("exhausted",) * 2 and good[:1].status == ("exhausted",) and "failed" not in repr(good)


def test_networks_that_infer_their_context_take_no_cue(store):
    settings = SETTINGS | dict(n_updates=2, context_source="state", n_contexts=3)
    nets = cemrnn.train(NAMES, arm="excitability", n_networks=1, device="cpu", **settings)
    trials = nets.tasks.draw(4, seed=0)
    assert nets.run(trials).rates.shape[:2] == (1, 4) and nets.config.n_contexts == 3
    with pytest.raises(ValueError, match="infer it from the state"):
        nets.run(trials, strength=0.5)


def test_ctrl_c_keeps_what_is_there(monkeypatch, caplog):
    learn = cemrnn.training.learner.Learner.update
    calls = []

    def update(learner):
        learn(learner)
        calls.append(learner.n_updates)
        if len(calls) == 7:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cemrnn.training.learner.Learner, "update", update)
    settings = SETTINGS | dict(n_updates=20)
    nets = cemrnn.train(NAMES, arm="bias", n_networks=2, device="cpu", **settings)
    assert "the networks are returned as they stand" in caplog.text and len(nets) == 2
    again = cemrnn.train(NAMES, arm="bias", n_networks=2, device="cpu", **settings)
    assert calls[-1] == 20 and len(calls) == 20  # it went on from there
    assert not torch.equal(again.model.flat, nets.model.flat)
    assert list(Store.default().checkpoints.glob("*.checkpoint")) == []


def test_it_works_from_any_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    nets = cemrnn.train(NAMES, arm="plain", n_networks=1, device="cpu", **SETTINGS | dict(n_updates=2))
    assert nets.config.rank == 0 and nets.tasks.names == tuple(NAMES)
